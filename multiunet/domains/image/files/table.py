"""Tables (CSV) of images with their masks, and of which of them train, validate and test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from multiunet.domains.image.files.places import normalise_name, split_place
from multiunet.domains.remarks import remark_file
from multiunet.domains.repeats import find_repeated
from multiunet.domains.rows import name_cells, read_rows
from multiunet.errors import InputError

TARGETS = ("mask", "target")
SPLIT_WORDS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "": ""}


@dataclass(frozen=True)
class Row:
    """Line of a table: files as absolute paths.

    Attributes:
        split: train, val, test or empty.
        group: what the image belongs to with others; None: it stands alone.
    """

    image: Path
    target: Path | None
    split: str
    group: str | None = None


def is_table(path: Path) -> bool:
    """Return whether the name is that of a CSV file."""
    return path.suffix.lower() == ".csv"


def read_pairs(path: Path) -> list[Row]:
    """Read the lines of a CSV of images.

    Its columns are ``image``, maybe ``mask`` or ``target``, maybe ``split`` and ``group``. Paths are relative to the
    folder of the CSV.

    Raises:
        InputError: naming the line and what is wrong with it.
    """
    lines = read_rows(path)
    header = [name.lower() for name in lines[0][1]] if lines else []
    if "image" not in header:
        raise InputError(
            f"{path}: has no column 'image'; the first line must name the columns, with commas between them: "
            "image,mask,split"
        )
    target = next((name for name in TARGETS if name in header), None)
    if twice := find_repeated(header):
        raise InputError(f"{path}: has the column {twice[0]!r} twice; name each column once")
    if unused := [name for name in header if name not in ("image", target, "split", "group")]:
        known = "known are image, mask or target, split, and group"
        remark_file(path, f"columns that are not used: {', '.join(unused)}; {known}")
    rows = []
    for number, cells in name_cells(path, lines[1:], header):
        where = f"{path}, line {number}"
        files = {name: _find(path.parent, cells[name]) for name in ("image", target) if name is not None}
        for name, found in files.items():
            if found is None:
                raise InputError(f"{where}: {name} {cells[name]!r} is not a file in {path.parent}")
        word = cells.get("split", "").lower()
        if word not in SPLIT_WORDS:
            raise InputError(f"{where}: split is {word!r}; it must be train, val, test or empty")
        image = files["image"]
        assert image is not None  # refused above
        group = cells.get("group") or None
        rows.append(Row(image, files[target] if target else None, SPLIT_WORDS[word], group))
    if not rows:
        raise InputError(f"{path}: names no image below its header")
    return rows


def _find(folder: Path, cell: str) -> Path | None:
    """Return the file that a cell names, as an absolute path, also where accents or spaces are stored another way."""
    path = (folder / cell).absolute()
    file, place = split_place(path)
    if not cell or file.exists():
        return path if cell else None
    names = os.listdir(file.parent) if file.parent.is_dir() else []
    alike = [name for name in names if normalise_name(name) == normalise_name(file.name)]
    if len(alike) != 1:
        return None
    found = file.with_name(alike[0])
    return Path(f"{found}:/{place}") if place else found
