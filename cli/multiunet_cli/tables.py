"""Tables and figures as every command prints them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from multiunet.wording import figure

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 1000
"""Characters of a line, whatever the terminal."""


def print_whole(table: Table) -> None:
    """Prints a table wider than the terminal rather than cut: half a figure is another figure."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    needed = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    Console(width=max(console.width, needed)).print(table)


def cell(value: Any) -> str:
    """A score, or several, as one reads it."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return "\n".join(f"{key} {cell(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return " ".join(cell(entry) for entry in value)
    return figure(value) if isinstance(value, float) else str(value)
