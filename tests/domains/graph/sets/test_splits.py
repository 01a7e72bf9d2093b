"""Splits of many graphs: by chance, by lists, in folds and by groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiunet.domains.config import validated
from multiunet.domains.graph.files.sets import read_graphs
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.graph.sets.splits import Members
from multiunet.domains.graph.sets.survey import source_of, survey
from multiunet.errors import InputError

SPLITS = ("train", "val", "test")


def members(path: Path, **settings: Any) -> Members:
    config = GraphsTrain(graphs=path, **settings)
    return survey(read_graphs(path, source_of(config)), config).members


def test_a_seeded_share_of_each_class_is_taken(save_set: Callable[..., Path]) -> None:
    y = np.r_[np.zeros(30, int), np.ones(10, int)]
    path = save_set(y=y)
    found = members(path, test_fraction=0.2, val_fraction=0.25)
    assert [np.bincount(y[found[split]]).tolist() for split in SPLITS] == [[18, 6], [6, 2], [6, 2]]
    assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(40))
    again, other = (members(path, test_fraction=0.2, val_fraction=0.25, seed=seed)["test"] for seed in (0, 1))
    assert again.tolist() == found["test"].tolist() != other.tolist()


def test_folds_test_every_graph_once_and_every_class_alike(save_set: Callable[..., Path]) -> None:
    y = np.r_[np.zeros(25, int), np.ones(15, int)]
    path = save_set(y=y)
    config = GraphsTrain(graphs=path, folds=5)
    tested = []
    for part in config.parts():
        found = members(path, folds=5, fold=part.fold)
        tested += found["test"].tolist()
        assert np.bincount(y[found["test"]]).tolist() == [5, 3]
        assert len(found["val"]) == 3  # a tenth of 20 and of 12
    assert sorted(tested) == list(range(40))


def test_splits_of_the_data_and_of_a_file(save_set: Callable[..., Path], tmp_path: Path) -> None:
    place = np.arange(40)
    masks = {f"{split}_mask": place % 3 == part for part, split in enumerate(SPLITS)}
    found = members(save_set(**masks))
    assert [found[split].tolist() for split in SPLITS] == [place[place % 3 == part].tolist() for part in range(3)]
    without_val = members(save_set(**masks | {"val_mask": None}), val_fraction=0.5)
    assert (len(without_val["train"]), len(without_val["val"])) == (6, 8)  # half of 7 and of 7
    lists = {"train": [0, 1, 2, 3, "4", "5"], "val": ["6", "7"], "test": ["39"]}
    (tmp_path / "s.json").write_text(json.dumps({"one": lists}))
    found = members(save_set(), splits=f"{tmp_path}/s.json:one")
    assert [found[split].tolist() for split in SPLITS] == [[0, 1, 2, 3, 4, 5], [6, 7], [39]]


def test_unlabelled_graphs_are_in_no_split(save_set: Callable[..., Path]) -> None:
    y = np.arange(40) % 2
    y[:6] = -1
    assert min(min(part) for part in members(save_set(y=y)).values()) >= 6


@pytest.mark.parametrize(
    ("lists", "reason"),
    [
        ({"train": [0, 99]}, "train names 1 graph not there: 99"),
        ({"train": [0, 1], "val": [1]}, "graph 1 is in val, and in train before"),
        ({"train": [0, 0]}, "graph 0 is in train, and in train before"),
        ({"train": [0], "valid": [1]}, "'valid' is not read; call this split 'val'"),
        ({"train": []}, "no labelled graph is left to validate on|no labelled graph is left to train on"),
    ],
)
def test_lists_that_do_not_fit(save_set: Callable[..., Path], tmp_path: Path, lists: dict, reason: str) -> None:
    (tmp_path / "s.json").write_text(json.dumps(lists))
    with pytest.raises(InputError, match=reason):
        members(save_set(), splits=str(tmp_path / "s.json"))


def test_two_ways_to_split_are_refused(save_set: Callable[..., Path]) -> None:
    path = save_set(split=np.array(["train", "val"] * 20))
    with pytest.raises(InputError, match="`folds` and splits of its own both say how to split"):
        members(path, folds=2, fold=0)
    with pytest.raises(InputError, match="`folds` and `splits` both say how to split"):
        validated(GraphsTrain, {"graphs": path, "folds": 2, "splits": "s.json"}, "test")
    with pytest.raises(InputError, match="`fold=3` is none of `folds=2`"):
        validated(GraphsTrain, {"graphs": path, "folds": 2, "fold": 3}, "test")
    with pytest.raises(InputError, match="`folds=41`: there are 40 labelled graphs"):
        members(save_set(), folds=41, fold=0)


def test_lists_nested_without_end_are_refused(save_set: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"s\.json: nested too deeply for lists of splits"):
        members(save_set(), splits=str(tmp_path / "s.json"))


@pytest.mark.parametrize("seed", range(4))
def test_graphs_of_a_group_stay_together(save_set: Callable[..., Path], seed: int) -> None:
    group = np.arange(40) // 4
    path = save_set(group=group)
    config = GraphsTrain(graphs=path, seed=seed)
    found = survey(read_graphs(path, source_of(config)), config)
    held = [set(group[found.members[split]].tolist()) for split in SPLITS]
    assert [len(own) for own in held] == [8, 1, 1]
    assert set().union(*held) == set(range(10))
    assert found.info.groups() == {str(graph): str(own) for graph, own in enumerate(group.tolist())}
    tested = [members(path, folds=3, fold=fold, seed=seed)["test"] for fold in range(3)]
    assert sorted(np.concatenate(tested).tolist()) == list(range(40))
    assert all(not set(group[own]) & set(group[other]) for own in tested for other in tested if own is not other)


def test_groups_by_ids(save_set: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    ids = np.array([f"protein{graph // 2}_frame{graph % 2}" for graph in range(40)])
    path = save_set(ids=ids)
    members(path)
    assert "graphs are of 20 groups" in caplog.text
    assert "`groups=^(.+?)_frame[0-9]+`" in caplog.text
    found = members(path, groups="protein[0-9]+")
    assert all(len(own) % 2 == 0 for own in found.values())
    with pytest.raises(InputError, match=r"`groups=p\[0-9\]` matches nothing in 40 names of 40"):
        members(path, groups="p[0-9]")
    with pytest.raises(InputError, match="has a column of groups, but `groups` is given, too"):
        members(save_set(group=np.arange(40) // 2), groups="[0-9]+")
