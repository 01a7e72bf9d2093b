"""Losses ``loss(output, target, weight)``, the same on grids and on graphs.

Outputs are ``(N, C, *space)`` on grids and ``(nodes, C)`` on graphs.
"""

from multiunet.losses.border import border_weights
from multiunet.losses.classification import CrossEntropy, DiceCE, Focal
from multiunet.losses.consistency import Consistent
from multiunet.losses.counts import NegativeBinomial, Poisson, PoissonMultinomial
from multiunet.losses.overlap import Dice, SoftJaccard, Tversky
from multiunet.losses.parts import PartsAndClasses
from multiunet.losses.regression import MAE, MSE, GaussianNLL, Huber
from multiunet.losses.sites import Kind, Labelled, Labelling

__all__ = [
    "MAE",
    "MSE",
    "Consistent",
    "CrossEntropy",
    "Dice",
    "DiceCE",
    "Focal",
    "GaussianNLL",
    "Huber",
    "Kind",
    "Labelled",
    "Labelling",
    "NegativeBinomial",
    "PartsAndClasses",
    "Poisson",
    "PoissonMultinomial",
    "SoftJaccard",
    "Tversky",
    "border_weights",
]
