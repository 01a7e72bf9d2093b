"""Survey of all data of a training: its images, and its masks, objects or targets."""

from __future__ import annotations

import numpy as np

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.patch_size import choose_patch_size, pick_sides
from multiunet.domains.image.files.table import is_table
from multiunet.domains.image.generation.survey import is_alone, survey_generation
from multiunet.domains.image.info import ImageInfo, ImageSplits
from multiunet.domains.image.survey.common import Annotations
from multiunet.domains.image.survey.dots import survey_dots
from multiunet.domains.image.survey.images import Images, survey_images
from multiunet.domains.image.survey.made import survey_made
from multiunet.domains.image.survey.masks import survey_masks
from multiunet.domains.image.survey.objects import survey_objects
from multiunet.domains.image.survey.overlapping import survey_overlapping
from multiunet.domains.image.survey.splits import ItemSplits, split_items
from multiunet.domains.image.survey.targets import survey_targets
from multiunet.domains.remarks import gather_remarks, remark
from multiunet.errors import InputError


@gather_remarks()
def survey(config: ImageTrain) -> ImageInfo:
    """Read and check all data of a training; return what later steps need to know of them.

    Raises:
        InputError: for anything that would make training fail or its result meaningless.
    """
    targets, option = (config.masks, "`masks`") if config.task == "segmentation" else (config.targets, "`targets`")
    if is_alone(config):  # the only image of a generator trains it
        config = config.model_copy(update={"val_fraction": 0.0, "test_fraction": 0.0})
    if targets is None and not is_table(config.images) and config.task != "generate" and not config.makes_pairs:
        raise InputError(f"`task={config.task}` needs {option}: a folder with one file for each image")
    splits = split_items(config, targets)
    if not splits["val"]:
        _check_unvalidated(config)
    images = survey_images(splits, config.crop_bar, config.pixel_size, config.read_channels)
    counted = config.task == "segmentation" or config.dots is not None  # however bright an object is, it is one
    kind = config.intensities or ("image" if counted else "train")
    if kind != "image" and config.task != "generate":  # which refuses them
        _warn_of_types(config, images, kind)
    found = _survey_annotations(splits, images, config)
    largest = tuple(int(n) for n in np.max(images.fingerprint.shapes, axis=0))
    sides = pick_sides(config.task == "generate", config.latent is not None)
    return ImageInfo(
        target=found.target,
        data=images.digest.text(),
        split=ImageSplits(train=tuple(splits["train"]), val=tuple(splits["val"]), test=tuple(splits["test"])),
        content=images.contents.seen(),
        image_digests=images.digest.images,
        target_digests=images.digest.targets,
        ndim=images.ndim,
        channels=images.channels,
        colour=images.colour,
        spacing=images.spacing,
        pixel_size=images.pixel_size,
        orientation=images.orientation,
        intensities=images.intensities(kind),
        crop_bar=config.crop_bar,
        read_channels=config.read_channels,
        target_bars=images.target_bars,
        ignore_value=found.ignore_value,
        masks=found.masks,
        instances=found.instances,
        dots=found.dots,
        generation=found.generation,
        restoration=found.restoration,
        drawn_range=found.drawn_range,
        overlapping=found.overlapping,
        fingerprint=images.fingerprint.summary(images.channels, splits, found.target, found.masks, found.overlapping),
        patch_size=choose_patch_size(config.patch_size, largest, images.spacing, sides),
        strides=(),
        plan=None,
    )


def _survey_annotations(splits: ItemSplits, images: Images, config: ImageTrain) -> Annotations:
    if config.task == "generate":
        return survey_generation(splits, images, config)
    if config.multilabel:
        return survey_overlapping(splits, images, config)
    if config.instances:
        return survey_objects(splits, images, config)
    if config.makes_pairs:
        return survey_made(splits["train"], images, config)
    if config.dots is not None:
        return survey_dots(splits, images, config.dots)
    return (survey_masks if config.task == "segmentation" else survey_targets)(splits, images, config)


def _check_unvalidated(config: ImageTrain) -> None:
    """Refuse settings that learn from validation images where there are none."""
    if config.patience is not None:
        raise InputError("`patience` waits for a better validation score, and `val_fraction=0` leaves none; drop one")
    if config.task != "segmentation" and config.quantity_loss in ("mse", "mae", "huber"):
        raise InputError(
            f"`loss={config.quantity_loss}` takes the noise of its quantities from validation images, and "
            "`val_fraction=0` leaves none; keep some, or choose beta-nll"
        )


def _warn_of_types(config: ImageTrain, images: Images, kind: str) -> None:
    """Warn of images of several types of numbers, which are taken as they are."""
    if len(images.kinds) > 1:
        kinds = " and ".join(sorted(images.kinds))
        remark(
            f"{config.images}: holds images of {kinds}, and `intensities={kind}` takes their numbers as they are; "
            "convert them to one type, unless one number means the same in all"
        )
