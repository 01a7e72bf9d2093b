"""Names of users and machines, and the search for them in what is given away."""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from multiunet.domains.sharing.places import has_path
from multiunet.errors import InputError

USUAL = frozenset(
    {
        *("root", "user", "users", "admin", "administrator", "guest", "home", "test", "data", "shared", "public"),
        *("ubuntu", "debian", "centos", "fedora", "arch", "docker", "runner", "jovyan", "ec2-user", "localhost"),
        *("localdomain", "local", "server", "desktop", "laptop", "host", "machine", "computer", "image", "graph"),
    }
)
"""Names that tell nothing of anybody."""

SHORTEST = 3
"""Letters of a name that is looked for."""

HOME = re.compile(r"(?:/home/|/Users/|[A-Za-z]:[\\/]+Users[\\/]+)([^/\\\s\"']+)")
"""Folder of a user, on this machine or another."""


def find_names(texts: Iterable[str]) -> frozenset[str]:
    """Return the names of this user and this machine, and those of users in paths, in small letters.

    Args:
        texts: in which paths may stand.
    """
    names = {Path.home().name, platform.node(), *platform.node().split(".")[:1]}
    with suppress(OSError, KeyError, ImportError):  # a container's user may have no name
        names.add(getpass.getuser())
    for text in texts:
        names.update(HOME.findall(text))
    return frozenset(name.lower() for name in names if len(name) >= SHORTEST) - USUAL


def check_private(files: Mapping[str, str], names: Collection[str], allow: Collection[str]) -> None:
    """Check that no text holds a path from the root, or a name of a user or machine.

    Args:
        files: text of each file, by its name.
        names: in small letters; those in ``allow`` may stand anywhere.

    Raises:
        InputError: naming the file, and what it holds.
    """
    free = {name.lower() for name in allow}
    looked_for = [name for name in names if name not in free]
    for file, text in files.items():
        if (path := has_path(text)) is not None:
            raise InputError(f"{file}: would hold the path {path}; remove it there, and share the run again")
        for name in looked_for:
            if found := re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text, re.IGNORECASE):
                about = " ".join(text[max(0, found.start() - 30) : found.end() + 30].split())
                raise InputError(
                    f"{file}: would hold {found[0]!r}, the name of a user or machine ({about!r}); if it means "
                    f"something else there, or may be known, pass `allow={name}`"
                )
