"""Many graphs: classes or quantities of each, or of their nodes."""

from multiunet.domains.graph.options import GraphMeasure
from multiunet.domains.graph.sets.config import GraphsEvaluate, GraphsPredict, GraphsTrain
from multiunet.domains.spec import DomainSpec

SPEC = DomainSpec(
    name="graphs",
    summary="many graphs (NPZ, PT, a folder, or a CSV of SMILES): classes or quantities of each, or of their nodes",
    train=GraphsTrain,
    predict=GraphsPredict,
    evaluate=GraphsEvaluate,
    measure=GraphMeasure,
    measured=("segmentation", "regression"),
    implementation="multiunet.domains.graph.sets.domain:GraphsDomain",
    groups="graphs",
)
