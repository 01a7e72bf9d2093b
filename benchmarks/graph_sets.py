"""How well are whole graphs classified and measured, beside methods that know less, or differ?

- ``proteins``, ``mutag``: 10-fold cross-validation, stratified; of each fold's training graphs a tenth validates and
  chooses the epoch. Accuracy, mean and deviation over the folds' test parts, of
  - ``unet``: ``multiunet train graphs --folds 10``;
  - ``gin``: torch-geometric's ``GINConv`` with a sum over the nodes of all layers; same folds, epochs, batches, rate;
  - ``structure_free``, ``majority``: the baselines of ``evaluate``. Errica et al. 2020, "A fair comparison of graph
    neural networks for graph classification", report 75.8 for their structure-free baseline on PROTEINS.
- ``esol``: solubility of molecules from SMILES, random 80/10/10 with 5 seeds. RMSE of ``unet``, ``gin`` (without
  attributes of edges), ``structure_free``, ``mean``, and ``ridge`` on eight descriptors of rdkit, its penalty chosen on
  validation.

Settings of ``unet`` are its defaults, chosen on validation, but for the number of epochs in SETTINGS.

    python benchmarks/graph_sets.py [proteins mutag esol] [--baselines]

Reads MULTIUNET_DATA (default ../shared/data beside the checkout); writes benchmarks/results/graph_sets.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiunet.domains import inference, training
from multiunet.domains.evaluation import score_pieces
from multiunet.domains.graph.files.sets import read_graphs
from multiunet.domains.graph.sets.baselines import structure_free
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.graph.sets.dataset import TrainingGraphs
from multiunet.domains.graph.sets.domain import GraphsDomain
from multiunet.domains.graph.sets.survey import Survey, source_of, survey
from multiunet.domains.labelled import Piece
from multiunet.domains.model import Model
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.readout import reduce_sum
from multiunet.models.graph_readout import make_graph_field
from multiunet.progress import Progress
from multiunet.training.loop import fit
from multiunet.training.run_folder import RunFolder, environment

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data")) / "graphs"
RESULTS = ROOT / "benchmarks" / "results" / "graph_sets.json"

SOLUBILITY = "measured log solubility in mols per litre"
SETTINGS: dict[str, dict[str, Any]] = {
    "proteins": {"graphs": DATA / "proteins.npz", "folds": 10, "epochs": 20},
    "mutag": {"graphs": DATA / "mutag.npz", "folds": 10, "epochs": 60},
    "esol": {
        **{"graphs": DATA / "esol.csv", "smiles": "smiles", "label_column": SOLUBILITY, "task": "regression"},
        "epochs": 60,
    },
}
SEEDS = range(5)
PENALTIES = 10.0 ** np.arange(-3, 4)


class SummedGIN(nn.Module):
    """Xu et al. 2019: the layers of torch-geometric's GIN, the sum over the nodes of each, a perceptron."""

    def __init__(
        self, in_channels: int, out_channels: int, width: int = 64, layers: int = 4, dropout: float = 0.2
    ) -> None:
        super().__init__()
        from torch_geometric.nn import GINConv

        sizes = [in_channels, *[width] * layers]
        self.layers = nn.ModuleList(
            GINConv(
                nn.Sequential(nn.Linear(a, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
            )
            for a in sizes[:-1]
        )
        self.head = nn.Sequential(
            nn.Linear(sum(sizes), width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, out_channels)
        )
        self.in_channels = in_channels

    def forward(self, field: GraphField) -> GraphField:
        read: list[Tensor] = [reduce_sum(field)]
        for layer in self.layers:
            field = GraphField(layer(field.x, field.edge_index), field.edge_index, field.batch, graphs=field.graphs)
            read.append(reduce_sum(field))
        return make_graph_field(self.head(torch.cat(read, dim=1)))


def score_gin(config: GraphsTrain, folder: Path) -> dict[str, Any]:
    """Return the scores on the test graphs of a SummedGIN that is trained as the U-Net is."""
    domain = GraphsDomain()
    info = domain.inspect(config)
    built = domain.build(config, info)
    torch.manual_seed(config.seed)
    model = Model(SummedGIN(info.inputs.channels, built.task.channels), built.task, built.geometry)
    known = known_of(config)
    run = RunFolder.create(folder, {"domain": "graphs"}, {})
    validate = domain.validator(config, info, model)
    data = TrainingGraphs(known)
    parts = model.net, model.task, model.geometry, data, validate
    fit(*parts, monitor=model.task.monitor, run=run, recipe=config.recipe(), progress=Progress())
    model.net.load_state_dict(run.weights()[0])
    model.net.eval()
    members = known.members["test"]
    with torch.no_grad():
        output = model.net(GraphField.union([known.fields[graph] for graph in members])).x
    truth = torch.cat([known.targets[graph] for graph in members])
    return score_pieces(model.task, [Piece(model.task.distribution(output)[0], truth)]).total.result()


def rescored(name: str, before: dict[str, Any]) -> dict[str, Any]:
    """The results of before with the structure-free baseline anew: it needs no trained network."""
    values = []
    for config in parts_of(name):
        known = known_of(config)
        task = GraphsDomain().build(config, known.info).task
        members = known.members["test"].tolist()
        means = structure_free(known, task, config.seed)([known.fields[graph] for graph in members])
        pieces = [Piece(mean, known.targets[graph]) for graph, mean in zip(members, means)]
        values.append(score_pieces(task, pieces).total.result()[before["score"]])
    before["test"]["structure_free"] = summary(values)
    return before


def parts_of(name: str) -> list[GraphsTrain]:
    """The trainings of a data set: its folds, or its seeds."""
    base = GraphsTrain(**SETTINGS[name])
    return base.parts() if base.folds else [base.model_copy(update={"seed": seed}) for seed in SEEDS]  # type: ignore[return-value]


def known_of(config: GraphsTrain) -> Survey:
    return survey(read_graphs(config.graphs, source_of(config)), config)


def ridge(config: GraphsTrain) -> float:
    """RMSE on the test molecules of ridge regression on eight descriptors, standardised."""
    known = known_of(config)
    x, y = descriptors(config), torch.cat(known.targets)[:, 0].double().numpy()
    train, val, test = (known.members[split] for split in ("train", "val", "test"))
    x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
    centre, columns = y[train].mean(), x.shape[1]

    def predicted(penalty: float) -> NDArray[np.float64]:
        gram = x[train].T @ x[train] + penalty * np.eye(columns)
        fitted: NDArray[np.float64] = centre + x @ np.linalg.solve(gram, x[train].T @ (y[train] - centre))
        return fitted

    chosen = min(PENALTIES, key=lambda penalty: float(np.mean((predicted(penalty) - y)[val] ** 2)))
    return float(np.sqrt(np.mean((predicted(chosen) - y)[test] ** 2)))


def descriptors(config: GraphsTrain) -> NDArray[np.float64]:
    """Weight, log P, polar surface, donors, acceptors, rotatable bonds, rings, aromatic share: ``(molecules, 8)``."""
    import csv

    from rdkit import Chem
    from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

    with open(config.graphs, newline="", encoding="utf-8") as file:
        molecules = [Chem.MolFromSmiles(row[str(config.smiles)].strip()) for row in csv.DictReader(file)]
    rows = [
        [
            Descriptors.MolWt(m),
            Crippen.MolLogP(m),
            rdMolDescriptors.CalcTPSA(m),
            rdMolDescriptors.CalcNumHBD(m),
            rdMolDescriptors.CalcNumHBA(m),
            rdMolDescriptors.CalcNumRotatableBonds(m),
            rdMolDescriptors.CalcNumRings(m),
            sum(atom.GetIsAromatic() for atom in m.GetAtoms()) / m.GetNumAtoms(),
        ]
        for m in molecules
    ]
    return np.array(rows, dtype=np.float64)


def measure(name: str) -> dict[str, Any]:
    """All methods on one data set."""
    score = "rmse" if name == "esol" else "accuracy"
    found: dict[str, list[float]] = {}
    validation: list[float] = []
    epochs: list[int] = []
    seconds = {"unet": 0.0, "gin": 0.0}
    for place, config in enumerate(parts_of(name)):
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            training.train("graphs", config, Path(folder) / "unet", progress=Progress())
            seconds["unet"] += time.monotonic() - started
            report = inference.evaluate(Path(folder) / "unet")
            best = RunFolder.open(Path(folder) / "unet").best_scores()
            started = time.monotonic()
            peer = score_gin(config, Path(folder) / "gin")
            seconds["gin"] += time.monotonic() - started
        validation.append(best["scores"][score])
        epochs.append(best["epoch"])
        row = {"unet": report.metrics[score], "gin": peer[score]}
        row |= {method: values[score] for method, values in report.baselines.items()}
        if name == "esol":
            row["ridge"] = ridge(config)
        for method, value in row.items():
            found.setdefault(method, []).append(value)
        print(name, place, {method: round(value, 4) for method, value in row.items()}, flush=True)
    return {
        "score": score,
        "settings": {key: str(value) for key, value in SETTINGS[name].items() if key != "graphs"},
        "test": {method: summary(values) for method, values in found.items()},
        "unet_validation": summary(validation),
        "unet_best_epochs": epochs,
        "train_seconds": {method: round(value, 1) for method, value in seconds.items()},
        "machine": environment(),
    }


def summary(values: Sequence[float]) -> dict[str, Any]:
    return {"mean": statistics.mean(values), "sd": statistics.pstdev(values), "each": list(values)}


def main() -> None:
    """Measures the chosen data sets and keeps the others' results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETTINGS))
    parser.add_argument("--baselines", action="store_true", help="only the structure-free baseline, anew")
    chosen = parser.parse_args()
    for name in chosen.sets:
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[name] = rescored(name, results[name]) if chosen.baselines else measure(name)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        for method, values in results[name]["test"].items():
            print(f"{name} {results[name]['score']} {method}: {values['mean']:.4f} +- {values['sd']:.4f}")


if __name__ == "__main__":
    main()
