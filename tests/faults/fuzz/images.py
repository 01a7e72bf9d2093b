"""Images: a seed of each format, and its own library as the second reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.fuzz.reader import Reader

IMAGE = np.random.default_rng(0).integers(0, 200, (36, 32), dtype=np.uint8)


def pixels(path: Path) -> Any:
    """Return the pixels of an image, without axes of one; of large ones a part."""
    from multiunet.domains.image.files.readers import read_image

    return part_of(read_image(path).pixels)


def part_of(array: Any) -> Any:
    return np.asarray(array[tuple(slice(0, min(n, 256)) for n in array.shape)]).squeeze()


def channels_first(array: Any) -> Any:
    """Return pixels with their samples before them and without alpha; floats are of 32 bits."""
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[-1] in (2, 3, 4):
        array = np.moveaxis(array, -1, 0)
        array = array[:-1] if len(array) in (2, 4) else array
    return part_of(array.astype(np.float32) if array.dtype.kind == "f" else array)


def write_flat(name: str, mode: str) -> Any:
    def make(folder: Path) -> Path:
        from PIL import Image

        image = Image.fromarray(IMAGE)
        (image.quantize(8) if mode == "P" else image.convert(mode)).save(folder / name)
        return folder / name

    return make


def read_flat_plainly(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        plain = image.convert("RGB") if image.mode == "P" else image
        return channels_first(plain)


def write_tiff(name: str, shape: tuple[int, ...] = IMAGE.shape, **how: Any) -> Any:
    def make(folder: Path) -> Path:
        import tifffile

        tifffile.imwrite(folder / name, IMAGE.reshape(shape), **how)
        return folder / name

    return make


def read_tiff_plainly(path: Path) -> Any:
    import tifffile

    return part_of(tifffile.imread(path))


def write_geotiff(folder: Path) -> Path:
    import tifffile

    tags = [(33550, "d", 3, (2.0, 2.0, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 5e5, 4e6, 0.0), True)]
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)
    tags += [(34735, "H", len(keys), keys, True), (42113, "s", 0, "7", True)]
    tifffile.imwrite(folder / "a.tif", IMAGE, tile=(16, 16), extratags=tags)
    return folder / "a.tif"


IMAGES = {
    "png": Reader(write_flat("a.png", "L"), pixels, read_flat_plainly),
    "png-palette": Reader(write_flat("a.png", "P"), pixels, read_flat_plainly),
    "png-colour": Reader(write_flat("a.png", "RGB"), pixels, read_flat_plainly),
    "png-alpha": Reader(write_flat("a.png", "RGBA"), pixels, read_flat_plainly),
    "png-deep": Reader(write_flat("a.png", "I;16"), pixels, read_flat_plainly),
    "jpeg": Reader(write_flat("a.jpg", "RGB"), pixels, read_flat_plainly),
    "bmp": Reader(write_flat("a.bmp", "L"), pixels, read_flat_plainly),
    "tiff": Reader(write_tiff("a.tif", compression="zlib", rowsperstrip=8), pixels, read_tiff_plainly),
    "tiff-plain": Reader(write_tiff("a.tif", rowsperstrip=8), pixels, read_tiff_plainly),
    "tiff-tiles": Reader(write_tiff("a.tif", tile=(16, 16), compression="lzw"), pixels, read_tiff_plainly),
    "tiff-big": Reader(
        write_tiff("a.tif", bigtiff=True, predictor=True, compression="zlib"), pixels, read_tiff_plainly
    ),
    "tiff-imagej": Reader(write_tiff("a.tif", (2, 18, 32), imagej=True), pixels, read_tiff_plainly),
    "ome-tiff": Reader(write_tiff("a.ome.tif", (2, 18, 32), metadata={"axes": "ZYX"}), pixels, read_tiff_plainly),
    "geotiff": Reader(write_geotiff, pixels, read_tiff_plainly),
}
"""By name; the seeds are small and whole."""
