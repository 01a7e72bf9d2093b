"""Tables and figures as every command prints them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from multiunet.wording import figure, listing

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 1000
"""Characters of a table's line, whatever the terminal."""

LONGEST = 160
"""Characters of a setting's line."""


def print_whole(table: Table) -> None:
    """Prints a table wider than the terminal rather than cut: half a figure is another figure."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    needed = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    Console(width=max(console.width, needed)).print(table)


def print_settings(title: str, values: Mapping[str, Any]) -> None:
    """Print values line by line, long ones cut; of lists of splits how many are in each, and the first."""
    typer.echo(f"\n{title}")
    for key, value in values.items():
        if key == "split" and isinstance(value, Mapping):
            typer.echo(f"  split: {_splits(value)}")
            continue
        text = json.dumps(value)
        typer.echo(f"  {key}: {text if len(text) <= LONGEST else text[: LONGEST - 3] + '...'}")


def print_lines(lines: Mapping[str, str]) -> None:
    """Print lines below each other, with what each is about in front."""
    width = max(map(len, lines)) + 2
    for about, text in lines.items():
        typer.echo(f"{about.ljust(width)}{text}")


def _splits(split: Mapping[str, Any]) -> str:
    """Describe how many items each split has, and the first of them by name."""
    found = []
    for name, items in split.items():
        if isinstance(items, list):
            names = [str(item["name"] if isinstance(item, Mapping) else item) for item in items]
            found.append(f"{len(names)} {name}" + (f" ({listing(names, 3)})" if names else ""))
        elif items:  # the number of those that are not labelled
            found.append(f"{items} {name}")
    return "; ".join(found)


def cell(value: Any) -> str:
    """A score, or several, as one reads it."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return "\n".join(f"{key} {cell(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return " ".join(cell(entry) for entry in value)
    return figure(value) if isinstance(value, float) else str(value)
