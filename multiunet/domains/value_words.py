"""Words for values that pydantic refuses: what they must be, without its own terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Limits = Mapping[str, Any]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


MUST: dict[str, Callable[[Limits], str]] = {
    "greater_than": lambda limits: f"must be more than {_number(limits['gt'])}",
    "greater_than_equal": lambda limits: f"must be {_number(limits['ge'])} or more",
    "less_than": lambda limits: f"must be less than {_number(limits['lt'])}",
    "less_than_equal": lambda limits: f"must be {_number(limits['le'])} or less",
    "literal_error": lambda limits: f"must be {limits['expected']}",
    "too_short": lambda limits: f"must have {limits['min_length']} or more entries",
    "too_long": lambda limits: f"must have {limits['max_length']} entries or fewer",
    "path_type": lambda limits: "must name a file or folder, as text or a Path; data in memory are saved first",
    "missing": lambda limits: "is missing",
    "extra_forbidden": lambda limits: "is unknown",
    **dict.fromkeys(
        ("int_parsing", "int_type", "int_from_float", "int_parsing_size"), lambda limits: "must be a whole number"
    ),
    **dict.fromkeys(("float_parsing", "float_type"), lambda limits: "must be a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), lambda limits: "must be true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), lambda limits: "must be a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), lambda limits: "must be a mapping"),
    "finite_number": lambda limits: "must be a finite number",
    "string_type": lambda limits: "must be text",
}
"""What a value must be, by pydantic's type of error."""


def say_what_is_wrong(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, as one of pydantic's errors has it, in plain words.

    >>> say_what_is_wrong({"type": "greater_than_equal", "ctx": {"ge": 1}, "msg": "Input should be ..."})
    'must be 1 or more'
    """
    words = MUST.get(problem["type"])
    if words is not None:
        return words(problem.get("ctx", {}))
    said = str(problem["msg"]).removeprefix("Value error, ")
    return said.replace("Input should", "must", 1) if said.startswith("Input should") else said
