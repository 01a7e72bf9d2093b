"""Verdict of an evaluation, in words: where a trivial method is better than the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from multiunet.wording import figure, listing

HIGHER = (
    *("psnr", "ssim", "mean_iou", "micro_iou", "dice", "pixel_accuracy", "accuracy", "macro_f1"),
    *("ap_50", "ap_mean", "pq", "mean_pq", "foreground_iou", "auroc", "auprc", "f1", "mcc", "micro_f1"),
    *("r2", "pearson_r", "spearman_r"),
)
"""Scores of which more is better."""

LOWER = ("rmse", "mae", "count_mae", "count_error", "texture_error", "bits_per_base", "perplexity")
"""Scores of which less is better."""

OF = " of "
"""Stands between the name of a score and that of the quantity."""

SHOWN = 6
"""Scores that a sentence names."""


def judge(
    metrics: Mapping[str, Any],
    baselines: Mapping[str, Mapping[str, Any]],
    name_score: Callable[[str], str] = str,
    name_method: Callable[[str], str] = str,
) -> list[str]:
    """Return a sentence for each trivial method that is better than the network in some score.

    Where none is, one sentence says so; without trivial methods that share a score, there is none. Of several
    quantities each is judged by its own scores, too.

    Args:
        name_score: returns what a score is called, where that is not its name in ``metrics``.
        name_method: returns what a trivial method is called.

    >>> judge({"psnr": 20.0, "ssim": 0.9}, {"input": {"psnr": 25.0, "ssim": 0.8}})
    ['The network is worse than the baseline input in psnr (20.0000, input 25.0000).']
    """
    own, sentences, compared = _flatten(metrics), [], False
    for name, scores in baselines.items():
        other = _flatten(scores)
        shared = [score for score in own if score in other]
        compared = compared or bool(shared)
        lost = [score for score in shared if _is_worse(score, own[score], other[score])]
        if lost:
            method = name_method(name)
            told = [
                f"{_name(score, name_score)} ({figure(own[score])}, {method} {figure(other[score])})" for score in lost
            ]
            sentences.append(f"The network is worse than the baseline {method} in {listing(told, SHOWN)}.")
    if compared and not sentences:
        return ["The network is at least as good as every baseline, in all scores that both have."]
    return sentences


def _name(score: str, name_score: Callable[[str], str]) -> str:
    """Return what a score is called, that of one of several quantities with the quantity."""
    name, of, track = score.partition(OF)
    return f"{name_score(name)}{of}{track}"


def _flatten(scores: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores that are judged, those of each of several quantities behind the others."""
    found = {name: float(scores[name]) for name in (*HIGHER, *LOWER) if isinstance(scores.get(name), (int, float))}
    for track in scores.get("per_track", []):
        of_track = ((name, track.get(name)) for name in (*HIGHER, *LOWER))
        found |= {f"{name}{OF}{track.get('track')}": float(v) for name, v in of_track if isinstance(v, (int, float))}
    return found


def _is_worse(name: str, own: float, other: float) -> bool:
    """Return whether a score is worse than another, as NaN is than any number; rounding makes none worse."""
    if math.isnan(own) or math.isnan(other):
        return math.isnan(own) and not math.isnan(other)
    sign = -1 if name.partition(OF)[0] in LOWER else 1
    return sign * (other - own) > 1e-6 * max(1.0, abs(other))
