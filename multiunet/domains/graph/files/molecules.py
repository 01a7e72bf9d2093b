"""Molecules as graphs: atoms with features, bonds with attributes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.graph.files.attributes import Attributes
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.remarks import remark
from multiunet.errors import InputError

ELEMENTS = ("C", "N", "O", "F", "P", "S", "Cl", "Br", "I", "B", "Si")
HYBRIDS = ("SP", "SP2", "SP3")
BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")
COUNTS = range(5)
"""Neighbours and hydrogens of an atom are told apart up to 4 or more."""

ATOM_FEATURES = (
    *ELEMENTS,
    "other element",
    *(f"{n} neighbours" for n in COUNTS),
    *(f"{n} hydrogens" for n in COUNTS),
    "negative",
    "positive",
    *HYBRIDS,
    "aromatic",
    "in a ring",
)
"""All 0 or 1: element, neighbours, hydrogens, charge, hybridisation, aromaticity and rings.

The kinds are those of Gilmer et al. 2017, table 1, without donors and acceptors of hydrogen bonds, which follow from
the others; neighbours, charge and rings are added. Nothing takes coordinates.
"""

ACYCLIC = "no ring"
"""Scaffold of molecules without rings."""

BOND_FEATURES = (*BONDS, "conjugated", "in a ring")


def parse_smiles(path: Path, smiles: Sequence[str], skip: bool, place: Callable[[int], str]) -> dict[int, Any]:
    """Return molecules of rdkit by row; the order of their atoms does not depend on how they are written.

    Args:
        smiles: of the rows of the file.
        skip: leave out, with a warning, what cannot be read.
        place: returns where a row stands in the file, for errors.

    Raises:
        InputError: without rdkit; naming the lines whose SMILES cannot be read, and why, unless these are to be left
            out and others stay.
    """
    chem, heard = _rdkit()
    found: dict[int, Any] = {}
    bad: list[tuple[int, str]] = []
    with heard() as said:
        for row, text in enumerate(smiles):
            try:
                found[row] = _canonical(chem, _parsed(chem, text, said))
            except ValueError as error:
                bad.append((row, f"{text!r}: {error}"))
    if bad:
        what = f"{path}: {len(bad)} of {len(smiles)} SMILES cannot be read"
        which = "; ".join(f"{place(row)}, {why}" for row, why in (bad if skip else bad[:5]))
        if not skip or not found:
            more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
            advice = "" if skip else " (`skip_invalid` leaves them out)"
            raise InputError(f"{what}: {which}{more}{advice}")
        remark(f"{what} and are left out: {which}")
    return found


def _canonical(chem: Any, molecule: Any) -> Any:
    """Put atoms into rdkit's canonical order: of equal nodes poolings keep the first, so it must not be chance."""
    ranks = list(chem.CanonicalRankAtoms(molecule))
    return chem.RenumberAtoms(molecule, sorted(range(len(ranks)), key=ranks.__getitem__))


def molecule_graphs(path: Path, found: Mapping[str, Any]) -> GraphSet:
    """Return molecules of rdkit as graphs of atoms; a bond is an edge in both directions.

    Hydrogens are features of their atoms.

    Args:
        found: by id.
    """
    every = list(found.values())
    atoms = [_atom(atom) for molecule in every for atom in molecule.GetAtoms()]
    starts = np.cumsum([0, *(molecule.GetNumAtoms() for molecule in every)])
    ends: list[tuple[int, int]] = []
    bonds: list[list[bool]] = []
    for molecule, first in zip(every, starts.tolist()):
        for bond in molecule.GetBonds():
            one, other = first + bond.GetBeginAtomIdx(), first + bond.GetEndAtomIdx()
            ends += [(one, other), (other, one)]
            bonds += [_bond(bond)] * 2
    return GraphSet(
        path=path,
        ids=tuple(found),
        starts=starts,
        x=np.array(atoms, dtype=np.float32).reshape(-1, len(ATOM_FEATURES)),
        tags=None,
        edges=np.array(ends, dtype=np.int64).reshape(-1, 2).T,
        weight=None,
        attributes=Attributes(np.array(bonds, dtype=np.float32).reshape(-1, len(BOND_FEATURES)), BOND_FEATURES),
        features=ATOM_FEATURES,
    )


def find_scaffolds(molecules: Iterable[Any]) -> tuple[str, ...]:
    """Return the scaffold of each molecule of rdkit as SMILES: its rings and what links them.

    Bemis & Murcko 1996, "The Properties of Known Drugs. 1. Molecular Frameworks". Molecules without rings are of one
    group, ``ACYCLIC``.
    """
    from rdkit.Chem.Scaffolds import MurckoScaffold  # slow to import

    smiles: Callable[..., str] = MurckoScaffold.MurckoScaffoldSmiles
    return tuple(smiles(mol=molecule) or ACYCLIC for molecule in molecules)


def _rdkit() -> tuple[Any, Callable[[], AbstractContextManager[io.StringIO]]]:
    """rdkit's chemistry, and a context that hears what it says instead of letting it onto the terminal."""
    try:
        from rdkit import Chem, rdBase  # an extra, and slow to import
    except ImportError as error:
        raise InputError(
            "`smiles` needs rdkit, which is not installed; pip install 'multiunet[molecules]' (or rdkit)"
        ) from error

    @contextmanager
    def heard() -> Iterator[io.StringIO]:
        rdBase.LogToPythonStderr()
        try:
            with redirect_stderr(io.StringIO()) as said:
                yield said
        finally:
            rdBase.LogToCppStreams()

    return Chem, heard


def _parsed(chem: Any, text: str, said: io.StringIO) -> Any:
    if not text:
        raise ValueError("is empty")
    before = said.tell()
    unchecked = chem.MolFromSmiles(text, sanitize=False)
    if unchecked is None:
        raise ValueError(_reason(said.getvalue()[before:]))
    problems = chem.DetectChemistryProblems(unchecked)
    if problems:
        raise ValueError(problems[0].Message())
    return chem.MolFromSmiles(text)


def _reason(said: str) -> str:
    """The first of the parser's complaints, and the place."""
    what = re.search(r"Parse Error: (.+?)(?: while parsing| for input|:|\n)", said)
    where = re.search(r"around position (\d+)", said)
    return (what[1] if what else "is not written as SMILES are") + (f" around position {where[1]}" if where else "")


def _atom(atom: Any) -> list[bool]:
    element, charge, hybrid = atom.GetSymbol(), atom.GetFormalCharge(), str(atom.GetHybridization())
    return [
        *(element == one for one in ELEMENTS),
        element not in ELEMENTS,
        *(min(atom.GetDegree(), COUNTS[-1]) == n for n in COUNTS),
        *(min(atom.GetTotalNumHs(), COUNTS[-1]) == n for n in COUNTS),
        charge < 0,
        charge > 0,
        *(hybrid == one for one in HYBRIDS),
        atom.GetIsAromatic(),
        atom.IsInRing(),
    ]


def _bond(bond: Any) -> list[bool]:
    kind = str(bond.GetBondType())
    return [*(kind == one for one in BONDS), bond.GetIsConjugated(), bond.IsInRing()]
