"""The suite's core with the oldest versions of all dependencies that pyproject.toml allows.

``python benchmarks/oldest_versions.py --folder DIR`` makes an environment in DIR, installs the lower bound of each
required dependency (and of the extras that are named), and runs the tests of the core, the readers and hostile files.
``--newer torch=2.13.0`` takes another version of a package, where the oldest one cannot be had on a machine.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]

BOUND = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*>=\s*([0-9][0-9a-z.]*)")

TESTS = ("pytest>=8", "pytest-xdist>=3.6.1", "networkx>=3.2")

CORE = (
    *(
        "core",
        "geometries/grid",
        "geometries/graph",
        "losses",
        "metrics",
        "tasks",
        "uncertainty",
        "training/test_loop.py",
    ),
    *("prediction/test_store.py", "domains/image/files", "domains/graph/files", "domains/genome/test_tracks.py"),
    *("domains/genome/test_fasta.py", "faults/test_hostile.py", "faults/test_found.py"),
)
"""Tests that are run, from the folder ``tests``."""


def read_bounds(requirements: Iterable[str]) -> dict[str, str]:
    """Return the lower bound of each requirement that has one.

    >>> read_bounds(["numpy>=1.26", "multiunet[export]", "jinja2>=3.1.6,<4"])
    {'numpy': '1.26', 'jinja2': '3.1.6'}
    """
    return {found[1].lower(): found[2] for one in requirements if (found := BOUND.match(one))}


def find_bounds(extras: Sequence[str], newer: Sequence[str]) -> dict[str, str]:
    """Return the versions to install, by package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    return read_bounds([*asked, *TESTS]) | dict(one.split("=", 1) for one in newer)


def install(folder: Path, bounds: dict[str, str]) -> Path:
    """Make an environment with these versions; return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    file = folder / "oldest.txt"
    file.write_text("".join(f"{name}=={version}\n" for name, version in bounds.items()))
    quiet = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*quiet, "-r", file], check=True, env=os.environ | {"PIP_CONSTRAINT": os.fspath(file)})
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--extra", action="append", default=[], help="of pyproject.toml; may be given several times")
    parser.add_argument("--newer", action="append", default=[], metavar="PACKAGE=VERSION")
    parser.add_argument("tests", nargs="*", default=CORE, help="from the folder tests")
    given = parser.parse_args()
    bounds = find_bounds(given.extra, given.newer)
    print(" ".join(f"{name}={version}" for name, version in bounds.items()), flush=True)
    python = given.folder / "bin/python"
    if not (given.folder / "oldest.txt").is_file():
        python = install(given.folder, bounds)
    paths = [ROOT, ROOT / "cli", ROOT / "datasets"]
    command = [python, "-m", "pytest", "-q", "-n", "0", "-m", "not slow and not realdata", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(ROOT / "tests" / one for one in given.tests)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
    )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
