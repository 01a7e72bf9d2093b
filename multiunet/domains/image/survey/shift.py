"""Shift check: images whose pixel size, orientation or brightness is not that of the training images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from multiunet.domains.image.files.readers import Picture
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.remarks import remark

ALIKE = 1.25
"""Pixels up to so many times as far apart are as those trained on: augmentation scales by as much."""


@dataclass
class ShiftCheck:
    """Collect differences from the training images while images are read anyway; ``warn`` says them.

    Args:
        info: of the training.
        scales: whether to compare pixel sizes: not of images that are rescaled.
    """

    info: ImageInfo
    scales: bool = True
    spacings: dict[str, Sequence[float] | None] = field(default_factory=dict)
    orientations: dict[str, str | None] = field(default_factory=dict)
    intensities: dict[str, str | None] = field(default_factory=dict)

    def add(self, path: str, picture: Picture) -> None:
        """Add an image with the channels of training."""
        self.spacings[path], self.orientations[path] = picture.spacing, picture.orientation
        self.intensities[path] = describe_shift(picture, self.info)

    def warn(self) -> None:
        """Warn of all images at once, once for each kind of difference."""
        if self.scales:
            warn_of_scales(self.spacings, self.info)
        warn_of_orientations(self.orientations, self.info.orientation)
        warn_of_intensities(self.intensities, self.info.intensities.kind)


def warn_of_scales(spacings: Mapping[str, Sequence[float] | None], info: ImageInfo) -> None:
    """Warn of images in which structures have other sizes, in pixels, than those that the network learnt.

    Args:
        spacings: by file, what it says of its pixels, micrometres by axis.
    """
    if info.fingerprint.spacing is None:
        return
    trained = info.spacing
    if others := _find_other_scales(spacings, trained):
        path, spacing = next(iter(others.items()))
        remark(
            "%s: pixels are %s µm apart, those trained on %s, as in %d of the %d images; structures of another "
            "size in pixels may be missed: predict with `match_pixel_size`, which rescales them, or train on "
            "such images",
            *(path, _text(spacing), _text(trained), len(others), len(spacings)),
        )


def warn_of_mixed_scales(spacings: Mapping[str, Sequence[float] | None], median: Sequence[float]) -> None:
    """Warn of training images in which structures of one kind have several sizes in pixels.

    Args:
        spacings: by training image, what it says of its pixels, micrometres by axis.
        median: of those that say something.
    """
    if others := _find_other_scales(spacings, median):
        path, spacing = next(iter(others.items()))
        remark(
            "%s: pixels are %s µm apart, but the median of the training images is %s, and %d of the %d differ from it "
            "by more than %g times; a structure then has several sizes in pixels, which is harder to learn: rescale "
            "the images to one pixel size, or train on each magnification for itself",
            *(path, _text(spacing), _text(median), len(others), len(spacings), ALIKE),
        )


def warn_of_orientations(stated: Mapping[str, str | None], trained: str | None) -> None:
    """Warn of images whose axes point elsewhere than those of the training images.

    Args:
        stated: by file, where its axes x, y, z point, such as ``RAS``; None where it does not say.
        trained: of the training images.
    """
    others = {path: axes for path, axes in stated.items() if None not in (axes, trained) and axes != trained}
    if others:
        path, axes = next(iter(others.items()))
        remark(
            "%s: its axes point %s, those trained on %s, as in %d of the %d images; the network sees them turned or "
            "mirrored: save them in the orientation of the training images (nibabel.as_closest_canonical: RAS)",
            *(path, axes, trained, len(others), len(stated)),
        )


def find_orientation(stated: Mapping[str, str | None]) -> str | None:
    """Return the orientation of most of the training images that state one; warn where they state several.

    Args:
        stated: by file, as in ``warn_of_orientations``.
    """
    known = {path: stated[path] for path in sorted(stated) if stated[path] is not None}
    counts = Counter(known.values())
    if not counts:
        return None
    common, number = counts.most_common(1)[0]
    most = 2 * number > len(known)
    if len(counts) > 1:
        other = next(path for path in known if known[path] != common)
        numbers = ", ".join(f"{name} in {count}" for name, count in counts.items())
        remark(
            f"{other}: its axes point {known[other]}, those of {'most' if most else 'other'} images {common} "
            f"({numbers} of the {len(stated)} images), so one structure lies in several directions, and spacings "
            "belong to other axes: save all in one orientation (nibabel.as_closest_canonical)"
        )
    return common if most else None


def _find_other_scales(
    spacings: Mapping[str, Sequence[float] | None], reference: Sequence[float]
) -> dict[str, Sequence[float]]:
    """Those that are further from ``reference`` than augmentation scales."""
    known = ((path, spacing) for path, spacing in spacings.items() if spacing is not None)
    return {path: spacing for path, spacing in known if not are_alike(spacing, reference)}


def are_alike(spacing: Sequence[float], trained: Sequence[float]) -> bool:
    """Return whether pixels are as far apart as those trained on, within what augmentation scales."""
    return all(1 / ALIKE <= step / own <= ALIKE for step, own in zip(spacing, trained))


def _text(spacing: Sequence[float]) -> str:
    return " x ".join(f"{step:.3g}" for step in spacing)


def describe_shift(picture: Picture, info: ImageInfo) -> str | None:
    """Describe how an image's numbers differ from the training images'; None where they do not.

    Images that are standardised one by one never differ.

    Args:
        picture: with the channels of training.
    """
    if info.intensities.kind == "image":
        return None
    known = info.fingerprint
    # a restored image may be one of floats: averaged, or enlarged, in the units of the training images
    alike = info.restoration is not None and picture.pixels.dtype.kind == "f"
    if not alike and picture.pixels.dtype.name not in known.numbers:
        return f"its numbers are {picture.pixels.dtype.name}, those trained on {' and '.join(known.numbers)}"
    for mean, channel in zip(picture.summary.mean.tolist(), known.intensities):
        if not channel.low <= mean <= channel.high:
            return (
                f"its mean is {mean:.4g}, and 99% of what was trained on lie between {channel.low:g} and "
                f"{channel.high:g}"
            )
    return None


def warn_of_intensities(found: Mapping[str, str | None], kind: str) -> None:
    """Warn of images whose numbers differ from those of training.

    Args:
        found: by file, what ``describe_shift`` gave.
        kind: how intensities are standardised, ``train`` or ``none``.
    """
    others = {path: said for path, said in found.items() if said is not None}
    if others:
        path, said = next(iter(others.items()))
        remark(
            "%s: %s, as in %d of the %d images; with `intensities=%s` predictions depend on it: give images of one "
            "type and exposure",
            *(path, said, len(others), len(found), kind),
        )
