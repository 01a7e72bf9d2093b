"""Many graphs, from files to a trained model and back to files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multiunet.device import pick_device
from multiunet.domains.config import EvaluateOptions, Split
from multiunet.domains.domain import DEFAULT_BUDGET, Budget, Domain, Facts, Model, Report, Validator
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.labels import UNKNOWN, truth_of
from multiunet.domains.graph.moments import moments_of
from multiunet.domains.graph.operators import make_conv, make_pool
from multiunet.domains.graph.scoring import Predicted, pooled, scores
from multiunet.domains.graph.sets import baselines
from multiunet.domains.graph.sets.config import GraphsEvaluate, GraphsPredict, GraphsTrain, OtherGraphs
from multiunet.domains.graph.sets.dataset import TrainingGraphs, batches
from multiunet.domains.graph.sets.features import edges_of, fields_of, fingerprint
from multiunet.domains.graph.sets.survey import Survey, source_of, survey
from multiunet.domains.graph.writers import export
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.losses import CrossEntropy
from multiunet.models.graph_readout import graph_readout_unet
from multiunet.models.graph_unet import graph_unet
from multiunet.prediction import PredictionStore
from multiunet.progress import Progress
from multiunet.tasks import ClassificationScore, Regression, Segmentation, Task
from multiunet.training.data import TrainingData
from multiunet.uncertainty import Moments

logger = logging.getLogger("multiunet.graphs")


class GraphsDomain(Domain[GraphsTrain, GraphsPredict, Facts]):
    """Classes and quantities of graphs, or of the nodes of graphs that were not trained on."""

    name = "graphs"
    monitor = "accuracy"
    shared_facts = (
        *("task", "level", "smiles", "features", "given_features", "feature_names", "tags", "degrees"),
        *("normalization", "edge_features", "edge_feature_names", "edge_normalization", "classes", "targets"),
    )

    def __init__(self) -> None:
        self._read: dict[tuple[Path, Source], GraphSet] = {}
        self._known: dict[str, Survey] = {}

    def inspect(self, config: GraphsTrain) -> Facts:
        return self._survey(config).facts

    def build(self, config: GraphsTrain, facts: Facts) -> Model:
        task = _task(config, facts)
        # of quantities r2 judges shift and scale, too, which a correlation forgives
        self.monitor = "accuracy" if facts["task"] == "classification" else "r2"
        geometry = Graph(
            conv=make_conv(config.conv or ("gine" if facts["edge_features"] else "gin"), facts["edge_features"]),
            normalization=config.normalization,
            dropout=config.dropout,
            whole_channels=True,
            convs=config.convs,
            residual=config.residual,
            edge_dropout=config.edge_dropout,
            pool=make_pool(config, facts["coarse_edges"]["kind"]),
        )
        shape = facts["features"], task.channels, config.widths
        if config.level == "node":
            net: nn.Module = graph_unet(*shape, geometry=geometry, pool_ratio=config.pool_ratio, skip=config.skip)
        else:
            net = graph_readout_unet(
                *shape,
                geometry=geometry,
                pool_ratio=config.pool_ratio,
                skip=config.skip,
                readouts=config.readout,
                dropout=config.dropout,
            )
        return Model(net, task, geometry)

    def training_data(
        self, config: GraphsTrain, facts: Facts, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> TrainingData[GraphField]:
        return TrainingGraphs(self._same(config, facts))

    def validator(self, config: GraphsTrain, facts: Facts, model: Model, budget: Budget = DEFAULT_BUDGET) -> Validator:
        known = self._same(config, facts)
        members = known.members["val"]
        united = list(batches([known.fields[graph] for graph in members]))
        truth = torch.cat([known.targets[graph] for graph in members])

        def validate(net: nn.Module) -> Mapping[str, Any]:
            device = next(net.parameters()).device
            output = torch.cat([net(field.to(device)).x.float().cpu() for field in united])
            mean = model.task.distribution(output)[0]
            return {"loss": float(model.task.loss(output, truth)), **scores(model.task, Predicted(mean, truth))}

        return validate

    def inputs(self, config: GraphsTrain, facts: Facts, options: GraphsPredict) -> list[str]:
        graphs, _ = self._unlabelled(config, facts, options)
        return list(graphs.ids) if config.level == "node" else [graphs.path.stem]

    def predict(
        self,
        model: Model,
        config: GraphsTrain,
        facts: Facts,
        options: GraphsPredict,
        store: PredictionStore,
        progress: Progress,
    ) -> None:
        graphs, fields = self._unlabelled(config, facts, options)
        progress.start_input(graphs.path.stem, 0, 1)
        moments = _of_graphs(
            model,
            fields,
            pick_device(options.device),
            options.samples,
            options.seed,
            lambda done: progress.update_tiles(done, len(graphs)),
        )
        if config.level == "graph":
            _write(
                store, graphs.path, graphs.path.stem, "graph", np.array(graphs.ids, dtype=object), model.task, moments
            )
            return
        for graph, (name, (a, b)) in enumerate(zip(graphs.ids, pairwise(graphs.starts.tolist()))):
            part = Moments(moments.mean[a:b], moments.epistemic[a:b], moments.aleatoric[a:b])
            _write(store, graphs.path, name, "node", graphs.names_of(graph), model.task, part)

    def export(self, prediction: Path, folder: Path, facts: Facts, options: GraphsPredict | None = None) -> list[Path]:
        return export(prediction, folder, facts, facts["level"])

    def evaluate(self, model: Model, config: GraphsTrain, facts: Facts, options: EvaluateOptions) -> Report:
        return self.evaluate_folds([(model, config, facts)], options)

    def evaluate_folds(self, folds: Sequence[tuple[Model, GraphsTrain, Facts]], options: EvaluateOptions) -> Report:
        parts = []
        for model, config, facts in folds:
            known = self._same(config, facts)
            parts.append(_predicted(model, known, config, *_labelled(known, config, options.split), options))
        return _report(f"{options.split} split", folds[0][0].task, parts)

    def evaluate_elsewhere(
        self, model: Model, runs: Mapping[str, tuple[GraphsTrain, Facts]], options: GraphsEvaluate
    ) -> Report:
        path, (config, facts) = options.graphs, next(iter(runs.values()))
        assert path is not None  # that is what elsewhere means
        for name, (one, _) in runs.items():
            if path.resolve() == one.graphs.resolve():
                raise InputError(f"{path}: are the graphs that {name} was trained on; score them by --split alone")
        graphs = read_graphs(path, _source(config, options))
        self._tell_of_seen(graphs, list(runs.values()))
        known = self._same(config, facts)
        assert graphs.y is not None  # read_graphs refuses unlabelled graphs
        truth = truth_of(path, graphs.y, facts, config.level, graphs.place)
        fields = fields_of(graphs, facts, edges_of(graphs, config.undirected))
        return _report(str(path), model.task, [_predicted(model, known, config, fields, truth, options)])

    def example(self, model: Model, config: GraphsTrain, facts: Facts) -> GraphField:
        """The largest training graph."""
        known = self._same(config, facts)
        fields: list[GraphField] = [known.fields[graph] for graph in known.members["train"]]
        return max(fields, key=lambda field: len(field.x))

    def _unlabelled(
        self, config: GraphsTrain, facts: Facts, options: GraphsPredict
    ) -> tuple[GraphSet, list[GraphField]]:
        """The graphs to predict, as they are in their file and as the network takes them."""
        graphs = read_graphs(options.graphs or config.graphs, _source(config, options), labelled=False)
        return graphs, fields_of(graphs, facts, edges_of(graphs, config.undirected))

    def _tell_of_seen(self, graphs: GraphSet, runs: Sequence[tuple[GraphsTrain, Facts]]) -> None:
        """Says how many graphs any of the runs was trained or validated on."""
        again = np.zeros(len(graphs), dtype=bool)
        for config, facts in reversed(runs):  # the first last: its survey is needed once more
            known = self._same(config, facts)
            seen = {fingerprint(known.fields[graph]) for split in SPLITS[:2] for graph in known.members[split]}
            fields = fields_of(graphs, facts, edges_of(graphs, config.undirected))
            again |= [fingerprint(field) in seen for field in fields]
        if again.any():
            logger.warning(
                f"{graphs.path}: {again.sum()} of {len(graphs)} graphs are the same as ones that were trained or "
                "validated on; their scores say nothing of new graphs"
            )

    def _survey(self, config: GraphsTrain) -> Survey:
        """The folds of a cross-validation read their graphs once."""
        place = config.graphs, source_of(config)
        if place not in self._read:
            self._read[place] = read_graphs(*place)
        key = config.model_dump_json()
        if key not in self._known:
            self._known = {key: survey(self._read[place], config)}
        return self._known[key]

    def _same(self, config: GraphsTrain, facts: Facts) -> Survey:
        known = self._survey(config)
        if known.facts["data"] != facts["data"]:
            raise InputError(f"{config.graphs}: has changed since the run was trained on it; restore it, or train anew")
        return known


def _task(config: GraphsTrain, facts: Facts) -> Task:
    if facts["task"] == "regression":
        return Regression(facts["targets"], config.loss, facts["centre"], facts["scale"])
    loss = CrossEntropy(config.label_smoothing, ignore_index=UNKNOWN)
    return Segmentation(facts["classes"], ignore_index=UNKNOWN, loss=loss, score=ClassificationScore)


def _of_graphs(
    model: Model,
    fields: Sequence[GraphField],
    device: torch.device,
    samples: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Moments[Tensor]:
    """Of graphs in their order, ``(rows, names)``."""
    rows: list[Moments[Tensor]] = []
    done = 0
    for field in batches(fields):
        rows.append(moments_of(model, field, device, samples, seed))
        done += field.graphs
        if progress is not None:
            progress(done)
    return Moments(*(torch.cat([getattr(row, name) for row in rows]) for name in ("mean", "epistemic", "aleatoric")))


@dataclass(frozen=True)
class Part:
    """Graphs that a model predicted, and what trivial methods say of the same."""

    found: Predicted
    trivial: Mapping[str, Predicted]


def _predicted(
    model: Model,
    known: Survey,
    config: GraphsTrain,
    fields: Sequence[GraphField],
    truth: Tensor,
    options: EvaluateOptions,
) -> Part:
    moments = _of_graphs(model, fields, pick_device(options.device), options.samples or 1)
    trivial = baselines.trivial(known, model.task, config.seed, fields)
    return Part(
        Predicted(moments.mean, truth, moments.total),
        {name: Predicted(mean, truth) for name, mean in trivial.items()},
    )


def _report(where: str, task: Task, parts: Sequence[Part]) -> Report:
    """Scores over all parts, in which trivial methods are the same."""
    metrics, items = pooled(task, [part.found for part in parts])
    floor = {name: pooled(task, [part.trivial[name] for part in parts])[0] for name in parts[0].trivial}
    return Report(GraphsDomain.name, where, metrics, floor, items)


def _labelled(known: Survey, config: GraphsTrain, split: Split) -> tuple[list[GraphField], Tensor]:
    """The graphs of a split, and what is true of them, by row."""
    members = known.members[split]
    if not len(members):
        raise InputError(
            f"{config.graphs}: this run has no labelled {split} graphs; train with some, or score others by --graphs"
        )
    return [known.fields[graph] for graph in members], torch.cat([known.targets[graph] for graph in members])


def _source(config: GraphsTrain, options: OtherGraphs) -> Source:
    """How the files of ``options`` are read: as in training, unless they say otherwise."""
    source = source_of(config.model_copy(update=options.renamed()))
    unnamed = options.graphs is not None and options.id_column is None
    return replace(source, numbered=unnamed, skip=source.skip or options.skip_invalid)


def _write(
    store: PredictionStore, path: Path, name: str, site: str, ids: Any, task: Task, moments: Moments[Tensor]
) -> None:
    decision = task.decide(moments.mean)
    writer = store.item(
        name,
        names=task.names,
        dims=(site,),
        shape=(len(ids),),
        coords={site: ids},
        decided=decision is not None,
        attrs={"graphs": str(path)},
    )
    sites_last = Moments(moments.mean.T, moments.epistemic.T, moments.aleatoric.T)
    writer.write((slice(0, len(ids)),), sites_last, decision)
