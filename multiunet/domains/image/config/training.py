"""Settings of the training of a network for images. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self, cast, get_args

from pydantic import ModelWrapValidatorHandler, model_validator

from multiunet.catalogue import CHANNELS, ModelName
from multiunet.domains.config import option
from multiunet.domains.image.config.adversarial import AdversarialSettings
from multiunet.domains.image.config.encoder import EncoderSettings
from multiunet.domains.image.config.generation import CONDITIONS, DEFAULTS, fill_defaults
from multiunet.domains.image.config.types import Strides
from multiunet.domains.setting_types import Bytes, FloatList, Widths
from multiunet.domains.task_defaults import validate_filled
from multiunet.training.recipe import Layout, Recipe

SegmentationLoss = Literal["dice-ce", "dice", "ce", "focal", "tversky", "jaccard"]
QuantityLoss = Literal["beta-nll", "gaussian-nll", "mse", "mae", "huber", "poisson"]

CODER_SHARE = 0.25
"""Share of the ``minutes`` of a generator in latents that its autoencoder has."""


class ImageTrain(AdversarialSettings, EncoderSettings):
    """Settings of ``multiunet train image``."""

    loss: SegmentationLoss | QuantityLoss | None = option(
        None,
        "default: dice-ce for segmentation, beta-nll for regression, mse for dots, mae with `adversarial`",
        "Training",
    )
    class_weights: FloatList | None = option(
        None, "loss weights of the classes, in ascending order of their mask values", "Training"
    )
    normalization: Literal["batch", "instance", "group", "layer", "none"] = option(
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
        "average all mirrored views (4 in 2-D, 8 in 3-D; that many times slower); default: on in 2-D, off in 3-D and "
        "with `adversarial`, whose sharpness it costs",
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
    budget: Bytes | None = option(
        None,
        "of memory, e.g. 24GB: choose a large network, patch and batch that fill it, as nnU-Net's presets do",
        "Model",
        text=True,
    )

    by_task: ClassVar[Mapping[str, Mapping[str, Any]]] = {"generate": DEFAULTS}

    @model_validator(mode="wrap")
    @classmethod
    def _with_defaults_of_the_task(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return validate_filled(given, fill_defaults(given), DEFAULTS, handler)

    @model_validator(mode="after")
    def _has_what_its_task_needs(self) -> Self:
        if self.task != "generate":
            if stray := next((name for name in CONDITIONS if getattr(self, name) not in (None, False)), None):
                raise ValueError(f"`{stray}` is for making new images; pass `task=generate`, too")
            return self
        if self.normalization == "batch":
            raise ValueError(
                "`normalization=batch`: batch normalisation mixes all levels of noise in training and meets one at "
                "a time in sampling; choose layer (samples can be made tile by tile), instance, group or none"
            )
        if self.model != "image_unet":
            raise ValueError(f"`model={self.model}` is not told how noisy its input is; `task=generate` has image_unet")
        if self.intensities not in (None, "train"):
            raise ValueError(
                f"`intensities={self.intensities}`: new images get the numbers of the training images; leave it out"
            )
        if self.augment_prob > 0:
            raise ValueError(
                "`augment_prob`: what changes the images would be in the samples, too; `task=generate` has `flip` alone"
            )
        return self

    @model_validator(mode="after")
    def _budget_is_of_predictions(self) -> Self:
        if self.budget is not None and self.memory is not None:
            raise ValueError("`budget` and `memory` both say how much memory there is; give one")
        if self.budget is not None and self.task == "generate":
            raise ValueError("`budget` chooses networks that predict; for `task=generate` give `widths`")
        return self

    @model_validator(mode="after")
    def _as_in_the_paper(self) -> Self:
        for name in ("normalization", "residual", "skip", "attention"):
            if self.model != "image_unet" and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"`{name}` is for `model=image_unet`; {self.model} has that of its paper")
        return self

    @model_validator(mode="after")
    def _encoder_is_the_way_down(self) -> Self:
        if self.encoder is None:
            if self.encoder_weights is not None:
                raise ValueError("`encoder_weights` are of an encoder; name it, too, e.g. `encoder=resnet50`")
            return self
        if self.task == "generate":
            raise ValueError(f"`encoder={self.encoder}` is not told how noisy its input is; `task=generate` has none")
        for name in ("model", "attention", "budget"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"`{name}` chooses a way down, as `encoder={self.encoder}` does; leave one out")
        if self.encoder_weights is not None and self.init_from is not None:
            raise ValueError("`encoder_weights` and `init_from` both say what weights to begin with; give one")
        return self

    @model_validator(mode="after")
    def _loss_fits_the_task(self) -> Self:
        if self.task == "generate":  # which has its own
            return self
        known = get_args(SegmentationLoss if self.task == "segmentation" else QuantityLoss)
        if self.loss is not None and self.loss not in known:
            raise ValueError(f"`loss={self.loss}` is not for `task={self.task}`; that takes {', '.join(known)}")
        if self.loss == "poisson" and self.adversarial:
            raise ValueError("`loss=poisson` is of counts, which `adversarial` does not draw; choose mae or beta-nll")
        if self.loss == "poisson" and (self.makes_pairs or self.restoration):
            raise ValueError("`loss=poisson` is of counts, which a difference of images is not; choose another `loss`")
        if self.noise_level is not None and self.loss not in (None, "beta-nll", "gaussian-nll"):
            raise ValueError(f"`noise_level` needs a loss that learns variances: beta-nll, not `loss={self.loss}`")
        if self.task != "segmentation" and self.class_weights is not None:
            raise ValueError(f"`class_weights`: `task={self.task}` has no classes")
        return self

    @property
    def quantity_loss(self) -> QuantityLoss:
        """Loss of quantities: the given one, else ``mse`` of dots, ``mae`` with an opponent, or ``beta-nll``.

        Where a learnt noise is large, ``beta-nll`` cares less for the mean, and counts from dots came out too low.
        """
        own = "mae" if self.adversarial else "beta-nll" if self.dots is None else "mse"
        return cast(QuantityLoss, self.loss or own)

    @property
    def averages_views(self) -> bool | None:
        """True where mirrored views are averaged, False where not; None: as the number of axes says."""
        return False if self.tta_flips is None and self.adversarial else self.tta_flips

    def recipe(self) -> Recipe:
        """Return the settings of the loop; of ``minutes``, an autoencoder that comes before has its share."""
        whole = super().recipe()
        if self.latent is None or whole.minutes is None:
            return whole
        return replace(whole, minutes=(1 - CODER_SHARE) * whole.minutes)

    def coder_recipe(self) -> Recipe:
        """Return the settings of the loop that trains the autoencoder of ``latent``, before the generator."""
        minutes = None if self.minutes is None else CODER_SHARE * self.minutes
        whole = replace(super().recipe(), power_averages=(), patience=None)
        return replace(whole, epochs=self.latent_epochs, minutes=minutes, ema=self.ema)

    def levels(self) -> list[int]:
        """Return the channels by level: those given, or the model's own."""
        return list(self.widths or CHANNELS[self.model])
