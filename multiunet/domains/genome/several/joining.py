"""Sequences and signals of several genomes as those of one, whose chromosomes bear the genomes' names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from multiunet.domains.genome.bases import Bases
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.names import listed
from multiunet.domains.genome.readers import Data, Values, read_training
from multiunet.domains.genome.sequence import Codes, Genome, OpenedCodes
from multiunet.domains.genome.several.conditions import NUMBER
from multiunet.domains.genome.several.table import Row, read_genomes
from multiunet.domains.remarks import remark
from multiunet.domains.repeats import find_repeated
from multiunet.errors import InputError

BETWEEN = ":"
"""Stands between the name of a genome and that of its chromosome."""


class JoinedCodes(OpenedCodes):
    """Codes of several genomes by the names of genome and chromosome."""

    def __init__(self, genomes: Mapping[str, Genome]) -> None:
        self._genomes = dict(genomes)

    def __getitem__(self, name: str) -> Codes:
        genome, chrom = self._find(name)
        return genome.codes[chrom]

    def __iter__(self) -> Iterator[str]:
        for name, genome in self._genomes.items():
            yield from (join_name(name, chrom) for chrom in genome.lengths)

    def __len__(self) -> int:
        return sum(len(genome.lengths) for genome in self._genomes.values())

    def open(self, name: str) -> Bases:
        genome, chrom = self._find(name)
        return genome.open(chrom)

    def keep(self) -> Mapping[str, Codes]:
        kept = {name: genome.keep(genome.lengths) for name, genome in self._genomes.items()}
        return {join_name(name, chrom): codes for name, own in kept.items() for chrom, codes in own.items()}

    def _find(self, name: str) -> tuple[Genome, str]:
        genome, _, chrom = name.partition(BETWEEN)
        return self._genomes[genome], chrom


def join_name(genome: str, chrom: str) -> str:
    """Return the name of a genome's chromosome among those of several genomes: ``yeast:chrI``."""
    return f"{genome}{BETWEEN}{chrom}"


def genome_of(chrom: str) -> str:
    """Return the genome that a chromosome of several genomes is of."""
    return chrom.partition(BETWEEN)[0]


def read_rows(config: GenomeTrain) -> list[Row]:
    """Read the table of a training on several genomes."""
    return read_genomes(config.fasta, [text.removesuffix(NUMBER) for text in config.conditions])


def read_data(config: GenomeTrain) -> Data:
    """Read what a training uses, of one genome or of several.

    Raises:
        InputError: for files that are not what they should be, or do not fit each other.
    """
    if not config.has_several:
        return read_training(config)
    rows = read_rows(config)
    return join_data(config.fasta, rows, [read_row(row, config) for row in rows])


def read_row(row: Row, config: GenomeTrain) -> Data:
    """Read one genome of a table, its tracks named as the table says.

    Raises:
        InputError: for files that are not what they should be, or two tracks of one name.
    """
    data = read_training(row.config(config))
    if len(row.tracks) != len(data.names):  # of a table of targets, which names them
        return data
    names = [given or name for given, name in zip(row.tracks, data.names)]
    if twice := find_repeated(names):
        raise InputError(f"{config.fasta}: two targets of {row.name} are named {twice[0]!r}; name one, NAME=FILE")
    return replace(data, names=names)


def join_data(path: Path, rows: Sequence[Row], parts: Sequence[Data]) -> Data:
    """Return the data of several genomes as those of one; tracks that a genome lacks are not known there.

    Tracks of one name are one track. Rows of one FASTA file share its bases.

    Args:
        path: of the table, for messages.

    Raises:
        InputError: for tracks that are paired otherwise in one genome than in another.
    """
    names = list(dict.fromkeys(name for part in parts for name in part.names))
    codes: dict[str, Codes] = {}
    targets: dict[str, Values] = {}
    shared: dict[tuple[Path, str, str], Codes] = {}
    for row, part in zip(rows, parts):
        places = [names.index(name) for name in part.names]
        for chrom, own in part.codes.items():
            key = join_name(row.name, chrom)
            codes[key] = shared.setdefault((row.fasta, row.words.get("rename_chroms", ""), chrom), own)
            own_targets = part.targets[chrom]
            if part.names == names:  # nothing to fill in, and a copy would double the memory
                targets[key] = own_targets
                continue
            targets[key] = np.full((len(names), own_targets.shape[1]), np.nan, dtype=np.float32)
            targets[key][places] = own_targets
    for name in names:
        if lacking := [row.name for row, part in zip(rows, parts) if name not in part.names]:
            remark(f"{path}: {listed(lacking)} has no track {name!r}; there it is neither learnt nor scored")
    opened = {row.name: part.genome for row, part in zip(rows, parts)}
    lengths = {
        join_name(name, chrom): length for name, genome in opened.items() for chrom, length in genome.lengths.items()
    }
    files = {name: file for part in reversed(parts) for name, file in zip(part.names, part.paths)}
    genome = Genome(path, JoinedCodes(opened), lengths)
    return Data(genome, names, codes, targets, _pair(path, names, parts), [files[name] for name in names])


def _pair(path: Path, names: Sequence[str], parts: Sequence[Data]) -> list[int] | None:
    """Return the partner of each track on the other strand, as the genomes' tables say; None where none does."""
    if all(part.partners is None for part in parts):
        return None
    partners = list(range(len(names)))
    for part in parts:
        for track, other in enumerate(part.partners or []):
            if track != other:
                partners[names.index(part.names[track])] = names.index(part.names[other])
    for track, other in enumerate(partners):
        if partners[other] != track:
            raise InputError(f"{path}: track {names[track]!r} is paired with different ones in different genomes")
    return partners
