"""U-Net over the bins of a chromosome, behind a tower that reads its bases."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import SKIPS, Condition, ConditionEmbedding, Trail, UNet
from multiunet.core.checkpointing import checkpoint_block, checkpoint_down
from multiunet.core.exporting import count_windows, is_exporting
from multiunet.core.receptive_field import ReceptiveField, norms_are_local, receptive_field
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import AveragePool
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.in_turn import put_behind
from multiunet.geometries.grid.parts import Block
from multiunet.geometries.grid.up import Resize
from multiunet.models.reading_frames import CHANNELS, ReadingFrames

UNKNOWN = 4
"""Code of an unknown base."""

TOLD = 64
"""Channels of the embedding of a condition."""

LARGEST_STEP = 8
"""Prime factors of a bin size are multiplied into strides up to this."""


@dataclass(frozen=True)
class GenomicTrail(Trail[Tensor]):
    """Trail of a U-Net with the size of its output and its strands.

    Attributes:
        bins: of the output; the trail's own fields may have more.
        strands: 2 where the batch holds the given strands, then their reverse complements; else 1.
    """

    bins: int
    strands: int


class Tower(nn.Module):
    """Convolutions and coarsenings in turn, from bases to bins.

    Without strides it is one convolution block on the bases.

    Args:
        first: makes the block that meets the bases: its kernel is as wide as a motif.
        rest: makes the other blocks and all coarsenings.
        channels: channels of the blocks, one for each stride (at least one).
        strides: of the coarsenings; their product is the bin size.
        frames: makes further channels of the bases; None: the first block reads the four alone.
        gradient_checkpointing: see ``UNet``.

    Attributes:
        channels: that come out.
        bin_size: bases a bin.
    """

    def __init__(
        self,
        first: Grid,
        rest: Grid,
        channels: Sequence[int],
        strides: Sequence[int],
        frames: ReadingFrames | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if len(channels) != max(1, len(strides)):
            raise ValueError(
                f"{len(channels)} numbers of channels for {len(strides)} strides; give one a stride, at least one"
            )
        self.frames = frames
        sources = (4 if frames is None else 4 + CHANNELS, *channels)
        grids = (first, *(rest for _ in channels[1:]))
        self.blocks = nn.ModuleList(grid.make_block(*io) for grid, io in zip(grids, zip(sources, channels)))
        self.downs = nn.ModuleList(rest.make_down(width, width, stride) for width, stride in zip(channels, strides))
        self.channels, self.gradient_checkpointing = channels[-1], gradient_checkpointing
        self.bin_size = 1
        # in bases: how far the first base of a bin and the last look beyond themselves
        self.halo = 0 if frames is None else frames.reach
        operators: list[tuple[Any, Any]] = list(zip_longest(self.blocks, self.downs))
        for block, down in operators:
            self.halo += block.reach[0] * self.bin_size
            if down is not None:
                # pooling looks at its own bases alone; what a strided convolution sees beside them counts
                self.halo += (down.reach[0] - (down.stride[0] - 1)) * self.bin_size
                self.bin_size *= down.stride[0]

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        """``(N, 4, L)`` to ``(N, channels, L / bin_size)``; L is a multiple of the bin size."""
        if self.frames is not None:
            x = torch.cat([x, self.frames(x)], dim=1)
        for block, down in zip_longest(self.blocks, self.downs):
            x = checkpoint_block(block, x, condition) if self.gradient_checkpointing else block(x, condition)
            if down is not None:
                x = checkpoint_down(down, x) if self.gradient_checkpointing else down(x)
        return x


class GenomicUNet(nn.Module):
    """U-Net from DNA to tracks ``(N, out_channels, L / bin_size)``; L is any number of whole bins.

    DNA is one-hot, ``(N, 4, L)`` with rows A, C, G, T, or codes ``(N, 1, L)`` of uint8, 0 to 3 in this order, which
    become one-hot here: on a device, a 16th of what is copied there.

    A column of zeros, or a code of 4, is an unknown base, or none: what lies beyond the end of a chromosome.

    In evaluation mode the prediction is the mean of what the network says of the sequence and, turned back, of its
    reverse complement (post-hoc conjoined; Zhou et al. 2022, "Towards a better understanding of reverse-complement
    equivariance for deep learning models in genomics"). So it commutes with taking the reverse complement, whatever the
    number of bins: each strand is filled up to whole coarse sites of the U-Net behind its own end, and has its coarse
    sites counted from its own begin. In training mode one strand is read, at half the cost; the data should come from
    both.

    Args:
        tower: brings bases to bins.
        unet: a U-Net on a one-dimensional grid that takes the tower's channels.
        strand_pair: for each output channel, the one that holds the same signal on the other strand; itself where the
            track has no strand. None: no track has.

    Attributes:
        in_channels, out_channels: channels, 4 and the U-Net's.
        bin_size: bases a bin.
    """

    in_channels = 4

    def __init__(self, tower: Tower, unet: UNet[Tensor], strand_pair: Sequence[int] | None = None) -> None:
        super().__init__()
        if tower.channels != unet.in_channels:
            raise ValueError(f"the tower gives {tower.channels} channels, the U-Net takes {unet.in_channels}")
        self.strand_pair = list(range(unet.out_channels)) if strand_pair is None else list(strand_pair)
        if len(self.strand_pair) != unet.out_channels or any(
            self._partner_of(self._partner_of(i)) != i for i in range(unet.out_channels)
        ):
            raise ValueError(f"strand_pair {self.strand_pair} must pair the {unet.out_channels} output channels")
        self.tower, self.unet = tower, unet
        self.out_channels, self.bin_size = unet.out_channels, tower.bin_size
        self._coarsest = self.bin_size * receptive_field(unet).tile_stride[0]  # bases of the U-Net's coarsest sites
        self.reads_both_strands = True

    def one_strand(self) -> GenomicUNet:
        """Return a copy in evaluation mode that reads the given strand alone, and changes no field in place.

        Tools that put hooks on activations need it, such as those of DeepLIFT: they compare the activations of two
        sequences, one in each half of a batch, where this network has the two strands.
        """
        net = copy.deepcopy(self).eval()
        net.reads_both_strands = False
        for module in net.modules():
            if getattr(module, "inplace", False):
                module.inplace = False  # type: ignore[assignment]
        return net

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        return self.decode(self.encode(x, condition), condition)

    def prefix(self) -> list[nn.Module]:
        """The modules that ``encode`` runs."""
        return [self.tower, *self.unet.prefix()]

    def encode(self, x: Tensor, condition: Condition | None = None) -> GenomicTrail:
        """The tower and the way down.

        Raises:
            ValueError: when the length is no multiple of the bin size, or the input neither one-hot nor codes.
        """
        rows = 1 if x.dtype == torch.uint8 else 4
        if x.ndim != 3 or x.shape[1] != rows or not (is_exporting() or _is_whole(x.shape[2], self.bin_size)):
            raise ValueError(
                f"the input {tuple(x.shape)} of {x.dtype} is neither (N, 4, L), one-hot, nor (N, 1, L), codes of "
                f"uint8, with L a multiple of the bin size {self.bin_size}"
            )
        bins = x.shape[2] // self.bin_size
        strands = 2 if self.reads_both_strands and not self.training else 1
        if strands == 2:
            x, condition = torch.cat([x, turn(x)]), _repeat_twice(condition)
        # behind the end of each strand: filled up before it is turned, the reverse complement would have its coarse
        # sites elsewhere than the same sequence has them when it is given
        rest = count_windows(x.shape[2], self._coarsest) * self._coarsest - x.shape[2]
        x = functional.pad(x, (0, rest), value=UNKNOWN if rows == 1 else 0)
        x = one_hot(x) if rows == 1 else x
        trail = self.unet.encode(self.tower(x, condition), condition)
        return GenomicTrail(trail.saved, trail.bottom, bins, strands)

    def share(self, trail: Trail[Tensor]) -> Trail[Any]:
        """Return the trail for many decodings; see ``UNet``."""
        return self.unet.share(trail)

    def decode(self, trail: Trail[Tensor], condition: Condition | None = None) -> Tensor:
        """The bottleneck, the way up and the head; the mean over the strands that were encoded."""
        assert isinstance(trail, GenomicTrail)
        if trail.strands == 1:
            return self.unet.decode(trail, condition)[..., : trail.bins]
        return self.join_strands(self.unet.decode(trail, _repeat_twice(condition))[..., : trail.bins])

    def join_strands(self, outputs: Tensor) -> Tensor:
        """Return the mean of outputs of the given strands and, turned back, of their reverse complements.

        Args:
            outputs: ``(2 N, channels, bins)``, those of the given strands first.
        """
        given, reverse = outputs.chunk(2)
        return (given + reverse.flip(2)[:, self.strand_pair]) / 2

    def receptive_field(self) -> ReceptiveField:
        """Return radius, stride and output stride in bases."""
        bins = receptive_field(self.unet)
        halo = self.tower.halo + self.bin_size * bins.radius[0]
        exact = bins.exact and norms_are_local(self.tower)
        everywhere = None if bins.everywhere is None else (self.bin_size * bins.everywhere[0],)
        return ReceptiveField((halo,), (self._coarsest,), (self.bin_size,), exact, self.reads_both_strands, everywhere)

    def _partner_of(self, channel: int) -> int:
        partner = self.strand_pair[channel]
        return partner if 0 <= partner < len(self.strand_pair) else -1


def one_hot(codes: Tensor) -> Tensor:
    """Return codes ``(N, 1, L)`` as float32 ``(N, 4, L)``, rows A, C, G, T; unknown bases are zeros.

    >>> one_hot(torch.tensor([[[0, 3, 4]]], dtype=torch.uint8))[0].tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    return (codes == torch.arange(4, dtype=codes.dtype, device=codes.device)[:, None]).float()


def turn(x: Tensor) -> Tensor:
    """Return the reverse complement of one-hot DNA ``(N, 4, L)``, or of codes ``(N, 1, L)`` of uint8."""
    if x.dtype != torch.uint8:
        return x.flip(1, 2)
    return (x.flip(2) ^ 3).clamp(max=UNKNOWN)  # 0 and 3, 1 and 2 change places; 4 becomes 7


def genomic_unet(
    out_channels: int,
    bin_size: int,
    channels: Sequence[int] = (32, 32, 64, 64),
    *,
    stem: int = 16,
    motif: int = 15,
    dropout: float = 0.2,
    skip: Literal["concat", "add", "attention", "none"] = "concat",
    attention: Sequence[Block] = (),
    strand_pair: Sequence[int] | None = None,
    reading_frames: bool = False,
    condition_channels: int = 0,
    gradient_checkpointing: bool = False,
) -> GenomicUNet:
    """A network from bases to binned tracks, small enough for the genome of a yeast.

    The tower of convolution and pooling, and the U-Net over its bins, are those of Borzoi (Linder et al. 2025,
    "Predicting RNA-seq coverage from DNA sequence as a unifying model of gene regulation") without its transformer;
    the wide first kernel is Basenji's and Enformer's (Kelley et al. 2018; Avsec et al. 2021); a U-Net without attention
    as a track predictor is SegmentNT's head (de Almeida et al. 2025).

    Args:
        channels: of the U-Net, finest (bins) first; see ``bin_strides`` for how much coarser each level is.
        stem: channels of the tower.
        motif: width of the first kernel, in bases.
        dropout: of the bottleneck and the decoder, so that Monte-Carlo samples share one pass over the bases.
        attention: blocks behind the convolutions of the coarsest levels of the way down, the last the bottleneck's;
            ``[Transformer(positions=Rotary())]`` is the plan of AlphaGenome (Avsec et al. 2025), with ``Relative()``
            that of Borzoi.
        reading_frames: the tower also sees how long open reading frames are (see ``ReadingFrames``), for genes.
        condition_channels: channels of ``Condition.embedding`` (an organism, a dose), which modulates the norms of all
            bins, not of the tower; 0: none.
        gradient_checkpointing: see ``UNet``.

    >>> genomic_unet(2, bin_size=10, channels=[8, 16])(torch.zeros(1, 4, 70)).shape
    torch.Size([1, 2, 7])
    """
    grid = Grid(1, block=Conv(kernel=5, convs=1), down=AveragePool())
    strides = tower_strides(bin_size)
    first, frames = replace(grid, block=Conv(kernel=motif, convs=1)), ReadingFrames() if reading_frames else None
    stems = [stem] * max(1, len(strides))
    tower = Tower(first, grid, stems, strides, frames, gradient_checkpointing)
    embed = ConditionEmbedding(TOLD, embedding_channels=condition_channels) if condition_channels else None
    plain = Conv(convs=1, condition_channels=TOLD if condition_channels else 0)
    bins, levels = replace(grid, up=Resize("linear")), len(channels)
    encoder = [replace(bins, block=block) for block in put_behind(plain, attention, levels)]
    dropping = put_behind(replace(plain, dropout=dropout), attention[-1:], levels)
    decoder = [replace(bins, block=block) for block in dropping]
    steps = bin_strides(len(channels))
    unet = UNet(
        *(encoder, stem, out_channels, channels),
        strides=steps,
        skip=SKIPS[skip],
        decoder=decoder,
        embed=embed,
        gradient_checkpointing=gradient_checkpointing,
    )
    return GenomicUNet(tower, unet, strand_pair)


def bin_strides(levels: int) -> list[int]:
    """Return the stride of each coarser level of bins: 4 twice, so that few layers see far, then 2.

    >>> bin_strides(4)
    [4, 4, 2]
    """
    return [4 if level < 2 else 2 for level in range(levels - 1)]


def tower_strides(bin_size: int) -> list[int]:
    """Return strides whose product is the bin size, largest first.

    None is above ``LARGEST_STEP`` unless it is a prime. Large steps first keep the tower cheap: nearly all its work is
    done before them.

    >>> tower_strides(1000), tower_strides(128), tower_strides(997), tower_strides(1)
    ([8, 5, 5, 5], [8, 8, 2], [997], [])

    Raises:
        ValueError: for a bin size below 1.
    """
    if bin_size < 1:
        raise ValueError(f"bin size {bin_size} must be at least 1")
    strides: list[int] = []
    for prime in prime_factors(bin_size):
        fitting = [i for i, step in enumerate(strides) if step * prime <= LARGEST_STEP]
        if fitting:
            strides[fitting[0]] *= prime
        else:
            strides.append(prime)
    return sorted(strides, reverse=True)


def prime_factors(number: int) -> list[int]:
    """Return the prime factors of a number, largest first.

    >>> prime_factors(1000)
    [5, 5, 5, 2, 2, 2]
    """
    factors, divisor = [], 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return sorted([*factors, *([number] if number > 1 else [])], reverse=True)


def _is_whole(bases: int, bin_size: int) -> bool:
    return bases > 0 and bases % bin_size == 0


def _repeat_twice(condition: Condition | None) -> Condition | None:
    return None if condition is None else condition.repeat(2)
