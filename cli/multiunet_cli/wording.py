"""Settings that the library names, as the options of the command line."""

from __future__ import annotations

import re

SETTING = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")


def as_options(text: str) -> str:
    """Write settings that a text names in backticks as options.

    >>> as_options("give `val_images`, `task=regression` or `overwrite`; `undirected=false` keeps it")
    'give --val-images, --task regression or --overwrite; --no-undirected keeps it'
    """
    return SETTING.sub(lambda found: _option(found[1].replace("_", "-"), found[2]), text)


def _option(name: str, value: str | None) -> str:
    if value == "false":
        return f"--no-{name}"
    return f"--{name}" if value is None else f"--{name} {value}"
