"""Molecules: tables of SMILES, with the molecules of rdkit as the second reader."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.fuzz.graphs import read_rows
from tests.faults.fuzz.reader import Reader, write_text

SMILES = (
    *("CCO", "c1ccccc1O", "CC(=O)[O-].[Na+]", "C/C=C\\C", "N[C@@H](C)C(=O)O", "C1CC2CCC1C2", "[13CH4]", "[Cu+2]"),
    *("C%10CCCCC%10", "CC(C)(C)c1ccc(cc1)S(=O)(=O)N", "[nH]1cccc1", "O=C1NC(=O)c2ccccc12", "F[P-](F)(F)(F)(F)F", "*C"),
)


def read_molecules(path: Path) -> Any:
    from multiunet.domains.graph.files.sets import Source, read_graphs
    from multiunet.domains.graph.files.tables import Columns

    found = read_graphs(path, Source(Columns(labels=("y",)), "smiles", "graph", scaffold=True))
    atoms = np.diff(found.starts).tolist()
    bonds = np.bincount(np.searchsorted(found.starts, found.edges[0], side="right"), minlength=len(atoms) + 1)[1:] // 2
    return [
        (count, int(bond), np.sort(found.x[a:b].sum(1)).tolist())
        for count, bond, a, b in zip(atoms, bonds, found.starts, found.starts[1:])
    ]


def read_molecules_plainly(path: Path) -> Any:
    from rdkit import Chem

    from multiunet.domains.graph.files.molecules import ELEMENTS

    rows = []
    for row in read_rows(path):
        molecule = Chem.MolFromSmiles(unicodedata.normalize("NFC", row["smiles"]))
        facts = [
            3
            + (atom.GetFormalCharge() != 0)
            + (str(atom.GetHybridization()) in ("SP", "SP2", "SP3"))
            + atom.GetIsAromatic()
            + atom.IsInRing()
            for atom in molecule.GetAtoms()
        ]
        assert ELEMENTS
        rows.append((molecule.GetNumAtoms(), molecule.GetNumBonds(), sorted(map(float, facts))))
    return rows


def write_table(seed: int = 0) -> Any:
    rng = random.Random(seed)
    return write_text("a.csv", "smiles,y\n" + "".join(f"{text},{rng.random():.3f}\n" for text in SMILES))


MOLECULES = {
    "smiles": Reader(write_table(), read_molecules, read_molecules_plainly, "rdkit"),
    "smiles-short": Reader(
        write_text("a.csv", "smiles,y\nCC(=O)Oc1ccccc1C(=O)O,1\n"), read_molecules, read_molecules_plainly, "rdkit"
    ),
}
"""By name; the seeds are small and whole."""
