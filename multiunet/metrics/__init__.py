"""Scores of predictions, as plain JSON values: None, never NaN, where a score is not defined."""

from multiunet.metrics.calibration import expected_calibration_error
from multiunet.metrics.classification import ClassificationScores, classification_scores, roc_auc
from multiunet.metrics.instances import InstanceScores, Matching
from multiunet.metrics.regression import RegressionScores, TrackScores, regression_scores
from multiunet.metrics.segmentation import Confusion, SegmentationScores

__all__ = [
    "ClassificationScores",
    "Confusion",
    "InstanceScores",
    "Matching",
    "RegressionScores",
    "SegmentationScores",
    "TrackScores",
    "classification_scores",
    "expected_calibration_error",
    "regression_scores",
    "roc_auc",
]
