"""Names of chromosomes in sequences, signals and options, held against each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from multiunet.domains.config import did_you_mean
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.reading import reading
from multiunet.errors import InputError

SHOWN = 12
SHOWN_RENAMES = 40
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI")
MITOCHONDRIAL = ("M", "MT", "MITO")


def check_names(
    path: Path, found: Collection[str], genome: Genome, exclude: Sequence[str] = (), complete: bool = True
) -> None:
    """Check that a signal and a genome have the same chromosomes.

    Args:
        found: chromosomes of the signal.
        exclude: patterns of chromosomes that either may have alone.
        complete: the signal must have all chromosomes of the genome; else it may lack some.

    Raises:
        InputError: with both sides. Where other names explain the difference, with lines for ``rename_chroms``.
    """
    expected = [name for name in genome.lengths if not matches(name, exclude)]
    unknown = [name for name in found if name not in expected and not matches(name, exclude)]
    missing = [name for name in expected if name not in found]
    if not unknown and not (missing and complete):
        return
    fasta = genome.path.name
    sides = f"{path.name} has {listed(found)}; {fasta} has {listed(expected)}{_renamed(genome)}"
    if renames := _match_by_number(unknown, missing):
        rows = [f"{genome.renamed.get(new, new)} {old}" for old, new in renames.items()]
        more = f", and so on, {len(rows)} in all" if len(rows) > SHOWN_RENAMES else ""
        raise InputError(
            f"{path}: chromosomes have other names than in {fasta}: {sides}. To rename those of the FASTA, save the "
            f"lines {', '.join(map(repr, rows[:SHOWN_RENAMES]))}{more} as a text file and pass `rename_chroms=FILE`"
        )
    problems = []
    if unknown:
        problems.append(f"{listed(unknown)} not in {fasta}")
    if missing:
        problems.append(f"no data for {listed(missing)}")
    raise InputError(
        f"{path}: {' and '.join(problems)}: another assembly? ({sides}); use the FASTA file that the signal was mapped "
        f"to, or leave chromosomes out with `exclude_chroms`"
    )


def check_within(path: Path, chrom: str, end: int, genome: Genome, exactly: bool) -> None:
    """Check that a signal does not reach beyond a chromosome, or (``exactly``) states the same length.

    Args:
        end: last base of the signal on the chromosome, or the length that its file states.

    Raises:
        InputError: with both lengths.
    """
    length = genome.lengths[chrom]
    if end == length or (end < length and not exactly):
        return
    says = f"{chrom} has {end:,} bases" if exactly else f"data on {chrom} reach base {end:,}"
    raise InputError(
        f"{path}: {says}, but {chrom} has {length:,} bases in {genome.path.name}; another assembly? Use the FASTA file "
        f"that the signal was mapped to"
    )


def read_renames(path: Path | None) -> dict[str, str]:
    """Read new names by old ones from lines of two words; empty without a file.

    Raises:
        InputError: for a line of other than two words, a name twice on one side, or a file that cannot be read.
    """
    if path is None:
        return {}
    with reading(path):
        lines = [line.split() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    for number, words in enumerate(lines, start=1):
        if len(words) not in (0, 2):
            raise InputError(f"{path}:{number}: has {len(words)} words; a line is OLD NEW, names without blanks")
    pairs = [words for words in lines if words]
    for side in zip(*pairs):
        twice = [name for name in side if side.count(name) > 1]
        if twice:
            raise InputError(f"{path}: {twice[0]} is there twice on one side; each chromosome has one name")
    return dict(pairs)


def matching(patterns: Sequence[str], names: Collection[str], option: str, genome: Genome) -> list[str]:
    """Return the names that match the patterns (``chrUn_*``), in the order of ``names``.

    Args:
        option: of the command line that has the patterns, for messages.

    Raises:
        InputError: for a pattern that matches none.
    """
    new_names = {old: new for new, old in genome.renamed.items()}
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            if pattern in new_names:
                raise InputError(f"{option} {pattern}: is renamed by `rename_chroms`; write {new_names[pattern]}")
            raise InputError(
                f"{option} {pattern}: no such chromosome in {genome.path}{did_you_mean(pattern, list(names))}; it has "
                f"{listed(names)}{_renamed(genome)}"
            )
    return [name for name in names if matches(name, patterns)]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name matches one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def listed(names: Iterable[str]) -> str:
    """List names for a message, the first few where there are many."""
    names = list(names)
    more = f", ... ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _renamed(genome: Genome) -> str:
    return " after `rename_chroms`" if genome.renamed else ""


def _match_by_number(unknown: Sequence[str], missing: Sequence[str]) -> Mapping[str, str]:
    """Match names that mean the same number: I, chrI and 1; chrM and MT. Missing names by unknown ones."""
    by_core = {_core(name): name for name in missing}
    by_number = {_number(core): name for core, name in by_core.items()}
    found = {name: by_core.get(_core(name), by_number.get(_number(_core(name)))) for name in unknown}
    return {name: other for name, other in found.items() if other is not None}


def _core(name: str) -> str:
    core = name.upper().removeprefix("CHROMOSOME").removeprefix("CHR").strip("_").lstrip("0")
    return "M" if core in MITOCHONDRIAL else core


def _number(core: str) -> str:
    return str(ROMAN.index(core) + 1) if core in ROMAN else core
