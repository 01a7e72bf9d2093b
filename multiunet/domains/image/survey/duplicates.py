"""Duplicates: files that show the same pixels, whatever they are called."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from multiunet.domains.image.files.lazy import Pixels, hash_pixels, take_first
from multiunet.domains.image.files.readers import Picture
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError


def hash_content(picture: Picture) -> str:
    """Return 16 hexadecimal digits that name the shape and pixels of a picture.

    Two other pictures have the same by a chance of about 2^-60. Grey levels that are saved in colours are one channel.
    """
    pixels = take_first(picture.pixels, 1) if picture.summary.grey else picture.pixels
    return hash_array(pixels)


def hash_array(pixels: Pixels) -> str:
    """Return 16 hexadecimal digits that name the shape and values of an array."""
    text = f"{'x'.join(map(str, pixels.shape))}:{hash_pixels(pixels):016x}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class DataDigest:
    """Digest of all images and targets of a training, in the order in which they are added.

    Attributes:
        images, targets: digest of each file by its path.
    """

    def __init__(self) -> None:
        self.images: dict[str, str] = {}
        self.targets: dict[str, str] = {}
        self._words: list[str] = []

    def add(self, path: str, pixels: Pixels) -> None:
        """Add the pixels of a mask or target, information bar cut off."""
        self.targets[path] = hash_array(pixels)

    def add_content(self, path: str, content: str) -> None:
        """Add an image by its ``hash_content``."""
        self.images[path] = content

    def add_words(self, words: str) -> None:
        """Add what else training learns, such as classes of objects."""
        self._words.append(words)

    def text(self) -> str:
        """Return 16 hexadecimal digits."""
        parts = [*self.images.values(), *self.targets.values(), *self._words]
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


@dataclass
class ContentIndex:
    """Images by their content.

    Attributes:
        known: by ``hash_content``, the split and the path of the first image that has it.
    """

    known: dict[str, tuple[Split, str]] = field(default_factory=dict)

    def add(self, split: Split, path: str, content: str, picture: Picture) -> None:
        """Remember an image, unless all its pixels are equal: such images are alike by nature.

        Raises:
            InputError: when an image of another split has the same pixels.
        """
        if picture.summary.low == picture.summary.high:
            return
        other, other_path = self.known.setdefault(content, (split, path))
        if other != split:
            raise InputError(
                f"{path} ({split}) and {other_path} ({other}) are the same image, so the score would be of a memorised "
                "image; remove one of them"
            )

    def seen(self) -> dict[str, str]:
        """Return the training and validation images by their content."""
        return {content: path for content, (split, path) in self.known.items() if split != "test"}
