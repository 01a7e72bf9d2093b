"""Survey of the images of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.config.types import CropBar
from multiunet.domains.image.files.channels import Channels
from multiunet.domains.image.files.info_bar import find_bar, read_cropped, warn_of_bars
from multiunet.domains.image.files.readers import Picture, override_spacing
from multiunet.domains.image.files.units import pixel_sizes
from multiunet.domains.image.info import Colour, Intensities, IntensityKind
from multiunet.domains.image.survey.duplicates import ContentIndex, DataDigest, hash_content
from multiunet.domains.image.survey.fingerprint import FingerprintCollector
from multiunet.domains.image.survey.shift import find_orientation, warn_of_mixed_scales
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.image.survey.swapped import looks_like_mask
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError


@dataclass
class Images:
    """Facts on the images, collected while each is in memory; information bars are cut off.

    Attributes:
        ndim: axes in space, 2 or 3.
        channels, colour: that the network gets; ``colour`` as of ``Picture``.
        spacing: the median of what training images say, micrometres by axis; 1 where none says anything.
        pixel_size: the user's, by axis, in place of what files say.
        orientation: directions of the axes that most of the files state that state any.
        shapes: by image, its pixels by axis.
        bars: by image, the rows of its information bar that are cut off.
        target_bars: by mask or target that covers the bar of its image, the rows to cut off as well.
        few: the images that have so few colours that they may be masks.
        contents: which images there are, whatever they are called.
        sums: of each training image its pixels, and mean and variance by channel.
        lowest, highest: extremes of all images.
        kinds: types of the numbers of all images.
    """

    ndim: Literal[2, 3] = 2
    channels: int = 0
    colour: Colour = "grey"
    spacing: tuple[float, ...] = ()
    pixel_size: tuple[float, ...] | None = None
    orientation: str | None = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    bars: dict[str, int] = field(default_factory=dict)
    target_bars: dict[str, int] = field(default_factory=dict)
    few: set[str] = field(default_factory=set)
    contents: ContentIndex = field(default_factory=ContentIndex)
    digest: DataDigest = field(default_factory=DataDigest)
    sums: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=list)
    lowest: float = math.inf
    highest: float = -math.inf
    kinds: set[str] = field(default_factory=set)
    fingerprint: FingerprintCollector = field(default_factory=FingerprintCollector)

    def add(self, split: Split, path: str, picture: Picture) -> None:
        """Remember what is asked of an image later.

        Raises:
            InputError: when it is in another split, too, under another name.
        """
        if picture.summary.low == picture.summary.high:
            remark("%s: all pixels are %s: nothing can be learnt from it", path, picture.summary.low)
        self.lowest, self.highest = min(self.lowest, picture.summary.low), max(self.highest, picture.summary.high)
        self.kinds.add(picture.pixels.dtype.name)
        content = hash_content(picture)
        self.digest.add_content(path, content)
        self.contents.add(split, path, content, picture)
        self.shapes[path] = picture.space
        if looks_like_mask(picture.pixels):
            self.few.add(path)
        self.fingerprint.image(picture.pixels, picture.spacing, split)
        if split == "train":
            self.sums.append((math.prod(picture.space), picture.summary.mean, picture.summary.variance))

    def intensities(self, kind: IntensityKind) -> Intensities:
        """Return the standardisation of this kind, by the moments of the training images."""
        if kind == "image":
            return Intensities(kind=kind)
        if kind == "none":
            return Intensities(kind=kind, mean=(0.0,) * self.channels, deviation=(1.0,) * self.channels)
        counts = np.array([n for n, _, _ in self.sums], dtype=np.float64)[:, None]
        # of grey levels saved in colours, one of the equal channels counts
        means = np.stack([mean[: self.channels] for _, mean, _ in self.sums])
        variances = np.stack([variance[: self.channels] for _, _, variance in self.sums])
        mean = (counts * means).sum(axis=0) / counts.sum()
        variance = (counts * (variances + (means - mean) ** 2)).sum(axis=0) / counts.sum()
        deviation = np.where(variance > 0, np.sqrt(variance), 1.0)
        return Intensities(kind=kind, mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))


def survey_images(
    splits: ItemSplits, crop: CropBar, pixel_size: Sequence[float] | None, channels: Channels = ()
) -> Images:
    """Read each image once.

    Args:
        pixel_size: micrometres, in place of what files say.
        channels: to read, by number or name; all, if there are none.

    Raises:
        InputError: for images that cannot be read, are not alike, or are in two splits.
    """
    images, alike = Images(), _Consistency()
    bars: dict[str, int] = {}
    spacings: dict[str, tuple[float, ...] | None] = {}
    orientations: dict[str, str | None] = {}
    for name in SPLITS:
        for item in splits[name]:
            picture, images.bars[item.image] = read_cropped(Path(item.image), crop, channels)
            picture = override_spacing(picture, pixel_size)
            uncut = crop == "none" and len(picture.space) == 2
            bars[item.image] = find_bar(picture.pixels) if uncut else images.bars[item.image]
            alike.add(item.image, picture)
            images.add(name, item.image, picture)
            orientations[item.image] = picture.orientation
            if name == "train":
                spacings[item.image] = picture.spacing
    warn_of_bars(bars, crop)
    images.ndim, (images.channels, images.colour) = alike.ndim(), alike.channels()
    stated = images.fingerprint.spacings
    images.spacing = tuple(np.median(stated, axis=0).tolist()) if stated else (1.0,) * images.ndim
    images.pixel_size = None if pixel_size is None else pixel_sizes(pixel_size, images.ndim)
    images.orientation = find_orientation(orientations)
    warn_of_mixed_scales(spacings, images.spacing)
    return images


@dataclass
class _Consistency:
    """Axes and channels, which must be the same in all images.

    Attributes:
        first: the first image, its axes, channels and colour.
        samples: numbers of channels; colours and grey levels may be mixed as long as all colours are grey.
        colourful: the first image whose colours are not.
    """

    first: tuple[str, tuple[int, ...], int, str] | None = None
    samples: set[int] = field(default_factory=set)
    colourful: str | None = None

    def add(self, path: str, picture: Picture) -> None:
        """Compare an image with the first.

        Raises:
            InputError: naming both.
        """
        count = picture.pixels.shape[0]
        self.first = self.first or (path, picture.space, count, picture.colour)
        first, space, first_count, colour = self.first
        if len(picture.space) != len(space):
            raise InputError(
                f"{path}: has {len(picture.space)} axes {picture.space}, but {first} has {len(space)} {space}; train "
                "on images or on volumes, one at a time"
            )
        if count != first_count and not {picture.colour, colour} <= {"grey", "rgb"}:
            raise InputError(f"{path}: has {count} channels, but {first} has {first_count}; they must be alike")
        self.samples.add(count)
        if picture.colour == "rgb" and not picture.summary.grey:
            self.colourful = self.colourful or path

    def ndim(self) -> Literal[2, 3]:
        """Return the number of axes in space."""
        assert self.first is not None  # there is a training image
        return 2 if len(self.first[1]) == 2 else 3

    def channels(self) -> tuple[int, Colour]:
        """Return how many channels the network reads, and what they are.

        Raises:
            InputError: when some images are in colours, others grey.
        """
        assert self.first is not None  # there is a training image
        if self.colourful is not None and len(self.samples) > 1:
            raise InputError(
                f"{self.colourful}: is in colours, but other images are grey; convert them all to one kind"
            )
        if self.colourful is not None:
            return max(self.samples), "rgb"
        return (max(self.samples), "channels") if self.first[3] == "channels" else (1, "grey")
