"""Label propagation and Correct & Smooth: by dense matrices, as baselines, and as a way of predicting."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from multiunet.domains.graph.nodes import baselines, propagation
from multiunet.domains.graph.nodes.config import GraphEvaluate, GraphTrain
from multiunet.domains.graph.nodes.domain import GraphDomain
from multiunet.domains.graph.nodes.propagation import Known, correct_and_smooth, propagate_labels
from multiunet.domains.graph.nodes.smoothing import smooth_where_better
from multiunet.domains.graph.nodes.survey import Survey, survey
from multiunet.domains.graph.task import make_task
from multiunet.uncertainty import ClassCalibration, Moments


@pytest.fixture
def known(save: Callable[..., Path]) -> Survey:
    weight = np.random.default_rng(1).uniform(0.5, 2, 24).astype(np.float32)
    return survey(GraphTrain(graph=save(edge_weight=weight)))


def scaled(known: Survey) -> torch.Tensor:
    """D^-1/2 A D^-1/2, written out."""
    nodes = len(known.field.x)
    links = torch.zeros(nodes, nodes)
    links[known.field.edge_index[1], known.field.edge_index[0]] = known.field.weights()
    root = links.sum(dim=1).rsqrt()
    return root[:, None] * links * root


def test_labels_travel_as_by_matrices(known: Survey) -> None:
    labels = Known.of(known)
    start = labels.classes * labels.train[:, None]
    found = start
    for _ in range(propagation.STEPS):
        found = (0.9 * scaled(known) @ found + 0.1 * start).clamp(0, 1)
    torch.testing.assert_close(propagate_labels(labels), found / found.sum(dim=1, keepdim=True), rtol=1e-4, atol=1e-6)


def test_errors_are_corrected_and_classes_smoothed_as_by_matrices(known: Survey) -> None:
    """Huang et al. 2021, section 2.2 and 2.3, with the scale of errors of each node found by itself."""
    labels, links = Known.of(known), scaled(known)
    mean = torch.randn(24, 2, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    error = (labels.classes - mean) * labels.train[:, None]
    spread = error
    for _ in range(propagation.STEPS):
        spread = (propagation.ERRORS_STAY * links @ spread + (1 - propagation.ERRORS_STAY) * error).clamp(-1, 1)
    scale = error.abs().sum() / labels.train.sum() / spread.abs().sum(dim=1, keepdim=True)
    scale[scale > 1000] = 1
    start = (mean + scale * spread).where(~labels.train[:, None], labels.classes)
    smooth = start
    for _ in range(propagation.STEPS):
        smooth = (propagation.CLASSES_STAY * links @ smooth + (1 - propagation.CLASSES_STAY) * start).clamp(0, 1)
    expected = smooth / smooth.sum(dim=1, keepdim=True)
    torch.testing.assert_close(correct_and_smooth(labels, mean), expected, rtol=1e-3, atol=1e-5)


def test_where_nothing_arrives_the_shares_of_classes_stand(save: Callable[..., Path]) -> None:
    alone = survey(GraphTrain(graph=save(edge_index=np.array([[0], [3]]))))
    labels = Known.of(alone)
    found = propagate_labels(labels)
    assert torch.allclose(found[5], labels.classes[labels.train].mean(dim=0))
    assert torch.isfinite(correct_and_smooth(labels, torch.full((24, 2), 0.5))).all()


def test_neither_validation_nor_test_classes_are_looked_at(known: Survey) -> None:
    labels = Known.of(known)
    others = dataclasses.replace(labels, classes=labels.classes.where(labels.train[:, None], 1 - labels.classes))
    mean = torch.full((24, 2), 0.5)
    assert torch.equal(propagate_labels(labels), propagate_labels(others))
    assert torch.equal(correct_and_smooth(labels, mean), correct_and_smooth(others, mean))


def test_smoothing_is_taken_where_validation_is_better_alone(known: Survey, caplog: pytest.LogCaptureFixture) -> None:
    truth = torch.nn.functional.one_hot(known.target, 2).float()
    zero = torch.zeros(24, 2)
    wrong = Moments(1 - truth, zero, zero)
    assert not torch.equal(smooth_where_better(known, wrong).mean, wrong.mean)
    assert "Correct & Smooth is applied: accuracy on validation 0.0000 before" in caplog.text
    right = Moments(truth, zero, zero)
    assert smooth_where_better(known, right) is right
    assert "left out, since it does not help: accuracy on validation 1.0000 before" in caplog.text


def test_without_validation_nothing_is_smoothed(known: Survey, caplog: pytest.LogCaptureFixture) -> None:
    unvalidated = dataclasses.replace(known, masks=known.masks | {"val": np.zeros(24, bool)})
    given = Moments(torch.full((24, 2), 0.5), torch.zeros(24, 2), torch.full((24, 2), 0.25))
    assert smooth_where_better(unvalidated, given) is given
    assert "left out: no node validates" in caplog.text


def test_what_was_smoothed_is_calibrated(save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """As the calibration was fitted: to predictions that were smoothed, not to those before."""

    def mix(known: Survey, moments: Moments[torch.Tensor]) -> Moments[torch.Tensor]:
        return Moments(0.5 * moments.mean + torch.tensor([0.5, 0.0]), moments.epistemic, moments.aleatoric)

    monkeypatch.setattr("multiunet.domains.graph.nodes.domain.smooth_where_better", mix)
    domain, options = GraphDomain(), GraphEvaluate(samples=1, correct_and_smooth=True)
    config = GraphTrain(graph=save())
    info, cautious = domain.inspect(config), ClassCalibration(3.0)
    data, model = domain.read(config, info, options), domain.build(config, info)
    model.net.eval()
    [plain], [calibrated] = (
        list(domain.predict_labelled(dataclasses.replace(model, calibration=one), config, info, data, options))
        for one in (None, cautious)
    )
    assert plain.moments is not None
    torch.testing.assert_close(calibrated.predicted, cautious.apply(plain.moments).mean)


def test_other_graphs_are_not_predicted_by_known_classes(known: Survey, save: Callable[..., Path]) -> None:
    methods = baselines.methods(known, make_task(GraphTrain(graph=save()), known.info), seed=0)
    assert list(methods) == ["majority", "mlp", "label_propagation", "correct_and_smooth"]
    other = survey(GraphTrain(graph=save())).field
    for name, method in methods.items():
        assert method(known.field) is not None
        assert (method(other) is None) is (name in ("label_propagation", "correct_and_smooth"))
