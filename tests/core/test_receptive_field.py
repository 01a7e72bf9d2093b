from __future__ import annotations

from torch import Tensor, nn

from multiunet import Concat, Grid, UNet, receptive_field
from multiunet.core import LazyConcat


class Normalized(Concat[Tensor]):
    """A skip of one's own, with a norm of torch's that looks at all sites."""

    def __init__(self, geometry: Grid, x_channels: int, skip_channels: int) -> None:
        super().__init__(geometry, x_channels, skip_channels)
        self.norm = nn.InstanceNorm1d(skip_channels)

    def forward(self, x: Tensor, *skips: Tensor) -> LazyConcat[Tensor]:
        return super().forward(x, *map(self.norm, skips))


def test_tiles_are_not_called_exact_where_any_norm_looks_at_all_sites() -> None:
    assert receptive_field(UNet(Grid(1), 1, 2, [4, 4])).exact
    assert not receptive_field(UNet(Grid(1, normalization="group"), 1, 2, [4, 4])).exact
    assert not receptive_field(UNet(Grid(1), 1, 2, [4, 4], skip=Normalized)).exact
