from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from multiunet.domains.setting_types import Bytes


@pytest.fixture
def data(worlds: dict) -> list[object]:
    return worlds["image"].train[:4]


def test_a_plan_is_shown_written_and_trained(data: list[object], tmp_path: Path, multiunet: Callable) -> None:
    out = tmp_path / "plan.yaml"
    done = multiunet("plan", "image", *data, "--widths", "4,8", "--memory", "8GB", "--out", out)
    assert done.code == 0, done.err
    assert "patch_size" in done.out
    assert "of 8.0 GB" in done.out
    assert "Learns: " in done.out
    out.write_text(out.read_text().replace("batch_size: 4", "batch_size: 2"))
    run = tmp_path / "run"
    short = ["--set", "epochs=1", "--set", "steps_per_epoch=1"]
    assert multiunet("train", "image", "--config", out, "--out", run, *short).code == 0
    assert "batch_size: 2" in (run / "config.yaml").read_text()


def test_a_plan_as_json(data: list[object], multiunet: Callable) -> None:
    done = multiunet("plan", "image", *data, "--widths", "4,8", "--json")
    content = json.loads(done.out)
    assert content["settings"]["patch_size"] == content["plan"]["settings"]["patch_size"]["value"]
    assert content["fingerprint"]["images"] == {"train": 4, "val": 1, "test": 1}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--memory", "lots"], 3, "memory: not an amount of memory; write 8GB"),
        (["--memory", "0"], 3, "--memory must be more than 0"),
        (["--memory", "10MB"], 3, "of memory is too little: the smallest planned training step needs about"),
        (["--strides", "2,2,2"], 3, "the data have 2 axes; give y, x"),
        (["--out", "."], 3, "is a folder; --out takes a file"),
        (["--out", "there.yaml"], 3, "exists already; choose another name, or pass --overwrite"),
        (["--config", "typo.yaml"], 3, "unknown setting 'patch_sizes' (did you mean 'patch_size'?)"),
    ],
)
def test_bad_input(
    words: list[str],
    code: int,
    message: str,
    data: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    multiunet: Callable,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.yaml").write_text("seed: 1\n")
    Path("typo.yaml").write_text("patch_sizes: [32, 32]\n")
    done = multiunet("plan", "image", *data, *words)
    assert done.code == code
    assert message in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GB", 8 * 10**9), ("1.5 MiB", 3 << 19), ("500mb", 5 * 10**8), ("4096", 4096), ("2TB", 2 * 10**12)],
)
def test_amounts(text: str, size: int) -> None:
    assert TypeAdapter(Bytes).validate_python(text) == size
