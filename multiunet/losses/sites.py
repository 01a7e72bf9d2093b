"""Known sites of a batch: labels, masks and missing values, read once for every loss.

Channels are on axis 1 and every other axis is sites, so a grid ``(N, C, *space)`` and a graph ``(nodes, C)`` are alike.
A site or value that does not count is replaced before anything is computed from it, not multiplied by zero afterwards:
zero times NaN is NaN, in the loss and in its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

Kind = Literal["multiclass", "binary", "multilabel"]


@dataclass(frozen=True)
class Labelled:
    """Logits and labels where labels are known; 0 elsewhere.

    Attributes:
        logits: ``(N, K, *space)`` or ``(nodes, K)``, at least float32.
        labels: multiclass: class indices, ``(N, *space)`` or ``(nodes,)``; otherwise values in [0, 1] of the shape of
            ``logits``.
        weight: of each site, one channel; multilabel: of each site and label, K channels. 0 where nothing is known.
        class_weights: one for each class; binary has two classes, outside and inside.
        kind: how the logits are to be read.
    """

    logits: Tensor
    labels: Tensor
    weight: Tensor
    class_weights: Tensor
    kind: Kind

    def probabilities(self) -> Tensor:
        """Return the probability of each class, in the shape of ``logits``."""
        if self.kind == "multiclass":
            return self.logits.softmax(dim=1)
        return self.logits.sigmoid()

    def truth(self) -> Tensor:
        """Return the true probability of each class, in the shape of ``logits``: one-hot for class indices."""
        if self.kind != "multiclass":
            return self.labels
        classes = torch.arange(self.logits.shape[1], device=self.labels.device)
        return (self.labels.unsqueeze(1) == on_axis_1(classes, self.logits)).to(self.logits)

    def balanced_weight(self) -> Tensor:
        """Return ``weight`` times the class weight of the true class (multilabel: of the label)."""
        if self.kind == "multiclass":
            return self.weight * self.class_weights[self.labels].unsqueeze(1)
        if self.kind == "binary":
            outside, inside = self.class_weights.unbind()
            return self.weight * (outside + (inside - outside) * self.labels)
        return self.weight * on_axis_1(self.class_weights, self.logits)


@dataclass(frozen=True)
class Labelling:
    """Convention by which integer or multilabel targets name classes.

    Attributes:
        kind: ``"multiclass"``: K >= 2 logits, integer targets 0..K-1 of the sites' shape; ``"binary"``: one logit,
            integer targets 0 and 1 of the sites' shape; ``"multilabel"``: K logits, targets of the output's shape, each
            in [0, 1] or NaN where unknown.
        ignore_index: target value that means unknown; None where every value is a label.
        class_weights: one for each of the K classes; for binary two, outside and inside. None weighs all alike.

    Raises:
        ValueError: when the kind is not one of these, or a class weight is negative or all are zero.
    """

    kind: Kind = "multiclass"
    ignore_index: int | None = -1
    class_weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind {self.kind!r} is none of {', '.join(get_args(Kind))}")
        weights = self.class_weights
        if weights is not None and (min(weights, default=0.0) < 0 or not sum(weights) > 0):
            raise ValueError(f"class_weights {list(weights)}: give non-negative weights that are not all zero")

    def __call__(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Labelled:
        """Read one batch.

        Args:
            output: logits, ``(N, C, *space)`` or ``(nodes, C)``.
            target: see ``kind``.
            weight: non-negative weights or a mask of the sites, ``(N, *space)`` or ``(nodes,)``; 0 removes a site.

        Raises:
            ValueError: when shapes do not fit each other or a known label is not among the classes.
        """
        self._check_shapes(output, target)
        logits = at_least_float32(output)
        weights = site_weight(weight, logits)
        if self.kind == "multilabel":
            labels, valid = self._read_multilabel(target.to(logits), weights)
        else:
            labels, valid = self._read_classes(target.long(), weights, max(2, output.shape[1]))
        return Labelled(
            logits=torch.where(valid, logits, 0.0),
            labels=labels.to(logits) if self.kind == "binary" else labels,
            weight=torch.where(valid, weights, 0.0),
            class_weights=self._class_weights(logits),
            kind=self.kind,
        )

    def _check_shapes(self, output: Tensor, target: Tensor) -> None:
        if output.ndim < 2:
            raise ValueError(f"output {tuple(output.shape)} has no channel axis: expected (N, C, *space) or (nodes, C)")
        channels = output.shape[1]
        if self.kind == "binary" and channels != 1:
            raise ValueError(f"binary labels need 1 logit on axis 1, the output {tuple(output.shape)} has {channels}")
        if self.kind == "multiclass" and channels < 2:
            raise ValueError(
                f"multiclass labels need at least 2 logits on axis 1, the output {tuple(output.shape)} has {channels}; "
                'for one logit set kind="binary"'
            )
        expected = tuple(output.shape) if self.kind == "multilabel" else _sites(output)
        if tuple(target.shape) != expected:
            raise ValueError(
                f"target {tuple(target.shape)} does not fit the output {tuple(output.shape)}: "
                f"{self.kind} targets must be {expected}"
            )
        if self.kind != "multilabel" and (target.is_floating_point() or target.is_complex()):
            raise ValueError(f"{self.kind} targets are class indices: expected integers, got {target.dtype}")

    def _read_classes(self, index: Tensor, weights: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        index = index.unsqueeze(1)
        valid = weights != 0
        if self.ignore_index is not None:
            valid = valid & (index != self.ignore_index)
        outside = valid & ((index < 0) | (index >= classes))
        if outside.any():
            label, count = int(index[outside][0]), int(outside.sum())
            raise ValueError(
                f"label {label} is outside the {classes} classes 0..{classes - 1} ({count} such sites); "
                f"unknown sites are marked by ignore_index={self.ignore_index}"
            )
        index = torch.where(valid, index, 0)
        return index if self.kind == "binary" else index.squeeze(1), valid

    def _read_multilabel(self, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        valid = (weights != 0) & ~target.isnan()
        if self.ignore_index is not None:
            valid = valid & (target != self.ignore_index)
        outside = valid & ((target < 0) | (target > 1))
        if outside.any():
            label, count = float(target[outside][0]), int(outside.sum())
            raise ValueError(f"multilabel target {label:g} is outside 0..1 ({count} such values); unknown is NaN")
        return torch.where(valid, target, 0.0), valid

    def _class_weights(self, logits: Tensor) -> Tensor:
        count = 2 if self.kind == "binary" else logits.shape[1]
        if self.class_weights is None:
            return logits.new_ones(count)
        if len(self.class_weights) != count:
            raise ValueError(f"class_weights has {len(self.class_weights)} entries for {count} classes")
        return logits.new_tensor(self.class_weights)


class Measured(NamedTuple):
    """Outputs and targets where the target was measured; everything is 0 elsewhere.

    ``output`` has ``parameters`` times the channels of ``target`` and ``weight``.
    """

    output: Tensor
    target: Tensor
    weight: Tensor


def measured(output: Tensor, target: Tensor, weight: Tensor | None, parameters: int = 1) -> Measured:
    """Keep the values that count: a measured (not NaN) target at a site of non-zero weight.

    Args:
        output: ``(N, parameters * C, *space)`` or ``(nodes, parameters * C)``.
        target: ``(N, C, *space)`` or ``(nodes, C)``; NaN is not measured.
        weight: non-negative weights or a mask of the sites, ``(N, *space)`` or ``(nodes,)``; 0 removes a site.

    Raises:
        ValueError: when the shapes do not fit each other.
    """
    if target.ndim < 2:
        raise ValueError(f"target {tuple(target.shape)} has no channel axis: expected (N, C, *space) or (nodes, C)")
    expected = (target.shape[0], parameters * target.shape[1], *target.shape[2:])
    if tuple(output.shape) != expected:
        raise ValueError(
            f"output {tuple(output.shape)} does not fit the target {tuple(target.shape)}: expected {expected}, "
            f"{parameters} channel{'s' * (parameters > 1)} for each of the target's"
        )
    output = at_least_float32(output)
    target = target.to(output)
    weights = site_weight(weight, output)
    valid = (weights != 0) & ~target.isnan()
    return Measured(
        output=torch.where(torch.cat([valid] * parameters, dim=1), output, 0.0),
        target=torch.where(valid, target, 0.0),
        weight=torch.where(valid, weights, 0.0),
    )


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return ``sum(weight * values) / sum(weight)``; 0, with a gradient of 0, if all weights are 0.

    Args:
        values, weight: tensors of one shape.

    Returns:
        A scalar.
    """
    return ratio((weight * values).sum(), weight.sum())


def ratio(total: Tensor, weight: Tensor) -> Tensor:
    """Divide one scalar by another; where ``weight`` is 0, ``total`` is an empty sum and is returned."""
    return total / torch.where(weight > 0, weight, 1.0)


def at_least_float32(x: Tensor) -> Tensor:
    """Widen half precision, which cannot hold sums over a million sites; the shape stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def site_weight(weight: Tensor | None, output: Tensor) -> Tensor:
    """Give ``weight`` a channel axis and the type of ``output``; ones if it is None.

    Args:
        weight: ``(N, *space)`` or ``(nodes,)``.
        output: ``(N, C, *space)`` or ``(nodes, C)``.

    Raises:
        ValueError: when ``weight`` does not have one value a site.
    """
    sites = _sites(output)
    if weight is None:
        return output.new_ones(sites).unsqueeze(1)
    if tuple(weight.shape) != sites:
        raise ValueError(
            f"weight {tuple(weight.shape)} does not fit the output {tuple(output.shape)}: "
            f"one weight a site is expected, {sites}"
        )
    return weight.to(output).unsqueeze(1)


def on_axis_1(values: Tensor, like: Tensor) -> Tensor:
    """Reshape values ``(C,)`` so that they broadcast over the sites of ``like``, ``(N, C, *space)``."""
    return values.view(-1, *(1,) * (like.ndim - 2))


def _sites(output: Tensor) -> tuple[int, ...]:
    return (output.shape[0], *output.shape[2:])
