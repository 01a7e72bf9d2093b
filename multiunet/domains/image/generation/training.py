"""Training and validation of a generator: clean patches, spoilt by noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from multiunet.core import Condition
from multiunet.diffusion.noised import DiffusionData
from multiunet.diffusion.objective import Denoising
from multiunet.diffusion.validation import NoisedValidator
from multiunet.domains.domain import Model
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.generation.data import CleanPatches
from multiunet.domains.image.generation.network import make_parameterization, make_process
from multiunet.domains.image.info import ImageInfo
from multiunet.training.data import Sample

DRAWS = 256
"""Draws of a validation, at least about, so that its loss tells epochs apart; each image is drawn once at least."""

MOST_IMAGES = 256
"""Images of a validation; of more, the first ones of their order count."""


def make_noised(
    config: ImageTrain, info: ImageInfo, model: Model, items: Sequence[Item], cache: FileCache
) -> DiffusionData[Tensor]:
    """Return noisy patches of these images."""
    return DiffusionData(
        CleanPatches(items, info, config.flip, cache),
        model.geometry,
        make_parameterization(),
        make_process(),
        config.condition_drop if info.generated.left_out else 0.0,
    )


def make_validator(config: ImageTrain, info: ImageInfo, model: Model, cache: FileCache) -> NoisedValidator:
    """Return what gives a network's loss on the validation images, under noise that is always the same."""
    items = info.split.val[:MOST_IMAGES]
    data = make_noised(config.model_copy(update={"flip": False}), info, model, items, cache)
    return NoisedValidator(data, Denoising(), turns=-(-DRAWS // len(items)), batch_size=config.batch_size)


def make_batch(config: ImageTrain, info: ImageInfo, device: torch.device) -> Sample[Tensor]:
    """Return a batch of the shapes and types of training, in which nothing is said of labels and words."""
    rows, space = config.batch_size, info.patch_size
    return Sample(
        torch.zeros(rows, info.channels + info.generated.beside, *space, device=device),
        torch.zeros(rows, info.channels, *space, device=device),
        torch.ones(rows, *space, device=device),
        Condition(noise=torch.zeros(rows, device=device)),
    )
