"""Dataset info of generators, beside that of all runs on images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from multiunet.domains.info import ClassLabels, Record

Colour = Literal["grey", "rgb", "channels"]


class Layout(Record):
    """Class maps that images are made from.

    Attributes:
        classes: their names and mask values.
        coloured, palettes: as of ``Masks``.
        files: by image, its mask.
        bars: by mask that covers the bar of its image, the rows to cut off.
    """

    classes: ClassLabels
    coloured: bool
    palettes: tuple[tuple[int, str, str], ...]
    files: dict[str, str]
    bars: dict[str, PositiveInt]


class Given(Record):
    """Other images of the same scenes that images are made from.

    Attributes:
        channels, colour: as of the images themselves.
        mean, deviation: of the training ones, by channel.
        factor: pixels of an image for each pixel of its given image, by axis; more than 1 for super-resolution.
        files: by image, its given image.
    """

    channels: PositiveInt
    colour: Colour
    mean: tuple[float, ...]
    deviation: tuple[PositiveFloat, ...]
    factor: tuple[PositiveInt, ...]
    files: dict[str, str]


class Words(Record):
    """Captions of images.

    Attributes:
        vocabulary: the words of the training captions; the first has number 1.
        longest: words of the longest caption.
        captions: by image, the numbers of its words.
    """

    vocabulary: tuple[str, ...] = Field(min_length=1)
    longest: PositiveInt
    captions: dict[str, tuple[PositiveInt, ...]]


class Embeddings(Record):
    """Embeddings of one's own in place of captions.

    Attributes:
        channels: numbers of a vector, or of a token.
        tokens: whether each is a sequence of tokens.
        files: by image, its embedding.
    """

    channels: PositiveInt
    tokens: bool
    files: dict[str, str]


class Labels(Record):
    """Classes of whole images.

    Attributes:
        names: of the classes, in the order of their numbers from 0.
        classes: by image, the number of its class.
    """

    names: tuple[str, ...] = Field(min_length=1)
    classes: dict[str, NonNegativeInt]


class Latent(Record):
    """Latents that a generator works in.

    Attributes:
        factor: pixels along an axis that a site of the latents stands for, at most: a short axis may be less coarse.
        channels: of the latents.
    """

    factor: PositiveInt
    channels: PositiveInt


class Generation(Record):
    """Images that a generator makes, and their conditions.

    Attributes:
        numbers: type of the training images' numbers, in which samples are written.
        lowest, highest: extremes of the training images.
        coordinates: axes along which the network is told each pixel's place; 0: it is told none.
        latent: None where the network works on pixels.
        left_out: whether training left labels and captions out at times, so that samples can be guided.
    """

    numbers: str
    lowest: float
    highest: float
    left_out: bool
    labels: Labels | None = None
    words: Words | None = None
    embeddings: Embeddings | None = None
    layout: Layout | None = None
    given: Given | None = None
    coordinates: NonNegativeInt = 0
    latent: Latent | None = None

    @property
    def told(self) -> bool:
        """True where the network reads a label, a caption or an embedding."""
        return self.labels is not None or self.words is not None or self.embeddings is not None

    @property
    def beside(self) -> int:
        """Channels beside the noisy image: one a class of the layout, those of given images, one a coordinate."""
        layout = 0 if self.layout is None else len(self.layout.classes.names)
        return layout + (0 if self.given is None else self.given.channels) + self.coordinates
