"""Facts on the graphs of a run."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from multiunet.domains.info import DatasetInfo, Digest, Record, Splits


class Normalization(Record):
    """Normalisation of features: each row to the sum 1, or each column by its mean and deviation."""

    kind: Literal["none", "row", "column"]
    mean: tuple[float, ...] = ()
    deviation: tuple[PositiveFloat, ...] = ()


NOT_NORMALIZED = Normalization(kind="none")
"""Features as they are."""


class FeatureInfo(Record):
    """Features of nodes, or attributes of edges, as they are in files.

    Attributes:
        count: number of columns.
        names: of the columns; None where the files have none.
    """

    count: NonNegativeInt
    names: tuple[str, ...] | None
    normalization: Normalization

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        columns = self.count if self.normalization.kind == "column" else 0
        if not len(self.normalization.mean) == len(self.normalization.deviation) == columns:
            raise ValueError(f"{self.count} columns, but means and deviations of another number")
        if self.names is not None and len(self.names) != self.count:
            raise ValueError(f"{self.count} columns, but {len(self.names)} names")
        return self


class EdgeChanges(Record):
    """Numbers of edges that were given, left out, merged, added, and that are used."""

    given: NonNegativeInt
    loops_dropped: NonNegativeInt
    repetitions_merged: NonNegativeInt
    reverses_added: NonNegativeInt
    used: NonNegativeInt

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        if self.given - self.loops_dropped - self.repetitions_merged + self.reverses_added != self.used:
            raise ValueError("the numbers of edges do not add up")
        return self


class Positions(Record):
    """Positional encodings of nodes.

    Attributes:
        kind: eigenvectors of the Laplacian, or probabilities that a random walk is back.
        count: of eigenvectors, or of steps.
    """

    kind: Literal["laplacian", "random-walk"]
    count: PositiveInt


class Inputs(Record):
    """Channels that a network reads of a node: features, tags, degrees and positions, side by side.

    Attributes:
        channels: number of all.
        features: of nodes.
        attributes: of edges.
        tags: kinds of nodes, a channel each; None: nodes have none.
        degrees: largest degree with a channel of its own; None: degrees are no inputs.
        positions: of nodes in their graph, the last channels; None: they are no inputs.
    """

    channels: PositiveInt
    features: FeatureInfo
    attributes: FeatureInfo
    tags: tuple[int, ...] | tuple[str, ...] | None = None
    degrees: NonNegativeInt | None = None
    positions: Positions | None = None

    @property
    def flipped(self) -> slice | None:
        """Return the channels whose signs mean nothing, eigenvectors; None without such."""
        if self.positions is None or self.positions.kind != "laplacian":
            return None
        return slice(self.channels - self.positions.count, self.channels)

    @property
    def names(self) -> tuple[str, ...] | None:
        """Return a name for each channel; None where features have none."""
        if self.features.count and self.features.names is None:
            return None
        tags = (f"node_tag {tag}" for tag in self.tags or ())
        degrees = () if self.degrees is None else (f"degree {number}" for number in range(self.degrees + 1))
        positions = () if self.positions is None else self._name_positions(self.positions)
        return (*(self.features.names or ()), *tags, *degrees, *positions)

    @staticmethod
    def _name_positions(positions: Positions) -> tuple[str, ...]:
        what = "eigenvector" if positions.kind == "laplacian" else "return after"
        return tuple(f"{what} {number}" for number in range(1, positions.count + 1))

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        degrees = 0 if self.degrees is None else self.degrees + 1
        positions = 0 if self.positions is None else self.positions.count
        if self.channels != self.features.count + len(self.tags or ()) + degrees + positions:
            raise ValueError(f"{self.channels} channels, which features, tags, degrees and positions do not add up to")
        return self


class CoarseEdges(Record):
    """Edges that selected nodes of coarser graphs get.

    Attributes:
        kind: None where the pooling selects no nodes.
        paths: number of paths of two steps in the graphs.
        reason: of the choice, in words.
    """

    kind: Literal["two-hop", "induced"] | None
    paths: NonNegativeInt
    reason: str


class GraphInfo(DatasetInfo):
    """Facts on graphs that both commands of the wing need.

    Attributes:
        nodes: number of nodes of all graphs.
    """

    split: Splits[str]
    content: dict[Digest, str] = Field(min_length=1)
    nodes: PositiveInt
    edges: EdgeChanges
    inputs: Inputs
    coarse_edges: CoarseEdges

    @property
    def input_names(self) -> tuple[str, ...] | None:
        return self.inputs.names

    def shared(self) -> dict[str, Any]:
        features, attributes = self.inputs.features, self.inputs.attributes
        return super().shared() | {
            "features": (features.count, features.names),
            "normalization": features.normalization,
            "edge attributes": (attributes.count, attributes.names),
            "edge normalization": attributes.normalization,
            "node tags": self.inputs.tags,
            "degrees": self.inputs.degrees,
            "positional encoding": self.inputs.positions,
        }


class NodeInfo(GraphInfo):
    """Facts on one graph whose nodes are labelled; its items are nodes.

    Attributes:
        batch_nodes: nodes of the parts that training sees at once, where memory decided; None: see the settings.
    """

    batch_nodes: PositiveInt | None = None

    @model_validator(mode="after")
    def _check_nodes(self) -> Self:
        if sum(self.split.counts().values()) + self.split.unlabelled > self.nodes:
            raise ValueError(f"splits of more than the {self.nodes} nodes")
        return self


class GraphSetInfo(GraphInfo):
    """Facts on many graphs; its items are graphs.

    Attributes:
        level: whether graphs have labels, or their nodes.
        smiles: whether the graphs are molecules written as SMILES.
        graphs: number of graphs.
        largest: nodes of the largest graph.
        empty: number of graphs without a node.
        together: group of each labelled graph that stays in one split with others, by its id.
    """

    shared_fields: ClassVar[tuple[str, ...]] = ("level", "smiles")

    level: Literal["graph", "node"]
    smiles: bool
    graphs: PositiveInt
    largest: PositiveInt
    empty: NonNegativeInt
    together: dict[str, str] = Field(default_factory=dict)

    def groups(self) -> dict[str, str]:
        return self.together

    @model_validator(mode="after")
    def _check_graphs(self) -> Self:
        if sum(self.split.counts().values()) + self.split.unlabelled > self.graphs:
            raise ValueError(f"splits of more than the {self.graphs} graphs")
        if self.empty >= self.graphs or self.largest > self.nodes:
            raise ValueError("the numbers of graphs, empty graphs and nodes do not fit each other")
        return self
