"""Prediction with uncertainty: tiles that fit exactly, one Zarr store with coordinates."""

from multiunet.prediction.ensemble import Ensemble
from multiunet.prediction.field import predict_field
from multiunet.prediction.reading import open_datasets, open_prediction
from multiunet.prediction.run import GridPredictor
from multiunet.prediction.source import GridSource, Reader
from multiunet.prediction.store import PredictionStore

__all__ = [
    "Ensemble",
    "GridPredictor",
    "GridSource",
    "PredictionStore",
    "Reader",
    "open_datasets",
    "open_prediction",
    "predict_field",
]
