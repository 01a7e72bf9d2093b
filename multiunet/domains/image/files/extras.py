"""Packages that only some formats need: an error names the extra that brings them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from multiunet.errors import InputError


def import_for(path: Path, module: str, package: str, extra: str) -> Any:
    """Return a module that reads a file.

    Args:
        package: what it is called where it is installed from.
        extra: of this program that brings it.

    Raises:
        InputError: saying how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{path}: is read by {package}, which is not installed ({error.name} is missing): pip install "
            f'"multiunet[{extra}]"; or save the file as OME-TIFF'
        ) from None
