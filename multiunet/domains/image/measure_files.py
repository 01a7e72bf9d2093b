"""Measures as tables and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.image.measure import Measures, Part, Phase
from multiunet.files import check_folder, csv_text, write_atomically, write_text
from multiunet.wording import counted


def write(measures: Measures, folder: Path, overwrite: bool) -> list[Path]:
    """``phases.csv``, ``objects.csv`` and a figure ``phases.png``.

    Raises:
        InputError: when the folder has files already, unless they may be overwritten, or cannot be written.
    """
    check_folder(folder, overwrite, "--out")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("phases.csv", "objects.csv", "phases.png")]
    write_text(paths[0], _table([asdict(phase) for phase in measures.phases], [item.name for item in fields(Phase)]))
    axes = measures.axes
    rows = [
        {**asdict(part), **{f"centre_{axis}": at for axis, at in zip(axes, part.centre)}} for part in measures.parts
    ]
    columns = [item.name for item in fields(Part) if item.name != "centre"] + [f"centre_{axis}" for axis in axes]
    write_text(paths[1], _table(rows, columns))
    write_atomically(paths[2], lambda temporary: draw(measures, temporary))
    return paths


def draw(measures: Measures, path: Path) -> None:
    """Fractions with error bars, image by image, and the sizes of whole objects, as a PNG."""
    from matplotlib.figure import Figure  # slow to import

    phases = list(dict.fromkeys(phase.phase for phase in measures.phases))
    shown = [phase for phase in measures.phases if not phase.pooled]
    images = list(dict.fromkeys(phase.image for phase in shown))
    sizes = {name: [p.diameter for p in measures.parts if p.phase == name and not p.touches_border] for name in phases}
    sizes = {name: values for name, values in sizes.items() if values}
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    bars, histogram = figure.subplots(1, 2)
    width = 0.8 / len(images)
    for index, image in enumerate(images):
        own = {phase.phase: phase for phase in shown if phase.image == image}
        places = [place + (index - (len(images) - 1) / 2) * width for place in range(len(phases))]
        heights = [100 * own[name].fraction for name in phases]
        errors = [100 * (own[name].fraction_sd or 0.0) for name in phases]
        bars.bar(places, heights, width * 0.85, yerr=errors, color="C0", error_kw={"elinewidth": 1, "capsize": 1})
    bars.set_ylim(bottom=0)  # no fraction is negative, however long its error bar
    bars.set_xticks(range(len(phases)), phases)
    bars.set_xlabel("class")
    bars.set_ylabel("fraction, % (error bar: one deviation of the samples)")
    bars.set_title(f"{counted(len(images), 'image')}, a bar each")
    edges = np.linspace(0, max((max(values) for values in sizes.values()), default=1.0), 31)
    for name, values in sizes.items():
        histogram.hist(values, edges.tolist(), histtype="step", linewidth=1.5, label=f"class {name} ({len(values)})")
    histogram.set_xlabel(f"equivalent diameter, {measures.phases[0].length_unit}")
    histogram.set_ylabel("objects that do not touch the border")
    if sizes:
        histogram.legend()
    figure.savefig(path, format="png", dpi=150)


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    return csv_text([columns, *([row[column] for column in columns] for row in rows)])
