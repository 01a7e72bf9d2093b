"""Scores of predictions, as plain JSON values: None, never NaN, where a score is not defined."""

from multiunet.metrics.calibration import Calibration, CalibrationScores, coverage
from multiunet.metrics.classification import ClassificationScores, classification_scores
from multiunet.metrics.instances import InstanceScores, Matching
from multiunet.metrics.ranking import roc_auc
from multiunet.metrics.regression import RegressionScores, TrackScores, regression_scores
from multiunet.metrics.segmentation import Confusion, SegmentationScores

__all__ = [
    "Calibration",
    "CalibrationScores",
    "ClassificationScores",
    "Confusion",
    "InstanceScores",
    "Matching",
    "RegressionScores",
    "SegmentationScores",
    "TrackScores",
    "classification_scores",
    "coverage",
    "regression_scores",
    "roc_auc",
]
