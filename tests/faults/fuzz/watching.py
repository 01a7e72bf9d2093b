"""Mutants read in a process with limits of time and memory, which is begun anew where one ended it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from multiunet.errors import InputError, RunError
from tests.faults.fuzz.mutations import mutate
from tests.faults.fuzz.reader import Reader, is_same
from tests.faults.fuzz.readers import READERS
from tests.faults.fuzz.tally import Outcome, Tally

HANG, MOST = 10.0, 2 << 30
"""Seconds of the processor, and bytes, that a mutant may take."""

LONGEST = 60.0
"""Seconds that it may wait for a processor, or for something else."""

BATCH = 200
"""Mutants that one process reads, at most: what it keeps of one must not be counted for another."""


def fuzz(name: str, numbers: Sequence[int], alone: bool = False) -> Tally:
    """Read mutants of a reader's seed, which is read first.

    Args:
        alone: name, too, the mutants that the second reader refuses.
    """
    tally, reader = Tally(), READERS[name]
    with tempfile.TemporaryDirectory() as folder:
        seed = reader.make(Path(folder))
        first = look(reader, seed, seed.name)  # what is imported here is there in all children
        if first.word != "read":
            raise ValueError(f"the seed of {name} is {first.word}: {first.what}")
        for number, outcome in watch(name, seed, numbers):
            tally.count(outcome)
            if outcome.what and (alone or outcome.word != "read alone"):
                tally.findings.append(f"{name} --only {number}: {outcome.word}: {outcome.what}")
    return tally


def watch(name: str, seed: Path, numbers: Sequence[int]) -> Iterator[tuple[int, Outcome]]:
    """Yield the number and outcome of each mutant."""
    left = list(numbers)
    while left:
        with contextlib.closing(_Child(name, seed, left[:BATCH])) as child:
            for number in left[:BATCH]:
                outcome = child.next()
                yield number, outcome
                left.pop(0)
                if outcome.word in ("hang", "died"):
                    break


class _Child:
    """Process that reads mutants one after the other, and says what became of each in a line."""

    def __init__(self, name: str, seed: Path, numbers: Iterable[int]) -> None:
        there, here = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.close(there)
            sys.stdout = sys.stderr = io.StringIO()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            for number in numbers:
                outcome = _read_mutant(READERS[name], seed, f"{name} {number}")
                os.write(here, json.dumps(vars(outcome)).encode()[:60000] + b"\n")
            os._exit(0)
        os.close(here)
        self.there, self.said = there, b""

    def next(self) -> Outcome:
        """Wait for the next outcome, or for as long as a mutant may take."""
        end, most = time.monotonic() + LONGEST, self._used() + HANG
        while b"\n" not in self.said:
            if not select.select([self.there], [], [], 1.0)[0]:
                if self._used() > most or time.monotonic() > end:
                    return Outcome("hang", f"over {HANG:g} s", HANG)
                continue
            part = os.read(self.there, 65536)
            if not part:
                return Outcome("died", "the process ended without a word")
            self.said += part
        line, _, self.said = self.said.partition(b"\n")
        return Outcome(**json.loads(line))

    def _used(self) -> float:
        """Return the seconds of the processor that the process has had."""
        words = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the process."""
        os.close(self.there)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def _read_mutant(reader: Reader, seed: Path, number: str) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        mutant = spoil(seed, Path(folder), random.Random(number), reader.only)
        before = _size("VmRSS")
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the most memory is counted from here
        size = _size("VmSize")
        resource.setrlimit(resource.RLIMIT_AS, (size + MOST, resource.RLIM_INFINITY))
        start = time.process_time()
        found = look(reader, mutant, mutant.name)
        return Outcome(found.word, found.what, time.process_time() - start, max(0, _size("VmHWM") - before))


def spoil(seed: Path, folder: Path, rng: random.Random, only: str = "*") -> Path:
    """Write a mutant of a seed into a folder; of a folder, one file is mutated."""
    mutant = folder / seed.name
    if seed.is_file():
        mutant.write_bytes(mutate(seed.read_bytes(), rng))
        return mutant
    shutil.copytree(seed, mutant)
    file = rng.choice(sorted(path for path in mutant.rglob(only) if path.is_file()))
    file.write_bytes(mutate(file.read_bytes(), rng))
    return mutant


def look(reader: Reader, mutant: Path, name: str) -> Outcome:
    """Read a mutant; return the outcome and, of a finding, what it is."""
    try:
        found = reader.read(mutant)
    except (InputError, RunError) as error:
        if isinstance(error.__cause__, MemoryError) or isinstance(error.__context__, MemoryError):
            return Outcome("memory", str(error)[:300])
        return Outcome("refused") if name in str(error) else Outcome("unnamed", str(error)[:300])
    except BaseException as error:
        return Outcome("traceback", "".join(traceback.format_exception(error)[-4:])[-700:])
    if reader.reference is None:
        return Outcome("read")
    try:
        expected = reader.reference(mutant)
    except BaseException as error:
        return Outcome("read alone", " ".join(f"{type(error).__name__}: {error}".split())[:200])
    return (
        Outcome("read") if is_same(found, expected) else Outcome("differs", f"{found}"[:300] + f" != {expected}"[:300])
    )


def _size(kind: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind + ":"))
    return int(line.split()[1]) << 10
