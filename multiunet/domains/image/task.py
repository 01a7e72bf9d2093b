"""Tasks of images: classes or quantities of pixels, with their loss and score."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from torch import nn

from multiunet.core import Geometry
from multiunet.domains.image.config import ImageTrain, SegmentationLoss
from multiunet.domains.image.data.targets import IGNORED
from multiunet.domains.image.evaluation.classified import ScoreObjectClasses
from multiunet.domains.image.evaluation.scores import TEXTURE_MATCH, CountScore, InstanceScore, PictureScore
from multiunet.domains.image.info import ImageInfo
from multiunet.losses import CrossEntropy, Dice, DiceCE, Focal, PartsAndClasses, SoftJaccard, Tversky
from multiunet.losses.adversarial import ADVERSARIAL
from multiunet.models.patch_gan import patch_gan
from multiunet.tasks import Opponent, Regression, Segmentation, SegmentationScore, Task
from multiunet.tasks.segmentation import ScoreOfClasses

CLASS_LOSSES: dict[SegmentationLoss, Callable[..., nn.Module]] = {
    "dice-ce": DiceCE,
    "dice": Dice,
    "ce": CrossEntropy,
    "focal": Focal,
    "tversky": Tversky,
    "jaccard": SoftJaccard,
}


JUDGING = (32, 64, 128)
"""Channels of an opponent by its ways down, of which it has no more than the network."""


def make_task(config: ImageTrain, info: ImageInfo) -> Task:
    """Return the task of these settings, with the classes, or the quantities and their scale, of the data."""
    if info.regression:
        known = info.quantities
        loss_name = config.quantity_loss
        if info.dots is not None:
            return Regression(known.names, loss_name, known.centre, known.scale, lowest=0.0, extend_score=CountScore)
        restored = info.restoration
        # what is learnt is the difference: on its scale both it and its variance are of order one
        scale = known.scale if restored is None else restored.difference
        data_range = info.drawn_range if restored is None else restored.data_range
        pictures = None if data_range is None else partial(PictureScore, data_range=data_range)
        # the least error would choose the epoch that draws least
        monitor = TEXTURE_MATCH if config.adversarial else "r2"
        return Regression(known.names, loss_name, known.centre, scale, monitor=monitor, extend_score=pictures)
    criterion = CLASS_LOSSES[cast(SegmentationLoss, config.loss or "dice-ce")]
    if info.overlapping is not None:
        names = info.target.names
        several = criterion(kind="multilabel", ignore_index=IGNORED, class_weights=config.class_weights)
        return Segmentation(names, "multilabel", IGNORED, loss=several, rare=names)  # each has a threshold of its own
    loss = criterion(ignore_index=IGNORED, class_weights=config.class_weights)
    score: ScoreOfClasses = SegmentationScore if info.instances is None else InstanceScore
    if info.instances is not None and (classes := info.instances.classes) is not None:
        loss, score = PartsAndClasses(loss, len(classes.names)), ScoreObjectClasses(classes.names)
    return Segmentation(info.classes.names, ignore_index=IGNORED, loss=loss, score=score, rare=info.rare)


def make_opponent(config: ImageTrain, info: ImageInfo, task: Task, geometry: Geometry[Any]) -> Opponent | None:
    """Return what tells the task's quantities from true ones, where the settings ask for it; untrained."""
    if not config.adversarial:
        return None
    known, learnt = info.quantities, cast(Regression, task)
    return Opponent(
        patch_gan(
            info.ndim, info.channels + len(known.names), JUDGING[: len(info.strides)], info.strides[: len(JUDGING)]
        ),
        learnt,
        geometry,
        ADVERSARIAL[config.adversarial_loss](),
        config.adversarial_weight,
        # images as they are, not in units of what they lack
        spread=[whole / unit for whole, unit in zip(known.scale, learnt.scale.tolist())],
    )
