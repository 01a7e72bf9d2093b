"""Splits of items (images, graphs) into training, validation and test. Imports nothing heavy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, field_validator, model_validator

from multiunet.domains.config import TrainConfig, option
from multiunet.domains.groups import check_pattern
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError

SPLITS: tuple[Split, ...] = ("train", "val", "test")

MISNAMED = {"validation": "val", "valid": "val", "dev": "val", "training": "train", "testing": "test"}
"""What others call a split, and what it is called here; lists of other names are somebody else's."""


class FoldsTrain(TrainConfig):
    """Settings of trainings that can be cross-validated."""

    folds: int | None = option(
        None,
        "cross-validation with this many runs: each tests another share, so that everything is tested once",
        "Split",
        ge=2,
    )
    fold: int | None = option(None, "with `folds`: train this one alone, from 0; default: all", "Split", ge=0)

    @model_validator(mode="after")
    def _one_of_the_folds(self) -> Self:
        if self.fold is not None and self.folds is None:
            raise ValueError(f"`fold={self.fold}` without `folds`; say how many there are")
        if self.fold is not None and self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"`fold={self.fold}` is none of `folds={self.folds}`; they count from 0")
        return self

    def parts(self) -> list[TrainConfig]:
        """All folds where one is not chosen."""
        if self.folds is None or self.fold is not None:
            return [self]
        return [self.model_copy(update={"fold": fold}) for fold in range(self.folds)]


class SplitTrain(FoldsTrain):
    """Settings of trainings on several items that are split."""

    splits: str | None = option(
        None, "FILE.json or FILE.json:KEY with lists of names under train, val and test", "Split"
    )

    groups: Annotated[str | None, AfterValidator(check_pattern)] = option(
        None,
        "what stays together in one split: a regular expression whose first (group), or whole match, in a name is that "
        "of its specimen, patient or series, e.g. 'Emb[0-9]+'; or a column named group of the table",
        "Split",
        text=True,
    )

    @field_validator("splits")
    @classmethod
    def _from_anywhere(cls, value: str | None) -> str | None:
        # a run folder's config must hold from any directory
        return None if value is None else str(Path(value).absolute())

    @model_validator(mode="after")
    def _folds_or_another_split(self) -> Self:
        fields = type(self).model_fields
        for name in ("splits", "test_fraction"):
            if self.folds is not None and name in fields and getattr(self, name) != fields[name].default:
                raise ValueError(f"`folds` and `{name}` both say how to split; give one of them")
        return self


def read_splits(where: str, names: str) -> dict[str, Any]:
    """The lists of ``FILE.json`` or ``FILE.json:KEY`` by split, as they are; ``train`` is among them.

    Args:
        names: what is listed ("stems", "ids"), for errors.

    Raises:
        InputError: for a file that has no such lists, or calls a split otherwise.
    """
    file, colon, key = where.rpartition(":")
    if not colon or Path(where).is_file():
        file, key = where, ""
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}); `splits` takes FILE.json or FILE.json:KEY"
        ) from None
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({error})") from None
    except RecursionError:
        raise InputError(
            f"{file}: nested too deeply for lists of splits; it takes {{train: [...], val: [...]}}"
        ) from None
    keys = ", ".join(content) if isinstance(content, dict) else "none"
    if key:
        if not isinstance(content, dict) or key not in content:
            raise InputError(f"{file}: has no {key!r}; it has {keys}")
        content = content[key]
    if not isinstance(content, dict) or not isinstance(content.get("train"), list):
        raise InputError(f"{where}: no list of {names} under 'train'; the keys are {keys}: name one as {file}:KEY")
    for name in content:
        if name in MISNAMED:
            raise InputError(f"{where}: {name!r} is not read; call this split {MISNAMED[name]!r}")
    for name in SPLITS:
        if not isinstance(content.get(name, []), list):
            raise InputError(f"{where}: {name!r} is not a list of {names}")
    return content
