"""Places of a run's data, without the way to them on the machine that trained it."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from multiunet.domains.image.files.places import INSIDE
from multiunet.training.run_places import RUN

ABSOLUTE = re.compile(r"/[^/\s]|[A-Za-z]:[\\/]|\\\\\w")
"""Begin of a path from the root of a file system."""

IN_TEXT = re.compile(r"(?<![\w.~$/\\:-])(?:/|[A-Za-z]:[\\/])(?:[^\s'\",;:()<>/\\|`]+[/\\])+[^\s'\",;:()<>|`]*")
"""Path from the root, of two names or more, in a sentence."""

HIDDEN = "files"
"""Name of a folder whose own is private."""


class Places:
    """Names for the places of data: ``$RUN/data/NAME``, NAME being that of their folder or file.

    What lies in such a folder keeps its place there. Other files lie in a folder that is called like theirs.

    Args:
        private: names, in small letters, that no folder may have.
    """

    def __init__(self, private: Collection[str] = ()) -> None:
        self._private = private
        self._roots: dict[str, str] = {}

    def add_settings(self, settings: Any) -> None:
        """Name the folders and files that settings, plain JSON, speak of."""
        for text in _texts(settings):
            if _is_path(text):
                self._add(text)

    def rename(self, content: Any) -> Any:
        """Return plain JSON with new names in place of all paths from the root, in keys and sentences, too."""
        if isinstance(content, str):
            return self.rename_text(content)
        if isinstance(content, dict):
            return {self.rename(key): self.rename(value) for key, value in content.items()}
        return [self.rename(value) for value in content] if isinstance(content, list) else content

    def rename_text(self, text: str) -> str:
        """Return a text with new names in place of paths from the root; in a sentence the last name stays."""
        if _is_path(text):
            return f"{RUN}data/{self._place(text)}"
        for known in sorted(self._roots, key=len, reverse=True):
            text = re.sub(rf"{re.escape(known)}(?![^\s/\\'\",;:()<>])", self._roots[known], text)
        return IN_TEXT.sub(lambda found: _pure(found[0].rstrip("/\\")).name, text)

    def _place(self, path: str) -> str:
        if inside := INSIDE.fullmatch(path):
            return f"{self._place(inside[1])}:/{inside[2]}"
        pure = _pure(path)
        for above in (pure, *pure.parents):
            if (name := self._roots.get(str(above))) is not None:
                return "/".join((name, *pure.relative_to(above).parts))
        self._add(str(pure.parent))
        return f"{self._roots[str(pure.parent)]}/{pure.name}"

    def _add(self, path: str) -> None:
        if inside := INSIDE.fullmatch(path):
            path = inside[1]
        pure = _pure(path)
        if str(pure) in self._roots:
            return
        name = HIDDEN if pure.name.lower() in self._private or not pure.name else pure.name
        taken, free = {one.casefold() for one in self._roots.values()}, name
        number = 1
        while free.casefold() in taken:
            number += 1
            free = f"{number}-{name}"
        self._roots[str(pure)] = free


def has_path(text: str) -> str | None:
    """Return the first path from the root that stands in a text; None where there is none."""
    found = IN_TEXT.search(text)
    return None if found is None else found[0]


def _is_path(text: str) -> bool:
    """Return whether a text is a path from the root, and nothing else."""
    return "\n" not in text and ABSOLUTE.match(text) is not None and len(_pure(text).parts) > 1


def _pure(path: str) -> PurePosixPath | PureWindowsPath:
    return PurePosixPath(path) if path.startswith("/") else PureWindowsPath(path)


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    values = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return [text for value in values for text in _texts(value)]
