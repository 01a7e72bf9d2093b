"""Reading of a page as a browser does: elements with their attributes, and the text of table rows."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from multiunet_datasets import synthetic

from multiunet.domains import training


class Reader(HTMLParser):
    """Collects elements, visible text, and the cells of each row whose first cell names a score."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.rows: dict[str, list[str]] = {}
        self._row: str | None = None
        self._cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag == "tr":
            self._row = None
        if tag == "th" and "title" in found:
            self._row = found["title"]
            self.rows.setdefault(self._row, [])
        self._cell = tag == "td" and self._row is not None
        if self._cell:
            self.rows[self._row or ""].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._cell and self._row is not None:
            self.rows[self._row][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def reader() -> type[Reader]:
    """Reads a page that it is given."""
    return Reader


HOSTILE = "a&amp;<script>alert(1)<b>"
"""A file name that would be markup, and an entity, if it were not escaped."""

CLASS = '"><img src=x onerror=alert(2)>'


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    synthetic.write_polycrystal(folder, images=6, size=64, grains=9)
    for kind in ("images", "masks"):
        for place, path in enumerate(sorted((folder / kind).iterdir())):
            path.rename(path.with_name(f"{HOSTILE}{place}{path.suffix}"))
    settings: Mapping[str, Any] = {
        **{"images": folder / "images", "masks": folder / "masks", "epochs": 2, "steps_per_epoch": 2},
        **{"widths": "4,8", "patch_size": "32", "dropout": 0.3, "class_names": {0: CLASS}, "seed": 1},
    }
    training.train("image", settings, folder / "run")
    return folder / "run"
