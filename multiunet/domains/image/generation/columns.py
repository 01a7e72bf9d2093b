"""Tables (CSV) that say something of each image: its label, or its caption."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from multiunet.domains.image.files.listing import stem_of
from multiunet.domains.rows import name_cells, read_rows
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError
from multiunet.wording import counted, listing


def read_column(path: Path, column: str) -> dict[str, str]:
    """Read a column of a CSV that also has a column ``image``; by the image's name without its ending.

    Raises:
        InputError: naming the line and what is wrong with it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a CSV with the columns image and {column}")
    lines = read_rows(path)
    header = [name.lower() for name in lines[0][1]] if lines else []
    for name in ("image", column):
        if header.count(name) != 1:
            raise InputError(f"{path}: needs one column {name!r}; its first line must be image,{column}")
    found: dict[str, str] = {}
    for number, cells in name_cells(path, lines[1:], header, "; put a text with commas into quotes"):
        where = f"{path}, line {number}"
        stem, value = stem_of(Path(cells["image"]).name), cells[column]
        if not value:
            raise InputError(f"{where}: {stem} has no {column}; give it one, or leave the line out")
        if found.setdefault(stem, value) != value:
            raise InputError(f"{where}: {stem} has two {column}s; give it one")
    if not found:
        raise InputError(f"{path}: names no image below its header")
    return found


def match_column(path: Path, column: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return what a table says of each image, by the image's path.

    Args:
        names: of the images, by path.

    Raises:
        InputError: for images of which it says nothing, or lines about images that are not there.
    """
    found = read_column(path, column)
    missing = [name for name in names.values() if name not in found]
    if missing:
        raise InputError(
            f"{path}: has no {column} for {counted(len(missing), 'image')}: {listing(missing)}; add a line for each, "
            "or take these images away"
        )
    if unknown := sorted(found.keys() - set(names.values())):
        raise InputError(
            f"{path}: {counted(len(unknown), 'line')} about images that are not there: {listing(unknown)}; remove the "
            "lines, or add the images"
        )
    return {image: found[name] for image, name in names.items()}


def name_labels(values: Sequence[str]) -> tuple[str, ...]:
    """Return the different labels in order: numbers by their value, else as text."""
    different = set(values)
    if all(parse_whole(value) is not None for value in different):
        return tuple(sorted(different, key=int))
    return tuple(sorted(different))


def split_words(caption: str) -> list[str]:
    """Return the words of a caption, in small letters: runs of letters, digits, and what joins them.

    >>> split_words("Three, left of a 7-sided don't")
    ['three', 'left', 'of', 'a', '7-sided', "don't"]
    """
    return re.findall(r"\w+(?:['\u2019-]\w+)*", caption.lower())


def number_words(caption: str, vocabulary: Sequence[str], where: str) -> tuple[int, ...]:
    """Return the numbers of a caption's words, from 1.

    Raises:
        InputError: for a word that is not in the vocabulary, or a caption without words.
    """
    words = split_words(caption)
    if not words:
        raise InputError(f"{where}: {caption!r} has no words; describe the image")
    known = {word: place for place, word in enumerate(vocabulary, start=1)}
    if unknown := [word for word in words if word not in known]:
        raise InputError(
            f"{where}: no training caption has the word {listing(list(dict.fromkeys(unknown)))}; it may use "
            f"{listing(list(vocabulary), 12)}"
        )
    return tuple(known[word] for word in words)
