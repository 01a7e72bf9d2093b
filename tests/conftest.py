from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # each worker, and what it starts, its share of the cores
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))

import torch
import typer
from click import Command
from multiunet_cli.application import application

from multiunet.domains import spec
from multiunet.domains.remarks import files_with, remark


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data; tests that need it are skipped where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MULTIUNET_DATA", default))
    if not (folder / "README.md").is_file():
        pytest.skip(f"real data not found in {folder}; set MULTIUNET_DATA")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is remembered of this machine stays out of the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _same_start() -> None:
    torch.manual_seed(0)
    remark.cache_clear()
    files_with.cache_clear()


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@cache
def _commands(find: object) -> Command:
    """The command tree, made once for each way to find domains."""
    return typer.main.get_command(application())


@pytest.fixture
def multiunet(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs a command line in this process, which knows no more than a new one would of what was said before."""

    def run(*words: object) -> Result:
        remark.cache_clear()
        files_with.cache_clear()
        with pytest.raises(SystemExit) as ended:
            _commands(spec.entry_points)([str(word) for word in words])
        captured = capfd.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return run
