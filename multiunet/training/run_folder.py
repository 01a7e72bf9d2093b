"""Folder of a run: its settings, its machine, its log and its weights."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import yaml

from multiunet.errors import InputError
from multiunet.files import check_creatable, csv_text, remove_temporaries, write_text
from multiunet.finite import find_not_finite
from multiunet.lock import LOCK
from multiunet.process import is_alive, this_process
from multiunet.training.checkpoint import Checkpoint, load, previous, save, save_last
from multiunet.training.kept import KeptCheckpoints
from multiunet.training.power_average import PowerSnapshots
from multiunet.training.readable import Problem, find_readable, join_problems
from multiunet.training.records import Records
from multiunet.training.run_places import resolve_places
from multiunet.wording import counted
from multiunet.yaml_text import parse_yaml

CREATED, RUNNING, STOPPED, DIVERGED = "created", "running", "stopped", "diverged"
"""First words of ``STATUS`` of a run without weights, while it is trained, stopped, and of one that was not finite."""

AUTOENCODER = "autoencoder"
"""Folder in that of a run whose network works in latents: the run of the autoencoder, which is trained first."""

REPORT = "report.html"
"""File in a run folder, or in that of folds: a page of what was trained, and of its last evaluation."""

SCORES = "scores.json"
"""File in a run folder, or in that of folds: scores of its last evaluation of each data set."""

CURVES = "curves.png"
"""Picture of losses and scores by epoch, drawn when a training ends."""

PARTS = (
    *("config.yaml", "dataset.json", "env.json", "metrics.jsonl", "metrics.csv", "checkpoints"),
    *("calibration.json", REPORT, SCORES, AUTOENCODER, "STATUS"),
)
"""Names in a run folder; one without the first is not a run."""


class RunFolder(Records):
    """Reader and writer of a run's files.

    They are ``config.yaml``, ``dataset.json``, ``env.json``, ``metrics.jsonl``, ``metrics.csv``,
    ``checkpoints/{last,previous,best}.safetensors``, ``checkpoints/epoch-*.safetensors`` of epochs that are kept,
    ``checkpoints/average-*.safetensors`` of averages of any length, ``autoencoder/``, a folder like it, where the
    network works in latents, ``curves.png``, ``tensorboard/``, where asked for, and ``STATUS`` (created, running, done;
    stopped or diverged, and why).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._config: dict[str, Any] | None = None  # read once
        self.last = path / "checkpoints" / "last.safetensors"
        self.best = path / "checkpoints" / "best.safetensors"
        self.kept = KeptCheckpoints(path / "checkpoints")
        self.averages = PowerSnapshots(path / "checkpoints")
        self._last_is_sound = False

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any], dataset: Mapping[str, Any]) -> RunFolder:
        """Make a new folder.

        Args:
            config: resolved settings.
            dataset: what the run knows of its data, plain JSON.

        Raises:
            InputError: when there is something under this name already.
        """
        cls.check_free(path)
        run = cls(path)
        path.mkdir(parents=True, exist_ok=True)
        if not run.started():
            run.discard()  # what a process left that died in making one
        try:
            run.status(CREATED)  # first: by it the others are known for a run's
            (path / "checkpoints").mkdir(exist_ok=True)
            write_text(path / "dataset.json", json.dumps(dataset, indent=1) + "\n")
            write_text(path / "env.json", json.dumps(environment(), indent=1) + "\n")
            # last: a folder with a config.yaml is a whole run folder
            write_text(path / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False))
        except BaseException:
            run.discard()
            raise
        return run

    @staticmethod
    def check_free(path: Path) -> None:
        """Check that a run can be made here.

        Raises:
            InputError: when there is something under this name already, or it cannot be written.
        """
        if (path / "config.yaml").exists():
            raise InputError(f"{path}: already holds a run; go on with it by `resume=auto`, or choose another folder")
        if os.path.lexists(path) and not (path.is_dir() and _is_free(path)):
            raise InputError(f"{path}: exists already, and is neither empty nor a run folder; choose another one")
        check_creatable(path / "config.yaml" if path.is_dir() else path)

    def discard(self) -> None:
        """Remove what ``create`` and a training wrote, and nothing else."""
        if self.path.is_dir():
            with suppress(OSError):  # on a full disk
                self.status(CREATED)
        for name in PARTS:  # the first makes a folder a run, the last says that the rest was one
            if (self.path / name).is_dir():
                shutil.rmtree(self.path / name, ignore_errors=True)
            else:
                (self.path / name).unlink(missing_ok=True)

    def started(self) -> bool:
        """Return whether there is anything to go on from, or to predict with."""
        before = self.path / AUTOENCODER / "checkpoints" / self.last.name
        return any(path.exists() for path in (self.last, previous(self.last), self.best, before))

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a folder that ``create`` made.

        Raises:
            InputError: when it is not one.
        """
        if not (path / "config.yaml").is_file() or not (path / "dataset.json").is_file():
            if (path / "fold-0").is_dir():
                raise InputError(f"{path}: holds the folds of a cross-validation; name one, such as {path / 'fold-0'}")
            reason = "no such folder" if not path.exists() else "no run folder (it has no config.yaml and dataset.json)"
            raise InputError(f"{path}: {reason}; give the folder of a training")
        return cls(path)

    def config(self) -> dict[str, Any]:
        """Return the resolved settings of the run."""
        if self._config is None:
            self._config = self._mapping("config.yaml", parse_yaml)
        return dict(self._config)

    def dataset(self) -> dict[str, Any]:
        """Return what the run knows of its data, unchecked: see ``multiunet.domains.info``."""
        return self._mapping("dataset.json", json.loads)

    def _mapping(self, name: str, parse: Any) -> dict[str, Any]:
        try:
            content = parse((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise InputError(f"{self.path / name}: cannot be read ({error}); the run folder is damaged") from error
        if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
            raise InputError(f"{self.path / name}: holds no settings; the run folder is damaged")
        located: dict[str, Any] = resolve_places(content, self.path)
        return located

    def begin(self) -> None:
        """Write into ``STATUS`` that this process trains the run, and remove what killed ones left."""
        for folder in (self.path, self.last.parent):
            folder.mkdir(exist_ok=True)  # somebody may have removed all checkpoints
            remove_temporaries(folder)
        self.status(f"{RUNNING}: {this_process()}")

    def status(self, word: str) -> None:
        """Write ``STATUS``."""
        write_text(self.path / "STATUS", word + "\n")

    def read_status(self) -> str:
        """Read ``STATUS``; of a run whose process is gone without a word, return that it was stopped."""
        path = self.path / "STATUS"
        words = path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else "unknown"
        if words.startswith(RUNNING) and is_alive(words) is False:
            return f"{STOPPED}: killed, or its machine went down ({words})"
        return words

    def unfinished(self) -> str | None:
        """Return how far a run is whose training has not ended, in words; None where it has."""
        status = self.read_status()
        done = self.describe_progress()
        if status.startswith(RUNNING):
            return f"{self.path}: is still being trained, {done} so far"
        if status.startswith(STOPPED):
            return f"{self.path}: training was stopped after {done}; go on with it by `resume=auto`"
        if status.startswith(DIVERGED):  # resumed, it would diverge again
            return f"{self.path}: training diverged after {done}; train anew with a lower learning rate (`lr`)"
        return None

    def describe_progress(self) -> str:
        """Say how many epochs are done, and of how many, or in how many minutes."""
        rows, config = self.history(), self.config()
        done = rows[-1]["epoch"] if rows else 0
        if (minutes := config.get("minutes")) is not None:
            return f"{counted(done, 'epoch')} of a training of {minutes:g} minutes"
        return f"{done} of {config.get('epochs')} epochs"

    def check_idle(self) -> None:
        """Check that no other process trains this run.

        Raises:
            InputError: naming the process.
        """
        words = self.read_status()
        if words.startswith(RUNNING) and is_alive(words) and f"process {os.getpid()} " not in words:
            raise InputError(f"{self.path}: is being trained ({words}); wait for it, or stop it first")

    def best_scores(self) -> dict[str, Any]:
        """Return epoch (the first is 1) and validation scores of the best checkpoint.

        Empty before there is one, and where its file is damaged: then the last checkpoint predicts.
        """
        with suppress(InputError):
            return dict(load(self.best).state)
        return {}

    def log(self, row: Mapping[str, Any]) -> None:
        """Add one row to ``metrics.jsonl``, and flush it: the checkpoint that follows knows of its epoch."""
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(_line(row))
            file.flush()
            os.fsync(file.fileno())

    def history(self) -> list[dict[str, Any]]:
        """Return the rows logged so far, up to the first damaged line, as one cut off in writing is."""
        path = self.path / "metrics.jsonl"
        rows: list[dict[str, Any]] = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):  # numbers of thousands of digits are no JSONDecodeError
                break
            if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
                break
            rows.append(row)
        return rows

    def rewind(self, epochs: int) -> None:
        """Remove rows and kept weights behind this many epochs: the checkpoint does not know of them."""
        self.kept.rewind(epochs)
        rows = [row for row in self.history() if row["epoch"] <= epochs]
        write_text(self.path / "metrics.jsonl", "".join(map(_line, rows)))
        self.write_csv()

    def write_csv(self) -> None:
        """Write ``metrics.csv`` anew from all rows, if it can be written.

        A table that somebody has open, say, does not stop a training.
        """
        rows = self.history()
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = ([row.get(column) for column in columns] for row in rows)
        with suppress(OSError):
            write_text(self.path / "metrics.csv", csv_text([columns, *cells]))

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Write the last checkpoint.

        The one before becomes ``previous`` if it was read or written from here: a damaged one must not take the place
        of what a run fell back on.
        """
        if self._last_is_sound:
            save_last(self.last, checkpoint)
        else:
            save(self.last, checkpoint)
        self._last_is_sound = True
        self.write_csv()

    def save_best(self, checkpoint: Checkpoint) -> None:
        save(self.best, checkpoint)

    def save_average(self, checkpoint: Checkpoint) -> None:
        self.averages.save(checkpoint)

    def save_kept(self, checkpoint: Checkpoint, most: int) -> None:
        self.kept.save(checkpoint, most)

    def resumable(self) -> tuple[Checkpoint | None, str | None]:
        """Return the newest checkpoint that can be read, and a warning where it is not the newest one.

        Raises:
            InputError: when there are checkpoints, but none to go on from.
        """
        found, problems = find_readable(self.last, previous(self.last))
        if found is not None:
            path, checkpoint = found
            self._last_is_sound = path == self.last
            return checkpoint, f"{join_problems(problems[:1])}; going on from {path.name}" if problems else None
        if problems:
            raise InputError(self._lost(problems))
        if self.best.exists():
            raise InputError(
                f"{self.last}: is missing, and {self.best.name} alone does not say how to go on; train anew, with "
                "another folder"
            )
        return None, f"{self.path}: its checkpoints are gone, so training begins anew" if self.history() else None

    def weights(self) -> tuple[dict[str, torch.Tensor], dict[str, Any], str | None]:
        """Return the weights to predict with: the best on validation, else the last.

        With them, of the best, its ``epoch`` (the first is 1) and ``scores`` on validation, of another nothing; and a
        warning where a checkpoint was unreadable.

        Raises:
            InputError: when no checkpoint can be read.
        """
        found, problems = find_readable(self.best, self.last, previous(self.last))
        if found is not None:
            path, checkpoint = found
            tensors = checkpoint.part("average") or checkpoint.part("model")
            if find_not_finite(tensors) is not None:
                raise InputError(
                    f"{path}: the weights are not finite, because the training diverged; train anew with a lower "
                    "learning rate (`lr`)"
                )
            warning = f"{join_problems(problems[:1])}; using {path.name}" if problems else None
            return tensors, dict(checkpoint.state) if path == self.best else {}, warning
        if problems:
            raise InputError(self._lost(problems))
        if self.history() or self.read_status() == "done":
            raise InputError(
                f"{self.path}: was trained, but its weights are gone from {self.last.parent}; restore them from a "
                "copy, or train anew, into another folder"
            )
        raise InputError(f"{self.path}: no checkpoint yet; the training has not got that far")

    def _lost(self, problems: Sequence[Problem]) -> str:
        """Say that no checkpoint can be read, and what to do."""
        return (
            f"{join_problems(problems)}; no other checkpoint is left, so the run's weights are lost: restore the files "
            "from a copy, or train anew, into another folder"
        )


def _is_free(path: Path) -> bool:
    """Return whether a folder is empty, or holds what a process left that died in making a run."""
    names = {name for name in os.listdir(path) if not (name.startswith(".") and ".tmp" in name)}
    if not names or not names <= {LOCK, *PARTS}:
        return not names
    status = path / "STATUS"
    return LOCK in names or (status.is_file() and status.read_bytes().strip() == CREATED.encode())


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps({key: _plain(value) for key, value in row.items()}) + "\n"


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, which has no word for NaN and infinity."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def environment() -> dict[str, Any]:
    """Return machine and versions, for whoever wants to repeat the run."""
    packages = ("multiunet", "torch", "numpy", "lightning-fabric", "torch-geometric", "zarr", "xarray")
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
