"""Calibrations of a run on disk, one for each way of predicting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from multiunet.domains.info import Record
from multiunet.domains.value_words import say_what_is_wrong
from multiunet.errors import InputError
from multiunet.files import write_text
from multiunet.tasks import Task
from multiunet.uncertainty import LEVELS, Calibration, ClassCalibration, QuantityCalibration
from multiunet.uncertainty.calibration import Labels
from multiunet.uncertainty.read_sums import read_sums

FILE = "calibration.json"
"""File of a run folder, or of a folder of folds, that holds calibrations."""

VERSION = 1

ByLevel = tuple[tuple[float, ...], ...]
"""For each level numbers that are at least 0."""


class ClassFit(Record):
    """Stored ``ClassCalibration``."""

    kind: Literal["classes"] = "classes"
    temperature: PositiveFloat
    labels: Labels
    limits: dict[str, ByLevel]
    guaranteed: tuple[bool, ...]
    thresholds: dict[str, PositiveFloat] = Field(default_factory=dict)

    def load(self) -> ClassCalibration:
        """Return the calibration."""
        return ClassCalibration(self.temperature, self.labels, self.limits, self.guaranteed, self.thresholds)

    def find_misfit(self, task: Task) -> str | None:
        """Return why it cannot be that of a task, in words; None: it can."""
        if task.kind != "segmentation":
            return "it is of classes, and the run predicts quantities"
        if (labels := getattr(task, "labels", self.labels)) != self.labels:
            return f"it is of {self.labels} labels, and those of the run are {labels}"
        columns = len(task.names) if self.labels == "multilabel" else 1
        if any(len(level) != columns for limits in self.limits.values() for level in limits):
            return f"its limits are not of the {len(task.names)} classes of the run"
        if strange := [name for name in self.thresholds if name not in task.names]:
            return f"its threshold of {strange[0]!r} is of no class of the run"
        return None

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        for limits in self.limits.values():
            _check_by_level(limits, self.guaranteed)
        return self


class QuantityFit(Record):
    """Stored ``QuantityCalibration``."""

    kind: Literal["quantities"] = "quantities"
    factors: tuple[PositiveFloat, ...] = Field(min_length=1)
    multipliers: ByLevel
    guaranteed: tuple[bool, ...]

    def load(self) -> QuantityCalibration:
        """Return the calibration."""
        return QuantityCalibration(self.factors, self.multipliers, self.guaranteed)

    def find_misfit(self, task: Task) -> str | None:
        """Return why it cannot be that of a task, in words; None: it can."""
        if task.kind != "regression":
            return "it is of quantities, and the run predicts classes"
        if len(task.names) != len(self.factors):
            return f"its factors are of {len(self.factors)} quantities, and the run predicts {len(task.names)}"
        return None

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        if self.multipliers:
            _check_by_level(self.multipliers, self.guaranteed)
        if any(len(level) != len(self.factors) for level in self.multipliers):
            raise ValueError(f"multipliers of other quantities than the {len(self.factors)} factors")
        return self


class Fit(Record):
    """Calibration of one way of predicting.

    Attributes:
        weights: digest of the weights that predict; of an ensemble, of all members'.
        members: number of networks.
        samples: Monte-Carlo samples of each network that the calibration was fitted with; 1: without dropout.
        way: what else of the prediction is not the default, in words: see ``PredictOptions.other_samples``.
        source: data that it was fitted to, in words.
        groups: number of images, chromosomes or graphs, or of nodes of one graph; where the training names groups of
            these, of such.
        grouped: whether it does.
        sites: number of sites looked at.
        sums: intervals of sums, by what is summed (see ``read_sums``); empty where there were too few groups.
    """

    weights: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    members: PositiveInt
    samples: PositiveInt
    way: str = ""
    source: str
    groups: PositiveInt
    grouped: bool = False
    sites: PositiveInt
    calibration: Annotated[ClassFit | QuantityFit, Field(discriminator="kind")]
    sums: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_sums(self) -> Self:
        for stored in self.sums.values():
            read_sums(stored)
        return self

    def name_groups(self, usual: str) -> str:
        """Return what was exchangeable, in the plural: ``usual`` ("images", say), or groups of these."""
        return "groups" if self.grouped else usual

    def limits_in_words(self, groups: str = "groups") -> str:
        """Say what the limits of sets or intervals are worth; empty where all are promises.

        Args:
            groups: what is exchangeable, in the plural: "images", say.
        """
        what, groups = "sets" if self.calibration.kind == "classes" else "intervals", self.name_groups(groups)
        levels = [f"{level:.0%}" for level, sure in zip(LEVELS, self.calibration.guaranteed) if not sure]
        if not self.calibration.guaranteed:
            return f"no {what}: they need two {groups}, and nine for a promise at 90%"
        return f"too few {groups} for more than an estimate of {what} at {', '.join(levels)}" if levels else ""

    def fits(self, weights: str, samples: int, way: str) -> bool:
        """Return whether it is for these weights predicted this way, without dropout or with samples."""
        return (self.weights, self.samples > 1, self.way) == (weights, samples > 1, way)


class CalibrationFile(Record):
    """Contents of ``calibration.json``."""

    version: Literal[1] = 1
    fits: tuple[Fit, ...]


def store_calibration(calibration: Calibration) -> ClassFit | QuantityFit:
    """Return the record of a calibration.

    Raises:
        TypeError: for one of another kind.
    """
    if isinstance(calibration, ClassCalibration):
        limits = {name: tuple(map(tuple, values)) for name, values in calibration.limits.items()}
        return ClassFit(
            temperature=calibration.temperature,
            labels=calibration.labels,
            limits=limits,
            guaranteed=tuple(calibration.guaranteed),
            thresholds=dict(calibration.thresholds),
        )
    if isinstance(calibration, QuantityCalibration):
        return QuantityFit(
            factors=tuple(calibration.factors),
            multipliers=tuple(map(tuple, calibration.multipliers)),
            guaranteed=tuple(calibration.guaranteed),
        )
    raise TypeError(f"a {type(calibration).__name__} cannot be stored")


def write_fits(folder: Path, fits: Sequence[Fit]) -> None:
    """Write the calibrations of a folder, in place of those of the same weights and sampling.

    Of networks alone, those of other weights go: they came from another run, or another training.
    """
    before = read_fits(folder, damaged_is_empty=True)
    alone = {new.weights for new in fits if new.members == 1}
    known = [old for old in before if not alone or old.members > 1 or old.weights in alone]
    kept = [old for old in known if not any(new.fits(old.weights, old.samples, old.way) for new in fits)]
    content = CalibrationFile(fits=(*kept, *fits)).model_dump(mode="json")
    write_text(folder / FILE, json.dumps(content, indent=1) + "\n")


def read_fits(folder: Path, damaged_is_empty: bool = False) -> tuple[Fit, ...]:
    """Read the calibrations of a folder; of one without any, none.

    Args:
        damaged_is_empty: return none where the file is damaged, as before it is written anew.

    Raises:
        InputError: naming the file, where it is damaged or of another version.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("it holds no settings")
        version = content.get("version")
        if isinstance(version, bool) or version not in (None, VERSION):
            raise InputError(f"{path}: has version {version!r}, where {VERSION} is read; calibrate the run anew")
        return CalibrationFile.model_validate_json(json.dumps(content)).fits
    except FileNotFoundError:
        return ()
    except InputError:
        if damaged_is_empty:
            return ()
        raise
    except (OSError, ValueError, RecursionError) as error:
        if damaged_is_empty:
            return ()
        raise InputError(f"{path}: is damaged ({_first_line(error)}); calibrate the run anew") from error


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {say_what_is_wrong(first)}"
    return str(error)


def _check_by_level(values: ByLevel, guaranteed: Sequence[bool]) -> None:
    if not len(values) == len(guaranteed) == len(LEVELS):
        raise ValueError(f"limits of {len(values)} levels, where there are {len(LEVELS)}")
    if any(value < 0 for level in values for value in level) or len({len(level) for level in values}) > 1:
        raise ValueError("limits that are negative, or of different lengths")
    if any(low > high for lower, upper in pairwise(values) for low, high in zip(lower, upper)):
        raise ValueError("limits that fall where the level rises")
