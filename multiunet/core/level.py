"""Description of a U-Net by level: channels and numbers of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class LevelSpec:
    """Channels and blocks of one level, where one number of channels does not say enough.

    Args:
        channels: channels of the encoder's blocks (of the last level: of the bottleneck's).
        blocks: number of blocks of the encoder, one after the other.
        entering: channels of the field that enters the level's first block, where the way down to it widens; by default
            those of the level above. Not for the first level, which the network's input enters.
        up_channels: channels of the refined field that meets the skip; ``decoder_channels`` by default.
        decoder_channels: channels of the decoder's blocks; ``channels`` by default.
        decoder_blocks: number of blocks of the decoder; ``blocks`` by default.

    The last three are not for the last level, which has no decoder.

    Raises:
        ValueError: when a number is less than 1.
    """

    channels: int
    blocks: int = 1
    entering: int | None = None
    up_channels: int | None = None
    decoder_channels: int | None = None
    decoder_blocks: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value < 1:
                raise ValueError(f"{name} {value} of a level must be at least 1")

    @property
    def has_decoder(self) -> bool:
        """True when something is said of the decoder alone."""
        return (self.up_channels, self.decoder_channels, self.decoder_blocks) != (None, None, None)

    @property
    def out(self) -> int:
        """Channels of the decoder's blocks."""
        return self.channels if self.decoder_channels is None else self.decoder_channels

    @property
    def up(self) -> int:
        """Channels of the refined field that meets the skip."""
        return self.out if self.up_channels is None else self.up_channels

    @property
    def out_blocks(self) -> int:
        """Number of blocks of the decoder."""
        return self.blocks if self.decoder_blocks is None else self.decoder_blocks


def describe_levels(channels: Sequence[int | LevelSpec]) -> list[LevelSpec]:
    """Return the description of each level, finest first.

    Raises:
        ValueError: when there are fewer than two, or the first or the last one says what only others can have.
    """
    if len(channels) < 2:
        raise ValueError(f"channels {list(channels)} has one level or none; give at least two, e.g. [32, 64]")
    levels = [level if isinstance(level, LevelSpec) else LevelSpec(level) for level in channels]
    if levels[0].entering is not None:
        raise ValueError(f"{levels[0]} is the first level, which the network's input enters; leave out entering")
    if levels[-1].has_decoder:
        raise ValueError(f"{levels[-1]} is the last level, the bottleneck; it has no decoder to describe")
    return levels


def per_level(name: str, values: Sequence[T], count: int) -> list[T]:
    """Return the values as a list of ``count``.

    Raises:
        ValueError: when there are not so many.
    """
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} entries for {count} levels; give one for each")
    return list(values)
