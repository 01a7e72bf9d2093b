"""Messages name settings in backticks, as Python and YAML have them; the command line makes options of these."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiunet.domains.portable.options import ExportOptions
from multiunet.domains.sharing.options import ShareOptions
from multiunet.domains.spec import DomainSpec, domains

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "multiunet").rglob("*.py"))

SETTING = re.compile(r"`([a-z][a-z0-9_]*)(?:=[^`]*)?`")

OF_COMMANDS = {"ood", "out", "resume", "run"}
"""Arguments of functions, and options of the commands, that no settings class has."""


def known() -> set[str]:
    specs = [spec for spec in domains().values() if isinstance(spec, DomainSpec)]
    kinds = [
        kind for spec in specs for kind in (spec.train, spec.predict, spec.evaluate, spec.sample, spec.measure) if kind
    ]
    kinds += [kind for spec in specs for kind in spec.questions.values()]
    return OF_COMMANDS | {name for kind in [*kinds, ExportOptions, ShareOptions] for name in kind.model_fields}


def words(source: str) -> Iterator[str]:
    """The texts of a module that are no docstrings, whole, a placeholder as ``{}``."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | inner:
            yield node.value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_are_named_as_python_and_yaml_have_them(path: Path) -> None:
    texts = list(words(path.read_text(encoding="utf-8")))
    options = [text for text in texts if re.search(r"(?<![\w-])--[a-z{]", text)]
    assert not options, "name the setting in backticks: `task=regression`"
    unknown = {name for text in texts for name in SETTING.findall(text)} - known()
    assert not unknown, "in backticks stand settings alone"
