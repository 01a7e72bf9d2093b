"""Order and values of the classes of objects, whatever their words are."""

from __future__ import annotations

from pathlib import Path

import pytest

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.object_classes import ObjectTable
from multiunet.domains.image.survey.object_classes import ObjectClassSurvey

LONG = "9" * 5000


@pytest.mark.parametrize(
    ("words", "order", "values"),
    [
        (["10", "9", "2"], ("2", "9", "10"), (2, 9, 10)),
        (["b", "10", "9"], ("9", "10", "b"), (1, 2, 3)),
        (["1", "01", "2"], ("01", "1", "2"), (1, 2, 3)),  # in any process: sets of words have no order
        (["0", "1"], ("0", "1"), (1, 2)),
        ([LONG, "1", "²"], ("1", LONG, "²"), (1, 2, 3)),
    ],
)
def test_numbers_come_first_and_are_values_where_all_are(
    words: list[str], order: tuple[str, ...], values: tuple[int, ...]
) -> None:
    config = ImageTrain(images=Path("i"), masks=Path("m"), instances=True, object_classes=Path("k.csv"))
    for given in (words, words[::-1]):
        survey = ObjectClassSurvey(config, ObjectTable(Path("k.csv"), {}), {"m.png": [*given]}, {"m.png": "train"})
        found = survey.result()
        assert (found.words, found.values) == (order, values)
        assert [found.words[place] for place in found.of["m.png"]] == given
