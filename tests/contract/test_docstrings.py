"""Public docstrings are plain English: a first line that says what the thing does, then shapes, errors and sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for part in ("multiunet", "cli", "datasets") for path in (ROOT / part).rglob("*.py"))

LONGEST = 100
"""Characters of a first line."""

NOT_FIRST = frozenset(
    {
        *("of", "what", "whether", "how", "another", "within", "where", "so", "as", "no", "that", "not", "which"),
        *("whose", "who", "when", "while", "if", "it", "they", "these", "those", "this", "with", "without", "by"),
        *("for", "from", "in", "on", "at", "to", "into", "between", "beside", "beyond", "and", "or", "but", "there"),
        *("here", "such", "some", "any", "is", "are", "be", "has", "have", "was", "only"),
    }
)
"""Words that begin neither a statement of what a function does nor the name of a thing."""

ODD = re.compile(r"\btold\b|\bis no [a-z]+\b")
"""Phrases that must be read twice."""

RAISED = {"InputError", "KeyError", "RunError", "TypeError", "ValueError"}
"""Errors that callers are told of."""

ARRAYS = {"Tensor", "NDArray", "ndarray"}

NUMERIC = ("losses", "metrics", "uncertainty")
"""Parts whose functions of arrays state the arrays' shapes."""

SHAPE = re.compile(r"``\([^`]*\)``|``[^`]*space``|\bscalar\b|\bshape\b|\bas in ``|\bas ``")

Documented = ast.Module | ast.ClassDef | ast.FunctionDef
Found = tuple[str, Documented, ast.ClassDef | None]


def public(tree: ast.Module) -> Iterator[Found]:
    """The module, its public classes and functions, and their public methods, each with the class it is in."""
    yield "the module", tree, None
    todo: list[tuple[str, ast.Module | ast.ClassDef]] = [("", tree)]
    while todo:
        prefix, holder = todo.pop()
        for node in holder.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
                continue
            yield prefix + node.name, node, holder if isinstance(holder, ast.ClassDef) else None
            if isinstance(node, ast.ClassDef):
                todo.append((f"{prefix}{node.name}.", node))


def may_inherit(node: Documented, holder: ast.ClassDef | None) -> bool:
    """Whether its docstring may be that of a method it overrides."""
    if isinstance(node, ast.Module):
        return not node.body
    return holder is not None and (bool(holder.bases) or node.name in ("forward", "extra_repr"))


def faults_of_first_line(line: str) -> Iterator[str]:
    word = re.split(r"[^\w`'-]", line.lstrip("`(*"), maxsplit=1)[0].lower()
    if word in NOT_FIRST:
        yield f"begins with {word!r}, not with a verb or a noun"
    if len(line) > LONGEST:
        yield f"has {len(line)} characters, more than {LONGEST}"
    if not line.rstrip().endswith((".", ":", "?")):
        yield "is not a whole sentence"
    if ODD.search(line):
        yield "has words that must be read twice"


def unsaid_errors(node: ast.FunctionDef, text: str) -> set[str]:
    """Errors that the function itself raises and does not speak of."""
    raised = {getattr(getattr(r.exc, "func", r.exc), "id", "") for r in ast.walk(node) if isinstance(r, ast.Raise)}
    return set() if "Raise" in text or "Check" in text else raised & RAISED


def takes_arrays(node: ast.FunctionDef) -> bool:
    given = [a.annotation for a in (*node.args.args, *node.args.kwonlyargs) if a.annotation is not None]
    return any(ARRAYS & {getattr(n, "id", "") for n in ast.walk(annotation)} for annotation in given)


def faults(source: str, numeric: bool = False) -> list[str]:
    found = []
    for name, node, holder in public(ast.parse(source)):
        text = ast.get_docstring(node)
        if text is None:
            if not may_inherit(node, holder):
                found.append(f"{name} has no docstring")
            continue
        found += [f"first line of {name} {fault}" for fault in faults_of_first_line(text.splitlines()[0])]
        if isinstance(node, ast.FunctionDef):
            if errors := unsaid_errors(node, text):
                found.append(f"{name} raises {', '.join(sorted(errors))} without saying so")
            of_class = "" if holder is None else ast.get_docstring(holder) or ""
            if numeric and takes_arrays(node) and not SHAPE.search(f"{text} {of_class}"):
                found.append(f"{name} takes arrays and states no shape")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_docstrings_say_plainly_what_things_do(path: Path) -> None:
    numeric = path.relative_to(ROOT).parts[1] in NUMERIC
    assert faults(path.read_text(encoding="utf-8"), numeric) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('def f():\n    """Whether it rains."""', "begins with 'whether'"),
        ('def f():\n    """Return the sum"""', "not a whole sentence"),
        ('def f():\n    """' + "Return " * 20 + '."""', "characters"),
        ('def f():\n    """Return what was told."""', "read twice"),
        ('def f():\n    """Return 1."""\n    raise ValueError("no")', "raises ValueError"),
        ("def f():\n    return 1", "has no docstring"),
    ],
)
def test_faults_are_found(source: str, fault: str) -> None:
    found = faults(f'"""Things."""\n{source}\n')
    assert len(found) == 1
    assert fault in found[0]


def test_a_shape_is_asked_of_functions_of_arrays() -> None:
    head = '"""Losses."""\ndef f(x: Tensor):\n    '
    assert faults(f'{head}"""Return the mean of ``(N, C)``."""', numeric=True) == []
    assert "states no shape" in faults(f'{head}"""Return the mean."""', numeric=True)[0]
