"""Files of ``torch.save``: dicts of tensors, and graphs of torch-geometric; nothing is executed."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

from multiunet.domains.expansion import MOST_TIMES_OF_ARRAYS, check_expansion, check_promise
from multiunet.domains.graph.files.joined import join_graphs_of_tensors, take_apart
from multiunet.domains.reading import reading
from multiunet.errors import InputError

ADVICE = (
    "save a Data of torch-geometric by torch.save(data, path), a Batch by torch.save(batch.to_data_list(), path), and "
    "graphs of other kinds as a dict of tensors, torch.save({'x': x, 'edge_index': edge_index, 'y': y}, path)"
)


class _Object:
    """Stand-in for an object of torch-geometric: it holds what was saved of it, and does nothing."""


class _Graph(_Object):
    """Stand-in for a ``Data``."""


class _Name:
    """Stand-in for a class or an enumeration that a ``Data`` names."""


STAND_INS: Mapping[str, type] = {
    "torch_geometric.data.data.Data": _Graph,
    "torch_geometric.data.storage.GlobalStorage": _Object,
    "torch_geometric.data.data.DataEdgeAttr": _Name,
    "torch_geometric.data.data.DataTensorAttr": _Name,
}
"""All names in a file that are understood beside those of tensors; the library itself is not asked."""


@contextmanager
def _nothing_else_allowed() -> Iterator[None]:
    """Allow the stand-ins alone; what else was allowed in this process comes back afterwards."""
    before = get_safe_globals()
    clear_safe_globals()
    add_safe_globals([(kind, name) for name, kind in STAND_INS.items()])
    try:
        yield
    finally:
        clear_safe_globals()
        add_safe_globals(before)


def read_torch(path: Path) -> Mapping[Any, Any]:
    """Read a .pt: a dict of tensors, or the graphs of torch-geometric as one.

    Graphs are one or several ``Data``, or dicts of tensors, or what ``InMemoryDataset.save`` wrote; several are joined,
    see ``join_graphs_of_tensors``.

    Raises:
        InputError: for a file that is not complete, holds something else, or would need unpickling.
    """
    try:
        with reading(path), _nothing_else_allowed():
            _check_sums(path)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except InputError as error:
        if isinstance(error.__cause__, pickle.UnpicklingError):
            raise InputError(
                f"{path}: needs unpickling of Python objects, which is refused because that can run any code; {ADVICE}"
            ) from error
        raise
    if isinstance(content, tuple) and len(content) > 1 and (graphs := _as_graph(content[0])) is not None:
        if not isinstance(content[1], dict):
            raise InputError(f"{path}: holds a graph without the bounds of its graphs; {ADVICE}")
        return join_graphs_of_tensors(path, take_apart(path, graphs, content[1]))
    if isinstance(content, (list, tuple)):
        many = [_as_graph(one) for one in content]
        if many and all(one is not None for one in many):
            return join_graphs_of_tensors(path, [one for one in many if one is not None])
    found = _as_graph(content)
    if found is None:
        what = "an empty list" if isinstance(content, (list, tuple)) and not content else f"a {type(content).__name__}"
        raise InputError(f"{path}: holds {what}, not a dict of tensors with x, edge_index, y; {ADVICE}")
    return found


def _as_graph(content: object) -> Mapping[Any, Any] | None:
    """Return the values of a graph by name; None for what is no graph."""
    if isinstance(content, _Graph):
        values = getattr(getattr(content, "_store", None), "_mapping", None)
        return values if isinstance(values, dict) else None
    return content if isinstance(content, dict) else None


def _check_sums(path: Path) -> None:
    """Compare the checksums of a .pt, which ``torch.load`` does not."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                check_promise(path, f"{entry.filename}, as its entry says,", entry.compress_size, entry.file_size)
            packed = sum(entry.compress_size for entry in archive.infolist())
            size = sum(entry.file_size for entry in archive.infolist())
            check_expansion(path, packed, size, "unpacked, it", MOST_TIMES_OF_ARRAYS)
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} is wrong")
