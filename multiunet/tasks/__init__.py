"""What a network's output means: loss, and predictive mean and variance."""

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
