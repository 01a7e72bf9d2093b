"""Variants of a synthetic genome whose effects are known: in planted motifs, and far from any."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from multiunet.files import AnyPath
from multiunet_datasets.synthetic import MOTIF

TURN = str.maketrans("ACGT", "TGCA")
NEAR = 600
"""Bases from a motif within which nothing counts as background."""

HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def find_motifs(sequence: str, motif: str = MOTIF) -> list[int]:
    """Return where a motif begins in a sequence, on either strand, from 0."""
    found = {match.start() for one in (motif, motif[::-1].translate(TURN)) for match in re.finditer(one, sequence)}
    return sorted(found)


def variants_of_motifs(
    sequences: Mapping[str, str], motif: str = MOTIF, count: int = 20, near: int = NEAR, seed: int = 0
) -> list[tuple[str, int, str, str, str]]:
    """Make variants that break a motif, and as many that are far from any.

    Args:
        sequences: by chromosome, as ``genome_with_motifs`` makes them.
        count: of each kind, at most.
        near: bases from a motif within which no variant of the second kind lies.

    Returns:
        Chromosome, position from 1, name (``broken_1``, ``background_1``), REF and ALT, sorted.
    """
    rng = np.random.default_rng((seed, 4))
    broken: list[tuple[str, int]] = []
    free: list[tuple[str, int]] = []
    for chrom, sequence in sequences.items():
        places = find_motifs(sequence, motif)
        broken += [(chrom, start + len(motif) // 2) for start in places]
        edges = [-near, *places, len(sequence)]
        for low, high in pairwise(edges):
            free += [(chrom, place) for place in range(low + near + len(motif), high - near, 50) if place >= near]
    rows = []
    for kind, places_ in (("broken", broken), ("background", free)):
        chosen = rng.permutation(len(places_))[:count]
        for number, (chrom, place) in enumerate(sorted(places_[index] for index in chosen), start=1):
            ref = sequences[chrom][place]
            alt = "ACGT"[("ACGT".index(ref) + int(rng.integers(1, 4))) % 4]
            rows.append((chrom, place + 1, f"{kind}_{number}", ref, alt))
    order = list(sequences)
    return sorted(rows, key=lambda row: (order.index(row[0]), row[1]))


def write_variants(fasta: AnyPath, path: AnyPath, count: int = 20, seed: int = 0) -> Path:
    """Write ``variants_of_motifs`` of a plain FASTA as a VCF file; return its path."""
    sequences: dict[str, str] = {}
    for record in Path(fasta).read_text(encoding="utf-8").split(">")[1:]:
        header, _, letters = record.partition("\n")
        sequences[header.split()[0]] = letters.replace("\n", "")
    rows = variants_of_motifs(sequences, count=count, seed=seed)
    lines = ["\t".join([*map(str, row), ".", "PASS", "."]) for row in rows]
    Path(path).write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Path(path)
