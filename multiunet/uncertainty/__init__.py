"""Predictive uncertainty: samples, moments (total = epistemic + aleatoric), and calibration."""

from multiunet.uncertainty.calibration import LEVELS, Calibration, ClassCalibration, QuantityCalibration
from multiunet.uncertainty.mc_dropout import dropouts, mc_dropout_sample
from multiunet.uncertainty.moments import Moments, Welford

__all__ = [
    "LEVELS",
    "Calibration",
    "ClassCalibration",
    "Moments",
    "QuantityCalibration",
    "Welford",
    "dropouts",
    "mc_dropout_sample",
]
