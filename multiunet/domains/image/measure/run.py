"""Measurement of a stored prediction: its phases and objects, its quantities, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from multiunet.domains.image.config import ImageMeasure
from multiunet.domains.image.measure.layers import measure_layers
from multiunet.domains.image.measure.phases import measure
from multiunet.domains.image.measure.quantities import measure_quantities
from multiunet.domains.image.measure.tables import write_quantities, write_tables, write_thickness
from multiunet.errors import InputError
from multiunet.files import check_folder
from multiunet.prediction import open_prediction


def run_measures(options: ImageMeasure, folder: Path | None) -> Mapping[str, Any]:
    """Measure a stored prediction and write the tables into ``folder``, if any; return plain JSON.

    Of classes, ``phases``, and ``thickness`` where it is asked for; of quantities, and of classes in regions, ``rows``;
    and ``files``.

    Raises:
        InputError: for what cannot be measured, or written.
    """
    if folder is not None:
        check_folder(folder, options.overwrite)
    classified = all("class" in data for data in open_prediction(options.prediction).values())
    if not classified and options.objects is not None:
        raise InputError(f"{options.prediction}: holds quantities, not classes, so `objects` counts none; leave it out")
    if not classified and options.thickness is not None:
        raise InputError(
            f"{options.prediction}: holds quantities, not classes, so none has a `thickness`; leave it out"
        )
    found: dict[str, Any] = {}
    files: list[Path] = []
    if classified:
        measures = measure(options)
        found["phases"] = [asdict(phase) for phase in measures.phases]
        files += [] if folder is None else write_tables(measures, folder, options.overwrite)
        if options.thickness is not None:
            layers = measure_layers(options, measures)
            found["thickness"] = [asdict(row) for row in layers]
            files += [] if folder is None else [write_thickness(layers, folder)]
    if not classified or options.regions is not None:
        rows = measure_quantities(options)
        found["rows"] = [asdict(row) for row in rows]
        files += [] if folder is None else [write_quantities(rows, folder)]
    return {**found, "files": [str(file) for file in files]}
