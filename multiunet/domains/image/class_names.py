"""Names of classes in place of their mask values."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multiunet.domains.repeats import find_repeated
from multiunet.errors import InputError
from multiunet.wording import listing

COLUMNS = {"value", "name"}


def parse_class_names(given: Any) -> Any:
    """Parse names of classes from ``"0=ferrite,85=cementite"``, or from a CSV file.

    The file has the columns ``value`` and ``name``.

    Raises:
        ValueError: for text that is neither, a file that cannot be read, or two names for a value.
    """
    if isinstance(given, Mapping):
        return {str(value): name for value, name in given.items()}
    if isinstance(given, os.PathLike) or (isinstance(given, str) and "=" not in given):
        return _once(_from_table(Path(given)), f"{given}: ")
    if not isinstance(given, str):
        return given
    pairs = [part.partition("=") for part in given.split(",") if part.strip()]
    if wrong := [value for value, equals, _ in pairs if not equals]:
        raise ValueError(f"{wrong[0].strip()!r} has no name; write VALUE=NAME, as in 0=ferrite,85=cementite")
    return _once([(value.strip(), name.strip()) for value, _, name in pairs])


def _from_table(path: Path) -> list[tuple[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, skipinitialspace=True)
            columns, rows = {*(table.fieldnames or [])}, list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read ({error}); give VALUE=NAME,... or a CSV file") from error
    if not columns >= COLUMNS:
        raise ValueError(f"{path} has no columns value and name; its first line must name them")
    return [((row["value"] or "").strip(), (row["name"] or "").strip()) for row in rows]


def _once(pairs: Sequence[tuple[str, str]], where: str = "") -> dict[str, str]:
    if twice := find_repeated(value for value, _ in pairs):
        raise ValueError(f"{where}value {twice[0]} is named twice; name each value once")
    return dict(pairs)


def name_classes(values: Sequence[str], names: Mapping[str, str], ignored: str | None) -> list[str]:
    """Return the name of each class; of one without a name its mask value.

    Args:
        values: mask values as text, colours as ``#rrggbb``.
        names: by value; one for the ignored value is not needed, but allowed.

    Raises:
        InputError: for a name of no mask's value, an empty one, one with a comma, or one of two classes.
    """
    lowered = {value.lower(): name for value, name in names.items()}
    for value, name in lowered.items():
        if value not in {*values, ignored}:
            raise InputError(
                f"`class_names={value}={name}`: no mask has the value {value}; they have {listing(values)}"
            )
        if not name or "," in name:
            raise InputError(f"`class_names`: value {value} is named {name!r}; give it a name without commas")
    found = [lowered.get(value, value) for value in values]
    if twice := find_repeated(found):
        raise InputError(f"`class_names`: two classes are called {twice[0]!r}; each needs a name of its own")
    return found
