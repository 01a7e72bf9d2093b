"""Choice of what a generator is scored on, and whether the settings fit it."""

from __future__ import annotations

from multiunet.domains.image.config import ImageEvaluate
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import AXES, load_input
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey.duplicates import hash_content
from multiunet.domains.remarks import remark
from multiunet.errors import InputError

PREDICTIONS = {
    "samples": "these are of dropout; say how many images are made by `count`",
    "raw": "a generator is not calibrated; leave it out",
    "checkpoints": "images are made with the average of the weights; leave it out",
    "masks": "the run's own masks are taken; leave it out",
    "tta_flips": "new images have one view; leave it out",
    "views_as_samples": "new images have one view; leave it out",
}
"""Settings of the evaluation of predictions, and what to do about them."""


def check_settings(info: ImageInfo, options: ImageEvaluate) -> None:
    """Check that the settings fit a generator.

    Raises:
        InputError: naming the setting.
    """
    for name, fix in PREDICTIONS.items():
        if name in options.model_fields_set:
            raise InputError(f"`{name}`: this run makes new images, and predicts nothing: {fix}")
    known = info.generated
    if options.guidance != 1 and not (known.told and known.left_out):
        raise InputError(
            f"`guidance={options.guidance:g}` strengthens a label or a caption, and this run was not trained with such "
            "that were left out at times; leave it out, or train with `labels` and `condition_drop=0.1`"
        )


def choose_images(info: ImageInfo, options: ImageEvaluate, cache: FileCache) -> tuple[str, list[Item]]:
    """Return the name of the split to score on, and its images: those of test, or else of validation.

    Of a run without either there are none.

    Raises:
        InputError: for a split that is asked for and has no images, or images that have changed since the training.
    """
    split = options.split
    if "split" not in options.model_fields_set and not info.split.test:
        split = "val"
    items = list(info.split.of(split))
    if not items and "split" in options.model_fields_set:
        raise InputError(f"this run has no {split} images; leave `split` out, or train with `{split}_fraction=0.1`")
    if not items:
        remark("no image is held out, so new images are compared with training images alone")
    if split == "train":
        remark("training images are scored as if they were held out: they are their own nearest training images")
    for item in items:
        if hash_content(load_input(item.image, info, cache).picture) != info.image_digests[item.image]:
            raise InputError(f"{item.image}: has changed since the training; put it back")
    return f"{split} split", items


def choose_size(info: ImageInfo, options: ImageEvaluate, cache: FileCache) -> tuple[int, ...]:
    """Return the pixels of the compared images by axis, by default those of a training patch.

    Raises:
        InputError: for a number of axes that images do not have, or a size that not all images have.
    """
    if options.size is None:
        return info.patch_size
    shown = ",".join(map(str, options.size))
    if len(options.size) not in (1, info.ndim) or min(options.size) < 4:
        axes = ", ".join(AXES[info.ndim])
        raise InputError(f"`size={shown}`: give one number from 4 on, or one for each axis {axes}")
    size = tuple(options.size) * (info.ndim // len(options.size))
    for item in (*info.split.train, *info.split.val, *info.split.test):
        own = load_input(item.image, info, cache).picture.space
        if any(side > n for side, n in zip(size, own)):
            raise InputError(
                f"`size={shown}`: {item.image} has {' x '.join(map(str, own))} pixels; none may be smaller, since real "
                "images of this size are compared with"
            )
    return size
