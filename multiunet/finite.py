"""Checks that numbers are finite: neither infinite nor NaN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from multiunet.errors import Diverged


def is_finite(tensor: Tensor) -> bool:
    """Return whether all values of a tensor are finite, as integers always are."""
    values = tensor.coalesce().values() if tensor.is_sparse else tensor  # isfinite takes no sparse tensors
    return not values.is_floating_point() or bool(torch.isfinite(values).all())


def find_not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor that holds a value which is not finite; None: all are finite."""
    return next((name for name, tensor in tensors.items() if not is_finite(tensor)), None)


def check_outputs(outputs: Iterable[Tensor], inputs: Tensor) -> None:
    """Check that what a network computes is finite where its input is.

    Args:
        inputs: features of the network's input; where these are not finite, outputs need not be either.

    Raises:
        Diverged: when an output is not finite and all inputs are.
    """
    if not all(map(is_finite, outputs)) and is_finite(inputs):
        raise Diverged(
            "the network's output is not finite (NaN or infinite) although its input is: its training diverged; train "
            "with a lower learning rate (`lr`), or look at the training data for extreme values"
        )
