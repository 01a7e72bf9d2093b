"""Settings of training and prediction of many graphs. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from multiunet.domains.config import EvaluateOptions, Options, option
from multiunet.domains.graph.options import NetworkTrain, PredictRows
from multiunet.domains.setting_types import StrList, Widths, split_commas
from multiunet.domains.splits import SplitTrain

Readouts = Annotated[list[Literal["mean", "max", "sum"]], BeforeValidator(split_commas), Field(min_length=1)]


class GraphsTrain(NetworkTrain, SplitTrain):
    """Settings of ``multiunet train graphs``."""

    graphs: Path = option(
        ...,
        "FILE.npz with graph_ptr, edge_index, x or node_tag, y; FILE.pt of a list of Data; a folder of graphs, with "
        "labels.csv or a y in each, or of a dataset of torch-geometric or OGB; or a CSV with `smiles`",
        "Data",
    )
    task: Literal["classification", "regression", "multilabel"] = option(
        "classification", "classes or quantities; multilabel: several labels, each 0, 1 or NaN", "Data"
    )
    level: Literal["graph", "node"] = option(
        "graph", "predict for each graph, or for each node of graphs not trained on", "Data"
    )
    smiles: str | None = option(None, "column of a CSV that holds molecules as SMILES", "Data")
    skip_invalid: bool = option(False, "leave out molecules whose SMILES cannot be read, and list them", "Data")
    id_column: str = option(
        "id", "name of the id column of labels.csv, nodes.csv or the CSV of SMILES (there optional)", "Data"
    )
    label_column: StrList = option(
        ["label"],
        "label column of labels.csv or the CSV of SMILES (with `level=node`: nodes.csv); empty: not labelled; several "
        "quantities, or labels of `task=multilabel`: a column each",
        "Data",
    )
    split_column: str = option(
        "split",
        "split column of the same file: train, val, test or empty; of OGB the folder in split/; optional",
        "Data",
    )
    group_column: str = option(
        "group", "column of the same file: graphs of one group stay in one split; optional", "Split"
    )
    scaffold: bool = option(
        False,
        "with `smiles`: molecules of one Bemis-Murcko scaffold stay in one split (molecules without rings, too)",
        "Split",
    )
    degrees: bool = option(
        False, "also use each node's degree as a feature; graphs without features get it in any case", "Data"
    )
    normalize_features: Literal["auto", "column", "none"] = option(
        "auto", "column: features of nodes and edges standardised over all graphs; auto: unless all are 0 or 1", "Data"
    )

    val_fraction: float = option(
        0.1, "share of the other graphs to validate on, if no split is given", "Split", gt=0, lt=1
    )
    test_fraction: float = option(0.1, "share of graphs to test on, if no split is given", "Split", ge=0, lt=1)

    conv: Literal["gcn", "sage", "gin", "gine", "gatv2"] | None = option(
        None,
        "graph convolution; gine and gatv2 read edge attributes; default: gine if there are any, else gin",
        "Model",
    )
    clusters: int = option(8, "nodes of each coarser level of mincut, instead of a ratio", "Model", ge=2)
    readout: Readouts = option(
        ["mean", "max", "sum"], "how the nodes of each level are summarised: mean, max, sum", "Model"
    )
    normalization: Literal["none", "batch", "layer"] = option("batch", "normalisation in convolution blocks", "Model")

    widths: Widths = option([64, 64, 64], "channels by level, finest first", "Model")
    dropout: float = option(
        0.2,
        "dropout rate of features, at all nodes of a graph together; 0 disables Monte-Carlo uncertainty",
        "Model",
        ge=0,
        lt=1,
    )
    epochs: int = option(100, "passes over the training graphs", "Training", ge=1)
    batch_size: int = option(32, "graphs per batch", "Training", ge=1)
    lr: float = option(3e-3, "peak learning rate", "Training", gt=0)
    weight_decay: float = option(1e-2, "weight decay: decoupled for adamw, L2 for the others", "Training", ge=0)

    @model_validator(mode="after")
    def _fits(self) -> GraphsTrain:
        if self.smiles is not None and self.level == "node":
            raise ValueError("`smiles` has labels of molecules, not of their atoms; leave `level=node` out")
        if self.scaffold and self.smiles is None:
            raise ValueError("`scaffold` is of molecules; name the column that holds them by `smiles`")
        if self.scaffold and self.groups is not None:
            raise ValueError("`scaffold` and `groups` both say what stays together; give one of them")
        return self


RENAMED = ("smiles", "id_column", "label_column")
"""What the files of other graphs may call otherwise than those trained on."""


class OtherGraphs(Options):
    """Other graphs than those trained on, and how their files call things."""

    graphs: Path | None = option(None, "other graphs than those trained on, of the same features", "Data")
    smiles: str | None = option(None, "column of a CSV that holds molecules; default: as trained", "Data")
    id_column: str | None = option(
        None, "name of the id column in labels.csv, nodes.csv or the CSV; default: as trained", "Data"
    )
    skip_invalid: bool = option(False, "leave out molecules whose SMILES cannot be read, and list them", "Data")

    def renamed(self) -> dict[str, Any]:
        """The settings of training that these files have otherwise."""
        return {name: given for name in RENAMED if (given := getattr(self, name, None)) is not None}

    @model_validator(mode="after")
    def _names_of_other_graphs(self) -> Self:
        for name in self.renamed():
            if self.graphs is None:
                raise ValueError(f"`{name}` is for other graphs than those trained on; give `graphs`")
        return self


class GraphsEvaluate(OtherGraphs, EvaluateOptions):
    """Settings of ``multiunet evaluate graphs``."""

    other: ClassVar[str | None] = "graphs"

    graphs: Path | None = option(
        None, "other graphs with the same features and with labels; all are scored instead of a split", "Data"
    )
    label_column: StrList | None = option(
        None, "name of the label column in labels.csv, nodes.csv or the CSV; default: as trained", "Data"
    )


class GraphsPredict(OtherGraphs, PredictRows):
    """Settings of ``multiunet predict graphs``."""

    data: ClassVar[str | None] = "graphs"

    graphs: Path | None = option(None, "graphs of the same features; default: those trained on", "Data")
