"""Names of a store's groups, made from names of inputs."""

from __future__ import annotations

import hashlib
import unicodedata

FORBIDDEN = frozenset('"%*/:<>?\\`|')
"""Characters that some file system forbids in names, and the sign that quotes them here."""

LONGEST = 200
"""Bytes of a group's name: a file's may have 255 on most systems, and exports add to it."""


def group_name(name: str) -> str:
    """Return a name that a group or file can have, unique to an input's name; safe characters stay.

    >>> group_name("grain 1.a"), group_name("粒界"), group_name("HLA/A*01"), group_name("..")
    ('grain 1.a', '粒界', 'HLA%2FA%2A01', '%2E.')
    """
    normal = unicodedata.normalize("NFC", name)  # macOS takes letters apart
    plain = "".join(c if c.isprintable() and c not in FORBIDDEN else _quoted(c) for c in normal)
    if plain.startswith((".", "__")) or plain == "zarr.json":
        plain = _quoted(plain[0]) + plain[1:]
    return plain if len(plain.encode()) <= LONGEST else shorten_name(plain, name)


class FreeNames:
    """Names of groups or files of one folder, of which none is given twice.

    They differ even where capitals count as small letters.
    """

    def __init__(self) -> None:
        self._given: set[str] = set()

    def give(self, plain: str, name: str) -> str:
        """Return ``plain``; where it is long, or given already, one with a digest of ``name``."""
        free = plain if len(plain.encode()) <= LONGEST else shorten_name(plain, name)
        if free.casefold() in self._given:
            free = shorten_name(plain, name)
        self._given.add(free.casefold())
        return free


def _quoted(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))


def shorten_name(group: str, name: str) -> str:
    """Return a group's name, cut off if it is long, with a digest of the name that it stands for."""
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{group.encode()[: LONGEST - 9].decode(errors='ignore')}~{digest}"
