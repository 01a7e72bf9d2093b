"""Channels of a file that are read, chosen by number or by name, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from multiunet.domains.image.files.lazy import Lazy, Region
from multiunet.domains.image.files.stack import Stack
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError
from multiunet.wording import counted

Channels = tuple[str, ...]
"""Numbers, from 1, or names of the channels to read, in this order; empty: all, as stored."""

MOST_SHOWN = 12
"""Names of channels in an error, at most."""


def choose_channels(path: Path, stack: Stack, chosen: Channels) -> Stack:
    """Return a stack with these of its channels alone, in this order; others are not read.

    A whole number that is no larger than the number of channels is a place, counted from 1; all else is a name, whose
    capitals need not be as in the file. Opacity is a channel like any other here: if it is not chosen, it is left out.

    Raises:
        InputError: for a channel that the file has not, or one that is named twice.
    """
    if not chosen:
        return stack
    places = [_find(path, stack, name) for name in chosen]
    if twice := next((name for name, place in zip(chosen, places) if places.count(place) > 1), None):
        raise InputError(f"{path}: `channels={','.join(chosen)}` names channel {twice!r} twice; name each once")
    names = None if stack.names is None else tuple(stack.names[place] for place in places)
    samples = stack.samples and places == [0, 1, 2]
    return replace(stack, pixels=pick_channels(stack.pixels, places), names=names, samples=samples, alpha=False)


def _find(path: Path, stack: Stack, name: str) -> int:
    """Return the index of the channel of this number or name."""
    count, names = stack.pixels.shape[0], stack.names or ()
    number = parse_whole(name)
    if number is not None and 1 <= number <= count:
        return number - 1
    same = [index for index, own in enumerate(names) if own == name]
    alike = same or [index for index, own in enumerate(names) if own.casefold() == name.casefold()]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise InputError(f"{path}: {len(alike)} of its channels are called {name!r}; give their numbers in `channels`")
    known = ", ".join(f"{index + 1} {own}" for index, own in enumerate(names[:MOST_SHOWN]))
    nameless = "which has no name" if count == 1 else "which have no names"
    has = f"{counted(count, 'channel')} ({known})" if known else f"{counted(count, 'channel')}, {nameless}"
    raise InputError(
        f"{path}: has no channel {name!r}, which `channels` asks for; it has {has}; numbers are counted from 1"
    )


def pick_channels(pixels: Lazy, places: Sequence[int]) -> Lazy:
    """Return the channels ``(C, *space)`` of these indices; others are read if stored with them."""
    together = pixels.chunk[0] > 1

    def read(region: Region) -> np.ndarray:
        wanted, rest = list(places[region[0]]), region[1:]
        if not wanted:
            return pixels.read((slice(0, 0), *rest))
        if together:
            first = min(wanted)
            block = pixels.read((slice(first, max(wanted) + 1), *rest))
            return block[[place - first for place in wanted]]
        return np.concatenate([pixels.read((slice(place, place + 1), *rest)) for place in wanted])

    chunk = (len(places) if together else 1, *pixels.chunk[1:])
    return Lazy((len(places), *pixels.shape[1:]), pixels.dtype, read, chunk)
