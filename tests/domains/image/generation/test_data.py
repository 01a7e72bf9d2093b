from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.generation.data import SIGMA_DATA, CleanPatches, make_condition
from multiunet.domains.image.survey import survey


def patches(root: Path, flip: bool = False, **settings: object) -> CleanPatches:
    given = {"task": "generate", "images": root / "images", "val_fraction": 0, **settings}
    info = survey(ImageTrain(**given))  # type: ignore[arg-type]
    return CleanPatches(info.split.train, info, flip, FileCache())


def test_the_target_is_the_image_of_deviation_sigma_data(shapes: Path) -> None:
    data = patches(shapes)
    targets = torch.cat([data.draw(item, np.random.default_rng(0)).target for item in range(6)])
    pixels = np.stack([np.asarray(Image.open(shapes / "images" / f"i{n}.png"), np.float64) for n in range(6)])
    expected = SIGMA_DATA * (pixels - pixels.mean()) / pixels.std()
    np.testing.assert_allclose(targets[:, 0].numpy(), expected, atol=1e-5)
    sample = data.draw(0, np.random.default_rng(0))
    assert sample.field.shape == (1, 0, 20, 24)
    assert sample.condition is None


def test_what_lies_beside_the_image_is_turned_with_it(shapes: Path) -> None:
    data = patches(shapes, flip=True, masks=shapes / "masks", given=shapes / "images", patch_size=[12])
    for seed in range(8):
        sample = data.draw(1, np.random.default_rng(seed))
        background, shape, given = sample.field[0]
        torch.testing.assert_close(SIGMA_DATA * given, sample.target[0, 0])
        torch.testing.assert_close(background, 1 - shape)
        assert ((sample.target[0, 0] > 0) == (shape > 0)).all()  # shapes are bright


def test_coordinates_say_where_each_pixel_of_a_patch_lies_in_its_image(shapes: Path) -> None:
    data = patches(shapes, coordinates=True, patch_size=[12])
    pixels = np.asarray(Image.open(shapes / "images" / "i1.png"), np.float64)
    for seed in range(4):
        sample = data.draw(1, np.random.default_rng(seed))
        y, x = ((sample.field[0].numpy() + 1) / 2 * np.array([20, 24]).reshape(2, 1, 1) - 0.5).round(3)
        found = (sample.target[0, 0].numpy() / SIGMA_DATA) * data.info.intensities.deviation[0]
        expected = pixels[y.astype(int), x.astype(int)]
        np.testing.assert_allclose(found + data.info.intensities.mean[0], expected, atol=1e-3)


def test_a_smaller_image_is_stretched_to_the_same_places(shapes: Path) -> None:
    """A pixel of the smaller image is the first of each 2 x 2 pixels; at its own centre it is read as it is."""
    data = patches(shapes, given=shapes / "small")
    sample = data.draw(1, np.random.default_rng(0))
    small = np.asarray(Image.open(shapes / "small" / "i1.png"), np.float64)
    known = data.info.generated.given
    assert known is not None
    assert known.factor == (2, 2)
    stretched = sample.field[0, 0].numpy() * known.deviation[0] + known.mean[0]
    middle = stretched.reshape(10, 2, 12, 2).mean(axis=(1, 3))[1:-1, 1:-1]
    # linear in both axes: 9, 3, 3 and 1 sixteenths about each centre
    across = 0.125 * small[:, :-2] + 0.75 * small[:, 1:-1] + 0.125 * small[:, 2:]
    expected = 0.125 * across[:-2] + 0.75 * across[1:-1] + 0.125 * across[2:]
    np.testing.assert_allclose(middle, expected, rtol=1e-4)


def test_conditions_say_labels_and_words_in_rows_of_one_length(shapes: Path) -> None:
    data = patches(shapes, labels=shapes / "labels.csv", captions=shapes / "captions.csv")
    condition = data.draw(0, np.random.default_rng(0)).condition
    assert condition is not None
    assert condition.labels is not None
    assert condition.words is not None
    known = data.info.generated
    assert known.labels is not None
    assert known.words is not None
    assert known.labels.names[condition.labels[0]] == "ring"
    assert [known.words.vocabulary[word - 1] for word in condition.words[0]] == ["a", "ring", "on", "grey"]
    untold = make_condition(data.info, rows=2)
    assert untold is not None
    assert untold.labels is not None
    assert untold.words is not None
    assert untold.labels.tolist() == [-1, -1]
    assert untold.words.tolist() == [[0] * 4] * 2


@pytest.mark.parametrize("number", [1, 3])
def test_one_image_alone_is_trained_on_and_said_to_be_alone(
    tmp_path: Path, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").mkdir()
    for place in range(number):
        noise = np.random.default_rng(place).integers(0, 255, (20, 20)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / "images" / f"{place}.png")
    info = survey(ImageTrain(task="generate", images=tmp_path / "images"))
    assert len(info.split.train) == max(1, number - 1)
    assert ("is the only training image" in caplog.text) == (number == 1)
