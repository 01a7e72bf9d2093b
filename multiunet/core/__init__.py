"""The dimension-agnostic core: it names no dimension and no domain, and imports torch alone."""

from multiunet.core.condition import Condition, Modulation
from multiunet.core.dropout import Dropout
from multiunet.core.geometry import Geometry
from multiunet.core.joined import Joined, reads_joined
from multiunet.core.nested import NestedUNet
from multiunet.core.skip import SKIPS, Add, AttentionGate, Concat, Merge, NoSkip, Skip
from multiunet.core.unet import Descent, Level, Trail, UNet

__all__ = [
    "SKIPS",
    "Add",
    "AttentionGate",
    "Concat",
    "Condition",
    "Descent",
    "Dropout",
    "Geometry",
    "Joined",
    "Level",
    "Merge",
    "Modulation",
    "NestedUNet",
    "NoSkip",
    "Skip",
    "Trail",
    "UNet",
    "reads_joined",
]
