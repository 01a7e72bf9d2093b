"""FASTA files of new sequences."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from multiunet.domains.genome.sequence import Codes
from multiunet.errors import InputError
from multiunet.files import check_creatable, write_atomically

LINE = 60
"""Letters of a line."""

LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
ENDINGS = (".fa", ".fasta", ".fna")


class FastaFile:
    """FASTA file that is written whole, gzipped where its name ends with ``.gz``.

    Raises:
        InputError: for a name that is not FASTA's, a file that exists, or a place that cannot be written.
    """

    def __init__(self, path: Path, overwrite: bool) -> None:
        self.path = path
        if not path.name.lower().removesuffix(".gz").endswith(ENDINGS):
            raise InputError(f"{path}: new DNA is written as FASTA; name it NAME.fa, or NAME.fa.gz to pack it")
        if path.is_dir():
            raise InputError(f"{path}: is a folder; choose another name")
        if path.exists() and not overwrite:
            raise InputError(f"{path}: exists; replace it by `overwrite`, or choose another name")
        check_creatable(path)

    def __enter__(self) -> FastaFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass  # what is written is whole already

    def write(self, records: Iterable[tuple[str, Codes]]) -> None:
        """Write sequences in turn, each a header without its ``>``, and its bases ``(L,)``."""

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as file:
                if self.path.suffix != ".gz":
                    _write_records(file, records)
                    return
                # without a name and the time, so that equal sequences are equal files
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                    _write_records(packed, records)

        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, write)


def _write_records(file: BinaryIO | gzip.GzipFile, records: Iterable[tuple[str, Codes]]) -> None:
    for header, codes in records:
        letters = LETTERS[codes].tobytes()
        lines = [letters[first : first + LINE] for first in range(0, len(letters), LINE)]
        file.write(b"\n".join([f">{header}".encode(), *lines]) + b"\n")
