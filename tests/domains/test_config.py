from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import ValidationError

from multiunet.domains.config import EvaluateOptions, TrainConfig, checked, option
from multiunet.domains.setting_types import StrList
from multiunet.errors import InputError


class Settings(TrainConfig):
    chroms: StrList = option([], "names", "Data")


@pytest.mark.parametrize("chroms", [3, [3], "3", ["3"], [3, "X"]])
def test_numbers_that_are_names_are_names(chroms: object) -> None:
    """YAML takes them for numbers."""
    assert Settings(chroms=chroms).chroms[0] == "3"
    assert Settings(precision=32).precision == "32"


class Scoring(EvaluateOptions):
    other: ClassVar[str | None] = "chroms"

    chroms: StrList | None = option(None, "other data", "Data")


def test_settings_of_every_domain_become_those_of_one() -> None:
    given = checked(Scoring, EvaluateOptions(samples=3))
    assert (type(given), given.samples, given.chroms) == (Scoring, 3, None)
    # what was not given is not taken for given: beside other data, a split would be one too much
    assert given.model_fields_set == {"samples"}
    own = Scoring(chroms=["X"])
    assert checked(Scoring, own) is own
    assert checked(Scoring, {"chroms": "X"}) == own
    assert checked(EvaluateOptions, own) is own


def test_settings_of_another_kind_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="Settings given, where Scoring are needed"):
        checked(Scoring, Settings(chroms=["X"]))


def test_what_is_no_name_is_none() -> None:
    for chroms in ([1.5], [True], [None]):
        with pytest.raises(ValidationError):
            Settings(chroms=chroms)
