"""Trained and untrained networks, and small genomes, for scores of variants."""

import numpy as np
import pytest
import torch

from multiunet.domains.genome.variants.alleles import Reference
from multiunet.domains.genome.variants.effects import Effects
from multiunet.domains.genome.variants.frames import Window
from multiunet.domains.model import Model
from multiunet.models.genomic import genomic_unet
from multiunet.tasks import Regression

BIN = 8


def _model(pair=(1, 0, 2), seed: int = 0) -> Model:
    """A network of three tracks, of which the first two are a strand pair, after some batch statistics."""
    torch.manual_seed(seed)
    strands = [*pair, *(3 + other for other in pair)]
    net = genomic_unet(6, BIN, channels=[6, 8], stem=6, motif=7, dropout=0.3, strand_pair=strands)
    net.train()
    for _ in range(3):
        net(torch.nn.functional.one_hot(torch.randint(0, 4, (4, BIN * 32)), 4).movedim(2, 1).float())
    task = Regression(["fwd", "rev", "both"], "beta-nll", centre=[5.0, 5.0, 2.0], scale=[2.0, 2.0, 1.0])
    return Model(net.eval(), task, net.unet.geometry)


@pytest.fixture(scope="session")
def model() -> Model:
    return _model()


@pytest.fixture(scope="session")
def make_model():
    return _model


@pytest.fixture(scope="session")
def effects(model):
    """Scorer with so many samples and shifts."""

    def make(samples: int = 3, shifts: int = 2, model: Model = model) -> Effects:
        return Effects(model, torch.device("cpu"), Window(BIN, 41, 4), shifts, samples)

    return make


@pytest.fixture(scope="session")
def dna() -> np.ndarray:
    """Random bases, with a repeat of CAG from 300 to 321 and a run of A from 400 to 412."""
    codes = np.random.default_rng(5).integers(0, 4, 700).astype(np.uint8)
    codes[300:321] = np.tile([1, 0, 2], 7)
    codes[[299, 321]] = 3
    codes[400:412] = 0
    codes[[399, 412]] = 2
    return codes


@pytest.fixture(scope="session")
def reference(dna) -> Reference:
    return Reference(dna)
