from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import Any

import pytest
import typer
from multiunet_cli.options import command_for
from typer.testing import CliRunner

from multiunet.domains.config import Options
from multiunet.domains.spec import domains


def parsed(settings: type[Options], words: list[str]) -> dict[str, Any]:
    """The settings that a command line of these words gives."""
    seen: dict[str, Any] = {}
    app = typer.Typer()
    app.command()(command_for(settings, lambda given: seen.update(given), "Test."))
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return seen


def train(domain: str) -> type[Options]:
    return domains()[domain].train  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("domain", "option", "values", "expected"),
    [
        ("genome", "test-chroms", ["chrI", "chrIV"], ["chrI", "chrIV"]),
        ("genome", "targets", ["a.bw", "b.bw"], ["a.bw", "b.bw"]),
        ("genome", "strand-pairs", ["a:b", "c:d"], ["a:b", "c:d"]),
        ("image", "widths", ["8", "16"], [8, 16]),
        ("image", "strides", ["1,2,2", "2,2,2"], [[1, 2, 2], [2, 2, 2]]),
        ("image", "class-names", ["0=pore", "7=steel"], {"0": "pore", "7": "steel"}),
        ("image", "class-weights", ["1", "2.5"], [1.0, 2.5]),
        ("graphs", "readout", ["mean", "sum"], ["mean", "sum"]),
        ("graph", "feature-columns", ["x", "y"], ["x", "y"]),
    ],
)
@pytest.mark.parametrize("repeated", [False, True])
def test_lists_take_separators_and_repetition(
    domain: str, option: str, values: list[str], expected: Any, repeated: bool
) -> None:
    settings = train(domain)
    name = option.replace("-", "_")
    separator = ";" if option == "strides" else ","
    words = [f"--{option}={value}" for value in values] if repeated else [f"--{option}={separator.join(values)}"]
    given = parsed(settings, words)[name]
    others = {"targets": [Path("signal.bw")]} if domain == "genome" else {}  # without them, a genome has another task
    found = settings.__pydantic_validator__.validate_assignment(settings.model_construct(**others), name, given)
    value = found[0][name] if isinstance(found, tuple) else getattr(found, name)
    assert [item.name for item in value] == expected if name == "targets" else value == expected


@pytest.mark.parametrize(
    ("domain", "option", "said"),
    [
        ("image", "ema", "[default: 0.99; with --task generate: 0.999]"),
        ("image", "normalization", "[default: batch; with --task generate: layer]"),
        ("genome", "window", "[with --task classes: 8192; with --task generate: 2048]"),
        ("image", "seed", "[default: 0]"),
    ],
)
def test_help_says_the_defaults_of_each_task(domain: str, option: str, said: str) -> None:
    signature = inspect.signature(command_for(train(domain), lambda given: None, "help"))
    [found] = typing.get_args(signature.parameters[option].annotation)[1:]
    assert found.help.replace("\\[", "[").endswith(said)


def test_every_option_of_several_values_may_be_repeated() -> None:
    """A repeated option that kept its last value only would move test data into training."""
    for spec in domains().values():
        for settings in (spec.train, spec.predict, spec.evaluate, spec.measure, spec.sample):  # type: ignore[union-attr]
            if settings is None:
                continue
            for name, info in settings.model_fields.items():
                text = str(info.annotation)
                if "list[" not in text and "dict[" not in text:
                    continue
                words = [f"--{name.replace('_', '-')}=a", f"--{name.replace('_', '-')}=b"]
                assert parsed(settings, words)[name] in ("a,b", "a;b", ["a", "b"]), f"{spec.name} --{name}"


def test_texts_with_commas_are_values_of_their_own() -> None:
    sample: type[Options] = domains()["image"].sample  # type: ignore[union-attr, assignment]
    words = ["--caption=coarse, twinned", "--caption=fine", "--label=a,b"]
    assert parsed(sample, words) == {"caption": ["coarse, twinned", "fine"], "label": "a,b"}
    assert sample(caption="coarse, twinned").model_dump()["caption"] == ["coarse, twinned"]
