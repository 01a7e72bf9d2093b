"""Tests of fields as sequences, and of vectors that come to sites."""

import pytest
import torch

from multiunet import Geometry, Graph, Grid


@pytest.mark.parametrize("geometry", [Grid(1), Grid(2), Grid(3), Graph()], ids=["1", "2", "3", "graph"])
def test_sequences_go_there_and_back(geometry: Geometry) -> None:
    fields = [geometry.example(3, seed) for seed in (0, 1)]
    batch = geometry.collate(fields)
    rows, there = geometry.as_sequences(batch)
    assert torch.equal(geometry.features(geometry.from_sequences(batch, rows)), geometry.features(batch))
    for place, field in enumerate(fields):
        alone, all_there = geometry.as_sequences(field)
        assert all_there is None
        sites = alone.shape[1]
        assert torch.equal(rows[place, :sites], alone[0])
        assert there is None or (there[place, :sites].all() and not there[place, sites:].any())
    wider = geometry.from_sequences(batch, torch.cat([rows, rows], dim=2))
    assert geometry.features(wider).shape[1] == 6


@pytest.mark.parametrize("geometry", [Grid(1), Grid(2), Grid(3), Graph()], ids=["1", "2", "3", "graph"])
def test_vectors_come_to_the_sites_of_their_sample(geometry: Geometry) -> None:
    fields = [geometry.example(3, seed) for seed in (0, 1)]
    batch, vectors = geometry.collate(fields), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found = geometry.features(batch) * 0 + geometry.at_sites(batch, vectors)
    expected = [
        geometry.features(field) * 0 + geometry.at_sites(field, row[None]) for field, row in zip(fields, vectors)
    ]
    assert torch.equal(found, torch.cat(expected))
    assert set(found.movedim(1, -1).reshape(-1, 3)[:, 0].tolist()) == {1.0, 4.0}
