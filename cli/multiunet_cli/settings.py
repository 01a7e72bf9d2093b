"""Settings of a command: options count before ``--set``, and these before ``--config``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import typer
import yaml
from pydantic import ValidationError

from multiunet.domains.config import Options
from multiunet.domains.setting_errors import explain
from multiunet.errors import InputError
from multiunet.wording import counted, listing
from multiunet.yaml_text import parse_yaml
from multiunet_cli.wording import as_options

AnyOptions = TypeVar("AnyOptions", bound=Options)

UNREADABLE = (OSError, ValueError, RecursionError, yaml.YAMLError)
"""Errors of reading YAML: ValueError is that of bytes that are not text and of dates that do not exist."""


def resolve(kind: type[AnyOptions], file: Path | None, pairs: list[str] | None, given: dict[str, Any]) -> AnyOptions:
    """Combine file, pairs and options into checked settings.

    Raises:
        typer.BadParameter: when a required one is missing, or a pair has no '='.
        InputError: when one is unknown or wrong.
    """
    settings = {**_from_file(file, kind), **_from_pairs(pairs or []), **given}
    try:
        return kind(**settings)
    except ValidationError as error:
        message = explain(error, kind)
        if any(problem["type"] == "missing" for problem in error.errors()):
            raise typer.BadParameter(as_options(message)) from error
        raise InputError(message if file is None else f"{file} and options: {message}") from error


def _from_file(file: Path | None, kind: type[Options]) -> dict[str, Any]:
    if file is None:
        return {}
    if not file.exists():
        raise InputError(f"{file}: no such file; --config takes a YAML file of settings")
    try:
        text = file.read_text(encoding="utf-8")
        content = parse_yaml(text)
    except UNREADABLE as error:
        raise InputError(f"{file}: cannot be read as YAML settings ({_reason(error)})") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(f"{file}: holds no settings; write lines of the form `key: value`")
    domain = content.pop("domain", None)  # a run's own config.yaml serves too
    unknown = [key for key in content if key not in kind.model_fields]
    if len(unknown) > max(1, len(content) // 2):  # more than a slip
        fix = f"it is that of a training ({domain})" if domain else "a run's config.yaml or a plan holds them"
        raise InputError(
            f"{file}: does not hold settings of this command, {len(unknown)} of {counted(len(content), 'key')} are "
            f"others ({listing(unknown, 3)}); {fix}"
        )
    if "$RUN/" not in text:
        return content
    from multiunet.training.run_places import resolve_places  # of a run that was shared: places seen from its folder

    located: dict[str, Any] = resolve_places(content, file.parent)
    return located


def _from_pairs(pairs: list[str]) -> dict[str, Any]:
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set {pair}: write KEY=VALUE")
        try:
            settings[key.strip().replace("-", "_")] = parse_yaml(value)
        except UNREADABLE as error:
            raise typer.BadParameter(f"--set {key}: the value cannot be read ({_reason(error)})") from error
    return settings


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
