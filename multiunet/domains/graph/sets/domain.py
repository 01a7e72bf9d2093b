"""Many graphs, from files to a trained model and back to files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multiunet.device import pick_device
from multiunet.domains.cases import Album
from multiunet.domains.digest import check_unchanged
from multiunet.domains.domain import Domain, Validator
from multiunet.domains.evaluation import score_pieces
from multiunet.domains.graph.features.content import hash_field
from multiunet.domains.graph.features.inputs import edges_of, fields_of
from multiunet.domains.graph.files.collection import GraphSet
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.info import GraphSetInfo
from multiunet.domains.graph.measure import measure_shares
from multiunet.domains.graph.operators import make_attention, make_conv, make_geometry
from multiunet.domains.graph.options import GraphMeasure
from multiunet.domains.graph.picture.album import GraphAlbum, NodeAlbum
from multiunet.domains.graph.prediction import (
    known_of,
    predict_moments,
    score_neighbourhoods,
    splits_of,
    store_rows,
)
from multiunet.domains.graph.sets import baselines
from multiunet.domains.graph.sets.config import GraphsEvaluate, GraphsPredict, GraphsTrain, OtherGraphs
from multiunet.domains.graph.sets.dataset import TrainingGraphs, batch_graphs, unite_batches
from multiunet.domains.graph.sets.survey import Survey, source_of, survey
from multiunet.domains.graph.summary import summarise_graphs
from multiunet.domains.graph.targets import read_targets
from multiunet.domains.graph.task import make_task
from multiunet.domains.graph.writers import export
from multiunet.domains.labelled import Baseline, Labelled, Piece
from multiunet.domains.model import DEFAULT_BUDGET, Budget, Model
from multiunet.errors import InputError
from multiunet.geometries.graph.field import GraphField
from multiunet.models.graph_readout import graph_readout_unet
from multiunet.models.graph_unet import graph_unet
from multiunet.prediction import PredictionStore
from multiunet.progress import SILENT, Progress
from multiunet.tasks import Task
from multiunet.training.data import TrainingData
from multiunet.uncertainty import Moments


@dataclass(frozen=True)
class LabelledGraphs:
    """Graphs with the targets of each, ``(rows, ...)``, and the numbers of those that are scored.

    All graphs of a file are there: those that are scored are predicted together with those that ``predict`` unites them
    with, so that the same samples of dropout give the same prediction.
    """

    ids: Sequence[str]
    fields: Sequence[GraphField]
    targets: Sequence[Tensor]
    scored: Sequence[int]


class GraphsDomain(Domain[GraphsTrain, GraphsPredict, GraphSetInfo]):
    """Classes and quantities of graphs, or of the nodes of graphs that were not trained on."""

    name = "graphs"
    info_type = GraphSetInfo

    def __init__(self) -> None:
        self._read: dict[tuple[Path, Source], GraphSet] = {}
        self._known: dict[str, Survey] = {}

    def inspect(self, config: GraphsTrain) -> GraphSetInfo:
        return self._survey(config).info

    def summarise(self, config: GraphsTrain, info: GraphSetInfo) -> dict[str, str]:
        return summarise_graphs(config.graphs, info)

    def build(self, config: GraphsTrain, info: GraphSetInfo) -> Model:
        task, attributes = make_task(config, info), info.inputs.attributes.count
        conv = make_conv(config.conv or ("gine" if attributes else "gin"), attributes)
        geometry = make_geometry(config, info, conv, whole_channels=True)
        shape = info.inputs.channels, task.channels, config.widths
        shared: dict[str, Any] = {
            "geometry": geometry,
            "pool_ratio": config.pool_ratio,
            "skip": config.skip,
            "attention": make_attention(config, config.widths[-1]),
        }
        if config.level == "node":
            net: nn.Module = graph_unet(*shape, **shared)
        else:
            net = graph_readout_unet(
                *shape,
                **shared,
                readouts=config.readout,
                dropout=config.dropout,
            )
        return Model(net, task, geometry)

    def training_data(
        self, config: GraphsTrain, info: GraphSetInfo, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> TrainingData[GraphField]:
        return TrainingGraphs(self._same(config, info))

    def validator(
        self, config: GraphsTrain, info: GraphSetInfo, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> Validator:
        known, task = self._same(config, info), model.task
        members = known.members["val"]
        united = list(unite_batches([known.fields[graph] for graph in members]))
        target = torch.cat([known.targets[graph] for graph in members])

        def validate(net: nn.Module) -> Mapping[str, Any]:
            device = next(net.parameters()).device
            output = torch.cat([net(field.to(device)).x.float().cpu() for field in united])
            piece = Piece(task.distribution(output)[0], target)
            return {"loss": float(task.loss(output, target)), **score_pieces(task, [piece]).total.result()}

        return validate

    def inputs(self, config: GraphsTrain, info: GraphSetInfo, options: GraphsPredict) -> list[str]:
        graphs, _ = self._to_predict(config, info, options)
        return list(graphs.ids) if config.level == "node" else [graphs.path.stem]

    def predict(
        self,
        model: Model,
        config: GraphsTrain,
        info: GraphSetInfo,
        options: GraphsPredict,
        store: PredictionStore,
        progress: Progress,
    ) -> None:
        graphs, fields = self._to_predict(config, info, options)
        source, own = ("graphs", graphs.path), options.graphs is None
        progress.start_input(graphs.path.stem, 0, 1)
        predicted = []
        for graph, moments in _predict(model, config, fields, range(len(graphs)), options):
            predicted.append(moments)
            progress.update_tiles(graph + 1, len(graphs), "graph")
        splits = splits_of(info, graphs.ids) if own else None
        if config.level == "graph":
            known, ids = known_of("graph", info, splits, graphs.y), np.array(graphs.ids, dtype=object)
            store_rows(store, source, graphs.path.stem, "graph", ids, model, _concatenate(predicted), known)
            return
        for graph, name in enumerate(graphs.ids):
            nodes = slice(*graphs.starts[graph : graph + 2])
            words = None if splits is None else np.full(nodes.stop - nodes.start, splits[graph])
            known = known_of("node", info, words, None if graphs.y is None else graphs.y[nodes])
            ids, edges = graphs.node_names(graph), fields[graph].edge_index
            store_rows(store, source, name, "node", ids, model, predicted[graph], known, edges)

    def export(
        self, prediction: Path, folder: Path, info: GraphSetInfo, options: GraphsPredict | None = None
    ) -> list[Path]:
        return export(prediction, folder, info, info.level)

    def read(self, config: GraphsTrain, info: GraphSetInfo, options: GraphsEvaluate) -> Labelled:
        if options.graphs is None:
            known = self._same(config, info)
            scored = known.members[options.split].tolist()
            if not scored:
                raise InputError(
                    f"{config.graphs}: this run has no labelled {options.split} graphs; train with some, or score "
                    "others by `graphs`"
                )
            found = LabelledGraphs(known.graphs.ids, known.fields, known.targets, scored)
            return Labelled(f"{options.split} split", {config.graphs.stem: found})
        graphs = read_graphs(options.graphs, _source(config, options))
        assert graphs.y is not None  # read_graphs refuses unlabelled graphs
        target = read_targets(options.graphs, graphs.y, info, config.level, graphs.place)
        fields = fields_of(graphs, info.inputs, edges_of(graphs, config.undirected))
        sizes = [len(field.x) if config.level == "node" else 1 for field in fields]
        found = LabelledGraphs(graphs.ids, fields, target.split(sizes), range(len(graphs)))
        return Labelled(
            str(options.graphs),
            {options.graphs.stem: found},
            keys={name: [hash_field(field)] for name, field in zip(graphs.ids, fields)},
            remedy="leave them out, or score the run's own graphs by `split`",
        )

    def predict_labelled(
        self,
        model: Model,
        config: GraphsTrain,
        info: GraphSetInfo,
        data: Labelled,
        options: GraphsEvaluate,
        progress: Progress = SILENT,
    ) -> Iterator[Piece]:
        for place, (name, graphs) in enumerate(data.items.items()):
            progress.start_input(name, place, len(data.items))
            found = _predict(model, config, graphs.fields, graphs.scored, options)
            for done, (graph, moments) in enumerate(found, start=1):
                progress.update_tiles(done, len(graphs.scored), "graph")
                yield _piece(config, graphs, graph, moments.mean, moments)

    def album(self, model: Model, info: GraphSetInfo, data: Labelled) -> Album:
        fields = {graphs.ids[one]: graphs.fields[one] for graphs in data.items.values() for one in graphs.scored}
        if info.level == "graph":
            return GraphAlbum(fields, model.task.names)
        return NodeAlbum({name: (field, None) for name, field in fields.items()}, model.task.names)

    def fit_baselines(self, task: Task, config: GraphsTrain, info: GraphSetInfo) -> Mapping[str, Baseline]:
        methods = baselines.methods(self._same(config, info), task, config.seed)

        def baseline(method: baselines.Method) -> Baseline:
            def predict(data: Labelled) -> Iterator[Piece]:
                for graphs in data.items.values():
                    means = method([graphs.fields[graph] for graph in graphs.scored])
                    yield from (_piece(config, graphs, graph, mean) for graph, mean in zip(graphs.scored, means))

            return predict

        return {name: baseline(method) for name, method in methods.items()}

    def measure(self, options: GraphMeasure, folder: Path | None) -> Mapping[str, Any]:
        return measure_shares(options, folder, together=True)

    def example(self, model: Model, config: GraphsTrain, info: GraphSetInfo) -> GraphField:
        """Return the largest training graph."""
        known = self._same(config, info)
        fields: list[GraphField] = [known.fields[graph] for graph in known.members["train"]]
        return max(fields, key=lambda field: len(field.x))

    def _to_predict(
        self, config: GraphsTrain, info: GraphSetInfo, options: GraphsPredict
    ) -> tuple[GraphSet, list[GraphField]]:
        """Read the graphs to predict, as they are in their file and as the network takes them."""
        source = _source(config, options)
        try:  # the run's own graphs were labelled
            graphs = read_graphs(options.graphs or config.graphs, source, labelled=options.graphs is None)
        except InputError:  # they have changed: a prediction needs no label
            graphs = read_graphs(options.graphs or config.graphs, source, labelled=False)
        return graphs, fields_of(graphs, info.inputs, edges_of(graphs, config.undirected))

    def _survey(self, config: GraphsTrain) -> Survey:
        """Check the graphs; the folds of a cross-validation read them once."""
        place = config.graphs, source_of(config)
        if place not in self._read:
            self._read[place] = read_graphs(*place)
        key = config.model_dump_json()
        if key not in self._known:
            self._known = {key: survey(self._read[place], config)}
        return self._known[key]

    def _same(self, config: GraphsTrain, info: GraphSetInfo) -> Survey:
        known = self._survey(config)
        check_unchanged(config.graphs, known.info, info)
        return known


def _predict(
    model: Model,
    config: GraphsTrain,
    fields: Sequence[GraphField],
    wanted: Iterable[int],
    options: GraphsPredict | GraphsEvaluate,
) -> Iterator[tuple[int, Moments[Tensor]]]:
    """Yield the number and the moments of each wanted graph, ``(rows, names)``, from the batches of all."""
    device, chosen = pick_device(options.device), set(wanted)
    for batch in batch_graphs(fields):
        if chosen.isdisjoint(batch):
            continue
        united = GraphField.union([fields[graph] for graph in batch])
        moments = predict_moments(model, united, device, options.samples, options.seed)
        sizes = [len(fields[graph].x) if config.level == "node" else 1 for graph in batch]
        parts = zip(*(getattr(moments, name).split(sizes) for name in ("mean", "epistemic", "aleatoric")))
        yield from ((graph, Moments(*part)) for graph, part in zip(batch, parts) if graph in chosen)


def _concatenate(parts: Sequence[Moments[Tensor]]) -> Moments[Tensor]:
    return Moments(*(torch.cat([getattr(part, name) for part in parts]) for name in ("mean", "epistemic", "aleatoric")))


def _piece(
    config: GraphsTrain, graphs: LabelledGraphs, graph: int, mean: Tensor, moments: Moments[Tensor] | None = None
) -> Piece:
    """Return the prediction of one graph; nodes have scores by graph."""
    name = graphs.ids[graph]
    if config.level == "node":
        target, sets = graphs.targets[graph], {}
        if moments is not None and target.ndim == 1:  # classes
            sets = score_neighbourhoods(moments.mean, graphs.fields[graph].edge_index)
        return Piece(mean, target, moments, item=name, set_scores=sets)
    return Piece(mean, graphs.targets[graph], moments, rows=(name,))


def _source(config: GraphsTrain, options: OtherGraphs) -> Source:
    """Return how the files of ``options`` are read: as in training, unless they say otherwise."""
    source = source_of(config.model_copy(update=options.renamed()))
    unnamed = options.graphs is not None and options.id_column is None
    return replace(source, numbered=unnamed, skip=source.skip or options.skip_invalid)
