"""Words for settings that are unknown, wrong or missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ValidationError

from multiunet.domains.value_words import say_what_is_wrong
from multiunet.wording import did_you_mean

SHORT = Repr()
"""Writer of values that shortens those that a file made large."""
SHORT.maxlevel, SHORT.maxlist, SHORT.maxtuple, SHORT.maxdict = 3, 20, 20, 10
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 200


def explain(error: ValidationError, kind: type[BaseModel]) -> str:
    """Return the problems of settings in words, one after the other.

    Args:
        kind: of the settings, whose names a mistyped one may mean.
    """
    problems: dict[str, list[str]] = {}  # what was given, by what is wrong with it
    for problem in error.errors():
        # behind the setting's name come list places and pydantic's own words for the branches of a union
        key = str(problem["loc"][0]) if problem["loc"] else "settings"
        flag = f"`{key}`"
        if problem["type"] == "extra_forbidden":
            problems[f"unknown setting {key!r}{did_you_mean(key, list(kind.model_fields))}"] = []
        elif problem["type"] == "missing":
            problems[f"{flag} is required"] = []
        elif problem["loc"] and say_what_is_wrong(problem).startswith(f"`{key}="):  # name and value are said
            problems[say_what_is_wrong(problem)] = []
        elif problem["loc"]:
            problems.setdefault(_named(flag, say_what_is_wrong(problem)), []).append(_shown(problem["input"]))
        else:  # of settings that contradict each other, the words name them
            problems[say_what_is_wrong(problem)] = []
    return "; ".join(f"{words} (got {_once(given)})" if given else words for words, given in problems.items())


def _named(flag: str, words: str) -> str:
    """Return words that begin with a setting's name, which those of a check may do by themselves."""
    if words.startswith(flag):
        return words
    return f"{flag} {words}" if words.startswith("must ") else f"{flag}: {words}"


def _shown(value: Any) -> str:
    """Return a value as it was given; of an object, which may be large, its kind alone."""
    plain = value is None or isinstance(value, (str, int, float, Path, list, tuple, dict))
    return SHORT.repr(value) if plain else f"a {type(value).__name__}"


def _once(given: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(given))
