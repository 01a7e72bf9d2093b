"""Warnings of the library, printed on stderr."""

from __future__ import annotations

import logging

import typer

from multiunet.wording import printable
from multiunet_cli.wording import as_options


class OnStderr(logging.Handler):
    """Handler that prints log records as ``warning: ...``."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(f"{record.levelname.lower()}: {printable(as_options(record.getMessage()))}", err=True)


def show_warnings() -> None:
    """Print the package's warnings from now on; repeated calls change nothing."""
    logger = logging.getLogger("multiunet")
    if not any(isinstance(handler, OnStderr) for handler in logger.handlers):
        logger.addHandler(OnStderr(logging.WARNING))
