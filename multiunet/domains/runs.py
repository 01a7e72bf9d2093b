"""Trained runs: opened, and joined into ensembles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from multiunet.device import pick_device
from multiunet.domains.card import DomainCard, domain_card, domains
from multiunet.domains.config import validated
from multiunet.domains.domain import Domain, Model
from multiunet.domains.info import FILE, read_json
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths
from multiunet.prediction import Ensemble
from multiunet.progress import ConsoleProgress
from multiunet.training.run_folder import RunFolder


@dataclass(frozen=True)
class Run:
    """A trained run, ready to predict.

    Attributes:
        best: ``epoch`` (the first is 1) and validation ``scores`` of the weights; empty if they are not the best ones,
            whose file is damaged or not yet written.
    """

    folder: RunFolder
    card: DomainCard
    domain: Domain[Any, Any, Any]
    config: Any
    info: Any
    model: Model
    best: dict[str, Any]


def open_run(path: AnyPath, name: str | None = None, device: str = "auto") -> Run:
    """A trained run with its best weights, in evaluation mode.

    Args:
        name: the domain it must be of; None: any.

    Raises:
        InputError: when it is no run folder, of another domain, or has no readable weights.
    """
    path = Path(path)
    card, folder = card_of(path, name), RunFolder.open(path)
    settings, trained = folder.config(), card.name
    del settings["domain"]
    config = validated(card.train, settings, str(folder.path / "config.yaml"))
    domain = card.load()
    info = read_info(domain, folder)
    try:
        model = domain.build(config, info)
    except (KeyError, TypeError, IndexError, AttributeError) as error:  # goes with untyped infos
        raise InputError(
            f"{path / FILE}: does not describe a run of domain {trained!r} ({error!r}); the file is damaged"
        ) from error
    weights, best, warning = folder.weights()
    if warning:
        ConsoleProgress().note(f"warning: {warning}")
    try:
        model.net.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{path}: the weights do not fit config.yaml, was it edited? ({error})") from error
    model.task.calibrate(best.get("scores", {}))
    model.net.to(pick_device(device)).eval()
    return Run(folder, card, domain, config, info, model, best)


def read_info(domain: Domain[Any, Any, Any], folder: RunFolder) -> Any:
    """Read and check what a run knows of its data.

    Raises:
        InputError: see ``read_json``.
    """
    return folder.dataset() if domain.info_type is None else read_json(domain.info_type, folder.path / FILE)


def open_runs(paths: Sequence[Path], name: str | None = None, device: str = "auto") -> list[Run]:
    """Different trained runs. Of those whose training has not ended, it says so.

    Raises:
        InputError: for a bad run, or one that is named twice.
    """
    twice = next((path for path in paths if [other.resolve() for other in paths].count(path.resolve()) > 1), None)
    if twice is not None:
        raise InputError(f"{twice}: named twice; an ensemble is of different runs")
    runs = [open_run(path, name, device) for path in paths]
    for run in runs:
        if (unfinished := run.folder.unfinished()) is not None:
            ConsoleProgress().note(f"warning: {unfinished}")
    return runs


def joined(runs: Sequence[Run]) -> Run:
    """Several runs as one whose network is an ``Ensemble``, its config and info those of the first.

    Raises:
        InputError: for runs that read or name things differently.
    """
    first, *others = runs
    if not others:
        return first
    for other in others:
        check_shared(first, other, list(first.domain.shared(first.info)))
    nets = [first.domain.reading_like(run.model.net, run.info, first.info) for run in runs]
    ensemble = Ensemble(nets, [run.model.task for run in runs])
    return replace(first, model=replace(first.model, net=ensemble.eval()))


def folds_in(path: Path) -> list[Path]:
    """The runs of a cross-validation in a folder that ``train_all`` made, in order; of any other folder, none."""
    found = [folder for folder in path.glob("fold-*") if (folder / "config.yaml").is_file()]
    return sorted(found, key=lambda folder: (len(folder.name), folder.name))


def all_runs(path: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """The runs that are named, with those of a cross-validation in place of its folder."""
    return [run for folder in as_paths(path) for run in folds_in(folder) or [folder]]


def card_of(path: Path, name: str | None = None) -> DomainCard:
    """Of the domain that a run was trained in.

    Args:
        name: what this must be; None: any.

    Raises:
        InputError: when it is no run folder, or the domain is another, or not installed.
    """
    trained = str(RunFolder.open(path).config().get("domain", ""))
    if trained not in domains():
        raise InputError(
            f"{path / 'config.yaml'}: its domain is {trained!r}, which is not installed here; there are "
            f"{', '.join(domains())}"
        )
    if name is not None and trained != name:
        raise InputError(
            f"{path}: a run of domain {trained!r}, not {name!r}; use `multiunet ... {trained} --run {path}`"
        )
    return domain_card(trained)


def check_shared(first: Run, other: Run, fields: Sequence[str]) -> None:
    """Check that two runs agree in these fields of their dataset info.

    Raises:
        InputError: naming the field in which they differ.
    """
    there, here = (first.domain.shared(run.info) for run in (first, other))
    for field in fields:
        if there.get(field) != here.get(field):
            raise InputError(
                f"{other.folder.path}: cannot join {first.folder.path}, because their {field} differ "
                f"({there.get(field)} there, {here.get(field)} here)"
            )


def fingerprint(net: nn.Module) -> str:
    """A short name of exactly these weights."""
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
