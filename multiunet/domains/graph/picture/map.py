"""Map of a graph's nodes as a small picture with a transparent ground, for light pages and dark ones."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order

from multiunet.domains.graph.picture.layout import Places, layout
from multiunet.domains.report.rasters import load_colours
from multiunet.geometries.graph.field import GraphField

MOST_NODES = 3000
"""Of a map; of larger graphs the nodes around the most linked one are shown."""

MOST_EDGES = 12_000
"""Drawn at most, evenly taken."""

PIXELS = 440
"""Side of a map."""

FAINT = (0.55, 0.55, 0.55, 0.35)
"""Colour of nodes of which nothing is said, and of edges."""


@dataclass(frozen=True)
class NodeMap:
    """Places of a graph's nodes.

    Attributes:
        shown: which nodes, ``(count,)``.
        places: ``(count, 2)``.
        edges: between the shown ones, by their place among them, ``(2, edges)``.
    """

    shown: NDArray[np.int64]
    places: Places
    edges: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of nodes that are shown."""
        return len(self.shown)

    def scale(self, values: NDArray[np.float64], low: float, high: float, kind: str) -> bytes:
        """Return a PNG of numbers of all nodes, ``(nodes,)``, by a colour scale; NaN is faint."""
        share = np.nan_to_num((values - low) / max(high - low, 1e-300)).clip(0, 1)
        colours = load_colours(kind)[np.rint(share * 255).astype(np.intp)].astype(np.float64)
        colours[np.isnan(values)] = np.nan
        return self.paint(colours, above=values)

    def paint(self, colours: NDArray[np.float64], above: NDArray[np.float64] | None = None) -> bytes:
        """Return a PNG of all nodes in colours ``(nodes, 3)``, 0 to 255; NaN is faint.

        Args:
            above: nodes of larger numbers are drawn above others, ``(nodes,)``.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
        from matplotlib.collections import LineCollection
        from matplotlib.figure import Figure

        figure = Figure(figsize=(PIXELS / 100, PIXELS / 100), dpi=100)
        FigureCanvasAgg(figure)
        axis = figure.add_axes((0, 0, 1, 1))
        own = colours[self.shown] / 255
        known = np.asarray(np.isfinite(own).all(axis=1), bool)
        rgba = np.where(known[:, None], np.c_[np.nan_to_num(own), np.ones(len(own))], FAINT)
        rank = known + (0 if above is None else np.nan_to_num(above[self.shown]))
        order = np.argsort(rank, kind="stable")
        step = max(1, -(-self.edges.shape[1] // MOST_EDGES))
        lines: Any = list(self.places[self.edges[:, ::step].T])
        axis.add_collection(
            LineCollection(lines, colors=[FAINT], linewidths=0.5 if self.count > 200 else 1.2, zorder=1)
        )
        size = np.clip(18000 / max(1, self.count), 4.0, 90.0) * np.where(known[order], 1.0, 0.4)
        x, y = self.places[order].T
        axis.scatter(x, y, s=size, c=rgba[order], linewidths=0, zorder=2)
        axis.set_aspect("equal")
        axis.margins(0.04)
        axis.set_axis_off()
        file = io.BytesIO()
        figure.savefig(file, format="png", transparent=True)
        return shrink(file.getvalue())


def make_map(field: GraphField) -> NodeMap:
    """Place the nodes of a graph by its links."""
    nodes = field.x.shape[0]
    ends = np.sort(field.edge_index.cpu().numpy(), axis=0)
    shown = _around_the_hub(ends, nodes) if nodes > MOST_NODES else np.arange(nodes)
    place = np.full(nodes, -1)
    place[shown] = np.arange(len(shown))
    codes = np.unique(ends[0] * nodes + ends[1])
    low, high = place[codes // max(1, nodes)], place[codes % max(1, nodes)]
    inside = (low >= 0) & (high >= 0) & (low != high)
    edges = np.stack([low[inside], high[inside]])
    return NodeMap(shown, layout(edges, len(shown)), edges)


def _around_the_hub(ends: NDArray[np.int64], nodes: int) -> NDArray[np.int64]:
    """Return the nodes that are reached first from the one with the most links, ascending."""
    links = scipy.sparse.csr_array((np.ones(ends.shape[1], np.int8), (ends[0], ends[1])), shape=(nodes, nodes))
    hub = int(np.bincount(ends.ravel(), minlength=nodes).argmax())
    reached = breadth_first_order(links, hub, directed=False, return_predecessors=False)
    return np.sort(reached[:MOST_NODES])


def shrink(content: bytes) -> bytes:
    """Return a PNG with a palette, where the picture has few enough colours to look the same."""
    from PIL import Image

    image = Image.open(io.BytesIO(content)).convert("RGBA")
    file = io.BytesIO()
    image.quantize(256, method=Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return min(file.getvalue(), content, key=len)
