"""Residual block whose norms and activations come before its convolutions, as in generators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from torch import Tensor, nn

from multiunet.core import Condition, Dropout, Modulation
from multiunet.geometries.choices import check_choice, check_least
from multiunet.geometries.grid.chain import Modulated, read_embedding
from multiunet.geometries.grid.crop import crop_centre
from multiunet.geometries.grid.layers import Layers, Sizes
from multiunet.geometries.grid.parts import Block, example_embedding

Effect = Literal["scale", "shift"]


@dataclass(frozen=True)
class PreActivation(Block):
    """Norm, activation and convolution, twice, added to what enters (He et al. 2016, "Identity mappings").

    The block of diffusion models (Ho et al. 2020, appendix B). What it adds is zero at first.

    Args:
        kernel: odd; one number, or one an axis.
        dropout: probability that a channel is dropped before the second convolution, at all sites.
        condition_channels: channels of ``Condition.embedding``; 0: the block reads no condition.
        effect: of the embedding: to scale and shift what the second norm gives (Dhariwal & Nichol 2021, section 3.1),
            or to shift what enters it (Ho et al. 2020). By zero at first.

    Raises:
        ValueError: for another effect, a number that is too small, an even kernel.
    """

    kernel: Sizes = 3
    dropout: float = 0.0
    condition_channels: int = 0
    effect: Effect = "scale"

    def __post_init__(self) -> None:
        check_choice("effect", self.effect, get_args(Effect))
        check_least("condition_channels", self.condition_channels, 0)

    def check(self, layers: Layers) -> None:
        layers.odd_sizes("kernel", self.kernel)

    def example_condition(self, seed: int) -> Condition | None:
        return example_embedding(self.condition_channels, seed)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return PreActivationBlock(self, layers, in_channels, out_channels)


class PreActivationBlock(nn.Module):
    """Module of ``PreActivation``.

    Attributes:
        reach: how many sites away an output site looks, by axis.
    """

    def __init__(self, part: PreActivation, layers: Layers, in_channels: int, out_channels: int) -> None:
        super().__init__()
        kernel = layers.odd_sizes("kernel", part.kernel)
        padding = tuple(k // 2 for k in kernel) if layers.padding == "same" else 0
        widths = ((in_channels, out_channels), (out_channels, out_channels))
        self.norms = nn.ModuleList(layers.make_norm(first) for first, _ in widths)
        self.activations = nn.ModuleList(layers.make_activation(first) for first, _ in widths)
        self.convs = nn.ModuleList(layers.make_conv(a, b, kernel, True, padding=padding) for a, b in widths)
        nn.init.zeros_(cast("Tensor", self.convs[1].weight))
        self.shift: nn.Module = nn.Identity()
        self.scale: nn.Module = nn.Identity()
        if part.condition_channels and part.effect == "shift":
            self.shift = Shifted(part.condition_channels, out_channels)
        elif part.condition_channels:
            self.scale = Modulated(Modulation(part.condition_channels, out_channels))
        self.dropout = Dropout(part.dropout, whole_channels=True)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else layers.make_pointwise(in_channels, out_channels)
        self.reach = tuple(2 * (k // 2) for k in kernel)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        y = self.convs[0](self.activations[0](self.norms[0](x)))
        y = self.norms[1](_told(self.shift, y, condition))
        y = self.activations[1](_told(self.scale, y, condition))
        y = self.convs[1](self.dropout(y))
        return crop_centre(self.shortcut(x), y.shape[2:]) + y  # type: ignore[no-any-return]


class Shifted(nn.Module):
    """Shift of each channel by the condition's embedding; the identity without one, and at first.

    Args:
        embedding_channels: channels of ``Condition.embedding``.
        channels: channels of the features that are shifted.
    """

    reads_condition = ("embedding",)

    def __init__(self, embedding_channels: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(embedding_channels, channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        embedding = read_embedding(condition, len(x))
        if embedding is None:
            return x
        if embedding.shape[1] != self.linear.in_features:
            raise ValueError(
                f"an embedding has {embedding.shape[1]} channels where the network takes {self.linear.in_features}"
            )
        return x + self.linear(embedding).reshape(*x.shape[:2], *[1] * (x.ndim - 2))  # type: ignore[no-any-return]


def _told(module: nn.Module, x: Tensor, condition: Condition | None) -> Tensor:
    return x if isinstance(module, nn.Identity) else cast("Tensor", module(x, condition))
