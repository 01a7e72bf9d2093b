"""Runs of genomes as models that other programs run."""

from __future__ import annotations

import torch
from torch import nn

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.model import Model
from multiunet.geometries.grid.fuse import fuse_conv_bn
from multiunet.prediction.portable import Portable, PortableInput, PortableModel


def make_portable(model: Model, config: GenomeTrain) -> PortableModel:
    """Return the model from bases, as codes of uint8, to the moments of bins."""
    bases = torch.arange(config.bin_size * 301, dtype=torch.uint8).remainder(5)[None, None]
    return PortableModel(
        Portable(nn.Identity(), fuse_conv_bn(model.net).eval(), model.task, model.calibration),
        (PortableInput("bases", ("n", "c", "base"), bases, ("base",)),),
        ("n", "c", "bin"),
        {"bin_size": config.bin_size, "flank": config.bins_of_window() // 4, "codes": "ACGTN"},
    )
