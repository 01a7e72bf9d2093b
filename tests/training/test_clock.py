"""Training that ends by the clock."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from multiunet import Grid, Recipe, Segmentation, UNet, fit
from multiunet.progress import ConsoleProgress
from multiunet.training import loop
from multiunet.training.clock import Clock
from multiunet.training.run_folder import RunFolder
from multiunet.training.schedule import schedule
from multiunet.training.state import State
from tests.training.test_loop import Constant


class Watch:
    """Clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Slow(Constant):
    """Samples that take a second each, of a clock that a test moves."""

    def __init__(self, watch: Watch, stop: int | None = None) -> None:
        super().__init__()
        self.watch, self.stop, self.draws = watch, stop, 0

    def draw(self, item, rng):
        self.draws += 1
        if self.draws == self.stop:
            raise KeyboardInterrupt
        self.watch.now += 1
        return super().draw(item, rng)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    made = Watch()
    monkeypatch.setattr(loop.time, "monotonic", made)
    return made


def train(folder: Path, watch: Watch, recipe: Recipe, scoring: float = 0.0, stop: int | None = None, **options):
    run = RunFolder.open(folder) if folder.exists() else RunFolder.create(folder, {}, {})
    resume = run.resumable()[0]
    torch.manual_seed(0)

    def validate(_):
        watch.now += scoring
        return {"loss": 1.0, "score": watch.now}

    state = fit(
        UNet(Grid(1), 1, 2, [4, 4]),
        *(Segmentation(["a", "b"]), Grid(1), Slow(watch, stop), validate),
        **({"monitor": "score", "run": run, "recipe": recipe, "resume": resume, "save_seconds": 0} | options),
    )
    return run, state


RECIPE = Recipe(minutes=1, steps_per_epoch=7, batch_size=2, validate_every=3)
"""Seconds of a step: 2; of an epoch 14."""


def test_it_ends_within_an_epoch_with_a_validation(tmp_path: Path, watch: Watch, capsys) -> None:
    run, state = train(tmp_path / "run", watch, RECIPE, progress=ConsoleProgress())
    rows = run.history()
    # 30 steps: four epochs of 7, then 2 steps; without these and epoch 3, nothing was to be validated
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert [("val_score" in row) for row in rows] == [False, False, True, False, True]
    assert run.best_scores()["epoch"] == 5
    assert state.clock == 60
    words = capsys.readouterr().err
    assert "5 epochs of up to 7 steps in 1 min" in words
    assert "epoch 2  loss 1.1353  (14.0 s, 32 s left)" in words


def test_time_is_kept_back_for_the_last_validation(tmp_path: Path, watch: Watch) -> None:
    run, state = train(tmp_path / "run", watch, RECIPE, scoring=10)
    # of 60 s, 3 epochs and a validation take 52; behind 50 no further step begins
    assert (state.clock, len(run.history())) == (52, 3)
    assert RunFolder.open(tmp_path / "run").history()[-1]["val_score"]


def test_the_rate_follows_the_time() -> None:
    recipe = Recipe(minutes=1, warmup=0.1, lr=1.0)
    clock, expected = Clock(recipe), schedule("cosine", 600, 0.1)
    for seconds in (12, 30, 45, 59):
        assert clock.factor(State(clock=seconds), 3) == pytest.approx(expected(10 * seconds), abs=2e-3)
    assert clock.factor(State(clock=70), 0) == 0
    assert clock.factor(State(clock=45, scoring=15), 0) == 0
    assert Clock(Recipe(minutes=1)).is_over(State(clock=30, scoring=100), 0)


@pytest.mark.parametrize("stop", [2, 20, 57])
def test_what_was_stopped_goes_on_with_the_time_that_is_left(tmp_path: Path, watch: Watch, stop: int) -> None:
    whole, _ = train(tmp_path / "whole", watch, RECIPE)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", watch, RECIPE, stop=stop)
    watch.now += 5000  # nobody counts the time between
    parts, state = train(tmp_path / "parts", watch, RECIPE)
    assert [row["epoch"] for row in parts.history()] == [1, 2, 3, 4, 5]
    assert state.clock == 60
    # the same times give the same rates, and so the same weights
    ends = [run.resumable()[0].part("model") for run in (whole, parts)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    again, state = train(tmp_path / "parts", watch, RECIPE)
    assert len(again.history()) == 5


def test_a_real_clock(tmp_path: Path) -> None:
    started = time.perf_counter()
    recipe = Recipe(minutes=0.02, steps_per_epoch=3, batch_size=2)
    state = fit(UNet(Grid(1), 1, 2, [4, 4]), Segmentation(["a", "b"]), Grid(1), Constant(), recipe=recipe)
    assert 1.2 <= time.perf_counter() - started < 10
    assert state.epoch >= 1


def test_refusals() -> None:
    with pytest.raises(ValueError, match="minutes 0 must be a positive number"):
        Recipe(minutes=0)
    with pytest.raises(ValueError, match="leave most_epochs and minutes out"):
        Recipe(minutes=1, power_averages=(0.05, 0.1))
