from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from multiunet import Grid, InputError, Segmentation, UNet
from multiunet.geometries import Conv
from multiunet.prediction import tile_memory
from multiunet.prediction.tile_memory import (
    FILE_COPIES,
    compute_max_sites,
    compute_spare_memory,
    measure_bytes_per_site,
)

CPU = torch.device("cpu")
TASK = Segmentation(["a", "b"])


class Chain(nn.Module):
    """Two pointwise maps, so that the tensors alive at once can be counted by hand."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, width, 1, bias=False), nn.Conv2d(width, 2, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x))

    def receptive_field(self) -> object:
        from multiunet import receptive_field

        return replace(receptive_field(UNet(Grid(2), 1, 2, [2, 3])), tile_stride=(1, 1))


def test_the_need_of_a_chain_is_that_counted_by_hand() -> None:
    # the wide field and what is made of it; the input was there before
    width = 100
    found = measure_bytes_per_site(Chain(width).eval(), TASK, Grid(2), 1, 1, CPU)
    assert found == pytest.approx(4 * (width + 2) + 4 * FILE_COPIES * (1 + 2), rel=0.01)


def test_strides_beyond_the_probed_side_do_no_harm() -> None:
    net = UNet(Grid(3), 1, 2, [2, 2], strides=[(64, 64, 64)]).eval()
    assert measure_bytes_per_site(net, TASK, Grid(3), 1, 1, CPU) > 4 * FILE_COPIES * (1 + 2)


def test_wider_networks_get_smaller_tiles_and_more_memory_larger_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_memory, "process_memory", lambda: 500_000_000)

    def sites(width: int, gigabytes: float, samples: int = 1) -> int:
        net = UNet(Grid(2), 1, 2, [width, width], decoder=Grid(2, block=Conv(dropout=0.1))).eval()
        return compute_max_sites(int(gigabytes * 1e9), net, TASK, Grid(2), 1, samples, CPU)

    assert sites(8, 1.75) == pytest.approx(2 * sites(8, 1.25), rel=0.01)
    assert sites(8, 1.5) > sites(16, 1.5) > sites(16, 1.5, samples=4) == sites(16, 1.5, samples=9)
    with pytest.raises(InputError, match=r"memory=700 MB`: the program alone takes 750 MB; give at least 1\.0 GB"):
        sites(8, 0.7)
    with pytest.raises(InputError, match=r"memory=700 MB`: the program alone takes 750 MB"):
        compute_spare_memory(700_000_000, CPU)


def test_less_is_taken_where_less_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_memory, "process_memory", lambda: 0)
    net = UNet(Grid(2), 1, 2, [4, 4]).eval()
    monkeypatch.setattr(tile_memory, "free_memory", lambda device: 1 << 40)
    plenty = compute_max_sites(None, net, TASK, Grid(2), 1, 1, CPU)
    assert plenty == compute_max_sites(tile_memory.DEFAULT_MEMORY, net, TASK, Grid(2), 1, 1, CPU)
    for free, spare in ((4_000_000_000, 1_750_000_000), (1_000_000, 250_000_000)):
        monkeypatch.setattr(tile_memory, "free_memory", lambda device, free=free: free)
        expected = plenty * spare / (tile_memory.DEFAULT_MEMORY - tile_memory.FIXED_MEMORY)
        assert compute_max_sites(None, net, TASK, Grid(2), 1, 1, CPU) == pytest.approx(expected, rel=0.01)
