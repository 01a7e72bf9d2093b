"""Tasks of networks of graphs: classes or quantities of nodes, or of whole graphs."""

from __future__ import annotations

from torch import nn

from multiunet.domains.graph.info import GraphInfo
from multiunet.domains.graph.labels import UNKNOWN
from multiunet.domains.graph.options import NetworkTrain
from multiunet.losses import Consistent, CrossEntropy
from multiunet.tasks import ClassificationScore, Regression, Segmentation, Task


def make_task(config: NetworkTrain, info: GraphInfo, views: int = 1, agreement: float = 0.0) -> Task:
    """Return the task of these settings, with the classes, labels or quantities of the run.

    Args:
        views: random views of the graph that training compares; one is judged alone.
        agreement: weight of the agreement of several views.
    """
    if info.regression:
        known = info.quantities
        return Regression(known.names, config.loss, known.centre, known.scale)
    if info.target.kind == "labels":
        names = info.labels.names
        return Segmentation(names, "multilabel", loss=CrossEntropy(kind="multilabel"), rare=names)
    loss: nn.Module = CrossEntropy(config.label_smoothing, ignore_index=UNKNOWN)
    if views > 1:
        loss = Consistent(loss, views, agreement)
    return Segmentation(info.classes.names, ignore_index=UNKNOWN, loss=loss, score=ClassificationScore)
