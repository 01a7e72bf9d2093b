"""Files of a generator's report: curves as a table and a figure, and a sheet of new images."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from multiunet.domains.image.generation.contact_sheet import make_sheet
from multiunet.domains.image.generation.scoring.nearest import Nearest
from multiunet.domains.image.info import ImageInfo
from multiunet.files import csv_text
from multiunet.metrics.image_sets import Floats, Images

ABREAST = 8
"""New images in a row of the sheet, their nearest training images below them."""

MOST = 32
"""New images on the sheet, at most."""


class TextureCurves(NamedTuple):
    """Curves of a set of images.

    Attributes:
        correlation: by distance in pixels, from 0.
        spectrum: decibels, by waves on the shortest side, from 1.
    """

    correlation: Floats
    spectrum: Floats


def write_curves(curves: Mapping[str, TextureCurves], path: Path) -> None:
    """Write a table: two-point correlation and power spectrum of each set of images."""
    names = list(curves)
    correlated, powered = ([f"{kind} {name}" for name in names] for kind in ("correlation", "spectrum_db"))
    header = ["distance", *correlated, "waves", *powered]
    correlations = enumerate(zip(*(curves[name].correlation for name in names)))
    spectra = enumerate(zip(*(curves[name].spectrum for name in names)), start=1)
    rows = zip_longest(correlations, spectra, fillvalue=(None, [None] * len(names)))
    text = csv_text([header, *([at, *values, wave, *powers] for (at, values), (wave, powers) in rows)])
    path.write_text(text, encoding="utf-8")


def write_figure(curves: Mapping[str, TextureCurves], path: Path) -> None:
    """Draw two-point correlation and power spectrum of each set of images, a PNG."""
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, one in curves.items():
        style = "-" if name == "new" else "--"
        left.plot(np.arange(len(one.correlation)), one.correlation, style, label=name)
        right.plot(np.arange(1, len(one.spectrum) + 1), one.spectrum, style, label=name)
    left.set(title="Two-point correlation", xlabel="distance, pixels", ylabel="share of the variance")
    right.set(title="Power spectrum", xlabel="waves on the shortest side", ylabel="decibels", xscale="log")
    for panel in (left, right):
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(path, format="png", dpi=150)


def write_sheet(made: Images, nearest: Nearest, info: ImageInfo, path: Path) -> None:
    """Draw new images, each above its nearest training image."""
    rows, titles = [], []
    for first in range(0, min(len(made), MOST), ABREAST):
        cut = slice(first, min(first + ABREAST, MOST))
        rows += [list(made[cut]), list(nearest.pixels[cut])]
        titles += ["new", "the nearest training image of each"]
    known = info.generated
    Image.fromarray(make_sheet(rows, known.lowest, known.highest, titles)).save(path, format="PNG")
