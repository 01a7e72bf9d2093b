from __future__ import annotations

from pathlib import Path

import pytest
from multiunet_datasets import synthetic
from rich.progress import Progress as Bar

from multiunet import progress
from multiunet.domains import inference, training
from multiunet.domains.image.config import ImagePredict, ImageTrain
from multiunet.progress import ConsoleProgress, Pace, Progress


class Heard(Progress):
    def __init__(self) -> None:
        self.said: list[tuple] = []

    def start_input(self, name: str, index: int, count: int, verb: str = "predicting") -> None:
        self.said.append((name, index, count))

    def update_tiles(self, done: int, count: int, noun: str = "") -> None:
        self.said.append((done, count))


def test_every_input_and_every_tile_is_told(tmp_path: Path) -> None:
    synthetic.write_polycrystal(tmp_path, images=5, size=48, grains=8)
    config = ImageTrain(
        images=tmp_path / "images", masks=tmp_path / "masks", widths=[4, 8], epochs=1, steps_per_epoch=1
    )
    training.train("image", config, tmp_path / "run", progress=Progress())
    heard = Heard()
    options = ImagePredict(images=tmp_path / "images", samples=2, tile_size=24)
    inference.predict(tmp_path / "run", options, tmp_path / "p.zarr", progress=heard)
    tiles = [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert heard.said == [entry for place in range(5) for entry in ((f"{place:02}", place, 5), *tiles)]


def test_the_bar_moves_with_inputs_and_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    monkeypatch.setattr(Bar, "update", lambda self, task, **fields: seen.append(fields["completed"]))
    with ConsoleProgress() as shown:
        shown.start_input("a[b]", 1, 4)
        shown.update_tiles(1, 2)
    assert seen == [1, 1.5]


def test_a_log_has_a_line_of_what_takes_long(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    with ConsoleProgress() as quick:
        quick.start_input("a[b]", 0, 2)
        quick.update_tiles(1, 9)
    assert not capsys.readouterr().err
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with ConsoleProgress() as slow:
        slow.start_input("a[b]", 1, 2)
        now[0] += 6
        slow.update_tiles(3, 9)
    assert capsys.readouterr().err == "predicting a[b], 2 of 2: tile 3 of 9, 12 s left\n"


def test_what_is_done_first_says_nothing_of_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with ConsoleProgress() as shown:
        shown.start_input("molecules", 0, 1)
        for done, seconds in enumerate((8, *[1] * 20), start=1):  # the first takes long: it loads
            now[0] += seconds
            shown.update_tiles(done, 102, "graph")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "predicting molecules, 1 of 1: graph 1 of 102"
    assert lines[1] == "predicting molecules, 1 of 1: graph 11 of 102, 1 min 31 s left"


def test_a_log_has_lines_within_long_epochs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with ConsoleProgress() as shown:
        shown.start_training(steps=1000, done=0)
        for _ in range(100):
            now[0] += 1
            shown.add_step(0.5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "step 3 of 1000  loss 0.5000, 17 min left"
    assert [int(line.split()[1]) for line in lines] == [3, 13, 33, 73]  # twice as long between two of them


@pytest.mark.parametrize(("done", "said"), [(2, ""), (5, ", 15 s left"), (10, "")])
def test_time_left_follows_from_what_is_done(monkeypatch: pytest.MonkeyPatch, done: int, said: str) -> None:
    now = [7.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    pace = Pace(2)  # after a restart: what was done before took none of this time
    now[0] += 9
    assert pace.in_words(done, 10) == said


def test_quick_epochs_are_not_all_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with ConsoleProgress() as shown:
        shown.start_training(steps=50, done=0, monitor="accuracy")
        for epoch in range(50):
            shown.add_epoch({"epoch": epoch, "loss": 1.0, "val_accuracy": epoch / 50, "seconds": 0.01}, best=True)
    lines = capfd.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["0", "49"]
