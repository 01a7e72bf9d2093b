"""Can the stated probabilities and variances be trusted? Calibration, sets, intervals, and the ranking of errors.

- ``super_alloy`` (Super1), ``uhcs`` (the published six folds), ``isbi2012``: classes of pixels; of uhcs also their
  shares of an image (those of super_alloy over folds: ``phase_fractions.py``). ``rare`` is super_alloy with one in
  eight
  of the tertiary precipitates, drawn at random, as a class of its own: 0.3 % of the pixels, which nothing in the image
  tells apart.
- ``cora``: classes of nodes, public split, ten seeds.
- ``yeast``: replication timing in bins of 1 kb, five folds over chromosomes. ``esol``: solubility of molecules, five
  random splits.

Runs are trained from the command line, with defaults but for fewer epochs and smaller patches (see ``runs_of``):
calibration is judged here, not accuracy. Each is calibrated on its own validation split.
Methods, on the same networks:

- ``network``: one pass, as it is; ``samples``: Monte-Carlo samples, as they are;
- ``network, calibrated`` and ``samples, calibrated``: what ``predict`` gives with ``--samples 1`` and by default;
- ``shares of classes``: the trivial prediction, what validation holds, at every site;
- ``torch-uncertainty``: its TemperatureScaler on one pass; ``torchcp``: its LAC, APS and DAPS sets on the
  probabilities of one pass; ``mapie``: its split conformal intervals of constant width. Measured where they are
  installed.

    python benchmarks/calibration.py [super_alloy uhcs isbi2012 rare cora yeast esol] --runs FOLDER

What is in FOLDER is not trained again. Reads MULTIUNET_DATA (default ../shared/data beside the checkout); writes
benchmarks/results/calibration.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import uncertainty_peers as peers
from micrographs import isbi2012, super_alloy, table, uhcs
from numpy.typing import NDArray
from PIL import Image
from stated import (
    LEVELS,
    Table,
    Values,
    auroc,
    class_figures,
    collect,
    half_widths,
    join,
    keep,
    open_joined,
    quantity_figures,
    ranked_items,
    read,
)
from torch import Tensor

from multiunet.domains.graph.prediction import predict_moments
from multiunet.domains.runs import Run
from multiunet.training.run_folder import environment
from multiunet.uncertainty import Calibration, Moments, QuantityCalibration
from multiunet.uncertainty.conformal import make_sets, pick_true, quantile, score_classes
from multiunet.uncertainty.held_out import HeldOut
from multiunet.uncertainty.sums import Totals, fit_items

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data"))
RESULTS = ROOT / "benchmarks" / "results" / "calibration.json"
SOLUBILITY = "measured log solubility in mols per litre"
SAMPLES = {"image": 4, "genome": 16, "graph": 64, "graphs": 16}

Words = list[object]
PATCH: Words = ["--patch-size", 128]  # a quarter of the default's pixels: a training takes minutes


def multiunet(*words: object) -> str:
    """Run a command as a person would; return what it printed."""
    command = [sys.executable, "-m", "multiunet_cli", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def runs_of(name: str, folder: Path) -> dict[str, Words]:
    """Return the trainings of a data set by the run's path below the folder, each with its domain and words."""
    image: Words = ["image", "--validate-every", 4, *PATCH]
    short = {"super_alloy": 24, "isbi2012": 16, "uhcs": 12, "rare": 5}
    epochs: Words = ["--epochs", short.get(name)]
    if name == "super_alloy":
        return {"alloy/Super1": [*image, *super_alloy("Super1"), *epochs]}
    if name == "isbi2012":
        return {"isbi16": [*image, *isbi2012(folder), *epochs]}
    if name == "uhcs":
        return {
            f"uhcs/fold-{fold}": [*image, *uhcs(fold, folder), "--epochs", 12 if fold < 3 else 8] for fold in range(6)
        }
    if name == "rare":
        return {"rare": [*image, *rare(folder), *epochs]}
    if name == "cora":
        return {f"cora-{seed}": ["graph", "--graph", DATA / "graphs/cora.npz", "--seed", seed] for seed in range(10)}
    if name == "yeast":
        return {f"yeast8/fold-{fold}": ["genome", *YEAST, "--folds", 5, "--fold", fold] for fold in range(5)}
    return {f"esol-{seed}": ["graphs", *ESOL, "--seed", seed] for seed in range(5)}


YEAST = [
    *("--fasta", DATA / "yeast/sacCer3.fa.gz", "--targets", DATA / "yeast/replication_timing_1kb.bedGraph"),
    *("--bin-size", 1000, "--epochs", 8),
]
ESOL = [
    *("--graphs", DATA / "graphs/esol.csv", "--smiles", "smiles", "--label-column", SOLUBILITY),
    *("--task", "regression", "--epochs", 12),
]


def rare(folder: Path) -> Words:
    """Return the words that train on super_alloy with a class that nothing in the images tells apart."""
    from scipy import ndimage

    source, rng, rows = DATA / "super_alloy", np.random.default_rng(0), []
    split = json.loads((source / "splits.json").read_text())["Super1"]
    (folder / "rare-masks").mkdir(parents=True, exist_ok=True)
    for part in ("train", "val", "test"):
        for stem in split[part]:
            mask = np.array(Image.open(source / f"labels/{stem}.png"))
            objects, count = ndimage.label(mask == 2)
            chosen = rng.random(count + 1) < 1 / 8
            chosen[0] = False
            mask[chosen[objects]] = 3
            path = folder / "rare-masks" / f"{stem}.png"
            Image.fromarray(mask.astype(np.uint8)).save(path)
            rows.append((source / f"images/{stem}.png", path, part))
    return table(folder / "rare.csv", rows)


@dataclass(frozen=True)
class Trained:
    """A trained run: its raw predictions by split and number of samples, and its calibrations by number of samples."""

    run: Run
    tables: dict[tuple[str, int], Table]
    calibrations: dict[int, Calibration]

    def raw(self, split: str, samples: int) -> Table:
        """Return the predictions as the network makes them."""
        return self.tables[split, samples]

    def calibrated(self, split: str, samples: int) -> Table:
        """Return the predictions as ``predict`` gives them."""
        raw = self.tables[split, samples]
        columns = [torch.from_numpy(values) for values in (raw.mean, raw.epistemic, raw.aleatoric)]
        found = self.calibrations[samples].apply(Moments(*columns))
        mean, epistemic, aleatoric = (values.numpy() for values in (found.mean, found.epistemic, found.aleatoric))
        return replace(raw, mean=mean, epistemic=epistemic, aleatoric=aleatoric)


def trained(words: dict[str, Words], folder: Path, samples: int, pooled: bool) -> list[Trained]:
    """Train the runs that are not there, predict their validation and test splits, and fit calibrations to validation.

    Fitted as ``multiunet calibrate`` does it: each run to its own validation split; of folds each to what all of them
    were validated on, without the items that it tests.
    """
    runs, tables = [], []
    for name, own in words.items():
        path = folder / name
        if not (path / "config.yaml").exists():
            multiunet("train", *own, "--out", path)
        run = open_joined(path)
        runs.append(run)
        tables.append(
            {
                (split, count): keep(
                    folder / "tables" / f"{name}-{split}-{count}.npz", partial(collect, run, split, count)
                )
                for split in ("val", "test")
                for count in (1, samples)
            }
        )
    found = []
    for run, own_tables in zip(runs, tables):
        calibrations = {}
        for count in (1, samples):
            held_out = [held(one["val", count]) for one in (tables if pooled else [own_tables])]
            sites = HeldOut.join(held_out)
            calibrations[count] = run.task.fit_calibration(
                sites.without(own_tables["test", count].names) if pooled else sites
            )
        found.append(Trained(run, own_tables, calibrations))
    return found


MOST = 20_000
"""Sites of an image that a calibration looks at, as of ``multiunet calibrate``."""


def held(table: Table) -> HeldOut:
    """Return the sites that a calibration is fitted to; nodes and molecules are each a group."""
    single = len(table.names) == 1
    rng = np.random.default_rng(0)
    items = np.arange(len(table.target)) if single else table.item
    names = tuple(map(str, range(len(items)))) if single else tuple(table.names)
    chosen = [own if len(own) <= MOST else np.sort(rng.choice(own, MOST, False)) for own in by_item(items, len(names))]
    kept = np.concatenate(chosen)
    columns = [torch.from_numpy(values[kept]).float() for values in (table.mean, table.total)]
    target = torch.from_numpy(table.target[kept])
    target = target if target.is_floating_point() else target.long()
    return HeldOut(*columns, target, torch.from_numpy(items[kept]), names)


def by_item(items: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Return the places of the sites of each item."""
    order = np.argsort(items, kind="stable")
    return np.split(order, np.cumsum(np.bincount(items, minlength=count))[:-1])


def multipliers_of(calibration: Calibration) -> dict[float, float]:
    """Return half widths of the first quantity's intervals in calibrated deviations, by level."""
    assert isinstance(calibration, QuantityCalibration)
    return {level: float(row[0]) for level, row in zip(LEVELS, calibration.multipliers)}


# --- figures -------------------------------------------------------------------------------------------------------


def measure_classes(parts: Sequence[Trained], samples: int, pooled: bool) -> dict[str, Any]:
    """Return the figures of all methods: of folds together, of seeds their mean and deviation."""
    methods: dict[str, Callable[[Trained], Table]] = {
        "network": lambda part: part.raw("test", 1),
        "samples": lambda part: part.raw("test", samples),
        "network, calibrated": lambda part: part.calibrated("test", 1),
        "samples, calibrated": lambda part: part.calibrated("test", samples),
    }
    methods["shares of classes"] = lambda part: shares(part.raw("val", 1), part.raw("test", 1))
    if peers.installed("torch_uncertainty"):
        methods["torch-uncertainty"] = lambda part: peers.tempered(
            part.raw("test", 1), peers.torch_uncertainty_temperature(part.raw("val", 1))
        )
    found: dict[str, Any] = {}
    for method, predict in methods.items():
        tables = [predict(part) for part in parts]
        found[method] = class_figures(join(tables)) if pooled else spread([class_figures(one) for one in tables])
        if pooled:
            found[method]["spearman_of_items"] = ranked_items(join(tables))
    return found


def shares(val: Table, test: Table) -> Table:
    """Return the trivial prediction: at each site of test the shares of the classes in validation."""
    share = np.bincount(val.target, minlength=val.mean.shape[1]) / len(val.target)
    return test.with_probabilities(np.broadcast_to(share, test.mean.shape).copy())


def measure_quantities(parts: Sequence[Trained], samples: int, pooled: bool) -> dict[str, Any]:
    """Return the figures of all methods: of folds together, of seeds their mean and deviation."""

    def of(tables: Sequence[Table], halves: Sequence[dict[float, Values]]) -> dict[str, Any]:
        if not pooled:
            return spread([quantity_figures(*one) for one in zip(tables, halves)])
        return quantity_figures(
            join(tables), {level: np.concatenate([one[level] for one in halves]) for level in LEVELS}
        )

    raw, ours = ([getattr(part, kind)("test", samples) for part in parts] for kind in ("raw", "calibrated"))
    intervals = [half_widths(one, multipliers_of(part.calibrations[samples])) for one, part in zip(ours, parts)]
    found = {"samples": of(raw, [half_widths(one) for one in raw]), "samples, calibrated": of(ours, intervals)}
    if peers.installed("mapie"):
        each = [peers.mapie_interval(part.raw("val", samples), part.raw("test", samples), 0.9) for part in parts]
        found["mapie, constant width"] = spread(each)
    return found


def spread(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and deviation of each figure, element by element of lists."""
    found: dict[str, Any] = {}
    for key, value in each[0].items():
        if isinstance(value, list):
            found[key] = np.mean([one[key] for one in each], axis=0).tolist()
        elif isinstance(value, int | float):
            values = [float(one[key]) for one in each]
            found[key] = {"mean": statistics.mean(values), "sd": statistics.pstdev(values)}
    return found


# --- sets of classes, and other data -------------------------------------------------------------------------------


def measure_sets(parts: Sequence[Trained], samples: int) -> dict[str, Any]:
    """Return coverage and mean size of the sets of test nodes at 90 %, mean and deviation over the seeds."""
    found: dict[str, list[dict[str, float]]] = {}
    for part in parts:
        for count in (1, samples):
            name = "network" if count == 1 else "samples"
            for method, sets in node_sets(part, count).items():
                found.setdefault(f"{method}, {name}, calibrated", []).append(sets)
            halves = random_halves(*(part.calibrated(split, count) for split in ("val", "test")))
            found.setdefault(f"lac, {name}, calibrated, random halves", []).append(halves)
        if peers.installed("torchcp"):
            every, _, val, test, edges = nodes_of(part.run, 1)
            theirs = peers.torchcp_sets(part.raw("val", 1), part.raw("test", 1), 0.9)
            theirs |= peers.torchcp_daps(every, labels_of(part.run), edges, val, test, 0.9)
            for method, sets in theirs.items():
                found.setdefault(f"torchcp {method}", []).append(sets)
    return {method: spread(rows) for method, rows in found.items()}


def random_halves(val: Table, test: Table, draws: int = 50) -> dict[str, float]:
    """Return coverage and mean size of LAC sets of a random half of validation and test, limits from the other half."""
    p, y, rng = (
        np.concatenate([val.mean, test.mean]),
        np.concatenate([val.target, test.target]),
        np.random.default_rng(0),
    )
    found = []
    for _ in range(draws):
        known, new = np.array_split(rng.permutation(len(y)), 2)
        limit = quantile(list(1 - p[known, y[known]]), 0.9).value
        sets = make_sets(torch.from_numpy(1 - p[new]), limit, torch.from_numpy(p[new]))
        found.append(peers.size_and_coverage(sets, y[new]))
    return {key: statistics.mean(one[key] for one in found) for key in found[0]}


def node_sets(part: Trained, samples: int) -> dict[str, dict[str, float]]:
    """Return coverage and mean size of sets of the calibrated probabilities, their limits from validation."""
    _, calibrated, val, test, edges = nodes_of(part.run, samples, part.calibrations[samples])
    y = labels_of(part.run)
    found = {}
    for method in ("lac", "aps", "daps"):
        scores = score_classes(method, calibrated, edges)
        limit = quantile(list(pick_true(scores[val], y[val])), 0.9).value
        sets = make_sets(scores[test], limit, calibrated[test])
        found[method] = peers.size_and_coverage(sets, y[test].numpy())
    return found


def nodes_of(run: Run, samples: int, calibration: Calibration | None = None) -> tuple[Tensor, ...]:
    """Return probabilities of all nodes, the same calibrated, the validation and test nodes, and the edges."""
    nodes = {split: next(iter(read(run, split, samples).items.values())) for split in ("val", "test")}
    raw = predict_moments(run.model, nodes["test"].field, torch.device("cpu"), samples, 0)
    calibrated = raw if calibration is None else calibration.apply(raw)
    val, test = (nodes[split].scored.nonzero()[:, 0] for split in ("val", "test"))
    return raw.mean, calibrated.mean, val, test, nodes["test"].field.edge_index


def labels_of(run: Run) -> Tensor:
    """Return the classes of all nodes whose split is validation or test; -1 elsewhere."""
    nodes = [next(iter(read(run, split, 1).items.values())) for split in ("val", "test")]
    return torch.where(nodes[0].scored, nodes[0].target, torch.where(nodes[1].scored, nodes[1].target, -1))


def measure_elsewhere(part: Trained, samples: int, folder: Path) -> dict[str, Any]:
    """Return how well each number tells images of other conditions from those of the test split, image by image."""
    names = json.loads((DATA / "super_alloy/splits.json").read_text())["Super3"]["different_test"]
    source = DATA / "super_alloy"
    rows = [(source / f"images/{name}.png", source / f"labels/{name}.png", "test") for name in names]
    images = table(folder / "different.csv", rows)[1]
    other = keep(folder / f"tables/different-{samples}.npz", partial(collect, part.run, "test", samples, images=images))
    both = [part.raw("test", samples), other]
    found: dict[str, Any] = {}
    for number in ("total", "epistemic", "aleatoric"):
        each = [[float(getattr(one.of(at), number).sum(axis=1).mean()) for at in range(len(one.names))] for one in both]
        stated = np.array([*each[0], *each[1]])
        found[number] = {
            "auroc": auroc(stated, np.arange(len(stated)) >= len(each[0])),
            "test": each[0],
            "other": each[1],
        }
    return found


# --- fractions of phases -------------------------------------------------------------------------------------------


def measure_fractions(val: Table, test: Table) -> dict[str, Any]:
    """Return how good the intervals of class fractions of test images are, learnt from all other validation images.

    Of folds each image is validated by one network and tested by another, and is left out of what its own interval is
    learnt from.
    """
    totals, true = sums_of(val)
    tested, truth = sums_of(test)
    errors, deviations, held, widths = [], [], [], []
    for at, image in enumerate(test.names):
        others = [place for place, name in enumerate(val.names) if name != image]
        found = fit_items(totals[others], true[others]).interval(tested[[at]], 0.9)
        sites = tested.sites[at]
        errors.append((found.estimate - truth[at]) / sites)
        deviations.append(found.deviation / sites)
        held.append((found.low <= truth[at]) & (truth[at] <= found.high))
        widths.append((found.high - found.low) / sites)
    z = np.array(errors) / np.array(deviations)
    together = fit_items(totals, true).interval(tested, 0.9)
    sites = tested.sites.sum(axis=0)
    return {
        "all_images_by_class": [
            {"low": float(low), "high": float(high), "true": float(share)}
            for low, high, share in zip(together.low / sites, together.high / sites, truth.sum(axis=0) / sites)
        ],
        "fractions": int(z.size),
        "calibrated_on": len(val.names),
        "mean_absolute_error": float(np.abs(errors).mean()),
        "rms_z": float(np.sqrt((z**2).mean())),
        "coverage_90": float(np.mean(held)),
        "coverage_90_by_class": np.mean(held, axis=0).tolist(),
        "interval_width_90_by_class": np.mean(widths, axis=0).tolist(),
        "true_by_class": (truth / tested.sites).mean(axis=0).tolist(),
        "argmax_by_class": [float((test.mean.argmax(axis=1) == k).mean()) for k in range(truth.shape[1])],
    }


def sums_of(table: Table) -> tuple[Totals, Values]:
    """Return the sums over each item, and the true ones, ``(items, classes)``."""
    each = [table.of(at) for at in range(len(table.names))]
    classes = table.mean.shape[1]
    sites = np.array([[len(one.target)] * classes for one in each], dtype=np.float64)
    mean, variance = (np.array([getattr(one, kind).sum(axis=0) for one in each]) for kind in ("mean", "total"))
    true = np.array([np.bincount(one.target, minlength=classes) for one in each], dtype=np.float64)
    return Totals(sites, mean, variance), true


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Return all figures of a data set."""
    words = runs_of(name, folder)
    domain = str(next(iter(words.values()))[0])
    samples = SAMPLES[domain]
    pooled = name in ("uhcs", "yeast")
    parts = trained(words, folder, samples, pooled)
    found: dict[str, Any] = {"runs": len(parts), "samples": samples}
    if parts[0].run.task.kind == "regression":
        found["methods"] = measure_quantities(parts, samples, pooled)
    else:
        found["methods"] = measure_classes(parts, samples, pooled)
    if name in ("uhcs", "rare"):
        val, test = (join([part.calibrated(split, samples) for part in parts]) for split in ("val", "test"))
        found["fractions"] = measure_fractions(val, test)
    if name == "cora":
        found["sets at 90 %"] = measure_sets(parts, samples)
    if name == "super_alloy":
        found["other conditions"] = measure_elsewhere(parts[0], samples, folder)
    return {**found, "machine": environment()}


def main() -> None:
    """Measure the chosen data sets and keep the others' results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names",
        nargs="*",
        default=["super_alloy", "uhcs", "isbi2012", "rare", "cora", "yeast", "esol"],
    )
    parser.add_argument("--runs", type=Path, required=True)
    chosen = parser.parse_args()
    chosen.runs.mkdir(parents=True, exist_ok=True)
    for name in chosen.names:
        found = measure(name, chosen.runs)
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[name] = found
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(name, json.dumps({key: found[key] for key in found if key != "machine"}, indent=1), flush=True)


if __name__ == "__main__":
    main()
