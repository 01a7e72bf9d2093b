from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data import inputs
from multiunet.domains.image.data.augment import Augmentation
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.patches import Patches
from multiunet.domains.image.files import masks
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError
from multiunet.seeds import generator


def patches(
    root: Path, augmentation: Augmentation | None = None, oversample_classes: float = 0.33, **settings: Any
) -> Patches:
    if settings.get("task") != "regression":
        settings.setdefault("masks", root / "masks")
    info = survey(ImageTrain(images=root / "images", **settings))
    items = info.split.train
    return Patches(items, info, augmentation or Augmentation(), oversample_classes, FileCache())


@pytest.mark.parametrize(("shape", "size"), [((40, 48), [24, 16]), ((20, 24, 28), [8, 16, 16])])
def test_a_draw_has_the_patchs_shape_and_types(folder: Any, shape: tuple[int, ...], size: list[int]) -> None:
    data = patches(folder(5, shape, ".tif", np.float32), patch_size=size)
    assert len(data) == 3
    sample = data.draw(1, generator(0))
    assert (sample.field.shape, sample.field.dtype) == ((1, 1, *size), torch.float32)
    assert (sample.target.shape, sample.target.dtype) == ((1, *size), torch.int64)
    assert set(sample.target.unique().tolist()) <= {0, 1}
    assert sample.field.is_contiguous()


def test_a_draw_depends_on_item_and_generator_alone(folder: Any) -> None:
    root = folder(5)
    data, fresh = patches(root), patches(root)
    first = data.draw(2, generator(0, 1, 2))
    for _ in range(3):
        data.draw(0, generator(9))
    elsewhere = pickle.loads(pickle.dumps(data))  # as in a worker process, which starts with nothing read
    for other in (data, fresh, elsewhere):
        again = other.draw(2, generator(0, 1, 2))
        assert torch.equal(again.field, first.field)
        assert torch.equal(again.target, first.target)
    assert not torch.equal(data.draw(2, generator(0, 1, 3)).field, first.field)


def test_a_plain_patch_is_a_standardised_crop_with_its_labels(folder: Any) -> None:
    data = patches(folder(5), Augmentation.none(), patch_size=[12, 20])
    entry = data.items[0]
    image = np.asarray(Image.open(entry.image)).astype(np.float64)
    image = (image - image.mean()) / image.std()
    mask = np.asarray(Image.open(entry.target)) == 9
    for seed in range(10):
        sample = data.draw(0, generator(seed))
        corners = [
            (y, x)
            for y in range(40 - 12 + 1)
            for x in range(48 - 20 + 1)
            if abs(image[y, x] - sample.field[0, 0, 0, 0].item()) < 1e-5
            and np.allclose(image[y : y + 12, x : x + 20], sample.field[0, 0], atol=1e-5)
        ]
        assert len(corners) == 1
        y, x = corners[0]
        np.testing.assert_array_equal(sample.target[0], mask[y : y + 12, x : x + 20])


def test_rare_classes_are_found(folder: Any) -> None:
    root = folder(5, shape=(200, 200))
    for path in (root / "masks").iterdir():
        mask = np.full((200, 200), 4, np.uint8)
        mask[90:93, 40:43] = 9
        Image.fromarray(mask).save(path)

    def share(oversample_classes: float) -> float:
        data = patches(root, Augmentation.none(), oversample_classes, patch_size=[32])
        return float(np.mean([data.draw(0, generator(i)).target.any() for i in range(200)]))

    assert share(0.0) < 0.1
    assert share(1.0) == 1.0
    assert share(0.5) == pytest.approx(0.5, abs=0.12)


def test_patches_lie_about_rare_classes_in_images_that_show_them(folder: Any) -> None:
    root = folder(5, shape=(200, 200))
    for path in (root / "masks").iterdir():
        mask = np.full((200, 200), 4, np.uint8)
        mask[:, 100:] = 9
        if path.stem in ("s0", "s4"):  # one of them trains, whatever chance holds out
            mask[90:93, 40:43] = 17
        Image.fromarray(mask).save(path)
    data = patches(root, Augmentation.none(), 1.0, patch_size=[64])
    assert data.info.rare == ("17",)
    for item in range(len(data)):
        for seed in range(20):
            target = data.draw(item, generator(seed)).target[0]
            where = (target == 2).nonzero()
            assert len(where)
            assert (where - 31.5).abs().max() <= 16 + 3  # near the middle


def test_classes_that_are_not_rare_are_drawn_evenly(folder: Any) -> None:
    root = folder(5, shape=(200, 200))
    for path in (root / "masks").iterdir():
        mask = np.full((200, 200), 4, np.uint8)
        mask[90:112, 40:62] = 9  # 1.2 % of the pixels
        Image.fromarray(mask).save(path)
    data = patches(root, Augmentation.none(), 1.0, patch_size=[32])
    assert data.info.rare == ()
    share = np.mean([data.draw(0, generator(i)).target.any() for i in range(200)])
    assert 0.5 < share < 0.7  # half of them about it, and a few by chance


def test_images_smaller_than_the_patch_are_mirrored_with_their_labels(folder: Any) -> None:
    data = patches(folder(5), Augmentation.none(), patch_size=[50, 48])
    image, mask = (np.asarray(Image.open(path)) for path in (data.items[0].image, data.items[0].target))
    sample = data.draw(0, generator(0))
    expected = np.pad(mask == 9, ((5, 5), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(sample.target[0], expected)
    field = (np.pad(image, ((5, 5), (0, 0)), mode="reflect") - image.mean()) / image.std()
    np.testing.assert_allclose(sample.field[0, 0], field, atol=1e-4)


def test_ignored_pixels_are_minus_one(folder: Any) -> None:
    root = folder(5)
    for path in (root / "masks").iterdir():
        mask = np.array(Image.open(path))
        mask[:10] = 200
        Image.fromarray(mask).save(path)
    sample = patches(root, Augmentation.none(), ignore_value=200).draw(0, generator(0))
    assert (sample.target[0, :10] == -1).all()
    assert (sample.target[0, 10:] >= 0).all()


def test_targets_of_regression_keep_their_units_and_gaps(folder: Any) -> None:
    root = folder(5)
    (root / "targets").mkdir()
    for path in (root / "images").iterdir():
        target = np.stack([np.asarray(Image.open(path)).astype(np.float32) * k for k in (2, 3)])
        target[0, 5, 5] = np.nan
        tifffile.imwrite(root / "targets" / f"{path.stem}.tif", target, metadata={"axes": "CYX"})
    data = patches(root, Augmentation.none(), task="regression", targets=root / "targets")
    sample = data.draw(0, generator(0))
    image = np.asarray(Image.open(data.items[0].image)).astype(np.float32)
    assert (sample.target.shape, sample.target.dtype) == ((1, 2, 40, 48), torch.float32)
    np.testing.assert_array_equal(sample.target[0, 1], image * 3)
    assert torch.isnan(sample.target[0]).sum() == 1


def test_images_as_they_are_vary_by_their_own_deviation(folder: Any) -> None:
    """The spread of a pixel over draws, without augmentation that moves it."""
    steady = replace(Augmentation.none(), chance=1.0, rotation=0.0, tilt=0.0, scaling=0.0, elastic=0.0)
    shifting = replace(steady, contrast=0.0, gamma=0.0, noise=0.0, blur=0.0)
    root = folder(5)
    found = []
    for kind in ("train", "none"):
        data = patches(root, shifting, patch_size=[40, 48], intensities=kind)
        found.append(np.std([data.draw(0, generator(seed)).field[0, 0, 5, 5].item() for seed in range(60)]))
    pixels = np.stack([np.asarray(Image.open(item.image)) for item in data.items])
    assert found[1] / found[0] == pytest.approx(pixels.std(), rel=0.02)


def test_what_is_small_is_found_once_also_beyond_the_cache(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = patches(folder(5, (60, 60)), oversample_classes=1.0, patch_size=[16])
    data.cache.budget, calls = 0, []
    for owner, name in ((Patches, "_find"), (inputs, "compute_moments")):
        own = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, own=own, name=name: calls.append(name) or own(*args))
    monkeypatch.setattr(masks, "_refuse_photographs", lambda *_: pytest.fail("the survey checked it"))
    for seed in range(4):
        data.draw(0, generator(seed))
    assert sorted(calls) == ["_find", "compute_moments"]


def test_a_mask_that_changed_since_it_was_surveyed_is_named(folder: Any) -> None:
    data = patches(folder(5), patch_size=[16])
    path = Path(data.items[0].target)
    mask = np.array(Image.open(path))
    for pixels, said in ((mask + 1, "is none of the training masks"), (np.dstack([mask, mask, mask + 1]), "different")):
        Image.fromarray(pixels).save(path)
        with pytest.raises(InputError, match=rf"{path.name}: .*{said}"):
            data.draw(0, generator(0))


@pytest.mark.parametrize("elastic", [0.0, 0.1])
@pytest.mark.parametrize("scaling", [0.0, 0.25])
def test_views_keep_the_number_of_dots(tmp_path: Path, scaling: float, elastic: float) -> None:
    for kind in ("images", "dots"):
        (tmp_path / kind).mkdir()
    for index in range(4):
        pixels = np.random.default_rng(index).integers(0, 255, (160, 160), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/s{index}.png")
        # in the middle, where every view has them, and none their mirror images
        places = np.random.default_rng(index).uniform(76, 84, (5 + index, 2))
        lines = ["x,y", *(f"{x},{y}" for x, y in places)]
        (tmp_path / f"dots/s{index}.csv").write_text("\n".join(lines))
    augmentation = Augmentation(chance=1.0, scaling=scaling, elastic=elastic)
    settings = {"task": "regression", "targets": tmp_path / "dots", "dots": 3, "patch_size": [120]}
    data = patches(tmp_path, augmentation, **settings)
    for item in range(len(data)):
        true = 5 + int(data.items[item].name[1:])
        counts = [float(data.draw(item, generator(seed)).target.sum()) for seed in range(4)]
        assert counts == pytest.approx([true] * 4, rel=0.01)
