"""Loggers beside a run's own log: TensorBoard, through Fabric, and MLflow."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multiunet.errors import InputError
from multiunet.training.checkpoint import Checkpoint
from multiunet.training.logger_names import LoggerName
from multiunet.training.records import Records

if TYPE_CHECKING:
    from lightning_fabric.loggers.logger import Logger

LOG = logging.getLogger("multiunet")

EXPERIMENT = "multiunet"
"""Name of the experiment in MLflow."""

TAG = "multiunet.run"
"""Tag in MLflow that holds a run's folder, by which a training that is resumed finds its entry."""

TENSORBOARD = "tensorboard"
"""Folder of TensorBoard's files in that of the run."""


class LoggedRecords(Records):
    """Storage whose log goes to loggers, too.

    A logger that fails, such as one whose server is down, is left out from then on, with a warning: training goes on.

    Args:
        records: keeps everything.
        loggers: get the numbers of each epoch, under its number.
    """

    def __init__(self, records: Records, loggers: Sequence[Logger]) -> None:
        self.records, self.loggers = records, list(loggers)

    def log(self, row: Mapping[str, Any]) -> None:
        self.records.log(row)
        self._each(lambda logger: logger.log_metrics(select_numbers(row), row["epoch"]))

    def save_last(self, checkpoint: Checkpoint) -> None:
        self.records.save_last(checkpoint)
        self._each(lambda logger: logger.save())

    def finish(self) -> None:
        """Tell the loggers that the training is complete."""
        self._each(lambda logger: logger.finalize("success"))

    def _each(self, tell: Callable[[Logger], object]) -> None:
        for logger in list(self.loggers):
            try:
                tell(logger)
            except Exception as error:  # of any kind: it is another program's
                LOG.warning("%s fails, and is left out from now on: %s", type(logger).__name__, error)
                self.loggers.remove(logger)

    def save_best(self, checkpoint: Checkpoint) -> None:
        self.records.save_best(checkpoint)

    def save_average(self, checkpoint: Checkpoint) -> None:
        self.records.save_average(checkpoint)

    def save_kept(self, checkpoint: Checkpoint, most: int) -> None:
        self.records.save_kept(checkpoint, most)


def select_numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an epoch's row but for its own, those of a list by their place.

    >>> select_numbers({"epoch": 3, "loss": 0.5, "val_iou": [0.25, None], "val_r2": None})
    {'loss': 0.5, 'val_iou/0': 0.25}
    """
    found: dict[str, float] = {}
    for name, value in row.items():
        parts = (
            {f"{name}/{place}": part for place, part in enumerate(value)} if isinstance(value, list) else {name: value}
        )
        found |= {key: float(part) for key, part in parts.items() if type(part) in (int, float) and name != "epoch"}
    return found


def check_loggers(names: Sequence[LoggerName]) -> None:
    """Check that the packages of these loggers are installed.

    Raises:
        InputError: naming the first that is not, and how to get it.
    """
    for name in names:
        if find_spec(name) is None:
            raise InputError(f"`logger={name}` needs a package; pip install 'multiunet[{name}]', or leave it out")


def open_loggers(names: Sequence[LoggerName], run: Path, settings: Mapping[str, Any], epochs: int) -> list[Logger]:
    """Open loggers of a run.

    TensorBoard's files are in the folder ``tensorboard`` of the run. MLflow writes where its own settings say
    (``MLFLOW_TRACKING_URI``), into the experiment ``multiunet``.

    Args:
        settings: of the run, which are logged at its beginning.
        epochs: complete ones, of a run that goes on: what TensorBoard has behind them is discarded.

    Raises:
        InputError: see ``check_loggers``.
    """
    check_loggers(names)
    opened: list[Logger] = []
    for name in dict.fromkeys(names):
        if name == "tensorboard":
            from lightning_fabric.loggers.tensorboard import TensorBoardLogger

            places: Any = {"name": "", "version": "", "sub_dir": TENSORBOARD, "default_hp_metric": False}
            opened.append(TensorBoardLogger(run, **places, purge_step=epochs + 1))
        else:
            opened.append(_open_mlflow(run))
        if not epochs:
            opened[-1].log_hyperparams({key: str(value) for key, value in settings.items() if value is not None})
    return opened


def _open_mlflow(run: Path) -> Logger:
    from lightning_fabric.loggers.logger import Logger
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    known = client.get_experiment_by_name(EXPERIMENT)
    experiment = client.create_experiment(EXPERIMENT) if known is None else known.experiment_id
    place = str(run.absolute())
    found = client.search_runs([experiment], filter_string=f"tags.`{TAG}` = '{place}'", max_results=1)
    entry = found[0] if found else client.create_run(experiment, run_name=run.name, tags={TAG: place})

    class MLflowLogger(Logger):
        """Entry of one run in MLflow."""

        @property
        def name(self) -> str:
            return EXPERIMENT

        @property
        def version(self) -> str:
            return str(entry.info.run_id)

        def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
            for key, value in metrics.items():
                client.log_metric(self.version, key, value, step=step)

        def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
            for key, value in dict(params if isinstance(params, dict) else vars(params)).items():
                client.log_param(self.version, key, value)

        def finalize(self, status: str) -> None:
            client.set_terminated(self.version, "FINISHED" if status == "success" else "FAILED")

    return MLflowLogger()
