from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import multiunet
from multiunet import Graph, Grid, UNet
from multiunet.domains.transfer import Inputs, take_weights
from multiunet.errors import InputError
from multiunet.models.graph_unet import graph_unet
from multiunet.progress import Progress


class Notes(Progress):
    """Progress that keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def net(in_channels: int, out_channels: int, widths: list[int], seed: int) -> UNet:
    torch.manual_seed(seed)
    return UNet(Grid(2), in_channels, out_channels, widths)


def test_a_deeper_network_takes_the_levels_of_equal_shape() -> None:
    new, old = net(1, 2, [4, 8, 16], 0), net(1, 2, [4, 8], 1)
    state, known = new.state_dict(), old.state_dict()
    before = {name: tensor.clone() for name, tensor in state.items()}
    taken = take_weights(state, known, Inputs(1, 1), [(0, 0), (1, 1)])
    # the finest level on both ways, whose number on the way up is another
    assert torch.equal(state["encoder.0.blocks.0.layers.0.weight"], known["encoder.0.blocks.0.layers.0.weight"])
    assert torch.equal(state["decoder.1.blocks.0.layers.0.weight"], known["decoder.0.blocks.0.layers.0.weight"])
    assert torch.equal(new.head.weight, old.head.weight)
    anew = [name for name in state if name.startswith(("bottleneck", "encoder.1"))]
    assert anew
    assert all(torch.equal(state[name], before[name]) for name in anew)
    assert {name.rpartition(".")[0] for name in anew} <= set(taken.fresh)
    assert taken.head


def test_other_inputs_without_names_keep_what_a_sum_over_them_gives() -> None:
    grey, colour = net(1, 2, [4, 8], 0), net(3, 2, [4, 8], 1)
    for new, old in ((grey, colour), (colour, grey)):
        here, there = (int(one.in_channels) for one in (new, old))
        known = {name: tensor.clone() for name, tensor in old.state_dict().items()}
        take_weights(new.state_dict(), known, Inputs(here, there), [])
        x = torch.randn(2, 1, 8, 8)
        first = [one.encoder[0].blocks[0].layers[0] for one in (new, old)]
        found, expected = (layer(x.expand(-1, channels, -1, -1)) for layer, channels in zip(first, (here, there)))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_inputs_of_graphs_keep_theirs_by_name() -> None:
    new, old = graph_unet(3, 2, [4, 4]), graph_unet(2, 2, [4, 4])
    name = "encoder.0.blocks.0.convolutions.0.neighbours.weight"
    before, there = new.state_dict()[name].clone(), old.state_dict()[name]
    taken = take_weights(new.state_dict(), old.state_dict(), Inputs(3, 2, [(0, 1), (2, 0)]), [])
    here = new.state_dict()[name]
    assert torch.equal(here[:, [0, 2]], there[:, [1, 0]])
    assert torch.equal(here[:, 1], before[:, 1])
    assert taken.fresh == []
    assert isinstance(new.geometry, Graph)


@pytest.fixture
def table(tmp_path: Path):
    """Write a graph with these features and classes; return the folder."""

    def make(name: str, features: list[str], classes: list[str]) -> Path:
        folder, rng = tmp_path / name, np.random.default_rng(0)
        folder.mkdir()
        rows = [",".join(["id", *features, "label"])]
        for node in range(40):
            values = [f"{value:.3f}" for value in rng.normal(size=len(features))]
            rows.append(",".join([str(node), *values, classes[node % len(classes)]]))
        (folder / "nodes.csv").write_text("\n".join(rows))
        edges = [f"{node},{(node + step) % 40}" for node in range(40) for step in (1, 3)]
        (folder / "edges.csv").write_text("\n".join(["source,target", *edges]))
        return folder

    return make


def test_a_graph_of_other_features_and_classes_begins_with_those_of_the_same_names(table, tmp_path: Path) -> None:
    common = {"epochs": 1, "widths": [4, 4], "calibrate": False}
    first, second = table("first", ["a", "b"], ["x", "y"]), table("second", ["b", "c"], ["y", "z"])
    multiunet.train("graph", {"graph": first, **common}, tmp_path / "old", progress=Progress())
    notes = Notes()
    given = {"graph": second, **common, "init_from": tmp_path / "old", "lr": 1e-9}
    multiunet.train("graph", given, tmp_path / "new", progress=notes)
    (said,) = [note for note in notes.notes if "begins with" in note]
    assert "inputs that begin anew: c" in said
    assert "outputs that keep their weights: y; that begin anew: z" in said
    other = {"graph": second, **common, "widths": [5, 6], "init_from": tmp_path / "old"}
    with pytest.raises(
        InputError, match=r"no layer of its network has the shape of one here \(`widths` \[4, 4\] there"
    ):
        multiunet.train("graph", other, tmp_path / "newer", progress=Progress())
