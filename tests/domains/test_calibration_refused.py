"""Calibrations that cannot be, and those that are not a run's own: each is said in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from multiunet_datasets.synthetic import write_polycrystal
from PIL import Image

import multiunet
from multiunet.domains import remarks
from multiunet.domains.calibration_file import FILE, read_fits, store_calibration
from multiunet.domains.runs import hash_weights
from multiunet.domains.runs import load as load_run
from multiunet.errors import Diverged, InputError
from multiunet.progress import Progress
from multiunet.tasks import Regression, Segmentation
from multiunet.training.checkpoint import Checkpoint, load, save
from multiunet.uncertainty import ClassCalibration, QuantityCalibration

SHORT: dict[str, Any] = {"widths": [4, 8], "patch_size": 16, "epochs": 2, "steps_per_epoch": 2, "tta_flips": False}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs ``a`` and ``b`` (not calibrated, the last epochs kept) of one split, and ``plain``, without dropout."""
    folder = tmp_path_factory.mktemp("runs")
    write_polycrystal(folder / "data", images=6, size=32, grains=6)
    data = {"images": folder / "data/images", "masks": folder / "data/masks", "calibrate": False}
    (folder / "splits.json").write_text('{"train": ["02", "03", "04", "05"], "val": ["00"], "test": ["01"]}')
    splits = {"splits": str(folder / "splits.json")}
    for name, settings in (("a", {"keep_last": 2}), ("b", {"seed": 1}), ("plain", {"dropout": 0})):
        multiunet.train("image", data | SHORT | splits | settings, folder / name, progress=Progress())
    return folder


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy a run, so that its calibration can change."""
    remarks.remark.cache_clear()
    return lambda name: Path(shutil.copytree(trained / name, tmp_path / name))


def test_one_image_gives_a_temperature_but_no_sets(copy: Callable[..., Path]) -> None:
    [fit] = multiunet.calibrate(copy("a"), {"samples": 1})
    assert fit.calibration.kind == "classes"
    assert (fit.groups, fit.calibration.limits, fit.calibration.guaranteed) == (1, {}, ())
    assert fit.limits_in_words("images") == "no sets: they need two images, and nine for a promise at 90%"


def test_a_class_that_the_data_have_nowhere_is_named(
    copy: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, pixels in (("images", np.arange(32 * 32).reshape(32, 32) % 251), ("masks", np.zeros((32, 32)))):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / "x.png")
    multiunet.calibrate(copy("a"), {"images": tmp_path / "images", "masks": tmp_path / "masks", "samples": 1})
    assert "images: no site of class 255 is among the 1,024 that calibrate" in caplog.text
    assert "sets promise nothing of such sites" in caplog.text


def test_data_that_a_run_has_seen_are_refused_by_content(copy: Callable[..., Path], tmp_path: Path) -> None:
    run = copy("a")
    seen = load_run(run).info.split.train[0]
    for name, path in (("images", seen.image), ("masks", seen.target)):
        (tmp_path / name).mkdir()
        shutil.copy(path, tmp_path / name / "renamed.png")
    with pytest.raises(InputError, match=r"1 of 1 inputs were trained .*a network is surer of these than of new data"):
        multiunet.calibrate(run, {"images": tmp_path / "images", "masks": tmp_path / "masks"})


def test_samples_of_a_run_without_dropout_are_refused(copy: Callable[..., Path]) -> None:
    run = copy("plain")
    with pytest.raises(InputError, match=r"`samples=4`: .* trained without dropout"):
        multiunet.calibrate(run, {"samples": 4})
    assert [fit.samples for fit in multiunet.calibrate(run)] == [1]


def test_outputs_that_are_not_finite_calibrate_nothing(copy: Callable[..., Path]) -> None:
    run = copy("a")
    best = load(run / "checkpoints/best.safetensors")
    huge = {name: tensor * 1e30 if name.endswith("weight") else tensor for name, tensor in best.tensors.items()}
    save(run / "checkpoints/best.safetensors", Checkpoint(huge, best.state))
    with pytest.raises(Diverged, match="output is not finite"):
        multiunet.calibrate(run)
    assert not (run / FILE).exists()


def test_a_file_of_another_run_is_refused_and_goes_when_the_run_is_calibrated(copy: Callable[..., Path]) -> None:
    one, other = copy("a"), copy("b")
    multiunet.calibrate(other, {"samples": 1})
    shutil.copy(other / FILE, one / FILE)
    with pytest.raises(InputError, match=r"a.calibration\.json: is the calibration of other weights"):
        multiunet.evaluate(one, {"samples": 1})
    multiunet.calibrate(one, {"samples": 1})
    assert [fit.weights for fit in read_fits(one)] == [hash_weights(load_run(one).net)]


def test_the_calibration_of_an_ensemble_does_not_stand_in_the_way_of_its_members(
    copy: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    runs = [copy("a"), copy("b")]
    [fit] = multiunet.calibrate(runs, {"samples": 1})
    multiunet.evaluate(runs[0], {"samples": 1})
    text = "a: is not calibrated, so uncertainty is as the networks state it; `multiunet calibrate image` with the same"
    assert text in caplog.text
    for order in (runs, runs[::-1]):  # an ensemble has no order
        assert hash_weights(load_run(order).net) == fit.weights
        multiunet.evaluate(order, {"samples": 1})
    assert "is not calibrated as an ensemble" not in caplog.text


def test_the_last_epochs_have_a_calibration_of_their_own(
    copy: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    run, last = copy("a"), {"checkpoints": "last", "samples": 1}
    multiunet.calibrate(run, {"samples": 1})
    multiunet.evaluate(run, last)
    assert "is not calibrated as an ensemble" in caplog.text
    assert "`multiunet calibrate image` with the same runs, `samples=1` and `checkpoints=last` mends" in caplog.text
    [fit] = multiunet.calibrate(run, last)
    [views] = multiunet.calibrate(run, last | {"views_as_samples": True})
    assert (fit.members, fit.way, views.members, views.way) == (2, "", 2, "of each mirrored view")
    assert len(read_fits(run)) == 3
    caplog.clear()
    scores = multiunet.evaluate(run, last).metrics
    assert caplog.text.count("not calibrated") == 0
    assert scores["nll"] != multiunet.evaluate(run, last | {"raw": True}).metrics["nll"]


def test_other_views_than_by_default_have_a_calibration_of_their_own(
    copy: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """The run predicts images as they are; averaged over mirrored views, probabilities are others."""
    run, averaged = copy("a"), {"samples": 1, "tta_flips": True}
    multiunet.calibrate(run, {"samples": 1, "tta_flips": False})  # as the run does
    multiunet.evaluate(run, averaged)
    assert "a: is not calibrated for predictions averaged over mirrored views" in caplog.text
    assert "with the same run, `samples=1` and `tta_flips` mends that" in caplog.text
    [fit] = multiunet.calibrate(run, averaged)
    assert [one.way for one in read_fits(run)] == ["", fit.way] == ["", "averaged over mirrored views"]
    caplog.clear()
    report = multiunet.evaluate(run, averaged)
    assert "not calibrated" not in caplog.text
    assert report.prediction == "one pass without dropout, averaged over mirrored views"


def test_another_number_of_samples_than_calibrated_is_warned_of(
    copy: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """The mean of two samples scatters more than that of four, and so do its probabilities."""
    run = copy("a")
    multiunet.calibrate(run, {"samples": 4})
    for samples in (1, 4):  # one pass has a calibration of its own
        multiunet.evaluate(run, {"samples": samples})
    assert "calibrated with" not in caplog.text
    multiunet.evaluate(run, {"samples": 2})
    assert "a: calibrated with 4 Monte-Carlo samples; with 2, as predicted now" in caplog.text


def test_an_ensemble_of_runs_of_other_splits_is_not_calibrated_on_one_of_them(
    copy: Callable[..., Path], trained: Path, tmp_path: Path
) -> None:
    data = {"images": trained / "data/images", "masks": trained / "data/masks", "calibrate": False, "seed": 3}
    multiunet.train("image", data | SHORT, tmp_path / "other", progress=Progress())
    with pytest.raises(InputError, match="other: was trained on another split than"):
        multiunet.calibrate([copy("a"), tmp_path / "other"])


def test_a_file_of_another_task_is_damaged(copy: Callable[..., Path]) -> None:
    run = copy("a")
    multiunet.calibrate(run, {"samples": 1})
    content = json.loads((run / FILE).read_text())
    stored = store_calibration(QuantityCalibration((1.0,)))
    content["fits"][0]["calibration"] = stored.model_dump(mode="json")
    (run / FILE).write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=r"calibration\.json: is damaged \(it is of quantities, and the run predicts c"
    ):
        multiunet.evaluate(run, {"samples": 1})


@pytest.mark.parametrize(
    ("calibration", "task", "reason"),
    [
        (ClassCalibration(2.0), Segmentation(["a", "b"]), None),
        (ClassCalibration(2.0), Regression(["a", "b"]), "it is of classes, and the run predicts quantities"),
        (ClassCalibration(2.0, "multilabel"), Segmentation(["a", "b"]), "it is of multilabel labels"),
        (
            ClassCalibration(2.0, "multilabel", {"lac": ((0.1,),) * 4}, (True,) * 4),
            Segmentation(["a", "b"], "multilabel"),
            "its limits are not of the 2 classes",
        ),
        (QuantityCalibration((2.0, 3.0)), Regression(["a", "b"]), None),
        (
            QuantityCalibration((2.0,)),
            Regression(["a", "b"]),
            "its factors are of 1 quantities, and the run predicts 2",
        ),
    ],
)
def test_what_cannot_be_of_a_task_is_told(calibration: Any, task: Any, reason: str | None) -> None:
    found = store_calibration(calibration).find_misfit(task)
    assert found is None if reason is None else reason in str(found)


def test_scores_of_the_data_that_calibrated_say_so(copy: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    run = copy("a")
    multiunet.calibrate(run, {"samples": 1})
    multiunet.evaluate(run, {"samples": 1})
    multiunet.evaluate(run, {"samples": 1, "split": "val", "raw": True})
    assert "also calibrated the run" not in caplog.text
    multiunet.evaluate(run, {"samples": 1, "split": "val"})
    assert "val split: also calibrated the run" in caplog.text


def test_probabilities_no_better_than_chance_are_told(
    copy: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = copy("a")
    best = load(run / "checkpoints/best.safetensors")
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (48, 48)).astype(np.uint8)).save(tmp_path / "images/x.png")
    Image.fromarray((rng.integers(0, 2, (48, 48)) * 255).astype(np.uint8)).save(tmp_path / "masks/x.png")
    sure = {name: tensor * 40 if "head" in name else tensor for name, tensor in best.tensors.items()}
    save(run / "checkpoints/best.safetensors", Checkpoint(sure, best.state))
    [fit] = multiunet.calibrate(run, {"images": tmp_path / "images", "masks": tmp_path / "masks", "samples": 1})
    assert fit.calibration.kind == "classes"
    assert fit.calibration.temperature > 19
    assert "probabilities are no better than chance there" in caplog.text


def test_training_that_keeps_the_last_epochs_calibrates_these_too(trained: Path, tmp_path: Path) -> None:
    data = {"images": trained / "data/images", "masks": trained / "data/masks", "splits": str(trained / "splits.json")}
    multiunet.train("image", data | SHORT | {"keep_last": 2}, tmp_path / "run", progress=Progress())
    fits = {(fit.members, fit.samples) for fit in read_fits(tmp_path / "run")}
    assert fits == {(1, 1), (1, 16), (2, 1), (2, 16)}
