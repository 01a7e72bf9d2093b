"""Explanation of a run on one image: its skips, its samples, and why Dice is not accuracy."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.core.unet import Trail
from multiunet.domains.describe import describe
from multiunet.domains.image.evaluation.labelled import LabelledImage
from multiunet.domains.image.evaluation.shown import Window
from multiunet.domains.model import Model
from multiunet.domains.report.charts import Axis, Chart, Line, make_chart
from multiunet.domains.report.colours import color_classes, pick_colours
from multiunet.domains.report.rasters import WRONG, encode, encode_labels, encode_scaled, paint, stretch
from multiunet.metrics import Confusion
from multiunet.prediction import predict_field
from multiunet.tasks import Task
from multiunet.uncertainty import Calibration, Moments, dropouts

MOST_SKIPS = 5
"""Finest levels whose skips are turned off and on: 32 combinations."""

DRAWN = 16
"""Monte-Carlo samples that the mean and the variances are of."""

SAMPLES = 6
"""Monte-Carlo samples that are shown one by one."""

SHARES = tuple(0.5 * 10 ** (-place / 12) for place in range(34))
"""Shares of the sites that a class has, from a half to less than a thousandth."""

THRESHOLDS = 100
"""Steps of the probability from which a site counts as the class."""


@dataclass(frozen=True)
class Combination:
    """Prediction with some skips off.

    Attributes:
        on: whether each skip is, the finest first.
        score: mean IoU.
        wrong: share of the known sites.
    """

    on: tuple[bool, ...]
    prediction: bytes
    error: bytes
    score: float | None
    wrong: float

    @property
    def number(self) -> int:
        """Bits of the skips that are on, the finest the lowest."""
        return sum(1 << place for place, on in enumerate(self.on) if on)

    @property
    def words(self) -> str:
        """Return the skips that are off, in words."""
        off = [str(place + 1) for place, on in enumerate(self.on) if not on]
        return f"without the skip of level {', '.join(off)}" if off else "all skips"


@dataclass(frozen=True)
class Rates:
    """Shares of the sites of a class, and of all others, that are taken for it, by threshold."""

    name: str
    share: float
    hits: Sequence[float]
    alarms: Sequence[float]


Decide = Callable[[Tensor], Tensor]
"""Gives the class of each site, ``(N, *space)``, of probabilities ``(N, classes, *space)``."""


def explain_image(model: Model, image: LabelledImage) -> dict[str, Any]:
    """Return what the page shows of an image: pictures, scores, and the network level by level.

    Args:
        model: its calibration, if any, is that of one pass without dropout; by its thresholds classes are decided.
    """
    loaded, names = image.load(), model.task.names
    pixels, window = loaded.picture.pixels[...], Window.of(loaded.picture.space)
    truth = np.asarray(image.labels()[...]).astype(np.int64)
    field = torch.from_numpy(loaded.standardise(pixels))[None]
    picture = stretch(take_shown(window, pixels))
    decide = make_decision(model.task, model.calibration)
    combinations = combine_skips(model.net, model.task, decide, field, picture, truth, window)
    mean = predict_field(model.net, model.task, model.geometry, field).mean[0].numpy()
    rates = find_rates(mean, truth, names)
    return {
        "image": encode(picture),
        "truth": encode_labels(take_shown(window, truth), pick_colours(len(names))),
        "window": window.describe(),
        "legend": color_classes(names),
        "network": describe(model, field),
        "combinations": combinations,
        "skips": list(range(1, len(combinations[0].on) + 1)),
        "thresholds": dict(getattr(model.calibration, "thresholds", {})),
        "samples": draw_samples(model.net, model.task, model.geometry, decide, field, window, DRAWN, seed=0),
        "rates": rates,
        "start": {"share": math.log10(min(0.5, max(1e-3, rates.share))), "threshold": find_threshold(rates)},
        "numbers": json.dumps(dict(as_numbers(rates))),
        "shrinking": draw_shrinking(rates),
    }


def make_decision(task: Task, calibration: Calibration | None) -> Decide:
    """Make what decides classes as a prediction does, by the thresholds of rare classes, if any."""

    def decide(mean: Tensor) -> Tensor:
        if calibration is not None:
            nothing = torch.zeros_like(mean)
            mean = calibration.apply(Moments(mean, nothing, nothing)).mean
        decided = task.decide(mean, calibration)
        assert decided is not None  # it has classes
        return decided

    return decide


@torch.no_grad()
def combine_skips(
    net: Any,
    task: Task,
    decide: Decide,
    field: Tensor,
    picture: NDArray[np.uint8],
    truth: NDArray[np.int64],
    window: Window,
) -> list[Combination]:
    """Predict a field with every combination of skips; one that is off carries zeros.

    Args:
        field: a batch of one, as the network reads it.
        picture: as it is shown, ``(height, width, 3)``.
        truth: classes, ``space``; -1 where they are not known.
    """
    trail = net.encode(field)
    count = min(MOST_SKIPS, len(trail.saved))
    found = []
    for on in itertools.product((True, False), repeat=count):
        kept = [*on, *(True,) * (len(trail.saved) - count)]
        saved = tuple(skip if keep else torch.zeros_like(skip) for skip, keep in zip(trail.saved, kept))
        mean, _ = task.distribution(net.decode(Trail(saved, trail.bottom)))
        found.append(_judge(on, decide(mean)[0].cpu().numpy(), picture, truth, window, len(task.names)))
    return found


def _judge(
    on: tuple[bool, ...],
    predicted: NDArray[np.int64],
    picture: NDArray[np.uint8],
    truth: NDArray[np.int64],
    window: Window,
    classes: int,
) -> Combination:
    confusion = Confusion(classes, -1)
    confusion.update(predicted, truth)
    wrong = (truth >= 0) & (predicted != truth)
    return Combination(
        on,
        encode_labels(take_shown(window, predicted), pick_colours(classes)),
        encode(paint(picture, [(take_shown(window, wrong), WRONG)])),
        confusion.scores()["mean_iou"],
        float(wrong.sum() / max(1, (truth >= 0).sum())),
    )


@torch.no_grad()
def draw_samples(
    net: Any, task: Task, geometry: Any, decide: Decide, field: Tensor, window: Window, samples: int, seed: int
) -> dict[str, bytes]:
    """Return pictures of a few Monte-Carlo samples, of their mean, and of both variances, by their titles."""
    pictures: dict[str, bytes] = {}
    colours = pick_colours(len(task.names))

    def watch(t: int, mean: Tensor) -> None:
        if t < SAMPLES:
            classes = take_shown(window, decide(mean)[0].cpu().numpy())
            pictures[f"sample {t + 1}"] = encode_labels(classes, colours)

    count = samples if dropouts(net) else 1
    moments = predict_field(net, task, geometry, field, count, seed, watch)
    epistemic, aleatoric = (part[0].cpu().numpy() for part in (moments.epistemic, moments.aleatoric))
    classes = decide(moments.mean)[0].cpu().numpy()
    pictures[f"mean of {count}"] = encode_labels(take_shown(window, classes), colours)
    most = 1 - 1 / len(task.names)
    pictures[f"aleatoric variance, up to {most:.2g}"] = encode_scaled(
        take_shown(window, aleatoric.sum(axis=0)), 0, most, "uncertainty"
    )
    widest = max(float(epistemic.sum(axis=0).max()), 1e-9)
    title = f"epistemic variance, up to {widest:.2g}"
    pictures[title] = encode_scaled(take_shown(window, epistemic.sum(axis=0)), 0, widest, "uncertainty")
    return pictures


def find_rates(probabilities: NDArray[np.floating], truth: NDArray[np.int64], names: Sequence[str]) -> Rates:
    """Return the rates of the rarest class that the truth has.

    Args:
        probabilities: ``(classes, *space)``.
        truth: classes, ``space``; -1 where they are not known.
    """
    known = truth >= 0
    counts = np.bincount(truth[known], minlength=len(names)).astype(np.float64)
    counts[counts == 0] = np.inf
    rarest = int(counts.argmin())
    p, inside = probabilities[rarest][known], truth[known] == rarest
    steps = np.arange(1, THRESHOLDS) / THRESHOLDS
    hits, alarms = (
        [float((values >= step).mean()) if values.size else 0.0 for step in steps] for values in (p[inside], p[~inside])
    )
    return Rates(str(names[rarest]), float(inside.mean()), hits, alarms)


def compute_scores(share: float, hits: float, alarms: float) -> tuple[float, float]:
    """Return accuracy and Dice of a class that has this share of the sites.

    >>> accuracy, dice = compute_scores(0.5, 0.9, 0.1)
    >>> round(accuracy, 9), round(dice, 9)
    (0.9, 0.9)
    """
    true, false = share * hits, (1 - share) * alarms
    return true + (1 - share) * (1 - alarms), 2 * true / max(true + false + share, 1e-12)


def find_threshold(rates: Rates) -> int:
    """Return the threshold to begin with, in steps: a half, or the best for Dice if that finds nothing."""
    half = THRESHOLDS // 2
    dice = [compute_scores(rates.share, hits, alarms)[1] for hits, alarms in zip(rates.hits, rates.alarms)]
    return half if dice[half - 1] > 0 else 1 + int(np.argmax(dice))


def draw_shrinking(rates: Rates) -> Chart | None:
    """Draw accuracy and Dice of a class by its share of the sites, at the threshold to begin with."""
    place = find_threshold(rates) - 1
    found = [compute_scores(share, rates.hits[place], rates.alarms[place]) for share in SHARES]
    lines = [
        Line("accuracy", [(share, accuracy) for share, (accuracy, _) in zip(SHARES, found)], 0),
        Line("Dice", [(share, dice) for share, (_, dice) in zip(SHARES, found)], 1),
    ]
    axis = Axis("share of the sites that are of the class", logarithmic=True)
    title = f"Accuracy and Dice of {rates.name} at a threshold of {(place + 1) / THRESHOLDS:.2f}"
    return make_chart(title, lines, axis, Axis("", 0, 1))


def as_numbers(rates: Rates) -> Mapping[str, Any]:
    """Return the rates as a script reads them, plain JSON."""
    return {
        "share": rates.share,
        "hits": [round(value, 6) for value in rates.hits],
        "alarms": [round(value, 6) for value in rates.alarms],
    }


def take_shown(window: Window, whole: NDArray[Any]) -> NDArray[Any]:
    """Return what is shown of ``(..., *space)``, ``(..., height, width)``."""
    taken = window.take(whole, None)
    assert taken is not None  # of the whole image there is always a part
    return taken[0]
