"""Whether files show the same pixels, whatever they are called."""

from __future__ import annotations

from dataclasses import dataclass, field

from multiunet.domains.config import Split
from multiunet.domains.image.files.lazy import hash_pixels, take_first
from multiunet.domains.image.files.readers import Picture
from multiunet.errors import InputError


def hash_content(picture: Picture) -> str:
    """A short text that pictures of other pixels have only by a chance of about 2^-60: shape and fingerprint.

    Grey levels that are saved in colours are one channel.
    """
    pixels = take_first(picture.pixels, 1) if picture.summary.grey else picture.pixels
    return f"{'x'.join(map(str, pixels.shape))}:{hash_pixels(pixels):016x}"


@dataclass
class ContentIndex:
    """Which images there are, by their content.

    Attributes:
        known: by ``hash_content``, the split and the path of the first image that has it.
    """

    known: dict[str, tuple[Split, str]] = field(default_factory=dict)

    def add(self, split: Split, path: str, picture: Picture) -> None:
        """Remembers an image, unless all its pixels are equal: such images are alike by nature.

        Raises:
            InputError: when an image of another split has the same pixels.
        """
        if picture.summary.low == picture.summary.high:
            return
        other, other_path = self.known.setdefault(hash_content(picture), (split, path))
        if other != split:
            raise InputError(
                f"{path} ({split}) and {other_path} ({other}) are the same image, so the score would be of a memorised "
                "image; remove one of them"
            )

    def to_json(self) -> dict[str, str]:
        """Plain JSON: by content, the image that training or validation has seen."""
        return {content: path for content, (split, path) in self.known.items() if split != "test"}
