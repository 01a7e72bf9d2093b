"""Runs of images as models that other programs run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from multiunet.core import Encoder
from multiunet.domains.image.config import ImageEvaluate, ImageTrain
from multiunet.domains.image.data.inputs import AXES, match_channels
from multiunet.domains.image.data.made import find_maker
from multiunet.domains.image.files.readers import read_image
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction.flips import FlipAveraged
from multiunet.domains.image.prediction.predictor import choose_views
from multiunet.domains.model import Model
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.geometries.grid.fuse import fuse_conv_bn
from multiunet.prediction import Ensemble
from multiunet.prediction.portable import Portable, PortableInput, PortableModel, Standardise, StandardiseEach

EXAMPLE = {2: (83, 141), 3: (35, 53, 45)}
"""Sites of the image that a graph of operations is traced with; no multiples of anything."""

SHOWN = {2: (128, 128), 3: (16, 64, 64)}
"""Sites of a test input, at most."""

BLUR = 3.0
"""Deviation of the Gaussian of a test input, pixels."""


def make_portable(model: Model, config: ImageTrain, info: ImageInfo, options: ImageEvaluate) -> PortableModel:
    """Return the model from raw pixels to moments.

    Raises:
        InputError: for a run whose images are enlarged before its network sees them.
    """
    maker = find_maker(info.restoration)
    if maker is not None and maker.factor > 1:
        raise InputError(
            f"the run enlarges images by {maker.factor} before its network sees them, which no exported file does; "
            "predict with the run itself"
        )
    if info.instances is not None:
        remark("the file gives the classes that encode objects; telling objects apart is left to what reads it")
    views = choose_views(config, info, options)
    net = fuse_conv_bn(model.net)

    def average(one: nn.Module) -> nn.Module:
        return FlipAveraged(cast(Encoder[Tensor], one), info.ndim)

    if views == "averaged":
        net = net.mapped(average) if isinstance(net, Ensemble) else average(net)
    own = info.intensities.kind == "image"
    axes = ("n", "c", *AXES[info.ndim])
    image = PortableInput("image", axes, torch.rand(1, info.channels, *EXAMPLE[info.ndim]), AXES[info.ndim])
    # a tensor each: of one that is given twice torch would make one input
    moments = [PortableInput(f"{name}_of_image", ("c",), torch.ones(info.channels)) for name in ("mean", "deviation")]
    return PortableModel(
        Portable(_make_standard(info), net.eval(), model.task, model.calibration),
        (image, *moments) if own else (image,),
        axes,
        {"channels": info.channels, "colour": info.colour, "mirrored_views": views == "averaged", **_size(info)},
        info.spacing if info.fingerprint.spacing is not None else None,
        partial(make_example, info),
    )


def make_example(info: ImageInfo, path: Path | None) -> NDArray[np.float32]:
    """Return a test input, ``(channels, *space)``: the middle of an image, or blurred noise.

    Noise has the moments of the training images, and shows nothing else of them.

    Raises:
        InputError: for an image of other axes than the training images, or without the channels that are read.
    """
    if path is not None:
        pixels = match_channels(read_image(path, info.read_channels), info, str(path)).pixels
        cuts = (slice((size - n) // 2, (size - n) // 2 + n) for size, n in zip(pixels.shape[1:], _sides(pixels.shape)))
        return np.ascontiguousarray(pixels[(slice(None), *cuts)], dtype=np.float32)
    noise = np.random.default_rng(0).normal(size=(info.channels, *SHOWN[info.ndim]))
    smooth = np.stack([gaussian_filter(one, BLUR) for one in noise])
    channels = zip(smooth / smooth.std(), info.fingerprint.intensities)
    return np.stack([one * known.deviation + known.mean for one, known in channels]).astype(np.float32)


def _sides(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(map(min, shape[1:], SHOWN[len(shape) - 1]))


def _make_standard(info: ImageInfo) -> nn.Module:
    """Return the standardisation of raw pixels: of the training, of each image by its own moments, or none."""
    known = info.intensities
    return StandardiseEach() if known.kind == "image" else Standardise(known.mean, known.deviation)


def _size(info: ImageInfo) -> dict[str, Any]:
    return {"pixel_size": None if info.pixel_size is None else list(info.pixel_size)}
