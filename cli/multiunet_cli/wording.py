"""Settings that the library names, as the options of the command line."""

from __future__ import annotations

import re
import shlex

PLAIN = re.compile(r"[^()|&;<>$`*?\[\]\\!#~]*")
"""Values that a shell takes as they are, or that stand for any other."""

SETTING = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")


def as_options(text: str) -> str:
    """Write settings that a text names in backticks as options.

    >>> as_options("give `val_images`, `task=regression` or `overwrite`; `undirected=false` keeps it")
    'give --val-images, --task regression or --overwrite; --no-undirected keeps it'
    >>> as_options("pass `groups=^(.+?)_t[0-9]+`")
    "pass --groups '^(.+?)_t[0-9]+'"
    """
    return SETTING.sub(lambda found: _option(found[1].replace("_", "-"), found[2]), text)


def _option(name: str, value: str | None) -> str:
    if value == "false":
        return f"--no-{name}"
    return f"--{name}" if value is None else f"--{name} {value if PLAIN.fullmatch(value) else shlex.quote(value)}"
