"""Trained runs: opening them, and joining them into ensembles."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Geometry
from multiunet.device import computes_in_bf16, pick_device
from multiunet.domains.config import validated
from multiunet.domains.domain import Domain
from multiunet.domains.info import FILE, read_json
from multiunet.domains.model import Model
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Checkpoints
from multiunet.domains.spec import DomainSpec, domain_spec, domains
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths
from multiunet.geometries import Grid
from multiunet.prediction import Ensemble
from multiunet.prediction.ensemble import members, tasks_of
from multiunet.tasks import Task
from multiunet.training.checkpoint import Checkpoint
from multiunet.training.recipe import Precision
from multiunet.training.run_folder import RunFolder
from multiunet.wording import counted


@dataclass(frozen=True)
class Run:
    """Trained run, or an ensemble of runs, ready to predict.

    Attributes:
        folder: of the run; of an ensemble that of the first, as are ``config`` and ``info``.
        config: resolved settings.
        info: facts on the data it was trained on.
        model: the network in evaluation mode, with its task and geometry.
        best: ``epoch`` (the first is 1) and validation ``scores`` of the weights; empty if they are not the best ones,
            whose file is damaged or not yet written, or those of the last epochs were asked for.
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


def load(
    path: AnyPath | Sequence[AnyPath], device: str = "auto", name: str | None = None, checkpoints: Checkpoints = "best"
) -> Run:
    """Load a trained run with its best weights; several runs, or folds, as an ensemble.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        name: domain that the runs must be of; None: any.
        checkpoints: "last" for an ensemble of the last epochs, whose weights a training with ``keep_last`` kept.

    Raises:
        InputError: for a bad run, or runs that read or name things differently.
    """
    return join_runs(open_runs([RunFolder.open(run) for run in all_runs(path)], name, device, checkpoints))


def open_run(
    folder: RunFolder,
    spec: DomainSpec,
    domain: Domain[Any, Any, Any],
    device: str = "auto",
    checkpoints: Checkpoints = "best",
) -> Run:
    """Open a trained run with its best weights, or the last ones as an ensemble, in evaluation mode.

    Raises:
        InputError: when its files are damaged, or it has no readable weights.
    """
    return with_weights(open_untrained(folder, spec, domain), device, checkpoints)


def open_untrained(
    folder: RunFolder, spec: DomainSpec | None = None, domain: Domain[Any, Any, Any] | None = None
) -> Run:
    """Open a run with new weights: all of it but what it has learnt.

    Raises:
        InputError: when its settings or the facts on its data are damaged.
    """
    spec = spec or spec_of(folder)
    domain = domain or spec.load()
    settings = folder.config()
    del settings["domain"]
    config = validated(spec.train, settings, f"{folder.path / 'config.yaml'}: damaged or edited")
    info = read_info(domain, folder)
    model = domain.build(config, info)
    model.net.eval()
    return Run(folder, spec, domain, config, info, model, {})


def with_weights(run: Run, device: str = "cpu", checkpoints: Checkpoints = "best") -> Run:
    """Return a run with its best weights, or the last ones as an ensemble, in evaluation mode.

    Raises:
        InputError: when it has no readable weights, or others than its settings say.
    """
    folder = run.folder

    def restore(weights: Mapping[str, Tensor], scores: Mapping[str, Any]) -> Model:
        model = run.domain.build(run.config, run.info)
        try:
            model.net.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(f"{folder.path}: the weights do not fit config.yaml, was it edited? ({error})") from error
        model.task.learn_from_scores(scores)
        model.net.to(pick_device(device)).eval()
        return model

    if checkpoints == "last":
        kept = [restore(one.part("model"), one.state["scores"]) for one in _kept(folder, run.config.keep_last)]
        net = Ensemble([model.net for model in kept], [model.task for model in kept]).eval()
        return replace(run, model=replace(kept[-1], net=net), best={})
    weights, best, warning = folder.weights()
    if warning:
        remark(warning)
    return replace(run, model=restore(weights, best.get("scores", {})), best=best)


def _kept(folder: RunFolder, most: int | None) -> list[Checkpoint]:
    """Read the weights of a run's last epochs.

    Args:
        most: as many as training was to keep; None: none.

    Raises:
        InputError: when it kept none, or one of them is damaged.
    """
    if most is None:
        raise InputError(
            f"{folder.path}: was trained without `keep_last`, so the weights of its last epochs are gone; leave out "
            "`checkpoints=last`, or train anew with `keep_last=5`, say"
        )
    kept = folder.kept.load()
    if not kept:
        raise InputError(f"{folder.path}: no weights of its last epochs are kept yet; leave out `checkpoints=last`")
    if len(kept) < most:
        remark(f"{folder.path}: keeps the weights of {counted(len(kept), 'epoch')}, not of {most}; these are taken")
    return kept


def read_info(domain: Domain[Any, Any, Any], folder: RunFolder) -> Any:
    """Read and check what a run knows of its data.

    Raises:
        InputError: see ``read_json``.
    """
    return read_json(domain.info_type, folder.path / FILE)


def open_runs(
    folders: Sequence[RunFolder],
    name: str | None = None,
    device: str = "auto",
    checkpoints: Checkpoints = "best",
    domain: Domain[Any, Any, Any] | None = None,
) -> list[Run]:
    """Open different trained runs; warn of those whose training has not ended.

    Args:
        domain: what reads their data, and may have read them already; None: a new one.

    Raises:
        InputError: for a bad run, or one that is named twice.
    """
    places = [folder.path.resolve() for folder in folders]
    twice = next((folder.path for folder, place in zip(folders, places) if places.count(place) > 1), None)
    if twice is not None:
        raise InputError(f"{twice}: named twice; an ensemble is of different runs")
    specs = [spec_of(folder, name) for folder in folders]
    reader = specs[0].load() if domain is None else domain
    runs = [open_run(folder, spec, reader, device, checkpoints) for folder, spec in zip(folders, specs)]
    for folder in folders:
        if (unfinished := folder.unfinished()) is not None:
            remark(unfinished)
    return runs


def check_predicts(runs: Sequence[Run]) -> None:
    """Check that runs predict, and are no generators.

    Raises:
        InputError: naming the first that makes new samples, and the command for it.
    """
    for run in runs:
        if run.task.kind == "generation":
            raise InputError(
                f"{run.folder.path}: was trained to make new samples (`task=generate`) and predicts nothing; run "
                f"`multiunet sample {run.spec.name}`"
            )


def take_average(run: Run, average: float | None) -> None:
    """Give a run the average of the weights over a share of the training; None: it keeps what it has.

    Raises:
        InputError: where the training kept no snapshots to choose a length from.
    """
    if average is not None:
        run.net.load_state_dict(run.folder.averages.reconstruct(average))


def join_runs(runs: Sequence[Run]) -> Run:
    """Join several runs into one whose network is an ``Ensemble``, its config and info those of the first.

    Raises:
        InputError: for runs that read or name things differently.
    """
    first, *others = runs
    if not others:
        return first
    for other in others:
        check_shared(first, other, list(_shared_of(first)))
    nets = [first.domain.reading_like(net, run.info, first.info) for run in runs for net in members(run.model.net)]
    ensemble = Ensemble(nets, [task for run in runs for task in tasks_of(run.model.net, run.model.task)])
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
    """Check that two runs agree in these fields of their dataset info, or settings.

    Raises:
        InputError: naming the field in which they differ.
    """
    there, here = map(_shared_of, (first, other))
    for field in fields:
        if there.get(field) != here.get(field):
            raise InputError(
                f"{other.folder.path}: cannot join {first.folder.path}, because their {field} differ "
                f"({there.get(field)} there, {here.get(field)} here)"
            )


def _shared_of(run: Run) -> dict[str, Any]:
    """Return what all members of an ensemble must share, by name."""
    return {**run.info.shared(), **{f"`{name}`": getattr(run.config, name) for name in run.config.shared}}


def hash_weights(net: nn.Module) -> str:
    """Return a digest of the weights, 16 hexadecimal digits.

    That of an ensemble does not depend on the order of its members.
    """
    if isinstance(net, Ensemble):
        return hashlib.sha256("".join(sorted(map(hash_weights, net.nets))).encode()).hexdigest()[:16]
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def name_run(folder: Path) -> str:
    """Return the name of a run's folder, of a fold with that above it: stores tell no more of its path.

    >>> name_run(Path("/home/me/runs/nuclei")), name_run(Path("/home/me/runs/nuclei/fold-1"))
    ('nuclei', 'nuclei/fold-1')
    """
    above = folder.absolute().parent.name
    return f"{above}/{folder.name}" if folder.name.startswith("fold-") else folder.absolute().name


def precision_of(run: Run, device: str, asked: Precision | None = None) -> str:
    """Return the precision in which a run's network predicts: ``32``, or on grids also ``bf16``.

    Args:
        asked: in place of that of the training.
    """
    bf16 = isinstance(run.geometry, Grid) and computes_in_bf16(asked or run.config.precision, pick_device(device))
    return "bf16" if bf16 else "32"


def check_same_split(runs: Sequence[Run]) -> None:
    """Check that runs have one split: of another, one may have trained on what is held out of another.

    Raises:
        InputError: naming the first run of another split.
    """
    for other in runs[1:]:
        if (other.info.split, other.info.data) != (runs[0].info.split, runs[0].info.data):
            raise InputError(
                f"{other.folder.path}: was trained on another split than {runs[0].folder.path}; it may have seen what "
                "is held out there"
            )
