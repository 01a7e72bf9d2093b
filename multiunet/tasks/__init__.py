"""Meaning of a network's output: loss, predictive mean and variance, and score."""

from multiunet.tasks.class_scores import ClassificationScore, SegmentationScore
from multiunet.tasks.curves import Curves
from multiunet.tasks.label_scores import LabelScore
from multiunet.tasks.opponent import Opponent
from multiunet.tasks.quantity_scores import RegressionScore
from multiunet.tasks.regression import Regression
from multiunet.tasks.score import Score
from multiunet.tasks.segmentation import Segmentation
from multiunet.tasks.task import Objective, Task

__all__ = [
    "ClassificationScore",
    "Curves",
    "LabelScore",
    "Objective",
    "Opponent",
    "Regression",
    "RegressionScore",
    "Score",
    "Segmentation",
    "SegmentationScore",
    "Task",
]
