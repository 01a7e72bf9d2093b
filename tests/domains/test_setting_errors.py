"""What is wrong with settings, in words."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from multiunet.domains.config import TrainConfig, Widths, checked, option
from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.domains.setting_errors import explain
from multiunet.errors import InputError


class Widened(TrainConfig):
    widths: Widths = option([8], "channels", "Model")


def test_what_is_wrong_with_several_values_is_said_once() -> None:
    with pytest.raises(ValidationError) as raised:
        Widened(widths="a,b,a", epochs=0)
    said = explain(raised.value, Widened)
    assert said.count("`widths`: ") == 1
    assert said.count("(got 'a', 'b')") == 1
    assert "; `epochs`: " in said or said.startswith("`epochs`: ")


def test_data_in_memory_where_a_file_is_named_are_refused_in_words() -> None:
    class Data:
        """Stands for a graph of torch-geometric."""

    with pytest.raises(InputError, match=r"`graph`: names a file or folder, as text or a Path; .* \(got a Data\)"):
        checked(GraphTrain, {"graph": Data()})
