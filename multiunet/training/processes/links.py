"""Connections between the first process of a group and each other one.

They carry what gradients do not: settings, orders and errors. And they tell that a process is gone, since the system
closes the connections of one that was killed; of a machine that went down, the network's own probes tell. Of one that
is stopped (SIGSTOP), or hangs, nothing tells but that its signs of life, a byte every few seconds, no longer come.
"""

from __future__ import annotations

import json
import math
import os
import queue
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Final

from multiunet.wording import duration, printable

LEAVE = b"L"
"""First byte of a process's last message."""

BEAT = b"B"
"""Message that is a sign of life, and nothing more."""

BEAT_SECONDS = 5.0
"""Seconds between two signs of life, at most; fewer where little silence is borne."""

GRACE_SECONDS = 15.0
"""After a process was lost, seconds until this one ends, whatever it is doing: it may wait for a GPU for ever."""

PROBES = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 4}
"""The network's probes of a connection: first and next after so many seconds, and how many without an answer."""


@dataclass(frozen=True)
class Leave:
    """Last message of a process.

    Attributes:
        text: why it ends before all is done; None: all is done.
        signum: signal that stopped it; None: none did.
        input: whether the input is wrong.
    """

    text: str | None
    signum: int | None = None
    input: bool = False

    def pack(self) -> bytes:
        """Return it as a message."""
        return LEAVE + json.dumps(asdict(self)).encode()

    @classmethod
    def unpack(cls, message: bytes) -> Leave:
        """Return what ``pack`` made a message of."""
        return cls(**json.loads(message.removeprefix(LEAVE)))


@dataclass(frozen=True)
class Loss:
    """End of a process without a word.

    Attributes:
        rank: its number.
        silent: seconds without a sign of life, of one that may be there still; None: it has ended.
    """

    rank: int
    silent: float | None = None


class Links:
    """Connections of this process, each read by a thread of its own.

    Messages are bytes; nothing is unpickled.

    Attributes:
        loss: the first process that was lost; None: none was.
    """

    def __init__(
        self,
        connections: Mapping[int, Connection],
        size: int,
        silence: float = math.inf,
        drop: Callable[[int], object] = lambda rank: None,
    ) -> None:
        """Begin to read.

        Args:
            connections: by the number of the process at the other end.
            size: number of processes, for the words about a lost one.
            silence: seconds without a sign of life after which a process counts as lost.
            drop: ends such a process, by its number, if it can.
        """
        self.loss: Loss | None = None
        self.size: Final = size
        self._silence, self._drop = silence, drop
        self._beat_seconds = min(BEAT_SECONDS, silence / 10)
        self._silent = dict.fromkeys(connections, 0.0)
        self._sending = {rank: threading.Lock() for rank in connections}
        self._closed = threading.Event()
        self._connections = dict(connections)
        self._messages: queue.Queue[bytes | Loss] = queue.Queue()
        self._closing = False
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._readers = [
            threading.Thread(target=self._read, args=(rank, connection), daemon=True)
            for rank, connection in self._connections.items()
        ]
        for connection, reader in zip(self._connections.values(), self._readers):
            _probe(connection)
            reader.start()
        # two: one that sends to a process that is stopped may wait for it
        self._others = [threading.Thread(target=run, daemon=True) for run in (self._beat, self._watch)]
        for thread in self._others:
            thread.start()

    def send(self, message: bytes) -> None:
        """Send a message to all others that are there; of one that is gone, ``receive`` tells."""
        for rank, connection in self._connections.items():
            try:
                with self._sending[rank]:
                    connection.send_bytes(message)
            except OSError:
                continue

    def receive(self, seconds: float | None = None) -> bytes | Loss | None:
        """Return the next message, or the loss of a process; None: nothing came in so many seconds."""
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Close all connections; from now on no process is missed."""
        self._closing = True
        self._closed.set()
        for connection, reader in zip(self._connections.values(), self._readers):
            with suppress(OSError), _socket_of(connection) as own:
                own.shutdown(socket.SHUT_RDWR)  # wakes the reader; closed, its number could be another file's
            reader.join()
            connection.close()
        if self._timer is not None:  # now that no reader can start another one
            self._timer.cancel()

    def _read(self, rank: int, connection: Connection) -> None:
        try:
            while True:
                message = connection.recv_bytes()
                self._silent[rank] = 0.0
                if message == BEAT:
                    continue
                self._messages.put(message)
                if message[:1] == LEAVE:
                    self._silent[rank] = -math.inf  # it says nothing more
                    # what the first process says is seen; what others say would be lost if this one were ended
                    self._end_soon(None if rank == 0 else Leave.unpack(message).text)
                    return
        except (EOFError, OSError):
            if self._closing:
                return
        self._miss(Loss(rank))

    def _miss(self, loss: Loss) -> None:
        self.loss = self.loss or loss
        self._messages.put(self.loss)
        self._end_soon(self.describe(self.loss))

    def _beat(self) -> None:
        """Send signs of life."""
        while not self._closed.wait(self._beat_seconds):
            for rank, connection in self._connections.items():
                if self._sending[rank].acquire(blocking=False):  # else a message is being sent, which is one
                    try:
                        connection.send_bytes(BEAT)
                    except OSError:
                        continue
                    finally:
                        self._sending[rank].release()

    def _watch(self) -> None:
        """Miss a process whose signs of life do not come.

        Time in which this process is stopped itself, as by Ctrl-Z or with the lid of a laptop, is not counted.
        """
        before = time.monotonic()
        while not self._closed.wait(self._beat_seconds):
            now = time.monotonic()
            passed, before = min(now - before, 2 * self._beat_seconds), now
            for rank in self._silent:
                self._silent[rank] += passed
                if self._silent[rank] > self._silence:
                    self._miss(Loss(rank, self._silent[rank]))
                    self._drop(rank)
                    return

    def _end_soon(self, words: str | None) -> None:
        """End this process after the grace, unless it closes its links before; say these words then."""

        def end() -> None:
            if words is not None:
                print(f"error: {printable(words)}", file=sys.stderr, flush=True)
            os._exit(1)

        with self._lock:  # several processes may be lost at once
            if self._timer is None:
                self._timer = threading.Timer(GRACE_SECONDS, end)
                self._timer.daemon = True
                self._timer.start()

    def describe(self, loss: Loss) -> str:
        """Say which process was lost, and what to do."""
        if loss.silent is not None:
            return (
                f"process {loss.rank + 1} of {self.size} of this training has given no sign of life for "
                f"{duration(loss.silent)} (`silent_minutes`): it was stopped, or its machine hangs. All others end, "
                "too; the run can be resumed from its last saved state"
            )
        return (
            f"process {loss.rank + 1} of {self.size} of this training has ended without a word: killed, out of memory, "
            "or its machine went down. All others end, too; the run can be resumed from its last saved state"
        )


def _probe(connection: Connection) -> None:
    """Have the system probe a connection, so that a machine that went down is noticed."""
    with _socket_of(connection) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in PROBES.items():
            if hasattr(socket, name):  # Linux
                own.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextmanager
def limit_reading(connection: Connection, seconds: int) -> Iterator[None]:
    """Limit how long a read from a connection waits, in the context; then it raises ``OSError``."""
    _allow_to_wait(connection, seconds)
    yield
    _allow_to_wait(connection, 0)


def _allow_to_wait(connection: Connection, seconds: int) -> None:
    """Set the time that a read waits; 0: for ever."""
    with _socket_of(connection) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", seconds, 0))


def _socket_of(connection: Connection) -> socket.socket:
    return socket.socket(fileno=os.dup(connection.fileno()))
