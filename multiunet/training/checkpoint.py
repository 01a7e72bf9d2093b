"""Checkpoints: one safetensors file each, tensors and JSON together, never a pickle."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from safetensors.torch import save_file
from torch import Tensor

from multiunet.errors import InputError
from multiunet.files import name_temporary, write_atomically

FORMAT = "multiunet-checkpoint-2"
METADATA = "multiunet"


@dataclass(frozen=True)
class Checkpoint:
    """State that a run needs to go on.

    Attributes:
        tensors: by name: ``model.*``, ``average.*`` (the moving average, if any), ``optimizer.*``.
        state: plain JSON: how far the run was, its best score, the optimiser's numbers.
    """

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors under one prefix, without it; empty where there are none."""
        prefix = name + "."
        return {key[len(prefix) :]: value for key, value in self.tensors.items() if key.startswith(prefix)}


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically."""
    tensors, metadata = _plain(checkpoint)

    def write(temporary: Path) -> None:
        try:
            save_file(tensors, temporary, metadata=metadata)
        except SafetensorError as error:  # a full disk
            raise OSError(errno.EIO, str(error), str(path)) from error

    path.parent.mkdir(exist_ok=True)
    write_atomically(path, write)


def save_last(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and keep the one before as ``previous``, to fall back on."""
    if path.exists():
        # a second name for the old file: at no moment is there no valid checkpoint
        spare = name_temporary(path)
        spare.unlink(missing_ok=True)
        try:
            os.link(path, spare)
        except OSError:
            # a file system without links (exFAT, some network drives): for a moment the one before serves alone
            spare = path
        os.replace(spare, previous(path))
        if spare != path:  # to rename one of two names of a file to the other does nothing
            spare.unlink(missing_ok=True)
    save(path, checkpoint)


def pack(checkpoint: Checkpoint) -> bytes:
    """Return what ``save`` writes."""
    tensors, metadata = _plain(checkpoint)
    content: bytes = to_bytes(tensors, metadata)
    return content


def _plain(checkpoint: Checkpoint) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return a checkpoint's tensors and metadata as safetensors takes them."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    about = {"format": FORMAT, "state": checkpoint.state, "sha256": _digest(tensors, checkpoint.state)}
    # one entry, because safetensors keeps several in no fixed order: equal checkpoints are equal files
    return tensors, {METADATA: json.dumps(about)}


def previous(path: Path) -> Path:
    """Return the path at which ``save_last`` keeps the checkpoint before this one."""
    return path.with_name("previous" + path.suffix)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and check its digest.

    Raises:
        InputError: when the file is missing, truncated, altered or something else.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    try:
        # at once: a training that goes on replaces the file at any moment
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the checkpoint cannot be read ({error})") from error
    return unpack(content, path)


def unpack(content: bytes, path: Path | str) -> Checkpoint:
    """Return the checkpoint that ``pack`` made bytes of, and check its digest.

    Args:
        path: where the bytes are from, for the errors.

    Raises:
        InputError: when they are truncated, altered or something else.
    """
    try:
        tensors = from_bytes(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(header.get("__metadata__", {}).get(METADATA, "{}"))
    except (SafetensorError, ValueError, RecursionError) as error:
        reason = str(error).removeprefix("Error while deserializing: ")
        raise InputError(f"{path}: the checkpoint is damaged: cut off, or overwritten ({reason})") from error
    stated = about.get("format") if isinstance(about, dict) else None
    if stated != FORMAT:
        raise InputError(f"{path}: not a checkpoint of this program (its format is {stated!r})")
    state = about.get("state")
    if not isinstance(state, dict) or about.get("sha256") != _digest(tensors, state):
        raise InputError(f"{path}: the checkpoint is damaged: its contents do not match its digest")
    return Checkpoint(tensors, state)


def flatten_optimizer(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Take an optimiser's ``state_dict`` apart into tensors and plain JSON."""
    tensors, numbers = {}, {}
    for index, entries in state["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value
            else:
                numbers[f"{index}.{key}"] = value
    return tensors, {"numbers": numbers, "param_groups": state["param_groups"]}


def unflatten_optimizer(tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Put the ``state_dict`` together that ``flatten_optimizer`` took apart."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in [*tensors.items(), *rest["numbers"].items()]:
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    return {"state": state, "param_groups": rest["param_groups"]}


def _digest(tensors: Mapping[str, Tensor], state: Any) -> str:
    digest = hashlib.sha256(json.dumps(state).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
