from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiunet.domains import training
from multiunet.domains.graph.nodes import domain
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.memory import TO_ALL, USABLE, check_attended, part_nodes, step_memory
from multiunet.errors import InputError
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder

TAKEN = """
import sys, torch
from pathlib import Path
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.operators import make_pool
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.field import GraphField
from multiunet.models.graph_unet import graph_unet
from multiunet_cli.heap import keep_large_blocks

keep_large_blocks()
torch.set_num_threads(1)
peak = lambda: int([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]) << 10
config = GraphTrain(graph=Path("g"), widths=[32, 32, 32], max_neighbours=16)
ends = torch.randint(0, 60_000, (2, 300_000), generator=torch.Generator().manual_seed(0))
field = GraphField.of(torch.randn(60_000, 8), torch.cat([ends, ends.flip(0)], dim=1))
net = graph_unet(8, 4, config.widths, geometry=Graph(pool=make_pool(config), dropout=0.5))
before = peak()
net(field).x.square().mean().backward()
print(peak() - before)
"""


def config(**settings: Any) -> GraphTrain:
    return GraphTrain(graph=Path("g.npz"), **settings)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say what a process takes")
def test_a_step_takes_about_what_is_said() -> None:
    done = subprocess.run([sys.executable, "-c", TAKEN], check=True, capture_output=True, text=True)
    said = step_memory(config(widths=[32, 32, 32], max_neighbours=16), 60_000, 600_000, 8)
    # the two-hop product comes on top, which does not grow with the graph
    assert 0.4 * said < int(done.stdout) < 1.3 * said + (400 << 20)


def test_more_of_anything_takes_more() -> None:
    base = step_memory(config(), 1000, 10_000, 8)
    assert step_memory(config(), 2000, 20_000, 8) == pytest.approx(2 * base, rel=0.01)
    assert step_memory(config(), 1000, 20_000, 8) > base
    assert step_memory(config(conv="gatv2"), 1000, 10_000, 8) > 2 * base
    assert step_memory(config(conv="gatv2"), 1000, 10_000, 8) > step_memory(config(conv="gine"), 1000, 10_000, 8) > base
    assert step_memory(config(max_neighbours=8), 1000, 10_000, 8) < base
    assert step_memory(config(max_neighbours=None), 1000, 10_000, 8) > base
    assert step_memory(config(), 1000, 10_000, 8, two_hop=False) < base


def test_parts_are_as_large_as_memory_allows() -> None:
    size = (1_000_000, 10_000_000, 32)
    whole = step_memory(config(), *size)
    assert part_nodes(config(), *size, 1, int(whole / USABLE) + 2) is None
    half = part_nodes(config(), *size, 1, int(whole / USABLE) - 2)
    assert half == 500_000
    assert part_nodes(config(), *size, 2, int(whole / USABLE) + 2) == 500_000
    assert part_nodes(config(), *size, 1, 0) == 1


def test_what_does_not_fit_is_trained_in_parts_and_goes_on_in_them(
    save: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    graph, settings = save(), {"epochs": 2, "widths": [4, 4]}
    needed = step_memory(GraphTrain(graph=graph, **settings), 24, 48, 6)
    monkeypatch.setattr(domain, "free_memory", lambda device: int(needed / USABLE / 2) + 9)
    training.train("graph", GraphTrain(graph=graph, **settings), tmp_path / "run", progress=Progress())
    assert "in parts of at most 12 nodes (`batch_nodes`)" in caplog.text
    assert RunFolder.open(tmp_path / "run").config()["batch_nodes"] == 12
    monkeypatch.setattr(domain, "free_memory", lambda device: 1 << 60)
    training.train("graph", GraphTrain(graph=graph, **settings), tmp_path / "run", "auto", progress=Progress())
    training.train("graph", GraphTrain(graph=graph, **settings), tmp_path / "all", progress=Progress())
    assert RunFolder.open(tmp_path / "all").config()["batch_nodes"] is None


def test_attention_takes_more_and_is_bounded() -> None:
    base = step_memory(config(), 1000, 10_000, 8)
    assert step_memory(config(attention="full"), 1000, 10_000, 8) == base + 4 * TO_ALL * 64 * 500
    check_attended(config(), 1_000_000)
    check_attended(config(attention="full"), 8192)
    check_attended(config(attention="full", pool="mincut", clusters=16), 1_000_000)
    with pytest.raises(InputError, match=r"`attention=full`: of 8,193 nodes 4,097 are left .* give more `widths`"):
        check_attended(config(attention="full"), 8193)
