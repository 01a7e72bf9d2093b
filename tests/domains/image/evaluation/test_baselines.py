"""Methods that learn next to nothing, on images that need not fit into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_multiotsu, threshold_otsu

from multiunet import Grid, GridPredictor, Regression, UNet
from multiunet.domains.evaluation import score_pieces
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input
from multiunet.domains.image.evaluation import baselines, scoring
from multiunet.domains.image.evaluation.labelled import LabelledImage
from multiunet.domains.image.evaluation.scoring import check_scorable
from multiunet.domains.image.files import lazy
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.target_info import Instances, Masks
from multiunet.domains.labelled import Labelled
from multiunet.errors import InputError
from multiunet.tasks import Segmentation
from multiunet.tasks.score import Scores

CPU = torch.device("cpu")
SHAPE = (150, 130)
COUNTS = {"train": 3, "val": 0, "test": 0}


@pytest.fixture
def item(tmp_path: Path) -> Item:
    """Three grey levels with noise and their mask, in chunks of Zarr."""
    rng = np.random.default_rng(0)
    labels = gaussian_filter(rng.normal(size=SHAPE), 6)
    labels = np.digitize(labels, np.quantile(labels, [0.4, 0.8])).astype(np.uint8)
    pixels = np.clip(60 * labels + rng.normal(40, 12, SHAPE), 0, 255).astype(np.uint8)
    for name, values in (("image", pixels), ("mask", labels)):
        zarr.create_array(str(tmp_path / f"{name}.zarr"), shape=SHAPE, chunks=(32, 48), dtype=np.uint8)[:] = values
    return Item("a", str(tmp_path / "image.zarr"), str(tmp_path / "mask.zarr"))


def scores_of(item: Item, info: ImageInfo, name: str) -> Scores:
    """Scores of the trivial method of this name, fitted to the image that it guesses."""
    cache = FileCache()
    baseline = baselines.fit_baselines([item], info, cache)[name]
    images = Labelled("a", {item.name: LabelledImage(item, info, cache)})
    task = Segmentation(info.classes.names)
    return score_pieces(task, baseline(images)).total.result()


@pytest.mark.parametrize("levels", [2, 3])
def test_thresholds_of_an_image_read_by_blocks_are_those_of_the_whole(
    item: Item, make_info: Any, levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, labels = zarr.open_array(item.image, mode="r")[:], zarr.open_array(item.target, mode="r")[:]
    grey = gaussian_filter(((pixels.astype(np.float32) - pixels.mean()) / pixels.std()).astype(np.float32), 2.0)
    cuts = [threshold_otsu(grey)] if levels == 2 else threshold_multiotsu(grey, levels)
    level = np.digitize(grey, cuts)
    named = np.array([np.bincount(labels[level == index], minlength=3).argmax() for index in range(levels)])
    expected = float((named[level] == labels).mean())
    assert expected > 0.7
    name = "otsu" if levels == 2 else "multi_otsu"
    whole = scores_of(item, make_info(), name)
    assert whole["pixel_accuracy"] == pytest.approx(expected, abs=1e-3)
    monkeypatch.setattr(lazy, "WHOLE", 1000)
    monkeypatch.setattr(lazy, "BLOCK", 2000)
    read = sizes_read(monkeypatch)
    assert scores_of(item, make_info(), name) == whole
    assert max(read) < 0.5 * pixels.size


def sizes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects how many values each reading of a file takes."""
    sizes: list[int] = []
    getitem = lazy.Lazy.__getitem__

    def counted(self: lazy.Lazy, index: Any) -> np.ndarray:
        block = getitem(self, index)
        sizes.append(block.size)
        return block

    monkeypatch.setattr(lazy.Lazy, "__getitem__", counted)
    return sizes


@pytest.mark.parametrize("levels", [2, 3])
def test_an_image_of_one_value_is_of_one_class(make_info: Any, tmp_path: Path, levels: int) -> None:
    Image.fromarray(np.full((20, 30), 7, np.uint8)).save(tmp_path / "a.png")
    mask = np.ones((20, 30), np.uint8)
    mask[:4] = 2
    Image.fromarray(mask).save(tmp_path / "m.png")
    name = "otsu" if levels == 2 else "multi_otsu"
    scores = scores_of(Item("a", str(tmp_path / "a.png"), str(tmp_path / "m.png")), make_info(), name)
    assert scores["pixel_accuracy"] == pytest.approx(16 / 20)


def test_objects_that_touch_at_a_corner_are_two(make_info: Any, tmp_path: Path) -> None:
    pixels = np.zeros((30, 40), np.uint8)
    pixels[4:10, 4:10] = pixels[10:16, 10:16] = pixels[20:26, 30:36] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = np.zeros(pixels.shape, np.uint8)
    expected[:10, :10][pixels[:10, :10] > 0], expected[10:18][pixels[10:18] > 0] = 1, 2
    expected[18:][pixels[18:] > 0] = 3
    Image.fromarray(expected).save(tmp_path / "m.png")
    info = make_info(instances=Instances(encoding="boundary", smallest=1, counts=COUNTS))
    [item] = [Item("a", str(tmp_path / "a.png"), str(tmp_path / "m.png"))]
    [(_, found)] = baselines.fit_otsu_objects([item], info, FileCache())(load_input(item.image, info, FileCache()))
    np.testing.assert_array_equal(found, expected)


def test_majority_covers_every_block_once(item: Item, make_info: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "WHOLE", 1000)
    monkeypatch.setattr(lazy, "BLOCK", 2000)
    masks = Masks(pixels=dict.fromkeys(("train", "val", "test"), (5, 9, 2)))
    scores = scores_of(item, make_info(masks=masks), "majority")
    labels = zarr.open_array(item.target, mode="r")[:]
    assert scores["pixel_accuracy"] == pytest.approx(float((labels == 1).mean()))


def test_scores_that_need_the_whole_image_say_when_it_does_not_fit(
    item: Item, make_info: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy, "free_memory", lambda: 1 << 20)
    check_scorable([LabelledImage(item, make_info(names=("height",)), FileCache())])  # in pieces
    objects = make_info(instances=Instances(encoding="gap", smallest=1, counts=COUNTS))
    with pytest.raises(InputError, match="separating its objects"):
        check_scorable([LabelledImage(item, objects, FileCache())])


def test_quantities_in_pieces_have_the_scores_of_the_whole_image(
    item: Item, make_info: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    image = LabelledImage(item, make_info(names=("height",)), FileCache())
    predictor = GridPredictor(UNet(Grid(2), 1, 2, [4, 6]).eval(), Regression(["height"]), Grid(2), CPU, tile=64)
    found = []
    for at_once in (1 << 20, 0):
        monkeypatch.setattr(scoring, "AT_ONCE", at_once)
        score, pieces = predictor.task.score(), list(scoring.predict_sites(predictor, [image]))
        for piece in pieces:
            score.add(piece.predicted, piece.target, piece.moments)
        found.append((len(pieces), score.result()))
    assert [count for count, _ in found] == [1, 9]
    for name, value in found[0][1].items():
        assert found[1][1][name] == pytest.approx(value, rel=1e-5), name
