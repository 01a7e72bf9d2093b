"""Bad sets of graphs, from the command line: exit code 3, the file, the reason, the fix; nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from multiunet_datasets import synthetic

SET = ["--graphs", "graphs.npz"]
MOLECULES = ["--graphs", "m.csv", "--smiles", "smiles", "--label-column", "y"]
CHAINS = "".join(f"{'C' * n},{n % 2}\n" for n in range(1, 13))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good graphs, as arrays, as a folder and as molecules."""
    monkeypatch.chdir(tmp_path)
    synthetic.write_graph_set(tmp_path, 20)
    Path("m.csv").write_text(f"smiles,y\n{CHAINS}")
    Path("set").mkdir()
    for place in range(12):
        np.savez(f"set/g{place}.npz", x=np.ones((2, 3)), edge_index=np.array([[0], [1]]))
    Path("set/labels.csv").write_text("id,label\n" + "".join(f"g{place},{place % 2}\n" for place in range(12)))
    return tmp_path


def rewrite(**changes: Callable[[Any], Any]) -> None:
    with np.load("graphs.npz", allow_pickle=False) as file:
        content = dict(file)
    for key, change in changes.items():
        content[key] = change(content.get(key))
    np.savez("graphs.npz", **{key: value for key, value in content.items() if value is not None})


def append(path: str, text: str) -> None:
    Path(path).write_text(Path(path).read_text() + text)


def alone(y: np.ndarray) -> np.ndarray:
    y = y.copy()
    y[7] = 5
    return y


CASES: list[tuple[str, Callable[[], object], list[str], list[str]]] = [
    ("no file", lambda: Path("graphs.npz").unlink(), SET, ["graphs.npz", "no such file"]),
    ("an empty set", lambda: rewrite(graph_ptr=lambda _: np.array([0])), SET, ["graphs.npz", "has no graph"]),
    ("one graph", lambda: rewrite(graph_ptr=lambda _: None), SET, ["graphs.npz", "graph_ptr", "train graph"]),
    ("NaN attributes", lambda: rewrite(edge_attr=lambda a: a * np.nan), SET, ["graphs.npz", "edge_attr", "finite"]),
    ("no labels", lambda: rewrite(y=lambda _: None), SET, ["graphs.npz", "no labels", "save them as y"]),
    ("a class of one graph", lambda: rewrite(y=alone), SET, ["class 5", "one graph only", "7"]),
    ("pickled objects", lambda: rewrite(y=lambda y: y.astype(object)), SET, ["graphs.npz", "unpickled"]),
    ("ids twice", lambda: rewrite(ids=lambda _: np.array(["a", "b"] * 10)), SET, ["more than once: a b"]),
    ("an edge between graphs", lambda: rewrite(graph_ptr=lambda p: p - (p == p[1])), SET, ["one graph to another"]),
    ("too many folds", lambda: None, [*SET, "--folds", "30"], ["--folds 30", "20"]),
    ("an unknown readout", lambda: None, [*SET, "--readout", "median"], ["readout", "mean"]),
    ("an empty folder", lambda: Path("none").mkdir(), ["--graphs", "none"], ["none", "has no graph"]),
    (
        "other features",
        lambda: np.savez("set/g7.npz", x=np.ones((2, 4)), edge_index=np.array([[0], [1]])),
        ["--graphs", "set"],
        ["g7.npz", "4 features", "3"],
    ),
    ("a label of no graph", lambda: append("set/labels.csv", "g99,1\n"), ["--graphs", "set"], ["labels.csv", "g99"]),
    ("a graph of no label", lambda: Path("set/g5.npz").rename("set/h.npz"), ["--graphs", "set"], ["labels.csv", "g5"]),
    ("an id twice", lambda: append("set/labels.csv", "g3,1\n"), ["--graphs", "set"], ["labels.csv", "g3"]),
    ("no such label column", lambda: None, ["--graphs", "set", "--label-column", "kind"], ["kind", "--label-column"]),
    ("a molecule table without --smiles", lambda: None, ["--graphs", "m.csv"], ["m.csv", "--smiles"]),
    ("no such SMILES column", lambda: None, [*MOLECULES[:3], "structure"], ["'structure'", "smiles", "--smiles"]),
    (
        "SMILES that are none",
        lambda: append("m.csv", "C1CC,1\nCF(C)C,0\n"),
        MOLECULES,
        ["m.csv", "2 of 14", "line 14", "C1CC", "line 15", "valence"],
    ),
    (
        "labels that are quantities",
        lambda: append("m.csv", "CCO,1.5\n"),
        MOLECULES,
        ["m.csv", "--task regression"],
    ),
    ("words as quantities", lambda: append("m.csv", "CCO,much\n"), [*MOLECULES, "--task", "regression"], ["numbers"]),
]


@pytest.mark.parametrize(("spoil", "words", "named"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.usefixtures("here")
def test_bad_sets_are_named_and_leave_nothing(
    spoil: Callable[[], object], words: list[str], named: list[str], multiunet: Callable
) -> None:
    if "--smiles" in words:
        pytest.importorskip("rdkit")
    spoil()
    before = sorted(Path().rglob("*"))
    done = multiunet("train", "graphs", *words, "--out", "run")
    assert done.code == 3, done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    for word in named:
        assert word in done.err.replace(",", "")
    assert sorted(Path().rglob("*")) == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("words", [SET, ["--graphs", "set"], MOLECULES], ids=["arrays", "folder", "molecules"])
def test_the_sets_are_good_before_they_are_spoilt(words: list[str], multiunet: Callable) -> None:
    if "--smiles" in words:
        pytest.importorskip("rdkit")
    done = multiunet("train", "graphs", *words, "--out", "run", "--dry-run")
    assert done.code == 0, done.err
