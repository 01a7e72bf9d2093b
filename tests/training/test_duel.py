"""Training against an opponent keeps the laws of a training alone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from multiunet import Grid, Recipe, Regression, Sample, TrainingData, UNet, fit
from multiunet.geometries import Conv
from multiunet.losses.adversarial import LeastSquares
from multiunet.models.patch_gan import patch_gan
from multiunet.tasks import Opponent
from multiunet.training.checkpoint import load
from multiunet.training.run_folder import RunFolder
from multiunet.training.signals import Stopped

RECIPE = Recipe(epochs=2, steps_per_epoch=3, batch_size=2, accumulate=2, ema=0.9, seed=3, lr=1e-2, precision="32")


class Rough(TrainingData):
    """Smooth lines whose targets are the same with noise, drawn anew each time."""

    def __init__(self, interrupts_at: int = -1) -> None:
        self.interrupts_at, self.draws = interrupts_at, 0

    def __len__(self) -> int:
        return 4

    def draw(self, item, rng) -> Sample:
        self.draws += 1
        if self.draws == self.interrupts_at:
            signal.raise_signal(signal.SIGTERM)
        x = torch.linspace(-1, 1, 32).reshape(1, 1, -1) * float(rng.normal())
        return Sample(x, x + torch.from_numpy(rng.normal(size=(1, 1, 32))).float())


def networks(norm: str = "batch") -> tuple[nn.Module, Opponent]:
    torch.manual_seed(5)
    net = UNet(Grid(1, normalization=norm), 1, 1, [4, 6], decoder=Grid(1, Conv(dropout=0.3), normalization=norm))
    return net, Opponent(patch_gan(1, 2, (4, 8)), Regression(["a"], "mae"), Grid(1), LeastSquares(), weight=0.5)


def play(folder: Path, recipe: Recipe = RECIPE, resume: bool = False, data: TrainingData | None = None) -> RunFolder:
    net, opponent = networks()
    run = RunFolder(folder) if folder.exists() else RunFolder.create(folder, {}, {})
    checkpoint, _ = run.resumable() if resume else (None, None)
    run.rewind(0 if checkpoint is None else checkpoint.state["progress"]["epoch"])
    x = torch.linspace(-1, 1, 32).reshape(1, 1, -1)

    def validate(candidate: nn.Module) -> dict[str, float]:
        return {"loss": float((candidate(x) - x).square().mean())}

    data = data or Rough()
    options = {"run": run, "recipe": recipe, "resume": checkpoint, "save_seconds": 0, "opponent": opponent}
    fit(net, opponent.task, Grid(1), data, validate, **options)
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return play(tmp_path_factory.mktemp("whole") / "run")


def assert_same(one: RunFolder, two: RunFolder) -> None:
    for path in ("last", "best"):
        a, b = (load(getattr(run, path)) for run in (one, two))
        assert a.tensors.keys() == b.tensors.keys()
        for key in a.tensors:
            assert torch.equal(a.tensors[key], b.tensors[key]), key
    rows = [[{**row, "seconds": 0} for row in run.history()] for run in (one, two)]
    assert rows[0] == rows[1]


def test_a_checkpoint_holds_the_opponent_and_its_optimiser(whole: RunFolder) -> None:
    saved = load(whole.last)
    assert saved.part("opponent").keys() == networks()[1].net.state_dict().keys()
    assert len(saved.part("opponent_optimizer")) == 3 * len(list(networks()[1].net.parameters()))
    assert not load(whole.best).part("opponent")  # which predictions do without
    assert all(0 < row["opponent_loss"] < 2 for row in whole.history())


def test_a_signal_in_mid_epoch_saves_and_the_rest_has_the_same_bits(whole: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(Stopped):  # in the second step of the second epoch
        play(tmp_path / "run", data=Rough(interrupts_at=18))
    state = load(tmp_path / "run" / "checkpoints" / "last.safetensors").state["progress"]
    assert (state["epoch"], state["step"]) == (1, 2)
    assert_same(whole, play(tmp_path / "run", resume=True))


@pytest.mark.slow
def test_workers_do_not_change_a_bit(whole: RunFolder, tmp_path: Path) -> None:
    assert_same(whole, play(tmp_path / "run", Recipe(**{**vars(RECIPE), "workers": 2})))


def test_bf16_trains_both(tmp_path: Path) -> None:
    run = play(tmp_path / "run", Recipe(**{**vars(RECIPE), "precision": "bf16", "epochs": 1}))
    assert load(run.last).state["compute"]["precision"] == "bf16"
    assert all(t.dtype == torch.float32 for t in load(run.last).part("opponent").values())


def test_accumulated_batches_are_one_large_one_to_both() -> None:
    """Where no norm sees the batch and nothing is dropped."""
    found = []
    for batch, parts in ((4, 1), (2, 2)):
        _, opponent = networks()
        torch.manual_seed(0)
        net = UNet(Grid(1, normalization="none"), 1, 1, [4, 6])
        recipe = Recipe(epochs=1, steps_per_epoch=3, batch_size=batch, accumulate=parts, precision="32")
        fit(net, opponent.task, Grid(1), Rough(), recipe=recipe, opponent=opponent)
        found.append(torch.cat([p.detach().flatten() for one in (net, opponent.net) for p in one.parameters()]))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


def test_a_term_without_weight_changes_nothing_but_the_opponent() -> None:
    """To rounding: the network is the one that trains alone."""
    found = []
    for weight in (None, 1e-30):
        net, opponent = networks()
        played = None if weight is None else Opponent(opponent.net, opponent.task, Grid(1), weight=weight)
        fit(net, opponent.task, Grid(1), Rough(), recipe=RECIPE, opponent=played)
        found.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-7)


class Either(TrainingData):
    """Noise whose target is 1 everywhere or -1 everywhere: the expected target is 0, which is never true."""

    def __len__(self) -> int:
        return 4

    def draw(self, item, rng) -> Sample:
        sign = float(rng.choice([-1.0, 1.0]))
        return Sample(torch.from_numpy(rng.normal(size=(1, 1, 16))).float(), torch.full((1, 1, 16), sign))


def test_what_is_drawn_is_plausible_and_not_expected() -> None:
    sizes = []
    for opposed in (False, True):
        torch.manual_seed(0)
        net, task = UNet(Grid(1, normalization="none"), 1, 1, [8, 8]), Regression(["a"], "mse")
        opponent = Opponent(patch_gan(1, 2, (8,)), task, Grid(1), LeastSquares(), weight=4.0, lr=2e-3)
        recipe = Recipe(epochs=1, steps_per_epoch=100, batch_size=16, lr=5e-3, precision="32")
        fit(net, task, Grid(1), Either(), recipe=recipe, opponent=opponent if opposed else None)
        with torch.no_grad():
            x = torch.randn(64, 1, 16, generator=torch.Generator().manual_seed(1))
            sizes.append(float(net.eval()(x).abs().mean()))
    assert sizes[0] < 0.15
    assert sizes[1] > 0.5
