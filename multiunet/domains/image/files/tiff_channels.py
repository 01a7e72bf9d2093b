"""Names of channels in TIFF files: those of OME, and the descriptions of bands that GDAL writes."""

from __future__ import annotations

from xml.etree import ElementTree

import tifffile

GDAL_METADATA = 42112
"""Tag of GDAL's own XML, which describes bands."""


def read_names(tif: tifffile.TiffFile, count: int) -> tuple[str, ...] | None:
    """Return the names of the channels of a file's first image; None where it does not name all of them.

    Args:
        count: channels that are read.
    """
    stated = tif.pages.first.tags.valueof(GDAL_METADATA)
    found = _of_ome(tif.ome_metadata) if tif.ome_metadata else _of_bands(stated) if isinstance(stated, str) else []
    return tuple(found) if len(found) == count and all(found) else None


def _of_ome(xml: str) -> list[str]:
    pixels = next((e for e in ElementTree.fromstring(xml).iter() if e.tag.endswith("}Pixels")), None)
    return [] if pixels is None else [e.get("Name", "") for e in pixels if e.tag.endswith("}Channel")]


def _of_bands(xml: str) -> list[str]:
    try:
        items = [item for item in ElementTree.fromstring(xml).iter("Item") if item.get("role") == "description"]
        named = {int(item.get("sample", "0")): (item.text or "").strip() for item in items}
    except (ElementTree.ParseError, ValueError):
        return []
    return [named.get(index, "") for index in range(len(named))]
