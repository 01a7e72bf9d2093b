from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from multiunet.domains.calibration_file import FILE, Fit, read_fits, store_calibration, write_fits
from multiunet.errors import InputError
from multiunet.uncertainty import ClassCalibration, QuantityCalibration

CLASSES = ClassCalibration(1.25, "multiclass", {"lac": ((0.1,), (0.2,), (0.3,), (0.4,))}, (True, True, True, False))
QUANTITIES = QuantityCalibration(
    (2.0, 0.5), ((0.6, 0.7), (1.2, 1.3), (1.6, 1.7), (2.0, 2.1)), (True, True, False, False)
)


def fit(calibration: ClassCalibration | QuantityCalibration = CLASSES, **changes: Any) -> Fit:
    values = {"weights": "0" * 16, "members": 1, "samples": 16, "source": "val split", "groups": 4, "sites": 100}
    return Fit(**values | changes, calibration=store_calibration(calibration))


@pytest.mark.parametrize(
    "calibration", [CLASSES, QUANTITIES, ClassCalibration(0.5, thresholds={"crack": 0.2}), QuantityCalibration((3.0,))]
)
def test_what_is_written_is_read(calibration: ClassCalibration | QuantityCalibration, tmp_path: Path) -> None:
    write_fits(tmp_path, [fit(calibration)])
    [found] = read_fits(tmp_path)
    assert found.calibration.load() == calibration


def test_fits_of_the_same_weights_and_sampling_are_replaced(tmp_path: Path) -> None:
    write_fits(tmp_path, [fit(), fit(samples=1), fit(weights="f" * 16, members=2)])
    write_fits(tmp_path, [fit(samples=8, source="other")])
    found = {(one.weights, one.samples): one.source for one in read_fits(tmp_path)}
    assert found == {("0" * 16, 1): "val split", ("f" * 16, 16): "val split", ("0" * 16, 8): "other"}


def test_fits_of_another_training_go_and_those_of_ensembles_stay(tmp_path: Path) -> None:
    write_fits(tmp_path, [fit(weights="a" * 16), fit(weights="b" * 16, samples=1), fit(weights="c" * 16, members=3)])
    write_fits(tmp_path, [fit(weights="c" * 16, members=3, samples=1)])  # an ensemble says nothing of its members
    assert [one.weights[0] for one in read_fits(tmp_path)] == ["a", "b", "c", "c"]
    write_fits(tmp_path, [fit(weights="b" * 16)])
    assert [(one.weights[0], one.samples) for one in read_fits(tmp_path)] == [("b", 1), ("c", 16), ("c", 1), ("b", 16)]


def test_no_file_is_no_fit(tmp_path: Path) -> None:
    assert read_fits(tmp_path) == ()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all leaves and entries of nested JSON."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path] * bool(path) + [place for key, child in children for place in _paths(child, (*path, key))]


@pytest.mark.parametrize("calibration", [CLASSES, QUANTITIES], ids=["classes", "quantities"])
def test_damaged_files_are_refused(calibration: ClassCalibration | QuantityCalibration, tmp_path: Path) -> None:
    write_fits(tmp_path, [fit(calibration)])
    sound = json.loads((tmp_path / FILE).read_text())
    accepted = []
    for path in _paths(sound):
        for damage in (None, "x", -1, [], {}, True, 1.5, float("nan"), float("inf")):
            content = copy.deepcopy(sound)
            parent = content
            for key in path[:-1]:
                parent = parent[key]
            if type(parent[path[-1]]) is type(damage) and damage in (True, 1.5):
                continue  # another number, another flag: nothing tells
            parent[path[-1]] = damage
            (tmp_path / FILE).write_text(json.dumps(content))
            with suppress(InputError):
                read_fits(tmp_path)
                accepted.append((path, damage))
    # texts that are free, and limits that are empty, as of one group
    free = [("way", "x"), ("source", "x"), ("limits", {}), ("multipliers", []), ("fits", []), ("sums", {})]
    free += [("thresholds", {})]
    assert [place for place in accepted if (place[0][-1], place[1]) not in free] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is damaged"),
        (b"{", "is damaged"),
        (b"[]", r"is damaged \(it holds no settings\)"),
        (b"null", r"is damaged \(it holds no settings\)"),
        (b"\xff\xfe", "is damaged"),
        (b"[" * 100_000, "is damaged"),  # deeper than the parser goes
        (b'{"version": 0, "fits": []}', "has version 0, where 1 is read; calibrate the run anew"),
        (b'{"version": 2, "fits": []}', "has version 2, where 1 is read"),
        (b'{"version": "1", "fits": []}', "has version '1', where 1 is read"),
        (b'{"version": true, "fits": []}', "has version True, where 1 is read"),
        (b'{"version": 1}', r"is damaged \(fits: is missing\)"),
        (b'{"version": 1, "fits": [], "more": 1}', r"is damaged \(more: "),
        (b'{"fits": [NaN]}', "is damaged"),
    ],
)
def test_files_of_other_kinds_are_refused(text: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(text)
    with pytest.raises(InputError, match=rf"{FILE}: {reason}"):
        read_fits(tmp_path)
    write_fits(tmp_path, [fit()])  # anew
    assert len(read_fits(tmp_path)) == 1
