"""Figure of a mutagenesis: a logo of contributions over a heat map of all changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from multiunet.domains.genome.logo import draw_logo
from multiunet.domains.genome.mutagenesis.effects import Mutagenesis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE = 100
"""Bases of a line of a figure."""


def draw_mutagenesis(found: Mutagenesis, track: int, page: slice) -> Figure:
    """Draw one track of a mutagenesis, line by line: the bases' contributions, and below them each change.

    Args:
        page: bases that are drawn.
    """
    from matplotlib.figure import Figure  # slow to import

    lines = [slice(first, min(first + LINE, page.stop)) for first in range(page.start, page.stop, LINE)]
    width = min(LINE, page.stop - page.start)
    figure = Figure(figsize=(2.2 + 0.13 * max(width, 40), 0.9 + 2.1 * len(lines)), layout="constrained")
    panels = figure.subplots(2 * len(lines), 1, squeeze=False, height_ratios=[1.3, 1] * len(lines))[:, 0]
    effect, heights = found.effect[track], found.contribution[track]
    limit = float(np.nanmax(np.abs(effect[:, page]), initial=0.0)) or 1.0
    for place, part in enumerate(lines):
        logo, heat = panels[2 * place], panels[2 * place + 1]
        first = found.place.start + part.start + 1
        draw_logo(logo, found.codes[part], heights[part], first, found.contribution_sd[track, part])
        known = heights[page][np.isfinite(heights[page])]
        low, high = min(known.min(initial=0), 0), max(known.max(initial=0), 0)
        logo.set_ylim(low - 0.05 * (high - low or 1), high + 0.05 * (high - low or 1))
        logo.set_xlim(first - 0.5, first + width - 0.5)
        logo.set_xticks([])
        logo.spines[["top", "right", "bottom"]].set_visible(False)
        shown = heat.imshow(
            effect[:, part],
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            aspect="auto",
            interpolation="nearest",
            extent=(first - 0.5, first + part.stop - part.start - 0.5, 3.5, -0.5),
        )
        there = np.flatnonzero(found.codes[part] < 4)
        heat.plot(first + there, found.codes[part][there], ".", color="0.35", markersize=2)
        heat.set_xlim(first - 0.5, first + width - 0.5)
        heat.set_yticks(range(4), list("ACGT"), fontsize="small")
        step = 10
        begin = math.ceil(first / step) * step
        heat.set_xticks(range(begin, first + part.stop - part.start, step))
        heat.ticklabel_format(axis="x", style="plain", useOffset=False)
        heat.tick_params(axis="x", labelsize="small")
    figure.colorbar(shown, ax=list(panels), shrink=min(1.0, 2 / len(lines)), label="change of the sum over bins")
    pale = "" if np.isnan(found.contribution_sd).all() else ", pale within its deviation"
    title = f"{found.tracks[track]}, {found.place.words}\nletters: contribution of the base that is there{pale}; "
    figure.suptitle(title + "colours: change by the base in its place", fontsize="medium")
    return figure
