"""What the library warns of, on stderr, in the words of the command line."""

from __future__ import annotations

import logging

import typer


class OnStderr(logging.Handler):
    """Writes records as notes of training look: ``warning: ...``."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(f"{record.levelname.lower()}: {record.getMessage()}", err=True)


def show_warnings() -> None:
    """Shows warnings of the package, each once, however often this is called."""
    logger = logging.getLogger("multiunet")
    if not any(isinstance(handler, OnStderr) for handler in logger.handlers):
        logger.addHandler(OnStderr(logging.WARNING))
