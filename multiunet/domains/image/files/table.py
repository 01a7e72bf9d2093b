"""A CSV that says which image has which mask, and which of them train, validate and test."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from multiunet.domains.image.files.containers import split_place
from multiunet.errors import InputError

TARGETS = ("mask", "target")
SPLIT_WORDS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "": ""}


@dataclass(frozen=True)
class Row:
    """A line: files as absolute paths; ``split`` is train, val, test or empty."""

    image: Path
    target: Path | None
    split: str


def is_table(path: Path) -> bool:
    """Whether the name is that of a CSV file."""
    return path.suffix.lower() == ".csv"


def read_pairs(path: Path) -> list[Row]:
    """The lines of a CSV with the columns ``image``, maybe ``mask`` or ``target``, maybe ``split``.

    Paths are relative to the folder of the CSV.

    Raises:
        InputError: naming the line and what is wrong with it.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    header = [name.lower() for name in lines[0]] if lines else []
    if "image" not in header:
        raise InputError(
            f"{path}: has no column 'image'; the first line must name the columns, with commas between them: "
            "image,mask,split"
        )
    truth = next((name for name in TARGETS if name in header), None)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not any(line):
            continue
        if len(line) != len(header):
            raise InputError(f"{path}, line {number}: has {len(line)} cells, but the header has {len(header)}")
        cells = dict(zip(header, line))
        for name in ("image", *([truth] if truth else [])):
            if not cells[name] or not split_place(path.parent / cells[name])[0].exists():
                raise InputError(f"{path}, line {number}: {name} {cells[name]!r} is no file in {path.parent}")
        word = cells.get("split", "").lower()
        if word not in SPLIT_WORDS:
            raise InputError(f"{path}, line {number}: split is {word!r}; it must be train, val, test or empty")
        image = (path.parent / cells["image"]).absolute()
        rows.append(Row(image, (path.parent / cells[truth]).absolute() if truth else None, SPLIT_WORDS[word]))
    if not rows:
        raise InputError(f"{path}: names no image below its header")
    return rows
