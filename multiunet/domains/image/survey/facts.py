"""All facts of a training: those of its images, and those of its masks, objects or targets."""

from __future__ import annotations

import numpy as np

from multiunet.domains.domain import Facts
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.patch_size import choose_patch_size
from multiunet.domains.image.files.table import is_table
from multiunet.domains.image.survey.images import Images, survey_images
from multiunet.domains.image.survey.masks import survey_masks
from multiunet.domains.image.survey.objects import survey_objects
from multiunet.domains.image.survey.splits import Splits, split_items, to_json
from multiunet.domains.image.survey.targets import survey_targets
from multiunet.domains.remarks import remark
from multiunet.errors import InputError


def survey(config: ImageTrain) -> Facts:
    """Everything that training needs to know of its data.

    Raises:
        InputError: for anything that would make training fail or its result meaningless.
    """
    truths, option = (config.masks, "--masks") if config.task == "segmentation" else (config.targets, "--targets")
    if truths is None and not is_table(config.images):
        raise InputError(f"--task {config.task} needs {option}: a folder with one file for each image")
    splits = split_items(config, truths)
    if not splits["val"]:
        _check_unvalidated(config)
    images = survey_images(splits, config.crop_bar, config.pixel_size)
    intensities = config.intensities or ("image" if config.task == "segmentation" else "train")
    if intensities != "image":
        _warn_of_types(config, images, intensities)
    facts: Facts = {
        "task": config.task,
        "ndim": images.ndim,
        "channels": images.channels,
        "colour": images.colour,
        "spacing": images.spacing,
        "intensities": {"kind": intensities, **images.intensities(intensities)},
        "split": to_json(splits),
        "content": images.contents.to_json(),
        "crop_bar": config.crop_bar,
        **_survey_targets(splits, images, config),
    }
    facts["fingerprint"] = images.fingerprint.summary(facts)
    facts["target_bars"] = images.target_bars
    largest = tuple(int(n) for n in np.max(images.fingerprint.shapes, axis=0))
    facts["patch_size"] = list(choose_patch_size(config.patch_size, largest, images.spacing))
    return facts


def _survey_targets(splits: Splits, images: Images, config: ImageTrain) -> Facts:
    if config.instances:
        return survey_objects(splits, images, config)
    of = survey_masks if config.task == "segmentation" else survey_targets
    return of(splits, images, config)


def _check_unvalidated(config: ImageTrain) -> None:
    """Refuses what is learnt from validation images, of which there are none."""
    if config.patience is not None:
        raise InputError("--patience waits for a better validation score, and --val-fraction 0 leaves none; drop one")
    if config.task == "regression" and config.loss in ("mse", "mae", "huber"):
        raise InputError(
            f"--loss {config.loss} takes the noise of its quantities from validation images, and --val-fraction 0 "
            "leaves none; keep some, or choose beta-nll"
        )


def _warn_of_types(config: ImageTrain, images: Images, intensities: str) -> None:
    """Warns of training images of several types of numbers, which are taken as they are."""
    if len(images.fingerprint.kinds) > 1:
        kinds = " and ".join(sorted(images.fingerprint.kinds))
        remark(
            f"{config.images}: holds images of {kinds}, and --intensities {intensities} takes their numbers as they "
            "are; convert them to one type, unless one number means the same in all"
        )
