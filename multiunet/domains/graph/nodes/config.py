"""Settings of training and prediction of the nodes of a graph. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import model_validator

from multiunet.domains.config import EvaluateOptions, option
from multiunet.domains.graph.options import NetworkTrain, PredictRows
from multiunet.domains.setting_types import StrList, Widths
from multiunet.domains.splits import FoldsTrain
from multiunet.training.recipe import OptimizerName, ScheduleName


class GraphTrain(NetworkTrain, FoldsTrain):
    """Settings of ``multiunet train graph``."""

    graph: Path = option(
        ...,
        "FILE.npz or FILE.pt with x, edge_index, y, masks; FILE.graphml; or a folder: edges.csv and nodes.csv, or a "
        "dataset of torch-geometric or OGB",
        "Data",
    )
    task: Literal["classification", "regression", "multilabel"] = option(
        "classification", "classes or quantities of nodes; multilabel: several labels a node, each 0, 1 or NaN", "Data"
    )
    id_column: str = option("id", "name of the id column of nodes.csv", "Data")
    feature_columns: StrList | None = option(
        None,
        "columns of nodes.csv, or attributes in GraphML, that are features: A,B; default: all but id, label and split",
        "Data",
    )
    label_column: StrList = option(
        ["label"],
        "label column of nodes.csv, or attribute in GraphML; empty or -1: an unlabelled node; several quantities, or "
        "labels of `task=multilabel`: a column each",
        "Data",
    )
    split_column: str = option(
        "split", "split column of nodes.csv: train, val, test or empty; of OGB the folder in split/; optional", "Data"
    )
    degrees: bool = option(False, "also use each node's degree as a feature; then a graph needs no others", "Data")
    normalize_features: Literal["auto", "row", "column", "none"] = option(
        "auto",
        "row: each node's sum to 1; column: each feature standardised; auto: row for bags of words (many counts, few "
        "above 0), else column",
        "Data",
    )

    split_index: int | None = option(
        None, "which of several splits, from 0, where masks have one for each; default: the first", "Split", ge=0
    )
    val_fraction: float = option(
        0.2, "share of labelled nodes to validate on, if no mask is given", "Split", gt=0, lt=1
    )
    test_fraction: float = option(0.2, "share of labelled nodes to test on, if no mask is given", "Split", ge=0, lt=1)

    conv: Literal["gcn", "sage", "gin", "gine", "gatv2"] = option(
        "gcn",
        "graph convolution: sage treats the node itself apart, gin sums neighbours, gatv2 weighs them; gine and gatv2 "
        "read edge attributes",
        "Model",
    )
    hops: int = option(1, "propagation steps per convolution (gcn)", "Model", ge=1)
    teleport: float = option(
        0.1, "with several hops: probability of a return to the node itself at each", "Model", gt=0, lt=1
    )
    input_dropout: float = option(0.8, "dropout rate of the input features", "Model", ge=0, lt=1)
    consistency: float | None = option(
        None,
        "classification: weight of the agreement of two random views of the graph; default: 1 if fewer than a "
        "tenth of the nodes train, else 0",
        "Training",
        ge=0,
    )

    widths: Widths = option([64, 64], "channels by level, finest first", "Model")
    dropout: float = option(
        0.5, "dropout rate after each block; 0 disables Monte-Carlo uncertainty", "Model", ge=0, lt=1
    )
    epochs: int = option(
        200, "number of epochs; each is one step on the whole graph, unless it is trained in parts", "Training", ge=1
    )
    batch_nodes: int | None = option(
        None,
        "train on random parts of at most this many nodes; default: the whole graph, or parts that memory allows",
        "Training",
        ge=1,
    )
    partition: Literal["voronoi", "metis"] = option(
        "voronoi",
        "how the graph is cut for training in parts: voronoi grows patches from random nodes; metis cuts few edges "
        "(pip install multiunet[metis])",
        "Training",
    )
    batch_size: int = option(1, "always 1: there is one graph", "Training", ge=1, le=1)
    optimizer: OptimizerName = option("adam", "optimiser; sgd uses Nesterov momentum 0.99", "Training")
    lr: float = option(1e-2, "peak learning rate", "Training", gt=0)
    weight_decay: float = option(5e-4, "weight decay: decoupled for adamw, L2 for the others", "Training", ge=0)
    schedule: ScheduleName = option("constant", "shape of the learning rate after the warm-up", "Training")

    @model_validator(mode="after")
    def _fits(self) -> GraphTrain:
        if self.hops > 1 and self.conv != "gcn":
            raise ValueError(f"`hops={self.hops}` is for `conv=gcn`, not {self.conv}")
        return self


SAMPLES = 64
"""Monte-Carlo samples of a graph's nodes by default: each node drops half of its features, so few samples scatter."""


PART_NODES = (
    "predict layer by layer, so many nodes at a time, with features on disk: the same numbers in less memory; default: "
    "all nodes at once, or 100,000 where these do not fit"
)
SMOOTH = "classes: correct predictions by the known classes of training nodes, where that is better on validation"


class GraphEvaluate(EvaluateOptions):
    """Settings of ``multiunet evaluate graph``."""

    other: ClassVar[str | None] = "graph"

    part_nodes: int | None = option(None, PART_NODES, "Prediction", ge=1)
    samples: int = option(
        SAMPLES, "number of Monte-Carlo dropout samples, as in predict; 1 turns dropout off", "Evaluation", ge=1
    )

    graph: Path | None = option(
        None, "another graph with the same features; all its labelled nodes are scored instead of a split", "Data"
    )
    correct_and_smooth: bool = option(False, SMOOTH, "Evaluation")


class GraphPredict(PredictRows):
    """Settings of ``multiunet predict graph``."""

    data: ClassVar[str | None] = "graph"

    part_nodes: int | None = option(None, PART_NODES, "Prediction", ge=1)
    samples: int = option(
        SAMPLES, "number of Monte-Carlo dropout samples; 1 turns dropout off (epistemic = 0)", "Prediction", ge=1
    )
    graph: Path | None = option(None, "a graph of the same features; default: the one trained on", "Data")
    correct_and_smooth: bool = option(False, SMOOTH, "Prediction")
    plot: Path | None = option(
        None, "also draw classes or quantities, their uncertainty, and the coarser graphs: FILE.png", "Prediction"
    )

    @model_validator(mode="after")
    def _draws_png(self) -> GraphPredict:
        if self.plot is not None and self.plot.suffix.lower() != ".png":
            raise ValueError(f"`plot={self.plot}`: pictures are PNG; give a name that ends in .png")
        return self
