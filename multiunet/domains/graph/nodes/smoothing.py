"""Predictions of nodes, corrected by the classes of the training nodes where validation says so."""

from __future__ import annotations

import torch
from torch import Tensor

from multiunet.domains.graph.nodes.propagation import Known, correct_and_smooth, fits_memory
from multiunet.domains.graph.nodes.survey import Survey
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.uncertainty import Moments
from multiunet.uncertainty.calibration import with_probabilities


def smooth_where_better(known: Survey, moments: Moments[Tensor]) -> Moments[Tensor]:
    """Return moments after ``correct_and_smooth``, or as they are where validation gains nothing.

    Which it is, and by how much, is said.

    Args:
        known: the graph of the training; its validation classes are compared with, and are nowhere put in.
        moments: of all its nodes, ``(nodes, classes)``, not calibrated: a calibration is fitted to what was smoothed.

    Raises:
        InputError: where the memory does not hold it.
    """
    if not fits_memory(known):
        raise InputError(f"{known.graph.path}: `correct_and_smooth` needs more memory than is free; leave it out")
    val = torch.from_numpy(known.masks["val"])
    truth = known.target[val]
    if not len(truth):
        remark(f"{known.graph.path}: Correct & Smooth is left out: no node validates, so nothing says whether it helps")
        return moments
    mean = correct_and_smooth(Known.of(known), moments.mean)
    before, after = (float((one[val].argmax(dim=1) == truth).double().mean()) for one in (moments.mean, mean))
    change = f"accuracy on validation {before:.4f} before, {after:.4f} after"
    if after <= before:
        remark(f"{known.graph.path}: Correct & Smooth is left out, since it does not help: {change}")
        return moments
    remark(f"{known.graph.path}: Correct & Smooth is applied: {change}")
    return with_probabilities(moments, mean)
