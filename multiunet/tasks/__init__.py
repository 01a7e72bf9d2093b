"""Meaning of a network's output: loss, predictive mean and variance, and score."""

from multiunet.tasks.regression import Regression
from multiunet.tasks.score import ClassificationScore, RegressionScore, Score, SegmentationScore
from multiunet.tasks.segmentation import Segmentation
from multiunet.tasks.task import Task

__all__ = [
    "ClassificationScore",
    "Regression",
    "RegressionScore",
    "Score",
    "Segmentation",
    "SegmentationScore",
    "Task",
]
