"""Can the stated probabilities and variances be trusted? Calibration, sets, intervals, and the ranking of errors.

- ``super_alloy`` (Super1), ``uhcs`` (the published six folds), ``isbi2012``: classes of pixels; of uhcs also their
  shares of an image (those of super_alloy over folds: ``phase_fractions.py``). ``rare`` is super_alloy with one
  in eight of the tertiary precipitates, drawn at random, as a class of its own: 0.3 % of the pixels, which nothing in
  the image tells apart.
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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import uncertainty_peers as peers
from calibration_figures import measure_elsewhere, measure_fractions, measure_sets
from calibration_runs import SAMPLES, Trained, runs_of, trained
from stated import (
    LEVELS,
    Table,
    Values,
    class_figures,
    half_widths,
    join,
    quantity_figures,
    ranked_items,
    spread,
)

from multiunet.training.run_folder import environment
from multiunet.uncertainty import Calibration, QuantityCalibration

RESULTS = Path(__file__).parent / "results" / "calibration.json"


def multipliers_of(calibration: Calibration) -> dict[float, float]:
    """Return half widths of the first quantity's intervals in calibrated deviations, by level."""
    assert isinstance(calibration, QuantityCalibration)
    return {level: float(row[0]) for level, row in zip(LEVELS, calibration.multipliers)}


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
