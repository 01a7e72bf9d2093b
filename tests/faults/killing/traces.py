"""Files that a command has left: their digests, and those that cannot be read."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLOCK = ("seconds", "clock", "scoring")
"""What a checkpoint or a log holds of the time that was taken."""

OWN = ("report.html", ".data/serialization_id")
"""Ends of names in archives whose contents are not compared: they hold the time, or a number that torch draws."""


def digest_all(folder: Path) -> dict[str, str]:
    """Return a digest of each file, but for data and for what depends on the clock; of empty folders, too."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.split("/")[0] == "data" or path.name == "previous.safetensors":  # which depends on the clock
            continue
        if path.is_file():
            found[name] = hashlib.sha256(_without_clock(path)).hexdigest()[:16]
        elif path.is_dir() and not any(path.iterdir()):
            found[f"{name}/"] = "empty"
    return found


def _without_clock(path: Path) -> bytes:
    """Return the contents of a file without what two undisturbed runs differ in."""
    content = path.read_bytes()
    try:
        if path.suffix == ".safetensors":
            return _plain_checkpoint(content)
        if path.name == "metrics.jsonl":
            rows = [json.loads(line) for line in content.decode().splitlines()]
            return json.dumps([_drop(row) for row in rows]).encode()
        if path.name == "metrics.csv":
            rows = list(csv.reader(content.decode().splitlines()))
            at = rows[0].index("seconds")
            return json.dumps([row[:at] + row[at + 1 :] for row in rows]).encode()
        if path.name == "dataset.json":
            return json.dumps(_drop_memory(json.loads(content))).encode()
        if path.name == ".multiunet-export.json":
            return json.dumps({name: stamp[0] for name, stamp in json.loads(content).items()}).encode()
        if path.name == "report.html":
            return b"whole" if content.rstrip().endswith(b"</html>") else content
        if path.suffix in (".zip", ".pt2") and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as opened:
                names = [name for name in opened.namelist() if not name.endswith(OWN)]
                return b"".join(name.encode() + opened.read(name) for name in sorted(names))
    except (ValueError, KeyError, IndexError, UnicodeDecodeError, zipfile.BadZipFile):
        pass
    return content


def _plain_checkpoint(content: bytes) -> bytes:
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    about = json.loads(header.get("__metadata__", {}).get("multiunet", "{}"))
    about.pop("sha256", None)
    if "progress" in about.get("state", {}):
        about["state"]["progress"] = _drop(about["state"]["progress"])
    return json.dumps([header | {"__metadata__": about}]).encode() + content[8 + size :]


def _drop_memory(value: Any) -> Any:
    """Return what is known of data without what a plan says of the memory that was free then."""
    if isinstance(value, dict):
        return {name: _drop_memory(part) for name, part in value.items() if name not in ("budget", "needed", "program")}
    return [_drop_memory(part) for part in value] if isinstance(value, list) else value


def _drop(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in CLOCK}


def compare(found: dict[str, str], expected: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the files whose bits differ, or which are missing, and those that are left over."""
    differing = [name for name, digest in expected.items() if found.get(name) != digest]
    return differing, sorted(found.keys() - expected.keys())


def find_unreadable(folder: Path) -> list[str]:
    """Return what has its final name and yet cannot be read, in a process of its own.

    Whatever has its name is whole: checkpoints, settings, tables, pages, stores, exported files. The last line of a log
    may be cut off.
    """
    problems = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        inside = any(part.endswith(".zarr") for part in parts[:-1])
        if hidden or inside or parts[0] in ("data", "checkpoints"):
            continue
        reader = READERS.get(path.suffix) if path.is_file() or path.suffix == ".zarr" else None
        if reader is not None:
            try:
                reader(path)
            except Exception as error:
                problems.append(f"{path.relative_to(folder)}: {re.sub(r'/[^ ]*/', '', str(error))[:160]}")
    return problems


def _read_checkpoint(path: Path) -> None:
    from multiunet.training.checkpoint import load

    load(path)


def _read_image(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.load()


def _read_tiff(path: Path) -> None:
    import tifffile

    tifffile.imread(path)


def _read_store(path: Path) -> None:
    from multiunet.prediction.reading import open_datasets

    for data in open_datasets(path).values():
        data.load()


def _read_settings(path: Path) -> None:
    import yaml

    yaml.safe_load(path.read_text())["domain"]


def _read_rows(path: Path) -> None:
    rows = list(csv.reader(path.read_text().splitlines(), delimiter="\t" if path.suffix == ".tsv" else ","))
    if not rows or len({len(row) for row in rows}) > 1:
        raise ValueError("a table that is cut off")


def _read_page(path: Path) -> None:
    if not path.read_text().rstrip().endswith("</html>"):
        raise ValueError("a page that is cut off")


def _read_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as opened:
        if (bad := opened.testzip()) is not None:
            raise ValueError(f"{bad} in it is damaged")


READERS: dict[str, Callable[[Path], Any]] = {
    ".safetensors": _read_checkpoint,
    ".json": lambda path: json.loads(path.read_text()),
    ".yaml": _read_settings,
    ".csv": _read_rows,
    ".tsv": _read_rows,
    ".html": _read_page,
    ".png": _read_image,
    ".tif": _read_tiff,
    ".npz": _read_zip,
    ".zip": _read_zip,
    ".pt2": _read_zip,
    ".zarr": _read_store,
}
"""What reads a whole file or folder, by its ending, and raises where it is damaged."""
