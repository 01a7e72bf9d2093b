"""Columns of text or numbers as features: a number as it is, a word as a column of 0 and 1."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.cells import DECIMAL_COMMA, MISSING, Column, Words, resembles_number
from multiunet.errors import InputError
from multiunet.wording import listing

MOST_WORDS = 64
"""Different words in a column; a column of more holds names or remarks, from which nothing can be learnt."""

NOT_ATTRIBUTES = ("weight", "id")
"""Columns that are never attributes unless asked for, in any case of letters."""


@dataclass(frozen=True)
class Attributes:
    """Features of edges, or of nodes.

    Attributes:
        values: ``(edges, K)``, float32, finite.
        names: of the columns, where there are names; that of a word is ``COLUMN=WORD``.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...] | None = None


def choose_attributes(path: Path, known: Sequence[str], wanted: tuple[str, ...] | None) -> list[str]:
    """Return the columns that are attributes: those ``wanted``, or all ``known`` but weights and ids.

    Raises:
        InputError: naming a wanted column that is not there.
    """
    if wanted is None:
        return [name for name in known if name.lower() not in NOT_ATTRIBUTES]
    wanted = tuple(unicodedata.normalize("NFC", name) for name in wanted)
    absent = [name for name in wanted if name not in known]
    if absent:
        raise InputError(
            f"{path}: edges have no {listing(absent)} (`edge_columns`) but {listing(known) if known else 'nothing'}"
        )
    return list(wanted)


def edge_attributes(path: Path, columns: Mapping[str, Column], place: Callable[[int], str]) -> Attributes | None:
    """Return columns as attributes of edges; None where all are empty.

    Args:
        place: where the cell of an edge is, for errors.

    Raises:
        InputError: for a column of neither numbers nor few words, naming the cell.
    """
    used = {name: column for name, column in columns.items() if not _is_empty(column)}

    def refuse(name: str, edge: int, cell: str) -> str:
        return (
            f"{path}, {place(edge)}: {name} is {cell!r}, but a number of other edges; fill it with a finite number, or "
            "name the columns to use by `edge_columns`"
        )

    found = _as_numbers(path, used, "an attribute of edges", "`edge_columns`", refuse)
    return Attributes(np.stack(list(found.values()), axis=1), tuple(found)) if found else None


def node_features(
    path: Path, columns: Mapping[str, Column], rows: int, place: Callable[[int], str]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return columns as features of nodes, ``(nodes, features)``, and their names.

    Args:
        place: where the cell of a node is, for errors.

    Raises:
        InputError: for a column of neither numbers nor few words, naming the cell.
    """

    def refuse(name: str, node: int, cell: str) -> str:
        what = f"is {cell!r}, not a finite number" if cell else "is missing"
        return (
            f"{path}, {place(node)}: feature {name!r} {what}; a feature is a number, or a word at every node; those to "
            "use are named by `feature_columns`, labels by `label_column`"
        )

    found = _as_numbers(path, columns, "a feature of nodes", "`feature_columns`", refuse)
    return np.array(list(found.values()), dtype=np.float32).reshape(len(found), rows).T, tuple(found)


def _as_numbers(
    path: Path, columns: Mapping[str, Column], what: str, option: str, refuse: Callable[[str, int, str], str]
) -> dict[str, NDArray[np.float32]]:
    """Return columns as they are, those of words as a column of 0 and 1 for each word.

    Args:
        what, option: that the columns are, and that chooses them, for errors.
        refuse: returns the error for a column's name, a row and its cell.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for name, column in columns.items():
        numbers = _numbers(column)
        if numbers is not None:
            found[name] = numbers
            continue
        assert isinstance(column, Words)  # others are numbers
        if _is_empty(column) or not _holds_words(column):
            row = int(np.flatnonzero(np.isnan(column.numbers()))[0])
            raise InputError(refuse(name, row, column[row]))
        found |= _flags(path, name, column, what, option)
    return found


def _is_empty(column: Column) -> bool:
    return isinstance(column, Words) and bool(column.mark(MISSING).all())


def _numbers(column: Column) -> NDArray[np.float32] | None:
    """Return a column as numbers; None where a cell holds none."""
    if not isinstance(column, Words):
        return column.astype(np.float32)
    numbers = column.numbers().astype(np.float32)
    return None if np.isnan(numbers).any() else numbers


def _holds_words(column: Words) -> bool:
    """Return whether no known cell of a column resembles a number."""
    return not any(resembles_number(word) for word in column.words if word not in MISSING)


def _flags(path: Path, name: str, column: Words, what: str, option: str) -> dict[str, NDArray[np.float32]]:
    """Return a column of 0 and 1 for each word; rows without a known word have 0 in all."""
    used = np.unique(column.codes)
    words = sorted({column.words[code] for code in used} - {*MISSING})
    if len(words) > MOST_WORDS:
        raise InputError(
            f"{path}: {name} has {len(words)} different words; {what} is a number, or one of at most "
            f"{MOST_WORDS} words; name the columns to use by {option}"
        )
    if words and all(DECIMAL_COMMA.fullmatch(word) for word in words):
        raise InputError(
            f"{path}: {name} has numbers with a decimal comma, such as {words[0]}; write them with a point"
        )
    return {f"{name}={word}": column.mark([word]).astype(np.float32) for word in words}


def align_columns(
    path: Path, given: Attributes, wanted: Sequence[str], whose: str, of: str = "edges"
) -> NDArray[np.float32]:
    """Return the columns ``wanted``, in this order; of a word that occurs in no row, zeros.

    Args:
        whose: who has the wanted columns, for errors.
        of: what has the columns, for errors.

    Raises:
        InputError: where there are others.
    """
    assert given.names is not None
    here, there = dict(zip(given.names, given.values.T)), set(wanted)
    absent = [name for name in wanted if name not in here and not _is_word_of(name, given.names)]
    more = [name for name in here if name not in there and not _is_word_of(name, wanted)]
    if absent or more:
        what = f"lack {listing(absent)}, which" if absent else f"have {listing(more)}, unlike those that"
        raise InputError(f"{path}: {of} {what} {whose}; give the same")
    nothing = np.zeros(len(given.values), np.float32)
    columns = np.array([here.get(name, nothing) for name in wanted], np.float32)
    return columns.reshape(len(wanted), len(given.values)).T


def _is_word_of(name: str, others: Sequence[str]) -> bool:
    """Return whether this is a word of a column of which the others have words."""
    column, equals, _ = name.partition("=")
    return bool(equals) and any(other.startswith(f"{column}=") for other in others)
