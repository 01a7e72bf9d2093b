from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.draw import disk

from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.fingerprint_info import Channel, Fingerprint, Sides
from multiunet.domains.image.info import ImageInfo, ImageSplits, Intensities
from multiunet.domains.image.target_info import Masks
from multiunet.domains.info import ClassLabels, Quantities

Maker = Callable[..., Path]


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        Image.fromarray(pixels).save(path)
    else:
        tifffile.imwrite(path, pixels, photometric="minisblack")


@pytest.fixture
def folder(tmp_path: Path) -> Maker:
    """Makes ``images`` and ``masks`` of bright squares (mask value 9) on a dark ground (mask value 4)."""

    def make(count: int = 6, shape: tuple[int, ...] = (40, 48), suffix: str = ".png", kind: type = np.uint8) -> Path:
        for index in range(count):
            rng = np.random.default_rng(index)
            inside = np.zeros(shape, dtype=bool)
            for _ in range(3):
                start = [int(rng.integers(0, n - n // 4)) for n in shape]
                inside[tuple(slice(s, s + n // 4) for s, n in zip(start, shape))] = True
            image = rng.normal(80, 8, shape) + 60 * inside
            save(tmp_path / "images" / f"s{index}{suffix}", image.astype(kind))
            save(tmp_path / "masks" / f"s{index}{suffix}", np.where(inside, 9, 4).astype(np.uint8))
        return tmp_path

    return make


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """``images`` and ``masks``: eight bright discs an image, two and two of which touch; any numbers up to 32 bits."""
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for index in range(6):
        rng = np.random.default_rng(index)
        objects = np.zeros((48, 64), dtype=np.uint32)
        for number in range(8):
            centre = 8 + 16 * (number // 2) * np.array([0, 1]) + np.array([11, 0]) * (number % 2) + 8
            objects[disk(centre + rng.uniform(-1, 1, 2), 6.2, shape=objects.shape)] = 1000 * number + 4_000_000_001
        image = rng.normal(60, 8, objects.shape) + 90 * (objects > 0)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(tmp_path / "images" / f"s{index}.png")
        tifffile.imwrite(tmp_path / "masks" / f"s{index}.tif", objects)
    return tmp_path


@pytest.fixture
def make_info() -> Callable[..., ImageInfo]:
    """Makes infos of grey images: classes of these mask values, or of quantities of these names."""

    def make(values: tuple[int, ...] = (0, 1, 2), names: tuple[str, ...] = (), **changes: Any) -> ImageInfo:
        ndim, channels = changes.get("ndim", 2), changes.get("channels", 1)
        sides, splits = (64,) * ndim, ("train", "val", "test")
        target: Any = Quantities(names=names, centre=(0.0,) * len(names), scale=(1.0,) * len(names)) if names else None
        known: dict[str, Any] = {
            "target": target or ClassLabels(names=tuple(map(str, values)), values=values),
            "data": "0" * 16,
            "split": ImageSplits(train=(Item("a", "a.png", "m.png"),), val=(), test=()),
            "ndim": ndim,
            "channels": channels,
            "colour": "grey",
            "spacing": (1.0,) * ndim,
            "intensities": Intensities(kind="image"),
            "masks": None if names else Masks(pixels=dict.fromkeys(splits, (1,) * len(values))),
            "fingerprint": Fingerprint(
                images=dict.fromkeys(splits, 1),
                pixels=dict.fromkeys(splits, 4096),
                size=Sides(median=sides, smallest=sides, largest=sides),
                spacing=None,
                numbers=("uint8",),
                bytes=4096,
                intensities=(Channel(mean=0, deviation=1, low=-2, median=0, high=2),) * channels,
            ),
            "patch_size": sides,
            "image_digests": {},
            "target_digests": {},
            "crop_bar": "none",
            "target_bars": {},
            "strides": (),
            **dict.fromkeys(("pixel_size", "orientation", "ignore_value", "instances", "plan")),
        }
        return ImageInfo(**known | changes)

    return make


@pytest.fixture
def retouched() -> Callable[[Path], None]:
    """Changes a pixel of each image of a folder by one: copies are images that were not seen."""

    def change(images: Path) -> None:
        for path in images.iterdir():
            pixels = np.array(Image.open(path))
            pixels[0, 0] ^= 1
            Image.fromarray(pixels).save(path)

    return change
