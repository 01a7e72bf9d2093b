"""Predictor of images: its mirrored views, and tiles that fit into memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

import torch
from torch import Tensor, nn

from multiunet.core import Encoder
from multiunet.device import computes_in_bf16
from multiunet.domains.image.config import ImageEvaluate, ImagePredict, ImageTrain
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction.flips import FlipAveraged, make_views
from multiunet.domains.model import Model
from multiunet.errors import InputError
from multiunet.geometries.grid.grid import Grid
from multiunet.prediction import Ensemble, GridPredictor
from multiunet.prediction.run import READ_SITES
from multiunet.prediction.tile_memory import compute_max_sites
from multiunet.training.recipe import Precision

Views = Literal["one", "averaged", "samples"]
"""Views of an image: as it is; the mean output over all mirrored ones; or each of these as a sample of its own."""


def choose_views(config: ImageTrain, info: ImageInfo, options: ImagePredict | ImageEvaluate) -> Views:
    """Return the views to predict, as the options say, else the run; by default images have all averaged.

    Raises:
        InputError: for views as samples of a network that never saw mirrored images.
    """
    if options.views_as_samples:
        if not config.flip:
            raise InputError(
                "`views_as_samples`: the run was trained with `flip=false`, so its network never saw mirrored images, "
                "and what the views disagree about would not be its uncertainty; leave `views_as_samples` out"
            )
        return "samples"
    return default_views(config, info) if options.tta_flips is None else "averaged" if options.tta_flips else "one"


def default_views(config: ImageTrain, info: ImageInfo) -> Views:
    """Return the views that a run predicts where nothing else is asked for."""
    asked = config.averages_views
    return "averaged" if (info.ndim == 2 if asked is None else asked) else "one"


def name_views(config: ImageTrain, info: ImageInfo, options: ImagePredict | ImageEvaluate) -> tuple[str, ...]:
    """Say which views are predicted, in words, where they are not those that the run predicts by default."""
    if options.views_as_samples:
        return options.other_samples()
    chosen = choose_views(config, info, options)
    words = {"one": "of the image as it is", "averaged": "averaged over mirrored views"}
    return () if chosen == default_views(config, info) else (words[chosen],)


def make_predictor(
    model: Model, views: Views, device: torch.device, precision: Precision, sites: int = READ_SITES
) -> GridPredictor:
    """Return the predictor of a model, or of an ensemble.

    Args:
        sites: the most that a tile may have, its halo included.
    """
    geometry = cast(Grid, model.geometry)
    net = model.net

    def average(one: nn.Module) -> nn.Module:
        return FlipAveraged(cast(Encoder[Tensor], one), geometry.ndim)

    if views == "averaged":
        net = net.mapped(average) if isinstance(net, Ensemble) else average(net)
    elif views == "samples":
        whole = net if isinstance(net, Ensemble) else Ensemble([net], [model.task])
        net = whole.divided(lambda one: make_views(cast(Encoder[Tensor], one), geometry.ndim))
    bf16 = computes_in_bf16(precision, device)
    predictor = GridPredictor(net.eval(), model.task, geometry, device, sites=sites, bf16=bf16)
    return replace(predictor, calibration=model.calibration, statements=model.statements)


def limit_memory(predictor: GridPredictor, memory: int | None, channels: int, samples: int) -> GridPredictor:
    """Return the predictor with tiles that fit into the memory.

    Args:
        memory: bytes of the whole process; None: see ``compute_max_sites``.
        channels: of the images.

    Raises:
        InputError: for too little memory.
    """
    parts = predictor.net, predictor.task, predictor.geometry, channels, samples, predictor.device
    with predictor.autocast():
        sites = compute_max_sites(memory, *parts)
    return replace(predictor, sites=sites)
