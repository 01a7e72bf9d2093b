from __future__ import annotations

import pytest
from pydantic import ValidationError

from multiunet.domains.config import StrList, TrainConfig, option


class Settings(TrainConfig):
    chroms: StrList = option([], "names", "Data")


@pytest.mark.parametrize("chroms", [3, [3], "3", ["3"], [3, "X"]])
def test_numbers_that_are_names_are_names(chroms: object) -> None:
    """YAML takes them for numbers."""
    assert Settings(chroms=chroms).chroms[0] == "3"
    assert Settings(precision=32).precision == "32"


def test_what_is_no_name_is_none() -> None:
    for chroms in ([1.5], [True], [None]):
        with pytest.raises(ValidationError):
            Settings(chroms=chroms)
