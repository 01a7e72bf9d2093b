"""The page on exports holds: its tiler, with numpy and onnxruntime alone, gives what ``predict`` gives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multiunet.prediction import open_prediction

from .conftest import World

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

PAGE = Path(__file__).parents[2] / "docs/export.md"

WITHOUT_TORCH = "import sys; sys.modules.update(torch=None, multiunet=None)\n"


def blocks() -> list[str]:
    """Python of the page: the tiler, its use for an image, its use for a chromosome."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def run_alone(folder: Path, use: str, model: Path, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    """Run the page's code in a process that has no torch, tiles as small as may be; return the outputs."""
    np.savez(folder / "given.npz", **arrays)
    use = re.sub(r'"\w+\.onnx"', repr(str(model)), use)
    given = f"globals().update(np.load({str(folder / 'given.npz')!r}))\n"
    small = "predict.__defaults__ = (8,)\n"
    kept = f"np.savez({str(folder / 'found.npz')!r}, **globals().get('bins', globals().get('found')))\n"
    program = folder / "program.py"
    program.write_text(WITHOUT_TORCH + blocks()[0] + given + small + use + kept)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "found.npz"))


def exported(multiunet: Callable, world: World, folder: Path, *more: object) -> tuple[Path, dict]:
    """Train, predict without dropout and export; return the file and what the command says of it."""
    own = ["--precision", 32] if world.domain == "image" else []  # a file computes in float32
    run, store, model = folder / "run", folder / "prediction.zarr", folder / "model.onnx"
    assert multiunet("train", world.domain, *world.train, *more, "--out", run).code == 0
    predicted = multiunet("predict", world.domain, "--run", run, *world.predict, *own, "--samples", 1, "--out", store)
    assert predicted.code == 0, predicted.err
    done = multiunet("export", "--run", run, "--to", "onnx", "--out", model, "--json")
    assert done.code == 0, done.err
    return model, json.loads(done.out)


def test_tiles_of_an_image_are_the_prediction(tmp_path: Path, multiunet: Callable, worlds: dict[str, World]) -> None:
    model, facts = exported(multiunet, worlds["image"], tmp_path)
    assert facts["mirrored_views"]
    assert facts["calibrated"]
    assert str(tmp_path).encode() not in model.read_bytes()  # no path of this machine
    expected = next(iter(open_prediction(tmp_path / "prediction.zarr").values()))
    images = Path(str(worlds["image"].predict[1]))
    picture = np.asarray(Image.open(images / Path(expected.attrs["file"]).name))
    found = run_alone(tmp_path, blocks()[1], model, image=picture)
    for output in ("mean", "aleatoric", "total"):
        np.testing.assert_allclose(found[output], expected[output].values, atol=1e-5)
    near = np.abs(np.diff(np.sort(expected["mean"].values, axis=0)[-2:], axis=0))[0] < 1e-4
    assert ((found["class"] == expected["class"].values) | near).all()


def test_tiles_of_a_chromosome_are_the_prediction(
    tmp_path: Path, multiunet: Callable, worlds: dict[str, World]
) -> None:
    world = worlds["genome"]
    model, facts = exported(multiunet, world, tmp_path, "--widths", "4,8", "--window", 16, "--reading-frames")
    fasta = Path(str(world.train[1])).read_text()
    bases = dict(re.findall(r">(\w+)[^\n]*\n([^>]*)", fasta))["chr4"].replace("\n", "")
    codes = np.array(["ACGT".find(base.upper()) % 5 for base in bases], dtype=np.uint8)
    found = run_alone(tmp_path, blocks()[2], model, codes=codes)
    expected = open_prediction(tmp_path / "prediction.zarr")["chr4"]
    for output in ("mean", "aleatoric", "total"):
        np.testing.assert_allclose(found[output], expected[output].values, atol=1e-5)
    assert facts["inputs"] == {"bases": ["n", "c", "base"]}


def test_what_cannot_be_exported_says_so(tmp_path: Path, multiunet: Callable, worlds: dict[str, World]) -> None:
    world, run = worlds["graph"], tmp_path / "run"
    assert multiunet("train", "graph", *world.train, "--out", run).code == 0
    refused = {
        ("--to", "onnx", "--out", tmp_path / "a.onnx"): "'graph' cannot be exported",
        ("--to", "onnx", "--out", tmp_path / "a.pt2"): "NAME.onnx",
        ("--to", "pt2", "--tta-flips", "--out", tmp_path / "a.pt2"): "no mirrored views",
        ("--to", "onnx", "--out", tmp_path / "there.onnx"): "--overwrite",
    }
    (tmp_path / "there.onnx").touch()
    for words, reason in refused.items():
        done = multiunet("export", "--run", run, *words)
        assert done.code == 3
        assert reason in done.err
