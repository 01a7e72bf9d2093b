"""Zip archives whose bytes depend on their contents alone."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from multiunet.files import write_atomically

DATE = (1980, 1, 1, 0, 0, 0)
"""Of all files in an archive, so that equal contents make equal archives: the first that the format knows."""

PACKED = (".safetensors", ".onnx", ".png")
"""Endings of files that compression does not make smaller."""


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Write files, by their names, into one zip archive, atomically.

    Raises:
        OSError: when it cannot be written.
    """

    def write(place: Path) -> None:
        with zipfile.ZipFile(place, "w") as archive:
            for name, content in files.items():
                entry = zipfile.ZipInfo(name, DATE)
                entry.create_system, entry.external_attr = 3, 0o644 << 16  # as Unix, wherever it is made
                entry.compress_type = zipfile.ZIP_STORED if name.endswith(PACKED) else zipfile.ZIP_DEFLATED
                archive.writestr(entry, content)

    write_atomically(path, write)
