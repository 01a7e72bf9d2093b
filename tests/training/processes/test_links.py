"""Connections between processes: what ends a process that waits, and what does not."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from multiunet.training.processes import launching
from multiunet.training.processes.links import Leave, limit_reading
from multiunet.training.processes.place import LOCAL, Place

BUSY = """
import socket, sys, time
from multiprocessing.connection import Connection
from multiunet.training.processes import links
links.GRACE_SECONDS = 0.2
with socket.create_server(("127.0.0.1", 0)) as server:
    others = [socket.create_connection(server.getsockname()) for _ in range(2)]
    own = [Connection(server.accept()[0].detach()) for _ in others]
held = links.Links(dict(enumerate(own, start=1)), 3)
ends = [Connection(other.detach()) for other in others]
for end in ends:
    eval(sys.argv[1])
if sys.argv[2:]:
    held.receive(), held.receive(), held.close()
    time.sleep(0.5)
    print("goes on")
else:
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("end.send_bytes(links.Leave('b.png: is no image', input=True).pack())", "error: b.png: is no image\n"),
        ("end.close()", "of this training has ended without a word"),
    ],
)
def test_a_process_that_is_busy_ends_with_the_words_of_the_other(does: str, words: str) -> None:
    done = subprocess.run([sys.executable, "-c", BUSY, does], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert words in done.stderr


def test_one_that_closes_its_links_goes_on_whatever_was_lost() -> None:
    command = [sys.executable, "-c", BUSY, "end.close()", "closes"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "goes on\n"


def test_a_last_message_is_read_as_it_was_sent() -> None:
    leave = Leave("Grün", 15)
    assert Leave.unpack(leave.pack()) == leave


def test_strangers_keep_nobody_out_and_nothing_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "SHOW_SECONDS", 1)
    store, first, second = launching._serve(LOCAL, 0), Place(0, 2, 0, LOCAL, 0), Place(1, 2, 1, LOCAL, 0)
    strangers = []

    def come() -> None:
        known = TCPStore(LOCAL, store.port, None, False)
        strangers.append(socket.create_connection((LOCAL, int(known.get("port")))))  # which says nothing
        strangers.append(socket.create_connection((LOCAL, int(known.get("port")))))
        strangers[-1].sendall(b"GET / HTTP/1.1\r\n")
        with launching._meet_first(second, known) as connection:
            connection.send_bytes(b"hello")

    other = threading.Thread(target=come)
    other.start()
    before = threading.active_count()
    connection = launching._meet_all(first, store, ())[1]
    assert connection.recv_bytes() == b"hello"
    other.join()
    assert threading.active_count() == before - 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOCAL, int(store.get("port"))))
    for stranger in strangers:
        stranger.close()


def test_reads_wait_for_ever_again_behind_the_limit() -> None:
    with socket.create_server((LOCAL, 0)) as server:
        end = socket.create_connection(server.getsockname())
        connection = launching.Connection(server.accept()[0].detach())
    with limit_reading(connection, 1):
        end.sendall(b"\x00\x00\x00\x02ab")
        assert connection.recv_bytes() == b"ab"
    threading.Timer(1.5, end.sendall, [b"\x00\x00\x00\x01c"]).start()
    began = time.monotonic()
    assert connection.recv_bytes() == b"c"
    assert time.monotonic() - began > 1.2
    with pytest.raises(BlockingIOError), limit_reading(connection, 1):
        connection.recv_bytes()
    connection.close()
    end.close()
