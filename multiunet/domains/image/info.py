"""Dataset info of image runs: all that later steps need to know of the data, typed and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.fingerprint_info import Fingerprint
from multiunet.domains.image.generation.info import Generation
from multiunet.domains.image.target_info import Dots, Instances, Masks, Overlapping, Restoration
from multiunet.domains.info import ClassLabels, DatasetInfo, Digest, Record, Splits
from multiunet.domains.planned import TrainingPlan
from multiunet.domains.splits import SPLITS

IntensityKind = Literal["image", "train", "none"]

Colour = Literal["grey", "rgb", "channels"]


RARE = 0.01
"""Share of the training pixels below which a class is rare: it may never be the likeliest."""


class ImageSplits(Splits[Item]):
    """Images with their masks or targets, by split."""


class Intensities(Record):
    """Standardisation of the pixels: by the moments of each image or of the training images, or none.

    Attributes:
        mean, deviation: by channel, in the images' numbers; empty where each image has its own.
    """

    kind: IntensityKind
    mean: tuple[float, ...] = ()
    deviation: tuple[PositiveFloat, ...] = ()


class ImageInfo(DatasetInfo):
    """Dataset info of a run on images or volumes.

    Attributes:
        image_digests, target_digests: digest of each image, and of each mask or target, of all splits by its path.
        ndim: axes in space.
        channels: channels that the network reads.
        spacing: median distance of neighbouring pixels, micrometres by axis; 1 where no training image states one.
        pixel_size: ``pixel_size`` of the training, by axis, which overrides what files state; None: files are believed.
        orientation: directions of the axes that most training files state (``RAS``); None where there are no such.
        crop_bar: rows of the information bar that are cut off, or how they are found.
        read_channels: channels of the files that are read, by number or name, in this order; empty: all.
        target_bars: by mask or target that covers the bar of its image, the rows to cut off as well.
        ignore_value: number in masks and targets that means "not known".
        masks: of a segmentation; None for quantities.
        instances: where masks number objects.
        dots: where targets are dots.
        overlapping: where the classes of masks may overlap, and the target is labels.
        generation: of a generator, whose target are the images' own channels.
        restoration: where images and targets are of one kind, and the network learns what images lack.
        drawn_range: numbers that targets can have, from the least to the largest, where the network draws pictures of
            another kind than its images; None: it does not.
        patch_size: sides of a training patch, pixels.
        strides: down-sampling factors of each level by axis; empty before the plan is made.
        plan: None before it is made.
    """

    shared_fields: ClassVar[tuple[str, ...]] = ("ndim", "channels", "colour", "read_channels")

    split: ImageSplits
    image_digests: dict[str, Digest]
    target_digests: dict[str, Digest]
    ndim: Literal[2, 3]
    channels: PositiveInt
    colour: Colour
    spacing: tuple[PositiveFloat, ...]
    pixel_size: tuple[PositiveFloat, ...] | None
    orientation: str | None = Field(pattern="^[LRAPSI]{2,3}$")
    intensities: Intensities
    crop_bar: Literal["auto", "none"] | PositiveInt
    read_channels: tuple[str, ...] = ()
    target_bars: dict[str, PositiveInt]
    ignore_value: int | None
    masks: Masks | None
    instances: Instances | None
    dots: Dots | None = None
    generation: Generation | None = None
    restoration: Restoration | None = None
    drawn_range: PositiveFloat | None = None
    overlapping: Overlapping | None = None
    fingerprint: Fingerprint
    patch_size: tuple[PositiveInt, ...]
    strides: tuple[tuple[PositiveInt, ...], ...]
    plan: TrainingPlan | None

    @property
    def values(self) -> tuple[int, ...]:
        """Mask value of each class, ascending; of instances and of overlapping classes the class indices."""
        if self.overlapping is not None:
            return tuple(range(len(self.target.names)))
        return tuple(int(value) for value in self.classes.values)

    @property
    def rare(self) -> tuple[str, ...]:
        """Names of the rare classes; none of objects and of quantities."""
        if self.masks is None or self.instances is not None:
            return ()
        return tuple(name for name, own in self.fingerprint.classes.items() if own.share < RARE)

    @property
    def segmented(self) -> Masks:
        """Masks of the run. Raises TypeError for a run of quantities."""
        if self.masks is None:
            raise TypeError("this run predicts quantities, not classes")
        return self.masks

    @property
    def overlaps(self) -> Overlapping:
        """Layout of the run's masks. Raises TypeError for a run whose classes exclude each other."""
        if self.overlapping is None:
            raise TypeError("the classes of this run exclude each other")
        return self.overlapping

    @property
    def numbered(self) -> Instances:
        """Objects of the run. Raises TypeError for a run whose masks do not number objects."""
        if self.instances is None:
            raise TypeError("the masks of this run do not number objects")
        return self.instances

    @property
    def mapped(self) -> ClassLabels:
        """Names and values of what a map of classes shows; of objects with classes, the outside and these."""
        if self.instances is None or (own := self.instances.classes) is None:
            return self.classes
        return ClassLabels(names=(self.classes.names[0], *own.names), values=(0, *own.values))

    @property
    def mapped_values(self) -> tuple[int, ...]:
        """Values of the classes of a map; of classes that may overlap their indices."""
        return self.values if self.overlapping is not None else tuple(int(value) for value in self.mapped.values)

    @property
    def dotted(self) -> Dots:
        """Dots of the run. Raises TypeError for a run whose targets are no dots."""
        if self.dots is None:
            raise TypeError("the targets of this run are no dots")
        return self.dots

    @property
    def generated(self) -> Generation:
        """Images and conditions of a generator. Raises TypeError for a run that predicts."""
        if self.generation is None:
            raise TypeError("this run predicts, and generates nothing")
        return self.generation

    @property
    def restored(self) -> Restoration:
        """Pairs of the run. Raises TypeError for a run that restores nothing."""
        if self.restoration is None:
            raise TypeError("this run restores no images")
        return self.restoration

    @property
    def planned(self) -> TrainingPlan:
        """Plan of the run. Raises TypeError before it is made."""
        if self.plan is None:
            raise TypeError("no plan has been made")
        return self.plan

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.fingerprint.model_dump(mode="json")
        return found

    def shared(self) -> dict[str, Any]:
        # only the kind of the intensities: each run keeps the moments of its own training images
        encoding = None if self.instances is None else self.instances.encoding
        sigma = None if self.dots is None else self.dots.sigma
        degrade = None if self.restoration is None else self.restoration.degrade
        own = {"intensities": self.intensities.kind, "instances": encoding, "dots": sigma, "degrade": degrade or None}
        return super().shared() | own

    def groups(self) -> dict[str, str]:
        items = (item for split in SPLITS for item in self.split.of(split))
        return {item.name: item.group for item in items if item.group is not None}

    def seen(self) -> dict[str, str]:
        """Return digests and resolved paths of training and validation images, each with the image's path."""
        paths = [item.image for item in (*self.split.train, *self.split.val)]
        return {**self.content, **{str(Path(path).resolve()): path for path in paths}}

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        by_axis = {"spacing": self.spacing, "patch_size": self.patch_size, "pixel_size": self.pixel_size}
        by_axis |= {f"strides[{level}]": step for level, step in enumerate(self.strides)}
        by_axis |= {"fingerprint.size": self.fingerprint.size.largest}
        by_axis |= {} if self.dots is None else {"dots.sigma": self.dots.sigma}
        for name, numbers in by_axis.items():
            if numbers is not None and len(numbers) != self.ndim:
                raise ValueError(f"{name} has {len(numbers)} numbers for {self.ndim} axes")
        expected = 0 if self.intensities.kind == "image" else self.channels
        if not len(self.intensities.mean) == len(self.intensities.deviation) == expected:
            raise ValueError(f"intensities: mean and deviation need {expected} numbers each")
        if self.plan is not None and not self.strides:
            raise ValueError("strides are empty although a plan has been made")
        if len(self.fingerprint.intensities) != self.channels:
            raise ValueError(f"fingerprint.intensities does not have {self.channels} channels")
        return self

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if self.regression != (self.masks is None) or (self.instances is not None and self.masks is None):
            raise ValueError("masks belong to classes, and instances to masks")
        if (self.overlapping is None) != (self.target.kind != "labels"):
            raise ValueError("labels belong to overlapping masks")
        if self.dots is not None and not self.regression:
            raise ValueError("dots belong to quantities")
        restored = () if self.restoration is None else self.restoration.difference
        if restored and (len(restored) != self.channels or self.intensities.kind == "image"):
            raise ValueError("restoration needs a number for each channel, and intensities that all images share")
        if self.masks is not None:
            if list(self.values) != sorted(self.values):
                raise ValueError("the mask values of the classes do not ascend")
            if any(len(counts) != len(self.values) for counts in self.masks.pixels.values()):
                raise ValueError("masks.pixels does not have a number for each class")
        return self
