"""The project as files: version, packages, no pickle, no stray modules."""

from __future__ import annotations

import ast
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SOURCES = [path for top in ("multiunet", "cli", "datasets") for path in sorted((ROOT / top).rglob("*.py"))]


def test_installed_packages_are_the_three_and_shadow_nobody() -> None:
    mine = {name for name, owners in packages_distributions().items() if "multiunet" in owners}
    assert mine <= {"multiunet", "multiunet_cli", "multiunet_datasets"}
    assert version("multiunet") == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pickle_is_loaded_and_no_address_is_opened(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name == "torch.load":
                assert arguments.get("weights_only") == "True", f"{path}:{node.lineno}"
            if name in ("np.load", "numpy.load"):
                assert arguments.get("allow_pickle") == "False", f"{path}:{node.lineno}"
            assert name not in ("pickle.load", "yaml.load", "eval", "exec"), f"{path}:{node.lineno}"
            if name == "pickle.loads":  # what it has itself just dumped
                assert path.name == "conformance.py"
        if isinstance(node, ast.Import) and path.name != "fetching.py":  # of `multiunet data get`, with an address
            # processes that train together are connected
            connected = {"socket"} if path.parent.name == "processes" else set()
            assert not {"requests", "urllib", "http", "socket"} - connected & {alias.name for alias in node.names}


def test_every_page_has_a_place_in_the_site() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    placed: list[str] = []

    def gather(part: Any) -> None:
        if isinstance(part, str):
            placed.append(part)
        for inner in part if isinstance(part, list) else part.values() if isinstance(part, dict) else ():
            gather(inner)

    gather(nav)
    assert len(placed) == len(set(placed))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= set(placed)
