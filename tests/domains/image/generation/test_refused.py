"""Settings and data that no generator can be trained with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydantic import ValidationError

from multiunet.domains import training
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"normalization": "batch"}, "mixes all levels of noise in training"),
        ({"targets": "x"}, "other images of the same scenes as `given`"),
        ({"instances": True}, "maps of classes as `masks`"),
        ({"loss": "mse"}, "its loss is that of the noise"),
        ({"folds": 3}, "nothing is tested"),
        ({"model": "vnet"}, "is not told how noisy its input is|of its paper"),
        ({"intensities": "image"}, "numbers of the training images"),
        ({"augment_prob": 0.5}, "would be in the samples, too"),
    ],
)
def test_settings_of_other_tasks_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ImageTrain(images=Path("x"), task="generate", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["labels", "captions", "given"])
def test_conditions_are_for_generators_alone(name: str) -> None:
    with pytest.raises(ValidationError, match=f"`{name}` is for making new images"):
        ImageTrain(images=Path("x"), masks=Path("y"), **{name: Path("z")})  # type: ignore[arg-type]


def test_a_generator_has_its_own_defaults_which_count_as_not_given() -> None:
    config = ImageTrain(images=Path("x"), task="generate", lr=0.5)
    assert (config.normalization, config.dropout, config.calibrate, config.lr) == ("layer", 0.0, False, 0.5)
    assert config.model_fields_set == {"images", "task", "lr"}
    assert ImageTrain(images=Path("x"), masks=Path("y")).normalization == "batch"


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    if pixels.dtype == np.uint8:
        Image.fromarray(pixels).save(folder / f"{name}.png")
    else:
        tifffile.imwrite(folder / f"{name}.tif", pixels)


def random_image(seed: int, kind: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (20, 24)).astype(kind)


def read(root: Path, **more: object) -> None:
    settings = {"images": root / "images", "task": "generate", "val_fraction": 0, **more}
    survey(ImageTrain(**settings))  # type: ignore[arg-type]


def test_images_of_two_types_of_numbers_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "images", "a", random_image(0))
    save(tmp_path / "images", "b", random_image(1, np.uint16))
    with pytest.raises(InputError, match="uint16 and uint8; new images are written in the numbers"):
        read(tmp_path)


def test_nan_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "images", "a", np.full((20, 20), np.nan, np.float32))
    with pytest.raises(InputError, match="400 pixels are NaN"):
        read(tmp_path)


def test_given_images_of_sizes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        save(tmp_path / "images", name, random_image(seed))
        save(tmp_path / "given", name, random_image(seed + 5)[:: 1 + seed, :: 1 + seed])
        save(tmp_path / "odd", name, random_image(seed + 5)[:7])
    with pytest.raises(InputError, match="is 2 x 2 times as large, others 1 x 1 times"):
        read(tmp_path, given=tmp_path / "given")
    with pytest.raises(InputError, match=r"is 7 x 24, but its image .* is 20 x 24; they must be equal, or"):
        read(tmp_path, given=tmp_path / "odd")


def test_a_label_that_is_held_out_alone_is_refused(tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        save(tmp_path / "images", name, random_image(seed))
    save(tmp_path / "val", "c", random_image(7))
    (tmp_path / "labels.csv").write_text("image,label\na,1\nb,1\nc,2\n")
    with pytest.raises(InputError, match="no training image has the label '2', which c of the val split needs"):
        read(tmp_path, labels=tmp_path / "labels.csv", val_images=tmp_path / "val")


def test_chance_leaves_each_label_to_training(tmp_path: Path) -> None:
    lines = ["image,label"]
    for seed, name in enumerate("abcdefgh"):
        save(tmp_path / "images", name, random_image(seed))
        lines.append(f"{name},{'odd' if name in 'ce' else 'even'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    config = {"images": tmp_path / "images", "task": "generate", "labels": tmp_path / "labels.csv", "val_fraction": 0.7}
    for seed in range(6):
        found = survey(ImageTrain(**config, seed=seed))
        assert {"c", "e"} & {item.name for item in found.split.train}


def test_one_type_of_numbers_is_asked_of_held_out_images_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "images", "a", random_image(0))
    save(tmp_path / "val", "b", random_image(1, np.uint16))
    with pytest.raises(InputError, match="uint16 and uint8; new images are written in the numbers"):
        read(tmp_path, val_images=tmp_path / "val")
    assert "takes their numbers" not in caplog.text  # one message is enough
    read(tmp_path, val_images=tmp_path / "val", task="denoise", test_fraction=0)
    assert "holds images of uint16 and uint8, and `intensities=train` takes their numbers as they are" in caplog.text


def test_patches_below_the_coarsest_level_are_refused(shapes: Path) -> None:
    settings = {"task": "generate", "images": shapes / "images", "patch_size": [2], "widths": [8, 16, 16]}
    with pytest.raises(InputError, match="`patch_size=2,2`: a new image of this size would be smaller"):
        training.plan("image", settings)


def test_power_averages_take_the_place_of_the_default_average() -> None:
    config = ImageTrain(images=Path("x"), task="generate", power_averages="0.05,0.1")
    assert (config.ema, config.recipe().power_averages) == (0, [0.05, 0.1])
    for more, words in (
        ({"ema": 0.9}, "give one of them"),
        ({"power_averages": "0.1"}, "two or more different shares"),
    ):
        with pytest.raises(ValidationError, match=words):
            ImageTrain(**{"images": Path("x"), "task": "generate", "power_averages": "0.05,0.1", **more})
