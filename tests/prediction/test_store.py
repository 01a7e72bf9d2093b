from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from multiunet import Grid, GridPredictor, GridSource, InputError, Segmentation, UNet
from multiunet.errors import RunError
from multiunet.geometries import Conv
from multiunet.prediction import PredictionStore, open_datasets, replaced_folder
from multiunet.prediction import store as store_module
from multiunet.prediction.new_files import group_files, write_files


@pytest.fixture
def written(tmp_path: Path) -> Path:
    net = UNet(Grid(2, block=Conv(dropout=0.3)), 1, 3, [4, 6]).eval()
    image = np.random.default_rng(0).normal(size=(1, 50, 33)).astype(np.float32)
    where = {"y": np.arange(50) * 0.5, "x": np.arange(33) * 0.25, "row": ("y", np.arange(50) % 2)}
    source = GridSource(
        "a b.c",
        (50, 33),
        lambda a, b: image[(slice(None), *map(slice, a, b))],
        ("y", "x"),
        where,
        {"file": "a b.c.png"},
    )
    predictor = GridPredictor(net, Segmentation(["0", "7", "grain boundary"]), Grid(2), torch.device("cpu"), tile=16)
    with PredictionStore(tmp_path / "p.zarr", {"seed": 4}) as store:
        predictor.into(store, source, samples=3)
    return tmp_path / "p.zarr"


def test_dataset_has_coordinates_and_the_identity_holds_to_the_last_bit(written: Path) -> None:
    data = open_datasets(written)["a b.c"]
    assert dict(data.sizes) == {"channel": 3, "y": 50, "x": 33, "sample": 3}
    assert list(data["channel"].values) == ["0", "7", "grain boundary"]
    np.testing.assert_allclose(data["y"], np.arange(50) * 0.5)
    assert "row" in data.coords
    assert data.attrs["file"] == "a b.c.png"
    np.testing.assert_array_equal(data["total"], data["epistemic"] + data["aleatoric"])
    np.testing.assert_allclose(data["mean"].sum("channel"), 1, atol=1e-5)
    np.testing.assert_allclose(data["total"], data["mean"] * (1 - data["mean"]), atol=1e-5)
    np.testing.assert_array_equal(data["class"], data["mean"].argmax("channel"))
    assert data["class"].attrs["flag_meanings"] == "0 7 grain_boundary"
    assert float(data["epistemic"].mean()) > 0


def test_coordinates_are_those_that_xarray_writes(tmp_path: Path) -> None:
    coords = {"channel": np.array(["a", "\u00e4 b"], object), "x": np.arange(3) * 0.5}
    coords |= {"start": ("x", np.arange(3)), "known": (("channel", "x"), np.array([[1, np.nan, 0]] * 2))}
    expected = xr.Dataset(coords=coords)
    expected.to_zarr(tmp_path / "theirs.zarr", zarr_format=3, consolidated=False)
    about = store_module.describe_labels(coords)
    write_files(tmp_path / "ours.zarr", group_files(about, store_module.label_files(coords)))
    ours, theirs = (xr.open_zarr(tmp_path / f"{name}.zarr", consolidated=False) for name in ("ours", "theirs"))
    assert ours.identical(theirs)
    assert set(ours.coords) == set(coords)


def test_one_sample_has_no_epistemic_variance_and_writes_none(tmp_path: Path) -> None:
    net = UNet(Grid(2), 1, 2, [4, 6]).eval()
    source = GridSource("a", (20, 12), lambda a, b: np.ones((1, *np.subtract(b, a)), np.float32), ("y", "x"))
    with PredictionStore(tmp_path / "p.zarr") as store:
        GridPredictor(net, Segmentation(["0", "1"]), Grid(2), torch.device("cpu")).into(store, source)
    data = open_datasets(tmp_path / "p.zarr")["a"]
    np.testing.assert_array_equal(data["epistemic"], np.zeros((2, 20, 12)))
    np.testing.assert_array_equal(data["total"], data["aleatoric"])
    assert not (tmp_path / "p.zarr" / "a" / "epistemic" / "c").exists()


def test_store_is_zarr_v3_that_xarray_opens_alone(written: Path) -> None:
    assert (written / "zarr.json").is_file()
    with xr.open_datatree(written, engine="zarr", consolidated=False) as tree:
        assert tree.attrs["seed"] == 4
        assert set(tree["a b.c"].data_vars) == {"mean", "class", "epistemic", "aleatoric", "total", "fraction"}


def test_existing_store_is_kept_unless_told(written: Path) -> None:
    with pytest.raises(InputError, match="replace it by `overwrite`"):
        PredictionStore(written)
    with PredictionStore(written, overwrite=True):
        pass
    assert open_datasets(written) == {}
    assert sorted(path.name for path in written.parent.iterdir()) == ["p.zarr"]


PREDICT = """
import sys; from multiunet.prediction import PredictionStore, replaced_folder
from multiunet.prediction import store as store_module
with PredictionStore(sys.argv[1], overwrite=True) as store:
    store.item("theirs", names=["a"], dims=("x",), shape=(2,))
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_one_process_predicts_at_a_time_and_a_dead_one_leaves_nothing(written: Path) -> None:
    """Whatever the clocks of two machines say: the other's work is not touched, and known of at the start."""
    child = subprocess.Popen(
        [sys.executable, "-c", PREDICT, str(written)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    with (
        pytest.raises(InputError, match=r"p\.zarr: another process is writing it"),
        PredictionStore(written, overwrite=True),
    ):
        pass
    assert (written.parent / ".p.zarr.partial" / "theirs").is_dir()
    child.kill()
    child.communicate()
    assert list(open_datasets(written)) == ["a b.c"]
    with PredictionStore(written, overwrite=True):
        pass
    assert [path.name for path in written.parent.iterdir()] == ["p.zarr"]


def test_killed_at_any_rename_a_prediction_is_the_old_one_or_the_new_one(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = written.with_name("old.zarr")
    shutil.copytree(written, old)
    for deadline in range(4):
        shutil.rmtree(written)
        shutil.copytree(old, written)
        calls: list[None] = []
        with monkeypatch.context() as patch:
            for place, name in ((os, "rename"), (shutil, "rmtree")):
                patch.setattr(place, name, killing(getattr(place, name), calls, deadline))
            with pytest.raises(Killed), PredictionStore(written, overwrite=True) as store:
                store.item("new", names=["a"], dims=("x",), shape=(2,))
        assert len(calls) > deadline
        if not written.exists():
            with pytest.raises(InputError, match=r"rename \.p\.zarr\.partial to p\.zarr, or predict anew"):
                open_datasets(written)
            with pytest.raises(InputError, match="exists already"), PredictionStore(written):
                pass
        assert list(open_datasets(written)) in (["a b.c"], ["new"])
        with PredictionStore(written, overwrite=True):
            pass
        assert sorted(path.name for path in written.parent.iterdir()) == ["old.zarr", "p.zarr"]


class Killed(BaseException):
    """What a process that is killed does not live to see."""


def killing(operation: Callable[..., Any], calls: list[None], deadline: int) -> Callable[..., Any]:
    def counted(*given: Any, **options: Any) -> Any:
        calls.append(None)
        if len(calls) > deadline + 2:  # two at the start remove what others left
            raise Killed
        return operation(*given, **options)

    return counted


@pytest.mark.parametrize("when", ["begin", "item", "end"])
def test_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    def full(*given: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place, name = {
        "begin": (store_module, "group_text"),
        "item": (store_module, "label_files"),
        "end": (replaced_folder, "sync_tree"),
    }[when]
    monkeypatch.setattr(place, name, full)
    with (
        pytest.raises(RunError, match=r"p\.zarr: the disk is full, so nothing of the prediction is kept"),
        PredictionStore(tmp_path / "p.zarr") as store,
    ):
        store.item("new", names=["a"], dims=("x",), shape=(2,))
    assert list(tmp_path.iterdir()) == []


def test_all_that_was_written_is_flushed_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed, real = set(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushed.add(os.fstat(file).st_ino), real(file))[1])
    with PredictionStore(tmp_path / "p.zarr") as store:
        store.item("a", names=["a"], dims=("x",), shape=(2,))
    assert {path.stat().st_ino for path in (tmp_path / "p.zarr").rglob("*")} <= flushed


def test_another_process_that_was_faster_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "p.zarr"
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_text("")
    with pytest.raises(RunError, match="in the meantime"), PredictionStore(path):
        (tmp_path / "theirs").rename(path)
    assert [file.name for file in tmp_path.iterdir()] == ["p.zarr"]
    assert (path / "file").exists()


NAMES = [
    "粒界",
    "grain",
    "Grain",
    "HLA/A*01",
    "..",
    "zarr.json",
    "長" * 80,
    "長" * 80 + "x",
    "a\udcff",
    "e\u0301",
    "\u00e9",
]


def test_any_name_comes_back(tmp_path: Path) -> None:
    with PredictionStore(tmp_path / "p.zarr") as store:
        for name in NAMES:
            store.item(name, names=["a"], dims=("x",), shape=(2,))
    assert sorted(open_datasets(tmp_path / "p.zarr")) == sorted(NAMES)
    groups = [path.name for path in (tmp_path / "p.zarr").iterdir() if path.is_dir()]
    assert len({unicodedata.normalize("NFC", group).casefold() for group in groups}) == len(NAMES)
    assert all(len(group.encode()) <= 210 for group in groups)
    assert {"粒界", "HLA%2FA%2A01"} < set(groups)


@pytest.mark.parametrize("which", ["zarr.json", "a b.c/zarr.json", "a b.c/mean/zarr.json"])
@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_damaged_stores_are_told(written: Path, which: str, content: str) -> None:
    (written / which).write_text(content)
    with pytest.raises(InputError, match=r"p\.zarr: .* (cannot be read|or damaged)"):
        open_datasets(written)


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), PredictionStore(tmp_path / "q.zarr"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_what_was_there(written: Path) -> None:
    with pytest.raises(RuntimeError), PredictionStore(written, overwrite=True):
        raise RuntimeError
    assert "a b.c" in open_datasets(written)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no prediction here"):
        open_datasets(tmp_path)
    with pytest.raises(InputError, match=r"\.zarr"):
        PredictionStore(tmp_path / "out.tif")


@pytest.mark.parametrize("variable", ["mean", "class", "fraction"])
def test_a_chunk_that_is_missing_is_named(written: Path, variable: str) -> None:
    """Zarr would read it as NaN, or as class 0."""
    assert open_datasets(written)["a b.c"].sizes["y"] == 50
    chunks = sorted(path for path in written.glob(f"*/{variable}/c/**/*") if path.is_file())
    chunks[0].unlink()
    with pytest.raises(InputError, match=f"p.zarr: 1 of the chunks of .*/{variable} are missing"):
        open_datasets(written)


@pytest.mark.parametrize("variable", ["mean", "class", "fraction"])
def test_a_chunk_that_is_cut_short_is_named(written: Path, variable: str) -> None:
    """Blosc would not notice, and give other numbers."""
    chunk = next(path for path in written.glob(f"*/{variable}/c/**/*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-5])
    with pytest.raises(InputError, match=rf"p\.zarr: the chunks of .*/{variable} have [\d,]+ bytes, .* written"):
        open_datasets(written)


def test_a_chunk_that_cannot_be_decoded_is_named_when_it_is_read(written: Path) -> None:
    for chunk in written.glob("*/class/c/**/*"):
        if chunk.is_file():
            chunk.write_bytes(bytes(len(chunk.read_bytes())))
    data = open_datasets(written)["a b.c"]
    assert np.isfinite(data["total"][..., 0].values).all()
    with pytest.raises(InputError, match=r"p\.zarr: .*/class: cannot be read .*predict anew"):
        _ = data["class"].values
