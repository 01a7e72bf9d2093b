"""Groups and arrays that are made in memory: the files are those that Zarr writes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from multiunet.prediction import new_files
from multiunet.prediction.new_files import (
    FLOATS,
    array_files,
    attrs_of,
    dims_of,
    group_files,
    open_stored,
    value_files,
    write_files,
)

NAMES = np.array(["a", "\u00e4 b"], dtype=object)
NUMBERS = np.arange(400_000)  # several chunks


def read_all(folder: Path) -> dict[Path, bytes]:
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def write_ours(folder: Path) -> None:
    members = {
        "name": value_files(NAMES, ("name",)),
        "start": value_files(NUMBERS, ("bin",)),
        "none": value_files(np.zeros((0, 2), np.float32), ("x", "y"), chunks=(1, 2), fill_value=float("nan")),
        "mean": array_files((2, 9), ("name", "x"), "float32", chunks=(2, 4), fill_value=float("nan"), fast=True),
        "class": array_files((9,), ("x",), "uint8", chunks=(4,), fill_value=0, attrs={"flag": [0], "of": "\u00e4"}),
        "set": array_files((9,), (), "bool", chunks=(4,), fill_value=False),
        "labels": group_files({"n": None}, {"class": group_files({}, {"0": array_files((9,), ("x",), "uint8")})}),
    }
    write_files(folder / "x", group_files({"n": 1, "\u00e4": float("nan")}, members))


def write_theirs(folder: Path) -> None:
    attrs = {"n": 1, "\u00e4": float("nan")}
    group = zarr.open_group(folder, path="x", mode="w", zarr_format=3, attributes=attrs)
    group.create_array("name", shape=(2,), dtype=str, dimension_names=("name",))[...] = NAMES
    group.create_array("start", shape=NUMBERS.shape, dtype=NUMBERS.dtype, dimension_names=("bin",))[...] = NUMBERS
    group.create_array(
        "none", shape=(0, 2), chunks=(1, 2), dtype="float32", fill_value=float("nan"), dimension_names=("x", "y")
    )
    group.create_array(
        "mean",
        shape=(2, 9),
        chunks=(2, 4),
        dtype="float32",
        compressors=FLOATS,
        fill_value=float("nan"),
        dimension_names=("name", "x"),
    )
    about = {"flag": [0], "of": "\u00e4"}
    group.create_array(
        "class", shape=(9,), chunks=(4,), dtype="uint8", fill_value=0, dimension_names=("x",), attributes=about
    )
    group.create_array("set", shape=(9,), chunks=(4,), dtype="bool", fill_value=False)
    labels = group.create_group("labels", attributes={"n": None})
    labels.create_group("class").create_array("0", shape=(9,), dtype="uint8", dimension_names=("x",))


def test_the_files_are_those_that_zarr_writes(tmp_path: Path) -> None:
    for folder in (tmp_path / "ours", tmp_path / "theirs"):
        zarr.open_group(folder, mode="w", zarr_format=3)
    write_ours(tmp_path / "ours")
    write_theirs(tmp_path / "theirs")
    ours, theirs = read_all(tmp_path / "ours"), read_all(tmp_path / "theirs")
    assert ours == theirs
    assert Path("x/start/c/1") in ours
    assert dims_of(tmp_path / "ours/x/mean") == ("name", "x")
    assert attrs_of(tmp_path / "ours/x/class") == {"flag": [0], "of": "\u00e4"}


def test_an_array_is_written_as_by_zarr(tmp_path: Path) -> None:
    write_ours(tmp_path)
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    open_stored(tmp_path / "x/mean")[:, 4:8] = values
    array = zarr.open_group(tmp_path / "x", mode="r")["mean"]
    assert isinstance(array, zarr.Array)
    np.testing.assert_array_equal(array[:, 4:8], values)
    assert np.isnan(array[:, :4]).all()


@pytest.mark.parametrize("place", [(Path, "write_bytes"), (shutil, "rmtree"), (new_files.os, "rename")])
@pytest.mark.parametrize("after", range(3))
def test_a_kill_leaves_all_or_nothing_and_what_is_left_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str], after: int
) -> None:
    folder, old = tmp_path / "x", group_files({"n": 0}, {"a": value_files(np.zeros(3), ("x",))})
    new = group_files({"n": 1}, {"a": value_files(np.ones(3), ("x",))})
    write_files(folder, old)
    calls, real = [0], getattr(*place)

    def killing(operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] > after:
                raise KeyboardInterrupt
            return operation(*given, **options)

        return counted

    monkeypatch.setattr(*place, killing(real))
    try:
        write_files(folder, new)
    except KeyboardInterrupt:
        whole = {Path(name): content for name, content in old.items()}
        assert not folder.exists() or read_all(folder) == whole
    monkeypatch.undo()
    write_files(folder, new)
    assert read_all(tmp_path) == {Path("x", name): content for name, content in new.items()}
