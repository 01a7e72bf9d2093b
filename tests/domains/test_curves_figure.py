"""The picture of a training: epochs are whole numbers, and lines differ by more than colour."""

from __future__ import annotations

from multiunet.domains.curves_figure import draw_curves


def test_epochs_are_whole_and_lines_differ_by_dashes() -> None:
    rows = [{"epoch": n, "loss": 1 / n, "val_loss": 2 / n, "val_mean_iou": n / 10} for n in (1, 2)]
    figure = draw_curves(rows, "mean_iou", 2)
    for panel in figure.axes:
        assert all(float(place).is_integer() for place in panel.get_xticks())
    losses = figure.axes[0].lines[:2]
    assert [list(line.get_xdata()) for line in losses] == [[1, 2], [1, 2]]
    assert losses[0].get_linestyle() != losses[1].get_linestyle()
    assert figure.axes[1].get_ylabel() == "mean IoU"
