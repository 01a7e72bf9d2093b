"""Image files of a folder, a pattern or a table, by name."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from multiunet.domains.image.files.dicom import is_series
from multiunet.domains.image.files.formats import CONTAINERS, NAMES_PART, PARTS, SUFFIXES, ending_of
from multiunet.domains.image.files.places import join_place, normalise_name, split_place
from multiunet.domains.image.files.stack import Wanted
from multiunet.domains.image.files.table import is_table, read_pairs
from multiunet.domains.reading import reading
from multiunet.domains.remarks import remark
from multiunet.errors import InputError


def list_images(where: Path, wanted: Wanted = "image") -> dict[str, Path]:
    """List the image files of a folder, of a glob pattern, of a CSV, or one file, by name, sorted.

    ``FILE.h5:/place`` names an array inside each file.

    Args:
        wanted: what of a file of several arrays is meant.

    Raises:
        InputError: when there is none, or two have the same name.
    """
    if is_table(where):
        return name_files(row.image for row in read_pairs(where))
    files, inside = split_place(where)
    if is_image(files) or files.is_file():
        found = [files]
    elif files.is_dir():
        found = [path for path in files.iterdir() if not path.name.startswith(".")]
    else:
        found = [Path(name) for name in glob.glob(str(files), recursive=True)]
        if not found:
            raise InputError(f"{files}: no such file or folder, and as a pattern it matches no file")
    known = sorted(path for path in found if is_image(path))
    others = sorted(path for path in found if not is_image(path) and not path.is_dir())
    if not known:
        folders = [path for path in found if path.is_dir()]
        raise InputError(
            f"{where}: no image here ({_instead(where, others, folders)}); known are {', '.join(SUFFIXES)}"
        )
    if others:
        names = [path.name if path.exists() else _kind_of(path) for path in others[:5]]
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        remark(f"{where}: skipped {', '.join(names)}{more}; images that can be read are {', '.join(SUFFIXES)}")
    return name_files(part for path in known for part in _parts(join_place(path, inside) if inside else path, wanted))


def _parts(path: Path, wanted: Wanted) -> list[Path]:
    """Return the images of a file or of a place in it: itself, or all scenes and points in time."""
    file, inside = split_place(path)
    ending = ending_of(file.name)
    if ending not in PARTS or (inside and ending not in CONTAINERS):
        return [path]
    with reading(path):
        return PARTS[ending](path, wanted)


def file_of_part(path: Path) -> str | None:
    """Return the file of an image that is a scene or a point in time of it; None of others.

    Images of one file stay together in splits.
    """
    file, inside = split_place(path)
    is_part = NAMES_PART.get(ending_of(file.name) or "")
    if not inside or is_part is None:
        return None
    with reading(path):
        return str(file) if is_part(path) else None


def _instead(where: Path, others: Sequence[Path], folders: Sequence[Path]) -> str:
    """Describe what a folder without images holds."""
    if others:
        return f"it holds {', '.join(list(dict.fromkeys(map(_kind_of, others)))[:5])}"
    if not folders:
        return "it is empty"
    deeper = next((path for folder in folders for path in folder.rglob("*") if is_image(path)), None)
    count = f"it holds {len(folders)} folder{'s' if len(folders) > 1 else ''}"
    return count if deeper is None else f"{count}; for the images in them, pass '{where}/**/*{deeper.suffix}'"


def _kind_of(path: Path) -> str:
    return path.suffix or path.name if path.exists() else f"{path.name} (a broken link)"


def stem_of(name: str) -> str:
    """Return a file's name without its format, normalised: ``a.png`` and ``a.ome.tif`` are both ``a``."""
    ending = ending_of(name)
    if ending is None:
        return normalise_name(name)
    stem = Path(name).name[: -len(ending)]
    return normalise_name(stem[:-4] if stem.lower().endswith(".ome") else stem)


def is_image(path: Path) -> bool:
    """Return whether this is an image; Zarr and slices of DICOM are folders, all others files."""
    ending = ending_of(path.name)
    if path.is_dir():
        return ending == ".zarr" or (ending is None and is_series(path))
    return ending is not None and path.is_file()


def name_files(paths: Iterable[Path]) -> dict[str, Path]:
    """Name files by their stems; where two are equal, by their folders and places, too.

    Of folders and of places inside files, what differs is taken: ``s0/c.png`` is ``s0_c``, and ``a.h5:/t0`` is
    ``a_t0``.

    Raises:
        InputError: when two have the same name even so.
    """
    files = list(paths)
    stems = [stem_of(split_place(path)[0].name) for path in files]
    if len(set(stems)) < len(stems):
        folders = _telling([split_place(path)[0].parent.parts for path in files])
        places = _telling([PurePosixPath(split_place(path)[1]).parts for path in files])
        stems = [
            normalise_name("_".join((*before, stem, *behind))) for before, stem, behind in zip(folders, stems, places)
        ]
    names: dict[str, Path] = {}
    for name, path in zip(stems, files):
        if names.get(name) == path:
            raise InputError(f"{path}: named twice; name it once")
        if name in names:
            raise InputError(
                f"{path} and {names[name]} have the same name but for the suffix, or what cannot be seen (spaces, how "
                "accents are stored); keep one of them"
            )
        names[name] = path
    return names


def _telling(rows: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """Return the parts of each row that are not the same in all rows, which may differ in length."""
    columns = [k for k in range(max(map(len, rows))) if len({row[k : k + 1] for row in rows}) > 1]
    return [[row[k] for k in columns if row[k : k + 1]] for row in rows]
