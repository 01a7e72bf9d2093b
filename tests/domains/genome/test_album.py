from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from multiunet.domains.genome.album import CLOSE, GenomeAlbum, average, find_worst
from multiunet.domains.labelled import Piece
from multiunet.domains.report.charts import Chart
from multiunet.uncertainty import Moments

INFO = cast(Any, SimpleNamespace(bin_size=1000))


def test_averages_are_of_what_is_known() -> None:
    values = np.array([1, 3, np.nan, 5, 7], np.float32)
    np.testing.assert_allclose(average(values, 2), [2, 5, 7])
    assert np.isnan(average(np.array([np.nan, np.nan], np.float32), 2))[0]


def test_the_worst_stretch_is_the_one_of_the_largest_sum() -> None:
    errors = np.random.default_rng(0).random(300).astype(np.float32)
    sums = [errors[first : first + 50].sum() for first in range(251)]
    assert find_worst(errors, 50) == int(np.argmax(sums))
    assert find_worst(errors[:20], 50) == 0


def test_a_signal_is_drawn_whole_and_where_it_errs_most_with_its_band() -> None:
    mean = torch.zeros(1, 1, 1000)
    truth = torch.zeros(1, 1, 1000)
    truth[..., 600:700] = 1
    moments = Moments(mean, torch.full_like(mean, 0.03), torch.full_like(mean, 0.01))
    album = GenomeAlbum(INFO, ["signal"])
    album.add(Piece(mean, truth, moments, item="chr1"))
    [case] = album.draw(["chr1"])
    whole, close = (panel.content for panel in case.panels)
    assert isinstance(whole, Chart)
    assert isinstance(close, Chart)
    assert [line.name for line in whole.lines] == ["prediction", "truth"]
    assert whole.lines[0].band.endswith("Z")  # of a deviation of 0.2
    first = float(close.x_ticks[0].text)
    assert 0.5 <= first <= 0.601
    assert close.lines[0].path.count("L") == CLOSE - 1


def test_classes_are_strips() -> None:
    mean = torch.zeros(1, 2, 50)
    mean[:, 0] = 1
    target = torch.zeros(1, 50, dtype=torch.int64)
    target[:, 10:20] = 1
    album = GenomeAlbum(INFO, ["outside", "gene"])
    album.add(Piece(mean, target, Moments(mean, 0 * mean, 0 * mean), item="chr1"))
    [case] = album.draw(["chr1"])
    assert [panel.title for panel in case.panels] == ["truth", "prediction", "error", "uncertainty"]
    assert set(case.legend) == {"outside", "gene"}
    album.drop("chr1")
    with pytest.raises(KeyError):
        album.draw(["chr1"])
