"""Command-line options made from settings classes, so that a setting is written down once."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic.fields import FieldInfo

from multiunet.domains.config import Options, panel_of
from multiunet_cli.wording import as_options

BRACKET = "\\["
"""An opening bracket that rich does not take for markup."""

PANELS = (
    "Data",
    "Split",
    "Windows",
    "Patches",
    "Instances",
    "Generation",
    "Model",
    "Training",
    "Prediction",
    "Sampling",
    "Evaluation",
    "Output",
    "Run",
)
"""Of ``--help``, from what most will look for to what few will."""

SIMPLE = (bool, int, float, str, Path)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file of settings; command-line options override it")
]
SetValues = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="a setting by its config.yaml name; repeatable"),
]
RunPaths = Annotated[
    list[Path], typer.Option("--run", help="folder of a trained run; repeat for an ensemble", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def only(runs: Sequence[Path]) -> Path:
    """Return the one run that a command takes, given by ``--run``.

    Raises:
        typer.BadParameter: for several, of which the last would count alone.
    """
    if len(runs) > 1:
        raise typer.BadParameter(f"this command takes one run, and {len(runs)} are given", param_hint="--run")
    return runs[0]


def command_for(
    settings: type[Options], body: Callable[..., None], help: str, without: Sequence[str] = ()
) -> Callable[..., None]:
    """A Typer command that takes ``body``'s own parameters and one option for each field of ``settings``.

    ``body`` is called with its own parameters and ``given``, a dict of the settings that were given.
    """
    own = [p for p in inspect.signature(body, eval_str=True).parameters.values() if p.name != "given"]
    # a domain's own settings before those that all have, and its own panels behind the known ones
    names = [name for name in settings.model_fields if name not in without]
    names.sort(key=lambda name: name not in settings.__annotations__)
    place = {panel: number for number, panel in enumerate(PANELS)}
    names.sort(key=lambda name: place.get(panel_of(settings.model_fields[name]), len(PANELS)))
    fields = [_parameter(name, settings.model_fields[name], settings.by_task) for name in names]

    def command(**values: Any) -> None:
        given = {name: values.pop(name) for name in settings.model_fields if name in values}
        fields = settings.model_fields
        body(**values, given={name: _gather(fields[name], value) for name, value in given.items() if value is not None})

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*own, *fields]]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__doc__ = help
    return command


def _gather(info: FieldInfo, value: Any) -> Any:
    """Return what was given, the values of a repeated option as one text, unless each is a text of its own."""
    return _separator(info.annotation).join(value) if isinstance(value, list) and not _is_repeated(info) else value


def _is_repeated(info: FieldInfo) -> bool:
    return bool(_extra(info).get("repeated"))


def _extra(info: FieldInfo) -> dict[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def _parameter(name: str, info: FieldInfo, by_task: Mapping[str, Mapping[str, Any]]) -> inspect.Parameter:
    kind = str if _extra(info).get("text") else _plain(info.annotation)
    several = kind is str and _holds_several(info.annotation)
    flag = "--" + name.replace("_", "-")
    own_defaults = {task: own[name] for task, own in by_task.items() if name in own and name != "task"}
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        help=f"{as_options(info.description or '')}{_shown(info, own_defaults)}",
        rich_help_panel=panel_of(info),
        show_default=False,
        metavar="A,B,..." if several and not _is_repeated(info) else None,
    )
    if several:  # "A,B", or the option again for each: a repeated option adds, it never replaces
        kind = list[str]
    # None stands for "not given": the settings class knows the default
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _shown(info: FieldInfo, by_task: Mapping[str, Any]) -> str:
    """Return what is said of a setting's default, and of those that tasks have in its place."""
    if info.is_required():
        return f" {BRACKET}required]"
    default = info.get_default(call_default_factory=True)
    parts = [] if default is None or default == [] else [f"default: {_as_text(default)}"]
    parts += [f"with --task {task}: {_as_text(value)}" for task, value in by_task.items()]
    return f" {BRACKET}{'; '.join(parts)}]" if parts else ""


def _as_text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _plain(annotation: Any) -> Any:
    """Return the type that Typer parses: the annotation if it is simple, else text for the settings class."""
    arguments = _without_none(annotation)
    if len(arguments) == 1 and (arguments[0] in SIMPLE or typing.get_origin(arguments[0]) is Literal):
        return arguments[0]
    if all(typing.get_origin(argument) is Literal for argument in arguments):  # a choice of either kind
        return Literal[tuple(value for argument in arguments for value in typing.get_args(argument))]
    return str


def _holds_several(annotation: Any) -> bool:
    return any(typing.get_origin(a) in (list, tuple, dict) for a in _without_none(annotation))


def _separator(annotation: Any) -> str:
    """Return what stands between two values in text: lists of lists need another sign than the lists in them."""
    parts = [part for a in _without_none(annotation) for part in typing.get_args(a)]
    return ";" if any(_holds_several(part) for part in parts if part is not str) else ","


def _without_none(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) is Annotated:
        return _without_none(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [a for part in typing.get_args(annotation) if part is not type(None) for a in _without_none(part)]
    return [annotation]
