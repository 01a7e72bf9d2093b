"""Table of chromosomal features of the Saccharomyces Genome Database (SGD_features.tab)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from multiunet.domains.genome.annotation.features import Feature, FeatureFile, Strand
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError

COLUMNS = 16
STRANDS: dict[str, Strand] = {"W": "+", "C": "-", "": "."}
"""Watson and Crick."""

MITOCHONDRION = "17"


def read(path: Path, lines: Iterator[tuple[int, str]]) -> FeatureFile:
    """Read features; positions in the file count from 1, and ends are inclusive.

    On the Crick strand starts are above ends.
    Columns: identifier, type, qualifier (Verified, Dubious), name, ..., parent (7), ..., chromosome (9), start, stop,
    strand. Chromosome 17 is the mitochondrial one. Features that are not mapped, without positions, are left out.

    Raises:
        InputError: naming the line that is wrong.
    """
    features: list[Feature] = []
    for number, line in lines:
        fields = line.split("\t")
        if len(fields) != COLUMNS or fields[11] not in STRANDS or not _is_position(fields[9], fields[10]):
            raise InputError(
                f"{path}:{number}: {line[:60]!r} is not a line of SGD's table of features: 16 columns between tabs, of "
                "which 9 to 12 are chromosome, start, stop and strand (W or C)"
            )
        if not (fields[8] and fields[9] and fields[10]):
            continue
        start, end = sorted((int(fields[9]), int(fields[10])))
        chrom = "Mito" if fields[8] == MITOCHONDRION else fields[8]
        parents = (fields[6],) if fields[6] else ()
        words = frozenset(fields[2].split("|")) - {""}
        place = (chrom, fields[1], start - 1, end, STRANDS[fields[11]], number)
        features.append(Feature(*place, fields[3], parents, words))
    return FeatureFile(path, features, {})


def _is_position(*texts: str) -> bool:
    return all(not text or (parse_whole(text) or 0) > 0 for text in texts)
