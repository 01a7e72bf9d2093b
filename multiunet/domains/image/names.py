"""Which files are images, and what they are called."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from multiunet.domains.image import containers
from multiunet.domains.image.notes import remark
from multiunet.domains.image.pairs import is_table, read_pairs
from multiunet.errors import InputError

TIFF = (".tif", ".tiff")
SUFFIXES = (".png", *TIFF, ".jpg", ".jpeg", ".bmp", *containers.READERS)


def list_images(where: Path) -> dict[str, Path]:
    """The image files of a folder, of a glob pattern, of a CSV, or one file, by stem, sorted.

    Raises:
        InputError: when there is none, or two have the same stem.
    """
    if is_table(where):
        return by_stem(row.image for row in read_pairs(where))
    if is_image(where) or where.is_file():
        found = [where]
    elif where.is_dir():
        found = [path for path in where.iterdir() if not path.name.startswith(".")]
    else:
        found = [Path(name) for name in glob.glob(str(where))]
        if not found:
            raise InputError(f"{where}: no such file or folder, and as a pattern it matches no file")
    known = sorted(path for path in found if is_image(path))
    others = sorted(path for path in found if not is_image(path) and not path.is_dir())
    if not known:
        held = [_kind_of(path) for path in others]
        there = f"it holds {', '.join(list(dict.fromkeys(held))[:5])}" if held else "it is empty"
        raise InputError(f"{where}: no image here ({there}); known are {', '.join(SUFFIXES)}")
    if others:
        names = [path.name if path.exists() else _kind_of(path) for path in others[:5]]
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        remark(f"{where}: skipped {', '.join(names)}{more}; images that can be read are {', '.join(SUFFIXES)}")
    return by_stem(known)


def _kind_of(path: Path) -> str:
    return path.suffix or path.name if path.exists() else f"{path.name} (a broken link)"


def stem_of(name: str) -> str:
    """A file's name without what says its format: ``a.png`` and ``a.ome.tif`` are both ``a``."""
    ending = ending_of(name)
    return name if ending is None else Path(name).name[: -len(ending)].removesuffix(".ome")


def ending_of(name: str) -> str | None:
    """Which of ``SUFFIXES`` a name ends in."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


def is_image(path: Path) -> bool:
    """Whether the name says so; Zarr is a folder, all others are files."""
    ending = ending_of(path.name)
    return path.is_dir() if ending == ".zarr" else ending is not None and path.is_file()


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """Files by stem.

    Raises:
        InputError: when two have the same.
    """
    stems: dict[str, Path] = {}
    for path in paths:
        stem = stem_of(path.name)
        if stems.get(stem) == path:
            raise InputError(f"{path}: named twice; name it once")
        if stem in stems:
            raise InputError(f"{path} and {stems[stem]} have the same name but for the suffix; keep one of them")
        stems[stem] = path
    return stems
