"""Splits as arrays state them: masks, numbers of nodes or graphs, or a word for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.cells import MISSING
from multiunet.domains.remarks import remark_file
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.wording import listing

SPLIT_OF: Mapping[str, Split] = {
    **{split: split for split in SPLITS},
    **{"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"},
}
"""The split that a word means, in small letters."""

FORMS = {
    "mask",
    "masks",
    "idx",
    "index",
    "indices",
    "id",
    "ids",
    "node",
    "nodes",
    "graph",
    "graphs",
    "split",
    "splits",
    "set",
}
"""Words that may stand beside that of the split in an array's name: train_mask, split_idx.valid, test_node_ids."""


def split_of_word(word: str) -> str | None:
    """Return the split that a cell names, the empty text where it names none; None: another word.

    >>> split_of_word("Validation"), split_of_word("NA"), split_of_word("later")
    ('val', '', None)
    """
    return "" if word in MISSING else SPLIT_OF.get(word.lower())


def name_words(name: str) -> list[str]:
    """Return the words of a name, in small letters.

    >>> name_words("train_mask"), name_words("split_idx.valid"), name_words("testIdx")
    (['train', 'mask'], ['split', 'idx', 'valid'], ['test', 'idx'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]


def split_of_name(name: str) -> Split | None:
    """Return the split that an array or column of this name states; None for other names.

    >>> split_of_name("valid_mask"), split_of_name("idx_train"), split_of_name("x_test")
    ('val', 'train', None)
    """
    words = name_words(name)
    splits = {SPLIT_OF[word] for word in words if word in SPLIT_OF}
    others = {word for word in words if word not in SPLIT_OF} - FORMS
    return splits.pop() if len(splits) == 1 and not others else None


def names_words_of_splits(name: str) -> bool:
    """Return whether an array of this name would hold a word (train, val, test) for each node or graph.

    >>> names_words_of_splits("split"), names_words_of_splits("node_split"), names_words_of_splits("train_split")
    (True, True, False)
    """
    words = set(name_words(name))
    return bool(words & {"split", "splits"}) and words <= FORMS


def resembles_split(name: str) -> bool:
    """Return whether an array or column of this name may have to do with a split."""
    return bool({*SPLIT_OF, "split", "splits", "fold", "folds"} & set(name_words(name)))


def read_split_arrays(
    path: Path, arrays: Mapping[str, NDArray[Any]], count: int, of: str, also: Sequence[str] = ()
) -> dict[Split, NDArray[Any]]:
    """Return the splits that arrays state, each as a mask ``(count,)``; several splits stay as they are.

    Args:
        arrays: of the file, by name; those that state no split are passed over.
        count: of nodes or graphs.
        of: "node" or "graph", for errors.
        also: names of arrays that could not be read.

    Raises:
        InputError: for an array that cannot be understood, or two that contradict each other.
    """
    found: dict[Split, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        split = split_of_name(name)
        if split is not None:
            found.setdefault(split, {})[name] = _mask(path, name, array, count, of)
        elif names_words_of_splits(name):
            for split, mask in _masks_of_words(path, name, array, count, of).items():
                found.setdefault(split, {})[name] = mask
    strange = [name for name in arrays if resembles_split(name) and not _is_understood(name)]
    others = [*strange, *filter(resembles_split, also)]
    if others and not found:
        raise InputError(
            f"{path}: {listing(others)} may say how to split, but cannot be read; name masks or lists of {of} numbers "
            f"train_mask, val_mask, test_mask or train_idx, val_idx, test_idx, or leave {listing(others)} out"
        )
    if strange:
        remark_file(path, f"not read: {listing(strange)}; the split is that of {listing(_names(found))}")
    return {split: _the_same(path, found[split]) for split in SPLITS if split in found}


def _names(found: Mapping[Split, Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for masks in found.values() for name in masks))


def _is_understood(name: str) -> bool:
    return split_of_name(name) is not None or names_words_of_splits(name)


def _the_same(path: Path, masks: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    (name, mask), *others = masks.items()
    for other, another in others:
        if not np.array_equal(mask, another):
            raise InputError(f"{path}: {name} and {other} contradict each other; leave one out")
    return mask


def _mask(path: Path, name: str, array: NDArray[Any], count: int, of: str) -> NDArray[Any]:
    words = name_words(name)
    flags = array.dtype.kind == "b" or (
        array.dtype.kind in "iu" and array.shape == (count,) and bool(np.isin(array, (0, 1)).all())
    )
    listed = {"idx", "index", "indices", "id", "ids"} & set(words)
    if {"mask", "masks"} & set(words) or (flags and (array.dtype.kind == "b" or not listed)):
        return array  # of its shape and values the user of the mask is to judge
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if not array.size:
        return np.zeros(count, dtype=bool)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(
            f"{path}: {name} {array.shape} {array.dtype} must be a list of {of} numbers, or true or false for each {of}"
        )
    outside = (array < 0) | (array >= count)
    if outside.any():
        raise InputError(
            f"{path}: {name} names {of} {array[outside][0]}, but there are {count}, 0..{count - 1}; count {of}s from 0"
        )
    mask = np.zeros(count, dtype=bool)
    mask[array] = True
    if mask.sum() < len(array):
        twice = np.flatnonzero(np.bincount(array) > 1)[0]
        raise InputError(f"{path}: {name} names {of} {twice} more than once; list each {of} once, or give a mask")
    return mask


def _masks_of_words(path: Path, name: str, array: NDArray[Any], count: int, of: str) -> dict[Split, NDArray[np.bool_]]:
    words = decoded(array).reshape(-1)
    if len(words) != count:
        raise InputError(f"{path}: {name} has {len(words)} words for {count} {of}s")
    return masks_of_words(words, lambda row: f"{path}: {name} of {of} {row}")


def masks_of_words(words: Iterable[Any], place: Callable[[int], str]) -> dict[Split, NDArray[np.bool_]]:
    """Return a mask for each split that a row's word names.

    Args:
        place: returns what and where the word of a row is, for errors.

    Raises:
        InputError: for a word that names no split.
    """
    known: dict[str, str] = {}
    found = []
    for row, word in enumerate(words):
        text = str(word).strip()
        if text not in known:
            split = split_of_word(text)
            if split is None:
                raise InputError(f"{place(row)} is {text!r}; it must be train, val, test or empty")
            known[text] = split
        found.append(known[text])
    splits = np.array(found, dtype="<U5")
    return {split: splits == split for split in SPLITS if (splits == split).any()}


def words_of_masks(path: Path, masks: Mapping[Split, NDArray[Any]], count: int, of: str) -> NDArray[np.str_] | None:
    """Return the split of each row as a word, empty where it is in none; None without masks.

    Raises:
        InputError: for masks that are not true or false for each row, or that overlap.
    """
    if not masks:
        return None
    splits = np.full(count, "", dtype="<U5")
    for split, mask in masks.items():
        if mask.shape != (count,) or mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all():
            raise InputError(
                f"{path}: the {split} mask must be true or false for each of {count} {of}s, which are split here"
            )
        marked = mask.astype(bool)
        both = marked & (splits != "")
        if both.any():
            raise InputError(
                f"{path}: {int(both.sum())} {of}s are both {splits[both][0]} and {split}; make the masks disjoint"
            )
        splits[marked] = split
    return splits


def decoded(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of bytes as text, others as they are."""
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array
