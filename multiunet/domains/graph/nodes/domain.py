"""Nodes of a graph, from files to a trained model and back to files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.device import pick_device
from multiunet.domains.cases import Album
from multiunet.domains.config import EvaluateOptions, PredictOptions
from multiunet.domains.digest import check_unchanged
from multiunet.domains.domain import Domain, Validator
from multiunet.domains.evaluation import score_pieces
from multiunet.domains.graph import writers
from multiunet.domains.graph.features.content import hash_field
from multiunet.domains.graph.features.inputs import edges_of, field_of
from multiunet.domains.graph.files.readers import GraphFile, read_graph
from multiunet.domains.graph.info import NodeInfo
from multiunet.domains.graph.labels import UNKNOWN
from multiunet.domains.graph.measure import measure_shares
from multiunet.domains.graph.nodes import baselines
from multiunet.domains.graph.nodes.config import GraphEvaluate, GraphPredict, GraphTrain
from multiunet.domains.graph.nodes.dataset import WholeGraph
from multiunet.domains.graph.nodes.layers import predict_nodes
from multiunet.domains.graph.nodes.memory import check_attended, part_nodes
from multiunet.domains.graph.nodes.metis import check_metis, cut_by_metis
from multiunet.domains.graph.nodes.parts import GraphParts, cut_patches
from multiunet.domains.graph.nodes.smoothing import smooth_where_better
from multiunet.domains.graph.nodes.survey import Survey, columns_of, places_of, survey
from multiunet.domains.graph.operators import make_attention, make_conv, make_geometry
from multiunet.domains.graph.options import GraphMeasure
from multiunet.domains.graph.picture import plot
from multiunet.domains.graph.picture.album import NodeAlbum
from multiunet.domains.graph.prediction import (
    known_of,
    score_neighbourhoods,
    splits_of,
    store_rows,
)
from multiunet.domains.graph.summary import summarise_nodes
from multiunet.domains.graph.targets import read_targets
from multiunet.domains.graph.task import make_task
from multiunet.domains.labelled import Baseline, Labelled, Piece
from multiunet.domains.model import DEFAULT_BUDGET, Budget, Model, Planned
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError
from multiunet.files import check_file
from multiunet.geometries.graph.field import GraphField
from multiunet.memory import free_memory
from multiunet.models.graph_unet import graph_unet
from multiunet.prediction import Ensemble, PredictionStore
from multiunet.progress import SILENT, Progress
from multiunet.tasks import Task
from multiunet.training.data import TrainingData
from multiunet.uncertainty import Moments

VIEWS = 2
"""Random views of the graph that training compares where few nodes are labelled."""

FEW = 0.1
"""Share of the nodes that train below which views of the graph are compared."""


@dataclass(frozen=True)
class LabelledNodes:
    """Graph with the targets of all its nodes, and which of them are scored.

    Attributes:
        scored: ``(nodes,)``, bool.
        ids: of the scored nodes; empty where nobody asks for them.
    """

    field: GraphField
    target: Tensor
    scored: Tensor
    ids: tuple[str, ...] = ()

    def piece(self, mean: Tensor, moments: Moments[Tensor] | None = None) -> Piece:
        """Return the prediction of the scored nodes, given that of all, ``(nodes, names)``."""
        if moments is None:
            return Piece(mean[self.scored], self.target[self.scored])
        stated = moments.map(lambda part: part[self.scored])
        sets = {} if self.target.ndim > 1 else score_neighbourhoods(moments.mean, self.field.edge_index)
        scored = {method: scores[self.scored] for method, scores in sets.items()}
        return Piece(mean[self.scored], self.target[self.scored], stated, rows=self.ids, set_scores=scored)


class GraphDomain(Domain[GraphTrain, GraphPredict, NodeInfo]):
    """Classes and quantities of the nodes of one graph, transductively."""

    name = "graph"
    info_type = NodeInfo

    def __init__(self) -> None:
        self._known: tuple[str, Survey] | None = None

    def ways(self, config: GraphTrain, info: NodeInfo, options: PredictOptions | EvaluateOptions) -> tuple[str, ...]:
        smoothed = getattr(options, "correct_and_smooth", False)
        return (*super().ways(config, info, options), *(("corrected and smoothed",) if smoothed else ()))

    def inspect(self, config: GraphTrain) -> NodeInfo:
        info = self._survey(config).info
        check_attended(config, info.nodes)
        if config.partition == "metis":
            check_metis()
        return info

    def plan(self, config: GraphTrain, info: NodeInfo, before: NodeInfo | None) -> Planned[GraphTrain, NodeInfo]:
        if config.batch_nodes is None:
            parts = _parts(config, info) if before is None else before.batch_nodes
            if parts is not None:
                remark(
                    f"{config.graph}: a step on all {info.nodes:,} nodes would take more memory than is free, so "
                    f"training is in parts of at most {parts:,} nodes (`batch_nodes`)"
                )
                config = config.model_copy(update={"batch_nodes": parts})
                info = info.model_copy(update={"batch_nodes": parts})
        return Planned(config, info)

    def summarise(self, config: GraphTrain, info: NodeInfo) -> dict[str, str]:
        return summarise_nodes(config.graph, info)

    def build(self, config: GraphTrain, info: NodeInfo) -> Model:
        agreement = _consistency(config, info)
        task = make_task(config, info, VIEWS if agreement else 1, agreement)
        conv = make_conv(config.conv, info.inputs.attributes.count, config.hops, config.teleport)
        geometry = make_geometry(config, info, conv)
        net = graph_unet(
            info.inputs.channels,
            task.channels,
            config.widths,
            geometry=geometry,
            pool_ratio=config.pool_ratio,
            skip=config.skip,
            attention=make_attention(config, config.widths[-1]),
            input_dropout=config.input_dropout,
        )
        return Model(net, task, geometry)

    def check_shared(self, config: GraphTrain, info: NodeInfo) -> None:
        if config.batch_nodes is None or config.batch_nodes >= info.nodes:
            raise InputError(
                "`devices`: a step is one graph, whole, which several processes cannot share out; give `batch_nodes`, "
                "so that a step is made of parts of it, or train in one process"
            )

    def training_data(
        self, config: GraphTrain, info: NodeInfo, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> TrainingData[GraphField]:
        known, views = self._same(config, info), VIEWS if _consistency(config, info) else 1
        if config.batch_nodes is None or config.batch_nodes >= len(known.target):
            return WholeGraph(known, views)
        cut = cut_by_metis if config.partition == "metis" else cut_patches
        return GraphParts(known, config.batch_nodes, config.seed, views, cut)

    def validator(self, config: GraphTrain, info: NodeInfo, model: Model, budget: Budget = DEFAULT_BUDGET) -> Validator:
        nodes, task = _split(self._same(config, info), "val"), make_task(config, info)

        def validate(net: nn.Module) -> Mapping[str, Any]:
            output = net(nodes.field.to(next(net.parameters()).device)).x.float().cpu()
            loss = float(task.loss(output, nodes.target, nodes.scored.float()))
            piece = nodes.piece(task.distribution(output)[0])
            return {"loss": loss, **score_pieces(task, [piece]).total.result()}

        return validate

    def inputs(self, config: GraphTrain, info: NodeInfo, options: GraphPredict) -> list[str]:
        _check_plot(options)
        _check_smoothed(info, options)
        return [self._unlabelled(config, info, options)[0].path.stem]

    def _unlabelled(self, config: GraphTrain, info: NodeInfo, options: GraphPredict) -> tuple[GraphFile, GraphField]:
        """Read the graph to predict, as it is in its file and as the network takes it."""
        graph = read_graph(options.graph or config.graph, columns_of(config), labelled=False)
        return graph, field_of(graph, info.inputs, edges_of(graph, config.undirected))

    def predict(
        self,
        model: Model,
        config: GraphTrain,
        info: NodeInfo,
        options: GraphPredict,
        store: PredictionStore,
        progress: Progress,
    ) -> None:
        _check_plot(options)
        _check_smoothed(info, options)
        graph, field = self._unlabelled(config, info, options)
        progress.start_input(graph.path.stem, 0, 1)
        moments = self._predict(model, config, info, field, options, beside=store.path)
        splits = splits_of(info, graph.ids) if options.graph is None else None
        known = known_of("node", info, splits, graph.y)
        source, name = ("graph", graph.path), graph.path.stem
        store_rows(store, source, name, "node", graph.ids, model, moments, known, field.edge_index)
        if options.plot is not None:
            decision = model.task.decide(moments.mean, model.calibration)
            total = moments.epistemic + moments.aleatoric
            classes = None if decision is None or decision.ndim > 1 else decision.numpy()
            predicted = plot.Predicted(
                graph.path.stem, model.task.names, moments.mean.numpy(), total.numpy(), classes, places_of(graph)
            )
            plot.draw(predicted, _levels(model, field), options.plot)

    def export(self, prediction: Path, folder: Path, info: NodeInfo, options: GraphPredict | None = None) -> list[Path]:
        return writers.export(prediction, folder, info)

    def read(self, config: GraphTrain, info: NodeInfo, options: GraphEvaluate) -> Labelled:
        _check_smoothed(info, options)
        if options.graph is None:
            nodes = _split(self._same(config, info), options.split)
            return Labelled(f"{options.split} split", {config.graph.stem: nodes})
        graph = read_graph(options.graph, columns_of(config))
        assert graph.y is not None  # read_graph refuses unlabelled graphs
        target = read_targets(graph.path, graph.y, info, place=graph.place)
        scored = target != UNKNOWN if target.ndim == 1 else (~target.isnan()).any(dim=1)
        field = field_of(graph, info.inputs, edges_of(graph, config.undirected))
        name = graph.path.stem
        return Labelled(
            str(graph.path),
            {name: LabelledNodes(field, target, scored)},
            keys={name: [hash_field(field)]},
            remedy="score its nodes by `split` alone",
        )

    def predict_labelled(
        self,
        model: Model,
        config: GraphTrain,
        info: NodeInfo,
        data: Labelled,
        options: GraphEvaluate,
        progress: Progress = SILENT,
    ) -> Iterator[Piece]:
        for place, (name, nodes) in enumerate(data.items.items()):
            progress.start_input(name, place, len(data.items))
            moments = self._predict(model, config, info, nodes.field, options)
            yield nodes.piece(moments.mean, moments)

    def _predict(
        self,
        model: Model,
        config: GraphTrain,
        info: NodeInfo,
        field: GraphField,
        options: GraphPredict | GraphEvaluate,
        beside: Path | None = None,
    ) -> Moments[Tensor]:
        """Predict each node as the options say, ``(nodes, names)``; of what was smoothed that is calibrated."""
        how = pick_device(options.device), options.samples, options.seed, options.part_nodes
        if not options.correct_and_smooth:
            return predict_nodes(model, field, *how, beside)
        found = predict_nodes(replace(model, calibration=None), field, *how, beside)
        smoothed = smooth_where_better(self._same(config, info), found)
        return smoothed if model.calibration is None else model.calibration.apply(smoothed)

    def album(self, model: Model, info: NodeInfo, data: Labelled) -> Album:
        fields = {name: (nodes.field, nodes.scored) for name, nodes in data.items.items()}
        return NodeAlbum(fields, model.task.names)

    def fit_baselines(self, task: Task, config: GraphTrain, info: NodeInfo) -> Mapping[str, Baseline]:
        methods = baselines.methods(self._same(config, info), make_task(config, info), config.seed)

        def baseline(method: baselines.NodeMethod) -> Baseline:
            def predict(data: Labelled) -> Iterator[Piece] | None:
                means = [method(nodes.field) for nodes in data.items.values()]
                pieces = [nodes.piece(mean) for nodes, mean in zip(data.items.values(), means) if mean is not None]
                return iter(pieces) if len(pieces) == len(means) else None

            return predict

        return {name: baseline(method) for name, method in methods.items()}

    def measure(self, options: GraphMeasure, folder: Path | None) -> Mapping[str, Any]:
        return measure_shares(options, folder, together=False)

    def example(self, model: Model, config: GraphTrain, info: NodeInfo) -> GraphField:
        """Return the graph of the training."""
        return self._same(config, info).field

    def _survey(self, config: GraphTrain) -> Survey:
        key = config.model_dump_json(exclude={"batch_nodes"})  # which are decided after a look at the graph
        if self._known is None or self._known[0] != key:
            self._known = key, survey(config)
        return self._known[1]

    def _same(self, config: GraphTrain, info: NodeInfo) -> Survey:
        known = self._survey(config)
        check_unchanged(config.graph, known.info, info)
        return known


def _split(known: Survey, split: Split) -> LabelledNodes:
    """Return the nodes of a split of the graph trained on."""
    nodes = torch.from_numpy(known.masks[split])
    if not nodes.any():
        raise InputError(
            f"{known.graph.path}: this run has no labelled {split} nodes; train with a {split} mask, or score another "
            "graph by `graph`"
        )
    return LabelledNodes(known.field, known.target, nodes, known.info.split.of(split))


def _parts(config: GraphTrain, info: NodeInfo) -> int | None:
    """Return the nodes of parts, where the whole graph does not fit."""
    views = VIEWS if _consistency(config, info) else 1
    free = free_memory(pick_device(config.device))
    two_hop = info.coarse_edges.kind == "two-hop"
    return part_nodes(config, info.nodes, info.edges.used, info.inputs.channels, views, free, two_hop)


def _consistency(config: GraphTrain, info: NodeInfo) -> float:
    """Return the weight of the agreement of several views."""
    if info.target.kind != "classes":
        return 0.0
    if config.consistency is not None:
        return config.consistency
    return 1.0 if len(info.split.train) < FEW * info.nodes else 0.0


def _check_smoothed(info: NodeInfo, options: GraphPredict | GraphEvaluate) -> None:
    """Check that classes of the graph trained on are predicted, where known ones are to correct them."""
    if options.correct_and_smooth and info.target.kind != "classes":
        raise InputError(f"`correct_and_smooth` is of classes, and this run predicts {info.target.kind}; leave it out")
    if options.correct_and_smooth and options.graph is not None:
        raise InputError(
            f"{options.graph}: `correct_and_smooth` needs the training nodes, which are in the graph trained on; leave "
            "it, or `graph`, out"
        )


def _check_plot(options: GraphPredict) -> None:
    if options.plot is not None:
        check_file(options.plot, options.overwrite)


@torch.no_grad()
def _levels(model: Model, field: GraphField) -> list[GraphField]:
    """Return the graph and its coarser ones, as the network without dropout makes them; of an ensemble its first."""
    net: Any = model.net.nets[0] if isinstance(model.net, Ensemble) else model.net
    trail = net.encode(field.to(next(net.parameters()).device))
    return [*trail.saved, trail.bottom]
