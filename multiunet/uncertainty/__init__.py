"""Predictive uncertainty: Monte-Carlo dropout, and moments in which total = epistemic + aleatoric."""

from multiunet.uncertainty.mc_dropout import dropouts, mc_dropout_sample
from multiunet.uncertainty.moments import Moments, Welford

__all__ = ["Moments", "Welford", "dropouts", "mc_dropout_sample"]
