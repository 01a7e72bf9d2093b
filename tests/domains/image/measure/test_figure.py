"""What the figure of measures says, and that its histograms hold every sized object."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes

from multiunet.domains.image.measure.figure import ROWS, draw_figure
from multiunet.domains.image.measure.objects import ObjectRow
from multiunet.domains.image.measure.phases import Measures, PhaseRow


def phase_of(image: str, name: str, fraction: float, objects: int | None, pooled: bool = False) -> PhaseRow:
    interval = fraction, 0.8 * fraction, 1.1 * fraction
    return PhaseRow(
        *(image, pooled, name, False, fraction, *interval, 0.1 * fraction, None, *interval),
        *("pixel", "pixel", objects, None, None, objects, None, None, None),
    )


def part_of(pixels: int, border: bool = False, image: str = "a", name: str = "7") -> ObjectRow:
    diameter = 2 * math.sqrt(pixels / math.pi)
    return ObjectRow(image, name, 1, pixels, pixels, diameter, (0.0, 0.0), "pixel", "pixel", border, None, 0.9)


def one_image(parts: list[ObjectRow]) -> Measures:
    return Measures([phase_of("a", "0", 0.8, None), phase_of("a", "7", 0.2, len(parts))], parts, ("y", "x"))


def images(names: Sequence[str]) -> Measures:
    phases = [phase_of(image, name, 0.4, None) for image in names for name in ("0", "7")]
    pooled = [phase_of("all", name, 0.4, None, pooled=True) for name in ("0", "7")]
    return Measures(phases + pooled, [], ("y", "x"))


def panels_of(measures: Measures) -> list[Axes]:
    """From left to right, from top to bottom, with the names of their ticks."""
    figure = draw_figure(measures)
    figure.draw_without_rendering()
    return figure.axes


def names_at(panel: Axes) -> list[str]:
    return [label.get_text() for label in panel.get_xticklabels()]


SIZES = {
    "skewed": [1] * 900 + [2] * 500 + [*range(3, 60)] * 2 + [400, 20_000],
    "narrow": list(range(1000, 1100)),
    "one": [12],
    "equal": [7] * 30,
}


@pytest.mark.parametrize("name", SIZES)
def test_a_histogram_holds_each_whole_object_once(name: str) -> None:
    parts = [part_of(pixels) for pixels in SIZES[name]]
    bars = panels_of(one_image([*parts, part_of(10**6, border=True)]))[3].patches
    assert sum(bar.get_height() for bar in bars) == pytest.approx(100)
    edges = [bar.get_x() for bar in bars] + [bars[-1].get_x() + bars[-1].get_width()]
    counts = np.histogram([part.diameter for part in parts], edges)[0]
    np.testing.assert_allclose([bar.get_height() for bar in bars], 100 * counts / len(parts))
    np.testing.assert_allclose(np.diff(np.log(edges), 2), 0, atol=1e-9)  # equal ratios
    assert counts[: len(counts) // 3].all()  # none is empty because objects have whole numbers of pixels


def test_narrow_sizes_have_several_bars() -> None:
    panel = panels_of(one_image([part_of(pixels) for pixels in SIZES["narrow"]]))[3]
    assert len(panel.patches) == 8  # 1 + log2(100), rounded up
    assert panel.get_xscale() == "log"
    assert len([name for name in names_at(panel) if name]) >= 3


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([part_of(30, border=True)] * 15, "all 15 objects touch the border: none is sized"),
        ([part_of(30, border=True)], "the only object touches the border: none is sized"),
        ([], "no objects"),
    ],
)
def test_an_empty_panel_says_why(parts: list[ObjectRow], said: str) -> None:
    _, matrix, _, panel = panels_of(one_image(parts))[:4]
    assert [text.get_text() for text in panel.texts] == [said]
    assert [text.get_text() for text in matrix.texts] == ["objects of this class are not counted"]


def test_a_title_counts_what_is_sized_and_what_is_not() -> None:
    panel = panels_of(one_image([part_of(30), part_of(40), part_of(50, border=True)]))[3]
    assert panel.get_title() == "2 objects, and 1 at the border, which are not sized"


def test_bars_have_the_names_of_their_images() -> None:
    measures = images(["uhcs07", "uhcs08", "uhcs11"])
    panels = panels_of(measures)
    assert names_at(panels[2]) == ["uhcs07", "uhcs08", "uhcs11", "all"]
    assert [bar.get_height() for bar in panels[2].patches] == pytest.approx([40] * 4)
    assert panels[0].figure.get_suptitle().startswith("Fractions of the classes in each of 3 images, and of all")


def test_many_images_have_numbers() -> None:
    panel = panels_of(images([f"s{index}" for index in range(24)]))[2]
    assert names_at(panel) == [*map(str, range(1, 24, 2)), "all"]
    assert panel.get_xlabel() == "image, in the order of phases.csv"
    assert len(panel.patches) == 25


def test_long_names_stand_in_full() -> None:
    long = ["a" * 30 + middle + "b" * 30 for middle in "xy"]
    names = names_at(panels_of(images(long))[2])
    assert [name.replace("\n", "") for name in names] == [*long, "all"]


def test_counts_have_bars_and_intervals() -> None:
    measures = one_image([part_of(30), part_of(40)])
    phases = [replace(phase, objects_low=1.0, objects_high=4.0) for phase in measures.phases]
    figure = draw_figure(replace(measures, phases=phases))
    not_counted, counts = figure.axes[4:]
    assert [text.get_text() for text in not_counted.texts] == ["not counted"]
    assert [bar.get_height() for bar in counts.patches] == [2]
    [bars] = counts.containers[1:]
    [[low, high]] = [segment[:, 1] for segment in bars[2][0].get_segments()]
    assert (low, high, counts.get_title()) == (1.0, 4.0, "2 objects (1 to 4)")


def test_one_image_is_not_pooled() -> None:
    panels = panels_of(one_image([part_of(30)]))
    assert names_at(panels[2]) == ["a"]
    title = panels[0].figure.get_suptitle()
    assert title == "Fractions of the classes in 1 image\nerror bars: intervals of 90%"
    single = one_image([part_of(30)])
    phases = [replace(phase, fraction_low=None, fraction_high=None) for phase in single.phases]
    assert "no error bars" in draw_figure(replace(single, phases=phases)).get_suptitle()


def test_error_bars_reach_from_low_to_high() -> None:
    [bars] = panels_of(one_image([part_of(30)]))[2].containers[1:]
    [[low, high]] = [segment[:, 1] for segment in bars[2][0].get_segments()]
    assert (low, high) == (pytest.approx(16), pytest.approx(22))


def test_of_many_classes_the_largest_are_drawn() -> None:
    phases = [phase_of("a", str(index), 0.01 * (index + 1), None) for index in range(30)]
    panels = panels_of(Measures(phases, [], ("y", "x")))
    assert [panel.get_ylabel() for panel in panels[::2]] == [f"mask value {index}, %" for index in range(30 - ROWS, 30)]
    assert "the 24 largest of 30 classes" in panels[0].figure.get_suptitle()
