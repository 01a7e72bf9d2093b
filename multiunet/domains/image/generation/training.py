"""Training and validation of a generator: clean patches, spoilt by noise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from multiunet.core import Condition
from multiunet.diffusion.latent import LatentData
from multiunet.diffusion.noised import DiffusionData
from multiunet.diffusion.objective import Denoising
from multiunet.diffusion.validation import NoisedValidator
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.generation.data import SIGMA_DATA, CleanPatches
from multiunet.domains.image.generation.latent import LatentGenerator, coarsen, latent_strides, network_space
from multiunet.domains.image.generation.network import make_parameterization, make_process
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.model import Model
from multiunet.training.data import Sample, TrainingData

DRAWS = 256
"""Draws of a validation, at least about, so that its loss tells epochs apart; each image is drawn once at least."""

MOST_IMAGES = 256
"""Images of a validation; of more, the first ones of their order count."""


def make_noised(
    config: ImageTrain, info: ImageInfo, model: Model, items: Sequence[Item], cache: FileCache
) -> DiffusionData[Tensor]:
    """Return noisy patches of these images."""
    clean: TrainingData[Tensor] = CleanPatches(items, info, config.flip, cache)
    if isinstance(model.net, LatentGenerator):
        clean = LatentData(
            clean, model.net.coder, 1 / SIGMA_DATA, SIGMA_DATA, coarsen=partial(coarsen, strides=latent_strides(info))
        )
    return DiffusionData(
        clean,
        model.geometry,
        make_parameterization(),
        make_process(),
        config.condition_drop if info.generated.left_out else 0.0,
    )


def make_validator(
    config: ImageTrain, info: ImageInfo, model: Model, cache: FileCache, items: Sequence[Item] | None = None
) -> NoisedValidator:
    """Return what gives a network's loss on images, under noise that is always the same.

    Args:
        items: the images; None: those of validation.
    """
    items = (info.split.val if items is None else items)[:MOST_IMAGES]
    data = make_noised(config.model_copy(update={"flip": False}), info, model, items, cache)
    return NoisedValidator(data, Denoising(), turns=-(-DRAWS // len(items)), batch_size=config.batch_size)


def make_coder_batch(config: ImageTrain, info: ImageInfo, device: torch.device) -> Sample[Tensor]:
    """Return a batch of the shapes and types of an autoencoder's training."""
    images = torch.zeros(config.batch_size, info.channels, *info.patch_size, device=device)
    return Sample(images, images)


def make_batch(config: ImageTrain, info: ImageInfo, device: torch.device) -> Sample[Tensor]:
    """Return a batch of the shapes and types of training, in which nothing is said of labels and words."""
    rows, space, known = config.batch_size, network_space(info, info.patch_size), info.generated
    channels = info.channels if known.latent is None else known.latent.channels
    return Sample(
        torch.zeros(rows, channels + known.beside, *space, device=device),
        torch.zeros(rows, channels, *space, device=device),
        torch.ones(rows, *space, device=device),
        Condition(noise=torch.zeros(rows, device=device)),
    )
