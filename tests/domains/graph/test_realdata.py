"""Real graphs: that they are read and split as published, and what the restricted two-hop product saves on one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from multiunet.domains.graph import baselines
from multiunet.domains.graph.info import Normalization
from multiunet.domains.graph.labels import UNKNOWN
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.survey import survey
from multiunet.errors import InputError
from multiunet.geometries.graph.edges import TwoHop
from multiunet.tasks import Segmentation

pytestmark = pytest.mark.realdata


def test_cora_public_split(data_folder: Path) -> None:
    known = survey(GraphTrain(graph=data_folder / "graphs/cora.npz"))
    assert known.info.split.counts() == {"train": 140, "val": 500, "test": 1000}
    assert known.info.classes.names == tuple(map(str, range(7)))
    assert known.info.edges.used == 10_556
    assert known.info.edges.reverses_added == 0
    assert known.info.inputs.features.normalization == Normalization(kind="row")
    assert known.field.x.is_sparse
    test = torch.from_numpy(known.masks["test"])
    task = Segmentation(known.info.classes.names, ignore_index=UNKNOWN)
    name, level = baselines.constant(known.target[known.masks["train"]], task)
    assert name == "majority"
    right = (level.argmax() == known.target)[test]
    assert float(right.float().mean()) == pytest.approx(0.13)  # the training nodes are balanced: a tie


def test_restricted_two_hops_of_cora_are_the_full_square_sliced(data_folder: Path) -> None:
    field = survey(GraphTrain(graph=data_folder / "graphs/cora.npz")).field
    nodes = field.x.shape[0]
    kept = torch.randperm(nodes, generator=torch.Generator().manual_seed(0))[: nodes // 2].sort().values
    edges, _ = TwoHop()(field, kept, torch.zeros(len(kept)))
    a = torch.eye(nodes)
    a[field.edge_index[1], field.edge_index[0]] = 1
    square = a @ a
    square.fill_diagonal_(0)
    target, source = torch.nonzero(square[kept][:, kept], as_tuple=True)
    assert set(map(tuple, edges.T.tolist())) == set(zip(source.tolist(), target.tolist()))
    assert edges.shape[1] / int(square.count_nonzero()) == pytest.approx(0.25, abs=0.05)


def test_minesweeper_has_ten_splits(data_folder: Path) -> None:
    path = data_folder / "graphs/minesweeper.npz"
    masks = np.load(path)
    known = survey(GraphTrain(graph=path, split_index=7))
    for split in ("train", "val", "test"):
        np.testing.assert_array_equal(known.masks[split], masks[f"{split}_masks"][7])  # type: ignore[index]
    assert known.info.edges.used == 2 * len(masks["edges"])
    with pytest.raises(InputError, match="10 splits"):
        survey(GraphTrain(graph=path, split_index=10))


def test_structure_alone_is_no_graph_to_learn_from(data_folder: Path) -> None:
    with pytest.raises(InputError, match=r"pubmed_edges\.npz: has no x"):
        survey(GraphTrain(graph=data_folder / "graphs/pubmed_edges.npz"))
