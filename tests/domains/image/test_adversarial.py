"""Translation against an opponent, from files to scores, with networks too small to be good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from multiunet.domains import inference, training
from multiunet.domains.config import checked
from multiunet.domains.image.config import ImageEvaluate, ImageTrain
from multiunet.domains.image.domain import ImageDomain
from multiunet.domains.image.planning.plan import Room, plan
from multiunet.domains.image.prediction.predictor import default_views
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError
from multiunet.progress import Progress
from multiunet.training.checkpoint import load
from multiunet.training.run_folder import RunFolder

SMALL: dict[str, Any] = {"widths": [4, 8], "patch_size": [32], "epochs": 1, "steps_per_epoch": 2, "device": "cpu"}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """``edges`` of ``blobs``, images of another kind: one has little to say of how bright the other is."""
    for index in range(6):
        blobs = gaussian_filter(np.random.default_rng(index).normal(size=(40, 48)), 2)
        blobs = 128 + 45 * (blobs - blobs.mean()) / blobs.std()
        for kind, pixels in {"blobs": blobs, "edges": 255 * (np.hypot(*np.gradient(blobs)) > 20)}.items():
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(tmp_path / kind / f"s{index}.png")
    return tmp_path


def settings(root: Path, **more: Any) -> dict[str, Any]:
    own = {"images": root / "edges", "targets": root / "blobs", "task": "regression", "adversarial": True}
    return {**own, **SMALL, **more}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"task": "segmentation", "targets": None}, "classes are told apart, not drawn"),
        ({"task": "denoise", "targets": None}, "there is no clean image to show the opponent"),
        ({"task": "generate", "targets": None}, "a generator draws plausible images by itself"),
        ({"dots": 2.0}, "densities of `dots` sum up to counts"),
        ({"loss": "poisson"}, "`loss=poisson` is of counts"),
        ({"adversarial": False, "adversarial_weight": 0.5}, "`adversarial_weight` is for `adversarial`"),
        ({"adversarial_weight": 0}, "must be more than 0"),
        ({"val_fraction": 0, "patience": None}, "takes the noise of its quantities from validation images"),
    ],
)
def test_what_has_no_opponent_is_refused(pairs: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        survey(checked(ImageTrain, settings(pairs, **changed)))


def test_one_is_built_for_the_plan(pairs: Path) -> None:
    config = ImageTrain(**settings(pairs, widths=[4, 4, 4, 4, 4]))
    config, info = plan(config, survey(config), Room(10**12, 0, 0, asked=False), lambda chosen, info: 0)
    assert (config.quantity_loss, info.restoration, info.drawn_range) == ("mae", None, 255)
    assert "without favouring blurred edges" in info.planned.settings["loss"].reason
    assert default_views(config, info) == "one"  # mirrored views, averaged, are less sharp
    assert default_views(config.model_copy(update={"tta_flips": True}), info) == "averaged"
    model = ImageDomain().build(config, info)
    assert model.opponent is not None
    assert len(model.opponent.net.downs) == 3
    assert model.opponent.spread == [pytest.approx(1)]
    assert model.task.monitor == "texture_match"  # r2 would choose the epoch that draws least
    alone = ImageDomain().build(config.model_copy(update={"adversarial": False}), info)
    assert (alone.opponent, alone.task.monitor) == (None, "r2")


def test_the_network_begins_with_the_same_weights(pairs: Path) -> None:
    states = []
    for adversarial in (True, False):
        config = ImageTrain(**settings(pairs, adversarial=adversarial, loss="mae"))
        config, info = plan(config, survey(config), Room(10**12, 0, 0, asked=False), lambda chosen, info: 0)
        torch.manual_seed(0)
        states.append(ImageDomain().build(config, info).net.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_from_files_to_scores(pairs: Path, tmp_path: Path) -> None:
    training.train("image", settings(pairs, epochs=2), tmp_path / "run", progress=Progress())
    run = RunFolder.open(tmp_path / "run")
    assert load(run.last).part("opponent")
    assert all(row["opponent_loss"] > 0 for row in run.history())
    report = inference.evaluate(tmp_path / "run", ImageEvaluate(device="cpu", samples=2), progress=Progress())
    assert report.metrics["data_range"] == 255
    assert {"psnr", "ssim", "sharpness", "texture_match"} <= report.metrics.keys()
    drawn, true = (report.metrics[f"{kind}autocorrelation_by"] for kind in ("", "true_"))
    assert list(drawn) == list(true) == ["1", "2", "4", "8", "16", "32"]
    assert 0.8 < true["1"] < 1
    assert true["16"] is None  # of 48 pixels, 12 are the most
    assert report.baselines["mean"]["texture_match"] is None  # flat: it has no correlation
    assert report.baselines["mean"]["sharpness"] == 0


def test_made_pairs_have_one_too_in_units_of_the_images(pairs: Path) -> None:
    config = ImageTrain(images=pairs / "blobs", degrade="down:2", adversarial=True, **SMALL)
    config, info = plan(config, survey(config), Room(10**12, 0, 0, asked=False), lambda chosen, info: 0)
    model = ImageDomain().build(config, info)
    assert model.opponent is not None
    lacking = info.restored.difference[0] / info.quantities.scale[0]
    assert model.opponent.spread == [pytest.approx(1 / lacking)]
