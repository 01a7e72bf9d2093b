"""Measurement of a stored prediction: its phases and objects, its quantities, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from multiunet.domains.image.config import ImageMeasure
from multiunet.domains.image.measure.layers import check_kinds, measure_layers
from multiunet.domains.image.measure.phases import measure
from multiunet.domains.image.measure.quantities import measure_quantities
from multiunet.domains.image.measure.tables import write_quantities, write_tables, write_thickness
from multiunet.errors import InputError
from multiunet.files import check_folder
from multiunet.prediction import open_datasets


def run_measures(options: ImageMeasure, folder: Path | None) -> Mapping[str, Any]:
    """Measure a stored prediction and write the tables into ``folder``, if any; return plain JSON.

    Of classes, ``phases``, and ``thickness`` where it is asked for; of quantities, and of classes in regions, ``rows``;
    and ``files``.

    Raises:
        InputError: for what cannot be measured, or written.
    """
    if folder is not None:
        check_folder(folder, options.overwrite)
    predicted = open_datasets(options.prediction)
    if not predicted:
        raise InputError(f"{options.prediction}: holds no image")
    classified = all("class" in data for data in predicted.values())
    if not classified and options.objects is not None:
        raise InputError(f"{options.prediction}: holds quantities, not classes, so `objects` counts none; leave it out")
    if not classified and options.thickness is not None:
        raise InputError(
            f"{options.prediction}: holds quantities, not classes, so none has a `thickness`; leave it out"
        )
    measures, layers, rows = None, None, None
    if classified:
        check_kinds(options.thickness or (), next(iter(predicted.values()))["total"].dims[1:])
        measures = measure(options)
        layers = None if options.thickness is None else measure_layers(options, measures)
    if not classified or options.regions is not None:
        rows = measure_quantities(options)
    files: list[Path] = []
    if folder is not None:  # all is measured by now: what fails leaves no half of the tables
        files += [] if measures is None else write_tables(measures, folder, options.overwrite)
        files += [] if layers is None else [write_thickness(layers, folder)]
        files += [] if rows is None else [write_quantities(rows, folder)]
    tables = {"phases": None if measures is None else measures.phases, "thickness": layers, "rows": rows}
    found = {name: [asdict(row) for row in table] for name, table in tables.items() if table is not None}
    return {**found, "files": [str(file) for file in files]}
