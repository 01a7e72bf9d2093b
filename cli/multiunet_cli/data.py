"""Commands ``multiunet data list`` and ``multiunet data get``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiunet.wording import counted
from multiunet_cli.options import AsJson
from multiunet_cli.process import command
from multiunet_cli.tables import print_whole

if TYPE_CHECKING:
    from multiunet_datasets.cards import Card

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="data sets; default: all, in short")]
Wanted = Annotated[list[str], typer.Argument(metavar="NAME...", help="data sets, or all", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="folder that the files go to, as docs/data.md has them")]
Mirror = Annotated[
    str | None,
    typer.Option(
        "--mirror",
        metavar="URL|DIR",
        help="address (http, https) or folder that holds the files; without an address nothing is asked of the network",
        show_default=False,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace files of other bytes")]

WIDEST = 36
"""Characters of a line of a cell; longer texts go on below."""

LINES = ("title", "command", "licence", "cite", "source", "changes", "split", "published", "floor")
"""Facts of a card that are printed, in this order."""


def data_commands() -> typer.Typer:
    """Make the group of commands on data sets."""
    app = typer.Typer(help="List the data sets of the benchmarks, and get them from a mirror.", no_args_is_help=True)
    app.command("list")(list_sets)
    app.command("get")(get)
    return app


@command
def list_sets(names: Names = None, as_json: AsJson = False) -> None:
    """List data sets; of those that are named show the card: licence, citation, split, published scores."""
    from multiunet_datasets.cards import CARDS, find_card

    cards = [find_card(name) for name in names] if names else list(CARDS.values())
    if as_json:
        typer.echo(json.dumps([_as_json(card) for card in cards]))
    elif names:
        for card in cards:
            typer.echo("\n".join(_lines(card)))
    else:
        _print_table(cards)


@command
def get(wanted: Wanted, out: Out, mirror: Mirror = None, overwrite: Overwrite = False) -> None:
    """Get the files of data sets from a mirror, checked by their SHA-256; files that are there stay."""
    from multiunet_datasets.cards import CARDS
    from multiunet_datasets.fetching import fetch

    for name in CARDS if wanted == ["all"] else wanted:
        files = fetch([name], out, mirror, overwrite)
        typer.echo(f"{name}: {counted(len(files), 'file')} in {out}, all with the right bytes")


def _print_table(cards: Sequence[Card]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("name")
    for column in ("what", "train", "licence"):
        table.add_column(column, max_width=WIDEST)
    table.add_column("MB", justify="right")
    for card in cards:
        cells = (card.name, card.title, card.command, card.licence, f"{card.size / 1e6:.2f}")
        table.add_row(*map(escape, cells))
    print_whole(table)


def _lines(card: Card) -> list[str]:
    facts = [(name, str(getattr(card, name))) for name in LINES]
    files = f"{counted(len(card.files), 'file')}, {card.size:,} bytes"
    return [card.name, *(f"  {name}: {text}" for name, text in [*facts, ("files", files)] if text)]


def _as_json(card: Card) -> dict[str, Any]:
    return {**asdict(card), "files": [asdict(file) for file in card.files]}
