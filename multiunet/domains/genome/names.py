"""Whether a signal and a genome speak of the same chromosomes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from multiunet.domains.config import did_you_mean
from multiunet.errors import InputError

SHOWN = 12
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI")
MITOCHONDRIAL = ("M", "MT", "MITO")


def check_names(
    path: Path,
    found: Collection[str],
    expected: Collection[str],
    fasta: Path,
    excluded: Sequence[str],
    complete: bool = True,
) -> None:
    """Raises InputError where the chromosomes of a signal are not those of the FASTA file, in either direction.

    Args:
        complete: whether the signal must have all; else it may lack some, and none must be unknown.
    """
    unknown = [name for name in found if name not in expected and not matches(name, excluded)]
    missing = [name for name in expected if name not in found]
    if not unknown and not (missing and complete):
        return
    sides = f"{path.name} has {listed(found)}; {fasta.name} has {listed(expected)}"
    renaming = _renaming(unknown, missing)
    if renaming:
        shown = ", ".join(f"{a} -> {b}" for a, b in list(renaming.items())[:3])
        raise InputError(
            f"{path}: chromosomes are named otherwise than in {fasta.name}: {sides}; rename those of one file "
            f"({shown}, ...), or give both names by --rename-chroms"
        )
    problems = []
    if unknown:
        problems.append(f"{listed(unknown)} not in {fasta.name}")
    if missing:
        problems.append(f"no data for {listed(missing)}")
    raise InputError(
        f"{path}: {' and '.join(problems)}: another assembly? ({sides}); use the FASTA file that the signal was mapped "
        f"to, or leave chromosomes out with --exclude-chroms"
    )


def check_within(path: Path, chrom: str, end: int, length: int, fasta: Path, exactly: bool) -> None:
    """Raises InputError where a signal reaches beyond the chromosome, or (``exactly``) states another length."""
    if end == length or (end < length and not exactly):
        return
    says = f"{chrom} has {end:,} bases" if exactly else f"data on {chrom} reach base {end:,}"
    raise InputError(
        f"{path}: {says}, but {chrom} has {length:,} bases in {fasta.name}; another assembly? Use the FASTA file "
        f"that the signal was mapped to"
    )


def read_renames(path: Path | None) -> dict[str, str]:
    """New names by old ones, from lines of two words; nothing without a file.

    Raises:
        InputError: for a line of other than two words, a name twice on one side, or what cannot be read.
    """
    if path is None:
        return {}
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); --rename-chroms takes a text file") from error
    for number, words in enumerate(lines, start=1):
        if len(words) not in (0, 2):
            raise InputError(f"{path}:{number}: has {len(words)} words; a line is OLD NEW, names without blanks")
    pairs = [words for words in lines if words]
    for side in zip(*pairs):
        twice = [name for name in side if side.count(name) > 1]
        if twice:
            raise InputError(f"{path}: {twice[0]} is there twice on one side; each chromosome has one name")
    return dict(pairs)


def matching(patterns: Sequence[str], names: Collection[str], option: str, fasta: Path) -> list[str]:
    """The names that match the patterns (``chrUn_*``), in the order of ``names``.

    Raises:
        InputError: for a pattern that matches none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(
                f"{option} {pattern}: no such chromosome in {fasta}{did_you_mean(pattern, list(names))}; it has "
                f"{listed(names)}"
            )
    return [name for name in names if matches(name, patterns)]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name matches one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def listed(names: Iterable[str]) -> str:
    """Names for a message, cut where there are many."""
    names = list(names)
    more = f", ... ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _renaming(unknown: Sequence[str], missing: Sequence[str]) -> dict[str, str]:
    """What to call the unknown names to find them among the missing ones: I, chrI and 1; chrM and MT."""
    by_core = {_core(name): name for name in missing}
    by_number = {_number(core): name for core, name in by_core.items()}
    found = {name: by_core.get(_core(name), by_number.get(_number(_core(name)))) for name in unknown}
    return {name: other for name, other in found.items() if other is not None}


def _core(name: str) -> str:
    core = name.upper().removeprefix("CHROMOSOME").removeprefix("CHR").strip("_").lstrip("0")
    return "M" if core in MITOCHONDRIAL else core


def _number(core: str) -> str:
    return str(ROMAN.index(core) + 1) if core in ROMAN else core
