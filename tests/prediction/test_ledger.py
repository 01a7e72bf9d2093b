"""Predictions in parts, and interrupted ones that go on: the bytes of one that was made at once."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from multiunet import Grid, GridPredictor, GridSource, Segmentation, UNet, open_prediction
from multiunet.errors import InputError, RunError
from multiunet.files import write_text
from multiunet.geometries import Conv
from multiunet.prediction.item_writer import ItemWriter
from multiunet.prediction.ledger import Ledger, Part
from multiunet.prediction.reading import MARK
from multiunet.prediction.store import PredictionStore

IMAGES = {
    name: np.random.default_rng(seed).normal(size=(1, 40, 25)).astype(np.float32) for seed, name in enumerate("ab")
}
PLAN = {"seed": 3}


@pytest.fixture(scope="module")
def predictor() -> GridPredictor:
    torch.manual_seed(0)
    net = UNet(Grid(2, block=Conv(convs=1, dropout=0.3)), 1, 2, [4, 6]).eval()
    return GridPredictor(net, Segmentation(["dark", "light"]), Grid(2), torch.device("cpu"), tile=16)


def predict(predictor: GridPredictor, store: PredictionStore, stop_after: int | None = None) -> list[tuple[str, int]]:
    """Predict as a domain does; return the tiles that were computed, and stop as by a key where told to."""
    computed: list[tuple[str, int]] = []

    def note(done: int, count: int) -> None:
        computed.append((name, done))
        if len(computed) == stop_after:
            raise KeyboardInterrupt

    for place, (name, image) in enumerate(IMAGES.items()):

        def read(start: Sequence[int], stop: Sequence[int], image: np.ndarray = image) -> np.ndarray:
            return image[(slice(None), *map(slice, start, stop))]

        source = GridSource(name, image.shape[1:], read, ("y", "x"))
        encode = lambda mean: mean.argmax(0)  # noqa: E731
        item = predictor.into(store, source, 2, 3, note, encode, place)
        if item.is_due:
            assert len(list(item.samples())) == 2
            item.finish()
    return computed


def complete(predictor: GridPredictor, path: Path, part: Part) -> list[tuple[str, int]]:
    """Make the last part, which completes the prediction; return the tiles that were computed."""
    with PredictionStore(path, ledger=Ledger(path, PLAN, part)) as store:
        computed = predict(predictor, store)
        assert store.close_part()
        predict(predictor, store)
    return computed


def arrays(path: Path) -> dict[str, bytes]:
    found = {}
    for group, content in zarr.open_group(path, mode="r").groups():
        found |= {f"{group}/{name}": np.asarray(array[...]).tobytes() for name, array in content.arrays()}
    return found


@pytest.fixture(scope="module")
def whole(predictor: GridPredictor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("whole") / "p.zarr"
    with PredictionStore(path) as store:
        assert len(predict(predictor, store)) == 12
    found = arrays(path)
    assert {"a/mean", "a/class", "b/fraction"} <= set(found)
    assert "a/sample_maps" not in found
    return found


@pytest.mark.parametrize("order", [(1,), (2, 1), (3, 1, 2), (2, 2, 3, 1), (7, 5, 3, 1, 2, 4, 6)], ids=str)
def test_parts_in_any_order_have_the_bytes_of_the_whole(order, predictor, whole, tmp_path) -> None:
    path, computed = tmp_path / "p.zarr", []
    for at, number in enumerate(order):
        ledger = Ledger(path, PLAN, Part(number, max(order)))
        with PredictionStore(path, ledger=ledger) as store:
            computed += predict(predictor, store)
            if store.close_part():
                assert predict(predictor, store) == []
                assert at == len(order) - 1
        assert path.exists() == (at == len(order) - 1)
    assert len(computed) == 12, "no tile is computed twice"
    assert arrays(path) == whole
    assert sorted(file.name for file in tmp_path.iterdir()) == ["p.zarr"]


class Killed(BaseException):
    """What a process that is killed does not live to see."""


def make_part(predictor: GridPredictor, path: Path, part: Part, stop_after: int | None = None) -> None:
    """Make a part; killed after so many tiles, of which none is on record, and after 0 as it joins."""
    with contextlib.suppress(Killed), PredictionStore(path, ledger=Ledger(path, PLAN, part)) as store:
        with contextlib.suppress(KeyboardInterrupt):
            predict(predictor, store, stop_after or None)
        if stop_after:
            raise Killed
        if store.close_part():
            if stop_after == 0:
                raise Killed
            assert predict(predictor, store) == []


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_part_that_is_killed_is_made_again(count, predictor, whole, tmp_path) -> None:
    path, parts = tmp_path / "p.zarr", [Part(number, count) for number in range(count, 0, -1)]
    make_part(predictor, path, parts[0], stop_after=1)
    for part in parts[:-1]:
        make_part(predictor, path, part)
    make_part(predictor, path, parts[-1], stop_after=0)
    assert not path.exists()
    make_part(predictor, path, parts[-1])
    assert arrays(path) == whole
    assert sorted(file.name for file in tmp_path.iterdir()) == ["p.zarr"]


def test_parts_at_the_same_time(predictor, whole, tmp_path) -> None:
    path = tmp_path / "p.zarr"
    stores = [PredictionStore(path, ledger=Ledger(path, PLAN, Part(number, 2))) for number in (1, 2)]
    with stores[0]:
        with stores[1]:
            predict(predictor, stores[1])
            assert not stores[1].close_part()
            with (
                pytest.raises(InputError, match="another process makes part 1/2"),
                PredictionStore(path, ledger=Ledger(path, PLAN, Part(1, 2))),
            ):
                pass
            with pytest.raises(InputError, match="another process makes a part"), PredictionStore(path):
                pass
        predict(predictor, stores[0])
        assert stores[0].close_part()
        predict(predictor, stores[0])
    assert arrays(path) == whole


@pytest.mark.parametrize("stops", [(1,), (6, 1), (5, 4), (12,)], ids=str)
def test_an_interrupted_prediction_goes_on(stops, predictor, whole, tmp_path) -> None:
    path, resume, computed = tmp_path / "p.zarr", False, 0
    for stop in stops:
        ledger = Ledger(path, PLAN, resume=resume)
        with pytest.raises(KeyboardInterrupt), PredictionStore(path, ledger=ledger) as store:
            predict(predictor, store, stop)
        computed, resume = computed + stop, True
    with PredictionStore(path, ledger=Ledger(path, PLAN, resume=True)) as store:
        computed += len(predict(predictor, store))
    assert 12 <= computed <= 12 + len(stops), "of an interruption at most the tile under way is lost"
    assert arrays(path) == whole
    assert sorted(file.name for file in tmp_path.iterdir()) == ["p.zarr"]


def test_what_zarr_left_half_written_is_no_chunk(predictor, whole, tmp_path) -> None:
    path = tmp_path / "p.zarr"
    with pytest.raises(KeyboardInterrupt), PredictionStore(path, ledger=Ledger(path, PLAN)) as store:
        predict(predictor, store, 6)
    for place in ("zarr", "a/mean/c/0/0/0"):
        (tmp_path / ".p.zarr.partial" / f"{place}.{'0f' * 16}.partial").write_bytes(b"half")
    with PredictionStore(path, ledger=Ledger(path, PLAN, resume=True)) as store:
        predict(predictor, store)
    assert not list(path.rglob("*.partial"))
    assert open_prediction(path)  # which counts the chunks
    assert arrays(path) == whole


def test_what_is_struck_while_chunks_are_counted_goes_on(predictor, whole, tmp_path, monkeypatch) -> None:
    path = tmp_path / "p.zarr"

    def cut(file: Path, text: str, flush: bool) -> None:
        assert flush
        write_text(file, text, flush)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("multiunet.prediction.store.write_text", cut)
        with pytest.raises(KeyboardInterrupt), PredictionStore(path, ledger=Ledger(path, PLAN)) as store:
            predict(predictor, store)
    with PredictionStore(path, ledger=Ledger(path, PLAN, resume=True)) as store:
        assert not predict(predictor, store)
    assert open_prediction(path)
    assert arrays(path) == whole


@pytest.mark.parametrize("part", [None, Part(1, 1)])
@pytest.mark.parametrize("at", ["sync_tree", "os.rename"])
def test_what_is_interrupted_on_its_way_to_its_place_goes_on(at, part, predictor, whole, tmp_path, monkeypatch) -> None:
    path = tmp_path / "p.zarr"
    rename = os.rename

    def interrupt(folder: Path, *to: Path) -> None:
        if (folder / "b").exists():  # it is not just begun
            raise KeyboardInterrupt
        if at == "os.rename":
            rename(folder, *to)

    def make(ledger: Ledger) -> int:
        with PredictionStore(path, ledger=ledger) as store:
            computed = len(predict(predictor, store))
            if part is not None:
                assert store.close_part()
                predict(predictor, store)
            return computed

    with monkeypatch.context() as patch:
        patch.setattr(f"multiunet.prediction.replaced_folder.{at}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make(Ledger(path, PLAN, part))
    assert make(Ledger(path, PLAN, part, resume=True)) == 0
    assert arrays(path) == whole
    assert [file.name for file in tmp_path.iterdir()] == ["p.zarr"]


def test_what_loses_power_once_its_arrays_are_made_goes_on(predictor, whole, tmp_path, monkeypatch) -> None:
    """Whatever was not flushed is empty then."""
    path, flushed, flush = tmp_path / "p.zarr", set(), os.fsync

    def note(file: int) -> None:
        flush(file)
        flushed.add(os.fstat(file).st_ino)

    def interrupt(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", note)
        patch.setattr(Ledger, "note", interrupt)
        with pytest.raises(KeyboardInterrupt), PredictionStore(path, ledger=Ledger(path, PLAN, Part(1, 1))) as store:
            predict(predictor, store)
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.stat().st_ino not in flushed:
            file.write_bytes(b"")
    assert len(complete(predictor, path, Part(1, 1))) == 12
    assert arrays(path) == whole


def test_a_line_that_was_cut_short_is_written_again(predictor, whole, tmp_path) -> None:
    path = tmp_path / "p.zarr"
    with pytest.raises(KeyboardInterrupt), PredictionStore(path, ledger=Ledger(path, PLAN)) as store:
        predict(predictor, store, 6)
    record = tmp_path / ".p.zarr.ledger" / "part-1.jsonl"
    lines = record.read_text().splitlines(keepends=True)
    assert len(lines) >= 5
    record.write_text("".join(lines[:3]) + lines[3][:20])
    with PredictionStore(path, ledger=Ledger(path, PLAN, resume=True)) as store:
        assert len(predict(predictor, store)) == 9
    assert arrays(path) == whole


def test_without_resume_a_prediction_begins_anew(predictor, tmp_path) -> None:
    path = tmp_path / "p.zarr"
    with pytest.raises(KeyboardInterrupt), PredictionStore(path, ledger=Ledger(path, PLAN)) as store:
        predict(predictor, store, 6)
    with PredictionStore(path, ledger=Ledger(path, PLAN)) as store:
        assert len(predict(predictor, store)) == 12


def test_of_a_part_on_a_full_disk_all_that_is_done_stays(predictor, whole, tmp_path, monkeypatch) -> None:
    path, parts = tmp_path / "p.zarr", [Part(1, 2), Part(2, 2)]

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ItemWriter, "write_fractions", full)
        with PredictionStore(path, ledger=Ledger(path, PLAN, parts[0])) as store:
            predict(predictor, store)
            assert not store.close_part()
        with pytest.raises(RunError, match=r"p\.zarr: the disk is full, and what is done is kept; free some space"):
            complete(predictor, path, parts[1])
    assert complete(predictor, path, parts[1]) == []
    assert arrays(path) == whole


def test_another_configuration_is_refused(predictor, tmp_path, monkeypatch) -> None:
    path = tmp_path / "p.zarr"
    with pytest.raises(KeyboardInterrupt), PredictionStore(path, ledger=Ledger(path, PLAN)) as store:
        predict(predictor, store, 6)
    with pytest.raises(InputError, match=r"seed was 3, is 4.*\.p\.zarr\.ledger to begin anew"):
        Ledger(path, {"seed": 4}, resume=True)
    monkeypatch.setitem(IMAGES, "a", IMAGES["a"][:, :20])
    with (
        pytest.raises(InputError, match=r"a had \[40, 25\] sites .* has \[20, 25\] now"),
        PredictionStore(path, ledger=Ledger(path, PLAN, resume=True)) as store,
    ):
        predict(predictor, store)


def test_what_was_decided_stays(tmp_path) -> None:
    ledger = Ledger(tmp_path / "p.zarr", PLAN)
    ledger.open()
    assert ledger.agree("sites", lambda: 7) == 7
    (tmp_path / ".p.zarr.partial").mkdir()  # what is written
    again = Ledger(tmp_path / "p.zarr", PLAN, resume=True)
    again.open()
    assert again.agree("sites", lambda: 9) == 7
    assert json.loads((tmp_path / ".p.zarr.ledger/plan.json").read_text())["decided"] == {"sites": 7}


@pytest.mark.parametrize("part", [None, Part(1, 1)])
def test_what_a_process_left_that_was_killed_at_its_very_end_is_swept(part, predictor, whole, tmp_path) -> None:
    path = tmp_path / "p.zarr"
    ledger = Ledger(path, PLAN, part)
    ledger.remove = lambda: None  # type: ignore[method-assign]
    with PredictionStore(path, ledger=ledger) as store:
        predict(predictor, store)
        if part is not None:
            assert store.close_part()
            predict(predictor, store)
    (tmp_path / ".p.zarr.replaced").mkdir()
    assert (tmp_path / ".p.zarr.ledger").is_dir()
    assert not Ledger(path, {"seed": 4}, part, resume=True).goes_on()  # which another configuration does not mind
    with pytest.raises(InputError, match="exists already"):
        PredictionStore(path)
    assert [file.name for file in tmp_path.iterdir()] == ["p.zarr"]
    assert arrays(path) == whole


def test_what_another_prediction_may_go_on_with_is_not_swept(predictor, tmp_path) -> None:
    path = tmp_path / "p.zarr"
    path.mkdir()
    (path / "zarr.json").write_text(json.dumps({"attributes": {MARK: "0"}}))
    with pytest.raises(KeyboardInterrupt), PredictionStore(path, None, True, Ledger(path, PLAN)) as store:
        predict(predictor, store, 6)
    with pytest.raises(InputError, match="exists already"):
        PredictionStore(path)
    with PredictionStore(path, None, True, Ledger(path, PLAN, resume=True)) as store:
        assert len(predict(predictor, store)) == 6


@pytest.mark.parametrize(("number", "count"), [(0, 3), (4, 3)])
def test_a_part_is_one_of_its_count(number, count) -> None:
    with pytest.raises(ValueError, match=f"part {number} of {count}"):
        Part(number, count)


def test_parts_share_out_all_places() -> None:
    for count in (1, 2, 5):
        claimed = itertools.product(range(20), (Part(number, count) for number in range(1, count + 1)))
        assert sorted(place for place, part in claimed if part.claims(place)) == list(range(20))
