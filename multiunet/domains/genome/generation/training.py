"""Training and validation of a generator of DNA."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from multiunet.diffusion import MaskedData
from multiunet.diffusion.objective import Unmasking
from multiunet.domains.domain import Validator
from multiunet.domains.generating import Generating
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.generation.bound import bound_surprise, choose_stretches
from multiunet.domains.genome.generation.data import CleanBases, cut_windows
from multiunet.domains.genome.generation.network import BASES, build_generator
from multiunet.domains.genome.sequence import Codes
from multiunet.domains.model import Model

DRAWS = 256
"""Draws of a validation, about, so that its loss tells epochs apart."""


def make_model(config: GenomeTrain) -> Model:
    """Build the untrained generator."""
    net = build_generator(config)
    return Model(net, Generating(BASES, Unmasking()), net.geometry)


def make_masked(config: GenomeTrain, model: Model, codes: Mapping[str, Codes]) -> MaskedData[Tensor]:
    """Return masked stretches of these chromosomes."""
    return MaskedData(CleanBases(codes, config.bins_of_window()), model.geometry, classes=len(BASES))


def make_validator(config: GenomeTrain, model: Model, codes: Mapping[str, Codes]) -> Validator:
    """Return what bounds the surprise of the validation chromosomes, by masks that are always the same."""
    stretches = choose_stretches(cut_windows(codes, config.bins_of_window()), DRAWS)
    turns = -(-DRAWS // len(stretches))

    def validate(net: nn.Module) -> Mapping[str, float]:
        return bound_surprise(net, model.geometry, stretches, turns, 2 * config.batch_size).result()

    return validate
