"""What became of mutants: a row of a table for each reader, and what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

FINE = ("read", "refused", "read alone")
"""Outcomes that are no findings: as the second reader reads it, refused by name, read where the other fails."""

COLUMNS = ("reader", "mutants", *FINE, "found", "slowest", "most memory")
HEAD = "| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        word: of ``FINE``; or traceback, unnamed, differs, memory, hang or died.
        seconds: that reading it took.
        size: most bytes of memory beyond those before.
    """

    word: str
    what: str = ""
    seconds: float = 0.0
    size: int = 0


@dataclass
class Tally:
    """Counts of outcomes, and what went wrong, by reader."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest: float = 0.0
    most: int = 0

    def count(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.counts[outcome.word] += 1
        self.slowest, self.most = max(self.slowest, outcome.seconds), max(self.most, outcome.size)

    def add(self, other: Tally) -> None:
        """Add the counts of another reader."""
        self.counts += other.counts
        self.findings += other.findings
        self.slowest, self.most = max(self.slowest, other.slowest), max(self.most, other.most)

    def row(self, name: str) -> str:
        """Return a row of the table."""
        found = {word: count for word, count in self.counts.items() if word not in FINE}
        words = ", ".join(f"{count} {word}" for word, count in found.items()) or "0"
        counts = " | ".join(f"{self.counts[word]:,}" for word in FINE)
        of = f"{self.slowest:.1f} s | {self.most >> 20} MB"
        return f"| {name} | {self.counts.total():,} | {counts} | {words} | {of} |"
