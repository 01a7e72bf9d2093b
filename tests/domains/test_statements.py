"""What is asked for is stated with the limits of the calibration, or refused in plain words."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from multiunet import Grid, InputError, Regression, Segmentation, UNet
from multiunet.domains.config import PredictClasses, PredictOptions, checked
from multiunet.domains.graph.nodes import SPEC
from multiunet.domains.graph.nodes.config import GraphPredict
from multiunet.domains.image.config import ImagePredict
from multiunet.domains.model import Model
from multiunet.domains.remarks import remark
from multiunet.domains.statements import make_statements
from multiunet.tasks import Task
from multiunet.uncertainty import LEVELS, Calibration, ClassCalibration, QuantityCalibration
from multiunet.uncertainty.conformal import SetMethod
from multiunet.uncertainty.statements import ClassSet, Interval, LabelSet, Statement

SURE = (True, True, True, False)
CLASSES = ClassCalibration(
    1.2, limits={"lac": [[0.3], [0.6], [0.8], [0.9]], "aps": [[0.2], [0.5], [0.7], [0.9]]}, guaranteed=SURE
)
QUANTITIES = QuantityCalibration([1.0, 1.0], [[float(level), 2.0 * level] for level in LEVELS], SURE)


def made(task: Task, calibration: Calibration | None, **options: Any) -> tuple[Statement, ...]:
    model = Model(UNet(Grid(1), 1, 2, [2, 2]), task, Grid(1), calibration)
    return make_statements(model, GraphPredict(**options), "runs/a", SPEC)


def test_nothing_is_stated_unless_it_is_asked_for() -> None:
    assert made(Segmentation(["a", "b"]), CLASSES) == ()


@pytest.mark.parametrize(("method", "limit"), [("lac", 0.8), ("aps", 0.7)])
def test_a_set_has_the_limit_of_its_level_and_method(method: SetMethod, limit: float) -> None:
    assert made(Segmentation(["a", "b"]), CLASSES, sets=0.9, set_method=method) == (ClassSet(0.9, method, limit),)


def test_each_label_has_a_limit_of_its_own() -> None:
    calibration = ClassCalibration(1.0, "multilabel", {"lac": [[0.3, 0.4]] * 4}, SURE)
    assert made(Segmentation(["a", "b"], "multilabel"), calibration, sets=0.5) == (LabelSet(0.5, [0.3, 0.4]),)


def test_an_interval_has_the_multipliers_of_its_level() -> None:
    assert made(Regression(["t", "u"]), QUANTITIES, interval=0.8) == (Interval(0.8, [0.8, 1.6]),)
    assert made(Regression(["t", "u"], "poisson"), QUANTITIES, interval=0.8) == (Interval(0.8, [0.8, 1.6], 0.0),)


@pytest.mark.parametrize(
    ("calibration", "words"),
    [
        (
            None,
            "is not calibrated for such predictions, so the interval is that of a normal distribution, mean -+ 1",
        ),
        (
            QuantityCalibration([1.0, 1.0]),
            "calibrated on fewer than two nodes, which do not say how much they differ, so the interval is that of a",
        ),
    ],
)
def test_without_multipliers_an_interval_is_normal_and_says_so(
    calibration: Calibration | None, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    remark.cache_clear()
    with caplog.at_level(logging.WARNING):
        [interval] = made(Regression(["t", "u"]), calibration, interval=0.9)
    assert isinstance(interval, Interval)
    assert interval.multipliers == pytest.approx([1.6449, 1.6449], abs=1e-4)
    assert words in caplog.text
    [unusual] = made(Regression(["t", "u"]), calibration, interval=0.99)
    assert isinstance(unusual, Interval)
    assert unusual.multipliers == pytest.approx([2.5758] * 2, abs=1e-4)


def test_too_few_groups_for_a_guarantee_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    remark.cache_clear()
    with caplog.at_level(logging.WARNING):
        made(Segmentation(["a", "b"]), CLASSES, sets=0.9)
        made(Regression(["t", "u"]), QUANTITIES, interval=0.9)
    assert not caplog.text
    with caplog.at_level(logging.WARNING):
        made(Segmentation(["a", "b"]), CLASSES, sets=0.95)
    assert "too few nodes to guarantee 0.95, which takes 19 or more; each set is an estimate" in caplog.text


@pytest.mark.parametrize(
    ("task", "calibration", "options", "words"),
    [
        (Segmentation(["a", "b"]), CLASSES, {"interval": 0.9}, "runs/a predicts classes, .*; `sets=0.9` gives"),
        (Regression(["t"]), None, {"sets": 0.9}, "runs/a predicts quantities, .*; `interval=0.9` gives"),
        (
            Segmentation(["a", "b"]),
            None,
            {"sets": 0.9},
            "this prediction has none; call `multiunet calibrate graph`",
        ),
        (Segmentation(["a", "b"]), ClassCalibration(1.0), {"sets": 0.9}, "two or more nodes: .* with more data"),
        (
            Segmentation(["a", "b"]),
            CLASSES,
            {"sets": 0.85},
            "knows the levels 0.5, 0.8, 0.9, 0.95; choose one of these",
        ),
        (
            Segmentation(["a", "b"]),
            CLASSES,
            {"sets": 0.9, "set_method": "daps"},
            "`set_method=daps`: the calibration of runs/a has limits of lac, aps; choose one of these",
        ),
        (
            Regression(["t", "u"]),
            QUANTITIES,
            {"interval": 0.99},
            "`interval=0.99`: the calibration of runs/a knows the levels 0.5, 0.8, 0.9, 0.95",
        ),
    ],
)
def test_what_cannot_be_stated_is_refused(
    task: Task, calibration: Calibration | None, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        made(task, calibration, **options)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (PredictOptions, {"interval": 90}, "`interval` must be less than 1"),
        (PredictClasses, {"sets": 0}, "`sets` must be more than 0"),
        (PredictOptions, {"sets": 0.9}, "unknown setting 'sets'"),
        (PredictClasses, {"set_method": "aps"}, "`set_method` says how `sets` are made; give `sets=0.9`, too"),
        (PredictClasses, {"sets": 0.9, "set_method": "daps"}, "`set_method` must be 'lac' or 'aps'"),
        (
            ImagePredict,
            {"images": "i", "export": "o", "export_what": "set"},
            "`export_what=set`: .* give `sets=0.9`, too",
        ),
        (ImagePredict, {"images": "i", "export": "o", "export_what": "interval"}, "give `interval=0.9`, too"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    kind: type[PredictOptions], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        checked(kind, options)
