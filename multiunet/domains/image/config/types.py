"""Types of settings of images, each with the text that stands for it. Imports nothing heavy."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from multiunet.domains.repeats import find_repeated
from multiunet.domains.setting_types import StrList, split_commas
from multiunet.domains.whole_numbers import parse_whole


def stride_list(value: Any) -> Any:
    """Return ``"1,2,2;2,2,2"`` as ``[[1, 2, 2], [2, 2, 2]]``; anything else unchanged."""
    if isinstance(value, str):
        return [split_commas(step) for step in value.split(";") if step.strip()]
    return value


Strides = Annotated[list[list[Annotated[int, Field(ge=1)]]], BeforeValidator(stride_list)]


def number_of_colour(value: Any) -> Any:
    """``"#ff0000"`` as the integer that stands for it; anything else unchanged."""
    if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value):
        return int(value[1:], 16)
    return value


def bar_rows(value: Any) -> Any:
    """``auto``, ``none`` or a positive number of rows, also as text.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if value in ("auto", "none") or (isinstance(value, int) and value is not True and value > 0):
        return value
    raise ValueError("give auto, none or a positive number of rows")


CropBar = Annotated[Literal["auto", "none"] | int, BeforeValidator(bar_rows)]
"""Find the information bar and cut it off, leave images as they are, or cut off as many rows at the bottom."""


def check_channels(names: list[str]) -> list[str]:
    """Check that channels are named, each once and none by 0, and return them.

    Raises:
        ValueError: naming what is wrong.
    """
    if not names:
        raise ValueError("name one channel at least, or leave it out to read all")
    if any(parse_whole(name) == 0 for name in names):
        raise ValueError("channels are counted from 1; give 1 for the first")
    if twice := find_repeated(names):
        raise ValueError(f"channel {twice[0]!r} is named twice; name each once")
    return names


ChannelList = Annotated[StrList, AfterValidator(check_channels)]
"""Numbers or names of channels, in the order in which the network reads them."""

Positive = Annotated[list[Annotated[float, Field(gt=0, allow_inf_nan=False)]], BeforeValidator(split_commas)]

PixelSize = Annotated[list[Annotated[float, Field(gt=0)]], BeforeValidator(split_commas)]
"""Micrometres from pixel to pixel: one number, or one for each axis, z first."""
