"""Graphs, from files to a trained model and back to files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.device import pick_device
from multiunet.domains.config import EvaluateOptions, Split
from multiunet.domains.digest import digest_of
from multiunet.domains.domain import DEFAULT_BUDGET, Budget, Domain, Facts, Model, Report, Validator
from multiunet.domains.graph import writers
from multiunet.domains.graph.files.readers import GraphFile, read_graph
from multiunet.domains.graph.labels import UNKNOWN, truth_of
from multiunet.domains.graph.moments import moments_of
from multiunet.domains.graph.nodes import baselines
from multiunet.domains.graph.nodes.config import GraphEvaluate, GraphPredict, GraphTrain
from multiunet.domains.graph.nodes.dataset import WholeGraph
from multiunet.domains.graph.nodes.memory import part_nodes
from multiunet.domains.graph.nodes.parts import GraphParts
from multiunet.domains.graph.nodes.survey import Survey, columns_of, edges_of, field_of, places_of, survey
from multiunet.domains.graph.operators import make_conv, make_pool
from multiunet.domains.graph.picture import plot
from multiunet.domains.graph.scoring import Predicted, scores
from multiunet.errors import InputError
from multiunet.files import check_creatable
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.losses import Consistent, CrossEntropy
from multiunet.memory import free_memory
from multiunet.models.graph_unet import graph_unet
from multiunet.prediction import Ensemble, PredictionStore
from multiunet.progress import Progress
from multiunet.tasks import ClassificationScore, Regression, Segmentation, Task
from multiunet.training.data import TrainingData
from multiunet.uncertainty import Moments

logger = logging.getLogger("multiunet.graph")

VIEWS = 2
"""That are compared where few nodes are labelled."""

FEW = 0.1
"""Share of the nodes that train below which the others are asked to teach, too."""


class GraphDomain(Domain[GraphTrain, GraphPredict, Facts]):
    """Classes and quantities of the nodes of one graph, transductively."""

    name = "graph"
    monitor = "accuracy"
    shared_facts = (
        *("task", "features", "feature_names", "degrees", "normalization", "classes", "targets"),
        *("edge_features", "edge_feature_names", "edge_normalization"),
    )

    def __init__(self) -> None:
        self._known: tuple[str, Survey] | None = None

    def inspect(self, config: GraphTrain) -> Facts:
        return self._survey(config).facts

    def plan(self, config: GraphTrain, facts: Facts, before: Facts | None) -> tuple[GraphTrain, Facts]:
        if config.batch_nodes is None:
            parts = _parts(config, facts) if before is None else before.get("batch_nodes")
            if parts is not None:
                logger.warning(
                    f"{config.graph}: a step on all {facts['nodes']:,} nodes would take more memory than is free, so "
                    f"training is in parts of at most {parts:,} nodes (--batch-nodes)"
                )
                return config.model_copy(update={"batch_nodes": parts}), facts | {"batch_nodes": parts}
        return config, facts

    def build(self, config: GraphTrain, facts: Facts) -> Model:
        task = _task(config, facts, _consistency(config, facts))
        # of quantities r2 judges shift and scale, too, which a correlation forgives
        self.monitor = "accuracy" if facts["task"] == "classification" else "r2"
        geometry = Graph(
            conv=make_conv(config.conv, facts["edge_features"], config.hops, config.teleport),
            normalization=config.normalization,
            dropout=config.dropout,
            edge_dropout=config.edge_dropout,
            convs=config.convs,
            residual=config.residual,
            pool=make_pool(config, facts["coarse_edges"]["kind"]),
        )
        net = graph_unet(
            facts["features"],
            task.channels,
            config.widths,
            geometry=geometry,
            pool_ratio=config.pool_ratio,
            skip=config.skip,
            input_dropout=config.input_dropout,
        )
        return Model(net, task, geometry)

    def training_data(
        self, config: GraphTrain, facts: Facts, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> TrainingData[GraphField]:
        known, views = self._read(config, facts), VIEWS if _consistency(config, facts) else 1
        if config.batch_nodes is None or config.batch_nodes >= len(known.target):
            return WholeGraph(known, views)
        return GraphParts(known, config.batch_nodes, config.seed, views)

    def validator(self, config: GraphTrain, facts: Facts, model: Model, budget: Budget = DEFAULT_BUDGET) -> Validator:
        known = self._read(config, facts)
        scored, task = Scored.split(known, "val"), _task(config, facts)

        def validate(net: nn.Module) -> Mapping[str, Any]:
            output = net(known.field.to(next(net.parameters()).device)).x.float().cpu()
            loss = float(task.loss(output, known.target, scored.nodes.float()))
            return {"loss": loss, **scored.scores(task, task.distribution(output)[0])}

        return validate

    def inputs(self, config: GraphTrain, facts: Facts, options: GraphPredict) -> list[str]:
        _check_plot(options)
        return [self._unlabelled(config, facts, options)[0].path.stem]

    def _unlabelled(self, config: GraphTrain, facts: Facts, options: GraphPredict) -> tuple[GraphFile, GraphField]:
        """The graph to predict, as it is in its file and as the network takes it."""
        graph = read_graph(options.graph or config.graph, columns_of(config), labelled=False)
        return graph, field_of(graph, facts, edges_of(graph, config.undirected))

    def predict(
        self,
        model: Model,
        config: GraphTrain,
        facts: Facts,
        options: GraphPredict,
        store: PredictionStore,
        progress: Progress,
    ) -> None:
        _check_plot(options)
        graph, field = self._unlabelled(config, facts, options)
        progress.start_input(graph.path.stem, 0, 1)
        moments = moments_of(model, field, pick_device(options.device), options.samples, options.seed)
        decision = model.task.decide(moments.mean)
        writer = store.item(
            graph.path.stem,
            names=model.task.names,
            dims=("node",),
            shape=(len(graph.ids),),
            coords={"node": graph.ids},
            decided=decision is not None,
            attrs={"graph": str(graph.path)},
        )
        sites_last = Moments(moments.mean.T, moments.epistemic.T, moments.aleatoric.T)
        writer.write((slice(0, len(graph.ids)),), sites_last, decision)
        if options.plot is not None:
            total = moments.epistemic + moments.aleatoric
            classes = None if decision is None else decision.numpy()
            predicted = plot.Predicted(
                graph.path.stem, model.task.names, moments.mean.numpy(), total.numpy(), classes, places_of(graph)
            )
            plot.draw(predicted, _levels(model, field), options.plot)

    def export(self, prediction: Path, folder: Path, facts: Facts, options: GraphPredict | None = None) -> list[Path]:
        return writers.export(prediction, folder, facts)

    def evaluate(self, model: Model, config: GraphTrain, facts: Facts, options: EvaluateOptions) -> Report:
        known = self._read(config, facts)
        return self._report(model, config, known, Scored.split(known, options.split), options)

    def evaluate_elsewhere(
        self, model: Model, runs: Mapping[str, tuple[GraphTrain, Facts]], options: GraphEvaluate
    ) -> Report:
        path, (config, facts) = options.graph, next(iter(runs.values()))
        assert path is not None  # that is what elsewhere means
        for name, (one, _) in runs.items():
            if path.resolve() == one.graph.resolve():
                raise InputError(f"{path}: is the graph that {name} was trained on; score its nodes by --split alone")
        graph, known = read_graph(path, columns_of(config)), self._read(config, facts)
        scored = Scored.other(graph, config, known)
        trained = {config.graph: known.field}
        others = {(one.graph, own["data"]): (one, own) for one, own in runs.values()}
        del others[config.graph, facts["data"]]
        for one, own in others.values():
            seen = self._read(one, own).graph
            trained[one.graph] = field_of(seen, facts, edges_of(seen, config.undirected))
        for place, field in trained.items():
            _tell_if_same(scored, place, field)
        return self._report(model, config, known, scored, options)

    def _report(
        self, model: Model, config: GraphTrain, known: Survey, scored: Scored, options: EvaluateOptions
    ) -> Report:
        task = _task(config, known.facts)
        found = moments_of(model, scored.field, pick_device(options.device), options.samples or 1, seed=0)
        x = scored.field.x.to_dense()
        trivial = {
            name: scored.scores(task, means(x)) for name, means in baselines.methods(known, task, config.seed).items()
        }
        return Report(self.name, scored.name, scored.scores(task, found.mean, found.total), trivial)

    def example(self, model: Model, config: GraphTrain, facts: Facts) -> GraphField:
        return self._read(config, facts).field

    def _survey(self, config: GraphTrain) -> Survey:
        key = config.model_dump_json(exclude={"batch_nodes"})  # which are decided after a look at the graph
        if self._known is None or self._known[0] != key:
            self._known = key, survey(config)
        return self._known[1]

    def _read(self, config: GraphTrain, facts: Facts) -> Survey:
        known = self._survey(config)
        if known.facts["data"] != facts["data"]:
            raise InputError(f"{config.graph}: has changed since the run was trained on it; restore it, or train anew")
        return known


@dataclass(frozen=True)
class Scored:
    """Nodes with labels that are to be scored.

    Attributes:
        name: of what they are.
        target: of all nodes.
        nodes: which of them are scored, ``(nodes,)``, bool.
    """

    name: str
    field: GraphField
    target: Tensor
    nodes: Tensor

    @classmethod
    def split(cls, known: Survey, split: Split) -> Scored:
        """Of the graph trained on."""
        nodes = torch.from_numpy(known.masks[split])
        if not nodes.any():
            raise InputError(
                f"{known.graph.path}: this run has no labelled {split} nodes; train with a {split} mask, or score "
                "another graph by --graph"
            )
        return cls(f"{split} split", known.field, known.target, nodes)

    @classmethod
    def other(cls, graph: GraphFile, config: GraphTrain, known: Survey) -> Scored:
        """All labelled nodes of another graph."""
        assert graph.y is not None  # read_graph refuses unlabelled graphs
        target = truth_of(graph.path, graph.y, known.facts, place=graph.place)
        nodes = target != UNKNOWN if target.ndim == 1 else (~target.isnan()).any(dim=1)
        field = field_of(graph, known.facts, edges_of(graph, config.undirected))
        return cls(str(graph.path), field, target, nodes)

    def scores(self, task: Task, mean: Tensor, total: Tensor | None = None) -> dict[str, Any]:
        """Of mean predictions of all nodes ``(nodes, names)``, and their variances."""
        of = self.nodes
        return scores(task, Predicted(mean[of], self.target[of], None if total is None else total[of]))


def _tell_if_same(scored: Scored, place: Path, trained: GraphField) -> None:
    if _digest(scored.field) == _digest(trained):
        logger.warning(
            f"{scored.name}: has the features and edges of {place}, which was trained on; its scores say nothing of "
            "new graphs"
        )


def _digest(field: GraphField) -> str:
    return digest_of([field.x.to_dense().numpy(), field.edge_index.numpy()])


def _task(config: GraphTrain, facts: Facts, consistency: float = 0.0) -> Task:
    """The task, by default as it judges one view of the graph."""
    if facts["task"] == "regression":
        return Regression(facts["targets"], config.loss, facts["centre"], facts["scale"])
    loss: nn.Module = CrossEntropy(config.label_smoothing, ignore_index=UNKNOWN)
    if consistency:
        loss = Consistent(loss, VIEWS, consistency)
    return Segmentation(facts["classes"], ignore_index=UNKNOWN, loss=loss, score=ClassificationScore)


def _parts(config: GraphTrain, facts: Facts) -> int | None:
    """The nodes of parts, where the whole graph does not fit."""
    views = VIEWS if _consistency(config, facts) else 1
    free = free_memory(pick_device(config.device))
    two_hop = facts["coarse_edges"]["kind"] == "two-hop"
    return part_nodes(config, facts["nodes"], facts["edges"]["used"], facts["features"], views, free, two_hop)


def _consistency(config: GraphTrain, facts: Facts) -> float:
    """The weight of the agreement of several views."""
    if facts["task"] != "classification":
        return 0.0
    if config.consistency is not None:
        return config.consistency
    return 1.0 if facts["split"]["train"] < FEW * facts["nodes"] else 0.0


def _check_plot(options: GraphPredict) -> None:
    if options.plot is None:
        return
    if options.plot.exists() and not options.overwrite:
        raise InputError(f"{options.plot}: exists already; pass --overwrite or another --plot")
    check_creatable(options.plot)


@torch.no_grad()
def _levels(model: Model, field: GraphField) -> list[GraphField]:
    """The graph and its coarser ones, as the network without dropout makes them; of an ensemble its first member."""
    net: Any = model.net.nets[0] if isinstance(model.net, Ensemble) else model.net
    trail = net.encode(field.to(next(net.parameters()).device))
    return [*trail.saved, trail.bottom]
