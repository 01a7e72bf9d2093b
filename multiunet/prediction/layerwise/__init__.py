"""Prediction of a graph that is larger than memory: layer by layer, some nodes at a time."""

from __future__ import annotations

from multiunet.prediction.layerwise.predict import check_layerwise, predict_by_layers

__all__ = ["check_layerwise", "predict_by_layers"]
