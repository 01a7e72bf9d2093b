"""Types of settings of all domains, each with the text that stands for it. Imports nothing heavy."""

from __future__ import annotations

import csv
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from multiunet.training.recipe import Precision


def split_commas(value: Any) -> Any:
    """Split ``"32,64"`` into ``["32", "64"]``; anything else stays as it is."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (int, float)):
        return [value]
    return value


def split_names(value: Any) -> Any:
    """Split at commas, and return numbers as text: YAML reads a chromosome called 3 as a number.

    >>> split_names('steel, "cast, grey", 3')
    ['steel', 'cast, grey', '3']
    """
    if isinstance(value, str) and '"' in value:
        return [name for name in next(csv.reader([value], skipinitialspace=True)) if name]
    parts = split_commas(value)
    return list(map(as_text, parts)) if isinstance(parts, list) else parts


def as_text(value: Any) -> Any:
    """Return a whole number as text, since YAML has it without quotes; anything else stays as it is."""
    return str(value) if type(value) is int else value


def parse_bytes(value: Any, parse: ValidatorFunctionWrapHandler) -> int:
    """Parse an amount of memory: ``"8GB"`` (1000^3 each), ``"8GiB"`` (1024^3 each) or a number of bytes.

    Raises:
        ValueError: for anything else.
    """
    try:
        return int(parse(value))
    except ValidationError:
        raise ValueError("not an amount of memory; write 8GB, 500MB, 8GiB or a number of bytes") from None


Bytes = Annotated[ByteSize, WrapValidator(parse_bytes), Field(gt=0)]


MOST_CHANNELS = 16384
"""Most channels of a level: the weights of one such convolution take ten gigabytes."""


def check_widths(widths: list[int]) -> list[int]:
    """Check that a U-Net can have these channels by level, and return them.

    Raises:
        ValueError: for fewer than two levels, or a number out of range.
    """
    if len(widths) < 2 or min(widths) < 1 or max(widths) > MOST_CHANNELS:
        raise ValueError(f"give at least two positive numbers up to {MOST_CHANNELS}, one a level, finest first: 32,64")
    return widths


Split = Literal["train", "val", "test"]

IntList = Annotated[list[int], BeforeValidator(split_commas)]
FloatList = Annotated[list[float], BeforeValidator(split_commas)]
Widths = Annotated[IntList, AfterValidator(check_widths)]
Checkpoints = Literal["best", "last"]
"""Weights that predict: the best on validation, or those of the last epochs that ``keep_last`` kept, as an ensemble."""

StrList = Annotated[list[str], BeforeValidator(split_names)]
TextList = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
PrecisionName = Annotated[Precision, BeforeValidator(as_text)]
