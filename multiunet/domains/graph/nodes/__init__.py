"""Graphs: classes or quantities of nodes, learnt from some labelled nodes, features and edges."""

from multiunet.domains.graph.nodes.config import GraphEvaluate, GraphPredict, GraphTrain
from multiunet.domains.graph.options import GraphMeasure
from multiunet.domains.spec import DomainSpec

SPEC = DomainSpec(
    name="graph",
    summary="nodes of a graph (NPZ, PT, GraphML or CSV): classes or quantities, from some labelled nodes",
    train=GraphTrain,
    predict=GraphPredict,
    evaluate=GraphEvaluate,
    measure=GraphMeasure,
    measured=("segmentation", "regression"),
    implementation="multiunet.domains.graph.nodes.domain:GraphDomain",
    groups="nodes",
)
