"""How bright images are, against what the network was trained on, where their brightness means something."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from multiunet.domains.domain import Facts
from multiunet.domains.image.readers import Picture

logger = logging.getLogger("multiunet.image")


def unlike_trained(picture: Picture, facts: Facts) -> str | None:
    """What sets the intensities of an image apart from those of training; None where nothing does, or each image is
    standardised by itself.

    Args:
        picture: with the channels of training.
    """
    known = facts.get("fingerprint")
    if known is None or facts["intensities"]["kind"] == "image":
        return None
    if picture.pixels.dtype.name not in known["numbers"]:
        return f"its numbers are {picture.pixels.dtype.name}, those trained on {' and '.join(known['numbers'])}"
    for mean, channel in zip(picture.summary.mean.tolist(), known["intensities"]):
        low, high = channel["percentile_0.5"], channel["percentile_99.5"]
        if not low <= mean <= high:
            return f"its mean is {mean:.4g}, and 99% of what was trained on lie between {low:g} and {high:g}"
    return None


def tell_of_intensities(found: Mapping[str, str | None], kind: str) -> None:
    """Warns of images that are unlike those of training.

    Args:
        found: by file, what ``unlike_trained`` gave.
        kind: how intensities are standardised, ``train`` or ``none``.
    """
    others = {path: said for path, said in found.items() if said is not None}
    if others:
        path, said = next(iter(others.items()))
        logger.warning(
            "%s: %s, as in %d of the %d images; with --intensities %s predictions depend on it: give images of one "
            "type and exposure",
            *(path, said, len(others), len(found), kind),
        )
