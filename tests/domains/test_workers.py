"""Predictions whose parts are made by workers of dask."""

from __future__ import annotations

import builtins
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from PIL import Image

from multiunet.domains.image.config import ImagePredict
from multiunet.domains.inference import predict
from multiunet.domains.workers import predict_with_workers
from multiunet.errors import InputError
from multiunet.progress import SILENT


@pytest.mark.parametrize("where", ["local:0", "local:", "nonsense", "a b:1", "http://x", "local:2:3x"])
def test_what_is_no_place_of_workers_is_refused(where: str) -> None:
    with pytest.raises(ValueError, match="is no place of workers; give HOST:PORT"):
        ImagePredict(images=Path("a"), dask=where)


def test_parts_are_made_in_one_way() -> None:
    with pytest.raises(ValueError, match="workers of dask make all parts"):
        ImagePredict(images=Path("a"), dask="local:2", part="1/2")


def test_without_dask_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = builtins.__import__

    def without(name: str, *args: Any, **values: Any) -> Any:
        if name.split(".")[0] == "distributed":
            raise ImportError(name)
        return kept(name, *args, **values)

    monkeypatch.setattr(builtins, "__import__", without)
    options = ImagePredict(images=Path("a"), dask="local:2")
    with pytest.raises(InputError, match=r"install multiunet\[dask\]"):
        predict_with_workers([tmp_path], options, tmp_path / "p.zarr", "image", SILENT)


def test_an_address_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        options = ImagePredict(images=Path("a"), dask=f"127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(InputError, match="no scheduler of dask answers there"):
            predict_with_workers([tmp_path], options, tmp_path / "p.zarr", "image", SILENT)
        assert time.monotonic() - began < 15


def read(path: Path) -> dict[str, bytes]:
    groups = zarr.open_group(path, mode="r").groups()
    return {f"{place}/{name}": array[...].tobytes() for place, group in groups for name, array in group.arrays()}


def test_a_worker_that_is_killed_costs_its_part_alone(tmp_path: Path, multiunet: Callable) -> None:
    distributed = pytest.importorskip("distributed")
    rng, images = np.random.default_rng(0), tmp_path / "images"
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        for at in range(4):
            pixels = rng.integers(0, 255 if kind == "images" else 2, (40, 40)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / kind / f"{at}.png")
    run, whole, out = tmp_path / "run", tmp_path / "whole.zarr", tmp_path / "p.zarr"
    short = ["--widths", "4,8", "--patch-size", 16, "--epochs", 1, "--steps-per-epoch", 1, "--no-calibrate"]
    data = ["--images", images, "--masks", tmp_path / "masks"]
    assert multiunet("train", "image", *data, *short, "--out", run).code == 0
    settings = {"images": images, "samples": 2, "device": "cpu", "tile_size": 16}
    predict(run, settings, whole)
    killed: list[int] = []
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:

        def kill_a_busy_worker() -> None:
            while not killed and cluster.scheduler.workers:
                busy = [worker for worker in cluster.scheduler.workers.values() if worker.processing]
                for worker in busy[:1]:
                    nannies = (one for one in cluster.workers.values() if one.worker_address == worker.address)
                    killed.append(next(nannies).process.pid)
                    os.kill(killed[0], signal.SIGKILL)
                time.sleep(0.05)

        killer = threading.Thread(target=kill_a_busy_worker, daemon=True)
        killer.start()
        exports = predict(run, {**settings, "dask": cluster.scheduler_address, "export": tmp_path / "e"}, out)
        killer.join()
        with pytest.raises(InputError, match="exists already"):
            predict(run, {**settings, "dask": cluster.scheduler_address}, out)
        gone = {**settings, "images": tmp_path / "gone", "dask": cluster.scheduler_address}
        with pytest.raises(InputError, match="gone"):
            predict(run, gone, tmp_path / "q.zarr")
    assert killed
    assert exports
    assert all(file.exists() for file in exports)
    assert read(out) == read(whole)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".p.zarr")]
