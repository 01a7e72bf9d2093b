"""Scores of predictions, as plain JSON values: None, never NaN, where a score is not defined.

Arrays of several quantities have these on their first axis, ``(C, ...)``, unlike a network's output: a graph's
``(nodes, C)`` is to be transposed, or its nodes would be taken for quantities. Arrays of classes are of any shape.
"""

from multiunet.metrics.autocorrelation import autocorrelation, compare_texture
from multiunet.metrics.classification import ClassificationScores, classification_scores
from multiunet.metrics.correlation import pearson, spearman
from multiunet.metrics.instances import InstanceMatcher, InstanceScores
from multiunet.metrics.intervals import IntervalCounts, SetCounts, normal_half_width
from multiunet.metrics.panoptic import PanopticMatcher, PanopticScores
from multiunet.metrics.pictures import compare_sharpness, compute_psnr, compute_ssim
from multiunet.metrics.ranking import Ranked, Ranking, roc_auc
from multiunet.metrics.regression import RegressionScores, TrackScores, regression_scores
from multiunet.metrics.reliability import Reliability, ReliabilityScores
from multiunet.metrics.risk_coverage import aurc, excess_aurc, part_right_from_wrong, risk_coverage_curve
from multiunet.metrics.segmentation import Confusion, SegmentationScores
from multiunet.metrics.sparsification import Sparsification, sparsify
from multiunet.metrics.values import mean_of_defined
from multiunet.metrics.variances import calibration_curve, ence, gaussian_nll, miscalibration_area

__all__ = [
    "ClassificationScores",
    "Confusion",
    "InstanceMatcher",
    "InstanceScores",
    "IntervalCounts",
    "PanopticMatcher",
    "PanopticScores",
    "Ranked",
    "Ranking",
    "RegressionScores",
    "Reliability",
    "ReliabilityScores",
    "SegmentationScores",
    "SetCounts",
    "Sparsification",
    "TrackScores",
    "aurc",
    "autocorrelation",
    "calibration_curve",
    "classification_scores",
    "compare_sharpness",
    "compare_texture",
    "compute_psnr",
    "compute_ssim",
    "ence",
    "excess_aurc",
    "gaussian_nll",
    "mean_of_defined",
    "miscalibration_area",
    "normal_half_width",
    "part_right_from_wrong",
    "pearson",
    "regression_scores",
    "risk_coverage_curve",
    "roc_auc",
    "sparsify",
    "spearman",
]
