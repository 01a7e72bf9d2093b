"""Settings of training, prediction, evaluation and measures of images. Imports nothing heavy."""

from multiunet.domains.image.config.evaluation import ImageEvaluate
from multiunet.domains.image.config.measure import ImageMeasure
from multiunet.domains.image.config.prediction import ExportKind, ImagePredict
from multiunet.domains.image.config.training import ImageTrain, QuantityLoss, SegmentationLoss

__all__ = [
    "ExportKind",
    "ImageEvaluate",
    "ImageMeasure",
    "ImagePredict",
    "ImageTrain",
    "QuantityLoss",
    "SegmentationLoss",
]
