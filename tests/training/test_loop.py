"""The loop's parts: schedules, batches, averages, checkpoints, run folders."""

from __future__ import annotations

import copy
import errno
import json
import math
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from multiunet import Grid, InputError, Recipe, Segmentation, UNet, fit
from multiunet.errors import Diverged
from multiunet.progress import ConsoleProgress, Progress
from multiunet.seeds import derive, generator, permutation
from multiunet.training import checkpoint as checkpoints
from multiunet.training import loop
from multiunet.training.average import MovingAverage
from multiunet.training.checkpoint import Checkpoint
from multiunet.training.data import Sample, TrainingData
from multiunet.training.loader import EpochSampler
from multiunet.training.run_folder import RunFolder
from multiunet.training.schedule import schedule


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"optimizer": "rmsprop"}, "optimizer 'rmsprop' is none of adamw, adam, sgd"),
        ({"schedule": "linear"}, "schedule 'linear' is none of cosine, poly, constant"),
        ({"precision": "16"}, "precision '16' is none of auto, 32, bf16"),
        ({"batch_size": 0}, "batch_size 0 must be at least 1"),
        ({"lr": -1}, "lr -1 must be a number that is not negative"),
        ({"lr": 0}, "lr 0 and clip 1.0 must be more than 0"),
        ({"clip": -1}, "clip -1 must be"),
        ({"weight_decay": math.nan}, "weight_decay nan must be"),
        ({"workers": -1}, "workers -1 must be"),
        ({"ema": 1.0}, r"ema 1.0 must be in \[0, 1\)"),
    ],
)
def test_recipes_that_cannot_be_followed_are_refused(options: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Recipe(**options)


def test_cosine_is_torchs() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    ours = schedule("cosine", 50)
    for step in range(50):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-7)
        optimizer.step()
        theirs.step()


def test_warmup_rises_to_the_peak_and_the_rest_falls() -> None:
    rate = schedule("poly", 100, warmup=0.1)
    rising, falling = [rate(step) for step in range(10)], [rate(step) for step in range(10, 101)]
    assert rising == sorted(rising)
    assert rising[0] == pytest.approx(1 / 11)
    assert falling == sorted(falling, reverse=True)
    assert falling[0] == 1.0
    assert falling[-1] == 0.0
    assert rate(55) == pytest.approx(0.5**0.9)
    assert schedule("constant", 100)(99) == 1.0


def test_an_epoch_draws_each_item_once_and_another_epoch_in_another_order() -> None:
    sampler = EpochSampler(items=6, batch_size=2, batches=6, seed=1)
    first = [key for batch in sampler for key in batch]
    assert Counter(item for _, _, item in first) == dict.fromkeys(range(6), 2)
    assert sorted(item for _, _, item in first[:6]) == list(range(6))
    assert [position for _, position, _ in first] == list(range(12))
    sampler.epoch = 1
    assert [key[2] for batch in sampler for key in batch] != [key[2] for key in first]


def test_a_plan_begun_in_the_middle_is_the_rest_of_the_whole() -> None:
    sampler = EpochSampler(items=5, batch_size=3, batches=7, seed=1)
    whole = list(sampler)
    sampler.first = 4
    assert list(sampler) == whole[4:]
    assert len(sampler) == 3


def test_seeds_are_functions_of_their_key() -> None:
    assert derive(1, 2, 3) == derive(1, 2, 3) != derive(1, 3, 2)
    assert len({derive(0, a, b) for a in range(30) for b in range(30)}) == 900
    assert generator(4, 5).random() == generator(4, 5).random()
    alike = [(1, 2, 3), (1, 2, 3, 0), (1, 2, 3, 0, 0), (1, 2 + (3 << 32)), ("a", 1), ("b", 1), (1,)]
    assert len({derive(*key) for key in alike}) == len({generator(*key).random() for key in alike}) == len(alike)
    assert derive(np.int64(3)) == derive(3)
    assert sorted(permutation(9, 3, 1)) == list(range(9))


def test_moving_average_is_torchs_after_its_ramp() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    ours = MovingAverage(net, 0.9)
    theirs = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    theirs.n_averaged += 1
    for _ in range(5):
        with torch.no_grad():
            net[0].weight.add_(torch.randn_like(net[0].weight))
            net[1].running_mean.add_(1)
        ours.update(net, updates=10_000)
        theirs.update_parameters(net)
    torch.testing.assert_close(ours.net[0].weight, theirs.module[0].weight)
    torch.testing.assert_close(ours.net[1].running_mean, theirs.module[1].running_mean)


def test_moving_average_soon_forgets_the_start() -> None:
    net = nn.Linear(1, 1)
    average = MovingAverage(net, 0.999)
    with torch.no_grad():
        net.weight.fill_(5.0)
    average.update(net, updates=0)
    assert float(average.net.weight) > 4.0


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Checkpoint]:
    tensors = {"model.w": torch.randn(3, 4).to(memory_format=torch.contiguous_format).T, "model.n": torch.tensor(7)}
    content = Checkpoint(tensors, {"progress": {"epoch": 3, "loss": 0.1}})
    checkpoints.save(tmp_path / "c.safetensors", content)
    return tmp_path / "c.safetensors", content


def test_checkpoint_comes_back_as_it_was(saved: tuple[Path, Checkpoint]) -> None:
    path, content = saved
    found = checkpoints.load(path)
    assert found.state == content.state
    assert all(torch.equal(found.tensors[name], value) for name, value in content.tensors.items())
    assert found.part("model").keys() == {"w", "n"}
    assert [file.name for file in path.parent.iterdir()] == ["c.safetensors"]


def test_the_checkpoint_before_is_kept_where_files_cannot_be_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(checkpoints.os, "link", refuse)
    last = tmp_path / "last.safetensors"
    for step in (1, 2, 3):
        checkpoints.save_last(last, Checkpoint({"model.n": torch.tensor(step)}, {"progress": step}))
    assert [checkpoints.load(path).state["progress"] for path in (last, checkpoints.previous(last))] == [3, 2]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text"])
def test_damaged_checkpoint_is_an_input_error(saved: tuple[Path, Checkpoint], damage: str) -> None:
    path, _ = saved
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        content = content[:-7]
    elif damage == "flip":
        content[-3] ^= 64
    else:
        content = bytearray(b"" if damage == "empty" else b"not a checkpoint at all")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"c\.safetensors: .*corrupt"):
        checkpoints.load(path)


def test_the_digest_covers_the_state(saved: tuple[Path, Checkpoint]) -> None:
    path, _ = saved
    content = path.read_bytes()
    assert content.count(b'\\"epoch\\": 3') == 1
    path.write_bytes(content.replace(b'\\"epoch\\": 3', b'\\"epoch\\": 4'))
    with pytest.raises(InputError, match="do not match its digest"):
        checkpoints.load(path)


def test_another_programs_safetensors_file_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="not a checkpoint of this program"):
        checkpoints.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_optimizer_state_round_trips_through_json(kind: type) -> None:
    options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    net = nn.Linear(3, 2)
    optimizer = kind(net.parameters(), lr=0.1, **options)
    net(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    tensors, rest = checkpoints.flatten_optimizer(copy.deepcopy(optimizer.state_dict()))
    twin = copy.deepcopy(net)
    other = kind(twin.parameters(), lr=0.5, **options)
    other.load_state_dict(checkpoints.unflatten_optimizer(tensors, json.loads(json.dumps(rest))))
    for one, two in ((net, optimizer), (twin, other)):
        two.zero_grad()
        one(torch.ones(4, 3)).sum().backward()
        two.step()
    assert torch.equal(net.weight, twin.weight)


def test_run_folder_is_not_made_over_something(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", {"a": 1}, {"b": 2})
    with pytest.raises(InputError, match="`resume=auto`"):
        RunFolder.create(tmp_path / "run", {}, {})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    with pytest.raises(InputError, match="neither empty"):
        RunFolder.create(tmp_path / "other", {}, {})


def test_a_run_is_made_where_a_process_died_in_making_one(tmp_path: Path) -> None:
    half = RunFolder.create(tmp_path / "run", {"a": 1}, {"b": 2}).path
    (half / "config.yaml").unlink()
    with pytest.raises(InputError, match="neither empty"):
        RunFolder.check_free(half)  # somebody else's files, for all we know
    (half / "LOCK").write_text("process 1 on nowhere")
    (half / ".STATUS.17.tmp").write_text("")
    assert RunFolder.create(half, {"a": 3}, {}).config() == {"a": 3}


def test_runs_are_discarded_without_what_others_put_there(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"a": 1}, {"b": 2})
    run.log({"epoch": 1})
    (run.path / "mine").write_text("")
    run.discard()
    assert [path.name for path in run.path.iterdir()] == ["mine"]


def test_a_run_whose_last_checkpoints_are_gone_does_not_begin_anew(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    checkpoints.save(run.best, Checkpoint({"model.n": torch.tensor(1)}, {"epoch": 3, "scores": {}}))
    with pytest.raises(InputError, match=r"last\.safetensors: is missing, and best"):
        run.resumable()


def test_what_is_no_number_is_null_in_logs(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    run.log({"epoch": 1, "loss": math.nan, "iou": [0.5, math.inf]})
    assert (run.path / "metrics.jsonl").read_text() == '{"epoch": 1, "loss": null, "iou": [0.5, null]}\n'


def test_a_table_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    run.log({"epoch": 1, "loss": 0.5})
    run.write_csv()
    assert (run.path / "metrics.csv").read_bytes() == b"epoch,loss\n1,0.5\n"
    (run.path / "metrics.csv").unlink()
    (run.path / "metrics.csv").mkdir()
    run.write_csv()


def test_run_folder_says_what_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        RunFolder.open(tmp_path / "nothing")
    with pytest.raises(InputError, match="no run folder"):
        RunFolder.open(tmp_path)


def test_run_folder_holds_what_it_was_given(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"lr": 0.1}, {"classes": [0, 7]})
    assert RunFolder.open(run.path).config() == yaml.safe_load((run.path / "config.yaml").read_text()) == {"lr": 0.1}
    assert run.dataset() == {"classes": [0, 7]}
    assert json.loads((run.path / "env.json").read_text())["versions"]["torch"] == torch.__version__
    with pytest.raises(InputError, match="no checkpoint yet"):
        run.weights()


def test_log_survives_a_cut_off_line_and_rewinds(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    for epoch in (1, 2, 3):
        run.log({"epoch": epoch, "loss": epoch / 2})
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 4, "lo')
    run.rewind(2)
    assert [row["epoch"] for row in run.history()] == [1, 2]
    assert (run.path / "metrics.csv").read_text().splitlines() == ["epoch,loss", "1,0.5", "2,1.0"]


def test_a_damaged_last_checkpoint_does_not_replace_the_one_before(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    for step in (1, 2, 3):
        run.save_last(Checkpoint({"model.n": torch.tensor(step)}, {"progress": step}))
    run.last.write_bytes(b"damaged")
    again = RunFolder.open(run.path)
    assert again.resumable()[0].state["progress"] == 2
    again.save_last(Checkpoint({"model.n": torch.tensor(5)}, {"progress": 5}))
    saved = (run.last, checkpoints.previous(run.last))
    assert [checkpoints.load(path).state["progress"] for path in saved] == [5, 2]
    again.save_last(Checkpoint({"model.n": torch.tensor(6)}, {"progress": 6}))
    assert [checkpoints.load(path).state["progress"] for path in saved] == [6, 5]


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

    def fabric(**options: object) -> None:
        raise Asked(options["accelerator"], options["devices"])

    monkeypatch.setattr(loop, "Fabric", fabric)
    for name, expected in (("cuda:1", ("cuda", [1])), ("cuda", ("cuda", 1)), ("cpu", ("cpu", 1))):
        monkeypatch.setattr(loop, "pick_device", torch.device)
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


@pytest.mark.parametrize(
    ("scores", "said"), [([0.1, 0.2], True), ([0.2, 0.1], False), ([0.2, 0.2], False), ([1], False)]
)
def test_a_score_that_still_improves_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture, scores: list[float], said: bool
) -> None:
    fitted(tmp_path, scores, Recipe(epochs=len(scores)), progress=ConsoleProgress())
    assert ("validation score was still improving at the last epoch; more may help" in capsys.readouterr().err) == said


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
