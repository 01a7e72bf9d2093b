"""Pairs of tracks that measure one signal on the two strands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.names import listed
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.wording import did_you_mean


def pair_strands(pairs: Sequence[str], tracks: Sequence[str]) -> list[int]:
    """Return for each track the index of its partner on the other strand; its own where it has no strand.

    Args:
        pairs: ``FORWARD:REVERSE`` names of tracks.

    Raises:
        InputError: for a name that no track has, or that is in two pairs.
    """
    partners = list(range(len(tracks)))
    for pair in pairs:
        names = pair.split(":")
        if len(names) != 2 or names[0] == names[1]:
            raise InputError(f"`strand_pairs={pair}`: give two tracks as FORWARD:REVERSE")
        for name in names:
            if name not in tracks:
                hint = did_you_mean(name, tracks)
                raise InputError(f"`strand_pairs={pair}`: no track {name!r}{hint}; there are {listed(tracks)}")
        a, b = (tracks.index(name) for name in names)
        if (partners[a], partners[b]) != (a, b):
            raise InputError(f"`strand_pairs={pair}`: a track is in two pairs")
        partners[a], partners[b] = b, a
    return partners


def measure_scales(trained: NDArray[np.float64], partners: Sequence[int]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each track of ``(tracks, bins)``, by strand pair.

    The two tracks of a strand pair share theirs, measured over both: the network averages its predictions of a sequence
    and of the reverse complement, where strand pairs are swapped, so both must be in one unit.
    """
    alike = [trained[sorted({track, partner})] for track, partner in enumerate(partners)]
    return [float(np.nanmean(values)) for values in alike], [float(np.nanstd(values)) for values in alike]


def check_signs(paths: Sequence[Path], trained: NDArray[np.float64], partners: Sequence[int]) -> None:
    """Reject strand pairs of opposite sign (minus strand stored as negative values).

    Means of opposite sign give a warning.

    Args:
        paths: files of the tracks, for messages.
        trained: ``(tracks, bins)`` of the training chromosomes.

    Raises:
        InputError: naming both files.
    """
    pairs = [(track, partner) for track, partner in enumerate(partners) if track < partner]
    for one, other in [*pairs, *((partner, track) for track, partner in pairs)]:
        if np.nanmax(trained[one]) <= 0 <= np.nanmin(trained[other]):
            raise InputError(
                f"{paths[one]}: has no value above 0, but its partner in `strand_pairs`, "
                f"{paths[other].name}, has none below: the minus strand is stored as negative numbers; change "
                "their sign, so that both strands measure the same"
            )
    for one, other in pairs:
        means = np.nanmean(trained[[one, other]], axis=1)
        if means.prod() < 0:
            remark(
                f"{paths[one]}: its mean is {means[0]:g}, that of its partner in `strand_pairs`, "
                f"{paths[other].name}, is {means[1]:g}; is one of them stored with the other sign?"
            )
