"""Measured choice between two ways to compute a training step, made once on each machine."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Geometry
from multiunet.files import write_text
from multiunet.tasks import Task
from multiunet.training.data import Sample
from multiunet.training.supervision import supervised_loss, supervised_outputs

NEGLIGIBLE_SECONDS = 0.1
"""Seconds of a step below which no choice is made: training is over before it matters."""

CLEARLY_FASTER = 0.9
"""Share of the expected way's time that the other may need to be taken: noise must not decide."""

TIMED_STEPS = 3
"""Number of steps that are timed of each way, by turns."""


class Probe:
    """Stopwatch of training steps.

    Args:
        batch: as large as those of training; its values do not matter.
    """

    def __init__(
        self,
        task: Task,
        geometry: Geometry[Any],
        batch: Sample[Tensor],
        device: torch.device,
        bf16: bool,
    ) -> None:
        self._task, self._geometry, self._batch = task, geometry, batch
        self._device, self._bf16 = device, bf16

    def prefers(self, other: nn.Module, expected: nn.Module) -> bool:
        """Return whether the other network's step is clearly shorter than the expected one's."""
        first = []
        for net in (expected, other):
            net.to(self._device).train()
            self._seconds(net)  # what is made once is not counted
            first.append(self._seconds(net))
            if first[-1] < NEGLIGIBLE_SECONDS:
                return False
        faster = [first[1] / first[0] <= CLEARLY_FASTER]
        while 2 * max(faster.count(True), faster.count(False)) < TIMED_STEPS:  # until the others cannot change it
            faster.append(self._seconds(other) / self._seconds(expected) <= CLEARLY_FASTER)
        return faster.count(True) > faster.count(False)

    def _seconds(self, net: nn.Module) -> float:
        self._finish()
        started = time.perf_counter()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            outputs = supervised_outputs(net, self._batch)
        loss = supervised_loss(net, self._task, self._geometry, [output.float() for output in outputs], self._batch)
        loss.backward()
        self._finish()
        return time.perf_counter() - started

    def _finish(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def remembered(question: str, ask: Callable[[], bool]) -> bool:
    """Return this machine's answer to a question, asked once, so that equal runs stay equal.

    It is kept in ``multiunet/probes.json`` in ``XDG_CACHE_HOME`` or ``~/.cache``; where that cannot be written, or
    nobody has a home, not.
    """
    try:
        file = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "multiunet" / "probes.json"
    except RuntimeError:  # a container whose user has no name
        return ask()
    known: dict[str, bool] = {}
    with suppress(OSError, ValueError, TypeError):
        known = dict(json.loads(file.read_text(encoding="utf-8")))
    key = hashlib.sha256(f"{question} {_machine()}".encode()).hexdigest()[:16]
    if key not in known:
        known[key] = ask()
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text(file, json.dumps(known, indent=1))
    return bool(known[key])


def _machine() -> str:
    """Return what a step's time depends on beside the network."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return f"{torch.__version__} {torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()} {gpu}"
