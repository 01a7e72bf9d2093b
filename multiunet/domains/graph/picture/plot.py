"""Picture of a predicted graph: classes or quantities, uncertainty, and the network's coarser graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order

from multiunet.domains.graph.picture.layout import Places, layout
from multiunet.files import make_parent, write_atomically
from multiunet.geometries.graph.field import GraphField

MOST_NODES = 20_000
"""Of a picture; more than that would be a grey disc."""

MOST_EDGES = 60_000
"""Of a panel."""

INK = 100
"""Length of edges, in sides of a panel, above which they are the fainter the more there are."""

# Okabe & Ito 2008, then colours of Tol's "muted" that stay apart from them: told apart in any colour blindness
COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#882255", "#000000"),
    *("#999933", "#44AA99", "#332288", "#F0E442"),
)
OTHERS = "#BBBBBB"
SCALE = "viridis_r"
"""What is uncertain, or large, is dark on the white page."""


@dataclass(frozen=True)
class Predicted:
    """A predicted graph.

    Attributes:
        name: of the graph.
        names: of the classes, or of the quantities.
        mean, total: probabilities or quantities and their predictive variance, ``(nodes, names)``.
        classes: index of each node's class, ``(nodes,)``; None: quantities.
        places: where the nodes are, ``(nodes, 2)``; None: where a layout puts them.
    """

    name: str
    names: Sequence[str]
    mean: NDArray[np.float32]
    total: NDArray[np.float32]
    classes: NDArray[Any] | None
    places: Places | None


@dataclass(frozen=True)
class Panel:
    """The nodes of one level that are shown, and its edges among them.

    Attributes:
        made_of: how many nodes of the graph are in each.
        nodes, links: how many the level has in all; links count once.
    """

    places: Places
    mean: NDArray[np.float32]
    total: NDArray[np.float32]
    made_of: NDArray[np.float64]
    edges: NDArray[np.int64]
    nodes: int
    links: int


def draw(predicted: Predicted, levels: Sequence[GraphField], path: Path) -> None:
    """Writes the picture as a PNG.

    Of a graph of more than ``MOST_NODES`` nodes those are drawn that are nearest to the most linked one; its title
    says so.

    Args:
        levels: the graph as the network takes it, and the coarser ones, each with its ``parent``, ``cluster`` or
            ``shares``.
    """
    from matplotlib.figure import Figure  # slow to import

    panels = _panels(predicted, levels)
    kinds = 1 if predicted.classes is not None else len(predicted.names)
    coarse = panels[1:]
    heights = [6.6] * kinds + [12 / max(2, len(coarse)) + 0.3] * bool(coarse)
    figure = Figure(figsize=(12, sum(heights) + 0.4), layout="constrained")
    rows = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    shown, nodes = len(panels[0].places), panels[0].nodes
    left_out = f": {shown:,} of {nodes:,} nodes, around the most linked one" if shown < nodes else ""
    figure.suptitle(predicted.name + left_out, fontsize=14)
    for kind, row in zip(range(kinds), rows):
        value, variance = row.subplots(1, 2)
        if predicted.classes is not None:
            _draw_classes(value, panels[0], predicted)
            _draw_scale(variance, panels[0], panels[0].total.sum(axis=1), "uncertainty: 1 - Σp², total")
        else:
            name = predicted.names[kind]
            _draw_scale(value, panels[0], panels[0].mean[:, kind], name)
            _draw_scale(variance, panels[0], np.sqrt(panels[0].total[:, kind]), f"standard deviation of {name}, total")
    if coarse:
        axes = rows[-1].subplots(1, len(coarse), squeeze=False)[0]
        for level, (axis, panel) in enumerate(zip(axes, coarse), start=1):
            colours = _class_colours(panel.mean) if predicted.classes is not None else panel.mean[:, 0]
            _draw(axis, panel, colours, frame=panels[0].places)
            axis.set_title(f"level {level}: {panel.nodes:,} nodes, {panel.links:,} edges", fontsize=11)
    make_parent(path)
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png", dpi=150))


def _draw_classes(axis: Any, panel: Panel, predicted: Predicted) -> None:
    colours = _class_colours(panel.mean)
    _draw(axis, panel, colours)
    axis.set_title("class", fontsize=12)
    counts = np.bincount(predicted.classes, minlength=len(predicted.names))  # type: ignore[arg-type]
    for name, count, colour in zip(predicted.names, counts, COLOURS):
        axis.scatter([], [], s=36, color=colour, label=f"{name} ({count:,})")
    if len(counts) > len(COLOURS):
        axis.scatter([], [], s=36, color=OTHERS, label=f"{len(counts) - len(COLOURS)} others")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=4, frameon=False, fontsize=9, handletextpad=0.2)


def _class_colours(mean: NDArray[np.float32]) -> NDArray[np.str_]:
    palette = np.array([*COLOURS, OTHERS])
    chosen: NDArray[np.str_] = palette[np.minimum(mean.argmax(axis=1), len(COLOURS))]
    return chosen


def _draw_scale(axis: Any, panel: Panel, values: NDArray[np.float32], title: str) -> None:
    drawn = _draw(axis, panel, values)
    axis.set_title(title, fontsize=12)
    axis.figure.colorbar(drawn, cax=axis.inset_axes((0.2, -0.05, 0.6, 0.02)), orientation="horizontal")


def _draw(axis: Any, panel: Panel, colours: NDArray[Any], frame: Places | None = None) -> Any:
    """Edges thin and light, above them the nodes; of a scale the highest on top."""
    from matplotlib.collections import LineCollection

    # evenly taken, and the fainter the more there are, so that a dense graph is no black disc
    step = max(1, -(-panel.edges.shape[1] // MOST_EDGES))
    lines = panel.places[panel.edges[:, ::step].T]
    frame = panel.places if frame is None else frame
    side = max(float(np.ptp(frame, axis=0).max()), 1e-9)
    length = float(np.linalg.norm(lines[:, 0] - lines[:, 1], axis=1).sum())
    alpha = float(np.clip(INK * side / max(length, 1e-9), 0.02, 0.6))
    axis.add_collection(LineCollection(list(lines), colors="#303030", linewidths=0.4, alpha=alpha, zorder=1))
    scale = colours.dtype.kind == "f"
    order = np.argsort(colours, kind="stable") if scale else np.arange(len(colours))
    size = np.clip(25000 / len(frame), 1.0, 60.0)
    drawn = axis.scatter(
        *panel.places[order].T,
        s=size * np.sqrt(panel.made_of[order]),
        c=colours[order],
        cmap=SCALE if scale else None,
        linewidths=0,
        zorder=2,
    )
    low, high = (end(frame, axis=0) for end in (np.min, np.max))
    margin = 0.02 * float((high - low).max()) + 0.5
    axis.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin), aspect="equal")
    axis.set_axis_off()
    return drawn


def _panels(predicted: Predicted, levels: Sequence[GraphField]) -> list[Panel]:
    """Return, for each level, places of its nodes and the predictions of the nodes that they are made of."""
    finest = levels[0]
    nodes = finest.x.shape[0]
    shown = _around_the_hub(finest, nodes) if nodes > MOST_NODES else np.arange(nodes)
    edges, links = _among(finest, shown)
    places = layout(edges, len(shown)) if predicted.places is None else predicted.places[shown]
    panels = [Panel(places, predicted.mean[shown], predicted.total[shown], np.ones(len(shown)), edges, nodes, links)]
    # how much of each shown node is in each node of the level
    shares = scipy.sparse.eye_array(nodes, format="csr")[:, shown]
    for level in levels[1:]:
        shares = _shares(level, shares.shape[0]) @ shares
        total = shares.sum(axis=1)
        some = np.flatnonzero(total > 0)
        even = shares[some].multiply(1 / total[some, None]).tocsr()
        edges, links = _among(level, some)
        panels.append(
            Panel(
                even @ places,
                even @ panels[0].mean,
                even @ panels[0].total,
                np.maximum(1.0, total[some]),
                edges,
                level.x.shape[0],
                links,
            )
        )
    return panels


def _shares(level: GraphField, finer: int) -> Any:
    """Return the share of each finer node in each node of the level, ``(nodes, finer nodes)``."""
    nodes = level.x.shape[0]
    if level.shares is not None:
        return scipy.sparse.csr_array(level.shares.detach().cpu().numpy().T)  # of one graph
    if level.cluster is not None:
        ends = (level.cluster.cpu().numpy(), np.arange(finer))
    else:
        assert level.parent is not None  # a coarser graph was made of a finer one
        ends = (np.arange(nodes), level.parent.cpu().numpy())
    return scipy.sparse.csr_array((np.ones(len(ends[0])), ends), shape=(nodes, finer))


def _among(level: GraphField, shown: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """The links among some nodes, numbered by their place among them, each once; and how many the level has in all."""
    nodes = level.x.shape[0]
    place = np.full(nodes, -1)
    place[shown] = np.arange(len(shown))
    ends = np.sort(level.edge_index.cpu().numpy(), axis=0)
    codes = np.unique(ends[0] * nodes + ends[1])
    low, high = place[codes // max(1, nodes)], place[codes % max(1, nodes)]
    inside = (low >= 0) & (high >= 0)
    return np.stack([low[inside], high[inside]]), len(codes)


def _around_the_hub(field: GraphField, nodes: int) -> NDArray[np.int64]:
    """The ``MOST_NODES`` nodes that are reached first from the one with the most links, ascending."""
    source, target = field.edge_index.cpu().numpy()
    links = scipy.sparse.csr_array((np.ones(len(source), np.int8), (source, target)), shape=(nodes, nodes))
    hub = int(np.bincount(target, minlength=nodes).argmax())
    reached = breadth_first_order(links, hub, directed=False, return_predecessors=False)
    others = np.setdiff1d(np.arange(nodes), reached)  # where the hub's component is small
    return np.sort(np.concatenate([reached, others])[:MOST_NODES])
