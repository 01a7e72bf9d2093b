"""Nested U-Net: every level of the encoder is the bottom of a U-Net of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from torch import Tensor, nn

from multiunet.core.condition import Condition
from multiunet.core.embedding import ConditionEmbedding
from multiunet.core.level import LevelSpec
from multiunet.core.skip import Concat, Merge, PathNorm, Skip
from multiunet.core.unet import Encoder, Geometries, Trail

S = TypeVar("S")


class NestedUNet(Encoder[S]):
    """UNet++ on any geometry (Zhou et al. 2018, "UNet++: A Nested U-Net Architecture", eq. 1).

    Node ``X(i, j)`` of level ``i`` is a block of the refined ``X(i + 1, j - 1)`` and of all ``X(i, 0) .. X(i, j - 1)``
    side by side; ``X(i, 0)`` are the encoder and the bottleneck. The output is read from ``X(0, depth)``.

    Args:
        skip: how the refined field meets those of its level, taken together: ``Concat`` is the paper's.
        deep_supervision: how many shallower nodes of the finest level, ``X(0, depth - 1)`` first, get a head of their
            own; at most ``depth - 1``.

    The other arguments and the errors are those of ``UNet``.
    """

    def __init__(
        self,
        geometry: Geometries[S],
        in_channels: int,
        out_channels: int,
        channels: Sequence[int | LevelSpec],
        *,
        strides: Sequence[Any] | None = None,
        skip: type[Skip[Any]] = Concat,
        path_norm: PathNorm | None = None,
        decoder: Geometries[S] | None = None,
        gradient_checkpointing: bool = False,
        deep_supervision: int = 0,
        embed: ConditionEmbedding | None = None,
    ) -> None:
        super().__init__(
            *(geometry, in_channels, out_channels, channels),
            strides=strides,
            decoder=decoder,
            gradient_checkpointing=gradient_checkpointing,
            deep_supervision=deep_supervision,
            embed=embed,
        )
        if any(level.has_decoder for level in self._levels):
            raise ValueError(
                "a nested U-Net's nodes are like their level's encoder; leave out what is the decoder's alone"
            )
        self.depth = depth = len(self.downs)
        self.ups, self.merges, self.nodes = (nn.ModuleDict() for _ in range(3))
        for i, j in self.places():
            one, level = self._decoders[i], self._levels[i]
            name = f"{i}_{j}"
            self.ups[name] = one.make_up(self.channels[i + 1], level.channels, self._steps[i])
            merge = Merge(one, skip, level.channels, j * level.channels, path_norm, None)
            self.merges[name] = merge
            self.nodes[name] = self.make_level(one, merge.channels, level.channels, level.blocks)
        heads = range(depth, depth - deep_supervision - 1, -1)
        self.heads = nn.ModuleDict(
            {str(j): self._decoders[0].make_pointwise(self.channels[0], out_channels) for j in heads}
        )

    def places(self) -> list[tuple[int, int]]:
        """Return ``(i, j)`` of all nodes behind the encoder, in the order in which they are computed."""
        return [(i, j) for j in range(1, self.depth + 1) for i in range(self.depth - j + 1)]

    def finest(self, trail: Trail[S], condition: Condition | None = None) -> list[S]:
        """Return the finest level's nodes, ``X(0, 0)`` to ``X(0, depth)``."""
        condition = self.read(condition)
        rows: list[list[S]] = [[field] for field in (*trail.saved, self.bottleneck(trail.bottom, condition))]
        for i, j in self.places():
            name = f"{i}_{j}"
            x = self.ups[name](rows[i + 1][j - 1], rows[i][0])
            rows[i].append(self.nodes[name](self.merges[name](x, *rows[i]), condition))
        return rows[0]

    def decode(self, trail: Trail[S], condition: Condition | None = None) -> S:
        output: S = self.heads[str(self.depth)](self.finest(trail, condition)[-1])
        return output

    def outputs(self, x: S, condition: Condition | None = None) -> tuple[S, ...]:
        """Return ``forward``'s output, then those of the shallower nodes, all on the input's sites."""
        condition = self.read(condition)
        nodes = self.finest(self.encode(x, condition), condition)
        return tuple(head(nodes[int(j)]) for j, head in self.heads.items())

    def at_outputs(self, values: Tensor, outputs: Sequence[S]) -> tuple[Tensor, ...]:
        return (values,) * len(outputs)
