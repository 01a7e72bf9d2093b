"""VCF files: records of variants, read one after the other.

The format: "The Variant Call Format Specification, VCFv4.5", sections 1.4 and 1.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from multiunet.domains.reading import reading
from multiunet.domains.remarks import remark
from multiunet.domains.unpack import iter_lines, open_unpacked
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError

COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT")
BASES = re.compile(r"[ACGTURYSWKMBDHVN]+", re.IGNORECASE | re.ASCII)
BCF = b"BCF"


@dataclass(frozen=True)
class Record:
    """Line of a VCF file.

    Attributes:
        line: its number in the file, from 1.
        pos: place of the first base of ``ref``, from 1; 0 is the end of the chromosome before its first base.
        ref: letters.
        alts: what stands in their place, as it is written: letters, ``<DEL>``, ``*`` and others.
    """

    line: int
    chrom: str
    pos: int
    id: str
    ref: str
    alts: tuple[str, ...]

    @property
    def start(self) -> int:
        """Place of the first base, from 0."""
        return self.pos - 1


def iter_records(path: Path) -> Iterator[Record]:
    """Yield the records of a VCF file, plain, gzip or bgzip, in its order.

    Raises:
        InputError: for a file that is not VCF, or naming the line that is wrong.
    """
    _check_text(path)
    headed = False
    for number, line in iter_lines(path):
        if line.startswith("##"):
            if number == 1 and not line.lower().startswith("##fileformat=vcfv4"):
                remark(f"{path}: begins with {line[:40]!r}, not with ##fileformat=VCFv4.x; read as VCF 4")
        elif line.startswith("#"):
            _check_header(path, number, line)
            headed = True
        elif line.strip():
            if not headed:
                raise InputError(
                    f"{path}:{number}: before the records, the line {' '.join(COLUMNS)} is missing: no VCF?"
                )
            yield _parse(path, number, line)
    if not headed:
        raise InputError(f"{path}: has no line {' '.join(COLUMNS)}, with tabs: no VCF?")


def _check_text(path: Path) -> None:
    with open_unpacked(path) as file, reading(path):
        head = file.read(len(BCF))
    if head == BCF:
        raise InputError(f"{path}: is BCF; convert it to text: bcftools view -O z -o NAME.vcf.gz {path.name}")


def _check_header(path: Path, number: int, line: str) -> None:
    names = line.split("\t")[: len(COLUMNS)]
    if tuple(names) != COLUMNS:
        tabs = "; columns are parted by tabs" if line.split()[: len(COLUMNS)] == list(COLUMNS) else ""
        raise InputError(f"{path}:{number}: {line[:60]!r} is not the line {' '.join(COLUMNS)}{tabs}")


def _parse(path: Path, number: int, line: str) -> Record:
    fields = line.split("\t", len(COLUMNS))  # thousands of genotypes may follow
    if len(fields) < len(COLUMNS):
        blanks = ", parted by blanks; use tabs" if len(line.split()) >= len(COLUMNS) else ""
        raise InputError(f"{path}:{number}: has {len(fields)} columns{blanks}; a record has CHROM, POS, ID, REF, ALT")
    chrom, pos, name, ref, alt = fields[: len(COLUMNS)]
    place = parse_whole(pos)
    if place is None or place < 0:
        raise InputError(
            f"{path}:{number}: POS {pos[:20]!r} is not a whole number from 0 on, of at most 18 digits; positions count "
            "from 1"
        )
    if not BASES.fullmatch(ref):
        raise InputError(
            f"{path}:{number}: REF {ref[:20]!r} is not bases (A, C, G, T, N); write an indel with the base before it"
        )
    return Record(number, chrom, place, name, ref, tuple(alt.split(",")))
