"""Weights of another run to begin a training with; inputs and outputs keep theirs by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiunet.domains.config import TrainConfig, panel_of
from multiunet.domains.model import Model
from multiunet.domains.runs import Run, open_run, spec_of
from multiunet.domains.transfer import Inputs, Taken, take_weights
from multiunet.errors import InputError
from multiunet.training.run_folder import RunFolder
from multiunet.wording import listing

SHOWN = 6
"""Names of layers and channels that are listed."""


@dataclass(frozen=True)
class Initial:
    """Weights that a network has taken over from another run.

    Attributes:
        taken: layers that got weights, and those that begin anew.
        kept: outputs that keep their weights.
        fresh: outputs that begin anew.
        inputs: what became of other channels of the input, in words.
        seen: names of the inputs that the other run was trained or validated on.
        settings: of the network that differ, in words.
    """

    run: Path
    taken: Taken
    kept: tuple[str, ...]
    fresh: tuple[str, ...]
    inputs: str
    seen: frozenset[str]
    settings: str = ""

    def describe(self, held_out: Sequence[str]) -> str:
        """Return it in words.

        Args:
            held_out: names of what the new run validates and tests on.
        """
        parts = [f"begins with the weights of {self.run}: {self.taken.share}"]
        if self.taken.fresh:
            parts.append(f"layers of other shapes begin anew: {listing(self.taken.fresh, SHOWN)}{self.settings}")
        if self.inputs:
            parts.append(self.inputs)
        parts.append(f"outputs that keep their weights: {', '.join(self.kept) or 'none'}")
        if self.fresh:
            parts.append(f"that begin anew: {', '.join(self.fresh)}")
        if known := [name for name in held_out if name in self.seen]:
            parts.append(f"warning: it has learnt from {', '.join(known[:5])}, which is held out here")
        return "; ".join(parts)


def begin_with(path: Path, model: Model, config: TrainConfig, domain: str, info: Any) -> Initial:
    """Copy the best weights of a run into a new network, layer by layer where their shapes are equal.

    Channels of the head belong to outputs (tracks, classes), those of the first layer to inputs (features of nodes).
    Those of names that the run has keep its weights; the others stay as they are.

    Args:
        info: of the new run.

    Raises:
        InputError: for what is no finished run of this domain, or a network that has no layer in common.
    """
    folder = RunFolder.open(path)
    spec = spec_of(folder)
    if spec.name != domain:
        raise InputError(f"`init_from={path}`: a run of domain {spec.name!r}, not {domain!r}; choose another")
    run = open_run(folder, spec, spec.load(), "cpu")
    names, there = model.task.names, run.model.task.names
    pairs = _pair_outputs(model.task.channels, names, run.model.task.channels, there)
    inputs, words = _pair_inputs(model, info, run)
    # the tensors of a state are the network's own
    taken = take_weights(model.net.state_dict(), run.model.net.state_dict(), inputs, pairs)
    settings = _settings_in_words(config, run.config)
    if not taken.layers:
        raise InputError(
            f"`init_from={path}`: no layer of its network has the shape of one here{settings}; train with settings "
            "like its own, or begin without it"
        )
    kept = tuple(name for name in names if name in there) if taken.head else ()
    fresh = tuple(name for name in names if name not in kept)
    return Initial(path, taken, kept, fresh, words, frozenset(run.info.seen().values()), settings)


def _pair_inputs(model: Model, info: Any, run: Run) -> tuple[Inputs, str]:
    """Return the channels of the input that both networks have, and, where they differ, what becomes of them."""
    here, there = (int(net.in_channels) for net in (model.net, run.model.net))  # type: ignore[arg-type]
    names, names_there = info.input_names, run.info.input_names
    if names is None or names_there is None or (len(names), len(names_there)) != (here, there):
        shared = f"the {here} input channels share the sum of the weights of the {there} there evenly"
        return Inputs(here, there), shared if here != there else ""
    pairs = [(place, names_there.index(name)) for place, name in enumerate(names) if name in names_there]
    anew = [name for name in names if name not in names_there]
    words = f"inputs that begin anew: {listing(anew, SHOWN)}" if anew else ""
    return Inputs(here, there, None if names == names_there else pairs), words


def _pair_outputs(
    channels: int, names: Sequence[str], channels_there: int, names_there: Sequence[str]
) -> list[tuple[int, int]]:
    """Return channels of the head, and those of the other run's head that hold the same parts of the same outputs."""
    parts, parts_there = channels // len(names), channels_there // len(names_there)
    if channels % len(names) or channels_there % len(names_there) or parts != parts_there:
        return []
    both = [(names.index(name), names_there.index(name)) for name in names if name in names_there]
    return [(len(names) * part + a, len(names_there) * part + b) for part in range(parts) for a, b in both]


def _settings_in_words(config: TrainConfig, there: TrainConfig) -> str:
    """Return the settings of the network that differ, in words."""
    named = [name for name, field in type(config).model_fields.items() if panel_of(field) == "Model"]
    named += [name for name in ("bin_size",) if name in type(config).model_fields]
    pairs = ((name, getattr(there, name, None), getattr(config, name)) for name in named)
    found = [f"`{name}` {then} there, {now} here" for name, then, now in pairs if then != now]
    return f" ({'; '.join(found)})" if found else ""
