"""A run that is killed and resumed gives the bits of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from multiunet import Grid, Recipe, Segmentation, UNet, fit
from multiunet.geometries import Conv
from multiunet.training.checkpoint import load
from multiunet.training.data import Sample, TrainingData
from multiunet.training.run_folder import RunFolder
from multiunet.training.signals import Stopped

RECIPE = Recipe(epochs=3, steps_per_epoch=5, batch_size=2, accumulate=2, ema=0.9, seed=3, lr=1e-2)


class Noise(TrainingData):
    """Random images whose class is their sign, drawn anew each time."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay

    def __len__(self) -> int:
        return 6

    def draw(self, item, rng) -> Sample:
        time.sleep(self.delay)
        x = torch.from_numpy(rng.normal(item - 2.5, 1.0, (1, 1, 12, 12))).float()
        return Sample(x, (x[:, 0] > 0).long())


class Interrupting(Noise):
    """Sends its own process a signal when it draws a certain sample."""

    def __init__(self, at: int, signum: int) -> None:
        super().__init__()
        self.at, self.signum, self.draws = at, signum, 0

    def draw(self, item, rng) -> Sample:
        self.draws += 1
        if self.draws == self.at:
            os.kill(os.getpid(), self.signum)
        return super().draw(item, rng)


def network() -> UNet:
    torch.manual_seed(5)
    return UNet(Grid(2), 1, 2, [4, 6, 8], decoder=Grid(2, block=Conv(dropout=0.3)), deep_supervision=1)


def run(folder: Path, recipe: Recipe = RECIPE, resume: bool = False, data: TrainingData | None = None) -> nn.Module:
    net, task, geometry = network(), Segmentation(["no", "yes"]), Grid(2)
    x = torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))

    def validate(candidate: nn.Module) -> dict[str, float]:
        loss = float(task.loss(candidate(x), (x[:, 0] > 0).long()))
        return {"loss": loss, "score": -loss}

    run_folder = RunFolder(folder) if folder.exists() else RunFolder.create(folder, {"a": 1}, {})
    checkpoint, _ = run_folder.resumable() if resume else (None, None)
    run_folder.rewind(0 if checkpoint is None else checkpoint.state["progress"]["epoch"])
    fit(
        net,
        task,
        geometry,
        data or Noise(),
        validate,
        monitor="score",
        run=run_folder,
        recipe=recipe,
        resume=checkpoint,
        save_seconds=0,
    )
    return net


def assert_same_files(one: Path, two: Path) -> None:
    for name in ("last", "best"):
        a, b = (load(folder / "checkpoints" / f"{name}.safetensors") for folder in (one, two))
        assert a.tensors.keys() == b.tensors.keys()
        for key in a.tensors:
            assert torch.equal(a.tensors[key], b.tensors[key]), key
    rows = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in RunFolder(folder).history()]
        for folder in (one, two)
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) == RECIPE.epochs


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(folder)
    return folder


def test_training_changes_the_weights_and_learns(whole: Path) -> None:
    rows = RunFolder(whole).history()
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["val_loss"] < rows[0]["val_loss"]


def test_the_table_holds_every_epoch(whole: Path) -> None:
    header, *rows = (whole / "metrics.csv").read_text().splitlines()
    history = RunFolder(whole).history()
    assert header.split(",") == list(history[0])
    assert [int(row.split(",")[0]) for row in rows] == [row["epoch"] for row in history]


def test_a_second_run_has_the_same_bits(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "run")
    assert_same_files(whole, tmp_path / "run")


@pytest.mark.slow
def test_workers_do_not_change_a_bit(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", Recipe(**{**vars(RECIPE), "workers": 2}))
    assert_same_files(whole, tmp_path / "run")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_mid_epoch_saves_and_the_rest_has_the_same_bits(whole: Path, tmp_path: Path, signum: int) -> None:
    with pytest.raises(Stopped) as stopped:  # draw 27 is in the second step of the second epoch
        run(tmp_path / "run", data=Interrupting(27, signum))
    assert stopped.value.signum == signum
    state = load(tmp_path / "run" / "checkpoints" / "last.safetensors").state["progress"]
    assert (state["epoch"], state["step"]) == (1, 2)
    run(tmp_path / "run", resume=True)
    assert_same_files(whole, tmp_path / "run")


@pytest.mark.slow
def test_kill_9_in_mid_epoch_and_the_rest_has_the_same_bits(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"import torch; torch.set_num_threads({torch.get_num_threads()})\n"
        f"from pathlib import Path; from test_resume import Noise, run\n"
        f"run(Path({str(folder)!r}), data=Noise(delay=0.05))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    last = folder / "checkpoints" / "last.safetensors"
    deadline = time.monotonic() + 120
    progress = {"epoch": 0, "step": 0}
    while (progress["epoch"], progress["step"]) < (1, 1) and time.monotonic() < deadline:
        time.sleep(0.02)
        if last.exists():
            progress = load(last).state["progress"]  # written atomically: it can be read at any moment
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert load(last).state["progress"]["epoch"] == 1
    assert load(last).state["progress"]["step"] > 0
    run(folder, resume=True)
    assert_same_files(whole, folder)


@pytest.mark.slow
def test_a_signal_to_workers_too_saves_and_the_rest_has_the_same_bits(whole: Path, tmp_path: Path) -> None:
    """As a terminal sends Ctrl-C: to all processes at once."""
    folder = tmp_path / "run"
    program = tmp_path / "program.py"  # workers that are spawned import it
    program.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"import torch; torch.set_num_threads({torch.get_num_threads()})\n"
        f"from pathlib import Path; from test_resume import RECIPE, Noise, Recipe, Stopped, run\n"
        f"if __name__ == '__main__':\n"
        f"    try:\n"
        f"        run(Path({str(folder)!r}), Recipe(**{{**vars(RECIPE), 'workers': 2}}), data=Noise(delay=0.1))\n"
        f"    except Stopped as stopped:\n"
        f"        sys.exit(128 + stopped.signum)\n"
    )
    process = subprocess.Popen([sys.executable, program], start_new_session=True, stderr=subprocess.PIPE)
    last = folder / "checkpoints" / "last.safetensors"
    deadline = time.monotonic() + 120
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, words = process.communicate()
    assert process.returncode == 128 + signal.SIGINT
    assert b"Traceback" not in words  # of multiprocessing's resource tracker, say
    state = load(last).state["progress"]
    assert (state["epoch"], state["step"]) < (2, 5)
    run(folder, resume=True)
    assert_same_files(whole, folder)


def test_a_corrupt_last_checkpoint_falls_back_to_the_one_before(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Stopped):
        run(folder, data=Interrupting(45, signal.SIGTERM))
    last = folder / "checkpoints" / "last.safetensors"
    content = bytearray(last.read_bytes())
    content[-5] ^= 1
    last.write_bytes(content)
    checkpoint, warning = RunFolder(folder).resumable()
    assert "does not match" in warning or "do not match" in warning
    assert "previous" in warning
    assert checkpoint.state["progress"]["epoch"] == 2
    run(folder, resume=True)
    assert_same_files(whole, folder)
