"""Batches by counter: what a batch holds is a function of seed, epoch and position."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from multiunet.core import Condition, Geometry
from multiunet.errors import InputError, RunError
from multiunet.seeds import generator, permutation
from multiunet.training.data import Sample, TrainingData
from multiunet.training.signals import STOP_SIGNALS

Key = tuple[int, int, int]
"""A draw: epoch, position in the epoch, item."""

EXPECTED_ERRORS = (InputError, RunError, OSError, MemoryError)
"""Errors whose messages suffice: a worker hands them to the training as they are, without its own traceback."""


class _Draws(Dataset["Sample[Any] | Exception"]):
    def __init__(self, data: TrainingData[Any], seed: int) -> None:
        self.data, self.seed = data, seed

    def __getitem__(self, key: Key) -> Sample[Any] | Exception:
        epoch, position, item = key
        try:
            return self.data.draw(item, generator("draw", self.seed, epoch, position))
        except EXPECTED_ERRORS as error:
            return error


class EpochSampler(Sampler[list[Key]]):
    """Sampler of the batches of one epoch, from any of them on.

    Items come in permutations, one after the other, each seeded by seed, epoch and round, until the epoch is full.

    Args:
        is_own: whether a batch of the epoch, by its number, is wanted here; None: all are.

    Attributes:
        epoch, first: set both before iterating.
    """

    def __init__(
        self, items: int, batch_size: int, batches: int, seed: int, is_own: Callable[[int], bool] | None = None
    ) -> None:
        self.items, self.batch_size, self.batches, self.seed = items, batch_size, batches, seed
        self.is_own = is_own
        self.epoch = self.first = 0

    def __iter__(self) -> Iterator[list[Key]]:
        count = self.batches * self.batch_size
        rounds = [permutation(self.items, "order", self.seed, self.epoch, r) for r in range(-(-count // self.items))]
        order = np.concatenate(rounds)
        for batch in self._own():
            positions = range(batch * self.batch_size, (batch + 1) * self.batch_size)
            yield [(self.epoch, position, int(order[position])) for position in positions]

    def __len__(self) -> int:
        return len(self._own())

    def _own(self) -> list[int]:
        batches = range(self.first, self.batches)
        return [batch for batch in batches if self.is_own is None or self.is_own(batch)]


class Collate:
    """Function that joins samples into a batch, or returns the error of one that could not be drawn.

    It is picklable, so that workers can have it.
    """

    def __init__(self, geometry: Geometry[Any]) -> None:
        self.geometry = geometry

    def __call__(self, drawn: Sequence[Sample[Any] | Exception]) -> Sample[Any] | Exception:
        for error in drawn:
            if isinstance(error, Exception):
                return error
        samples = [sample for sample in drawn if isinstance(sample, Sample)]
        weights = [sample.weight for sample in samples if sample.weight is not None]
        if weights and len(weights) != len(samples):
            raise ValueError("some samples of a batch have weights and some have none")
        conditions = [sample.condition for sample in samples if sample.condition is not None]
        if conditions and len(conditions) != len(samples):
            raise ValueError("some samples of a batch have a condition and some have none")
        return Sample(
            self.geometry.collate([sample.field for sample in samples]),
            torch.cat([sample.target for sample in samples]),
            torch.cat(weights) if weights else None,
            Condition.join(conditions) if conditions else None,
        )


def make_loader(
    data: TrainingData[Any], geometry: Geometry[Any], sampler: EpochSampler, seed: int, workers: int
) -> DataLoader[Sample[Any] | Exception]:
    """Make a loader of the sampler's batches.

    Workers are spawned: forked ones can deadlock on open Zarr stores or BLAS threads.
    """
    return DataLoader(
        _Draws(data, seed),
        batch_sampler=sampler,
        collate_fn=Collate(geometry),
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_leave_signals_to_training,
    )


@contextmanager
def stop_workers(batches: DataLoader[Any]) -> Iterator[None]:
    """Stop all worker processes of a loader on exit, also after an error.

    One that is still running would keep the program from ending.

    Raises:
        RunError: when a worker was killed from outside.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_of_worker(error):
            raise
        raise RunError(
            "a process that loads data was killed, perhaps because memory ran out; use fewer `workers`, and go on with "
            "`resume=auto`"
        ) from error
    finally:
        # the only way to workers that persist: there is no public function that ends them
        if (running := batches._iterator) is not None:
            batches._iterator = None
            try:
                running._shutdown_workers()  # type: ignore[attr-defined]
            except RuntimeError as error:  # one that breaks off while it ends has ended, too
                if not _is_of_worker(error):
                    raise
            for worker in running._workers:  # type: ignore[attr-defined]
                worker.kill()  # one that hangs in a read; of those that have ended, nothing


def _is_of_worker(error: RuntimeError) -> bool:
    """Return whether a worker was killed or broke off: torch's words, raised by its handler of SIGCHLD anywhere."""
    return str(error).startswith("DataLoader worker")


def _leave_signals_to_training(worker: int) -> None:
    """Ignore stop signals: the step under way, after which the state is saved, still needs its samples.

    A worker ends when training says so, or has itself ended.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
