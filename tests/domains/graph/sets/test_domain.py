from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from multiunet_datasets.synthetic import trees_and_meshes, write_graph_set

from multiunet.core import SiteAttention
from multiunet.domains import inference, training
from multiunet.domains.config import EvaluateOptions, validated
from multiunet.domains.graph.files.sets import read_graphs
from multiunet.domains.graph.sets import baselines
from multiunet.domains.graph.sets.config import GraphsEvaluate, GraphsPredict, GraphsTrain
from multiunet.domains.graph.sets.domain import GraphsDomain
from multiunet.domains.graph.sets.survey import source_of, survey
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.geometries.graph.conv import GIN, GINE, Convolution
from multiunet.geometries.graph.pyg_conv import GATv2
from multiunet.models.graph_readout import GraphReadoutUNet
from multiunet.prediction import open_prediction
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder

SMALL = {"widths": [8, 8], "epochs": 2}


def train(graphs: Path, out: Path, **settings: Any) -> Path:
    config = GraphsTrain(graphs=graphs, **{**SMALL, **settings})
    training.train_all("graphs", config, out, progress=Progress())
    return out


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("level", ["graph", "node"])
def test_graphs_attend_at_their_coarsest_level(save_set: Callable[..., Path], tmp_path: Path, level: str) -> None:
    arrays = trees_and_meshes(40)
    if level == "node":
        arrays["y"] = (arrays["node_tag"] > arrays["node_tag"].min()).astype(int)
    run = train(save_set(**arrays), tmp_path / "run", level=level, attention="full", epochs=1)
    net = load_run(run, device="cpu").net
    attending = [name for name, module in net.named_modules() if isinstance(module, SiteAttention)]
    assert len(attending) == 1
    assert "bottleneck" in attending[0]


def test_from_a_folder_to_a_table(folder: Path, tmp_path: Path) -> None:
    for name in ("four", "five", "six"):
        (folder / name).mkdir()
        for table in ("nodes.csv", "edges.csv"):
            (folder / name / table).write_text((folder / "two" / table).read_text())
    rows = "one,a,train\ntwo,b,train\nthree,a,val\nfour,b,val\nfive,a,test\nsix,b,test\n"
    (folder / "labels.csv").write_text(f"id,label,split\n{rows}")
    run = train(folder, tmp_path / "run")
    [file] = inference.predict(run, GraphsPredict(samples=4, export=tmp_path / "e"), tmp_path / "p.zarr")
    rows = read(file)
    assert file.name == "set.csv"
    assert [row["id"] for row in rows] == ["five", "four", "one", "six", "three", "two"]
    [dataset] = open_prediction(tmp_path / "p.zarr").values()
    assert dataset["mean"].dims == ("channel", "graph")
    assert dataset["graph"].values.tolist() == [row["id"] for row in rows]
    for index, row in enumerate(rows):
        p = dataset["mean"].values[:, index]
        assert [np.float32(row["p_a"]), np.float32(row["p_b"])] == p.tolist()
        assert row["class"] == "ab"[int(p.argmax())]
        assert float(row["total"]) == pytest.approx(1 - float((p**2).sum()), abs=1e-5)
        assert float(row["total"]) == pytest.approx(float(row["epistemic"]) + float(row["aleatoric"]), abs=1e-6)
    assert float(dataset["epistemic"].values.max()) > 0
    # the same five graphs with other neighbours in the batch say the same
    for name in ("one", "three.graphml"):
        (folder / name).rename(tmp_path / name)
    inference.predict(run, GraphsPredict(samples=4), tmp_path / "q.zarr")
    [others] = open_prediction(tmp_path / "q.zarr").values()
    np.testing.assert_allclose(others["mean"].sel(graph="two"), dataset["mean"].sel(graph="two"), atol=1e-6)


def test_structure_is_learnt_that_nodes_do_not_show(tmp_path: Path) -> None:
    run = train(write_graph_set(tmp_path), tmp_path / "run", epochs=10, lr=5e-3, val_fraction=0.3)
    report = inference.evaluate(run, EvaluateOptions(split="val"))
    calibrated = {"calibration_error", "nll", "brier"}
    assert {"accuracy", "macro_f1", "roc_auc", *calibrated} <= set(report.metrics)
    assert set(report.baselines) == {"majority", "structure_free"}
    assert report.metrics["accuracy"] > 0.85 > 0.75 > report.baselines["structure_free"]["accuracy"]
    assert report.baselines["majority"]["accuracy"] == 0.5


@pytest.mark.parametrize("level", ["graph", "node"])
def test_other_graphs_can_be_scored(save_set: Callable[..., Path], tmp_path: Path, level: str) -> None:
    arrays = trees_and_meshes(40)
    if level == "node":
        arrays["y"] = (np.bincount(arrays["edge_index"][1]) > 2).astype(int)
    run, other = train(save_set(**arrays), tmp_path / "run", level=level), tmp_path / "other.npz"
    arrays = trees_and_meshes(9, seed=1)
    rows = len(arrays["y"]) if level == "graph" else len(arrays["node_tag"])
    truth = np.random.default_rng(0).integers(-1, 2, rows)
    np.savez(other, **arrays | {"y": truth})
    report = inference.evaluate(run, GraphsEvaluate(graphs=other))
    assert report.scored == str(other)
    inference.predict(run, GraphsPredict(graphs=other), tmp_path / "p.zarr")
    predicted = open_prediction(tmp_path / "p.zarr")
    names = ["other"] if level == "graph" else list(map(str, range(9)))
    found = np.concatenate([predicted[name]["class"].values for name in names])
    assert report.metrics["accuracy"] == pytest.approx((found == truth)[truth >= 0].mean())
    assert set(report.baselines) == {"majority", "structure_free"}
    np.savez(other, **arrays | {"y": truth + 7})
    with pytest.raises(InputError, match=rf"{other}: y has the labels 6, 7, 8, but the run was trained on the classes"):
        inference.evaluate(run, GraphsEvaluate(graphs=other))


def test_graphs_that_were_trained_on_are_refused(save_set: Callable[..., Path], tmp_path: Path) -> None:
    run, other = train(save_set(), tmp_path / "run", test_fraction=0.25), tmp_path / "other.npz"
    np.savez(other, **trees_and_meshes(40))
    with pytest.raises(InputError, match=r"30 of 40 inputs were trained or validated on by .*run .*leave them out"):
        inference.evaluate(run, GraphsEvaluate(graphs=other))
    np.savez(other, **trees_and_meshes(9, seed=1))
    assert inference.evaluate(run, GraphsEvaluate(graphs=other)).metrics["accuracy"] is not None


def test_no_fold_of_an_ensemble_may_have_seen_what_is_scored(save_set: Callable[..., Path], tmp_path: Path) -> None:
    folds, other = train(save_set(edge_attr=None), tmp_path / "cv", folds=4), tmp_path / "other.npz"
    tested = RunFolder.open(folds / "fold-0").dataset()["split"]["test"]
    arrays, wanted = trees_and_meshes(40), np.array(tested, dtype=int)
    nodes = np.repeat(np.arange(40), np.diff(arrays["graph_ptr"]))
    kept, place = np.isin(nodes, wanted), np.cumsum(np.isin(nodes, wanted)) - 1
    edges = arrays["edge_index"][:, kept[arrays["edge_index"][0]]]
    np.savez(
        other,
        graph_ptr=np.r_[0, np.cumsum(np.diff(arrays["graph_ptr"])[np.sort(wanted)])],
        edge_index=place[edges],
        node_tag=arrays["node_tag"][kept],
        y=arrays["y"][np.sort(wanted)],
    )
    assert inference.evaluate(folds / "fold-0", GraphsEvaluate(graphs=other)).metrics["accuracy"] is not None
    with pytest.raises(InputError, match=r"10 of 10 inputs were trained or validated on by .*fold-1"):
        inference.evaluate(folds, GraphsEvaluate(graphs=other))


def test_the_score_of_a_split_is_that_of_the_table(save_set: Callable[..., Path], tmp_path: Path) -> None:
    """Evaluate scores what predict delivers: the same samples, seed and batches, by the splits that the run records."""
    run = train(save_set(), tmp_path / "run", test_fraction=0.4, dropout=0.5, epochs=4)
    report = inference.evaluate(run)
    assert report.prediction == "16 Monte-Carlo samples, seed 0"
    [file] = inference.predict(run, GraphsPredict(export=tmp_path / "e"), tmp_path / "p.zarr")
    rows = read(file)
    tested = [row for row in rows if row["split"] == "test"]
    assert [row["id"] for row in tested] == RunFolder.open(run).dataset()["split"]["test"]
    assert report.metrics["accuracy"] == np.mean([row["class"] == row["target"] for row in tested])
    p_true = [float(row[f"p_{row['target']}"]) for row in tested]
    assert report.metrics["nll"] == pytest.approx(-np.mean(np.log(p_true)))


def test_graphs_to_score_are_called_what_options_say(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    table = tmp_path / "molecules.csv"
    table.write_text("smiles,y\n" + "".join(f"{'C' * n}O,{n}\n" for n in range(1, 13)))
    settings = {"smiles": "smiles", "label_column": "y", "task": "regression"}
    run = train(table, tmp_path / "run", **settings)
    other = tmp_path / "other.csv"
    other.write_text("structure,measured\nNCCO,2.5\nCCCN,\nCC,1\n")
    options = GraphsEvaluate(graphs=other, smiles="structure", label_column="measured")
    report = inference.evaluate(run, options)
    [file] = inference.predict(
        run,
        GraphsPredict(graphs=other, smiles="structure", export=tmp_path / "e"),
        tmp_path / "p.zarr",
    )
    values = np.array([float(row["y"]) for row in read(file)])
    errors = (values - [2.5, np.nan, 1])[[0, 2]]
    assert report.metrics["rmse"] == pytest.approx(float(np.sqrt((errors**2).mean())), rel=1e-4)
    with pytest.raises(InputError, match="has no column 'smiles'"):
        inference.evaluate(run, GraphsEvaluate(graphs=other))
    with pytest.raises(InputError, match=r"were trained or validated on by .*run"):
        inference.evaluate(run, GraphsEvaluate(graphs=table))
    for wrong, reason in (
        ({"label_column": "z"}, "`label_column` is for other graphs"),
        ({"graphs": other, "split": "val"}, "`split` and `graphs` both say"),
    ):
        with pytest.raises(ValueError, match=reason):
            GraphsEvaluate(**wrong)


def test_edges_are_dropped_in_training_alone(save_set: Callable[..., Path]) -> None:
    domain, config = GraphsDomain(), GraphsTrain(graphs=save_set(), edge_dropout=0.5, dropout=0, conv="gin", **SMALL)
    info = domain.inspect(config)
    model = domain.build(config, info)
    field = domain.example(model, config, info)
    one, two = (model.net.train()(field).x for _ in range(2))
    assert not torch.equal(one, two)
    one, two = (model.net.eval()(field).x for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("loss", ["beta-nll", "mse"])
def test_quantities_are_learnt(save_set: Callable[..., Path], tmp_path: Path, loss: str) -> None:
    sizes = np.diff(trees_and_meshes(40)["graph_ptr"])
    y = 100.0 + sizes + np.where(np.arange(40) == 5, np.nan, 0)
    settings = {"task": "regression", "epochs": 40, "loss": loss, "batch_size": 4, "dropout": 0.05}
    run = train(save_set(y=y, edge_attr=None), tmp_path / "run", val_fraction=0.3, **settings)
    report = inference.evaluate(run, EvaluateOptions(split="train", samples=1))
    assert report.metrics["r2"] > 0.5
    assert report.metrics["rmse"] == pytest.approx(report.metrics["mse"] ** 0.5)
    assert report.baselines["mean"]["r2"] == pytest.approx(0, abs=1e-5)
    assert report.baselines["structure_free"]["r2"] > 0.5  # the size is the sum of the tags
    [file] = inference.predict(run, GraphsPredict(samples=2, export=tmp_path / "e"), tmp_path / "p.zarr")
    rows = read(file)
    assert list(rows[0]) == ["id", "split", "target", "y", "y_epistemic", "y_aleatoric", "y_total"]
    assert [row["target"] for row in rows[4:6]] == [str(100.0 + sizes[4]), ""]
    assert all(float(row["y_aleatoric"]) > 0 for row in rows)


def test_molecules_and_predictions_without_labels(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    chains = [f"{'C' * n}{end}" for n in range(1, 8) for end in ("", "O", "N", "Cl")]
    rows = "".join(f"{smiles},{len(smiles) / 3}\n" for smiles in chains)
    (tmp_path / "m.csv").write_text(f"molecule,logS\n{rows}")
    settings = {"smiles": "molecule", "label_column": "logS", "task": "regression"}
    run = train(tmp_path / "m.csv", tmp_path / "run", **settings)
    (tmp_path / "new.csv").write_text("structure,name\nCCO,ethanol\nc1ccccc1,benzene\n")
    columns = {"smiles": "structure", "id_column": "name"}
    options = GraphsPredict(graphs=tmp_path / "new.csv", **columns, samples=2, export=tmp_path / "e")
    [file] = inference.predict(run, options, tmp_path / "p.zarr")
    assert [row["id"] for row in read(file)] == ["ethanol", "benzene"]
    assert list(read(file)[0])[1] == "logS"


def test_folds_are_scored_pooled_and_each(save_set: Callable[..., Path], tmp_path: Path) -> None:
    run = train(save_set(), tmp_path / "run", folds=4)
    assert sorted(path.name for path in run.iterdir() if path.is_dir()) == [f"fold-{fold}" for fold in range(4)]
    report = inference.evaluate(run)
    assert report.scored == "test split, 4 folds pooled"
    each = report.metrics["each_fold"]["accuracy"]
    assert report.metrics["accuracy"] == pytest.approx(np.mean(each))  # folds of equal size
    assert report.metrics["mean_of_folds"]["accuracy"] == pytest.approx(np.mean(each))
    assert report.metrics["sd_of_folds"]["accuracy"] == pytest.approx(np.std(each))
    assert report.baselines["majority"]["accuracy"] == 0.5
    inference.predict(run, GraphsPredict(samples=2), tmp_path / "p.zarr")
    [dataset] = open_prediction(tmp_path / "p.zarr").values()
    assert dataset.sizes["graph"] == 40


def test_nodes_of_graphs_that_were_not_trained_on(save_set: Callable[..., Path], tmp_path: Path) -> None:
    """The class of a node is whether it has more than two neighbours: its tag says nothing of it."""
    arrays = trees_and_meshes(40)
    degree = np.bincount(arrays["edge_index"][1])
    short = {"level": "node", "epochs": 30, "lr": 2e-2, "batch_size": 4, "calibrate": False}
    run = train(save_set(y=(degree > 2).astype(int)), tmp_path / "run", **short)
    report = inference.evaluate(run, GraphsEvaluate(samples=2))
    assert report.metrics["accuracy"] > 0.9 > report.baselines["structure_free"]["accuracy"]
    files = inference.predict(run, GraphsPredict(samples=2, export=tmp_path / "e"), tmp_path / "p.zarr")
    found = open_prediction(tmp_path / "p.zarr")
    assert [row["id"] for row in read(files[0])][:3] == ["0", "1", "2"]
    assert len(found) == len(files) == 40
    assert found["3"].sizes["node"] == np.diff(arrays["graph_ptr"])[3]


def test_baselines_by_hand(save_set: Callable[..., Path]) -> None:
    for task, name, values in (("classification", "majority", [1.0, 0.0]), ("regression", "mean", None)):
        domain = GraphsDomain()
        config = GraphsTrain(graphs=save_set(y=np.array([4, 4, 4, 8] * 10)), task=task)
        known = survey(read_graphs(config.graphs, source_of(config)), config)
        methods = baselines.methods(known, domain.build(config, known.info).task, 0)
        found = {method: torch.cat(fitted(known.fields[:3])) for method, fitted in methods.items()}
        truth = torch.cat([known.targets[graph] for graph in known.members["train"]])
        wanted = torch.tensor([values]) if values else truth.mean(dim=0, keepdim=True)
        torch.testing.assert_close(found[name], wanted.expand(3, -1))
        assert found["structure_free"].shape == found[name].shape


@torch.no_grad()
def test_validation_scores_the_validation_graphs_alone(save_set: Callable[..., Path]) -> None:
    for task, monitor in (("classification", "accuracy"), ("regression", "r2")):
        domain, config = GraphsDomain(), GraphsTrain(graphs=save_set(), task=task, val_fraction=0.4, **SMALL)
        info = domain.inspect(config)
        model = domain.build(config, info)
        net = model.net.eval()
        found = domain.validator(config, info, model)(net)
        assert model.task.monitor == monitor
        known = survey(read_graphs(config.graphs, source_of(config)), config)
        output = torch.cat([net(known.fields[graph]).x for graph in known.members["val"]])
        truth = torch.cat([known.targets[graph] for graph in known.members["val"]])
        assert found["loss"] == pytest.approx(float(model.task.loss(output, truth)), rel=1e-4)
        if task == "classification":
            assert found["accuracy"] == pytest.approx(float((output.argmax(dim=1) == truth).float().mean()))


def test_attributes_of_edges_choose_gine(save_set: Callable[..., Path]) -> None:
    def conv_of(path: Path, **settings: Any) -> Convolution:
        domain, config = GraphsDomain(), GraphsTrain(graphs=path, **settings)
        model = domain.build(config, domain.inspect(config))
        assert isinstance(model.net, GraphReadoutUNet)
        return model.geometry.conv

    assert conv_of(save_set()) == GINE(edge_features=1)
    assert conv_of(save_set(), conv="gatv2") == GATv2(edge_features=1)
    assert conv_of(save_set(edge_attr=None)) == GIN()


@pytest.mark.parametrize("pool", ["topk", "sag", "matching", "contraction", "mincut"])
def test_every_pool_trains_and_predicts(save_set: Callable[..., Path], tmp_path: Path, pool: str) -> None:
    run = train(save_set(), tmp_path / "run", pool=pool, readout=["sum"], skip="concat")
    assert inference.evaluate(run).metrics["accuracy"] is not None
    inference.predict(run, GraphsPredict(samples=2), tmp_path / "p.zarr")
    [dataset] = open_prediction(tmp_path / "p.zarr").values()
    assert np.isfinite(dataset["mean"].values).all()


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(
    save_set: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, config = save_set(), {"epochs": 3, "batch_size": 8, "dropout": 0.3}
    train(path, tmp_path / "whole", **config)
    draw, drawn = GraphsDomain.training_data, []

    def stopping(self: GraphsDomain, *given: Any) -> Any:
        data = draw(self, *given)
        plain = data.draw

        def counted(item: int, rng: np.random.Generator) -> Any:
            drawn.append(item)
            if len(drawn) == 50:
                raise KeyboardInterrupt
            return plain(item, rng)

        data.draw = counted
        return data

    monkeypatch.setattr(GraphsDomain, "training_data", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(path, tmp_path / "parts", **config)
    monkeypatch.undo()
    again = GraphsTrain(graphs=path, **{**SMALL, **config})
    training.train("graphs", again, tmp_path / "parts", resume="auto", progress=Progress())
    one, two = (load_run(tmp_path / name).model.net.state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_changed_data_and_empty_splits_are_noticed(save_set: Callable[..., Path], tmp_path: Path) -> None:
    run = train(save_set(), tmp_path / "run", test_fraction=0)
    with pytest.raises(InputError, match="this run has no labelled test graphs"):
        inference.evaluate(run)
    save_set(y=np.arange(40) // 20)
    with pytest.raises(InputError, match="has changed since the run was trained"):
        inference.evaluate(run, EvaluateOptions(split="val"))


def test_columns_are_those_of_other_graphs() -> None:
    with pytest.raises(InputError, match="`id_column` is for other graphs than those trained on; give `graphs`"):
        validated(GraphsPredict, {"id_column": "name"}, "test")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"pool": "matching", "pool_ratio": 0.3}, "`pool_ratio=0.3` does not go with `pool=matching`"),
        ({"smiles": "s", "level": "node"}, "`smiles` has labels of molecules, not of their atoms"),
        ({"readout": "mean,median"}, "`readout` must be .mean., .max. or .sum."),
        ({"readouts": "mean"}, "did you mean 'readout'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        validated(GraphsTrain, {"graphs": "g.npz", **settings}, "test")
