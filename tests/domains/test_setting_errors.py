"""What is wrong with settings, in words."""

from __future__ import annotations

import contextlib

import pytest
from pydantic import ValidationError

from multiunet.domains.config import TrainConfig, checked, option
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.graph.sets.config import GraphsTrain
from multiunet.domains.image.config import ImageMeasure, ImagePredict, ImageTrain
from multiunet.domains.setting_errors import explain
from multiunet.domains.setting_types import Widths
from multiunet.errors import InputError


class Widened(TrainConfig):
    widths: Widths = option([8], "channels", "Model")


def test_what_is_wrong_with_several_values_is_said_once() -> None:
    with pytest.raises(ValidationError) as raised:
        Widened(widths="a,b,a", epochs=0)
    said = explain(raised.value, Widened)
    assert said.count("`widths` must be a whole number") == 1
    assert said.count("(got 'a', 'b')") == 1
    assert "`epochs` must be 1 or more (got 0)" in said


def test_data_in_memory_where_a_file_is_named_are_refused_in_words() -> None:
    class Data:
        """Stands for a graph of torch-geometric."""

    with pytest.raises(InputError, match=r"`graph` must name a file or folder, as text or a Path; .* \(got a Data\)"):
        checked(GraphTrain, {"graph": Data()})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"epochs": -3}, "`epochs` must be 1 or more (got -3)"),
        ({"minutes": -1}, "`minutes` must be more than 0 (got -1)"),
        ({"epochs": "many"}, "`epochs` must be a whole number (got 'many')"),
        ({"epochs": 2.5}, "`epochs` must be a whole number (got 2.5)"),
        ({"lr": "fast"}, "`lr` must be a number (got 'fast')"),
        ({"val_fraction": 1.5}, "`val_fraction` must be less than 1 (got 1.5)"),
        ({"logger": "foo"}, "`logger` must be 'tensorboard' or 'mlflow' (got 'foo')"),
        ({"groups": "Emb[0"}, "`groups` is no regular expression (unterminated character set at position 3)"),
    ],
)
def test_wrong_values_are_told_in_our_own_words(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        ImageTrain.model_validate({"images": "images", "masks": "masks", **wrong})
    words = explain(raised.value, ImageTrain)
    assert words.startswith(said)
    assert "Input should" not in words


def test_every_setting_tells_its_limits_in_our_own_words() -> None:
    for kind in (ImageTrain, GenomeTrain, GraphTrain, GraphsTrain, ImagePredict, ImageMeasure):
        for name in kind.model_fields:
            for wrong in (-1e9, "no such", ["no such"], object()):
                with contextlib.suppress(ValidationError):
                    kind.model_validate({name: wrong})
                    continue
                with pytest.raises(ValidationError) as raised:
                    kind.model_validate({name: wrong})
                assert "Input" not in explain(raised.value, kind), (kind, name, wrong)


def test_a_setting_that_names_itself_and_its_value_is_named_once() -> None:
    with pytest.raises(InputError) as caught:
        checked(GraphTrain, {"graph": "g", "positional_encoding": "foo"})
    assert str(caught.value).count("positional_encoding") == 1
    assert str(caught.value).count("foo") == 1
