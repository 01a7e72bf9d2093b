"""Trained runs: opening them, and joining them into ensembles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from multiunet.core import Geometry
from multiunet.device import pick_device
from multiunet.domains.config import validated
from multiunet.domains.domain import Domain, Model
from multiunet.domains.info import FILE, read_json
from multiunet.domains.remarks import remark
from multiunet.domains.spec import DomainSpec, domain_spec, domains
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths
from multiunet.prediction import Ensemble
from multiunet.tasks import Task
from multiunet.training.run_folder import RunFolder


@dataclass(frozen=True)
class Run:
    """Trained run, or an ensemble of runs, ready to predict.

    Attributes:
        folder: of the run; of an ensemble that of the first, as are ``config`` and ``info``.
        config: resolved settings.
        info: facts on the data it was trained on.
        model: the network in evaluation mode, with its task and geometry.
        best: ``epoch`` (the first is 1) and validation ``scores`` of the weights; empty if they are not the best ones,
            whose file is damaged or not yet written.
    """

    folder: RunFolder
    spec: DomainSpec
    domain: Domain[Any, Any, Any]
    config: Any
    info: Any
    model: Model
    best: dict[str, Any]

    @property
    def net(self) -> nn.Module:
        """Network in evaluation mode; of an ensemble an ``Ensemble`` of them."""
        return self.model.net

    @property
    def task(self) -> Task:
        """Meaning of the network's output."""
        return self.model.task

    @property
    def geometry(self) -> Geometry[Any]:
        """Meaning of the network's input."""
        return self.model.geometry


def load(path: AnyPath | Sequence[AnyPath], device: str = "auto", name: str | None = None) -> Run:
    """Load a trained run with its best weights; several runs, or folds, as an ensemble.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        name: domain that the runs must be of; None: any.

    Raises:
        InputError: for a bad run, or runs that read or name things differently.
    """
    return join_runs(open_runs([RunFolder.open(run) for run in all_runs(path)], name, device))


def open_run(folder: RunFolder, spec: DomainSpec, device: str = "auto") -> Run:
    """Open a trained run with its best weights, in evaluation mode.

    Raises:
        InputError: when its files are damaged, or it has no readable weights.
    """
    settings = folder.config()
    del settings["domain"]
    config = validated(spec.train, settings, f"{folder.path / 'config.yaml'}: damaged or edited")
    domain = spec.load()
    info = read_info(domain, folder)
    model = domain.build(config, info)
    weights, best, warning = folder.weights()
    if warning:
        remark(warning)
    try:
        model.net.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{folder.path}: the weights do not fit config.yaml, was it edited? ({error})") from error
    model.task.calibrate(best.get("scores", {}))
    model.net.to(pick_device(device)).eval()
    return Run(folder, spec, domain, config, info, model, best)


def read_info(domain: Domain[Any, Any, Any], folder: RunFolder) -> Any:
    """Read and check what a run knows of its data.

    Raises:
        InputError: see ``read_json``.
    """
    return read_json(domain.info_type, folder.path / FILE)


def open_runs(folders: Sequence[RunFolder], name: str | None = None, device: str = "auto") -> list[Run]:
    """Open different trained runs; warn of those whose training has not ended.

    Raises:
        InputError: for a bad run, or one that is named twice.
    """
    places = [folder.path.resolve() for folder in folders]
    twice = next((folder.path for folder, place in zip(folders, places) if places.count(place) > 1), None)
    if twice is not None:
        raise InputError(f"{twice}: named twice; an ensemble is of different runs")
    runs = [open_run(folder, spec_of(folder, name), device) for folder in folders]
    for folder in folders:
        if (unfinished := folder.unfinished()) is not None:
            remark(unfinished)
    return runs


def join_runs(runs: Sequence[Run]) -> Run:
    """Join several runs into one whose network is an ``Ensemble``, its config and info those of the first.

    Raises:
        InputError: for runs that read or name things differently.
    """
    first, *others = runs
    if not others:
        return first
    for other in others:
        check_shared(first, other, list(first.info.shared()))
    nets = [first.domain.reading_like(run.model.net, run.info, first.info) for run in runs]
    ensemble = Ensemble(nets, [run.model.task for run in runs])
    return replace(first, model=replace(first.model, net=ensemble.eval()))


def folds_in(path: Path) -> list[Path]:
    """Return the folds in a folder that ``train_all`` made, in order; none of any other folder."""
    found = [folder for folder in path.glob("fold-*") if (folder / "config.yaml").is_file()]
    return sorted(found, key=lambda folder: (len(folder.name), folder.name))


def all_runs(path: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """Return the folders that are named, with the folds of a cross-validation in place of its folder."""
    return [run for folder in as_paths(path) for run in folds_in(folder) or [folder]]


def spec_of(folder: RunFolder, name: str | None = None) -> DomainSpec:
    """Return the spec of the domain that a run was trained in.

    Args:
        name: domain that this must be; None: any.

    Raises:
        InputError: when the domain is another, or not installed.
    """
    trained, known = str(folder.config().get("domain", "")), domains()
    if trained not in known:
        raise InputError(
            f"{folder.path / 'config.yaml'}: its domain is {trained!r}, which is not installed here; there are "
            f"{', '.join(known)}"
        )
    if name is not None and trained != name:
        raise InputError(f"{folder.path}: a run of domain {trained!r}, not {name!r}; ask for {trained!r}")
    return domain_spec(trained)


def check_shared(first: Run, other: Run, fields: Sequence[str]) -> None:
    """Check that two runs agree in these fields of their dataset info.

    Raises:
        InputError: naming the field in which they differ.
    """
    there, here = (run.info.shared() for run in (first, other))
    for field in fields:
        if there.get(field) != here.get(field):
            raise InputError(
                f"{other.folder.path}: cannot join {first.folder.path}, because their {field} differ "
                f"({there.get(field)} there, {here.get(field)} here)"
            )


def hash_weights(net: nn.Module) -> str:
    """Return a digest of the weights, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
