from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiunet.domains import inference, training
from multiunet.domains.config import validated
from multiunet.domains.graph.features.content import hash_field
from multiunet.domains.graph.features.inputs import edges_of, fields_of
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.files.molecules import ATOM_FEATURES, BOND_FEATURES
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.info import NOT_NORMALIZED, FeatureInfo, Inputs
from multiunet.domains.graph.labels import read_quantities
from multiunet.domains.graph.sets.config import GraphsPredict, GraphsTrain
from multiunet.domains.graph.sets.survey import source_of, survey
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

pytest.importorskip("rdkit")


def read(path: Path, column: str = "smiles", labelled: bool = True) -> GraphSet:
    return read_graphs(path, Source(Columns(labels=("y",)), column, "graph"), labelled)


@pytest.fixture
def table(tmp_path: Path) -> Any:
    def write(*rows: str, header: str = "smiles,y") -> Path:
        (tmp_path / "m.csv").write_text("\n".join([header, *rows]) + "\n")
        return tmp_path / "m.csv"

    return write


def said(row: np.ndarray, names: tuple[str, ...]) -> set[str]:
    return {name for name, value in zip(names, row) if value}


def test_a_molecule_by_hand(table: Any) -> None:
    """Acetate: a methyl group, a carbon with a double bond to oxygen, a negative oxygen; then benzene; then argon."""
    found = read(table("CC(=O)[O-],1", "c1ccccc1,2", "[Ar],"))
    assert found.ids == ("1", "2", "3")
    assert np.diff(found.starts).tolist() == [4, 6, 1]
    atoms = [said(row, ATOM_FEATURES) for row in found.x]
    assert atoms[0] == {"C", "1 neighbours", "3 hydrogens", "SP3"}
    # in rdkit's order of atoms, not that of the text
    assert atoms[1] == {"O", "1 neighbours", "0 hydrogens", "SP2"}
    assert {"O", "negative"} <= atoms[2]
    assert atoms[4] == {"C", "2 neighbours", "1 hydrogens", "SP2", "aromatic", "in a ring"}
    assert {"other element", "0 neighbours"} <= atoms[10]
    assert found.edges[:, :6].T.tolist() == [[0, 3], [3, 0], [3, 1], [1, 3], [3, 2], [2, 3]]
    bonds = [said(row, BOND_FEATURES) for row in found.attributes.values]
    assert bonds[0] == {"SINGLE"}
    assert "DOUBLE" in bonds[2]
    assert bonds[6] == {"AROMATIC", "conjugated", "in a ring"}
    assert len(bonds) == 2 * (3 + 6)
    assert found.y.tolist() == ["1", "2", ""]


def test_smiles_that_cannot_be_read_are_all_named_with_their_reason(table: Any) -> None:
    path = table("CC,1", "C1CC,1", "CF(C)C,1", ",1", "CCO,2")
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: 3 of 5 SMILES cannot be read: line 3, 'C1CC': unclosed ring; ")
    assert "line 4, 'CF(C)C': Explicit valence for atom # 1 F" in message
    assert "line 5, '': is empty" in message


def test_nothing_is_said_on_the_terminal_and_places_are(table: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"'CCX': syntax error around position 3; line 3, 'c1cccc1': Can't kekulize"):
        read(table("CCX,1", "c1cccc1,2"))
    assert capfd.readouterr() == ("", "")


def test_only_the_first_few_are_listed(table: Any) -> None:
    with pytest.raises(InputError, match=r"8 of 8 SMILES .* and 3 more"):
        read(table(*["X,1"] * 8))


def test_bad_tables(table: Any) -> None:
    with pytest.raises(InputError, match="has no column 'structure' but smiles, y; pass `smiles`"):
        read(table("C,1"), column="structure")
    with pytest.raises(InputError, match="has no column 'y' but smiles; pass `label_column`"):
        read(table("C", header="smiles"))
    assert len(read(table("C", header="smiles"), labelled=False)) == 1
    with pytest.raises(InputError, match="1 ids are there more than once: a"):
        read(table("C,1,a", "CC,2,a", header="smiles,y,id"))
    with pytest.raises(InputError, match="has no column 'name' but smiles, y; pass `id_column`"):
        read_graphs(table("C,1"), Source(Columns(id="name", labels=("y",)), "smiles", "graph"))
    with pytest.raises(InputError, match="has no line below its header"):
        read(table())
    with pytest.raises(InputError, match="is a folder; `smiles` is a column of a CSV"):
        read(table().parent)


def test_without_rdkit_the_extra_is_named(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refusing(name: str, *rest: Any) -> Any:
        if name == "rdkit":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(InputError, match=r"rdkit, which is not installed; pip install 'multiunet\[molecules\]'"):
        read(table("C,1"))


@pytest.mark.parametrize(
    "text", ["OCC(C)(C)c1ccc(N)cc1", "C1CC2CCC1CC2", "CC(=O)[O-]", "c1ccc2ccccc2c1", "C12C3C4C1C5C2C3C45"]
)
def test_however_a_molecule_is_written_its_graph_is_the_same(table: Any, text: str) -> None:
    """Atoms that only their place in the molecule tells apart are kept by their number."""
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(text)
    written = {Chem.MolToSmiles(molecule, doRandom=True) for _ in range(20)}
    atoms, bonds = (
        FeatureInfo(count=len(features), names=None, normalization=NOT_NORMALIZED)
        for features in (ATOM_FEATURES, BOND_FEATURES)
    )
    inputs = Inputs(channels=atoms.count, features=atoms, attributes=bonds)
    graphs = read(table(*(f"{smiles},1" for smiles in sorted(written))))
    fields = fields_of(graphs, inputs, edges_of(graphs, undirected=True))
    assert len(written) > 2
    assert len({hash_field(field) for field in fields}) == 1


def test_what_cannot_be_read_is_left_out_if_wanted(table: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = table("CC,1", "C1CC,2", "CCO,3")
    found = read_graphs(path, Source(Columns(labels=("y",)), "smiles", "graph", skip=True))
    assert (found.ids, found.y.tolist()) == (("1", "3"), ["1", "3"])
    assert "1 of 3 SMILES cannot be read and are left out: line 3, 'C1CC': unclosed ring" in caplog.text
    with pytest.raises(InputError, match="1 of 1 SMILES cannot be read: line 2, 'X': "):
        read_graphs(table("X,1"), Source(Columns(labels=("y",)), "smiles", "graph", skip=True))


def test_molecules_on_both_sides_of_a_split_are_told(table: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = table("CCO,1,train", "CCC,2,train", "OCC,1,val", "CCN,2,test", header="smiles,y,split")
    config = GraphsTrain(graphs=path, smiles="smiles", label_column="y", task="regression")
    survey(read_graphs(path, source_of(config)), config)
    assert "1 of the 2 graphs to validate and test on are the same as training graphs: 3;" in caplog.text


def test_new_molecules_without_ids_are_numbered(table: Any, tmp_path: Path) -> None:
    rows = [f"{'C' * size},{size},m{size}" for size in range(1, 13)]
    path = table(*rows, header="smiles,y,name")
    config = GraphsTrain(graphs=path, smiles="smiles", label_column="y", id_column="name", task="regression",
                         epochs=1, widths=[8, 8])  # fmt: skip
    training.train("graphs", config, tmp_path / "run", progress=Progress())
    new = tmp_path / "new.csv"
    new.write_text("smiles\nCC\nC1\nCO\n")
    options = GraphsPredict(graphs=new, samples=1, skip_invalid=True)
    inference.predict(tmp_path / "run", options, tmp_path / "p.zarr")
    assert open_prediction(tmp_path / "p.zarr")["new"]["graph"].values.tolist() == ["1", "3"]
    with pytest.raises(InputError, match="has no column 'name' but smiles; pass `id_column`"):
        inference.predict(tmp_path / "run", GraphsPredict(graphs=new, id_column="name"), tmp_path / "q.zarr")


def test_censored_values_are_named_with_their_line(table: Any) -> None:
    path = table("CC,0.5", "", "CO,>7", "C1,1")
    graphs = read_graphs(path, Source(Columns(labels=("y",)), "smiles", "graph", skip=True))
    with pytest.raises(InputError, match=rf"^{path}, line 4: the label is '>7', not a number"):
        read_quantities(graphs.path, graphs.y, "graph", graphs.place)


def test_molecules_of_one_scaffold_stay_together(table: Any) -> None:
    """Benzenes by their side chain, biphenyls, pyridines, and chains without rings."""
    kinds = [f"c1ccccc1{'C' * n}" for n in range(6)], [f"c1ccc(cc1)-c1ccccc1{'C' * n}" for n in range(4)]
    others = [f"c1ccncc1{'C' * n}" for n in range(4)], [f"CC{'C' * n}" for n in range(6)]
    smiles = [one for kind in (*kinds, *others) for one in kind]
    path = table(*(f"{one},{place}" for place, one in enumerate(smiles)))
    settings: dict[str, Any] = {"smiles": "smiles", "label_column": "y", "task": "regression", "scaffold": True}
    config = GraphsTrain(graphs=path, test_fraction=0.2, val_fraction=0.2, **settings)
    found = survey(read_graphs(path, source_of(config)), config)
    groups = found.info.groups()
    assert {groups["1"], groups["7"], groups["11"], groups["15"]} == {
        "c1ccccc1",
        "c1ccc(-c2ccccc2)cc1",
        "c1ccncc1",
        "no ring",
    }
    held = [{groups[name] for name in found.info.split.of(split)} for split in SPLITS]
    assert sum(map(len, held)) == len(set().union(*held)) == 4
    assert all(held)
    with pytest.raises(InputError, match="`scaffold` is of molecules; name the column that holds them by `smiles`"):
        validated(GraphsTrain, {"graphs": path, "scaffold": True}, "settings")
