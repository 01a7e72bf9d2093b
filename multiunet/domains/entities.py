"""Entities of XML: short names that can become any amount of text, or the content of other files."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from multiunet.errors import InputError


def check_entities(path: Path, text: object) -> None:
    """Check that an XML text within a file declares no entities.

    Raises:
        InputError: when it does.
    """
    if isinstance(text, str) and "<!ENTITY" in text:
        refuse_entities(path)


def refuse_entities(path: Path) -> NoReturn:
    """Raise InputError for entities, which no program writes into data."""
    raise InputError(
        f"{path}: its XML declares entities, which can become any amount of text, as files made to fill the memory do "
        "and no data; write it anew without"
    )
