"""Pictures of scored nodes and graphs: truth, prediction, error and uncertainty on a map of the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.cases import BEST, WORST, Album, Case, Panel, Scale
from multiunet.domains.graph.picture.map import NodeMap, make_map
from multiunet.domains.graph.picture.plot import COLOURS, OTHERS
from multiunet.domains.labelled import Piece
from multiunet.domains.report.rasters import WRONG
from multiunet.geometries.graph.field import GraphField
from multiunet.wording import percent

GREY = (170, 170, 170)
"""Colour of nodes that are right, or that are not scored."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """Nodes of a graph that were scored, and their predictions, ``(scored, names)``.

    Attributes:
        scored: which nodes they are, ``(nodes,)``, bool; None: all.
        target: classes ``(scored,)``, or quantities ``(scored, names)``.
    """

    field: GraphField
    scored: NDArray[np.bool_] | None
    mean: Floats
    total: Floats | None
    target: NDArray[Any]


def judge(field: GraphField, scored: Tensor | None, piece: Piece) -> Judged:
    """Return what is drawn of a piece of a graph."""
    total = None if piece.moments is None else (piece.moments.epistemic + piece.moments.aleatoric).numpy()
    where = None if scored is None else scored.numpy()
    return Judged(field, where, piece.predicted.numpy(), total, piece.target.numpy())


class NodeAlbum(Album):
    """Collector of the nodes of graphs.

    Args:
        fields: graph of each item by its name, with its scored nodes; None: all are.
        names: of the classes or quantities.
    """

    def __init__(self, fields: Mapping[str, tuple[GraphField, Tensor | None]], names: Sequence[str]) -> None:
        super().__init__()
        self.fields, self.names = fields, list(names)
        self._judged: dict[str, Judged] = {}

    def add(self, piece: Piece) -> None:
        name = piece.item if piece.item is not None else next(iter(self.fields))
        self._judged[name] = judge(*self.fields[name], piece)

    def drop(self, name: str) -> None:
        del self._judged[name]

    def draw(self, names: Sequence[str]) -> list[Case]:
        return [draw_nodes(name, self._judged[name], self.names) for name in names or self._judged]


def draw_nodes(name: str, one: Judged, names: Sequence[str]) -> Case:
    """Draw one graph's nodes on a map: truth, prediction, error and uncertainty."""
    drawn = make_map(one.field)
    count = one.field.x.shape[0]
    words = (
        f"{drawn.count:,} of {count:,} nodes, around the most linked one" if drawn.count < count else f"{count:,} nodes"
    )
    if one.scored is not None:
        words += f"; the {int(one.scored.sum()):,} that are scored have colours"
    if one.target.ndim == 1:
        colours = [*COLOURS, OTHERS]
        legend = {str(label): colours[min(place, len(COLOURS))] for place, label in enumerate(names)}
        return Case(name, list(_class_panels(one, drawn, colours)), words, legend)
    return Case(name, list(_quantity_panels(one, drawn, names)), words)


def _class_panels(one: Judged, drawn: NodeMap, colours: Sequence[str]) -> Iterator[Panel]:
    table = np.array([_numbers(colour) for colour in colours], np.float64)
    target, predicted = one.target.astype(np.int64), one.mean.argmax(axis=1)
    wrong = (target >= 0) & (predicted != target)
    marks = np.where(wrong[:, None], np.array(WRONG, np.float64), np.array(GREY, np.float64))
    last = len(colours) - 1
    yield Panel("truth", drawn.paint(_all(one, table[np.clip(target, 0, last)])))
    yield Panel("prediction", drawn.paint(_all(one, table[np.minimum(predicted, last)])))
    share = f"{percent(float(wrong.mean()))} of the scored nodes are wrong" if len(wrong) else ""
    yield Panel("error", drawn.paint(_all(one, marks), above=_all(one, wrong[:, None].astype(float))[:, 0]), share)
    if one.total is not None:
        most = 1 - 1 / one.mean.shape[1]
        values = _all(one, one.total.sum(axis=1, keepdims=True).astype(float))[:, 0]
        scale = Scale("uncertainty", "0", f"{most:.3g}")
        yield Panel("uncertainty", drawn.scale(values, 0, most, "uncertainty"), "variance, all classes", scale)


def _quantity_panels(one: Judged, drawn: NodeMap, names: Sequence[str]) -> Iterator[Panel]:
    truth, mean = one.target[:, 0].astype(np.float64), one.mean[:, 0].astype(np.float64)
    low, high = float(np.nanmin(truth)), float(np.nanmax(truth))
    most = float(np.nanmax(np.abs(mean - truth))) or 1.0
    of = "" if len(names) == 1 else f" of {names[0]}"
    ends, errors = (
        Scale("uncertainty", f"{low:.4g}", f"{high:.4g}"),
        Scale("difference", f"-{most:.3g}", f"+{most:.3g}"),
    )

    def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _all(one, values[:, None])[:, 0]

    yield Panel(f"truth{of}", drawn.scale(spread(truth), low, high, "uncertainty"), scale=ends)
    yield Panel(f"prediction{of}", drawn.scale(spread(mean), low, high, "uncertainty"), scale=ends)
    yield Panel("error", drawn.scale(spread(mean - truth), -most, most, "difference"), "prediction - truth", errors)
    if one.total is not None:
        deviation = np.sqrt(one.total[:, 0].clip(0)).astype(np.float64)
        widest = float(deviation.max()) or 1.0
        scale = Scale("uncertainty", "0", f"{widest:.3g}")
        yield Panel(
            "uncertainty", drawn.scale(spread(deviation), 0, widest, "uncertainty"), "standard deviation", scale
        )


def _all(one: Judged, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values of all nodes, ``(nodes, columns)``, given those of the scored ones; NaN elsewhere."""
    if one.scored is None:
        return values
    whole = np.full((len(one.scored), values.shape[1]), np.nan)
    whole[one.scored] = values
    return whole


def _numbers(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


class GraphAlbum(Album):
    """Collector of whole graphs, each of which is one row: the surest right ones, and those that err most.

    Args:
        fields: graphs by name.
        names: of the classes or quantities.
    """

    def __init__(self, fields: Mapping[str, GraphField], names: Sequence[str]) -> None:
        super().__init__()
        self.fields, self.names = fields, list(names)
        self._rows: dict[str, tuple[float, str]] = {}  # error, and what is said of it

    def add(self, piece: Piece) -> None:
        mean, target = piece.predicted.numpy(), piece.target.numpy()
        total = None if piece.moments is None else (piece.moments.epistemic + piece.moments.aleatoric).numpy()
        for place, name in enumerate(piece.rows):
            if target.ndim == 1:
                if (true := int(target[place])) >= 0:
                    best = int(mean[place].argmax())
                    said = f"{self.names[best]} ({mean[place, best]:.2f})"
                    self._rows[name] = 1 - float(mean[place, true]), f"truth {self.names[true]}, predicted {said}"
            elif np.isfinite(target[place, 0]):
                width = "" if total is None else f" ± {float(np.sqrt(total[place, 0])):.3g}"
                words = f"truth {target[place, 0]:.4g}, predicted {mean[place, 0]:.4g}{width}"
                self._rows[name] = abs(float(mean[place, 0] - target[place, 0])), words

    def drop(self, name: str) -> None:
        del self._rows[name]

    def draw(self, names: Sequence[str]) -> list[Case]:
        ordered = sorted(self._rows, key=lambda name: -self._rows[name][0])
        worst = ordered[: WORST + 1]
        best = [name for name in ordered[::-1] if name not in worst][: BEST + 3]
        parts = {"worst": ("graphs that err most", worst), "best": ("graphs that err least", best)}
        return [
            Case(title, [self._panel(one) for one in own], rank=rank) for rank, (title, own) in parts.items() if own
        ]

    def _panel(self, name: str) -> Panel:
        drawn = make_map(self.fields[name])
        grey = np.tile(np.array(GREY, np.float64), (self.fields[name].x.shape[0], 1))
        return Panel(name, drawn.paint(grey), self._rows[name][1])
