"""U-Nets for every kind of data: one core over abstract geometries, honest scores, uncertainty that adds up.

>>> from multiunet import Grid, UNet
>>> net = UNet(Grid(2), 1, 3, [8, 16, 32])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiunet.core import (
        Add,
        AttentionGate,
        Concat,
        Condition,
        Dropout,
        Geometry,
        NestedUNet,
        NoSkip,
        ReceptiveField,
        Skip,
        UNet,
        receptive_field,
    )
    from multiunet.domains.inference import evaluate, predict
    from multiunet.domains.training import train
    from multiunet.errors import InputError
    from multiunet.geometries import Graph, GraphField, Grid
    from multiunet.prediction import GridPredictor, GridSource, open_prediction, predict_field
    from multiunet.tasks import Regression, Segmentation
    from multiunet.training.loop import fit
    from multiunet.training.recipe import Recipe
    from multiunet.uncertainty import Moments

_HOMES = {
    "Add": "core",
    "AttentionGate": "core",
    "Concat": "core",
    "Condition": "core",
    "Dropout": "core",
    "Geometry": "core",
    "Graph": "geometries",
    "GraphField": "geometries",
    "Grid": "geometries",
    "GridPredictor": "prediction",
    "GridSource": "prediction",
    "InputError": "errors",
    "Moments": "uncertainty",
    "NestedUNet": "core",
    "NoSkip": "core",
    "ReceptiveField": "core",
    "Recipe": "training.recipe",
    "Regression": "tasks",
    "Segmentation": "tasks",
    "Skip": "core",
    "UNet": "core",
    "evaluate": "domains.inference",
    "fit": "training.loop",
    "open_prediction": "prediction",
    "predict": "domains.inference",
    "predict_field": "prediction",
    "receptive_field": "core",
    "train": "domains.training",
}

__all__ = [
    "Add",
    "AttentionGate",
    "Concat",
    "Condition",
    "Dropout",
    "Geometry",
    "Graph",
    "GraphField",
    "Grid",
    "GridPredictor",
    "GridSource",
    "InputError",
    "Moments",
    "NestedUNet",
    "NoSkip",
    "ReceptiveField",
    "Recipe",
    "Regression",
    "Segmentation",
    "Skip",
    "UNet",
    "evaluate",
    "fit",
    "open_prediction",
    "predict",
    "predict_field",
    "receptive_field",
    "train",
]


def __getattr__(name: str) -> Any:
    # on first use: the command line must answer --help without importing torch
    if name not in _HOMES:
        raise AttributeError(f"module 'multiunet' has no attribute {name!r}")
    return getattr(import_module(f"multiunet.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
