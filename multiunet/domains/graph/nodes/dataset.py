"""Transductive training: the whole graph at every step, the labels of the training nodes alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from multiunet.domains.graph.features.signs import flip_signs
from multiunet.domains.graph.labels import UNKNOWN
from multiunet.domains.graph.nodes.survey import Survey
from multiunet.geometries.graph.field import GraphField
from multiunet.training.data import Sample, TrainingData


class WholeGraph(TrainingData[GraphField]):
    """One item: the graph, with the targets of its training nodes alone; only signs may change.

    Args:
        views: how often it is in the batch, for a loss that compares what dropout makes of it.
    """

    def __init__(self, known: Survey, views: int = 1) -> None:
        self.sample, self.flipped = repeated(training_sample(known), views), known.info.inputs.flipped

    def __len__(self) -> int:
        return 1

    def draw(self, item: int, rng: np.random.Generator) -> Sample[GraphField]:
        if self.flipped is None:
            return self.sample
        return replace(self.sample, field=flip_signs(self.sample.field, self.flipped, rng))


def training_sample(known: Survey) -> Sample[GraphField]:
    """The graph with the targets of its training nodes alone."""
    train = torch.from_numpy(known.masks["train"])
    hidden = UNKNOWN if known.target.dtype == torch.int64 else float("nan")
    shown = train if known.target.ndim == 1 else train[:, None]
    return Sample(known.field, known.target.where(shown, hidden), train.float())


def repeated(sample: Sample[GraphField], views: int) -> Sample[GraphField]:
    """A batch of ``views`` copies, which share no edge."""
    return Sample(
        GraphField.union([sample.field] * views),
        torch.cat([sample.target] * views),
        None if sample.weight is None else torch.cat([sample.weight] * views),
    )
