"""How well are nodes labelled, beside the field's plain networks?

- ``cora``: the public split (140 training nodes). Ours from the defaults of ``multiunet train graph``; an MLP, a GCN
  (Kipf & Welling 2017) and APPNP (Gasteiger et al. 2019) of torch-geometric's layers with their papers' settings.
  Accuracy, mean and deviation over the seeds.
- ``minesweeper``: the splits of Platonov et al. 2023, half of the nodes for training, ROC AUC over the splits. An MLP;
  a GCN with residuals and norms as theirs; our U-Net on the graph; and, with the same core, on the 100 x 100 image that
  the graph is, turned and mirrored in training, for three times as many epochs, of which each is quicker.

Every network is taken from the epoch of its highest validation score (ties: the lowest validation loss); test is looked
at once, afterwards.

    python benchmarks/node_accuracy.py [cora minesweeper] [--seeds 10] [--splits 10]

Reads MULTIUNET_DATA (default ../shared/data beside the checkout); writes benchmarks/results/node_accuracy.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import APPNP

from multiunet import Graph
from multiunet.domains import inference, training
from multiunet.domains.config import EvaluateOptions
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.nodes.survey import survey
from multiunet.geometries.graph.conv import SAGE
from multiunet.geometries.graph.edges import TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.select import TopK
from multiunet.metrics import roc_auc
from multiunet.models.graph_unet import graph_unet
from multiunet.models.image_unet import image_unet
from multiunet.progress import Progress
from multiunet.training.run_folder import environment

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data")) / "graphs"
RESULTS = ROOT / "benchmarks" / "results" / "node_accuracy.json"

SIDE = 100
Groups = list[dict[str, Any]]


@dataclass(frozen=True)
class Rival:
    """A network ``() -> logits (nodes, classes)`` and how its parameters are decayed."""

    net: nn.Module
    groups: Groups
    lr: float
    epochs: int


@dataclass(frozen=True)
class Nodes:
    """Labels, masks by split, and how logits are scored on a mask."""

    y: Tensor
    masks: dict[str, Tensor]
    score: Callable[[Tensor, Tensor], float]


def fit(rival: Rival, nodes: Nodes) -> dict[str, float]:
    """Adam with L2; the scores of the epoch of the highest validation score."""
    net, train, val = rival.net, nodes.masks["train"], nodes.masks["val"]
    optimizer = torch.optim.Adam(rival.groups, lr=rival.lr)
    best, kept = (-1.0, 0.0), copy.deepcopy(net.state_dict())
    for _ in range(rival.epochs):
        net.train()
        loss = functional.cross_entropy(net()[train], nodes.y[train])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        net.eval()
        with torch.no_grad():
            logits = net()
        rank = (nodes.score(logits, val), -float(functional.cross_entropy(logits[val], nodes.y[val])))
        if rank > best:
            best, kept = rank, copy.deepcopy(net.state_dict())
    net.load_state_dict(kept)
    with torch.no_grad():
        logits = net.eval()()
    return {split: nodes.score(logits, nodes.masks[split]) for split in ("val", "test")}


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Mean and deviation (ddof 1) by split."""
    found: dict[str, Any] = {"runs": len(rows)}
    for split in ("val", "test"):
        values = [row[split] for row in rows]
        found[split] = {
            "mean": round(statistics.mean(values), 4),
            "sd": round(statistics.stdev(values), 4) if len(values) > 1 else None,
        }
    return found


class Plain(nn.Module):
    """Two layers with dropout before each, on one graph: with ``edges`` a GCN, with ``hops`` APPNP, else an MLP.

    Sparse features times the first layer, then the propagation, is what ``GCNConv`` does.
    """

    def __init__(self, x: Tensor, edges: Tensor | None, hidden: int, classes: int, hops: int = 0) -> None:
        super().__init__()
        self.x, self.edges = x.to_sparse().coalesce(), edges
        self.first, self.last = nn.Linear(x.shape[1], hidden), nn.Linear(hidden, classes)
        nn.init.xavier_uniform_(self.first.weight)
        nn.init.xavier_uniform_(self.last.weight)
        nn.init.zeros_(self.first.bias)
        nn.init.zeros_(self.last.bias)
        self.within = APPNP(1, 0.0, cached=True) if edges is not None and not hops else None
        self.after = APPNP(hops, 0.1, cached=True) if hops else None

    def forward(self) -> Tensor:
        # dropping a zero changes nothing
        values = functional.dropout(self.x.values(), 0.5, self.training)
        x = torch.sparse_coo_tensor(self.x.indices(), values, self.x.shape, is_coalesced=True, check_invariants=False)
        x = functional.relu(self.propagated(torch.sparse.mm(x, self.first.weight.T)) + self.first.bias)
        x = functional.dropout(x, 0.5, self.training)
        x = self.propagated(x @ self.last.weight.T) + self.last.bias
        return x if self.after is None else self.after(x, self.edges)

    def propagated(self, x: Tensor) -> Tensor:
        return x if self.within is None else self.within(x, self.edges)


def first_decayed(net: Plain, decay: float) -> Groups:
    """L2 of the first layer alone, as both papers have it."""
    return [
        {"params": net.first.parameters(), "weight_decay": decay},
        {"params": net.last.parameters(), "weight_decay": 0.0},
    ]


def cora(arguments: argparse.Namespace) -> dict[str, Any]:
    """Accuracies by network."""
    config = GraphTrain(graph=DATA / "cora.npz")
    known = survey(config)
    masks = {split: torch.from_numpy(mask) for split, mask in known.masks.items()}
    accuracy = lambda logits, mask: float((logits[mask].argmax(dim=1) == known.target[mask]).float().mean())  # noqa: E731
    nodes = Nodes(known.target, masks, accuracy)
    x, edges = known.field.x.to_dense(), known.field.edge_index
    makers: dict[str, Callable[[], Plain]] = {
        "mlp": lambda: Plain(x, None, 64, 7),
        "gcn": lambda: Plain(x, edges, 16, 7),
        "appnp": lambda: Plain(x, edges, 64, 7, hops=10),
    }
    found: dict[str, Any] = {}
    for name, make in makers.items():
        rows = []
        for seed in range(arguments.seeds):
            torch.manual_seed(seed)
            net = make()
            rows.append(fit(Rival(net, first_decayed(net, 5e-3 if name == "appnp" else 5e-4), 0.01, 200), nodes))
        found[name] = summary(rows)
        print("cora", name, found[name], flush=True)
    rows, seconds = [], []
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            run = Path(folder) / "run"
            training.train("graph", config.model_copy(update={"seed": seed}), run, progress=Progress())
            seconds.append(time.monotonic() - started)
            scores = {split: inference.evaluate(run, EvaluateOptions(split=split)) for split in ("val", "test")}
            rows.append({split: report.metrics["accuracy"] for split, report in scores.items()})
        print("cora ours", seed, rows[-1]["val"], flush=True)
    found["multiunet"] = summary(rows) | {"train_seconds": round(statistics.median(seconds), 1)}
    print("cora multiunet", found["multiunet"], flush=True)
    return found


class Residual(nn.Module):
    """A GCN as Platonov et al. 2023 have it: residual blocks of norm, convolution and a two-layer map.

    The convolution is ours, which is that of torch-geometric to rounding (``tests/geometries/graph/test_conv.py``), as
    one sparse product.
    """

    def __init__(self, field: GraphField, width: int, layers: int) -> None:
        super().__init__()
        self.field = field
        self.enter, self.leave = nn.Linear(field.x.shape[1], width), nn.Linear(width, 2)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        convolution = Graph(activation="none")
        self.convolutions = nn.ModuleList(convolution.make_block(width, width) for _ in range(layers))
        maps = (nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(0.2), nn.Linear(width, width)),)
        self.maps = nn.ModuleList(copy.deepcopy(maps[0]) for _ in range(layers))

    def forward(self) -> Tensor:
        x = functional.gelu(self.enter(self.field.x))
        for norm, convolution, change in zip(self.norms, self.convolutions, self.maps):
            x = x + change(convolution(replace(self.field, x=norm(x))).x)
        return self.leave(x)


class OnGraph(nn.Module):
    """Our U-Net on a graph."""

    def __init__(self, field: GraphField) -> None:
        super().__init__()
        self.field = field
        geometry = Graph(
            conv=SAGE(),
            normalization="layer",
            residual=True,
            convs=2,
            dropout=0.2,
            pool=TopK(edges=TwoHop(max_neighbours=16)),
        )
        self.net = graph_unet(field.x.shape[1], 2, [64, 64, 64], geometry=geometry, skip="concat")

    def forward(self) -> Tensor:
        return self.net(self.field).x


class OnImage(nn.Module):
    """Our U-Net on the image that the graph is: node ``100 r + c`` is the pixel of row r, column c."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.image = x.T.reshape(1, -1, SIDE, SIDE)
        self.net = image_unet(2, x.shape[1], 2, [32, 64, 128], dropout=0.2, residual=True)

    def forward(self) -> Tensor:
        # the game knows no direction: in training the image is turned and mirrored, and its logits back
        turn, mirror = (int(torch.randint(n, ())) if self.training else 0 for n in (4, 2))
        image = torch.rot90(self.image, turn, (2, 3))
        logits = self.net(image.flip(3) if mirror else image)
        logits = torch.rot90(logits.flip(3) if mirror else logits, -turn, (2, 3))
        return logits[0].flatten(1).T


def minesweeper(arguments: argparse.Namespace) -> dict[str, Any]:
    """ROC AUC by network."""
    found: dict[str, list[dict[str, float]]] = {}
    for split in range(arguments.splits):
        settings = {"normalize_features": "none", "split_index": split}
        known = survey(GraphTrain(graph=DATA / "minesweeper.npz", **settings))  # type: ignore[arg-type]
        masks = {name: torch.from_numpy(mask) for name, mask in known.masks.items()}

        def area(logits: Tensor, mask: Tensor, y: Tensor = known.target) -> float:
            value = roc_auc(logits.softmax(dim=1)[mask, 1], y[mask] == 1)
            assert value is not None
            return value

        nodes = Nodes(known.target, masks, area)
        x, edges = known.field.x.to_dense(), known.field.edge_index
        field = GraphField.of(x, edges)
        makers: dict[str, tuple[Callable[[], nn.Module], float, int]] = {
            "mlp": (lambda x=x: Plain(x, None, 64, 2), 1e-2, 100),  # type: ignore[misc]
            "gcn": (lambda field=field: Residual(field, 64, 5), 3e-3, arguments.epochs),  # type: ignore[misc]
            "multiunet_on_the_graph": (lambda field=field: OnGraph(field), 3e-3, arguments.epochs),  # type: ignore[misc]
            "multiunet_on_the_image": (lambda x=x: OnImage(x), 3e-3, 3 * arguments.epochs),  # type: ignore[misc]
        }
        for name, (make, lr, epochs) in makers.items():
            torch.manual_seed(split)
            net = make()
            row = fit(Rival(net, [{"params": net.parameters()}], lr, epochs), nodes)
            found.setdefault(name, []).append(row)
            print("minesweeper", split, name, "val", round(row["val"], 4), flush=True)
    return {name: summary(rows) for name, rows in found.items()}


QUESTIONS = {"cora": cora, "minesweeper": minesweeper}


def main() -> None:
    """Answers the chosen questions and keeps the others' results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", default=list(QUESTIONS), metavar="QUESTION")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=200, help="on Minesweeper; thrice on the image")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for question in arguments.questions:
        load, started = os.getloadavg()[0], time.monotonic()
        found = QUESTIONS[question](arguments)
        seconds = round(time.monotonic() - started)
        results[question] = found | {"seconds": seconds, "load_before": load, "machine": environment()}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(question, json.dumps(found, indent=1), flush=True)


if __name__ == "__main__":
    main()
