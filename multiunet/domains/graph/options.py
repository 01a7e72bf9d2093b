"""Options that graph and graphs share. Imports nothing heavy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from multiunet.domains.config import Options, PredictClasses, TrainConfig, option
from multiunet.domains.setting_types import PrecisionName, Split, StrList

MOST_POSITIONS = 64
"""Positional encodings of a node, at most."""

READ_BY = ("gine", "gatv2")
"""Convolutions that see attributes of edges."""


class PoolTrain(TrainConfig):
    """Settings of how a network coarsens graphs."""

    pool: Literal["topk", "sag", "matching", "contraction", "mincut"] = option(
        "topk",
        "how coarser graphs are made: select nodes (topk; sag: neighbours count), merge pairs (matching; contraction: "
        "by learnt scores), or soft clusters (mincut, for small graphs)",
        "Model",
    )
    pool_ratio: float = option(0.5, "share of the nodes that each level keeps", "Model", gt=0, le=1)
    gate: Literal["tanh", "sigmoid"] = option("tanh", "activation applied to the scores of topk and sag", "Model")
    coarse_edges: Literal["auto", "two-hop", "induced"] = option(
        "auto",
        "topk and sag: two-hop also links kept nodes that had one node between them; induced keeps the edges between "
        "kept nodes alone; auto: two-hop, unless the graph is so dense that this costs most of an epoch",
        "Model",
    )
    max_neighbours: int | None = option(
        64, "two-hop: keep at most this many edges into a node, the strongest", "Model", ge=1
    )
    merge: Literal["mean", "sum", "max"] = option("mean", "how features of merged nodes are combined", "Model")
    clusters: int = option(16, "nodes of each coarser level of mincut, instead of a ratio", "Model", ge=2)
    convs: int = option(1, "convolutions per block", "Model", ge=1)
    residual: bool = option(False, "blocks add their input to their output", "Model")


class EdgesTrain(TrainConfig):
    """Settings of the edges that networks of graphs read."""

    shared: ClassVar[tuple[str, ...]] = ("undirected",)

    undirected: bool = option(True, "add the reverse of each edge that has none", "Data")
    edge_columns: StrList | None = option(
        None,
        "columns of edges.csv, or edge attributes in GraphML, that gine and gatv2 read: A,B; default: all but weights "
        "and ids",
        "Data",
    )
    edge_dropout: float = option(0.0, "share of the edges that each convolution leaves out", "Model", ge=0, lt=1)
    positional_encoding: str | None = option(
        None,
        "where a node is in its graph, as more features: laplacian:8 (eigenvectors, signs drawn anew in training) or "
        "random-walk:16 (how often a walk is back after 1 to 16 steps); default: none",
        "Model",
    )

    @field_validator("positional_encoding")
    @classmethod
    def _names_positions(cls, given: str | None) -> str | None:
        if given is not None:
            read_positions(given)
        return given


class PredictRows(PredictClasses):
    """Prediction settings of nodes and of graphs."""

    set_method: Literal["lac", "aps", "daps"] = option(  # type: ignore[assignment]  # one more
        "lac",
        "of `sets`: lac makes them smallest on average, aps larger where the network is less sure; daps mixes aps of a "
        "node with its neighbours'",
        "Prediction",
    )


class NetworkTrain(PoolTrain, EdgesTrain):
    """Settings that trainings on one graph and on many share."""

    conv: Literal["gcn", "sage", "gin", "gine", "gatv2"] | None = option(None, "graph convolution", "Model")
    normalization: Literal["none", "batch", "layer"] = option("none", "normalisation in convolution blocks", "Model")
    virtual_node: bool = option(
        False, "each block also tells every node the mean of its graph, as a node linked to all would", "Model"
    )
    skip: Literal["concat", "add", "attention", "none"] = option(
        "add", "how skip connections join encoder and decoder features", "Model"
    )
    attention: Literal["none", "full"] = option(
        "none",
        "full: attention of each node to all nodes of its graph, behind the convolutions of the coarsest level",
        "Model",
    )
    loss: Literal["beta-nll", "gaussian-nll", "mse", "mae", "huber", "poisson"] = option(
        "beta-nll", "regression: beta-nll and gaussian-nll learn the noise of each node or graph", "Training"
    )
    label_smoothing: float = option(0.0, "share of each label that is spread over all classes", "Training", ge=0, lt=1)
    precision: PrecisionName = option("32", "numerical precision; bf16 brings no gain on graphs", "Run")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check_ratio(self.pool, self.pool_ratio)
        check_columns(self.edge_columns, self.conv)
        return self


def read_positions(given: str) -> tuple[Literal["laplacian", "random-walk"], int]:
    """Return the kind and the number of positional encodings that a setting names.

    Raises:
        ValueError: when it is not understood, or the number is not in 1..``MOST_POSITIONS``.

    >>> read_positions("laplacian:4"), read_positions("random-walk")
    (('laplacian', 4), ('random-walk', 16))
    """
    kind, colon, count = given.partition(":")
    usual = {"laplacian": 8, "random-walk": 16}
    if kind not in usual or (colon and not count.isdecimal()) or not 1 <= int(count or 1) <= MOST_POSITIONS:
        raise ValueError(
            f"`positional_encoding={given}` is not understood; give laplacian:K or random-walk:K, K in 1.."
            f"{MOST_POSITIONS}, such as laplacian:8"
        )
    number = int(count) if colon else usual[kind]
    return ("laplacian" if kind == "laplacian" else "random-walk"), number


def check_columns(columns: list[str] | None, conv: str | None) -> None:
    """Check that the convolution reads edge attributes, if columns of edges are named.

    Args:
        conv: None: one that does is chosen later.

    Raises:
        ValueError: when it does not.
    """
    if columns and conv not in (None, *READ_BY):
        raise ValueError(
            f"`edge_columns` are read by {' and '.join(f'`conv={name}`' for name in READ_BY)}, not by {conv}"
        )


def check_ratio(pool: str, ratio: float) -> None:
    """Check that pooling which merges pairs keeps 1/2, 1/4, ... of the nodes.

    Raises:
        ValueError: when it does not.
    """
    halvings = -math.log2(ratio)
    if pool in ("matching", "contraction") and not (halvings >= 1 and halvings.is_integer()):
        raise ValueError(
            f"`pool_ratio={ratio:g}` does not go with `pool={pool}`, which merges pairs, once or repeatedly: give "
            "0.5, 0.25, ..."
        )


class GraphMeasure(Options):
    """Settings of ``multiunet measure graph`` and ``graphs``."""

    prediction: Path = option(..., "what `multiunet predict` wrote, NAME.zarr", "Data")
    split: Split | None = option(None, "count only what the run has in this split; default: all", "Data")
    overwrite: bool = option(False, "replace files in `out`", "Output")
