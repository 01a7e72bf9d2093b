"""Devices in settings: how many, or which, as text, numbers and lists."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from multiunet.domains.device_names import Device, Devices


@pytest.mark.parametrize(("given", "kept"), [(2, "2"), ("2", "2"), ([0, 1], "0,1"), ("3,5", "3,5"), ("auto", "auto")])
def test_numbers_and_lists_are_kept_as_text(given: Any, kept: str) -> None:
    assert TypeAdapter(Devices).validate_python(given) == kept


@pytest.mark.parametrize("given", [0, "0", "cuda:1", "1,", [], 1.5, True])
def test_what_is_no_number_of_devices_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Devices).validate_python(given)


def test_one_gpu_in_a_list_is_not_a_number_of_devices() -> None:
    with pytest.raises(ValidationError, match="one GPU is named by `device=cuda:1`"):
        TypeAdapter(Devices).validate_python([1])
    assert TypeAdapter(Device).validate_python("cuda:1") == "cuda:1"
