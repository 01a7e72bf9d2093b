from __future__ import annotations

from torch import Tensor, nn

from multiunet import Concat, Grid, UNet, footprint
from multiunet.core import Joined


class Normalized(Concat[Tensor]):
    """A skip of one's own, with a norm of torch's that looks at all sites."""

    def __init__(self, geometry: Grid, c_x: int, c_skip: int) -> None:
        super().__init__(geometry, c_x, c_skip)
        self.norm = nn.InstanceNorm1d(c_skip)

    def forward(self, x: Tensor, *skips: Tensor) -> Joined[Tensor]:
        return super().forward(x, *map(self.norm, skips))


def test_tiles_are_not_called_exact_where_any_norm_looks_at_all_sites() -> None:
    assert footprint(UNet(Grid(1), 1, 2, [4, 4])).exact
    assert not footprint(UNet(Grid(1, normalization="group"), 1, 2, [4, 4])).exact
    assert not footprint(UNet(Grid(1), 1, 2, [4, 4], skip=Normalized)).exact
