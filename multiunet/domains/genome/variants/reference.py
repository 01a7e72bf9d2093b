"""The reference alleles of a VCF file, held against the genome before anything is scored."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from multiunet.domains.genome.names import listed, match_chromosomes
from multiunet.domains.genome.sequence import COMPLEMENT, UNKNOWN, Codes, Genome, cut
from multiunet.domains.genome.variants.alleles import as_codes, as_letters, refuse
from multiunet.domains.genome.variants.settings import RefMismatch
from multiunet.domains.genome.variants.vcf import Record, iter_records
from multiunet.errors import InputError
from multiunet.wording import counted

KEPT = 1 << 29
"""Bases of chromosomes that are kept in memory."""

MOST = 0.8
"""Share of the records that differ, from which on what explains them is called likely."""

SHOWN = 20
"""Bases of an allele that a message shows."""


class KeptCodes(Mapping[str, Codes]):
    """Bases of chromosomes by the names that a file has for them; those that were read last are kept."""

    def __init__(self, genome: Genome, names: Mapping[str, str]) -> None:
        """``names``: those of the genome by those of the file."""
        self._genome, self._names = genome, dict(names)
        self._kept: OrderedDict[str, Codes] = OrderedDict()

    def __getitem__(self, name: str) -> Codes:
        if name not in self._kept:
            self._kept[name] = self._genome.codes[self._names[name]]
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass
class Census:
    """Counts of a VCF file, and of how its REF agrees with the genome.

    Attributes:
        records, alleles: their numbers.
        compared: records whose REF could be compared.
        differ: records whose REF is another than the genome's, or lies beyond the end of its chromosome.
        beyond: of those, the latter; they cannot be scored.
        why: of those, how many each cause would explain.
        first: words on the first of them.
    """

    records: int = 0
    alleles: int = 0
    compared: int = 0
    differ: int = 0
    beyond: int = 0
    why: Counter[str] = field(default_factory=Counter)
    first: str = ""


def open_chromosomes(path: Path, genome: Genome) -> KeptCodes:
    """Return the bases of the chromosomes that a VCF file names.

    Raises:
        InputError: when the genome has none of them.
    """
    found = list(dict.fromkeys(record.chrom for record in iter_records(path)))
    names = match_chromosomes(path, found, genome, genome.path)
    if found and not names:
        raise InputError(
            f"{path}: its chromosomes are {listed(found)}, but {genome.path.name} has {listed(genome.lengths)}; "
            "another assembly? Give the genome of the variants (`fasta`)"
        )
    return KeptCodes(genome, names)


def take_census(path: Path, codes: Mapping[str, Codes]) -> Census:
    """Read a whole VCF file once and compare each REF with the genome.

    Raises:
        InputError: for a file that is not VCF, or has no record.
    """
    census = Census()
    for record in iter_records(path):
        census.records += 1
        census.alleles += len(record.alts)
        if record.chrom not in codes or not record.pos:
            continue
        sequence, ref = codes[record.chrom], as_codes(record.ref)
        here = cut(sequence, record.start, record.start + len(ref))
        beyond = record.start + len(ref) > len(sequence)
        if not beyond and _is_unknown(here, ref):
            continue
        census.compared += 1
        if beyond or not np.array_equal(here, ref):
            _add_difference(census, record, sequence, ref, here, beyond)
    if not census.records:
        raise InputError(f"{path}: has no records")
    return census


def check_census(path: Path, genome: Genome, census: Census, how: RefMismatch) -> None:
    """Check that REF agrees with the genome, unless differences are allowed.

    Raises:
        InputError: with counts, the first difference, and the likely cause.
    """
    if not census.differ or how != "refuse":
        return
    cause = describe_cause(census)
    replaced = ", or put REF in place of the genome's bases by `ref_mismatch=use-vcf`"
    raise InputError(
        f"{path}: REF differs from {genome.path.name} in {census.differ:,} of {counted(census.compared, 'record')} "
        f"({census.first}): {cause}. Or leave such records out by `ref_mismatch=skip`"
        f"{replaced if census.beyond < census.differ else ''}"
    )


def describe_cause(census: Census) -> str:
    """Say what may explain the differences, with counts, the likely cause first."""
    of = f"of {census.differ:,}"
    causes = {
        "alt": ("ALT matches in {n} {of}", "alleles seem to be swapped: exchange REF and ALT"),
        "zero": ("REF matches one base further in {n} {of}", "positions seem to count from 0: add 1 to POS"),
        "strand": (
            "the complement of REF matches in {n} {of}",
            "alleles seem to be of the other strand",
        ),
        "beyond": ("{n} {of} lie beyond the end of their chromosome", "another assembly: give its FASTA by `fasta`"),
    }
    counts = [words.format(n=f"{census.why[name]:,}", of=of) for name, (words, _) in causes.items() if census.why[name]]
    # an allele of one base agrees one time in four by chance, so the cause must explain nearly all
    likely = [fix for name, (_, fix) in causes.items() if census.why[name] >= MOST * census.differ]
    if census.differ < 0.2 * census.compared and not likely:
        likely = ["a few records are of another assembly or strain"]
    elif not likely:
        likely = ["another assembly? Give the FASTA that the variants were called on by `fasta`"]
    return "; ".join([*counts, likely[0]])


def _is_unknown(here: Codes, ref: Codes) -> bool:
    return bool((here == UNKNOWN).any() or (ref == UNKNOWN).any())


def _add_difference(census: Census, record: Record, sequence: Codes, ref: Codes, here: Codes, beyond: bool) -> None:
    census.differ += 1
    census.beyond += beyond
    alts = [as_codes(alt) for alt in record.alts if refuse(alt) is None]
    census.why["beyond"] += beyond
    census.why["alt"] += any(np.array_equal(cut(sequence, record.start, record.start + len(alt)), alt) for alt in alts)
    census.why["zero"] += np.array_equal(cut(sequence, record.pos, record.pos + len(ref)), ref)
    census.why["strand"] += np.array_equal(COMPLEMENT[here], ref)
    if not census.first:
        there = "lies beyond the end" if beyond else f"is {_short(as_letters(here))} there"
        census.first = f"line {record.line}: {record.chrom}:{record.pos:,} REF {_short(record.ref)} {there}"


def _short(letters: str) -> str:
    return letters if len(letters) <= SHOWN else f"{letters[:SHOWN]}..."
