"""Summary of the images of a run in numbers that a person can check."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from multiunet.domains.info import Record
from multiunet.domains.setting_types import Split


class Spread(Record):
    """Median and extremes by axis."""

    median: tuple[float, ...]
    smallest: tuple[float, ...]
    largest: tuple[float, ...]


class Sides(Record):
    """Median and extremes of the images' sides, pixels by axis."""

    median: tuple[PositiveInt, ...]
    smallest: tuple[PositiveInt, ...]
    largest: tuple[PositiveInt, ...]


class Channel(Record):
    """Numbers of one channel over the training images, of at most 10 000 pixels an image.

    Attributes:
        low, median, high: percentiles 0.5, 50 and 99.5.
    """

    mean: float
    deviation: NonNegativeFloat
    low: float
    median: float
    high: float


class ClassSummary(Record):
    """Share of a class among the training pixels, and its connected areas in a few masks.

    Attributes:
        objects_a_mask: mean number of areas; None where none was found.
        object_pixels: median size of an area.
    """

    share: NonNegativeFloat
    objects_a_mask: float | None = None
    object_pixels: int | None = None


class SeparableObjects(Record):
    """Training objects looked at, and how many of them perfect probabilities give back (IoU > 0.5)."""

    looked_at: NonNegativeInt
    separable: NonNegativeInt


class Fingerprint(Record):
    """Summary of the data in numbers that a person can check.

    Attributes:
        images, pixels: by split.
        size: sides of the training images, pixels.
        spacing: micrometres; None where no training image states any.
        numbers: types of the training images' numbers.
        bytes: bytes of what training reads again and again.
        intensities: by channel.
        classes: by name; empty for quantities.
        objects: for instances alone.
    """

    images: dict[Split, NonNegativeInt]
    pixels: dict[Split, NonNegativeInt]
    size: Sides
    spacing: Spread | None
    numbers: tuple[str, ...]
    bytes: NonNegativeInt
    intensities: tuple[Channel, ...]
    classes: dict[str, ClassSummary] = Field(default_factory=dict)
    objects: SeparableObjects | None = None
