"""Settings that every domain has, of which the command line makes its options.

Imports nothing heavy, so that ``--help`` is fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from multiunet.domains.device_names import SHARED, SILENT, Device, Devices
from multiunet.domains.lengths import check_length
from multiunet.domains.setting_errors import explain
from multiunet.domains.setting_types import Checkpoints, FloatList, PrecisionName, Split, split_commas
from multiunet.errors import InputError
from multiunet.training.logger_names import LoggerName
from multiunet.training.recipe import (
    SILENT_MINUTES,
    OptimizerName,
    Recipe,
    ScheduleName,
    check_averages,
)


def option(
    default: Any, help: str, panel: str, *, text: bool = False, repeated: bool = False, **constraints: Any
) -> Any:
    """Declare a setting with its help text and the panel of ``--help`` that shows it.

    Args:
        default: ``...`` for a required setting.
        text: the command line takes any text, which a validator of the setting reads.
        repeated: on the command line each value of a list needs the option again, since values may hold commas.
    """
    extra: dict[str, Any] = {"panel": panel, "text": text, "repeated": repeated}
    return Field(default, description=help, json_schema_extra=extra, **constraints)


def panel_of(field: FieldInfo) -> str:
    """Return the panel of ``--help`` that shows a setting."""
    extra = field.json_schema_extra
    return str(extra.get("panel", "Other")) if isinstance(extra, dict) else "Other"


AnyOptions = TypeVar("AnyOptions", bound="Options")


class Options(BaseModel):
    """Frozen set of settings; unknown keys are errors.

    Attributes:
        by_task: defaults of a task by its name, where they are others than those of the fields.
    """

    by_task: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class TrainConfig(Options):
    """Training settings of every domain, which adds those of its data and model and changes defaults.

    Attributes:
        shared: settings that all members of an ensemble must share, beside facts on their data.
    """

    shared: ClassVar[tuple[str, ...]] = ()

    dropout: float = option(
        0.1, "dropout rate of the bottleneck and the decoder; 0 disables Monte-Carlo uncertainty", "Model", ge=0, lt=1
    )
    skip: Literal["concat", "add", "attention", "none"] = option(
        "concat", "how skip connections join encoder and decoder features", "Model"
    )

    epochs: int = option(Recipe.epochs, "number of epochs, each of `steps_per_epoch` steps", "Training", ge=1)
    most_epochs: int | None = option(
        Recipe.most_epochs,
        "where validation still improves after `epochs`, go on in further cycles of the schedule, up to so many",
        "Training",
        ge=1,
    )
    minutes: float | None = option(
        Recipe.minutes,
        "train by the clock instead of `epochs`: for so many minutes of steps and validations, each fold",
        "Training",
        gt=0,
    )
    steps_per_epoch: int | None = option(
        Recipe.steps_per_epoch, "optimiser steps per epoch; default: once through the data", "Training", ge=1
    )
    batch_size: int = option(Recipe.batch_size, "samples per batch", "Training", ge=1)
    optimizer: OptimizerName = option(Recipe.optimizer, "optimiser; sgd uses Nesterov momentum 0.99", "Training")
    lr: float = option(Recipe.lr, "peak learning rate", "Training", gt=0)
    weight_decay: float = option(
        Recipe.weight_decay, "weight decay: decoupled for adamw, L2 for the others", "Training", ge=0
    )
    schedule: ScheduleName = option(Recipe.schedule, "shape of the learning rate after the warm-up", "Training")
    warmup: float = option(
        Recipe.warmup, "share of all steps used for a linear warm-up of the learning rate", "Training", ge=0, le=1
    )
    clip: float | None = option(Recipe.clip, "clip gradients to this norm", "Training", gt=0)
    accumulate: int = option(Recipe.accumulate, "batches accumulated per optimiser step", "Training", ge=1)
    ema: float = option(Recipe.ema, "decay of the weights' moving average; 0: none", "Training", ge=0, lt=1)
    power_averages: FloatList = option(
        [],
        "in place of `ema`: lengths of averages of the weights, as shares of the training, e.g. 0.05,0.1; the first is "
        "kept, and any other length can be made of snapshots afterwards",
        "Training",
        text=True,
    )
    patience: int | None = option(
        Recipe.patience, "stop after this many epochs without a better validation score", "Training", ge=1
    )
    validate_every: int = option(Recipe.validate_every, "epochs between validations", "Training", ge=1)
    keep_last: int | None = option(
        Recipe.keep_last,
        "also keep the weights of the last so many validated epochs: an ensemble for predictions, `checkpoints=last`",
        "Training",
        ge=2,
    )
    init_from: Path | None = option(
        None,
        "begin with the weights of this run: its layers of equal shape, inputs and outputs by their names",
        "Training",
    )
    calibrate: bool = option(
        True, "calibrate the uncertainty on the validation split, after the last epoch", "Training"
    )

    seed: int = option(Recipe.seed, "seed for everything random", "Run", ge=0)
    precision: PrecisionName = option(
        Recipe.precision, "numerical precision; auto: bf16 where the hardware computes in it", "Run"
    )
    device: Device = option(Recipe.device, "where to compute: auto, cpu, cuda or mps", "Run")
    devices: Devices | None = option(None, SHARED, "Run", text=True)
    nodes: int = option(1, "train on so many machines of `devices` each, started by srun or torchrun", "Run", ge=1)
    silent_minutes: float = option(SILENT_MINUTES, SILENT, "Run", gt=0)
    logger: Annotated[list[LoggerName], BeforeValidator(split_commas)] = option(
        [], "also log to tensorboard (in the run folder), mlflow (where its settings say) or both", "Run", text=True
    )
    workers: int = option(Recipe.workers, "processes that load data; the result does not depend on it", "Run", ge=0)

    @model_validator(mode="before")
    @classmethod
    def _one_average(cls, given: Any) -> Any:
        """``power_averages`` take the place of ``ema``, whatever its default."""
        if isinstance(given, dict) and given.get("power_averages") and "ema" not in given:
            return {**given, "ema": 0.0}
        return given

    @model_validator(mode="after")
    def _check_averages(self) -> Self:
        check_averages(self.ema, self.power_averages)
        return self

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        usual = {own.get("epochs") for own in self.by_task.values()} | {type(self).model_fields["epochs"].default}
        check_length(self.epochs, self.most_epochs, self.minutes, self.power_averages, usual)
        return self

    def parts(self) -> list[TrainConfig]:
        """Return the trainings that this one consists of, such as folds; by default itself alone."""
        return [self]

    def recipe(self) -> Recipe:
        """The settings of the training loop among these."""
        return Recipe(**{item.name: getattr(self, item.name) for item in fields(Recipe)})


CHECKPOINTS = "weights: the best on validation, or those of the last epochs, which `keep_last` kept, as an ensemble"
RAW = "leave the calibration out: probabilities and variances as the network states them"


class EvaluateOptions(Options):
    """Evaluation settings of every domain.

    Attributes:
        other: the setting that names other data than the run's own splits, of a domain that has one.
    """

    other: ClassVar[str | None] = None

    split: Split = option("test", "which split to score", "Data")
    samples: int = option(
        16, "number of Monte-Carlo dropout samples, as in predict; 1 turns dropout off", "Evaluation", ge=1
    )
    seed: int = option(0, "seed of the dropout masks, or of the noise of new samples", "Evaluation", ge=0)
    checkpoints: Checkpoints = option("best", CHECKPOINTS, "Evaluation")
    raw: bool = option(False, RAW, "Evaluation")
    device: Device = option("auto", "where to compute: auto, cpu, cuda or mps", "Evaluation")

    def other_samples(self) -> tuple[str, ...]:
        """Say what else than masks, runs and checkpoints gives samples of its own; by default nothing."""
        return ()

    def elsewhere(self) -> bool:
        """Return True where other data than the run's own splits are named."""
        return self.other is not None and getattr(self, self.other) is not None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.elsewhere() and "split" in self.model_fields_set:
            raise ValueError(f"`split` and `{self.other}` both say what to score on; give one of them")
        return self


class PredictOptions(Options):
    """Prediction settings of every domain.

    Attributes:
        data: the setting that names the data, of a domain that predicts other data than its own.
    """

    data: ClassVar[str | None] = None

    samples: int = option(
        16, "number of Monte-Carlo dropout samples; 1 turns dropout off (epistemic = 0)", "Prediction", ge=1
    )
    seed: int = option(0, "seed of the dropout masks", "Prediction", ge=0)
    checkpoints: Checkpoints = option("best", CHECKPOINTS, "Prediction")
    device: Device = option("auto", "where to compute: auto, cpu, cuda or mps", "Prediction")
    interval: float | None = option(
        None,
        "quantities: also write lower and upper, between which the truth is with this probability, e.g. 0.9",
        "Prediction",
        gt=0,
        lt=1,
    )
    export: Path | None = option(None, "also write files (PNG, TIFF, bigWig or CSV) into this folder", "Prediction")
    raw: bool = option(False, RAW, "Prediction")
    overwrite: bool = option(False, "replace an existing result", "Prediction")

    def other_samples(self) -> tuple[str, ...]:
        """Say what else than masks, runs and checkpoints gives samples of its own; by default nothing."""
        return ()


class PredictClasses(PredictOptions):
    """Prediction settings of a domain whose sites may have classes.

    Attributes:
        set_method: score that sets are made of; a domain of graphs has ``daps`` beside these.
    """

    sets: float | None = option(
        None,
        "classes: also write the set of classes that each site may have, with the true one in it with this "
        "probability, e.g. 0.9",
        "Prediction",
        gt=0,
        lt=1,
    )
    set_method: Literal["lac", "aps"] = option(
        "lac", "of `sets`: lac makes them smallest on average, aps larger where the network is less sure", "Prediction"
    )

    @model_validator(mode="after")
    def _method_of_sets(self) -> Self:
        if self.sets is None and "set_method" in self.model_fields_set:
            raise ValueError("`set_method` says how `sets` are made; give `sets=0.9`, too")
        return self


def checked(kind: type[AnyOptions], given: AnyOptions | Mapping[str, Any]) -> AnyOptions:
    """Settings that a Python caller gives, checked. Those of every domain become those of this one.

    Raises:
        InputError: naming what is unknown, wrong or missing, or settings of another kind.
    """
    if isinstance(given, kind):
        return given
    if not isinstance(given, Options):
        return validated(kind, dict(given), "settings")
    if not issubclass(kind, type(given)):
        raise InputError(f"settings: {type(given).__name__} given, where {kind.__name__} are needed")
    return validated(kind, given.model_dump(exclude_unset=True), "settings")


def absolute(options: AnyOptions) -> AnyOptions:
    """The same settings with paths that hold from any folder."""
    paths = {
        name: value.absolute()
        for name in type(options).model_fields
        if isinstance(value := getattr(options, name), Path)
    }
    return options.model_copy(update=paths)


def validated(kind: type[AnyOptions], settings: dict[str, Any], origin: str) -> AnyOptions:
    """Settings as a checked object.

    Raises:
        InputError: naming each setting that is unknown or wrong.
    """
    try:
        return kind(**settings)
    except ValidationError as error:
        raise InputError(f"{origin}: " + explain(error, kind)) from error
