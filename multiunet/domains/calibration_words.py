"""Calibrations in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multiunet.wording import counted

if TYPE_CHECKING:
    from multiunet.domains.calibration_file import Fit


def describe_fits(fits: Sequence[Fit], groups: str) -> list[str]:
    """Return a line for each calibration.

    Args:
        groups: what errors were learnt from, in the plural: "images", say.
    """
    return [_line(fit, groups) for fit in fits]


def _line(fit: Fit, groups: str) -> str:
    limits = fit.limits_in_words(groups)
    words = (
        f"{_way(fit)}: {_numbers(fit)}; {fit.source}, {counted(fit.groups, fit.name_groups(groups).removesuffix('s'))}"
    )
    return f"{words} ({limits})" if limits else words


def _way(fit: Fit) -> str:
    members = "" if fit.members == 1 else f"{fit.members} networks, "
    sampled = "without dropout" if fit.samples == 1 else f"{fit.samples} samples"
    return f"{members}{sampled}{f', {fit.way}' if fit.way else ''}"


def _numbers(fit: Fit) -> str:
    found: Mapping[str, Any] = fit.calibration.model_dump()
    if fit.calibration.kind == "classes":
        thresholds = found["thresholds"].items()
        alone = found["labels"] == "multilabel"  # its only other is that it is not there
        told = {name: f"{least / (1 + least):.2g}" if alone else f"{least:.2g} times" for name, least in thresholds}
        other = "" if alone else " the likeliest other class"
        rare = [f"{name} from {least}{other} on" for name, least in told.items()]
        return "; ".join([f"temperature {found['temperature']:.3g}", *rare])
    return f"variances times {', '.join(f'{factor:.3g}' for factor in found['factors'])}"
