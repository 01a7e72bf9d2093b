"""Splits as columns of tables state them: a word in each row, or a mask for each split."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.cells import MISSING, Words
from multiunet.domains.graph.files.sheet import Table
from multiunet.domains.graph.files.splits import masks_of_words, names_words_of_splits, split_of_name, split_of_word
from multiunet.domains.remarks import remark_file
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError
from multiunet.wording import listing

TRUTH = {"1": True, "true": True, "0": False, "false": False}


def read_split_columns(
    rows: Table, wanted: str | None, others: Collection[str]
) -> tuple[list[str], Mapping[Split, NDArray[np.bool_]]]:
    """Return the names of the columns that say how to split, and the mask of each split, ``(rows,)``.

    Args:
        rows: of nodes or graphs.
        wanted: name of the column of words; None: nothing is split here.
        others: names of columns that are something else, whatever they look like.

    Raises:
        InputError: for a word or mask that is not understood, or a column that looks like a split of another name.
    """
    given = None if wanted is None else rows.named(wanted)
    free = [name for name in rows.columns if name != given and name not in others]
    apart = {name: split for name in free if (split := split_of_name(name)) is not None}
    alike = [name for name in free if name not in apart and _resembles_splits(rows, name)]
    if wanted is None:
        unread = [name for name in free if name in apart or name in alike or names_words_of_splits(name)]
        if unread:
            remark_file(rows.path, f"graphs are split here, not nodes: {listing(unread)} not read")
        return unread, {}
    if given is not None:
        masks = masks_of_words(rows.texts(given), lambda row: f"{rows.path}, {rows.place(row)}: {given}")
        if apart:
            remark_file(rows.path, f"not read: {listing(list(apart))} ({given} is)")
    else:
        masks = {split: _truth(rows, name) for name, split in apart.items()}
        if len(masks) < len(apart):
            raise InputError(f"{rows.path}: {listing(list(apart))} name a split twice; leave one out")
    if alike and not masks:
        raise InputError(
            f"{rows.path}: the column {alike[0]!r} names splits ({listing(_words_of(rows, alike[0]))}); pass "
            f"`split_column={alike[0]}`, or leave the column out"
        )
    return [*([] if given is None else [given]), *apart, *alike], masks


def _resembles_splits(rows: Table, name: str) -> bool:
    """Return whether a column holds the names of at least two splits and nothing else."""
    column = rows.columns[name]
    if not isinstance(column, Words):
        return False
    splits = {split_of_word(word) for word in column.words}
    return None not in splits and "train" in splits and len(splits - {""}) > 1


def _words_of(rows: Table, name: str) -> list[str]:
    return sorted({*rows.words(name).words} - {*MISSING})


def _truth(rows: Table, name: str) -> NDArray[np.bool_]:
    """Return a column of 0, 1, true or false as a mask; an unknown cell is false."""
    cells = rows.texts(name).tolist()
    known = {cell: False if cell in MISSING else TRUTH.get(cell.lower().removesuffix(".0")) for cell in {*cells}}
    for row, cell in enumerate(cells):
        if known[cell] is None:
            raise InputError(
                f"{rows.path}, {rows.place(row)}: {name} is {cell!r}; a mask is 0, 1, true or false (features are "
                "named by `feature_columns`)"
            )
    return np.array([known[cell] for cell in cells], dtype=bool)
