"""Groups of items that belong together: from their names, by a pattern that is given or found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.wording import counted, listing

TIMES = ("t", "time", "timepoint", "tp", "frame", "fr", "d", "day", "h", "hr", "hour", "min", "week", "visit")
PLACES = ("tile", "patch", "crop", "roi", "fov", "pos", "field", "slice", "section", "plane", "x", "y", "z", "r", "c")
PARTS = ("row", "col", "part", "view", "scan", "rep", "repeat", "replicate", "image", "img")

WORDS = (*TIMES, *PLACES, *PARTS)
"""What names have in front of a number that counts the images of one thing: ``Emb01_t301``, ``img_03_tile_12``."""

NUMBERED = "^(.+)[_-][0-9]+$"
"""Names that end with a number."""

FEWEST_NUMBERED = 5
"""Groups from which names that end with a number alone, like ``spot1_0d_2``, are taken for groups."""


def group_names(names: Sequence[str], pattern: str) -> list[str]:
    """Return the group of each name: the first group of a regular expression, or all that it matches.

    >>> group_names(["Emb01_t301", "Emb01_t501", "Emb02_t301"], r"Emb\\d+")
    ['Emb01', 'Emb01', 'Emb02']

    Raises:
        InputError: naming those that it does not match.
    """
    wanted = re.compile(pattern)
    found = [wanted.search(name) for name in names]
    if none := [name for name, match in zip(names, found) if match is None]:
        raise InputError(
            f"`groups={pattern}` matches nothing in {counted(len(none), 'name')} of {len(found)}: {listing(none)}; a "
            "pattern that ends with |^.+$ takes each of these for a group of its own"
        )
    return [match[1] if match.re.groups and match[1] is not None else match[0] for match in found if match]


def check_pattern(pattern: str | None) -> str | None:
    """Return a regular expression as it is.

    Raises:
        ValueError: where it is none, or matches an empty name.
    """
    if pattern is None:
        return None
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"`groups` is no regular expression ({error}); an example is 'Emb[0-9]+'") from None
    if wanted.search("") is not None:
        raise ValueError("`groups` matches the empty name, so it tells nothing apart; an example is 'Emb[0-9]+'")
    return pattern


def find_groups(names: Sequence[str]) -> str | None:
    """Return the regular expression by which names tell of groups; None where they do not.

    Names tell where all have a number behind one of ``WORDS``, or, of ``FEWEST_NUMBERED`` groups or more, at their end,
    and some differ in nothing else.

    >>> find_groups(["Emb01_t301", "Emb01_t501", "Emb02_t301"])
    '^(.+?)_t[0-9]+'
    >>> find_groups(["cell_1", "cell_2", "cell_3"])
    """
    ways = [(pattern, Counter(group_names(names, pattern)), fewest) for pattern, fewest in _patterns(names)]
    telling = [(len(sizes), pattern) for pattern, sizes, fewest in ways if fewest <= len(sizes) < len(set(names))]
    return min(telling)[1] if telling else None


def _patterns(names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield patterns that match all names, each with the fewest groups that make it believable."""
    # without anything between, a word must follow a digit: the t of plant12 counts nothing
    for found in re.finditer("([_. -]|(?<=[0-9]))([A-Za-z]+)([_ -]?)[0-9]+", names[0] if names else ""):
        before, word, behind = found.groups()
        if word.lower() in WORDS:
            pattern = f"^(.+?){re.escape(before) or '(?<=[0-9])'}{word}{behind}[0-9]+"
            if all(re.search(pattern, name) for name in names):
                yield pattern, 2
    if all(re.search(NUMBERED, name) for name in names):
        yield NUMBERED, FEWEST_NUMBERED


def check_together(where: str, splits: Mapping[str, Sequence[tuple[str, str | None]]]) -> None:
    """Check that no group is in two splits.

    Args:
        where: what says how to split, for errors.
        splits: of each split the name and the group of each item; None: it is a group of its own.

    Raises:
        InputError: naming the groups that are.
    """
    first: dict[str, tuple[str, str]] = {}
    parted: dict[str, str] = {}
    for split, items in splits.items():
        for name, group in items:
            if group is None:
                continue
            before, other = first.setdefault(group, (split, name))
            if before != split:
                parted.setdefault(group, f"{other} in {before}, {name} in {split}")
    if parted:
        group, example = next(iter(parted.items()))
        raise InputError(
            f"{where}: {counted(len(parted), 'group')} in more than one split ({listing(list(parted))}; of {group} "
            f"{example}), so scores would be of what training has seen; put each into one, or let chance split them"
        )


def warn_of_parted(where: object, noun: str, splits: Mapping[str, Sequence[str]]) -> None:
    """Say that names tell of groups which a split by chance parts, and how to keep them together.

    Args:
        noun: what the names are of: "image", say.
        splits: names by split.
    """
    names = [name for own in splits.values() for name in own]
    pattern = find_groups(names)
    if pattern is None:
        return
    groups = dict(zip(names, group_names(names, pattern)))
    held = {split: {groups[name] for name in own} for split, own in splits.items()}
    parted = [group for group in dict.fromkeys(groups.values()) if sum(group in own for own in held.values()) > 1]
    if not parted:
        return
    example = [name for name in names if groups[name] == parted[0]]
    are = "is" if len(parted) == 1 else "are"
    remark(
        f"{where}: by their names, {noun}s are of {len(set(groups.values()))} groups, and {len(parted)} of these {are} "
        f"in more than one split (such as {parted[0]}: {listing(example, 3)}); if a group is of one specimen, patient "
        f"or series, scores come out too good: keep each together by `groups={pattern}`, or say that {noun}s do not "
        "depend on each other by `groups=.+`"
    )
