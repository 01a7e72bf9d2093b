"""What a run folder and a prediction hold, and settings: seeds are runs of an epoch, and what they predict."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from multiunet_datasets import synthetic

import multiunet
from multiunet.errors import InputError, RunError
from tests.faults.fuzz.reader import Reader, write_text

SHORT = {"epochs": 1, "widths": [4, 8], "device": "cpu"}
GRAPH = {"graph": "graph.npz", **SHORT}
IMAGE = {"images": "images", "masks": "masks", "patch_size": [32], "steps_per_epoch": 2, "batch_size": 2, **SHORT}
GENOME = {"fasta": "genome.fa", "targets": ["signal.bedGraph"], "bin_size": 50, "window": 16, "steps_per_epoch": 2}

PLACES = TemporaryDirectory()
"""Where runs are kept until the process ends."""


@cache
def train(domain: str) -> Path:
    """Train a run of a domain for one epoch, and let it predict; return the folder with data, run and prediction."""
    folder = Path(PLACES.name) / domain
    if domain == "graph":
        synthetic.write_graph(folder, nodes=60)
        settings, asked = GRAPH, {"graph": folder / "graph.npz"}
    elif domain == "image":
        synthetic.write_polycrystal(folder, images=5, size=48, grains=9)
        settings, asked = IMAGE, {"images": folder / "images"}
    else:
        synthetic.write_genome(folder, chromosomes=3, length=4000)
        settings, asked = (
            GENOME | SHORT | {"val_chroms": ["chr2"], "test_chroms": ["chr3"]},
            {"fasta": folder / "genome.fa"},
        )
    paths = {name: _place(folder, value) for name, value in settings.items()}
    multiunet.train(domain, paths, folder / "run")
    multiunet.predict(folder / "run", asked | {"samples": 2}, folder / "p.zarr")
    return folder


def _place(folder: Path, value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], str) and "." in value[0]:
        return [folder / one for one in value]
    return folder / value if isinstance(value, str) and (folder / value).exists() else value


def copy(domain: str, name: str) -> Callable[[Path], Path]:
    """Return what copies a run or a prediction of a domain into a folder."""

    def make(folder: Path) -> Path:
        return Path(shutil.copytree(train(domain) / name, folder / name))

    return make


def read_settings(path: Path) -> Any:
    from multiunet_cli.settings import resolve

    from multiunet.domains.spec import domain_spec

    return resolve(domain_spec("graph").train, path, None, {"graph": Path("g.npz")}) and None


def read_run(path: Path) -> Any:
    from multiunet.domains.calibration_file import read_fits
    from multiunet.domains.runs import hash_weights
    from multiunet.domains.score_file import read_scores

    run = multiunet.load(path, device="cpu")
    run.folder.history(), run.folder.read_status(), run.folder.unfinished(), run.folder.resumable()
    read_fits(path), read_scores(path, [1])
    return hash_weights(run.net)


def weights_of(domain: str) -> Callable[[Path], Any]:
    """Return the weights of the seed: a checkpoint that is read at all has them."""
    from multiunet.domains.runs import hash_weights

    return lambda path: hash_weights(multiunet.load(train(domain) / "run", device="cpu").net)


def read_prediction(path: Path) -> Any:
    from multiunet.prediction.reading import open_datasets

    found = open_datasets(path)
    return {f"{name}/{variable}": np.asarray(data[variable]) for name, data in found.items() for variable in data}


def read_prediction_plainly(path: Path) -> Any:
    import zarr

    from multiunet.prediction.reading import VARIABLES

    found = {}
    for _, group in zarr.open_group(path, mode="r").groups():
        for name, array in group.arrays():
            if name in VARIABLES:
                found[f"{group.attrs['name']}/{name}"] = np.asarray(array[...])
    return found


def leaving_nothing(write: Callable[[Path, Path], object]) -> Callable[[Path], Any]:
    """Return a reader that writes what it makes of a mutant, or is refused and leaves nothing behind."""

    def read(path: Path) -> Any:
        out = path.parent / "out"
        out.mkdir()
        try:
            write(path, out / "made")
        except (InputError, RunError) as error:
            left = [one.name for one in out.iterdir()]
            if left:
                raise AssertionError(f"left {left}") from error
            raise

    return read


def predict(path: Path, out: Path) -> None:
    multiunet.predict(train("graph") / "run", {"graph": path, "samples": 2, "device": "cpu"}, out.with_suffix(".zarr"))


def predict_image(path: Path, out: Path) -> None:
    multiunet.predict(train("image") / "run", {"images": path, "samples": 2, "device": "cpu"}, out.with_suffix(".zarr"))


def share(path: Path, out: Path) -> None:
    from multiunet.domains.sharing.making import share

    share(path, {}, out.with_suffix(".zip"))


def measure(path: Path, out: Path) -> None:
    multiunet.measure("image", {"prediction": path}, out)


def copy_file(domain: str, name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        return Path(shutil.copy(train(domain) / name, folder / Path(name).name))

    return make


RUNS = {
    "yaml": Reader(
        write_text("a.yaml", "epochs: 3\nwidths: [8, 16]\nlr: 0.01\nskip: concat\nconv: gine\nedge_columns: [a, b]\n"),
        read_settings,
    ),
    "run": Reader(copy("graph", "run"), read_run, weights_of("graph")),
    "run-image": Reader(copy("image", "run"), read_run, weights_of("image")),
    "run-genome": Reader(copy("genome", "run"), read_run, weights_of("genome")),
    "dataset": Reader(copy("graph", "run"), read_run, only="dataset.json"),
    "dataset-image": Reader(copy("image", "run"), read_run, only="dataset.json"),
    "dataset-genome": Reader(copy("genome", "run"), read_run, only="dataset.json"),
    "calibration": Reader(copy("graph", "run"), read_run, only="calibration.json"),
    "prediction": Reader(copy("graph", "p.zarr"), read_prediction, read_prediction_plainly),
    "prediction-image": Reader(copy("image", "p.zarr"), read_prediction, read_prediction_plainly),
    "predict": Reader(copy_file("graph", "graph.npz"), leaving_nothing(predict)),
    "predict-image": Reader(copy_file("image", "images/00.png"), leaving_nothing(predict_image)),
    "share": Reader(copy("graph", "run"), leaving_nothing(share)),
    "measure": Reader(copy("image", "p.zarr"), leaving_nothing(measure)),
}
"""By name; the seeds are small and whole."""
