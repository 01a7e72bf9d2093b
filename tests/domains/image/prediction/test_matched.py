"""Images of another magnification are predicted as those of the training's, and lie on their own grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from multiunet.domains import inference, training
from multiunet.domains.image.config import ImagePredict, ImageTrain
from multiunet.domains.image.prediction.matched import resize, resize_codes
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

SMALL: dict[str, Any] = {
    **{"widths": [4, 8], "dropout": 0.2, "memory_format": "contiguous", "patch_size": [32]},
    **{"epochs": 1, "steps_per_epoch": 20},
}


@pytest.mark.parametrize("space", [(20, 30), (7, 11), (40, 9)])
def test_resizing_keeps_constants_sums_and_places(space: tuple[int, int]) -> None:
    mean = torch.rand(3, 20, 30).softmax(dim=0)
    found = resize(mean, space)
    torch.testing.assert_close(found.sum(dim=0), torch.ones(space))
    torch.testing.assert_close(resize(torch.full((1, 20, 30), 3.0), space), torch.full((1, *space), 3.0))
    ramp = (torch.arange(30) + 0.5).expand(1, 20, 30) / 30
    middle = slice(space[1] // 4, 3 * space[1] // 4)  # far from the border, where a ramp ends
    expected = ((torch.arange(space[1]) + 0.5) / space[1]).expand(1, *space)
    torch.testing.assert_close(resize(ramp, space)[..., middle], expected[..., middle], atol=1e-2, rtol=0)


def test_codes_are_never_mixed() -> None:
    codes = torch.tensor([[0, 2], [2, 0]], dtype=torch.uint8)
    torch.testing.assert_close(
        resize_codes(codes[None], (4, 4))[0], codes.repeat_interleave(2, 0).repeat_interleave(2, 1)
    )
    volume = torch.arange(8, dtype=torch.uint8).reshape(2, 2, 2)
    assert sorted(resize_codes(volume[None], (4, 2, 3)).unique().tolist()) == list(range(8))


@pytest.mark.parametrize("instances", [False, True])
def test_an_image_twice_as_fine_is_predicted_alike(
    cells: Path, tmp_path: Path, instances: bool, caplog: pytest.LogCaptureFixture
) -> None:
    numbered = sorted((cells / "masks").iterdir())
    if not instances:
        for path in numbered:
            tifffile.imwrite(path, (tifffile.imread(path) > 0).astype(np.uint8))
    settings = ImageTrain(
        images=cells / "images", masks=cells / "masks", instances=instances, pixel_size=[1.0], **SMALL
    )
    run = tmp_path / "run"
    training.train("image", settings, run, progress=Progress())
    first = Image.open(min((cells / "images").iterdir()))
    for folder, size in (("own", first.size), ("fine", (2 * first.width, 2 * first.height))):
        (tmp_path / folder).mkdir()
        first.resize(size, Image.Resampling.BICUBIC).save(tmp_path / folder / "a.png")

    def predict(folder: str, step: float, **more: Any) -> Any:
        options = ImagePredict(images=tmp_path / folder, samples=2, tta_flips=False, pixel_size=[step], **more)
        store = tmp_path / f"{folder}{step}{len(more)}.zarr"
        inference.predict(run, options, store, progress=Progress())
        return open_prediction(store)["a"]

    own = predict("own", 1.0)
    caplog.clear()
    predict("fine", 0.5)
    assert "`match_pixel_size`" in caplog.text
    caplog.clear()
    fine = predict("fine", 0.5, match_pixel_size=True)
    assert "structures of another" not in caplog.text
    assert fine["class"].shape == (2 * first.height, 2 * first.width)
    assert list(fine.attrs["matched"]) == [first.height, first.width]
    np.testing.assert_allclose(fine["mean"].sum("channel"), 1, atol=1e-5)
    expected = resize(torch.from_numpy(own["mean"].values), fine["class"].shape)
    assert np.abs(fine["mean"].values - expected.numpy()).mean() < 0.03
    assert np.array_equal(fine["total"].values, fine["epistemic"].values + fine["aleatoric"].values)
    np.testing.assert_allclose(fine["fraction"], own["fraction"], atol=0.2)  # noise is smoothed on the way
    assert ("instance" in fine) == instances
    # what is of the training's size already is predicted as ever
    np.testing.assert_array_equal(predict("own", 1.1, match_pixel_size=True)["mean"], own["mean"])


def test_a_run_that_knows_no_pixel_size_cannot_match(folder: Any, tmp_path: Path) -> None:
    root = folder(4)
    settings = ImageTrain(images=root / "images", masks=root / "masks", **{**SMALL, "steps_per_epoch": 1})
    run = tmp_path / "run"
    training.train("image", settings, run, progress=Progress())
    options = ImagePredict(images=root / "images", match_pixel_size=True)
    with pytest.raises(InputError, match="does not know the pixel size of its training images"):
        inference.predict(run, options, tmp_path / "p.zarr", progress=Progress())
