"""Masks from files: the label of each pixel, or its colour."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from multiunet.domains.image.files.lazy import Pixels, count_values, iter_blocks, map_values, reduce_channels
from multiunet.domains.image.files.readers import read_file
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError
from multiunet.wording import are

MOST_CLASSES = 256

FEWEST_SMOOTHED = 4
"""Values that a mask has at least, and half of all, if it was smoothed."""

SOLID = 0.2
"""Share of a value's pixels that complete a square of two by two; of an object of three by three it is 4 / 9."""


class ColouredMask(InputError):
    """Error for a mask whose channels differ, read as if it held one number a pixel."""


def read_mask(path: Path, coloured: bool = False, numbered: bool = False, checked: bool = False) -> Pixels:
    """Read the labels of an index image, integers ``space``.

    Args:
        coloured: the masks are painted: a label is a colour, ``65536 red + 256 green + blue``; a grey is one, too.
        numbered: the masks number their objects, so there may be any number of values.
        checked: it was read before, so it is not looked at again whether it is a photograph, or was resized.

    Raises:
        ColouredMask: for an image in 8-bit colours, if it may not be.
        InputError: when the file cannot be read, is lossy, of fractions or other channels, looks like a photograph, or
            was resized or compressed.
    """
    picture = read_file(path, "labels")
    pixels = picture.pixels
    if picture.missing is not None:
        remark_file(path, f"states that {picture.missing:g} means not measured; it is a class unless it is ignored")
    if pixels.dtype.kind == "f":
        _refuse_fractions(path, pixels)
        whole = np.int32 if pixels.dtype.itemsize <= 4 else np.int64
        pixels = map_values(pixels, lambda block: block.astype(whole), whole)
    if coloured and (pixels.dtype != np.uint8 or pixels.shape[0] not in (1, 3)):
        raise InputError(f"{path}: {pixels.shape[0]} channels of {pixels.dtype}, but other masks are in 8-bit colours")
    if not coloured and pixels.shape[0] > 1 and not picture.summary.grey:
        kind = ColouredMask if pixels.shape[0] == 3 and pixels.dtype == np.uint8 else InputError
        raise kind(
            f"{path}: a mask with {pixels.shape[0]} different channels of {pixels.dtype}; save one integer for each "
            "pixel (0, 1, 2, ...), or 8-bit colours; a channel for each of several classes that overlap is read with "
            "`multilabel`"
        )
    labels = reduce_channels(
        pixels, pack_colours if coloured else lambda block: block[0], np.int64 if coloured else pixels.dtype
    )
    if not checked:
        _refuse_photographs(path, labels, numbered)
    return labels


def _refuse_fractions(path: Path, pixels: Pixels) -> None:
    largest = 2.0 ** (np.finfo(pixels.dtype).nmant + 1)  # beyond, not every whole number can be held
    count, first = 0, np.float64(0)
    for region in iter_blocks(pixels):
        block = pixels[region]
        wrong = block[~((block == np.round(block)) & (np.abs(block) <= largest))]
        first = wrong[0] if len(wrong) and not count else first
        count += len(wrong)
    if count:
        rounded = f"beyond {largest:.0f}, where whole numbers are rounded"
        why = rounded if first == np.round(first) else "not whole numbers"
        raise InputError(
            f"{path}: a mask of {pixels.dtype}, of which {are(count, 'pixel')} {why}, such as {first}; "
            "save labels as integers, or use `task=regression` with `targets`"
        )


def _refuse_photographs(path: Path, labels: Pixels, numbered: bool) -> None:
    values, changes, pairs = np.empty(0, labels.dtype), 0, 0
    for region in iter_blocks(labels):
        block = labels[region]
        values = np.union1d(values, count_values(block)[0])
        changes += int(np.count_nonzero(block[..., 1:] != block[..., :-1]))
        pairs += block[..., 1:].size
    if labels.dtype == np.uint64 and values[-1] > np.iinfo(np.int64).max:
        raise InputError(f"{path}: holds the value {values[-1]}; mask values must fit 64-bit signed integers")
    smoothed = 0 if numbered or len(values) < 2 + FEWEST_SMOOTHED else _thin_values(labels)
    if max(FEWEST_SMOOTHED, len(values) / 2) <= smoothed:
        raise InputError(
            f"{path}: {smoothed} of its {len(values)} values lie in edges and specks only, none fills an area; was it "
            "resized, smoothed or saved as JPEG? Resize masks by nearest neighbour and save them as PNG or TIFF"
        )
    if (len(values) > MOST_CLASSES and not numbered) or (len(values) > 16 and changes > 0.5 * pairs):
        raise InputError(
            f"{path}: {len(values)} different values ({values[0]} to {values[-1]}) look like an image, not like labels "
            f"of at most {MOST_CLASSES} classes; are `images` and `masks` swapped? Numbered objects need `instances`"
        )


def _thin_values(labels: Pixels) -> int:
    """Count values that occur almost only as edges: they rarely complete a 2x2 square.

    0 where these are not those of smoothed edges: where most pixels have them, as in photographs, or hardly any lies
    between its neighbours to the left and right, as in dots and lines.
    """
    counts: Counter[int] = Counter()
    solid: Counter[int] = Counter()
    between: Counter[int] = Counter()
    for region in iter_blocks(labels):
        block = labels[region]
        square = (block[..., 1:, 1:] == block[..., :-1, :-1]) & (block[..., 1:, :-1] == block[..., :-1, 1:])
        square &= block[..., 1:, 1:] == block[..., 1:, :-1]
        left, middle, right = block[..., :-2], block[..., 1:-1], block[..., 2:]
        ramp = ((left < middle) & (middle < right)) | ((left > middle) & (middle > right))
        found = (counts, block), (solid, block[..., 1:, 1:][square]), (between, middle[ramp])
        for counter, chosen in found:
            counter.update({int(value): int(count) for value, count in zip(*count_values(chosen))})
    thin = [value for value, count in counts.items() if solid[value] < SOLID * count]
    pixels, ramps = sum(counts[value] for value in thin), sum(between[value] for value in thin)
    return len(thin) if pixels < counts.total() / 2 and ramps > pixels / 10 else 0


def pack_colours(colours: np.ndarray) -> np.ndarray:
    """Pack colours ``(3, *space)``, or greys ``(1, *space)``, 8 bits a channel, into one integer a pixel."""
    red, green, blue = np.broadcast_to(colours, (3, *colours.shape[1:])).astype(np.int64)
    whole: np.ndarray = (red << 16) | (green << 8) | blue
    return whole


def unpack_colours(labels: np.ndarray) -> np.ndarray:
    """Return the colours ``(*space, 3)`` that ``pack_colours`` took."""
    return np.stack([(labels >> shift) & 255 for shift in (16, 8, 0)], axis=-1).astype(np.uint8)


def colour_name(label: int) -> str:
    """Format a packed colour as ``#rrggbb``."""
    return f"#{label:06x}"
