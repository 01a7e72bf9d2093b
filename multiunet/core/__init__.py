"""The dimension-agnostic core: it names no dimension and no domain, and imports torch alone."""

from multiunet.core.attention import MultiheadAttention
from multiunet.core.autoencoder import Autoencoder
from multiunet.core.condition import Condition, Modulation
from multiunet.core.dropout import Dropout
from multiunet.core.embedding import ConditionEmbedding, Fourier, Sinusoid
from multiunet.core.geometry import Geometry, Tileable
from multiunet.core.lazy import LazyConcat, reads_lazy_concat
from multiunet.core.level import LevelSpec
from multiunet.core.nested import NestedUNet
from multiunet.core.receptive_field import ReceptiveField, receptive_field
from multiunet.core.shared import reads_sites_alone
from multiunet.core.site_attention import SiteAttention, TokenAttention
from multiunet.core.skip import SKIPS, Add, AttentionGate, Concat, Merge, NoSkip, Skip
from multiunet.core.stage import Level
from multiunet.core.unet import Encoder, Trail, UNet

__all__ = [
    "SKIPS",
    "Add",
    "AttentionGate",
    "Autoencoder",
    "Concat",
    "Condition",
    "ConditionEmbedding",
    "Dropout",
    "Encoder",
    "Fourier",
    "Geometry",
    "LazyConcat",
    "Level",
    "LevelSpec",
    "Merge",
    "Modulation",
    "MultiheadAttention",
    "NestedUNet",
    "NoSkip",
    "ReceptiveField",
    "Sinusoid",
    "SiteAttention",
    "Skip",
    "Tileable",
    "TokenAttention",
    "Trail",
    "UNet",
    "reads_lazy_concat",
    "reads_sites_alone",
    "receptive_field",
]
