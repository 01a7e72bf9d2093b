from __future__ import annotations

import re

import pytest

from multiunet.domains.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Line, make_chart


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_places_are_proportional_to_numbers() -> None:
    chart = make_chart("", [Line("a", [(0.0, 0.0), (5.0, 0.25), (10.0, 1.0)])], Axis("x"), Axis("y", 0, 1))
    assert chart is not None
    low, high = HEIGHT - BOTTOM, TOP
    assert points(chart.lines[0].path) == [
        (LEFT, low),
        ((LEFT + WIDTH - RIGHT) / 2, low + 0.25 * (high - low)),
        (WIDTH - RIGHT, high),
    ]
    assert [tick.text for tick in chart.y_ticks] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


def test_a_missing_number_is_a_gap() -> None:
    chart = make_chart("", [Line("a", [(0.0, 1.0), (1.0, None), (2.0, 3.0)])], Axis("x"), Axis("y"))
    assert chart is not None
    assert chart.lines[0].path.count("M") == 2


@pytest.mark.parametrize(("values", "logarithmic"), [([1.0, 100.0], True), ([1.0, 2.0], False), ([0.0, 100.0], False)])
def test_losses_that_span_far_have_a_logarithmic_axis(values: list[float], logarithmic: bool) -> None:
    line = Line("loss", [(float(n), value) for n, value in enumerate([values[0], 10.0, values[1]])])
    chart = make_chart("", [line], Axis("epoch"), Axis("", logarithmic=True))
    assert chart is not None
    ups = [y for _, y in points(chart.lines[0].path)]
    assert (ups[1] - ups[0] == pytest.approx(ups[2] - ups[1])) == logarithmic


def test_lines_without_a_point_make_no_chart() -> None:
    assert make_chart("", [Line("a", [(0.0, None), (1.0, float("nan"))])], Axis("x"), Axis("y")) is None


def test_one_number_alone_has_a_place() -> None:
    chart = make_chart("", [Line("a", [(1.0, 2.0)])], Axis("x"), Axis("y"))
    assert chart is not None
    [(x, y)] = points(chart.lines[0].path)
    assert LEFT <= x <= WIDTH - RIGHT
    assert TOP <= y <= HEIGHT - BOTTOM


def test_epochs_are_whole_numbers() -> None:
    chart = make_chart("Loss", [Line("training", [(1, 0.5), (2, 0.4), (3, 0.3)])], Axis("epoch", whole=True), Axis(""))
    assert chart is not None
    assert [tick.text for tick in chart.x_ticks] == ["1", "2", "3"]
