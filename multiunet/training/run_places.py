"""Places in the files of a run that are seen from its folder, so that both may move together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RUN = "$RUN/"
"""Begin of a place in a run's folder, in its ``config.yaml`` and ``dataset.json``."""


def resolve_places(content: Any, folder: Path) -> Any:
    """Return plain JSON whose places in the run's folder, keys too, are paths that hold from anywhere.

    >>> resolve_places({"images": "$RUN/data/new", "seed": 0}, Path("/runs/a"))
    {'images': '/runs/a/data/new', 'seed': 0}
    """
    if isinstance(content, str):
        return str(folder.absolute() / content.removeprefix(RUN)) if content.startswith(RUN) else content
    if isinstance(content, dict):
        return {resolve_places(key, folder): resolve_places(value, folder) for key, value in content.items()}
    if isinstance(content, list):
        return [resolve_places(value, folder) for value in content]
    return content
