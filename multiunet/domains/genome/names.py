"""Names of chromosomes in sequences, signals and options, held against each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from multiunet.domains.genome.sequence import Genome
from multiunet.domains.reading import reading
from multiunet.domains.remarks import remark
from multiunet.domains.repeats import find_repeated
from multiunet.errors import InputError
from multiunet.wording import did_you_mean

SHOWN = 12
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI")
MITOCHONDRIAL = ("M", "MT", "MITO")


def check_names(
    path: Path, found: Collection[str], genome: Genome, exclude: Sequence[str] = (), complete: bool = True
) -> dict[str, str]:
    """Check that a signal and a genome have the same chromosomes; return the signal's name of each.

    Names that mean the same chromosome are matched (see ``match_chromosomes``).

    Args:
        found: chromosomes of the signal.
        exclude: patterns of chromosomes that either may have alone.
        complete: the signal must have all chromosomes of the genome; else it may lack some.

    Returns:
        Names in the signal by names in the genome, of the chromosomes that both have.

    Raises:
        InputError: with both sides.
    """
    known = match_chromosomes(path, [name for name in found if not matches(name, exclude)], genome, genome.path)
    expected = [name for name in genome.lengths if not matches(name, exclude)]
    unknown = [name for name in found if name not in known and not matches(name, exclude)]
    missing = [name for name in expected if name not in known.values()]
    if not unknown and not (missing and complete):
        return {new: old for old, new in known.items()}
    problems = []
    if unknown:
        problems.append(f"{listed(unknown)} not in {genome.path.name}")
    if missing and complete:
        problems.append(f"no data for {listed(missing)}")
    sides = f"{path.name} has {listed(found)}; {genome.path.name} has {listed(expected)}{_renamed(genome)}"
    raise InputError(
        f"{path}: {' and '.join(problems)}: another assembly? ({sides}); use the FASTA file of the same "
        f"assembly, name its chromosomes by `rename_chroms`, or leave chromosomes out with `exclude_chroms`"
    )


def match_chromosomes(
    path: Path | str, found: Collection[str], names: Collection[str] | Genome, other: Path
) -> dict[str, str]:
    """Match a file's names of chromosomes with those of a genome, and say so where they differ.

    Names match where they are equal; else where they mean the same: with and without ``chr``, in capitals or not, and
    as Roman or Arabic numbers (``chrII``, ``II``, ``2``), of mitochondria ``M``, ``MT`` and ``Mito``.

    Args:
        path: the file, or the setting, for messages.
        found: its names.
        names: those of the genome.
        other: where these are from, for messages.

    Returns:
        Names in the genome by names in the file, without those that match none.

    Raises:
        InputError: where a name could mean two chromosomes, or two names the same.
    """
    names = list(names.lengths if isinstance(names, Genome) else names)
    alike = _match_alike([name for name in found if name not in names], [name for name in names if name not in found])
    for name, several in alike.items():
        if len(several) > 1:
            raise InputError(
                f"{path}: chromosome {name!r} could be {listed(several)} of {other.name}; say which one by "
                "`rename_chroms`"
            )
    renamed = {name: several[0] for name, several in alike.items()}
    for name, new in renamed.items():
        if twice := [one for one, its in renamed.items() if its == new and one != name]:
            raise InputError(
                f"{path}: chromosomes {name!r} and {twice[0]!r} could both be {new!r} of {other.name}; rename one"
            )
    if renamed:
        remark(
            f"{path}: its chromosomes are named otherwise than in {other.name}, and matched: "
            f"{listed(f'{old} is {new}' for old, new in renamed.items())}"
        )
    return {name: renamed.get(name, name) for name in found if name in names or name in renamed}


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
        f"of the same assembly"
    )


def read_renames(path: Path | None) -> dict[str, str]:
    """Read new names by old ones from lines of two words; empty without a file.

    Raises:
        InputError: for a line of other than two words, a name twice on one side, or a file that cannot be read.
    """
    if path is None:
        return {}
    with reading(path):
        lines = [line.split() for line in path.read_text(encoding="utf-8-sig").split("\n")]
    for number, words in enumerate(lines, start=1):
        if len(words) not in (0, 2):
            raise InputError(f"{path}:{number}: has {len(words)} words; a line is OLD NEW, names without blanks")
    pairs = [words for words in lines if words]
    for side in zip(*pairs):
        if twice := find_repeated(side):
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


def _match_alike(unknown: Sequence[str], missing: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the missing names that mean the same as each unknown one: I, chrI and 1; chrM and MT."""
    found = {name: [other for other in missing if _core(other) == _core(name)] for name in unknown}
    # X is a sex chromosome, unless numbers are Roman ones
    if any(_core(name) in ROMAN and len(_core(name)) > 1 for name in (*unknown, *missing)):
        found = {
            name: several or [other for other in missing if _number(_core(other)) == _number(_core(name))]
            for name, several in found.items()
        }
    return {name: several for name, several in found.items() if several}


def _core(name: str) -> str:
    core = name.upper().removeprefix("CHROMOSOME").removeprefix("CHR").strip("_").lstrip("0")
    return "M" if core in MITOCHONDRIAL else core


def _number(core: str) -> str:
    return str(ROMAN.index(core) + 1) if core in ROMAN else core
