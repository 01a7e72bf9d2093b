"""Runs that standardise by their own training images, as one predictor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from multiunet import receptive_field
from multiunet.domains import inference, training
from multiunet.domains.image.info import Intensities
from multiunet.domains.image.prediction.rescaled import rescale_network
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.models.image_unet import image_unet
from multiunet.prediction import open_prediction
from multiunet.progress import Progress


@torch.no_grad()
def test_a_member_sees_its_own_scale_up_to_the_border(make_info: Any) -> None:
    torch.manual_seed(0)
    net = image_unet(2, 2, 1, [4, 8], dropout=0.3).eval()
    own, first = (
        make_info(channels=2, colour="channels", intensities=Intensities(kind="train", mean=mean, deviation=deviation))
        for mean, deviation in (((100.0, -3.0), (20.0, 0.5)), ((70.0, 1.0), (35.0, 2.0)))
    )
    pixels = torch.randn(1, 2, 21, 26) * 30 + 90
    seen, given = (
        (pixels - torch.tensor(info.intensities.mean)[:, None, None])
        / torch.tensor(info.intensities.deviation)[:, None, None]
        for info in (own, first)
    )
    wrapped: Any = rescale_network(net, own, first)
    torch.testing.assert_close(wrapped(given), net(seen), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(wrapped.decode(wrapped.encode(given)), wrapped(given))
    assert receptive_field(wrapped) == receptive_field(net)
    assert not wrapped.training
    assert rescale_network(net, own, own) is net


@pytest.mark.parametrize(("samples", "flips"), [(1, True), (3, False)])
def test_folds_of_a_regression_predict_the_mean_of_their_own_predictions(
    folder: Any, tmp_path: Path, samples: int, flips: bool
) -> None:
    root = folder(4)
    (root / "targets").mkdir()
    for place, path in enumerate(sorted((root / "images").iterdir())):
        pixels = np.asarray(Image.open(path)) // (place + 1)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        tifffile.imwrite(root / "targets" / f"{path.stem}.tif", (5 * place + pixels).astype(np.float32))
    config = {"images": root / "images", "targets": root / "targets", "task": "regression", "folds": 2, "epochs": 2}
    config |= {"val_fraction": 0, "patch_size": [32], "widths": [4, 8], "steps_per_epoch": 4, "dropout": 0.2}
    config["calibrate"] = False
    runs = training.train_all("image", config, tmp_path / "cv", progress=Progress())
    infos = [load_run(run).info for run in runs]
    assert infos[0].intensities != infos[1].intensities
    assert infos[0].quantities.centre != infos[1].quantities.centre
    options = {"images": root / "images", "samples": samples, "tta_flips": flips, "tile_size": 16}
    for place in ("cv", *(f"cv/{run.name}" for run in runs)):
        inference.predict(tmp_path / place, options, tmp_path / f"{place.replace('/', '-')}.zarr")
    both, *alone = (open_prediction(tmp_path / f"{name}.zarr") for name in ("cv", *(f"cv-{run.name}" for run in runs)))
    for name, data in both.items():
        means = [one[name]["mean"].values for one in alone]
        assert np.abs(means[0] - means[1]).max() > 1
        np.testing.assert_allclose(data["mean"].values, np.mean(means, axis=0), rtol=1e-4, atol=1e-3)
        aleatoric = np.mean([one[name]["aleatoric"].values for one in alone], axis=0)
        np.testing.assert_allclose(data["aleatoric"].values, aleatoric, rtol=1e-3)


def test_runs_that_read_or_name_otherwise_are_refused_in_words(folder: Any, tmp_path: Path) -> None:
    root = folder(4)
    config = {"images": root / "images", "masks": root / "masks", "patch_size": [32], "widths": [4, 8]}
    config |= {"epochs": 1, "steps_per_epoch": 1}
    other = {"named": {"class_names": "4=ground,9=square"}, "read": {"intensities": "train"}}
    for name, changes in {"one": {}, **other}.items():
        training.train("image", config | changes, tmp_path / name, progress=Progress())
    for name, reason in (("named", "their classes differ"), ("read", "their intensities differ")):
        with pytest.raises(InputError, match=rf"{name}: cannot join .*one, because {reason}"):
            inference.evaluate([tmp_path / "one", tmp_path / name])
