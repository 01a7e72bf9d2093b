"""Facts on the data of a run: written once, checked whole when the run is opened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, ValidationError, model_validator

from multiunet.domains.setting_types import Split
from multiunet.domains.value_words import say_what_is_wrong
from multiunet.errors import InputError
from multiunet.training.run_places import RUN, resolve_places

FILE = "dataset.json"
"""File of a run folder that holds its dataset info."""

REMEDY = "the file is damaged: restore it, or train anew"

Digest = Annotated[str, Field(pattern="^[0-9a-f]{16,64}$")]
"""Hexadecimal digest of arrays."""

Item = TypeVar("Item")


class Record(BaseModel):
    """Frozen record with strict types: unknown keys, wrong types, NaN and infinite numbers are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Splits(Record, Generic[Item]):
    """Items of each split, by name or as records; no item is in two.

    Attributes:
        unlabelled: number of items that have no label, which are in no split.
    """

    train: tuple[Item, ...] = Field(min_length=1)
    val: tuple[Item, ...]
    test: tuple[Item, ...]
    unlabelled: NonNegativeInt = 0

    def of(self, split: Split) -> tuple[Item, ...]:
        """Return the items of one split."""
        items: tuple[Item, ...] = getattr(self, split)
        return items

    def counts(self) -> dict[Split, int]:
        """Return the number of items of each split."""
        return {"train": len(self.train), "val": len(self.val), "test": len(self.test)}

    @model_validator(mode="after")
    def _check_disjoint(self) -> Self:
        places = Counter((*self.train, *self.val, *self.test))
        twice = next((item for item, count in places.items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is listed twice; an item is in one split, once")
        return self


class ClassLabels(Record):
    """Classes to predict.

    Attributes:
        names: one for each class, in the order of the class indices.
        values: label of each class in the files.
    """

    kind: Literal["classes"] = "classes"
    names: tuple[str, ...] = Field(min_length=2)
    values: tuple[int | str, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _check_distinct(self) -> Self:
        if len(self.names) != len(self.values):
            raise ValueError(f"{len(self.names)} class names for {len(self.values)} label values")
        if len(set(self.names)) < len(self.names) or len(set(self.values)) < len(self.values):
            raise ValueError("two classes share a name or a label value")
        return self


class Labels(Record):
    """Labels to predict that do not exclude each other: each site has each of them, or not.

    Attributes:
        names: one for each label.
        shares: of the known sites of the training split that have it.
    """

    kind: Literal["labels"] = "labels"
    names: tuple[str, ...] = Field(min_length=1)
    shares: tuple[Annotated[float, Field(ge=0, le=1)], ...]

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if len(self.names) != len(self.shares):
            raise ValueError(f"{len(self.names)} names for {len(self.shares)} shares")
        if len(set(self.names)) < len(self.names):
            raise ValueError("two labels share a name")
        return self


class Quantities(Record):
    """Real quantities to predict.

    Attributes:
        names: one for each quantity.
        centre, scale: mean and standard deviation of each over the training split, in its own units.
    """

    kind: Literal["quantities"] = "quantities"
    names: tuple[str, ...] = Field(min_length=1)
    centre: tuple[float, ...]
    scale: tuple[PositiveFloat, ...]

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if not len(self.names) == len(self.centre) == len(self.scale):
            raise ValueError(f"{len(self.names)} names, {len(self.centre)} centres and {len(self.scale)} scales")
        if len(set(self.names)) < len(self.names):
            raise ValueError("two quantities share a name")
        return self


class DatasetInfo(Record):
    """Facts on the data of a run that later steps need; each domain adds its own fields.

    Attributes:
        shared_fields: fields that all members of an ensemble must share; the names of classes or quantities always are.
        target: classes, independent labels or quantities to predict.
        data: digest of inputs and labels of all splits; another one means that the files have changed.
        split: items of each split.
        content: digest of each training and validation input to its name: inputs that other data must not hold.
    """

    shared_fields: ClassVar[tuple[str, ...]] = ()

    target: Annotated[ClassLabels | Labels | Quantities, Field(discriminator="kind")]
    data: Digest
    split: Splits[Any]
    content: dict[Digest, str] = Field(default_factory=dict)

    @property
    def classes(self) -> ClassLabels:
        """Classes of the run. Raises TypeError for a run of others."""
        if not isinstance(self.target, ClassLabels):
            raise TypeError(f"this run predicts {self.target.kind}, not classes")
        return self.target

    @property
    def labels(self) -> Labels:
        """Independent labels of the run. Raises TypeError for a run of others."""
        if not isinstance(self.target, Labels):
            raise TypeError(f"this run predicts {self.target.kind}, not labels")
        return self.target

    @property
    def quantities(self) -> Quantities:
        """Quantities of the run. Raises TypeError for a run of others."""
        if not isinstance(self.target, Quantities):
            raise TypeError(f"this run predicts {self.target.kind}, not quantities")
        return self.target

    @property
    def regression(self) -> bool:
        """True for a run of quantities."""
        return isinstance(self.target, Quantities)

    @property
    def input_names(self) -> tuple[str, ...] | None:
        """Names of the channels that the network reads; None where they have none."""
        return None

    def shared(self) -> dict[str, Any]:
        """Return the fields that all members of an ensemble must share, by name."""
        found: dict[str, Any] = {self.target.kind: self.target.names}
        if isinstance(self.target, ClassLabels):
            found["label values"] = self.target.values
        return found | {name: getattr(self, name) for name in self.shared_fields}

    def facts(self) -> Mapping[str, Any]:
        """Return facts on the data that a plan shows, plain JSON; by default none."""
        return {}

    def groups(self) -> Mapping[str, str]:
        """Return the group of each item that stays together with others, by the item's name."""
        return {}

    def seen(self) -> Mapping[str, str]:
        """Return the keys of training and validation inputs (digests, or paths), each with the input's name."""
        return self.content


AnyInfo = TypeVar("AnyInfo", bound=DatasetInfo)


def to_json(info: DatasetInfo) -> dict[str, Any]:
    """Return the info as ``dataset.json`` holds it."""
    content: dict[str, Any] = info.model_dump(mode="json")
    return content


def read_json(kind: type[AnyInfo], path: Path) -> AnyInfo:
    """Read and check ``dataset.json``; what an earlier version did not write has its default.

    Raises:
        InputError: naming the file and each field that is missing, unknown or out of range.
    """
    try:
        text = path.read_bytes()
        if RUN.encode() in text:
            text = json.dumps(resolve_places(json.loads(text), path.parent)).encode()
        return kind.model_validate_json(text)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); the run folder is damaged") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[:3]
        problems = "; ".join(f"{_place(one['loc'])}{say_what_is_wrong(one)}" for one in first)
        raise InputError(f"{path}: does not describe the data of this run ({problems}); {REMEDY}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error}); the run folder is damaged") from error


def _place(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, location))}: " if location else ""
