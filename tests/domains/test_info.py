from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from multiunet.domains.graph.info import GraphSetInfo
from multiunet.domains.info import ClassLabels, Quantities, read_json, to_json
from multiunet.errors import InputError

DIGEST = "0123456789abcdef"
CONTENT: dict[str, Any] = {
    "target": {"kind": "quantities", "names": ["y", "z"], "centre": [0.5, 2.0], "scale": [1.0, 0.25]},
    "data": DIGEST,
    "split": {"train": ["a", "b"], "val": ["c"], "test": ["d"], "unlabelled": 1},
    "content": {DIGEST: "a"},
    "nodes": 30,
    "edges": {"given": 20, "loops_dropped": 1, "repetitions_merged": 2, "reverses_added": 17, "used": 34},
    "inputs": {
        "channels": 5,
        "features": {
            "count": 2,
            "names": ["h", "w"],
            "normalization": {"kind": "column", "mean": [0.5, 1.5], "deviation": [1.0, 2.0]},
        },
        "attributes": {"count": 0, "names": None, "normalization": {"kind": "none", "mean": [], "deviation": []}},
        "tags": ["C", "N"],
        "degrees": 0,
        "positions": None,
    },
    "coarse_edges": {"kind": "two-hop", "paths": 90, "reason": "90 paths of two steps, 3 a node, cost little"},
    "level": "graph",
    "smiles": False,
    "graphs": 5,
    "largest": 9,
    "empty": 0,
    "together": {},
}

WRONG: dict[type, tuple[Any, ...]] = {
    str: (7, None, ["x"], {}),
    int: ("7", -1, 1.5, None, [1]),
    float: ("1", None, [1.0], float("nan"), float("inf")),
    bool: ("yes", 2, None),
    list: ("x", 3, {"0": 1}),
    dict: ([], "x", 3),
    type(None): (3, {}),
}
"""What must not stand in the place of a value of each type."""


def damage(content: Any, root: Any | None = None) -> Iterator[Any]:
    """Copies of the content, each with one entry of the wrong type or out of range, missing, or unknown."""
    root = content if root is None else root
    entries = list(content.items()) if isinstance(content, dict) else list(enumerate(content))
    for key, value in entries:
        for wrong in WRONG[type(value)]:
            content[key] = wrong
            yield copy.deepcopy(root)
        content[key] = value
        if isinstance(content, dict):
            del content[key]
            yield copy.deepcopy(root)
            content[key] = value
        if isinstance(value, dict | list):
            yield from damage(value, root)
    if isinstance(content, dict):
        content["unheard-of"] = 1
        yield copy.deepcopy(root)
        del content["unheard-of"]


def lacking(content: Any, mutant: Any) -> list[str]:
    """Return the dotted paths of entries that the mutant lacks; all others are the same."""
    if not isinstance(content, dict):
        assert mutant == content
        return []
    assert mutant.keys() <= content.keys()
    here = [key for key in content if key not in mutant]
    inside = [f"{key}.{path}" for key in mutant for path in lacking(content[key], mutant[key])]
    return here + inside


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Any], GraphSetInfo]:
    def read(content: Any) -> GraphSetInfo:
        (tmp_path / "dataset.json").write_text(json.dumps(content))
        return read_json(GraphSetInfo, tmp_path / "dataset.json")

    return read


def test_what_is_written_reads_back(read: Callable[[Any], GraphSetInfo]) -> None:
    info = read(CONTENT)
    assert to_json(info) == CONTENT
    assert (info.split.counts(), info.regression) == ({"train": 2, "val": 1, "test": 1}, True)
    assert info.quantities == Quantities(names=("y", "z"), centre=(0.5, 2.0), scale=(1.0, 0.25))
    with pytest.raises(TypeError, match="predicts quantities"):
        _ = info.classes


def test_every_damage_is_refused(read: Callable[[Any], GraphSetInfo]) -> None:
    mutants = [mutant for mutant in damage(copy.deepcopy(CONTENT)) if mutant != CONTENT]
    accepted, messages = [], []
    for mutant in mutants:
        try:
            read(mutant)
            accepted.append(mutant)
        except InputError as error:
            messages.append(str(error))
    assert all("dataset.json: " in words and "restore it, or train anew" in words for words in messages)
    assert len(mutants) > 250
    # no edges of two steps: other poolings have none
    assert accepted.pop(accepted.index(CONTENT | {"coarse_edges": CONTENT["coarse_edges"] | {"kind": None}}))
    # the others lack one entry that has a default, as the files of earlier versions do
    lost = [path for mutant in accepted for path in lacking(CONTENT, mutant)]
    assert lost == [
        "split.unlabelled",
        *(f"inputs.attributes.normalization.{key}" for key in ("mean", "deviation")),
        "inputs.positions",
        "together",
    ]
    assert all(lacking(to_json(read(mutant)), mutant) == [path] for mutant, path in zip(accepted, lost, strict=True))


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("split", "test"), ["a"], "'a' is listed twice"),
        (("split", "train"), [], "must have 1 or more entries"),
        (("target", "scale"), [1.0, 0.0], "must be more than 0"),
        (("target", "names"), ["y", "y"], "share a name"),
        (("target", "centre"), [1.0], "1 centres and 2 scales"),
        (("edges", "used"), 35, "do not add up"),
        (("inputs", "channels"), 6, "do not add up"),
        (("inputs", "features", "names"), ["h"], "2 columns, but 1 names"),
        (("graphs",), 3, "more than the 3 graphs"),
        (("data",), "xyz", "pattern"),
    ],
)
def test_what_contradicts_itself_is_refused(
    read: Callable[[Any], GraphSetInfo], place: tuple[str, ...], value: Any, reason: str
) -> None:
    content = copy.deepcopy(CONTENT)
    part = content
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(InputError, match=reason):
        read(content)


def test_ensembles_share_names_and_inputs_but_not_scales(read: Callable[[Any], GraphSetInfo]) -> None:
    info, other = read(CONTENT), copy.deepcopy(CONTENT)
    other["target"]["scale"] = [3.0, 4.0]
    assert read(other).shared() == info.shared()
    other["inputs"]["tags"] = ["C", "O"]
    assert read(other).shared() != info.shared()


def test_classes_have_distinct_names_and_values() -> None:
    with pytest.raises(ValueError, match="share a name"):
        ClassLabels(names=("a", "b"), values=(1, 1))
    with pytest.raises(ValueError, match="3 class names for 2"):
        ClassLabels(names=("a", "b", "c"), values=(1, 2))
