"""Palettes of masks: one index must mean one colour in all files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multiunet.domains.image.files.flat import KINDS, allow_any_size
from multiunet.domains.image.files.formats import TIFF, ending_of
from multiunet.domains.image.files.places import split_place
from multiunet.domains.image.files.tiff import open_tiff, tiff_palette
from multiunet.domains.reading import reading
from multiunet.errors import InputError

FIX = "a value must mean the same in all masks: save them with one palette, or all as RGB, where each colour is a class"


def palette_of(path: Path) -> NDArray[np.uint8] | None:
    """Return the colours ``(n, 3)`` of a file's indices; None where it has no palette."""
    path, _ = split_place(path)
    if not path.is_file():
        return None
    if ending_of(path.name) in TIFF:
        with reading(path), open_tiff(path) as tif:
            colours = tif.pages.first.colormap
        return None if colours is None else tiff_palette(colours)
    if ending_of(path.name) not in (".png", ".bmp"):
        return None
    with reading(path), allow_any_size(), Image.open(path, formats=KINDS) as image:
        if image.mode != "P":
            return None
        return np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)


@dataclass
class Palettes:
    """Colour that the palettes of masks give each value, and the first mask that does.

    Attributes:
        known: by value, its colour ``#rrggbb`` and the mask.
    """

    known: dict[int, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, rows: Sequence[tuple[int, str, str]]) -> Palettes:
        """Undo ``to_json``."""
        return cls({value: (colour, mask) for value, colour, mask in rows})

    def to_json(self) -> list[list[Any]]:
        """Return plain JSON: value, colour, mask."""
        return [[value, *shown] for value, shown in self.known.items()]

    def check(self, mask: str, values: Iterable[int]) -> None:
        """Check the colours of these values of a mask against those of others, and remember them.

        Raises:
            InputError: where another mask has another colour for a value, or another value for a colour.
        """
        palette = palette_of(Path(mask))
        if palette is None:
            return
        colours = {value: _named(palette[value]) for value in values if 0 <= value < len(palette)}
        for value, colour in colours.items():
            before = self.known.get(value)
            if before is not None and before[0] != colour:
                raise InputError(
                    f"{mask}: its palette shows value {value} in {colour}, {before[1]} in {before[0]}; {FIX}"
                )
        if len(set(colours.values())) < len(colours):
            return  # colours that do not tell the values apart say nothing of them
        for value, colour in colours.items():
            for other, (shown, first) in self.known.items():
                if shown == colour and other != value:
                    raise InputError(
                        f"{mask}: its palette shows {colour} for value {value}, {first} for {other}; {FIX}"
                    )
            self.known.setdefault(value, (colour, mask))


def _named(colour: Sequence[int] | NDArray[np.uint8]) -> str:
    red, green, blue = (int(part) for part in colour)
    return f"#{red:02x}{green:02x}{blue:02x}"
