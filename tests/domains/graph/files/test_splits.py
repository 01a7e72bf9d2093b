"""Splits under the names that other libraries give them: read, or refused by name, never passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.files.splits import split_of_name, split_of_word
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.survey import survey
from multiunet.errors import InputError

NODES = 24
PARTS = (("train", 0), ("val", 1), ("test", 2))
NONE = {"train_mask": None, "val_mask": None, "test_mask": None}


def members(part: int) -> np.ndarray:
    return np.arange(part, NODES, 3)


def check(path: Path) -> None:
    """Every node is where the ring of conftest puts it: node i in the split i % 3."""
    graph = read_graph(path, Columns())
    assert {split: np.flatnonzero(mask).tolist() for split, mask in graph.masks.items()} == {
        split: members(part).tolist() for split, part in PARTS
    }


@pytest.mark.parametrize(
    "names",
    [
        ("train_idx", "valid_idx", "test_idx"),
        ("train_index", "val_index", "test_index"),
        ("idx_train", "idx_val", "idx_test"),
        ("train_nodes", "dev_nodes", "test_nodes"),
        ("train", "validation", "test"),
        ("trainIdx", "validIdx", "testIdx"),
        ("split_idx_train", "split_idx_valid", "split_idx_test"),
    ],
)
def test_lists_of_node_numbers(save: Callable[..., Path], names: tuple[str, ...]) -> None:
    lists = {name: np.random.default_rng(0).permutation(members(part)) for part, name in enumerate(names)}
    check(save(**NONE, **lists))
    check(save(**NONE, **{name: numbers[:, None] for name, numbers in lists.items()}))


@pytest.mark.parametrize("names", [("train_mask", "valid_mask", "test_mask"), ("train", "val", "test")])
@pytest.mark.parametrize("kind", [bool, np.uint8])
def test_masks_under_other_names(save: Callable[..., Path], names: tuple[str, ...], kind: type) -> None:
    masks = {name: np.isin(np.arange(NODES), members(part)).astype(kind) for part, name in enumerate(names)}
    check(save(**NONE | masks))


def test_a_word_for_each_node(save: Callable[..., Path]) -> None:
    words = np.array(["train", "valid", "test"])[np.arange(NODES) % 3]
    check(save(**NONE, split=words))
    check(save(**NONE, node_split=words.astype("S")))


def test_a_dict_of_splits_in_a_pt(save: Callable[..., Path], tmp_path: Path) -> None:
    arrays = dict(np.load(save(**NONE)))
    content: dict[str, Any] = {name: torch.from_numpy(array) for name, array in arrays.items()}
    content["split_idx"] = {
        name: torch.from_numpy(members(part)) for name, part in zip(("train", "valid", "test"), range(3))
    }
    torch.save(content, tmp_path / "g.pt")
    check(tmp_path / "g.pt")
    del content["split_idx"]
    torch.save(content | {f"{split}_idx": members(part).tolist() for split, part in PARTS}, tmp_path / "lists.pt")
    check(tmp_path / "lists.pt")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"y_train": np.zeros(4)}, "y_train may say how to split, but cannot be read; name masks or lists"),
        ({"folds": np.zeros(NODES, int)}, "folds may say how to split"),
        ({"split": np.zeros(NODES, int)}, "split of node 0 is '0'; it must be train, val, test or empty"),
        ({"train_idx": np.array([0, 24])}, r"train_idx names node 24, but there are 24, 0\.\.23"),
        ({"train_idx": np.array([3, 3])}, "train_idx names node 3 more than once"),
        ({"train_idx": np.ones(NODES, int)}, "train_idx names node 1 more than once"),
        ({"train_idx": np.array([0.0, 1.0])}, "train_idx .* must be a list of node numbers"),
        ({"train_idx": np.array([0]), "train_mask": np.ones(NODES, bool)}, "contradict each other"),
        ({"train_idx": np.array([{}])}, "train_idx is an array of Python objects"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name(save: Callable[..., Path], changes: dict, reason: str) -> None:
    path = save(**NONE | changes)
    with pytest.raises(InputError, match=f"{path}: .*{reason}"):
        read_graph(path, Columns())


def test_what_is_not_read_beside_a_split_is_said(save: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    read_graph(save(y_train=np.zeros(4), pos=np.zeros((NODES, 2)), features=np.zeros((NODES, 2))), Columns())
    assert "not read: y_train; the split is that of train_mask, val_mask, test_mask" in caplog.text
    assert "not read: features (x is), pos" in caplog.text


def test_test_nodes_are_never_trained_on(save: Callable[..., Path]) -> None:
    path = save(**NONE, train_idx=members(0)[:4], valid_idx=members(1), test_idx=members(2))
    masks = survey(GraphTrain(graph=path)).masks
    assert [int(masks[split].sum()) for split, _ in PARTS] == [4, 8, 8]
    assert not masks["train"][members(2)].any()


HEAD, EDGES = "id,f,label", "source,target\n0,1\n"


def test_masks_in_a_table_are_not_features(tables: Callable[..., Path]) -> None:
    rows = "".join(
        f"{i},{i / 2},{i % 2},{i % 3 == 0},{int(i % 3 == 1)},{str(i % 3 == 2).lower()}\n" for i in range(NODES)
    )
    folder = tables(f"{HEAD},train_mask,val_mask,test_mask\n{rows}", EDGES)
    check(folder)
    assert read_graph(folder, Columns()).features == ("f",)
    folder = tables(f"{HEAD},train_mask\n0,1,a,1\n1,2,b,2\n", EDGES)
    with pytest.raises(InputError, match=r"nodes\.csv, line 3: train_mask is '2'; a mask is 0, 1, true or false"):
        read_graph(folder, Columns())


def test_a_split_in_another_column_is_not_a_feature(tables: Callable[..., Path]) -> None:
    rows = "".join(f"{i},{i / 2},{i % 2},{('training', 'dev', 'testing')[i % 3]}\n" for i in range(NODES))
    with pytest.raises(
        InputError, match=r"column 'subset' names splits \(dev, testing, training\).*`split_column=subset`"
    ):
        read_graph(tables(f"{HEAD},subset\n{rows}", EDGES), Columns())
    graph = read_graph(tables(f"{HEAD},subset\n{rows}", EDGES), Columns(split="subset"))
    assert np.flatnonzero(graph.masks["val"]).tolist() == members(1).tolist()


def test_files_beside_the_tables_are_not_passed_over(
    tables: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tables(f"{HEAD}\n0,1,a\n1,2,b\n", EDGES)
    (folder / "notes.txt").write_text("by hand")
    read_graph(folder, Columns())
    assert "network: not read: notes.txt" in caplog.text
    (folder / "train_idx.csv").write_text("0\n")
    with pytest.raises(InputError, match=r"network: train_idx\.csv may say how to split"):
        read_graph(folder, Columns())
    tables(f"{HEAD},split\n0,1,a,train\n1,2,b,val\n", EDGES)
    assert read_graph(folder, Columns()).masks["train"].tolist() == [True, False]


def test_splits_of_graphs(save_set: Callable[..., Path], folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = Source(Columns(), None, "graph")
    numbers = np.arange(40)
    found = read_graphs(save_set(train_idx=numbers[:20], valid_idx=numbers[20:30], test_idx=numbers[30:]), source)
    assert found.splits is not None
    assert found.splits.tolist() == ["train"] * 20 + ["val"] * 10 + ["test"] * 10
    (folder / "labels.csv").write_text("id,label,set\none,a,train\ntwo,b,test\nthree,a,train\n")
    with pytest.raises(InputError, match=r"labels\.csv: the column 'set' names splits"):
        read_graphs(folder, source)
    (folder / "labels.csv").write_text("id,label,train_mask,val_mask\none,a,1,0\ntwo,b,0,1\nthree,a,1,0\n")
    found = read_graphs(folder, source)
    assert found.splits is not None
    assert dict(zip(found.ids, found.splits)) == {"one": "train", "two": "val", "three": "train"}
    for name, rows in (("one", 4), ("two", 5)):
        text = "".join(f"n{i},{i},head,train\n" for i in range(rows))
        (folder / name / "nodes.csv").write_text(f"id,height,node_tag,split\n{text}")
    assert read_graphs(folder, source).features == ("height",)
    assert "graphs are split here, not nodes: split not read" in caplog.text


def test_names_and_words() -> None:
    assert [split_of_name(name) for name in ("train_mask", "testIds", "x_train", "latest", "train_test")] == [
        "train", "test", None, None, None,
    ]  # fmt: skip
    assert [split_of_word(word) for word in ("Train", "VALID", "NA", "", "later")] == ["train", "val", "", "", None]
