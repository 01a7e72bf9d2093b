"""Predictor of images: its mirrored views, and tiles that fit into memory."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from multiunet.core import Encoder
from multiunet.device import computes_in_bf16
from multiunet.domains.domain import Model
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction.flips import FlipAveraged
from multiunet.geometries.grid.grid import Grid
from multiunet.prediction import Ensemble, GridPredictor
from multiunet.prediction.run import READ_SITES
from multiunet.prediction.tile_memory import compute_max_sites
from multiunet.training.recipe import Precision


def averages_flips(config: ImageTrain, info: ImageInfo) -> bool:
    """Return True where mirrored views are averaged: as the run says; by default images, not volumes."""
    return info.ndim == 2 if config.tta_flips is None else config.tta_flips


def make_predictor(
    model: Model, averaged: bool, device: torch.device, precision: Precision, sites: int = READ_SITES
) -> GridPredictor:
    """Return the predictor of a model, or of an ensemble.

    Args:
        averaged: over all mirrored views.
        sites: the most that a tile may have, its halo included.
    """
    geometry = cast(Grid, model.geometry)
    net = model.net

    def views(one: nn.Module) -> nn.Module:
        return FlipAveraged(cast(Encoder[Tensor], one), geometry.ndim)

    if averaged:
        net = net.mapped(views) if isinstance(net, Ensemble) else views(net)
    bf16 = computes_in_bf16(precision, device)
    return GridPredictor(net.eval(), model.task, geometry, device, sites=sites, bf16=bf16)


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
