"""The training loop."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from multiunet import Grid, Recipe, Segmentation, UNet, fit
from multiunet.errors import Diverged
from multiunet.progress import ConsoleProgress, Progress
from multiunet.training import checkpoint as checkpoints
from multiunet.training import fabric, stepper
from multiunet.training.data import Sample, TrainingData
from multiunet.training.run_folder import RunFolder


class Constant(TrainingData):
    def __init__(self, value: float = 1.0) -> None:
        self.value = value

    def __len__(self) -> int:
        return 4

    def draw(self, item, rng) -> Sample:
        x = torch.from_numpy(rng.normal(size=(1, 1, 16))).float()
        return Sample(self.value * x, (x[:, 0] > 0).long())


def fitted(
    tmp_path: Path,
    scores: list[float | None],
    recipe: Recipe,
    data: TrainingData | None = None,
    losses: list[float] | None = None,
    progress: Progress | None = None,
):
    run = RunFolder.create(tmp_path / "run", {}, {})
    remaining, left = iter(scores), iter(losses or [1.0] * len(scores))
    return run, fit(
        UNet(Grid(1), 1, 2, [4, 4]),
        Segmentation(["a", "b"]),
        Grid(1),
        data or Constant(),
        lambda net: {"loss": next(left), "score": next(remaining)},
        monitor="score",
        run=run,
        recipe=recipe,
        progress=progress,
    )


def test_patience_stops_and_the_best_is_kept(tmp_path: Path) -> None:
    run, state = fitted(tmp_path, [0.1, 0.5, 0.4, None, 0.6], Recipe(epochs=5, patience=2))
    assert state.epoch == 4
    assert run.best_scores()["epoch"] == 2
    assert run.best_scores()["scores"]["score"] == 0.5


def test_patience_waits_for_validations(tmp_path: Path) -> None:
    run, state = fitted(tmp_path, [0.1, 0.5, 0.4, 0.6], Recipe(epochs=16, patience=3, validate_every=4))
    assert state.epoch == 12
    assert run.best_scores()["epoch"] == 8


@pytest.mark.parametrize(("loss", "score"), [(math.nan, 0.5), (math.inf, 0.5), (math.inf, None), (1.0, math.nan)])
def test_scores_that_are_not_finite_stop_a_training(tmp_path: Path, loss: float, score: float | None) -> None:
    with pytest.raises(Diverged, match=r"validation (loss|score) is (nan|inf) in epoch 2; lower the learning rate"):
        fitted(tmp_path, [0.5, score], Recipe(epochs=3), losses=[1.0, loss])
    assert RunFolder.open(tmp_path / "run").best_scores()["epoch"] == 1


def test_the_device_that_is_named_is_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(Exception):
        pass

    def asked_for(**options: object) -> None:
        raise Asked(options["accelerator"], options["devices"])

    monkeypatch.setattr(fabric, "Fabric", asked_for)
    for name, expected in (("cuda:1", ("cuda", [1])), ("cuda", ("cuda", 1)), ("cpu", ("cpu", 1))):
        monkeypatch.setattr(stepper, "pick_device", torch.device)
        with pytest.raises(Asked) as asked:
            fitted(tmp_path / name, [], Recipe(device=name, precision="32"))
        assert asked.value.args == expected


def test_a_job_of_several_tasks_trains_in_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = {"NTASKS": "4", "JOB_NAME": "train", "JOB_ID": "1", "PROCID": "0", "LOCALID": "0", "NODELIST": "node1"}
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    _, state = fitted(tmp_path, [0.1], Recipe(epochs=1, device="cpu"))
    assert state.epoch == 1


def test_an_undefined_score_is_worse_than_any(tmp_path: Path) -> None:
    run, _ = fitted(tmp_path, [None, -5.0, None], Recipe(epochs=3))
    assert run.best_scores()["epoch"] == 2


def test_where_nothing_could_be_scored_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    fitted(tmp_path, [None, None], Recipe(epochs=2), losses=[math.nan, math.nan], progress=ConsoleProgress())
    assert "validation score was undefined in every epoch" in capsys.readouterr().err


def test_equal_scores_of_lower_losses_do_not_improve(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    fitted(tmp_path, [0.2, 0.2], Recipe(epochs=2), losses=[0.5, 0.4], progress=ConsoleProgress())
    assert "still improving" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scores", "said"), [([0.1, 0.2], True), ([0.2, 0.1], False), ([0.2, 0.2], False), ([1], False)]
)
def test_a_score_that_still_improves_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture, scores: list[float], said: bool
) -> None:
    fitted(tmp_path, scores, Recipe(epochs=len(scores)), progress=ConsoleProgress())
    words = capsys.readouterr().err
    assert ("validation score was still improving at the last epoch" in words) == said
    assert ("train longer, 4 epochs, say" in words) == said


def test_without_validation_the_last_weights_are_kept(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    net = UNet(Grid(1), 1, 2, [4, 4])
    recipe = Recipe(epochs=3, patience=1)
    state = fit(net, Segmentation(["a", "b"]), Grid(1), Constant(), None, monitor="score", run=run, recipe=recipe)
    assert state.epoch == 3
    assert run.best_scores() == {"epoch": 3, "scores": {}}
    kept = checkpoints.load(run.best).part("model")
    for name, value in net.state_dict().items():
        torch.testing.assert_close(kept[name], value, rtol=0, atol=0)
    assert not any(key.startswith("val_") for row in run.history() for key in row)


def test_validate_every_also_validates_the_last(tmp_path: Path) -> None:
    run, _ = fitted(tmp_path, [0.1, 0.2, 0.3], Recipe(epochs=5, validate_every=2))
    assert [row["epoch"] for row in run.history() if "val_score" in row] == [2, 4, 5]


def test_there_must_be_something_to_train_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Constant, "__len__", lambda self: 0)
    with pytest.raises(ValueError, match="nothing to train on"):
        fitted(tmp_path, [], Recipe(epochs=1))


def test_divergence_names_epoch_step_and_fix(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"nan in epoch 1, step 1; lower the learning rate \(`lr`\)"):
        fitted(tmp_path, [], Recipe(epochs=1, precision="32"), Constant(math.nan))


def test_biases_and_norms_are_not_decayed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    before = UNet(Grid(1), 1, 2, [4, 4]).state_dict()
    torch.manual_seed(0)
    recipe = Recipe(epochs=1, lr=1e-12, weight_decay=1e11, schedule="constant", warmup=0)
    run, _ = fitted(tmp_path, [0.0], recipe)  # one step, which decays by a tenth
    after = checkpoints.load(run.last).part("model")
    kernels = {name for name, value in before.items() if value.ndim > 1}
    assert {"encoder.0.blocks.0.layers.0.weight", "head.weight"} <= kernels
    for name, value in before.items():
        if value.is_floating_point() and "running" not in name:
            torch.testing.assert_close(after[name], (0.9 if name in kernels else 1.0) * value)


def test_accumulated_batches_equal_one_large_one(tmp_path: Path) -> None:
    """Where the loss is a mean over sites and no norm sees the batch."""
    from multiunet.losses import CrossEntropy

    weights = []
    for name, recipe in (
        ("one", Recipe(epochs=1, steps_per_epoch=3, batch_size=4, precision="32")),
        ("two", Recipe(epochs=1, steps_per_epoch=3, batch_size=2, accumulate=2, precision="32")),
    ):
        torch.manual_seed(0)
        net = UNet(Grid(1, normalization="none"), 1, 2, [4, 4])
        run = RunFolder.create(tmp_path / name, {}, {})
        task = Segmentation(["a", "b"], loss=CrossEntropy())
        validate = lambda net: {"loss": 0.0, "score": 0.0}  # noqa: E731
        fit(net, task, Grid(1), Constant(), validate, monitor="score", run=run, recipe=recipe)
        weights.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-6)


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    task = Segmentation(["a", "b"], loss=lambda logits, labels, weight: (0 * logits).sum().sqrt())  # 0, slope NaN
    with pytest.raises(Diverged, match=r"the weights \(.*\) are not finite after step 1; lower the learning rate"):
        fit(UNet(Grid(1), 1, 2, [4, 4]), task, Grid(1), Constant(), run=run, recipe=Recipe(epochs=1))
    assert not list((run.path / "checkpoints").iterdir())


def test_outputs_that_are_not_finite_are_found_where_scores_hide_them(tmp_path: Path) -> None:
    net = UNet(Grid(1), 1, 2, [4, 4])
    x = torch.zeros(1, 1, 16)

    def validate(candidate: nn.Module) -> dict[str, float | None]:
        with torch.no_grad():
            candidate.head.weight.fill_(math.nan)
        candidate(x)
        return {"loss": 0.0, "score": None}

    with pytest.raises(Diverged, match="the network's output is not finite"):
        fit(net, Segmentation(["a", "b"]), Grid(1), Constant(), validate, monitor="score", recipe=Recipe(epochs=1))
    assert not net._forward_hooks


def test_without_a_run_folder_the_best_weights_are_in_the_network() -> None:
    net = UNet(Grid(1), 1, 2, [4, 4])
    kept = []

    def validate(candidate: nn.Module) -> dict[str, float]:
        kept.append(copy.deepcopy(candidate.state_dict()))
        return {"loss": [3.0, 1.0, 2.0][len(kept) - 1]}

    state = fit(net, Segmentation(["a", "b"]), Grid(1), Constant(), validate, recipe=Recipe(epochs=3))
    assert state.best_epoch == 1
    for name, value in net.state_dict().items():
        assert torch.equal(value, kept[1][name])


def test_seconds_of_an_epoch_are_those_of_its_validation_too(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})

    def validate(candidate: nn.Module) -> dict[str, float]:
        time.sleep(0.5)
        return {"loss": 1.0}

    parts = UNet(Grid(1), 1, 2, [4, 4]), Segmentation(["a", "b"]), Grid(1), Constant(), validate
    fit(*parts, run=run, recipe=Recipe(epochs=1))
    assert run.history()[0]["seconds"] >= 0.5
