"""Predictions of images as viewers of OME-Zarr find them (https://ngff.openmicroscopy.org/0.5)."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

from multiunet.prediction.new_files import Files, group_files, without_attrs

OME = "ome"
"""Attribute of a group that tells viewers what is in it."""

VERSION = "0.5"

LABELS = "labels"
"""Group beside an image's arrays that holds its labels, a group each."""

LEVEL = "0"
"""Array of a label."""

SHOWN = ("mean", "total", "aleatoric", "epistemic")
"""Arrays that are images; viewers show the first, and others by name."""

SPACES = (("y", "x"), ("z", "y", "x"))

MICROMETRES = ("\u00b5m", "\u03bcm")

GOLDEN = 0.618033988749895
"""Turn of the hue from one class to the next, by which neighbours look unlike each other."""


def is_picture(dims: Sequence[str], attrs: Mapping[str, Any]) -> bool:
    """Return whether an input is an image or a volume with a size of its pixels."""
    return tuple(dims) in SPACES and "spacing" in attrs


def describe_picture(
    names: Sequence[str], dims: Sequence[str], attrs: Mapping[str, Any], decided: bool
) -> dict[str, Any]:
    """Return the attribute ``ome`` of an input.

    Args:
        names: of the channels (classes or quantities).
        dims: axes of the sites.
        attrs: of the input: ``spacing`` by axis, and its ``unit``.
        decided: whether the channels are probabilities of classes.
    """
    found: dict[str, Any] = {
        "version": VERSION,
        "multiscales": [_describe_array(name, name, ("channel", *dims), attrs) for name in SHOWN],
    }
    if decided:
        window = {"min": 0.0, "max": 1.0, "start": 0.0, "end": 1.0}
        colours = ("".join(f"{part:02X}" for part in pick_colour(place)) for place in range(len(names)))
        channels = [{"label": name, "color": colour, "active": True} for name, colour in zip(names, colours)]
        found["omero"] = {"channels": [{**channel, "window": window} for channel in channels]}
    return found


def list_labels(names: Sequence[str]) -> dict[str, Any]:
    """Return the attributes of the group of an input's labels."""
    return {OME: {"version": VERSION, LABELS: list(names)}}


def make_label(
    name: str, like: Files, dims: Sequence[str], attrs: Mapping[str, Any], names: Sequence[str] = ()
) -> Files:
    """Make the group of an array for viewers that is to hold what another one does, of integers.

    Args:
        name: of the label.
        like: array of the input, without values.
        dims: names of its axes.
        attrs: of the input: ``spacing`` by axis, and its ``unit``.
        names: of the values 0, 1, ... where these are classes.
    """
    about: dict[str, Any] = {"source": {"image": "../../"}}
    if names:
        about["colors"] = [{"label-value": place, "rgba": [*pick_colour(place), 255]} for place in range(len(names))]
        about["properties"] = [{"label-value": place, "class": name} for place, name in enumerate(names)]
    shown = {
        "version": VERSION,
        "multiscales": [_describe_array(name, LEVEL, dims, attrs)],
        "image-label": about,
    }
    return group_files({OME: shown}, {LEVEL: without_attrs(like)})


def pick_colour(place: int) -> tuple[int, int, int]:
    """Return the colour of a class, red, green and blue, 0 to 255.

    >>> pick_colour(0), pick_colour(1)
    ((230, 92, 92), (92, 132, 230))
    """
    red, green, blue = colorsys.hsv_to_rgb(place * GOLDEN % 1, 0.6, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def _describe_array(name: str, path: str, dims: Sequence[str], attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an image of one level."""
    unit = {"unit": "micrometer"} if attrs.get("unit") in MICROMETRES else {}
    space = len(attrs["spacing"])
    others, sides = dims[: len(dims) - space], dims[len(dims) - space :]
    axes = [{"name": dim, "type": "channel"} for dim in others] + [
        {"name": dim, "type": "space", **unit} for dim in sides
    ]
    scale = [1.0] * len(others) + [float(step) for step in attrs["spacing"]]
    change = {"type": "scale", "scale": scale}
    return {"name": name, "axes": axes, "datasets": [{"path": path, "coordinateTransformations": [change]}]}
