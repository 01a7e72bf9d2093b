"""Alleles as changes of a sequence, the same however a file writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from multiunet.domains.genome.sequence import CODE, UNKNOWN, Codes, cut

Status = Literal[
    "scored",
    "missing",
    "overlapping_deletion",
    "symbolic",
    "breakend",
    "malformed",
    "unknown_base",
    "too_long",
    "reference_mismatch",
    "outside",
    "no_such_chromosome",
]
"""What became of an allele: it was scored, or why not."""

LETTERS = "ACGTN"
SINGLE_BREAKEND = re.compile(r"\.[A-Za-z]+|[A-Za-z]+\.")


@dataclass(frozen=True)
class Reference:
    """Bases of a chromosome, with some of them replaced by others, and unknown ones beyond its ends.

    Args:
        codes: ``(bases,)``.
        start: of the bases that are replaced.
        patch: what stands in their place, as many.
    """

    codes: Codes
    start: int = 0
    patch: Codes | None = None

    def read(self, start: int, stop: int) -> Codes:
        """Return bases ``[start, stop)``."""
        window = cut(self.codes, start, stop)
        if self.patch is None:
            return window
        low, high = max(start, self.start), min(stop, self.start + len(self.patch))
        if low >= high:
            return window
        window = window.copy()
        window[low - start : high - start] = self.patch[low - self.start : high - self.start]
        return window

    def at(self, place: int) -> int:
        """Return one base; unknown beyond the ends."""
        return int(self.read(place, place + 1)[0])


@dataclass(frozen=True)
class Allele:
    """Change of a sequence: bases ``[start, stop)`` become ``alt``.

    Attributes:
        first: where the change begins if it is shifted as far left as possible.
        moved: the bases that are then removed, and those that are put in.
    """

    reference: Reference
    start: int
    stop: int
    alt: Codes
    first: int
    moved: tuple[Codes, Codes]

    @property
    def ref(self) -> Codes:
        """The bases that are replaced."""
        return self.reference.read(self.start, self.stop)

    @property
    def is_change(self) -> bool:
        """False where both alleles are the same sequence."""
        return not np.array_equal(self.ref, self.alt)

    def describe(self) -> str:
        """Return the left-aligned allele, ``POS:REF:ALT``, as a VCF has it: an indel with the base before."""
        first, (ref, alt) = self.first, self.moved
        if not len(ref) or not len(alt):
            anchor = self.reference.read(first - 1, first) if first else self.reference.read(len(ref), len(ref) + 1)
            first -= first > 0
            ref, alt = (np.concatenate([anchor, part] if self.first else [part, anchor]) for part in (ref, alt))
        return f"{first + 1}:{as_letters(ref)}:{as_letters(alt)}"


def as_codes(letters: str) -> Codes:
    """Return letters of nucleotides as codes, 4 where they are ambiguous."""
    return np.frombuffer(letters.encode("ascii").translate(CODE), dtype=np.uint8)


def as_letters(codes: Codes) -> str:
    """Return codes as letters, ``N`` where unknown."""
    return "".join(LETTERS[code] for code in codes)


def refuse(alt: str) -> Status | None:
    """Return why an ALT of a VCF file cannot be scored; None for a sequence of known bases."""
    if alt == ".":
        return "missing"
    if alt == "*":
        return "overlapping_deletion"
    if alt.startswith("<"):
        return "symbolic"
    if "[" in alt or "]" in alt or SINGLE_BREAKEND.fullmatch(alt):
        return "breakend"
    if not alt or not alt.isascii() or as_codes(alt).max() > UNKNOWN:
        return "malformed"
    return "unknown_base" if as_codes(alt).max() == UNKNOWN else None


def make_allele(reference: Reference, start: int, ref: Codes, alt: Codes) -> Allele:
    """Return an allele as one change, whatever way of several it is written in.

    Bases that REF and ALT both begin or end with are left out.

    A deletion or insertion in a repeat can be written at several places, all of which give the same sequence. The
    allele replaces the whole stretch in which they lie, so it is the same from either strand (Holmes et al. 2020,
    "SPDI: data model for variants and applications at NCBI": the fully justified allele).

    Args:
        start: place of the first base of ``ref``, from 0.
    """
    if np.array_equal(ref, alt):
        return Allele(reference, start, start + len(ref), alt, start, (ref, alt))
    end = _count_common(ref[::-1], alt[::-1])
    ref, alt = ref[: len(ref) - end], alt[: len(alt) - end]
    begin = _count_common(ref, alt)
    ref, alt, start = ref[begin:], alt[begin:], start + begin
    found = Allele(reference, start, start + len(ref), alt, start, (ref, alt))
    if len(ref) and len(alt):  # nothing to shift
        return found
    return _justify(found, alt if len(alt) else ref)


def _justify(allele: Allele, changed: Codes) -> Allele:
    """Widen an insertion or deletion over all places where it could be."""
    reference, size = allele.reference, len(changed)
    left = right = 0
    # the base before, if it equals the last that is changed, may be changed in its place; likewise behind
    while (base := reference.at(allele.start - left - 1)) < UNKNOWN and base == changed[-1 - left % size]:
        left += 1
    while (base := reference.at(allele.stop + right)) < UNKNOWN and base == changed[right % size]:
        right += 1
    before, after = (
        reference.read(allele.start - left, allele.start),
        reference.read(allele.stop, allele.stop + right),
    )
    whole = np.concatenate([before, allele.alt, after])
    rolled = np.roll(changed, left)
    moved = (rolled, rolled[:0]) if not len(allele.alt) else (rolled[:0], rolled)
    return replace(
        allele, start=allele.start - left, stop=allele.stop + right, alt=whole, first=allele.start - left, moved=moved
    )


def _count_common(one: Codes, other: Codes) -> int:
    """Return how many codes two sequences begin with alike."""
    size = min(len(one), len(other))
    differ = np.flatnonzero(one[:size] != other[:size])
    return int(differ[0]) if len(differ) else size
