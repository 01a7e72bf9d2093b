"""Settings of the data that images are trained on, and of their split. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from multiunet.domains.config import option
from multiunet.domains.image.class_names import parse_class_names
from multiunet.domains.image.config.degradations import Degradations
from multiunet.domains.image.config.generation import ConditionSettings
from multiunet.domains.image.config.types import ChannelList, CropBar, PixelSize, Positive, number_of_colour

PIXEL_SIZE = "pixel size in micrometres, one number or one per axis (z first), in place of what files state"

CHANNELS = (
    "channels to read, in this order, by number (from 1) or by the name in the file: 2,1 or DAPI,GFP; default: all"
)


class DataSettings(ConditionSettings):
    """Settings of the data of a training of images."""

    images: Path = option(
        ...,
        "folder, file, pattern, or a CSV with the columns image, mask (or target) and maybe split, group",
        "Data",
    )
    masks: Path | None = option(
        None,
        "folder of masks named like the images; integer values; of `task=generate` maps to make images from",
        "Data",
    )
    targets: Path | None = option(None, "for `task=regression`: images of what to predict, NaN where unknown", "Data")
    dots: Positive | None = option(
        None,
        "targets are dots, one a counted object: CSV files (x, y in pixels) or images; each becomes a Gaussian of this "
        "deviation in pixels (one number, or one per axis, z first), so that predicted densities sum up to counts",
        "Data",
    )
    task: Literal["segmentation", "regression", "denoise", "generate"] = option(
        "segmentation",
        "classes of pixels, quantities of pixels, images without their noise (learnt from noisy ones alone: "
        "Noise2Void), or new images like those given",
        "Data",
    )
    degrade: Degradations | None = option(
        None,
        "make pairs of clean `images` alone, and learn to restore them: noise:25 (Gaussian, of this deviation in grey "
        "levels), blur:2 (deviation in pixels), down:4 (as many times fewer pixels an axis), or several, by commas, in "
        "this order",
        "Data",
    )
    noise_level: float | None = option(
        None,
        "for `task=denoise`: deviation of the noise in grey levels, if you know it; each pixel then counts itself, "
        "too, and variances are those of the clean image",
        "Data",
        gt=0,
    )
    restoration: bool | None = option(
        None,
        "targets are the images as they should look, in the same units: what an image lacks is learnt, and brightness "
        "and contrast of both change alike; default: found from the pairs",
        "Data",
    )
    instances: bool = option(False, "masks number their objects (0: outside); separate, count and size them", "Data")
    object_classes: Path | None = option(
        None,
        "with `instances`: the class of each object, from a folder of masks of classes named like the images (0: no "
        "class), or from a CSV with the columns image, object, class",
        "Data",
    )
    multilabel: bool = option(
        False,
        "classes may overlap: masks are a folder or an ending for each class (CLASS/NAME.png, NAME_CLASS.png), its "
        "channels, or the bits of a number",
        "Data",
    )
    ignore_value: Annotated[int | None, BeforeValidator(number_of_colour)] = option(
        None,
        "value of pixels to ignore in masks (coloured ones: #rrggbb) or targets, e.g. 255 or -9999",
        "Data",
        text=True,
    )
    class_names: Annotated[dict[str, str] | None, BeforeValidator(parse_class_names)] = option(
        None,
        "names of mask values, e.g. 0=ferrite,85=cementite, or a CSV with the columns value, name",
        "Data",
        text=True,
    )
    intensities: Literal["image", "train", "none"] | None = option(
        None,
        "standardise by the mean and deviation of each image (default for classes and dots), of the training images "
        "(default for quantities), or not",
        "Data",
    )

    crop_bar: CropBar = option(
        "none",
        "cut off the information bar below a micrograph: auto (find it), none, or its height in rows",
        "Data",
        text=True,
    )

    pixel_size: PixelSize | None = option(None, PIXEL_SIZE, "Data")

    channels: ChannelList | None = option(None, CHANNELS, "Data", text=True)

    splits: str | None = option(None, "FILE.json[:KEY] with lists of stems under train, val and test", "Split")
    val_images: Path | None = option(None, "separate folder of validation images", "Split")
    val_masks: Path | None = option(None, "their masks (or targets); default: in `masks` (or `targets`)", "Split")
    test_images: Path | None = option(None, "separate folder of test images", "Split")
    test_masks: Path | None = option(None, "their masks (or targets); default: in `masks` (or `targets`)", "Split")
    val_fraction: float = option(
        0.2,
        "share of the non-test images to validate on, if none are given; 0: train on all, keep the last weights",
        "Split",
        ge=0,
        lt=1,
    )
    test_fraction: float = option(0.2, "share of images to test on, if no split is given", "Split", ge=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _degraded_are_quantities(cls, given: Any) -> Any:
        """``degrade`` alone says the task."""
        if isinstance(given, dict) and given.get("degrade") is not None and given.get("task") is None:
            return {**given, "task": "regression"}
        return given

    @model_validator(mode="after")
    def _pairs_are_made_of_images(self) -> Self:
        if self.degrade is not None and self.task != "regression":
            raise ValueError(f"`degrade` makes pairs for `task=regression`, not for `task={self.task}`")
        if self.noise_level is not None and self.task != "denoise":
            raise ValueError("`noise_level` is for `task=denoise`; of clean images say `degrade=noise:25`")
        what = "`degrade`" if self.degrade is not None else "`task=denoise`"
        if not self.makes_pairs:
            return self
        for name in ("targets", "masks", "dots", "val_masks", "test_masks", "ignore_value"):
            if getattr(self, name) is not None:
                raise ValueError(f"{what} makes its pairs of `images` alone; leave `{name}` out, or learn from pairs")
        if self.restoration is False:
            raise ValueError(f"{what} is a restoration; leave `restoration` out")
        if self.intensities == "image":
            raise ValueError(f"`intensities=image` loses the units of each image, which {what} restores; leave it out")
        return self

    @property
    def read_channels(self) -> tuple[str, ...]:
        """Channels of the images that are read, by number or name; empty: all."""
        return tuple(self.channels or ())

    @property
    def makes_pairs(self) -> bool:
        """True where pairs are made of the images alone."""
        return self.degrade is not None or self.task == "denoise"

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        others = [name for name in ("val_images", "test_images") if getattr(self, name) is not None]
        if self.folds is not None and others:
            raise ValueError(f"`folds` and `{others[0]}` both say how to split; give one of them")
        return self

    @model_validator(mode="after")
    def _objects_are_segmented(self) -> Self:
        classes = self.task == "segmentation" or (self.task == "generate" and self.masks is not None)
        if self.class_names is not None and ((self.instances and self.object_classes is None) or not classes):
            raise ValueError("`class_names` are for masks of classes, not for `instances` or `task=regression`")
        if self.object_classes is not None and not self.instances:
            raise ValueError("`object_classes` are those of numbered objects; pass `instances`, and their masks, too")
        if self.instances and self.task != "segmentation":
            raise ValueError(f"`instances` are objects to segment; `task={self.task}` has none")
        if self.multilabel and self.task != "segmentation":
            raise ValueError(f"`multilabel` is of masks whose classes overlap; `task={self.task}` has none")
        if self.multilabel and self.instances:
            raise ValueError("`multilabel` and `instances` say different things of the same masks; give one")
        return self

    @model_validator(mode="after")
    def _targets_are_quantities(self) -> Self:
        if self.task == "segmentation" and self.targets is not None:
            raise ValueError("`targets` are for `task=regression`; give classes as `masks`, or pass `task=regression`")
        if self.task == "regression" and self.masks is not None:
            raise ValueError("`masks` are for `task=segmentation`; give quantities as `targets`")
        if self.dots is not None and self.task != "regression":
            raise ValueError("`dots` makes densities of `targets`, which are quantities; pass `task=regression`, too")
        if self.restoration and self.task == "segmentation":
            raise ValueError("`restoration` is of pairs of images; pass `task=regression` and `targets`, too")
        if self.restoration and self.dots is not None:
            raise ValueError("`restoration` is of pairs of images of one kind; `dots` are none")
        if self.dots is not None and self.ignore_value is not None:
            raise ValueError("`ignore_value` is for masks and targets that are images of numbers; `dots` have none")
        return self
