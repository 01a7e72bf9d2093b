"""Settings of training, prediction, evaluation and measures of images. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast, get_args

from pydantic import BeforeValidator, model_validator

from multiunet.catalogue import CHANNELS, ModelName
from multiunet.domains.config import (
    Bytes,
    EvaluateOptions,
    IntList,
    Options,
    PrecisionName,
    PredictClasses,
    StrList,
    Widths,
    option,
    split_commas,
)
from multiunet.domains.image.class_names import parse_class_names
from multiunet.domains.image.config_types import (
    CropBar,
    FloatList,
    PixelSize,
    Positive,
    Strides,
    number_of_colour,
)
from multiunet.domains.splits import SplitTrain
from multiunet.training.recipe import Layout, Recipe

ExportKind = Literal[
    "class",
    "instance",
    "probabilities",
    "mean",
    "uncertainty",
    "epistemic",
    "aleatoric",
    "set",
    "interval",
    "confidence",
]
"""Files of a predicted image; ``writers.KINDS`` has those of each task."""

SegmentationLoss = Literal["dice-ce", "dice", "ce", "focal", "tversky", "jaccard"]
QuantityLoss = Literal["beta-nll", "gaussian-nll", "mse", "mae", "huber", "poisson"]


PIXEL_SIZE = "pixel size in micrometres, one number or one per axis (z first), in place of what files state"


class ImageTrain(SplitTrain):
    """Settings of ``multiunet train image``."""

    images: Path = option(
        ..., "folder, file, pattern, or a CSV with the columns image, mask (or target) and maybe split", "Data"
    )
    masks: Path | None = option(None, "folder of masks named like the images; integer values", "Data")
    targets: Path | None = option(None, "for `task=regression`: images of what to predict, NaN where unknown", "Data")
    dots: Positive | None = option(
        None,
        "targets are dots, one a counted object: CSV files (x, y in pixels) or images; each becomes a Gaussian of this "
        "deviation in pixels (one number, or one per axis, z first), so that predicted densities sum up to counts",
        "Data",
    )
    task: Literal["segmentation", "regression"] = option("segmentation", "classes or quantities of pixels", "Data")
    instances: bool = option(False, "masks number their objects (0: outside); separate, count and size them", "Data")
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

    instance_encoding: Literal["gap", "boundary"] = option(
        "boundary",
        "boundary: learn objects' outermost pixels as a class; gap: leave a one-pixel gap where two touch",
        "Instances",
    )
    border_weight: float = option(
        0.0,
        "largest extra weight of pixels between objects (w0; Ronneberger et al. 2015 use 10); 0: none",
        "Instances",
        ge=0,
    )
    border_sigma: float = option(5.0, "distance over which border weights fall off, in pixels", "Instances", gt=0)

    patch_size: IntList | None = option(None, "pixels of a training patch by axis; default: from the images", "Patches")
    oversample_classes: float = option(
        0.5,
        "share of patches centred near a pixel of a class; each class of the image is equally likely",
        "Patches",
        ge=0,
        le=1,
    )
    flip: bool = option(True, "mirror patches, and turn them by quarters", "Patches")
    augment_prob: float = option(0.25, "probability of each augmentation below; 0: none", "Patches", ge=0, le=1)
    rotation: float = option(
        180.0, "largest in-plane rotation, degrees; below 90 also disables quarter turns", "Patches", ge=0, le=180
    )
    tilt: float = option(
        30.0,
        "largest out-of-plane rotation, degrees (volumes with similar spacing on all axes)",
        "Patches",
        ge=0,
        le=180,
    )
    scaling: float = option(0.25, "largest relative change of size", "Patches", ge=0, le=3)
    elastic: float = option(
        0.1,
        "elastic deformation: standard deviation of control points, as a share of their distance",
        "Patches",
        ge=0,
        le=0.3,
    )
    brightness: float = option(
        0.3,
        "largest shift, in standard deviations of the image; of the training images with `intensities=train` or none",
        "Patches",
        ge=0,
    )
    contrast: float = option(0.3, "largest relative change of contrast", "Patches", ge=0)
    gamma: float = option(0.3, "largest relative change of the gamma exponent", "Patches", ge=0)
    noise: float = option(
        0.2,
        "largest added noise, in standard deviations of the image; of the training images with `intensities=train` or "
        "none",
        "Patches",
        ge=0,
    )
    blur: float = option(1.0, "largest standard deviation of a Gaussian blur, pixels", "Patches", ge=0, le=64)

    loss: SegmentationLoss | QuantityLoss | None = option(
        None, "default: dice-ce for segmentation, beta-nll for regression, mse for dots", "Training"
    )
    class_weights: FloatList | None = option(
        None, "loss weights of the classes, in ascending order of their mask values", "Training"
    )
    normalization: Literal["batch", "instance", "group", "none"] = option(
        "batch", "normalisation in convolution blocks (image_unet)", "Model"
    )
    residual: bool = option(False, "blocks add their input to their output (image_unet)", "Model")
    gradient_checkpointing: bool = option(
        False,
        "recompute activations in the backward pass: less memory, about a third more time, same result; on by itself "
        "if memory is short",
        "Model",
    )
    tta_flips: bool | None = option(
        None,
        "average all mirrored views (4 in 2-D, 8 in 3-D; that many times slower); default: on in 2-D, off in 3-D",
        "Model",
    )

    dropout: float = option(
        0.05, "dropout rate of the bottleneck and the decoder; 0 disables Monte-Carlo uncertainty", "Model", ge=0, lt=1
    )
    model: ModelName = option(
        "image_unet", "image_unet: this program's network, for small data; others: published networks", "Model"
    )
    widths: Widths | None = option(None, "channels by level, finest first; default: the model's own", "Model")
    strides: Strides | None = option(
        None,
        "down-sampling factor of each level, per axis, e.g. '1,2,2;2,2,2'; default: from patch size and spacing",
        "Model",
        text=True,
    )
    epochs: int = option(84, "number of epochs, each of `steps_per_epoch` steps", "Training", ge=1)
    steps_per_epoch: int | None = option(25, "optimiser steps per epoch", "Training", ge=1)
    batch_size: int = option(Recipe.batch_size, "samples per batch; fewer if memory is short", "Training", ge=1)
    lr: float = option(2e-3, "peak learning rate", "Training", gt=0)
    validate_every: int = option(
        Recipe.validate_every, "epochs between validations; more where validation images are large", "Training", ge=1
    )
    ema: float = option(0.99, "decay of the weights' moving average; 0: none", "Training", ge=0, lt=1)

    memory_format: Layout | None = option(
        None, "order of axes in memory; default: the faster of the two, timed once on each machine", "Run"
    )
    memory: Bytes | None = option(
        None,
        "for training: 8GB, 500MB, 8GiB or bytes; default: what is free",
        "Run",
        text=True,
    )

    @model_validator(mode="after")
    def _as_in_the_paper(self) -> ImageTrain:
        for name in ("normalization", "residual", "skip"):
            if self.model != "image_unet" and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"`{name}` is for `model=image_unet`; {self.model} has that of its paper")
        return self

    @model_validator(mode="after")
    def _one_way_to_split(self) -> ImageTrain:
        others = [name for name in ("val_images", "test_images") if getattr(self, name) is not None]
        if self.folds is not None and others:
            raise ValueError(f"`folds` and `{others[0]}` both say how to split; give one of them")
        return self

    @model_validator(mode="after")
    def _objects_are_segmented(self) -> ImageTrain:
        if self.class_names is not None and (self.instances or self.task != "segmentation"):
            raise ValueError("`class_names` are for masks of classes, not for `instances` or `task=regression`")
        if self.instances and self.task != "segmentation":
            raise ValueError(f"`instances` are objects to segment; `task={self.task}` has none")
        own = ("instance_encoding", "border_weight", "border_sigma")
        given = [name for name in own if getattr(self, name) != type(self).model_fields[name].default]
        if given and not self.instances:
            raise ValueError(f"`{given[0]}` is for `instances`, masks that number their objects")
        return self

    @model_validator(mode="after")
    def _loss_fits_the_task(self) -> ImageTrain:
        known = get_args(SegmentationLoss if self.task == "segmentation" else QuantityLoss)
        if self.loss is not None and self.loss not in known:
            raise ValueError(f"`loss={self.loss}` is not for `task={self.task}`; that takes {', '.join(known)}")
        if self.task == "regression" and self.class_weights is not None:
            raise ValueError("`class_weights`: `task=regression` has no classes")
        return self

    @model_validator(mode="after")
    def _targets_are_quantities(self) -> ImageTrain:
        if self.task == "segmentation" and self.targets is not None:
            raise ValueError("`targets` are for `task=regression`; give classes as `masks`, or pass `task=regression`")
        if self.task == "regression" and self.masks is not None:
            raise ValueError("`masks` are for `task=segmentation`; give quantities as `targets`")
        if self.dots is not None and self.task != "regression":
            raise ValueError("`dots` makes densities of `targets`, which are quantities; pass `task=regression`, too")
        if self.dots is not None and self.ignore_value is not None:
            raise ValueError("`ignore_value` is for masks and targets that are images of numbers; `dots` have none")
        return self

    @property
    def quantity_loss(self) -> QuantityLoss:
        """Loss of quantities: the given one, else ``mse`` of dots, ``beta-nll`` of others.

        Where a learnt noise is large, ``beta-nll`` cares less for the mean, and counts from dots came out too low.
        """
        return cast(QuantityLoss, self.loss or ("beta-nll" if self.dots is None else "mse"))

    def levels(self) -> list[int]:
        """Return the channels by level: those given, or the model's own."""
        return list(self.widths or CHANNELS[self.model])


VIEWS = (
    "take each mirrored view (4 in 2-D, 8 in 3-D) as a sample, so that what views disagree about is epistemic; "
    "default: their outputs are averaged"
)

PREDICTION_MEMORY = (
    "memory limit of the whole process (on a GPU: GPU memory), e.g. 8GB; default: 5GB, or half of what is free"
)


class ImageEvaluate(EvaluateOptions):
    """Settings of ``multiunet evaluate image``."""

    other: ClassVar[str | None] = "images"

    images: Path | None = option(
        None, "other images than the run's own: folder, file, pattern or CSV; scored instead of a split", "Data"
    )
    masks: Path | None = option(None, "their masks (or targets)", "Data")
    views_as_samples: bool = option(False, VIEWS, "Evaluation")

    memory: Bytes | None = option(None, PREDICTION_MEMORY, "Evaluation", text=True)
    precision: PrecisionName | None = option(None, "auto, 32 or bf16; default: as trained", "Evaluation")

    def other_samples(self) -> tuple[str, ...]:
        return ("of each mirrored view",) if self.views_as_samples else ()

    @model_validator(mode="after")
    def _masks_of_images(self) -> ImageEvaluate:
        if self.masks is not None and self.images is None:
            raise ValueError("`masks` without `images`; give both, or neither and `split`")
        return self


class ImageMeasure(Options):
    """Settings of ``multiunet measure image``."""

    prediction: Path = option(..., "what `multiunet predict image` wrote, NAME.zarr", "Data")
    objects: StrList | None = option(
        None,
        "names (or mask values) of the classes whose objects are counted; default: all but the one that covers most",
        "Data",
    )
    regions: Path | None = option(
        None,
        "masks that number regions of the images, named like them: sums and means of quantities (or probabilities of "
        "classes) over each",
        "Data",
    )
    min_size: int = option(1, "pixels; smaller objects are left out", "Data", ge=1)
    pixel_size: PixelSize | None = option(None, PIXEL_SIZE, "Data")
    overwrite: bool = option(False, "replace files in `out`", "Output")


class ImagePredict(PredictClasses):
    """Settings of ``multiunet predict image``."""

    data: ClassVar[str | None] = "images"

    images: Path = option(..., "folder, file, pattern or CSV of images like those trained on", "Data")
    crop_bar: CropBar | None = option(
        None, "cut off the information bar: auto, none, or its rows; default: as trained", "Prediction", text=True
    )
    pixel_size: PixelSize | None = option(None, PIXEL_SIZE, "Data")
    tta_flips: bool | None = option(None, "average all mirrored views; default: as trained", "Prediction")
    views_as_samples: bool = option(False, VIEWS, "Prediction")

    tile_size: int | None = option(
        None, "largest side of a tile, pixels; default: what `memory` allows", "Prediction", ge=1
    )
    memory: Bytes | None = option(None, PREDICTION_MEMORY, "Prediction", text=True)
    precision: PrecisionName | None = option(None, "auto, 32 or bf16; default: as trained", "Prediction")
    tile_batch: int | None = option(
        None, "tiles per forward pass; default: 1, on a GPU as many as fit into memory", "Prediction", ge=1
    )
    confidence: bool = option(
        True,
        "of each object, or connected part of a class: the share of samples in which it is found (not of quantities, "
        "nor of one sample)",
        "Prediction",
    )
    export_what: Annotated[list[ExportKind], BeforeValidator(split_commas)] | None = option(
        None,
        "what `export` writes of each image: class, probabilities (of objects: instance, too; of quantities: mean), "
        "uncertainty, epistemic, aleatoric; of classes confidence; with `sets`: set; with `interval`: interval; "
        "default: class (and instance; or mean) and uncertainty, and those of `sets` or `interval`",
        "Prediction",
        min_length=1,
    )

    def other_samples(self) -> tuple[str, ...]:
        return ("of each mirrored view",) if self.views_as_samples else ()

    @model_validator(mode="after")
    def _makes_sense(self) -> ImagePredict:
        if self.views_as_samples and self.tta_flips is not None:
            raise ValueError("`views_as_samples` and `tta_flips` say different things of mirrored views; give one")
        if self.export_what is not None and self.export is None:
            raise ValueError("`export_what` says what is written into `export=DIR`; give that, too")
        for kind, setting, asked in (("set", "sets", self.sets), ("interval", "interval", self.interval)):
            if kind in (self.export_what or ()) and asked is None:
                raise ValueError(f"`export_what={kind}`: the prediction has none; give `{setting}=0.9`, too")
        return self
