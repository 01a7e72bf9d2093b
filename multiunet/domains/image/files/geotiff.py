"""Places on the earth of GeoTIFF images, read from tags and written as they were (OGC 19-008r4)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from multiunet.domains.remarks import remark_file

SCALE, TIEPOINTS, MATRIX, KEYS, DOUBLES, TEXTS = 33550, 33922, 34264, 34735, 34736, 34737
"""Tags: size of a pixel, points that tie pixels to places, affine matrix, keys, and their numbers and texts."""

KINDS = {SCALE: "d", TIEPOINTS: "d", MATRIX: "d", KEYS: "H", DOUBLES: "d", TEXTS: "s"}
"""Type of each tag's values, as tifffile writes them."""

RASTER_TYPE, GEOGRAPHIC, PROJECTED, UNITS = 1025, 2048, 3072, 3076
"""Keys: whether places are of pixels' corners or middles, the EPSG codes of both kinds of systems, unit of length."""

OF_POINTS = 2
"""Value of ``RASTER_TYPE`` where places are of the middles of pixels."""

METRES = {9001: 1.0, 9002: 0.3048, 9003: 1200 / 3937}
"""Units of length by their EPSG codes: metre, foot, US survey foot."""

OWN, NONE = 32767, 0
"""Values of a key that are no EPSG code: defined by the user, undefined."""

LONGEST = 4096
"""Values of a tag, at most: places need dozens, and points that tie an image some hundreds."""

Affine = tuple[float, float, float, float, float, float]
"""Numbers ``a, b, c, d, e, f``: ``x = a column + b row + c``, ``y = d column + e row + f``, from corners of pixels."""


@dataclass(frozen=True)
class Georeference:
    """Place of an image's pixels on the earth, as its file states it.

    Attributes:
        tags: of the GeoTIFF standard, by their numbers.
    """

    tags: Mapping[int, tuple[float, ...] | tuple[int, ...] | str]

    @property
    def keys(self) -> dict[int, int]:
        """Keys whose values are short numbers, by number."""
        stated = [int(number) for number in self._numbers(KEYS)]
        rows = [stated[at : at + 4] for at in range(4, len(stated) - 3, 4)]
        return {key: value for key, where, _, value in rows if where == 0}

    @property
    def crs(self) -> str | None:
        """Code of the reference system, such as ``EPSG:32632``; None where the file defines one of its own."""
        keys = self.keys
        code = keys.get(PROJECTED, keys.get(GEOGRAPHIC, NONE))
        return None if code in (OWN, NONE) else f"EPSG:{code}"

    @property
    def transform(self) -> Affine | None:
        """Affine map from columns and rows to places; None where several points tie the image, or none does."""
        matrix, scale, points = (self._numbers(tag) for tag in (MATRIX, SCALE, TIEPOINTS))
        if len(matrix) == 16:
            a, b, _, c, d, e, _, f = matrix[:8]
        elif len(scale) >= 2 and len(points) == 6:
            column, row, _, x, y, _ = points
            a, b, c, d, e, f = scale[0], 0.0, x - column * scale[0], 0.0, -scale[1], y + row * scale[1]
        else:
            return None
        half = 0.5 if self.keys.get(RASTER_TYPE) == OF_POINTS else 0.0
        return a, b, c - half * (a + b), d, e, f - half * (d + e)

    def pixel_size(self) -> tuple[float, float] | None:
        """Return the distance of pixels along y and x in micrometres; None of angles, or without a unit."""
        unit, affine = METRES.get(self.keys.get(UNITS, NONE)), self.transform
        if unit is None or affine is None or PROJECTED not in self.keys:
            return None
        a, b, _, d, e, _ = affine
        return math.hypot(b, e) * unit * 1e6, math.hypot(a, d) * unit * 1e6

    def finer(self, factor: int) -> Georeference:
        """Return the places of an image whose pixels are cut into so many along each axis."""
        shift = (factor - 1) / 2 if self.keys.get(RASTER_TYPE) == OF_POINTS else 0.0
        tags = dict(self.tags)
        if scale := self._numbers(SCALE):
            tags[SCALE] = (scale[0] / factor, scale[1] / factor, *scale[2:])
        if points := self._numbers(TIEPOINTS):
            moved = (n * factor + shift if at % 6 < 2 else n for at, n in enumerate(points))
            tags[TIEPOINTS] = tuple(moved)
        if len(matrix := self._numbers(MATRIX)) == 16:
            rows = [matrix[at : at + 4] for at in range(0, 16, 4)]
            for row in rows[:2]:
                row[:2], row[3] = [n / factor for n in row[:2]], row[3] - shift / factor * (row[0] + row[1])
            tags[MATRIX] = tuple(n for row in rows for n in row)
        return Georeference(tags)

    def to_json(self) -> dict[str, Any]:
        """Return the tags, and for people the code of the system and the transform, as plain JSON."""
        kept = {str(tag): value if isinstance(value, str) else list(value) for tag, value in self.tags.items()}
        affine = self.transform
        return {"crs": self.crs, "transform": None if affine is None else list(affine), "tags": kept}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Georeference:
        """Return what ``to_json`` kept."""
        known = {int(tag): value for tag, value in stored["tags"].items()}
        return cls({tag: value if isinstance(value, str) else tuple(value) for tag, value in known.items()})

    def extratags(self) -> list[tuple[int, str, int, Any, bool]]:
        """Return the tags as ``tifffile.imwrite`` takes them."""
        rows: list[tuple[int, str, int, Any, bool]] = []
        for tag, value in sorted(self.tags.items()):
            rows.append((tag, KINDS[tag], 0 if isinstance(value, str) else len(value), value, True))
        return rows

    def _numbers(self, tag: int) -> list[float]:
        value = self.tags.get(tag, ())
        return [] if isinstance(value, str) else list(value)


def read_georeference(path: Path, page: tifffile.TiffPage) -> Georeference | None:
    """Return where an image lies on the earth; None where its file does not say."""
    tags: dict[int, Any] = {}
    for tag in KINDS:
        value = page.tags.valueof(tag)
        if value is not None:
            tags[tag] = value if isinstance(value, str) else _as_numbers(tag, value)
    if KEYS not in tags:
        return None
    wrong = [tag for tag, value in tags.items() if not _is_sound(tag, value)]
    if wrong:
        remark_file(path, f"its tag {wrong[0]} of a GeoTIFF is damaged; where it lies on the earth is not kept")
        return None
    return Georeference(tags)


def _as_numbers(tag: int, value: Any) -> tuple[float, ...]:
    given: Sequence[Any] = tuple(value) if isinstance(value, tuple | list | np.ndarray) else (value,)
    kind = int if KINDS[tag] == "H" else float
    return tuple(kind(number) for number in given) if len(given) <= LONGEST else ()


def _is_sound(tag: int, value: Any) -> bool:
    if KINDS[tag] == "s" or isinstance(value, str):
        return KINDS[tag] == "s" and isinstance(value, str) and len(value) <= LONGEST
    return bool(value) and all(math.isfinite(number) for number in value)
