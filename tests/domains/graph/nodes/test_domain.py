from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multiunet.core import SiteAttention
from multiunet.domains import inference, training
from multiunet.domains.config import EvaluateOptions, validated
from multiunet.domains.graph import operators
from multiunet.domains.graph.coarse_edges import EdgeKind
from multiunet.domains.graph.nodes import baselines
from multiunet.domains.graph.nodes.config import GraphEvaluate, GraphPredict, GraphTrain
from multiunet.domains.graph.nodes.domain import GraphDomain
from multiunet.domains.graph.nodes.survey import survey
from multiunet.domains.graph.operators import WithinMemory, make_pool
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.geometries.graph.edges import Induced, TwoHop
from multiunet.geometries.graph.merge import Contraction, HeavyEdgeMatching
from multiunet.geometries.graph.pooling import Pooling
from multiunet.geometries.graph.select import SAG, TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.losses import Consistent
from multiunet.prediction import open_prediction
from multiunet.progress import Progress
from multiunet.seeds import generator


def train(graph: Path, out: Path, **settings: Any) -> Path:
    training.train("graph", GraphTrain(graph=graph, **{"epochs": 3, **settings}), out, progress=Progress())
    return out


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_run_with_attention_attends_at_the_coarsest_level(tables: Callable[..., Path], tmp_path: Path) -> None:
    run = train(tables(), tmp_path / "run", attention="full")
    assert "attention: full" in (run / "config.yaml").read_text()
    net = load_run(run, device="cpu").net
    attending = [name for name, module in net.named_modules() if isinstance(module, SiteAttention)]
    assert [name.split(".")[0] for name in attending] == ["bottleneck"]
    inference.predict(run, GraphPredict(samples=4), tmp_path / "p.zarr")
    [dataset] = open_prediction(tmp_path / "p.zarr").values()
    assert float(dataset["epistemic"].values.max()) > 0


def test_from_tables_to_a_table(tables: Callable[..., Path], tmp_path: Path) -> None:
    run = train(tables(), tmp_path / "run")
    [file] = inference.predict(run, GraphPredict(samples=4, export=tmp_path / "export"), tmp_path / "p.zarr")
    rows = read(file)
    assert file.name == "network.csv"
    assert [row["id"] for row in rows] == ["ann", "b-2", "c, d", "7", "é"]
    [dataset] = open_prediction(tmp_path / "p.zarr").values()
    assert dataset["mean"].dims == ("channel", "node")
    assert dataset["node"].values.tolist() == [row["id"] for row in rows]
    assert dataset["channel"].values.tolist() == ["cat", "dog"]
    for index, row in enumerate(rows):
        p = dataset["mean"].values[:, index]
        assert [np.float32(row["p_cat"]), np.float32(row["p_dog"])] == p.tolist()
        assert row["class"] == ["cat", "dog"][int(p.argmax())]
        assert float(row["total"]) == pytest.approx(1 - float((p**2).sum()), abs=1e-5)
        assert float(row["total"]) == pytest.approx(float(row["epistemic"]) + float(row["aleatoric"]), abs=1e-6)
    assert float(dataset["epistemic"].values.max()) > 0


def test_runs_of_other_directions_of_edges_are_no_ensemble(save: Callable[..., Path], tmp_path: Path) -> None:
    """The edges that one of them learnt from would be read for both."""
    graph = save()
    runs = [train(graph, tmp_path / str(undirected), undirected=undirected) for undirected in (True, False)]
    with pytest.raises(InputError, match=r"False: cannot join .*True, because their `undirected` differ \(True there"):
        inference.predict(runs, GraphPredict(samples=1), tmp_path / "p.zarr")


def test_same_seed_same_prediction(save: Callable[..., Path], tmp_path: Path) -> None:
    graph, means = save(), []
    for name in ("a", "b"):
        run = train(graph, tmp_path / name, seed=3)
        inference.predict(run, GraphPredict(samples=3, seed=1), tmp_path / f"{name}.zarr")
        [dataset] = open_prediction(tmp_path / f"{name}.zarr").values()
        means.append(dataset["mean"].values)
    np.testing.assert_array_equal(*means)


def test_the_deterministic_network_has_no_epistemic_variance(save: Callable[..., Path], tmp_path: Path) -> None:
    run = train(save(), tmp_path / "run", dropout=0, input_dropout=0)
    inference.predict(run, GraphPredict(), tmp_path / "p.zarr")
    [dataset] = open_prediction(tmp_path / "p.zarr").values()
    assert not dataset["epistemic"].values.any()


def test_another_graph_can_be_predicted(save: Callable[..., Path], tmp_path: Path) -> None:
    path = save()
    run = train(path, tmp_path / "run")
    other = tmp_path / "other.npz"
    np.savez(other, x=np.zeros((5, 6)), edge_index=np.zeros((2, 0), dtype=int))
    inference.predict(run, GraphPredict(graph=other, samples=2), tmp_path / "p.zarr")
    assert open_prediction(tmp_path / "p.zarr")["other"].sizes["node"] == 5


def test_another_graph_can_be_scored(save: Callable[..., Path], tmp_path: Path) -> None:
    graph, other, rng = save(), tmp_path / "other.npz", np.random.default_rng(1)
    run = train(graph, tmp_path / "run", epochs=10)
    arrays = dict(np.load(graph)) | {
        "x": rng.normal(0.5, 2, (24, 6)),
        "y": np.r_[rng.integers(0, 2, 20), np.full(4, -1)],
    }
    np.savez(other, **arrays)
    report = inference.evaluate(run, GraphEvaluate(graph=other))
    assert report.scored == str(other)
    inference.predict(run, GraphPredict(graph=other), tmp_path / "p.zarr")
    [dataset] = open_prediction(tmp_path / "p.zarr").values()
    assert report.metrics["accuracy"] == pytest.approx((dataset["class"].values == arrays["y"])[:20].mean())
    assert report.baselines["majority"]["accuracy"] == pytest.approx((arrays["y"][:20] == 0).mean())
    # the same labels as text
    np.savez(other, **arrays | {"y": np.where(arrays["y"] < 0, "", arrays["y"].astype(str))})
    assert inference.evaluate(run, GraphEvaluate(graph=other)).metrics == report.metrics


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.arange(24) % 3, r"y has the labels 2, but the run was trained on the classes 0, 1; relabel them"),
        (np.full(24, -1), "y has no label; there is nothing to score"),
        (None, "has no labels; needs y"),
    ],
)
def test_other_graphs_that_cannot_be_scored(save: Callable[..., Path], tmp_path: Path, y: Any, reason: str) -> None:
    run, other = train(save(), tmp_path / "run"), save(y=y).rename(tmp_path / "other.npz")
    save()
    with pytest.raises(InputError, match=rf"{other}: {reason}"):
        inference.evaluate(run, GraphEvaluate(graph=other))


def test_a_copy_of_the_graph_trained_on_is_refused(save: Callable[..., Path], tmp_path: Path) -> None:
    path = save()
    run = train(path, tmp_path / "run", epochs=1)
    arrays = dict(np.load(path))
    np.savez(tmp_path / "copy.npz", **(arrays | {"edge_index": arrays["edge_index"][:, ::-1]}))
    for same in (path, tmp_path / "copy.npz"):
        with pytest.raises(InputError, match=r"were trained or validated on by .*run.*score its nodes by `split`"):
            inference.evaluate(run, GraphEvaluate(graph=same))
    np.savez(tmp_path / "other.npz", **(arrays | {"x": arrays["x"] + 1}))
    assert inference.evaluate(run, GraphEvaluate(graph=tmp_path / "other.npz")).scored == str(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="`split` and `graph` both say"):
        GraphEvaluate(graph=path, split="val")


def test_no_run_of_an_ensemble_may_have_seen_what_is_scored(save: Callable[..., Path], tmp_path: Path) -> None:
    graphs = [save().rename(tmp_path / "one.npz"), save(x=np.eye(24, 6)).rename(tmp_path / "two.npz")]
    runs = [train(graph, tmp_path / graph.stem, epochs=1, normalize_features="none") for graph in graphs]
    copy = Path(shutil.copy(graphs[1], tmp_path / "copy.npz"))
    with pytest.raises(InputError, match=r"trained or validated on by .*two .*copy is the same as two"):
        inference.evaluate(runs, GraphEvaluate(graph=copy))
    assert inference.evaluate(runs[0], GraphEvaluate(graph=copy)).scored == str(copy)


def test_classes_of_an_easy_graph_are_learnt(save: Callable[..., Path], tmp_path: Path) -> None:
    run = train(save(), tmp_path / "run", epochs=60)
    report = inference.evaluate(run).as_dict()
    assert (report["domain"], report["scored"]) == ("graph", "test split")
    calibrated = {"calibration_error", "nll", "brier"}
    assert {"accuracy", "macro_f1", "roc_auc", *calibrated} <= set(report["metrics"])
    assert 0.5 == report["baselines"]["majority"]["roc_auc"] < report["metrics"]["roc_auc"]
    assert set(report["baselines"]) == {"majority", "mlp", "label_propagation", "correct_and_smooth"}
    assert report["metrics"]["accuracy"] > report["baselines"]["majority"]["accuracy"] == 0.5
    assert report["baselines"]["mlp"]["accuracy"] > 0.8


@pytest.mark.parametrize("loss", ["beta-nll", "mse"])
def test_quantities_of_an_easy_graph_are_learnt(save: Callable[..., Path], tmp_path: Path, loss: str) -> None:
    place = np.arange(24)
    y = 100 + 10 * (place >= 12) + np.where(place == 5, np.nan, 0)
    settings = {"dropout": 0.1, "input_dropout": 0, "weight_decay": 0, "epochs": 80, "loss": loss}
    run = train(save(y=y), tmp_path / "run", task="regression", **settings)
    report = inference.evaluate(run)
    assert report.metrics["r2"] > 0.5
    assert report.baselines["mean"]["r2"] <= 0
    assert report.baselines["mlp"]["r2"] > 0
    [file] = inference.predict(run, GraphPredict(samples=2, export=tmp_path / "e"), tmp_path / "p.zarr")
    rows = read(file)
    assert list(rows[0]) == ["id", "split", "target", "y", "y_epistemic", "y_aleatoric", "y_total"]
    assert [row["target"] for row in rows[4:7]] == ["100.0", "", "100.0"]
    assert all(float(row["y_aleatoric"]) > 0 for row in rows)
    assert 95 < np.mean([float(row["y"]) for row in rows]) < 115


@torch.no_grad()
def test_the_monitor_fits_the_task(save: Callable[..., Path]) -> None:
    for task, monitor in (("classification", "accuracy"), ("regression", "r2")):
        domain, config = GraphDomain(), GraphTrain(graph=save(), task=task)
        info = domain.inspect(config)
        model = domain.build(config, info)
        scores = domain.validator(config, info, model)(model.net.eval())
        assert model.task.monitor == monitor
        assert {"loss", monitor} <= set(scores)


def test_unlabelled_nodes_teach_where_few_are_labelled(save: Callable[..., Path]) -> None:
    few = np.arange(24) % 12 == 0
    for mask, given, weight in ((few, None, 1.0), (few, 0.0, 0.0), (few, 0.3, 0.3), (None, None, 0.0)):
        settings = {} if given is None else {"consistency": given}
        graph = save() if mask is None else save(train_mask=mask, val_mask=~mask, test_mask=None)
        domain, config = GraphDomain(), GraphTrain(graph=graph, **settings)
        info = domain.inspect(config)
        model = domain.build(config, info)
        criterion = model.task.criterion
        assert (criterion.weight if isinstance(criterion, Consistent) else 0.0) == weight
        assert domain.training_data(config, info, model).draw(0, generator(0)).field.graphs == (2 if weight else 1)


@torch.no_grad()
def test_validation_scores_the_validation_nodes_alone(save: Callable[..., Path]) -> None:
    domain, config = GraphDomain(), GraphTrain(graph=save())
    info = domain.inspect(config)
    model = domain.build(config, info)
    net = model.net.eval()
    scores = domain.validator(config, info, model)(net)
    known = survey(config)
    logits, truth = net(known.field).x[known.masks["val"]], known.target[known.masks["val"]]
    assert scores["accuracy"] == pytest.approx(float((logits.argmax(dim=1) == truth).float().mean()))
    assert scores["loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(logits, truth)), rel=1e-5)


def test_baselines_by_hand(save: Callable[..., Path]) -> None:
    y = np.array([4, 4, 4, 8] * 6)
    for task, name, wanted in (("classification", "majority", [1.0, 0.0]), ("regression", "mean", [y[::3].mean()])):
        config = GraphTrain(graph=save(y=y), task=task)
        known = survey(config)
        methods = baselines.methods(known, GraphDomain().build(config, known.info).task, seed=0)
        means = methods[name](known.field)
        assert means is not None
        assert means.tolist() == [pytest.approx(wanted)] * 24


def test_a_split_without_nodes_is_said(save: Callable[..., Path], tmp_path: Path) -> None:
    run = train(save(test_mask=None), tmp_path / "run")
    assert inference.evaluate(run, EvaluateOptions(split="val")).metrics["accuracy"] is not None
    with pytest.raises(InputError, match="no labelled test nodes"):
        inference.evaluate(run, EvaluateOptions(split="test"))


def test_changed_data_are_noticed(save: Callable[..., Path], tmp_path: Path) -> None:
    run = train(save(), tmp_path / "run")
    save(y=np.arange(24) % 2)
    with pytest.raises(InputError, match="has changed since the run was trained"):
        inference.evaluate(run)


def test_bad_data_leave_nothing_behind(save: Callable[..., Path], tmp_path: Path) -> None:
    path = save(y=np.zeros(24, dtype=int))
    with pytest.raises(InputError, match="two classes are needed"):
        train(path, tmp_path / "run")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["g.npz"]


def test_a_bad_graph_to_predict_leaves_nothing_behind(save: Callable[..., Path], tmp_path: Path) -> None:
    run = train(save(), tmp_path / "run")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="no such file"):
        inference.predict(run, GraphPredict(graph=tmp_path / "none.npz"), tmp_path / "p.zarr")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("pool", ["topk", "sag", "matching", "contraction", "mincut"])
@pytest.mark.parametrize("conv", ["gcn", "gatv2"])
def test_every_pool_learns_an_easy_graph(save: Callable[..., Path], tmp_path: Path, pool: str, conv: str) -> None:
    settings = {"pool": pool, "conv": conv, "clusters": 4, "merge": "sum", "edge_dropout": 0.2, "input_dropout": 0.2}
    run = train(save(), tmp_path / "run", epochs=60, widths=[16, 16, 16], calibrate=False, **settings)
    report = inference.evaluate(run, {"samples": 4})
    assert report.metrics["accuracy"] > 0.7 > report.baselines["majority"]["accuracy"]
    inference.predict(run, GraphPredict(samples=3), tmp_path / "p.zarr")
    [dataset] = open_prediction(tmp_path / "p.zarr").values()
    assert float(dataset["epistemic"].values.max()) > 0


def test_settings_become_the_pool_that_they_name() -> None:
    def made(kind: EdgeKind = "two-hop", **settings: Any) -> Pooling:
        return make_pool(GraphTrain(graph=Path("g.npz"), **settings), kind)

    assert made() == TopK(edges=TwoHop(max_neighbours=64))
    assert made("induced", gate="sigmoid") == TopK(gate="sigmoid", edges=Induced())
    assert made(pool="sag", max_neighbours=5) == SAG(edges=TwoHop(max_neighbours=5))
    assert made(max_neighbours=None) == TopK(edges=WithinMemory(TwoHop()))
    assert made(pool="matching", merge="max") == HeavyEdgeMatching(reduce="max")
    assert made(pool="contraction") == Contraction(reduce="mean")
    assert made(pool="mincut", clusters=7) == MinCut(clusters=7)


def test_two_hops_beyond_memory_are_refused_before_they_are_formed(
    save: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = save()
    train(graph, tmp_path / "enough", max_neighbours=None)
    monkeypatch.setattr(operators, "free_memory", lambda device: 500)
    monkeypatch.setattr(TwoHop, "__call__", lambda *_: pytest.fail("formed"))
    # of a ring's 12 kept nodes each has at most 4 paths to others
    with pytest.raises(InputError, match=r"max_neighbours null: 12 kept nodes .* `max_neighbours=64`"):
        train(graph, tmp_path / "run", max_neighbours=None)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"hops": 2, "conv": "sage"}, "`hops=2` is for `conv=gcn`, not sage"),
        ({"pool": "matching", "pool_ratio": 0.3}, "`pool_ratio=0.3` does not go with `pool=matching`"),
        ({"pool": "contraction", "pool_ratio": 1}, "give 0.5, 0.25"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        validated(GraphTrain, {"graph": "g.npz", **settings}, "test")


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="`batch_size`"):
        validated(GraphTrain, {"graph": "g.npz", "batch_size": 2}, "test")
    with pytest.raises(InputError, match="did you mean 'pool_ratio'"):
        validated(GraphTrain, {"graph": "g.npz", "pool_ration": 0.5}, "test")


def test_blocks_of_several_convolutions(save: Callable[..., Path]) -> None:
    def size(**settings: Any) -> int:
        return training.plan("graph", GraphTrain(graph=save(), **settings)).parameters

    assert size(convs=2) > size()
