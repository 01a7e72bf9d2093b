"""Group of several processes, over torch.distributed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from multiunet.errors import InputError, RunError
from multiunet.training.checkpoint import Checkpoint, pack, unpack
from multiunet.training.processes.group import Group, Order, Totals
from multiunet.training.processes.links import GRACE_SECONDS, LEAVE, Leave, Links, Loss
from multiunet.training.signals import Stopped

JSON, WEIGHTS = b"J", b"W"
"""First byte of a message that holds settings or an order, and of one that holds a checkpoint; see also ``LEAVE``."""

BUCKET = 2**24
"""Numbers of gradients that are added in one go, about."""


class Lost(RunError):
    """Raised where another process of the training has ended without a word."""


class Together(Group):
    """Several processes, each with a device.

    Numbers on the CPU are added by gloo, those on GPUs by NCCL. The first process tells the others by ``Links`` what to
    do, so that they wait for nothing else while it validates.
    """

    def __init__(self, rank: int, size: int, device: str, links: Links) -> None:
        self.rank, self.size, self.device, self._links = rank, size, device, links

    def send_job(self, job: Mapping[str, Any]) -> None:
        self._links.send(JSON + json.dumps(job).encode())

    def receive_job(self) -> dict[str, Any] | None:
        """Return what is trained next; None: nothing more is.

        Raises:
            RunError: when the first process ended without a word, or with an error.
            Stopped: when it was stopped.
        """
        message = self._receive()
        return None if message is None else dict(json.loads(message[1:]))

    def start(self, checkpoint: Checkpoint) -> None:
        self._links.send(WEIGHTS + pack(checkpoint))

    def receive_start(self) -> Checkpoint:
        """Return what the first process gave to ``start``; for errors see ``receive_job``."""
        return unpack(self._receive_more()[1:], "the first process's state")

    def order(self, order: Order) -> None:
        if (message := self._links.receive(0)) is not None:
            raise self._error_of(message)
        self._links.send(JSON + json.dumps(asdict(order)).encode())

    def receive_order(self) -> Order:
        """Return what to do next; for errors see ``receive_job``."""
        return Order(**json.loads(self._receive_more()[1:]))

    def fail(self, error: BaseException) -> None:
        """Tell the first process why this one ends."""
        text = str(error) if isinstance(error, (InputError, RunError)) else f"{type(error).__name__}: {error}"
        text = f"process {self.rank + 1} of {self.size}: {text}"
        self._links.send(Leave(text, input=isinstance(error, InputError)).pack())

    def leave(self, error: BaseException | None) -> None:
        """Tell all others that the first process needs them no longer, and why."""
        text = None if error is None else str(error) or type(error).__name__
        self._links.send(Leave(text, getattr(error, "signum", None)).pack())

    def add_up(self, totals: Totals) -> None:
        flat = torch.cat([tensor.flatten() for tensor in totals.tensors])
        with self._explained():
            dist.all_reduce(flat)
        for tensor, part in zip(totals.tensors, flat.split([tensor.numel() for tensor in totals.tensors])):
            tensor.copy_(part.view_as(tensor))

    def add_gradients(self, weights: Sequence[Tensor]) -> None:
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            with self._explained():
                dist.all_reduce(flat)
            for gradient, part in zip(bucket, flat.split([one.numel() for one in bucket])):
                gradient.copy_(part.view_as(gradient))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise the reason for which another process does not answer in place of the network's error."""
        try:
            yield
        except RuntimeError as error:
            message = self._links.receive(GRACE_SECONDS)
            if message is None:
                raise
            raise self._error_of(message) from error

    def _receive(self) -> bytes | None:
        """Return the next message of the first process; None: it is done."""
        message = self._links.receive()
        assert message is not None
        if isinstance(message, Loss):
            raise self._error_of(message)
        if message[:1] != LEAVE:
            return message
        if Leave.unpack(message).text is not None:
            raise self._error_of(message)
        return None

    def _receive_more(self) -> bytes:
        if (message := self._receive()) is None:
            raise RunError("the first process has ended this training before its time")
        return message

    def _error_of(self, message: bytes | Loss) -> Exception:
        """Return the error that is another process's last word, or its loss."""
        if isinstance(message, Loss):
            return Lost(self._links.describe(message))
        leave = Leave.unpack(message)
        if leave.signum is not None:
            return Stopped(leave.signum)
        return (InputError if leave.input else RunError)(leave.text)


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield tensors in lists of one type, each of about ``BUCKET`` numbers."""
    bucket: list[Tensor] = []
    count = 0
    for tensor in tensors:
        if bucket and (count + tensor.numel() > BUCKET or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, count = [], 0
        bucket.append(tensor)
        count += tensor.numel()
    if bucket:
        yield bucket
