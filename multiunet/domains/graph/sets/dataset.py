"""Training on some graphs: one item a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from multiunet.domains.graph.features.signs import flip_signs
from multiunet.domains.graph.sets.survey import Survey
from multiunet.geometries.graph.field import GraphField
from multiunet.training.data import Sample, TrainingData

NODES = 1 << 14
"""Nodes of graphs that are predicted together; a larger graph is predicted alone."""


class TrainingGraphs(TrainingData[GraphField]):
    """The training graphs with their targets, as they are; of eigenvectors signs are drawn."""

    def __init__(self, known: Survey) -> None:
        train, self.flipped = known.members["train"], known.info.inputs.flipped
        self.samples = [Sample(known.fields[graph], known.targets[graph]) for graph in train]

    def __len__(self) -> int:
        return len(self.samples)

    def draw(self, item: int, rng: np.random.Generator) -> Sample[GraphField]:
        sample = self.samples[item]
        return sample if self.flipped is None else replace(sample, field=flip_signs(sample.field, self.flipped, rng))


def batch_graphs(fields: Sequence[GraphField]) -> Iterator[list[int]]:
    """Yield the numbers of graphs in order, as many at once as have ``NODES`` nodes together."""
    batch: list[int] = []
    nodes = 0
    for graph, field in enumerate(fields):
        if batch and nodes + len(field.x) > NODES:
            yield batch
            batch, nodes = [], 0
        batch.append(graph)
        nodes += len(field.x)
    if batch:
        yield batch


def unite_batches(fields: Sequence[GraphField]) -> Iterator[GraphField]:
    """Yield graphs in order, united batch by batch."""
    return (GraphField.union([fields[graph] for graph in batch]) for batch in batch_graphs(fields))
