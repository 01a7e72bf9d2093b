"""Start of a group: the first process starts the others, or ``torchrun`` or ``srun`` has started all."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, answer_challenge, deliver_challenge

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from multiunet.errors import InputError, RunError
from multiunet.training.processes.group import Alone, Group
from multiunet.training.processes.links import Links, limit_reading
from multiunet.training.processes.place import LOCAL, Place, Wanted, find_place
from multiunet.training.processes.together import Together
from multiunet.training.signals import hold_stop_signals

JOIN_SECONDS = 300.0
"""Time for all processes to find each other, after which those that are there end."""

LOOK_SECONDS = 0.2
"""Time between two looks whether a process that was started has ended instead of coming."""

SHOW_SECONDS = 20
"""Time for one that comes to show that it belongs here."""

LEAVE_SECONDS = 10.0
"""Time for the processes that were started from here to end by themselves."""

FOREVER = timedelta(days=365)
"""Time that a process waits for the numbers of others: of one that is gone, or stopped, ``Links`` tells."""

Helpers = Sequence["subprocess.Popen[bytes]"]


@contextmanager
def open_group(wanted: Wanted, program: str) -> Iterator[Group]:
    """Give the group of processes that train together, in whichever of them this is; at the end they part.

    Args:
        program: Python code that a process runs which is started from here. Its arguments are the kind of device, the
            indices of all, and the silent minutes.

    Raises:
        InputError: when the processes that were asked for cannot be.
        RunError: when one of them did not come.
    """
    if wanted.processes == 1:
        yield Alone()
        return
    if not dist.is_available() or dist.is_initialized():
        why = "is in use in this process already" if dist.is_available() else "is not part of this build of torch"
        raise InputError(f"`devices`: several processes need torch.distributed, which {why}; use one device")
    place, helpers = find_place(wanted), list[subprocess.Popen[bytes]]()
    threads, patience = torch.get_num_threads(), 0.0
    try:
        if place is None:
            store = _serve(LOCAL, 0)
            place = Place(0, wanted.processes, 0, LOCAL, store.port)
            if "OMP_NUM_THREADS" not in os.environ:
                torch.set_num_threads(max(1, threads // wanted.processes))
            words = [program, wanted.kind, ",".join(map(str, wanted.indices)), str(wanted.silent_minutes)]
            for rank in range(1, place.size):
                helpers.append(_start(Place(rank, place.size, rank, LOCAL, store.port), words))
        elif place.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
            store = _serve("", place.port)
        else:
            store = _find(place)
        with join_group(place, wanted, store, helpers) as group:
            patience = LEAVE_SECONDS
            yield group
    finally:
        _end(helpers, patience)
        torch.set_num_threads(threads)


@contextmanager
def join_group(
    place: Place, wanted: Wanted, store: TCPStore | None = None, helpers: Helpers = ()
) -> Iterator[Together]:
    """Give the group of this place, once all others have joined it.

    Args:
        store: torch's store at the first process; None: it is found by the place.
        helpers: processes that this one has started.

    Raises:
        RunError: when a process does not come.
    """
    words = f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    known = PrefixStore(f"multiunet/{words}", store or _find(place))
    try:
        connections = _meet_all(place, known, helpers) if place.rank == 0 else {0: _meet_first(place, known)}
    except (OSError, EOFError, AuthenticationError, RuntimeError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"process {place.rank + 1} of {place.size} cannot reach the first one ({error})") from error
    started = dict(enumerate(helpers, start=1))
    links = Links(connections, place.size, 60 * wanted.silent_minutes, lambda rank: _kill(started.get(rank)))
    try:
        with _on_this_machine(place):
            backend = "cpu:gloo,cuda:nccl" if wanted.kind == "cuda" else "gloo"
            if wanted.kind == "cuda":
                torch.cuda.set_device(wanted.device(place.local))
            dist.init_process_group(backend, store=known, rank=place.rank, world_size=place.size, timeout=FOREVER)
        group = Together(place.rank, place.size, wanted.device(place.local), links)
        try:
            yield group
        except BaseException as error:
            (group.leave if group.leads else group.fail)(error)
            raise
        if group.leads:
            group.leave(None)
    finally:
        links.close()
        if dist.is_initialized():
            dist.destroy_process_group()


def _serve(address: str, port: int) -> TCPStore:
    """Return a store that this process serves, at a free port where 0 is given."""
    patience = timedelta(seconds=JOIN_SECONDS)
    return TCPStore(address or "0.0.0.0", port, None, True, patience, wait_for_workers=False)


def _find(place: Place) -> TCPStore:
    """Return the store that the first process serves, or torchrun."""
    return TCPStore(place.address, place.port, None, False, timedelta(seconds=JOIN_SECONDS))


def _meet_all(place: Place, store: Store, helpers: Helpers) -> Mapping[int, Connection]:
    """Return the connections of the first process, once all others have come."""
    key, deadline = secrets.token_bytes(32), time.monotonic() + JOIN_SECONDS
    missing, found = set(range(1, place.size)), dict[int, Connection]()
    address = LOCAL if place.address == LOCAL else "0.0.0.0"
    with socket.create_server((address, 0), backlog=place.size) as server:
        server.settimeout(LOOK_SECONDS)
        store.set("key", key.hex())
        store.set("port", str(server.getsockname()[1]))
        while missing:
            try:
                rank, connection = _accept(server, key)
            except (AuthenticationError, EOFError, ValueError, OSError):  # nobody, or a stranger
                _check_coming(place.size, min(missing), helpers, deadline)
                continue
            if rank in missing:
                missing.remove(rank)
                found[rank] = connection
    return found


def _accept(server: socket.socket, key: bytes) -> tuple[int, Connection]:
    """Return the number of a process that has come and shows the key, and the connection to it."""
    came, _ = server.accept()
    came.setblocking(True)
    connection = Connection(came.detach())
    try:
        with limit_reading(connection, SHOW_SECONDS):
            deliver_challenge(connection, key)
            answer_challenge(connection, key)
            return int(connection.recv_bytes(16)), connection
    except BaseException:
        connection.close()
        raise


def _check_coming(size: int, missing: int, helpers: Helpers, deadline: float) -> None:
    """Check that a process may still come.

    Raises:
        RunError: when one that was started from here has ended, or the time is over.
    """
    ended = next((helper for helper in helpers if helper.poll() is not None), None)
    if ended is not None:
        raise RunError(f"a process of this training ended while it started ({ended.returncode})")
    if time.monotonic() > deadline:
        raise RunError(
            f"of {size} processes, number {missing + 1} has not come in {JOIN_SECONDS:.0f} s; start one for each device"
        )


def _meet_first(place: Place, store: Store) -> Connection:
    """Return the connection to the first process."""
    key, port = bytes.fromhex(store.get("key").decode()), int(store.get("port"))
    connection = Client((place.address, port), authkey=key)
    connection.send_bytes(str(place.rank).encode())
    return connection


def _start(place: Place, program: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process of this training; stop signals wait until it can heed them."""
    environment = {
        **os.environ,
        **place.environment(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(torch.get_num_threads())),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONWARNINGS": "ignore",  # the first process shows them
    }
    command = [sys.executable, "-P", "-c", *program]
    with hold_stop_signals():
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _end(helpers: Helpers, seconds: float) -> None:
    """Wait so long until processes that were started from here have ended, and end those that do not."""
    deadline = time.monotonic() + seconds
    for helper in helpers:
        try:
            helper.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            helper.kill()
            helper.wait()


def _kill(helper: subprocess.Popen[bytes] | None) -> None:
    """Kill a process that was started from here, which ends the wait for its numbers; others end by themselves."""
    if helper is not None:
        helper.kill()


@contextmanager
def _on_this_machine(place: Place) -> Iterator[None]:
    """Have gloo use the machine's own network, if all processes are there: its name may be known nowhere."""
    name = "GLOO_SOCKET_IFNAME"
    if place.address != LOCAL or name in os.environ or not sys.platform.startswith(("linux", "darwin")):
        yield
        return
    os.environ[name] = "lo" if sys.platform == "linux" else "lo0"
    try:
        yield
    finally:
        del os.environ[name]
