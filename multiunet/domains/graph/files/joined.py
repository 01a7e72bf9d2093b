"""Several graphs as tensors, one after the other, as torch-geometric joins and separates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from multiunet.domains.expansion import MOST_TIMES_OF_ARRAYS, check_expansion
from multiunet.domains.graph.files.splits import resembles_split
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError
from multiunet.wording import listing

EDGES = "edge_index"


def take_apart(path: Path, whole: Mapping[Any, Any], bounds: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Return the graphs that ``InMemoryDataset.collate`` of torch-geometric joined.

    Args:
        whole: values of all graphs one after the other, edges along their second axis, numbered in each graph from 0.
        bounds: by name, where the values of each graph begin, and the end, ``(graphs + 1,)``.

    Raises:
        InputError: for bounds that do not fit.
    """
    given = {str(name): _integers(path, str(name), place) for name, place in bounds.items() if str(name) in whole}
    if not given or len({len(place) for place in given.values()}) > 1:
        raise InputError(f"{path}: the bounds of its graphs do not fit each other; save the graphs as a list of Data")
    graphs: list[dict[str, Any]] = [{} for _ in range(len(next(iter(given.values()))) - 1)]
    for name, place in given.items():
        values, axis = whole[name], 1 if name == EDGES else 0
        if isinstance(values, Tensor) and values.ndim <= axis:
            raise InputError(f"{path}: {name} has the shape {tuple(values.shape)}, which cannot be cut into graphs")
        count = values.shape[axis] if isinstance(values, Tensor) else len(values) if isinstance(values, list) else -1
        last = place[-1] if isinstance(values, Tensor) else max(place[:-1]) + 1
        if place[0] < 0 or max(last, place[-1]) > count or any(b < a for a, b in pairwise(place)):
            raise InputError(f"{path}: the bounds of {name} do not fit its {count} values; is the file complete?")
        for graph, start, end in zip(graphs, place, place[1:]):
            # of a list each graph has one value, as saved
            one = values.narrow(axis, start, end - start) if isinstance(values, Tensor) else values[start]
            graph[name] = int(one) if name == "num_nodes" and isinstance(values, Tensor) and one.numel() == 1 else one
    return graphs


def _integers(path: Path, name: str, place: Any) -> list[int]:
    if isinstance(place, Tensor) and place.ndim == 1 and not place.is_floating_point() and len(place) > 1:
        return [int(one) for one in place]
    raise InputError(f"{path}: the bounds of {name} are no list of numbers; save the graphs as a list of Data")


def join_graphs_of_tensors(path: Path, graphs: Sequence[Mapping[Any, Any]]) -> dict[str, Any]:
    """Return graphs as one dict of tensors, with ``graph_ptr`` and nodes numbered through all.

    ``graph_ptr`` ``(graphs + 1,)`` says where each begins. Tensors are concatenated along their first axis, a single
    number counts as one row; what is no tensor in all graphs is kept by name alone.

    Args:
        graphs: values by name, at least one.

    Raises:
        InputError: naming the graph that lacks what others have, or whose tensors differ in shape.
    """
    sizes = [_count(path, place, graph) for place, graph in enumerate(graphs)]
    starts = torch.tensor([0, *sizes]).cumsum(0)
    names = list(dict.fromkeys(str(name) for graph in graphs for name, value in graph.items() if value is not None))
    found: dict[str, Any] = {"graph_ptr": starts}
    masks = [name for name in names if len(graphs) > 1 and resembles_split(name)]
    if masks:
        remark_file(path, f"graphs are split here, not nodes: {listing(masks)} not read")
    for name in names:
        if name in masks or name in ("num_nodes", "batch", "ptr"):
            continue
        values = [graph.get(name) for graph in graphs]
        lacking = [place for place, value in enumerate(values) if value is None]
        if lacking:
            raise InputError(
                f"{path}: graph {lacking[0]} has no {name}, but others have; give it to all graphs or none"
            )
        found[name] = _concatenated(path, name, values, starts.tolist())
    return found


def _concatenated(path: Path, name: str, values: Sequence[Any], starts: Sequence[int]) -> Any:
    rows = [_as_rows(value) for value in values]
    if any(row is None for row in rows):
        return object()  # named among what is not read
    tensors = [row for row in rows if row is not None]
    if name == EDGES:
        if any(one.ndim != 2 or one.shape[0] != 2 or one.is_floating_point() for one in tensors):
            raise InputError(f"{path}: edge_index must be (2, edges) of integers in each of its graphs")
        for graph, (one, start, end) in enumerate(zip(tensors, starts, starts[1:])):
            if len(outside := one[(one < 0) | (one >= end - start)]):
                raise InputError(
                    f"{path}: an edge of graph {graph} names node {int(outside[0])}, but its nodes are 0.."
                    f"{end - start - 1}; number the nodes of each graph from 0"
                )
        return torch.cat([one.long() + start for one, start in zip(tensors, starts)], dim=1)
    if len({one.shape[1:] for one in tensors}) > 1:
        odd = next(i for i, one in enumerate(tensors) if one.shape[1:] != tensors[0].shape[1:])
        raise InputError(
            f"{path}: {name} of graph {odd} has the shape {tuple(tensors[odd].shape)}, that of graph 0 "
            f"{tuple(tensors[0].shape)}; give all graphs the same columns"
        )
    size = sum(one.numel() * one.element_size() for one in tensors)
    check_expansion(path, path.stat().st_size, size, f"{name}, written out,", MOST_TIMES_OF_ARRAYS)
    return torch.cat(tensors)


def _as_rows(value: Any) -> Tensor | None:
    """Return a value as rows of a tensor; None for what is none."""
    if isinstance(value, (bool, int, float)):
        value = torch.tensor(value)
    if not isinstance(value, Tensor) or value.layout != torch.strided:
        return None
    return value.detach().reshape(1) if value.ndim == 0 else value.detach()


def _count(path: Path, place: int, graph: Mapping[Any, Any]) -> int:
    """Return the number of nodes of a graph."""
    for name in ("x", "node_tag"):
        if isinstance(values := graph.get(name), Tensor) and values.ndim:
            return len(values)
    given = graph.get("num_nodes")
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    edges = graph.get(EDGES)
    if not isinstance(edges, Tensor):
        raise InputError(f"{path}: graph {place} has neither x nor edge_index; is it a graph?")
    return int(edges.max()) + 1 if edges.numel() and not edges.is_floating_point() else 0
