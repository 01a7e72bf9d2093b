from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.graph.files.attributes import MOST_WORDS, Attributes, align_columns, edge_attributes
from multiunet.domains.graph.files.cells import Words
from multiunet.errors import InputError

PATH = Path("edges.csv")


def read(**columns: Sequence[str]) -> Attributes | None:
    return edge_attributes(
        PATH, {name: Words.of(cells) for name, cells in columns.items()}, lambda edge: f"line {edge + 2}"
    )


def test_numbers_stay_and_words_become_columns() -> None:
    found = read(length=["1", "2.5", "-3e1"], bond=["single", "", "double"], remark=["", "", ""])
    assert found is not None
    assert found.names == ("length", "bond=double", "bond=single")
    assert found.values.tolist() == [[1, 0, 1], [2.5, 0, 0], [-30, 1, 0]]
    assert found.values.dtype == np.float32
    assert read() is None
    assert read(length=[]) is None


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["1", "x"], "line 3: a is 'x', but a number of other edges"),
        (["1", ""], "line 3: a is ''"),
        (["nan", "1"], "line 2: a is 'nan'"),
        (["1", "1e39"], "line 3: a is '1e39'"),
        ([f"w{i}" for i in range(MOST_WORDS + 1)], "a has 65 different words.*`edge_columns`"),
    ],
)
def test_columns_that_are_no_attribute(cells: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=rf"edges\.csv.*{reason}"):
        read(a=cells)


def test_columns_are_brought_into_the_order_of_others() -> None:
    wanted = ["length", "bond=double", "bond=single"]
    given = read(bond=["triple", "single"], length=["1", "2"])
    assert given is not None
    assert align_columns(PATH, given, wanted, "the run has").tolist() == [[1, 0, 0], [2, 0, 1]]
    for columns, reason in (
        ({"length": ["1"]}, "lack bond=double, bond=single, which the run has"),
        ({"length": ["1"], "bond": ["single"], "age": ["3"]}, "have age, unlike those that the run has"),
    ):
        other = read(**columns)
        assert other is not None
        with pytest.raises(InputError, match=reason):
            align_columns(PATH, other, wanted, "the run has")
