"""Predictions in parts that workers of dask make: on this machine, or wherever a scheduler has them."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multiunet.domains.predicting import prepare
from multiunet.domains.tiled_options import PredictTiles
from multiunet.errors import InputError, RunError
from multiunet.files import identify
from multiunet.lock import is_held
from multiunet.prediction.ledger import Part, is_done, planned_parts
from multiunet.prediction.replaced_folder import lock_of
from multiunet.progress import SILENT, Progress

if TYPE_CHECKING:
    from distributed import Client
    from distributed import Future as Task

PARTS_A_WORKER = 4
"""Parts of a prediction for each worker that is there at the begin: so much is lost with a worker."""

ANSWER_SECONDS = 10
"""Seconds until a scheduler must have answered, and have a worker."""

_one_at_a_time = threading.Lock()


def predict_with_workers(
    paths: Sequence[Path], options: PredictTiles, out: Path, name: str, progress: Progress
) -> list[Path]:
    """Predict into a Zarr store, part by part on workers; return the files exported beside it.

    What a worker that is lost had begun goes to another, which continues where its record ends. Workers see the same
    files under the same names.

    Args:
        paths: of the run, or of several.
        options: complete and checked; ``dask`` says where workers are.
        name: of the domain.

    Raises:
        InputError: without dask, when nothing answers, or as ``predict``.
        RunError: when parts are missing at the end.
    """
    assert options.dask is not None
    settings = options.model_dump(mode="json", exclude_unset=True, exclude={"dask"})
    runs = [str(path.absolute()) for path in paths]
    with _connect(options.dask) as client:
        from distributed import as_completed

        count = planned_parts(out) or PARTS_A_WORKER * len(client.nthreads())
        before = identify(out)
        tasks = [
            client.submit(_make_part, runs, settings, str(out.absolute()), name, f"{at}/{count}", before, pure=False)
            for at in range(1, count + 1)
        ]
        files: list[str] = []
        try:
            progress.start_input(f"parts of {out.name}", 0, count)
            for done, task in enumerate(as_completed(tasks), start=1):
                files += _result_of(task, out)
                progress.start_input(f"parts of {out.name}", done, count)
        except BaseException:
            client.cancel(tasks)
            raise
    if identify(out) == before:
        raise RunError(f"{out}: not complete, though all parts were made; give the same command again")
    return [Path(file) for file in files]


def _make_part(
    runs: Sequence[str], settings: Mapping[str, Any], out: str, name: str, part: str, before: int | None
) -> list[str]:
    """Make a part, on a worker; return the files that were exported, by the part that completes the prediction.

    Args:
        before: what was at the place of the prediction at the begin, see ``identify``.
    """
    # of a part that was made before, whose worker was lost before it could say so
    while is_done(Path(out), Part.of(part)) and is_held(lock_of(Path(out))):  # another part joins all
        time.sleep(1)
    if identify(Path(out)) != before:  # the prediction is complete
        return []
    with _one_at_a_time:  # a worker may have several threads
        prepared = prepare(runs, {**settings, "part": part}, out, name)
        return [str(file) for file in prepared.export()] if prepared.make(SILENT) else []


def _result_of(task: Task[list[str]], out: Path) -> list[str]:
    from distributed import KilledWorker

    try:
        files: list[str] = task.result()
    except KilledWorker as error:
        raise RunError(
            f"{out}: several workers were lost while they made the same part ({error.task}); do they have enough "
            "memory? What is done is kept; the same command goes on from there"
        ) from error
    return files


@contextlib.contextmanager
def _connect(where: str) -> Iterator[Client]:
    """Connect with a scheduler, or with workers that are started on this machine and end with the context."""
    try:
        import distributed
    except ImportError as error:
        raise InputError("`dask` needs dask; install multiunet[dask], or give a `part` to each process") from error
    found = re.fullmatch(r"local:(\d+)", where)
    with contextlib.ExitStack() as opened:
        try:
            cluster = where
            if found is not None:
                cluster = opened.enter_context(
                    distributed.LocalCluster(
                        n_workers=int(found[1]), threads_per_worker=1, processes=True, dashboard_address=None
                    )
                )
            connect = partial(distributed.Client, cluster, timeout=ANSWER_SECONDS, set_as_default=False)
            client = opened.enter_context(_wait_for(connect, ANSWER_SECONDS + 2))
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(
                f"`dask={where}`: no scheduler of dask answers there ({error}); start one by `dask scheduler`, or give "
                "local:2, say, for two processes on this machine"
            ) from error
        try:
            client.wait_for_workers(1, timeout=ANSWER_SECONDS)
        except TimeoutError as error:
            raise InputError(
                f"`dask={where}`: the scheduler has no workers; start some, for example by `dask worker {where}`"
            ) from error
        with client.as_current():
            yield client


def _wait_for(make: Callable[[], Client], seconds: float) -> Client:
    """Return what a function makes in time: dask itself waits for ever for a server that says nothing.

    Raises:
        TimeoutError: when it takes longer.
    """
    made: Future[Client] = Future()

    def run() -> None:
        try:
            made.set_result(make())
        except BaseException as error:
            made.set_exception(error)

    threading.Thread(target=run, daemon=True).start()  # one that hangs does not keep the process from its end
    return made.result(seconds)
