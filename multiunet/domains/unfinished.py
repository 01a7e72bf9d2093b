"""Unfinished samples on disk, so that a process that was killed goes on with the same bits."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from multiunet.diffusion import State
from multiunet.errors import InputError
from multiunet.files import check_creatable, identify, remove_temporaries, write_text
from multiunet.lock import hold_lock
from multiunet.training import checkpoint
from multiunet.training.checkpoint import Checkpoint

PLAN = "plan.json"

DECIDED = "decided"

MADE = "made.json"
"""File that says that all samples are made, and what was at the result's place before they went there."""

SAVE_SECONDS = 20.0
"""Seconds between two saved states of a batch: what a crash can cost."""


class Unfinished:
    """Folder beside a result that holds the samples that are done, and the state of the batch under way.

    It is removed once the result is complete.

    Args:
        out: the result's place.
        plan: all that the samples depend on, plain JSON.
        overwrite: begin anew where the folder holds samples of another plan.

    Raises:
        InputError: when it holds samples of another plan, and those are not to be dropped.
    """

    def __init__(self, out: Path, plan: Mapping[str, Any], overwrite: bool) -> None:
        self.out, self.path, self.plan = out, _folder_of(out), dict(plan)
        self.saved = time.monotonic()
        before = self._before()
        decided = before.pop(DECIDED, {}) if isinstance(before, dict) else {}
        self.goes_on = before == self.plan
        # without a plan it was only just made, or nearly removed, by a process that was killed
        if (self.path / PLAN).exists() and not self.goes_on and not overwrite:
            raise InputError(
                f"{out}: there are unfinished samples of other settings in {self.path}; finish them with the same "
                "settings, drop them by `overwrite`, or choose another name"
            )
        if self.goes_on:
            self.plan[DECIDED] = decided
        check_creatable(self.path)

    def prepare(self) -> None:
        """Make the folder, empty where nothing goes on."""
        if not self.goes_on:
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(parents=True)
            write_text(self.path / PLAN, json.dumps(self.plan) + "\n")
        remove_temporaries(self.path)

    def remove(self) -> None:
        """Remove the folder: the result is complete."""
        _remove(self.path)

    def agree(self, name: str, decide: Callable[[], int]) -> int:
        """Return a number that samples depend on, as it was decided when they were begun."""
        if name not in self.plan.get(DECIDED, {}):
            self.plan.setdefault(DECIDED, {})[name] = decide()
            write_text(self.path / PLAN, json.dumps(self.plan) + "\n")
        return int(self.plan[DECIDED][name])

    def is_done(self, batch: int) -> bool:
        """Return whether the samples of a batch are made."""
        return self._batch(batch).is_file()

    def read_batch(self, batch: int) -> Tensor:
        """Read the samples of a batch, ``(N, C, *space)``.

        Raises:
            InputError: when the file is damaged.
        """
        return checkpoint.load(self._batch(batch)).tensors["x"]

    def write_batch(self, batch: int, x: Tensor) -> None:
        """Keep the samples of a batch, and forget its state."""
        checkpoint.save(self._batch(batch), Checkpoint({"x": x}, {}))
        self._state().unlink(missing_ok=True)

    def note_all_made(self) -> None:
        """Record that the samples of all batches are made, before the result takes its place."""
        write_text(self.path / MADE, json.dumps(identify(self.out)) + "\n")

    def read_state(self, batch: int) -> State | None:
        """Read the state that a batch was left in; None: it begins."""
        if not self._state().is_file():
            return None
        kept = checkpoint.load(self._state())
        if kept.state["batch"] != batch:
            return None
        sigma = kept.state["previous_sigma"]
        return State(
            kept.tensors["x"], kept.state["done"], kept.tensors.get("previous"), math.inf if sigma is None else sigma
        )

    def save_when_due(self, batch: int, state: State) -> None:
        """Save the state of a batch if the last time is long enough ago."""
        if time.monotonic() - self.saved >= SAVE_SECONDS:
            self.save(batch, state)

    @contextmanager
    def saving_when_stopped(self, batch: int, state: Callable[[], State]) -> Iterator[None]:
        """Save the state of a batch, as it is then, where it is interrupted or the process ends."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self.save(batch, state())
            raise

    def save(self, batch: int, state: State) -> None:
        """Save the state of a batch."""
        tensors = {"x": state.x} | ({} if state.previous is None else {"previous": state.previous})
        sigma = None if math.isinf(state.previous_sigma) else state.previous_sigma
        checkpoint.save(
            self._state(), Checkpoint(tensors, {"batch": batch, "done": state.done, "previous_sigma": sigma})
        )
        self.saved = time.monotonic()

    def _before(self) -> Any:
        try:
            return json.loads((self.path / PLAN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _batch(self, batch: int) -> Path:
        return self.path / f"batch-{batch}.safetensors"

    def _state(self) -> Path:
        return self.path / "state.safetensors"


def sweep_finished(out: Path, lock: Path) -> None:
    """Remove what is left of unfinished samples whose process was killed once their result was in place.

    Args:
        lock: that whoever makes the samples holds.
    """
    try:
        with hold_lock(lock, str(lock)):
            if not (_folder_of(out) / MADE).exists():
                _folder_of(out).rmdir()  # an empty one: its removal was nearly done
            before = json.loads((_folder_of(out) / MADE).read_text(encoding="utf-8"))
            if identify(out) not in (None, before):
                _remove(_folder_of(out))
    except (InputError, OSError, ValueError):  # another process is at work, or they are not all made
        return


def _remove(folder: Path) -> None:
    """Remove a folder; last of its files the one by which ``sweep_finished`` knows what it may remove."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name != MADE:
                path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _folder_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.unfinished")
