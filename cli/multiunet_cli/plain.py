"""Group of commands that says what is wrong with an option in plain words."""

from __future__ import annotations

from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from multiunet.domains.value_words import say_what_is_wrong


class PlainGroup(TyperGroup):
    """Group whose commands refuse a value in our own words, where Typer has those of pydantic."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command of the group, and say in plain words what is wrong with a refused value."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            # of an option; those of settings together, which name none, are in our words already
            if error.param is not None and isinstance(error.__cause__, ValidationError):
                error.message = say_what_is_wrong(error.__cause__.errors()[0])
            raise
