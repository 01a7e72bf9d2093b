"""Training in a few lines that a person reads: data, network, steps, memory."""

from __future__ import annotations

from multiunet.core.receptive_field import receptive_field
from multiunet.device import pick_device
from multiunet.domains.config import TrainConfig
from multiunet.domains.info import ClassLabels, DatasetInfo, Labels
from multiunet.domains.model import Model
from multiunet.geometries.grid.grid import Grid
from multiunet.training.processes.place import find_wanted
from multiunet.wording import counted, listing, percent

SHOWN_NAMES = 8
"""Classes or quantities that are named; of more it is said how many there are."""


def summarise_target(info: DatasetInfo) -> str:
    """Name classes, labels with their shares, or quantities with their mean and deviation."""
    target, count = info.target, len(info.target.names)
    if isinstance(target, ClassLabels):
        return f"{counted(count, 'class', 'classes')}: {listing(target.names, SHOWN_NAMES)}"
    if isinstance(target, Labels):
        shares = [f"{name} ({percent(share)} have it)" for name, share in zip(target.names, target.shares)]
        return f"{counted(count, 'class', 'classes')}, each there or not: {listing(shares, SHOWN_NAMES)}"
    several = [f"{n} (mean {c:.4g}, deviation {s:.4g})" for n, c, s in zip(target.names, target.centre, target.scale)]
    return f"{counted(count, 'quantity', 'quantities')}: {listing(several, SHOWN_NAMES)}"


def summarise_split(info: DatasetInfo, noun: str) -> str:
    """Say how many items each split has: ``48 images to train, 12 to validate and none to test``."""
    counts = info.split.counts()
    parts = [f"{counted(counts['train'], noun)} to train", f"{counts['val'] or 'none'} to validate"]
    unlabelled = info.split.unlabelled
    groups = set(info.groups().values())
    return f"{', '.join(parts)}, {counts['test'] or 'none'} to test" + (
        (f"; of {counted(len(groups), 'group')}, each in one split" if groups else "")
        + (f"; {unlabelled} have no label" if unlabelled else "")
    )


def summarise_network(config: TrainConfig, model: Model) -> str:
    """Say how large the network is, and how far it looks."""
    parts = [f"{sum(p.numel() for p in model.net.parameters() if p.requires_grad):,} parameters"]
    encoder: str | None = getattr(config, "encoder", None)
    named: str | None = f"U-Net over {encoder}" if encoder else getattr(config, "model", None)
    widths = getattr(config, "widths", None)
    if widths:
        parts.append(f"widths {','.join(map(str, widths))}")
    attention = getattr(config, "attention", "none")
    if attention != "none":
        parts.append(f"attention {attention}")
    if isinstance(model.geometry, Grid):
        seen = receptive_field(model.net)
        size = " x ".join(map(str, seen.size))
        parts.append(f"looks at all sites (convolutions at {size})" if seen.everywhere else f"looks at {size} sites")
    return ", ".join([*([named] if named else []), *parts])


def summarise_training(config: TrainConfig, steps: int) -> str:
    """Say how long a training is, and where it is computed.

    Args:
        steps: of an epoch.
    """
    recipe = config.recipe()
    stops = "" if recipe.patience is None else f", fewer where {recipe.patience} epochs bring nothing"
    processes = find_wanted(config.device, config.devices, config.nodes).processes
    shared = f"{counted(processes, 'process', 'processes')} that share out {recipe.accumulate} batches a step, "
    where = f"{shared if processes > 1 else ''}{pick_device(recipe.device)}"
    if recipe.minutes is None:
        length = f"{counted(recipe.epochs, 'epoch')} of {counted(steps, 'step')}, {recipe.epochs * steps:,} in all"
    else:
        length = f"{recipe.minutes:g} minutes, in epochs of {counted(steps, 'step')}"
    return f"{length}{stops}; {recipe.optimizer}, lr {recipe.lr:g}, seed {recipe.seed}; on {where}"
