"""Scores of predictions, as plain JSON values: None, never NaN, where a score is not defined.

Arrays of several quantities have these on their first axis, ``(C, ...)``, unlike a network's output: a graph's
``(nodes, C)`` is to be transposed, or its nodes would be taken for quantities. Arrays of classes are of any shape.
"""

from multiunet.metrics.calibration import Calibration, CalibrationScores, coverage
from multiunet.metrics.classification import ClassificationScores, classification_scores
from multiunet.metrics.instances import InstanceMatcher, InstanceScores
from multiunet.metrics.ranking import roc_auc
from multiunet.metrics.regression import RegressionScores, TrackScores, regression_scores
from multiunet.metrics.segmentation import Confusion, SegmentationScores
from multiunet.metrics.values import mean_of_defined

__all__ = [
    "Calibration",
    "CalibrationScores",
    "ClassificationScores",
    "Confusion",
    "InstanceMatcher",
    "InstanceScores",
    "RegressionScores",
    "SegmentationScores",
    "TrackScores",
    "classification_scores",
    "coverage",
    "mean_of_defined",
    "regression_scores",
    "roc_auc",
]
