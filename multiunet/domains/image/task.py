"""What a network for images learns: classes or quantities of pixels, and by which loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import nn

from multiunet.domains.domain import Facts
from multiunet.domains.image.config import ImageTrain, SegmentationLoss
from multiunet.domains.image.data.targets import IGNORED
from multiunet.losses import CrossEntropy, Dice, DiceCE, Focal, SoftJaccard, Tversky
from multiunet.tasks import Regression, Segmentation, Task
from multiunet.tasks.regression import RegressionLoss

CLASS_LOSSES: dict[SegmentationLoss, Callable[..., nn.Module]] = {
    "dice-ce": DiceCE,
    "dice": Dice,
    "ce": CrossEntropy,
    "focal": Focal,
    "tversky": Tversky,
    "jaccard": SoftJaccard,
}


def make_task(config: ImageTrain, facts: Facts) -> Task:
    """The task of these settings, with the classes, or the quantities and their scale, of these facts."""
    if facts["task"] == "regression":
        loss = cast(RegressionLoss, config.loss or "beta-nll")
        return Regression(facts["targets"], loss, facts["centre"], facts["scale"])
    criterion = CLASS_LOSSES[cast(SegmentationLoss, config.loss or "dice-ce")]
    loss_of_classes = criterion(ignore_index=IGNORED, class_weights=config.class_weights)
    return Segmentation(facts["classes"], ignore_index=IGNORED, loss=loss_of_classes)
