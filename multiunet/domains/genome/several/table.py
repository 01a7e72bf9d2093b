"""Tables of genomes: one a line, with its files, its split, and its conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.names import listed
from multiunet.domains.remarks import remark
from multiunet.domains.repeats import find_repeated
from multiunet.domains.rows import delimiter_of, read_rows
from multiunet.errors import InputError
from multiunet.wording import did_you_mean

REQUIRED = ("name", "fasta", "targets")
FILES = ("rename_chroms", "exclude_regions")
COLUMNS = (*REQUIRED, "val_chroms", "test_chroms", "exclude_chroms", *FILES, "description")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
NAMED = re.compile(r"([^=/\\]+)=(.+)")


@dataclass(frozen=True)
class Row:
    """Genome of a table.

    Attributes:
        name: its name; its chromosomes are ``NAME:CHROMOSOME`` in a run.
        fasta: its sequences.
        targets: its signals, or a table of them.
        tracks: names of the signals, as many; empty ones: those of the files.
        words: all its columns, by name.
        folder: that of the table, from which files are named.
    """

    name: str
    fasta: Path
    targets: tuple[Path, ...]
    tracks: tuple[str, ...]
    words: Mapping[str, str]
    folder: Path

    def config(self, config: GenomeTrain) -> GenomeTrain:
        """Return the settings of a training on several genomes as those of this one alone."""
        files = {name: self.folder / self.words[name] if self.words.get(name) else None for name in FILES}
        own = {"fasta": self.fasta, "targets": list(self.targets), "exclude_chroms": self.listed("exclude_chroms")}
        return config.model_copy(update={**files, **own, "conditions": []})

    def listed(self, column: str) -> list[str]:
        """Return the names in a column, which are parted by commas."""
        return [name.strip() for name in self.words.get(column, "").split(",") if name.strip()]


def read_genomes(path: Path, conditions: Sequence[str]) -> list[Row]:
    """Read a table of genomes.

    Args:
        conditions: columns that the network is told.

    Raises:
        InputError: for a table that lacks a column or a file, or a name that is there twice.
    """
    numbered = read_rows(path, delimiter_of(path))
    head = numbered[0][1] if numbered else []
    _check_head(path, head, conditions)
    rows = [_read_row(path, number, dict(zip(head, cells))) for number, cells in numbered[1:]]
    if not rows:
        raise InputError(f"{path}: names no genome")
    if twice := find_repeated(row.name for row in rows):
        raise InputError(f"{path}: {twice[0]!r} is there twice; each genome has a name of its own")
    return rows


def _check_head(path: Path, head: Sequence[str], conditions: Sequence[str]) -> None:
    for column in (*REQUIRED, *conditions):
        if column not in head:
            why, has = "" if column in REQUIRED else ", which `conditions` names", ", ".join(filter(None, head))
            raise InputError(
                f"{path}: has no column {column!r}{why}, in its first line ({has or 'nothing'})"
                f"{did_you_mean(column, head)}; a table of genomes has {', '.join(REQUIRED)}, and may have "
                f"{', '.join(COLUMNS[len(REQUIRED) :])} and conditions, between tabs"
            )
    if twice := find_repeated(filter(None, head)):
        raise InputError(f"{path}: has two columns {twice[0]!r}; leave one out")
    for column in conditions:
        if column in COLUMNS and column != "name":
            raise InputError(f"`conditions={column}`: the column of {path.name} is no condition; name another one")
    if unused := [column for column in head if column and column not in (*COLUMNS, *conditions)]:
        near, verb = did_you_mean(unused[0], COLUMNS), "is" if len(unused) == 1 else "are"
        remark(f"{path}: of its columns {listed(unused)} {verb} not used{near}; `conditions` names what is to be told")


def _read_row(path: Path, number: int, words: Mapping[str, str]) -> Row:
    for column in REQUIRED:
        if not words.get(column):
            raise InputError(f"{path}:{number}: has no {column}")
    name = words["name"]
    if not NAME.fullmatch(name):
        raise InputError(f"{path}:{number}: name {name!r} is to be letters, digits, '_', '-' and '.', without blanks")
    given = [part.strip() for part in words["targets"].split(",") if part.strip()]
    found = [(named[1].strip(), named[2]) if (named := NAMED.fullmatch(part)) else ("", part) for part in given]
    row = Row(
        name,
        path.parent / words["fasta"],
        tuple(path.parent / file for _, file in found),
        tuple(track for track, _ in found),
        words,
        path.parent,
    )
    files = [row.fasta, *row.targets, *(path.parent / words[column] for column in FILES if words.get(column))]
    if missing := [file for file in files if not file.is_file()]:
        raise InputError(f"{path}:{number}: {missing[0]} is not there; files are named from the table's own folder")
    return row
