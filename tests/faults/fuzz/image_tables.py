"""Files beside images: masks, dots, tables of pairs, captions, names and objects of classes, splits, embeddings."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.errors import InputError
from tests.faults.fuzz.images import IMAGE, part_of, read_flat_plainly
from tests.faults.fuzz.reader import Reader, write_text


def write_mask(folder: Path) -> Path:
    from PIL import Image

    Image.fromarray(IMAGE // 100).save(folder / "a.png")
    return folder / "a.png"


def read_mask(path: Path) -> Any:
    from multiunet.domains.image.files.masks import read_mask

    return part_of(read_mask(path, checked=True))


def read_dots(path: Path) -> Any:
    from multiunet.domains.image.files.dots import read_dots

    return read_dots(path, (9, 9))


def read_dots_plainly(path: Path) -> Any:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [{name.strip().lower(): cell for name, cell in row.items()} for row in csv.DictReader(file) if any(row)]
    return np.array([[float(row["y"]), float(row["x"])] for row in rows]).reshape(-1, 2)


def write_pairs(folder: Path) -> Path:
    place = folder / "pairs"
    place.mkdir()
    for name in ("a.png", "b.png", "a_mask.png", "b_mask.png"):
        (place / name).write_bytes(b"x")
    (place / "t.csv").write_text("image,mask,split,group\na.png,a_mask.png,train,one\nb.png,b_mask.png,test,two\n")
    return place


def read_pairs(path: Path) -> Any:
    from multiunet.domains.image.files.table import read_pairs

    return [(row.image.name, row.target and row.target.name, row.split) for row in read_pairs(path / "t.csv")]


def read_captions(path: Path) -> Any:
    from multiunet.domains.image.generation.columns import read_column, split_words

    return [(name, text, split_words(text)) for name, text in read_column(path, "caption").items()] and None


def read_class_names(path: Path) -> Any:
    from multiunet.domains.image.class_names import parse_class_names

    try:
        return parse_class_names(str(path)) and None
    except ValueError as error:  # which the check of settings words
        raise InputError(str(error)) from error


NUMBERED = np.repeat([0, 1, 2, 3], 288).reshape(IMAGE.shape).astype(np.int32)
"""Objects of which the classes are told."""


def write_classes(folder: Path) -> Path:
    from PIL import Image

    (folder / "kinds").mkdir()
    Image.fromarray(np.array([0, 5, 9, 0], np.uint8)[NUMBERED]).save(folder / "kinds" / "a.png")
    return folder / "kinds"


def read_classes(path: Path) -> Any:
    from multiunet.domains.image.files.object_classes import open_object_classes
    from multiunet.domains.image.files.pairing import Item

    item = Item("a", "a.png", f"{path.name}/a_mask.tif")
    files = open_object_classes(path, [item])
    found = files.read(item, NUMBERED, lambda: np.array([4, 7, 50]))
    return found, {*filter(None, found)} <= files.list_classes(item)


def read_classes_plainly(path: Path) -> Any:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [
            {name.strip().lower(): (cell or "").strip() for name, cell in row.items()} for row in csv.DictReader(file)
        ]
    told = {int(row["object"]): row["class"] or None for row in rows if row["image"] in ("a", "a.png")}
    return [told.get(number) for number in (4, 7, 50)], True


def read_class_masks_plainly(path: Path) -> Any:
    classes = read_flat_plainly(path / "a.png")
    common = [np.bincount(classes[number == NUMBERED]).argmax() for number in (1, 2, 3)]
    return [str(one) if one else None for one in common], True


def read_splits(path: Path) -> Any:
    from multiunet.domains.splits import read_splits

    return read_splits(str(path), "stems")


def write_embedding(folder: Path) -> Path:
    np.save(folder / "a.npy", np.arange(24, dtype=np.float32).reshape(3, 8))
    return folder / "a.npy"


def read_embedding(path: Path) -> Any:
    from multiunet.domains.image.generation.embeddings import read_embedding

    return read_embedding(path)


IMAGE_TABLES = {
    "mask": Reader(write_mask, read_mask, read_flat_plainly),
    "dots": Reader(write_text("a.csv", "x,y\n1,2\n3.5,4\n0,8\n"), read_dots, read_dots_plainly),
    "pairs": Reader(write_pairs, read_pairs, only="*.csv"),
    "captions": Reader(write_text("a.csv", 'image,caption\na.png,"a cell, round"\nb.png,two grains\n'), read_captions),
    "class-names": Reader(write_text("a.csv", "value,name\n0,ferrite\n85,cementite\n"), read_class_names),
    "object-classes": Reader(
        write_text("a.csv", "image,object,class\na.png,4,round\na.png,7,long\na,50,\n"),
        read_classes,
        read_classes_plainly,
    ),
    "object-class-masks": Reader(write_classes, read_classes, read_class_masks_plainly),
    "splits": Reader(
        write_text("a.json", json.dumps({"train": ["a", "b"], "val": ["c"], "test": ["d"]})),
        read_splits,
        lambda path: json.loads(path.read_text(encoding="utf-8-sig")),
    ),
    "embedding": Reader(write_embedding, read_embedding, lambda path: np.load(path).astype(np.float32)),
}
"""By name; the seeds are small and whole."""
