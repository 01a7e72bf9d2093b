from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiunet.domains.graph.files.tables import numbers_of_labels
from multiunet.domains.graph.labels import index_classes, list_classes, read_quantities
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.survey import survey
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError

FILE = Path("g.npz")
NODES = 24


@pytest.mark.parametrize(
    ("y", "values", "indices"),
    [
        (np.array([5, 2, 5, -1]), [2, 5], [1, 0, 1, -1]),
        (np.array([0.0, np.nan, 3.0]), [0, 3], [0, -1, 1]),
        (np.array([True, False]), [0, 1], [1, 0]),
        (np.array([3, 0], dtype=np.uint8), [0, 3], [1, 0]),
        (np.array(["dog", "", "cat"]), ["cat", "dog"], [1, -1, 0]),
        (np.array(["10", "9", "10"]), ["9", "10"], [1, 0, 1]),
        (np.array(["3", "-1", "", "0"]), ["0", "3"], [1, -1, -1, 0]),
    ],
)
def test_labels_become_classes_in_ascending_order(y: np.ndarray, values: list, indices: list[int]) -> None:
    assert list_classes(FILE, y) == values
    assert index_classes(y, values).tolist() == indices


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.array([0.5, 1.0]), r"holds 0\.5, which is no class; for quantities pass `task=regression`"),
        (np.array([0, -3, 1]), r"holds the label -3; classes are 0 or more"),
        (np.array(["0", "-3", "1"]), r"holds the label -3; classes are 0 or more"),
        (np.array([4, 4, -1]), r"only the class 4; two classes are needed"),
        (np.array([-1, -1]), r"no label; two classes are needed"),
        (np.array(["", "a"]), r"only the class 'a'"),
        (np.zeros((3, 2), dtype=int), r"a node has one class"),
        (np.array([1j, 2j]), r"type complex128"),
        (np.arange(70_000), r"70000 different labels; are they quantities"),
    ],
)
def test_what_is_no_class(y: np.ndarray, reason: str) -> None:
    with pytest.raises(InputError, match=rf"g\.npz: y .*{reason}"):
        list_classes(FILE, y)


def test_quantities() -> None:
    np.testing.assert_array_equal(read_quantities(FILE, np.array([1, 2])), [[1], [2]])
    np.testing.assert_array_equal(read_quantities(FILE, np.array(["1.5", ""])), [[1.5], [np.nan]])
    with pytest.raises(InputError, match="y of node 1 is inf"):
        read_quantities(FILE, np.array([0, np.inf]))
    with pytest.raises(InputError, match="node 0: the label is 'tall', not a number; for `task=regression`"):
        read_quantities(FILE, np.array(["tall", "1"]))


def masks(path: Path, **settings: Any) -> dict[str, np.ndarray]:
    return survey(GraphTrain(graph=path, **settings)).masks  # type: ignore[return-value]


def test_masks_of_the_file_are_used(save: Callable[..., Path]) -> None:
    found = masks(save())
    for part, split in enumerate(SPLITS):
        assert np.flatnonzero(found[split]).tolist() == list(range(part, NODES, 3))


def test_masks_of_zeros_and_ones_and_of_several_splits(save: Callable[..., Path]) -> None:
    place = np.arange(NODES)
    several = {f"{split}_mask": None for split in SPLITS}
    for part, split in enumerate(SPLITS):
        several[f"{split}_masks"] = np.stack([(place + s) % 3 == part for s in range(5)]).astype(np.uint8)
    assert np.flatnonzero(masks(save(**several), split_index=2)["train"]).tolist() == list(range(1, NODES, 3))
    assert np.flatnonzero(masks(save(**several))["train"]).tolist() == list(range(0, NODES, 3))
    turned = {name: None if array is None else array.T for name, array in several.items()}
    assert np.flatnonzero(masks(save(**turned), split_index=2)["train"]).tolist() == list(range(1, NODES, 3))
    with pytest.raises(InputError, match=r"holds 5 splits, 0\.\.4; `split_index=5`"):
        masks(save(**several), split_index=5)


def test_unlabelled_nodes_are_in_no_split(save: Callable[..., Path]) -> None:
    y = np.arange(NODES) % 2
    y[:6] = -1
    assert not any(mask[:6].any() for mask in masks(save(y=y)).values())


def test_without_masks_a_seeded_share_of_each_class_is_taken(save: Callable[..., Path]) -> None:
    without = {"train_mask": None, "val_mask": None, "test_mask": None}
    y = np.r_[np.zeros(14, int), np.ones(10, int)]
    path = save(**without, y=y)
    found = masks(path, val_fraction=0.25, test_fraction=0.5)
    assert [int(found[split].sum()) for split in SPLITS] == [9, 3, 12]
    assert [int(found["test"][y == label].sum()) for label in (0, 1)] == [7, 5]
    assert (sum(mask.astype(int) for mask in found.values()) == 1).all()
    again, other = (masks(path, val_fraction=0.25, test_fraction=0.5, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(found["train"], again["train"])
    assert (found["train"] != other["train"]).any()


def test_a_missing_val_mask_is_taken_from_training(save: Callable[..., Path]) -> None:
    found = masks(save(val_mask=None), val_fraction=0.5)
    assert int(found["train"].sum()) == int(found["val"].sum()) == 4
    assert np.flatnonzero(found["test"]).tolist() == list(range(2, NODES, 3))
    assert not masks(save(test_mask=None))["test"].any()


def one(*nodes: int) -> np.ndarray:
    return np.isin(np.arange(NODES), nodes)


TWO = np.array([0, 1, *[-1] * 22])


@pytest.mark.parametrize(
    ("changes", "settings", "reason"),
    [
        ({"val_mask": one(0, 3, 1)}, {}, r"2 nodes are both train and val, such as node 0"),
        ({"train_mask": one()}, {}, r"the train mask holds no labelled node \(0 marked, 24 labelled in all\)"),
        ({"val_mask": one()}, {}, r"the val mask holds no labelled node"),
        ({"train_mask": None}, {}, r"has val and test masks but none of train"),
        ({"train_mask": np.ones(23, bool)}, {}, r"the train mask has the shape \(23,\) for 24 nodes"),
        ({"train_mask": np.arange(NODES)}, {}, r"must be true or false for each node"),
        ({"train_mask": np.full(NODES, 0.5)}, {}, r"must be true or false for each node"),
        (
            {"train_mask": None, "val_mask": None, "test_mask": None, "y": TWO},
            {},
            r"no labelled node is left to validate on \(2 of 24 are labelled\); label more",
        ),
        ({}, {"split_index": 1}, r"holds one split; leave `split_index` out"),
        (
            {"train_mask": None, "val_mask": None, "test_mask": None},
            {"split_index": 1},
            r"has no masks for `split_index=1`",
        ),
    ],
)
def test_bad_masks(save: Callable[..., Path], changes: dict, settings: dict, reason: str) -> None:
    path = save(**changes)
    with pytest.raises(InputError, match=rf"{path}.*{reason}"):
        masks(path, **settings)


@pytest.mark.parametrize("missing", ["", "NA", "N/A", "NaN", "nan", "None", "null", "-1"])
@pytest.mark.parametrize("classes", [("cat", "dog"), ("0", "1")])
def test_one_set_of_words_for_what_is_not_known(missing: str, classes: tuple[str, str]) -> None:
    y = np.array([classes[0], missing, classes[1]])
    values = list_classes(Path("g"), numbers_of_labels(y))
    assert values == list(classes)
    assert index_classes(numbers_of_labels(y), values).tolist() == [0, -1, 1]
    if missing != "-1":
        numbers = read_quantities(Path("g"), numbers_of_labels(np.array(["1.5", missing, "-1"])))
        np.testing.assert_array_equal(numbers[:, 0], [1.5, np.nan, -1])
