"""Weights of another run to begin a training with; outputs keep theirs by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from multiunet.domains.config import TrainConfig, panel_of
from multiunet.domains.domain import Model
from multiunet.domains.runs import open_run, spec_of
from multiunet.errors import InputError
from multiunet.training.run_folder import RunFolder

HEADS = ("head", "deep_heads")
"""Modules whose channels are the task's."""


@dataclass(frozen=True)
class Initial:
    """Weights that a network has taken over from another run.

    Attributes:
        kept: outputs that keep their weights.
        fresh: outputs that begin anew.
        seen: names of the inputs that the other run was trained or validated on.
    """

    run: Path
    kept: tuple[str, ...]
    fresh: tuple[str, ...]
    seen: frozenset[str]

    def describe(self, held_out: Sequence[str]) -> str:
        """Return it in words.

        Args:
            held_out: names of what the new run validates and tests on.
        """
        kept = f"outputs that keep their weights: {', '.join(self.kept) or 'none'}"
        fresh = f"; that begin anew: {', '.join(self.fresh)}" if self.fresh else ""
        known = [name for name in held_out if name in self.seen]
        warning = f"; warning: it has learnt from {', '.join(known[:5])}, which is held out here" if known else ""
        return f"begins with the weights of {self.run}; {kept}{fresh}{warning}"


def begin_with(path: Path, model: Model, config: TrainConfig, domain: str) -> Initial:
    """Copy the best weights of a run into a new network of the same plan.

    Channels of the head belong to outputs (tracks, classes). Those of names that the run has keep its weights; the
    others stay as they are.

    Raises:
        InputError: for what is no finished run of this domain, or a network of another plan.
    """
    folder = RunFolder.open(path)
    spec = spec_of(folder)
    if spec.name != domain:
        raise InputError(f"`init_from={path}`: a run of domain {spec.name!r}, not {domain!r}; choose another")
    run = open_run(folder, spec, spec.load(), "cpu")
    state, known = model.net.state_dict(), run.model.net.state_dict()
    differing = _differing(state, known)
    if differing:
        raise InputError(
            f"`init_from={path}`: its network has another plan ({differing[0]}, and {len(differing) - 1} more differ)"
            f"{_settings_in_words(config, run.config)}; train with the same, or begin without it"
        )
    names, there = model.task.names, run.model.task.names
    rows, sources = _rows(model.task.channels, names, run.model.task.channels, there)
    with torch.no_grad():
        for name, tensor in state.items():
            if _is_head(name):
                tensor[rows] = known[name][sources]
            else:
                tensor.copy_(known[name])
    kept = tuple(name for name in names if name in there) if rows else ()
    fresh = tuple(name for name in names if name not in kept)
    return Initial(path, kept, fresh, frozenset(run.info.seen().values()))


def _differing(state: Mapping[str, Tensor], known: Mapping[str, Tensor]) -> list[str]:
    """Return the tensors that are not in both with equal shapes, but for the channels of heads."""
    names = [*state, *(name for name in known if name not in state)]
    return [name for name in names if _shape(name, state) != _shape(name, known)]


def _shape(name: str, state: Mapping[str, Tensor]) -> Any:
    if name not in state:
        return None
    return state[name].shape[1:] if _is_head(name) else state[name].shape


def _is_head(name: str) -> bool:
    return any(part in HEADS for part in name.split("."))


def _rows(
    channels: int, names: Sequence[str], channels_there: int, names_there: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Return channels of the head, and those of the other run's head that hold the same parts of the same outputs."""
    parts, parts_there = channels // len(names), channels_there // len(names_there)
    if channels % len(names) or channels_there % len(names_there) or parts != parts_there:
        return [], []
    both = [(names.index(name), names_there.index(name)) for name in names if name in names_there]
    pairs = [(len(names) * part + a, len(names_there) * part + b) for part in range(parts) for a, b in both]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _settings_in_words(config: TrainConfig, there: TrainConfig) -> str:
    """Return the settings of the network that differ, in words."""
    named = [name for name, field in type(config).model_fields.items() if panel_of(field) == "Model"]
    named += [name for name in ("bin_size",) if name in type(config).model_fields]
    pairs = ((name, getattr(there, name, None), getattr(config, name)) for name in named)
    found = [f"`{name}` {then} there, {now} here" for name, then, now in pairs if then != now]
    return f": {'; '.join(found)}" if found else ""
