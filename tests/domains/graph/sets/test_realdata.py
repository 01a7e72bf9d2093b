from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.graph.files.sets import read_graphs
from multiunet.domains.graph.info import NOT_NORMALIZED
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.graph.sets.survey import Survey, source_of, survey

pytestmark = pytest.mark.realdata


def surveyed(config: GraphsTrain) -> Survey:
    return survey(read_graphs(config.graphs, source_of(config)), config)


def test_proteins_and_mutag_are_read_whole(data_folder: Path) -> None:
    for name, graphs, nodes, tags, largest in (("proteins", 1113, 43471, 3, 620), ("mutag", 188, 3371, 7, 28)):
        path = data_folder / f"graphs/{name}.npz"
        known = surveyed(GraphsTrain(graphs=path, folds=10, fold=3))
        given = np.load(path)
        assert (len(known.graphs), known.info.nodes, known.info.inputs.channels) == (graphs, nodes, tags)
        assert known.info.largest == largest
        assert known.info.edges.used == given["edge_index"].shape[1]
        assert [int(target) for target in known.targets] == given["y"].tolist()
        assert sum(len(members) for members in known.members.values()) == graphs


def test_solubility_is_read_whole(data_folder: Path) -> None:
    pytest.importorskip("rdkit")
    label = "measured log solubility in mols per litre"
    path = data_folder / "graphs/esol.csv"
    known = surveyed(GraphsTrain(graphs=path, smiles="smiles", label_column=label, task="regression"))
    assert len(known.graphs) == 1128
    assert known.info.quantities.names == (label,)
    assert {field.edge_attr.shape[1] for field in known.fields} == {known.info.inputs.attributes.count}
    assert known.info.inputs.features.normalization == NOT_NORMALIZED
    assert np.mean([float(target) for target in known.targets]) == pytest.approx(-3.05, abs=0.01)
