from __future__ import annotations

from pathlib import Path

import pytest
import torch

from multiunet import Grid, Segmentation, UNet
from multiunet.progress import ConsoleProgress
from multiunet.training import checkpoint as checkpoints
from multiunet.training.cycles import Cycles
from multiunet.training.loop import fit
from multiunet.training.recipe import Recipe
from multiunet.training.run_folder import RunFolder
from multiunet.training.schedule import schedule
from multiunet.training.state import State
from tests.training.test_loop import Constant


def train(folder: Path, scores: list[float], recipe: Recipe, stop: int | None = None, **options):
    """Train a small network whose validation gives these scores in turn, to the end or until ``stop`` epochs."""
    known = folder.exists()
    run = RunFolder.open(folder) if known else RunFolder.create(folder, {}, {})
    resume = run.resumable()[0] if known else None
    first = 0 if resume is None else resume.state["progress"]["epoch"]
    torch.manual_seed(0)
    net, rest = UNet(Grid(1), 1, 2, [4, 4]), iter(scores[first:])

    def validate(_):
        if stop is not None and stop == len(run.history()):
            raise KeyboardInterrupt
        return {"loss": 1.0, "score": next(rest)}

    task = Segmentation(["a", "b"])
    state = fit(net, task, Grid(1), Constant(), validate, monitor="score", run=run, recipe=recipe, resume=resume,
                save_seconds=0, **options)  # fmt: skip
    return run, state


RISING = [0.1, 0.2, 0.2, 0.3, 0.2, 0.2, 0.3, 0.4, *[0.3] * 8]


def test_a_training_goes_on_while_validation_improves(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    # 0.3 after 0.2 in the last of 4 epochs, 0.4 after 0.3 in the last of 4 more; then nothing better in 8 more
    run, state = train(tmp_path / "run", RISING, Recipe(epochs=4, most_epochs=32), progress=ConsoleProgress())
    assert state.epoch == state.goal == 16
    words = capsys.readouterr().err
    assert (
        "still improves (0.2000, then 0.3000 in the last quarter of its epochs); going on to epoch 8, at most 32"
        in words
    )
    assert "still improving at the last epoch" not in words
    assert run.best_scores()["epoch"] == 8


def test_it_ends_at_the_stated_limit_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    _, state = train(tmp_path / "run", RISING, Recipe(epochs=4, most_epochs=6), progress=ConsoleProgress())
    assert state.epoch == 6
    _, state = train(tmp_path / "other", RISING, Recipe(epochs=4, most_epochs=8), progress=ConsoleProgress())
    assert state.epoch == 8
    words = capsys.readouterr().err
    assert "still improving at the last epoch (0.3000, then 0.4000 in the last quarter of its epochs)" in words
    assert "train longer, 16 epochs, say" in words


def test_epochs_alone_are_obeyed(tmp_path: Path) -> None:
    assert train(tmp_path / "run", RISING, Recipe(epochs=4))[1].epoch == 4


@pytest.mark.parametrize("stop", [3, 4, 5])
def test_a_training_that_was_stopped_ends_with_the_same_bits(tmp_path: Path, stop: int) -> None:
    recipe = Recipe(epochs=4, most_epochs=8, ema=0.5)
    whole, state = train(tmp_path / "whole", RISING, recipe)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", RISING, recipe, stop=stop)
    parts, again = train(tmp_path / "parts", RISING, recipe)
    assert (again.epoch, again.best_epoch, again.goal) == (state.epoch, state.best_epoch, state.goal) == (8, 7, 8)
    expected = checkpoints.load(whole.last).part("model")
    for name, value in checkpoints.load(parts.last).part("model").items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def test_the_rate_begins_anew_with_each_cycle() -> None:
    recipe = Recipe(epochs=2, most_epochs=8, warmup=0.1)
    rate = Cycles.of(recipe, "score", 10).rate
    for start, length in ((0, 20), (20, 20), (40, 40)):
        own = schedule("cosine", length, 0.1)
        assert [rate(start + step) for step in range(length)] == [own(step) for step in range(length)]


def test_a_loss_must_fall_by_a_share_of_itself() -> None:
    cycles = Cycles.of(Recipe(epochs=4, most_epochs=8), None, 1)
    for best, goal in ((-99.9, 4), (-99.0, 8)):
        state = State(epoch=4, best=(0.0, best), best_epoch=3, before=(0.0, -100.0), goal=4)
        assert (cycles.look_at(state) is not None) == (goal == 8)
        assert state.goal == goal


def test_refusals() -> None:
    with pytest.raises(ValueError, match="most_epochs 3 must be at least as many as epochs, 4"):
        Recipe(epochs=4, most_epochs=3)
    with pytest.raises(ValueError, match="leave most_epochs and minutes out"):
        Recipe(epochs=4, most_epochs=8, power_averages=(0.05, 0.1))
