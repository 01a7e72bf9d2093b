"""Facts on what networks of images learn: classes, objects, dots, images that nothing spoils."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from multiunet.domains.image.data.instances import Touching
from multiunet.domains.image.files.overlapping import Layout
from multiunet.domains.info import Record
from multiunet.domains.setting_types import Split


class Masks(Record):
    """Training masks of a segmentation.

    Attributes:
        coloured: True where the classes are colours; their values are ``red << 16 | green << 8 | blue``.
        palettes: value, its colour and the first mask that shows it so; empty where masks have no palettes.
        pixels: pixels of each class, by split.
    """

    coloured: bool = False
    palettes: tuple[tuple[int, str, str], ...] = ()
    pixels: dict[Split, tuple[NonNegativeInt, ...]]


class ObjectClasses(Record):
    """Classes of the objects that masks number.

    Attributes:
        names, words, values: of the classes; words are those of the files, values those of exported maps.
        of: by mask, the class of each object, in the order of the objects' numbers; -1 where it is not known.
        counts: objects of each class, by split.
    """

    names: tuple[str, ...] = Field(min_length=2)
    words: tuple[str, ...]
    values: tuple[PositiveInt, ...]
    of: dict[str, tuple[int, ...]]
    counts: dict[Split, tuple[NonNegativeInt, ...]]


class Instances(Record):
    """Objects that the masks number.

    Attributes:
        encoding: classes that objects are encoded in.
        smallest: pixels of the smallest training object, strays left out.
        counts: objects, by split.
        classes: of the objects; None where they have none.
    """

    encoding: Touching
    smallest: NonNegativeInt
    counts: dict[Split, NonNegativeInt]
    classes: ObjectClasses | None = None

    @property
    def kinds(self) -> int:
        """Number of classes that objects may have; 1 where they have none."""
        return 1 if self.classes is None else len(self.classes.names)


class Overlapping(Record):
    """Masks whose classes may overlap: each pixel has each of them, or not.

    Attributes:
        layout: where a class lies: in files, channels or bits of the masks.
        places: of the classes among the files, channels or bits.
        sources: of files, the names of the classes' folders or endings.
        known: by split, pixels of which each class is known.
        several: by split, pixels of two classes or more.
    """

    layout: Layout
    places: tuple[NonNegativeInt, ...] = Field(min_length=1)
    sources: tuple[str, ...] = ()
    known: dict[Split, tuple[NonNegativeInt, ...]]
    several: dict[Split, NonNegativeInt]


class Dots(Record):
    """Dots that become densities, one a counted object.

    Attributes:
        sigma: deviation of the Gaussian that a dot becomes, pixels by axis.
        spaces: by file of dots, the pixels of its image by axis, without information bar.
        counts: dots, by split.
    """

    sigma: tuple[PositiveFloat, ...]
    spaces: dict[str, tuple[PositiveInt, ...]]
    counts: dict[Split, NonNegativeInt]


class Restoration(Record):
    """Pairs of an image and of what it should look like, in the same units.

    Attributes:
        difference: root of the mean squared difference of targets and images, by channel; of noisy images alone that
            of pixels and what is told of them before anything is learnt.
        data_range: numbers that targets can have, from the least to the largest: 255 of 8 bits, else those found.
        reason: why they are taken for such pairs.
        degrade: degradations that make pairs of clean images, in their order; empty where inputs are files.
        blind: pairs are made of noisy images, by hiding pixels from the network.
        noise: deviation of their noise, where it is known.
        smoothing: what a hidden pixel's neighbours are on average is told of it before anything is learnt: deviation of
            the Gaussian by which they count, pixels; None: nothing is.
    """

    difference: tuple[PositiveFloat, ...]
    data_range: PositiveFloat
    reason: str
    degrade: tuple[str, ...] = ()
    blind: bool = False
    noise: PositiveFloat | None = None
    smoothing: PositiveFloat | None = None

    @property
    def made(self) -> bool:
        """True where a pair is made of one image."""
        return self.blind or bool(self.degrade)
