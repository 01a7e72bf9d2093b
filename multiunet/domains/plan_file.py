"""A plan as YAML that a person can read and edit, and that trains as the plan says."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

from multiunet.domains.config import TrainConfig
from multiunet.domains.info import DatasetInfo, to_json
from multiunet.memory import amount

WIDTH = 100


def as_yaml(config: TrainConfig, given: set[str], info: DatasetInfo, hint: str) -> str:
    """Return given settings, and decided ones with their reasons, as YAML; the rest are defaults.

    Args:
        given: names of the former.
        hint: the first line, which says what the file is for.
    """
    dataset = to_json(info)
    decided: Mapping[str, Any] = dataset["plan"]["settings"]
    settings = json.loads(config.model_dump_json())
    known = {name: settings[name] for name in sorted(given - decided.keys())}
    memory = {name: amount(size) for name, size in dataset["plan"]["memory"].items()}
    lines = [
        f"# {hint}",
        "#",
        *_comment({"the data": dict(info.facts()), "memory": memory}),
        "",
        "# given",
        *(_setting(name, value) for name, value in known.items()),
        "",
        "# decided",
    ]
    for name, choice in decided.items():
        lines += [*textwrap.wrap(choice["reason"], WIDTH, initial_indent="# ", subsequent_indent="# ")]
        lines += [_setting(name, settings[name])]
    return "\n".join(lines) + "\n"


def _setting(name: str, value: Any) -> str:
    text = yaml.safe_dump([value], default_flow_style=True, width=float("inf"), allow_unicode=True)
    return f"{name}: {text.strip()[1:-1]}"


def _comment(content: Mapping[str, Any]) -> list[str]:
    text = yaml.safe_dump(dict(content), sort_keys=False, default_flow_style=None, width=WIDTH, allow_unicode=True)
    return [f"# {line}" for line in text.splitlines()]
