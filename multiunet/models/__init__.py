"""One function a network.

>>> from multiunet.models import unet2015
>>> net = unet2015(2, in_channels=1, out_channels=2, channels=[4, 8])
"""

from multiunet.models.attention_unet import attention_unet
from multiunet.models.autoencoder import autoencoder
from multiunet.models.ddpm_unet import ddpm_unet
from multiunet.models.depthwise_unet import depthwise_unet
from multiunet.models.diffusers_weights import from_diffusers
from multiunet.models.encoder_unet import EncoderUNet, Feature, Pyramid, encoder_unet
from multiunet.models.genomic import genomic_unet
from multiunet.models.graph_readout import graph_readout_unet
from multiunet.models.graph_unet import graph_unet
from multiunet.models.graph_unet2019 import graph_unet2019
from multiunet.models.image_unet import image_unet
from multiunet.models.mednext import mednext
from multiunet.models.nnunet_plain import nnunet_plain
from multiunet.models.residual_unet import residual_unet
from multiunet.models.swin_unetr import swin_unetr
from multiunet.models.unet3d import unet3d
from multiunet.models.unet2015 import unet2015
from multiunet.models.unet_plus_plus import unet_plus_plus
from multiunet.models.vnet import vnet

__all__ = [
    "EncoderUNet",
    "Feature",
    "Pyramid",
    "attention_unet",
    "autoencoder",
    "ddpm_unet",
    "depthwise_unet",
    "encoder_unet",
    "from_diffusers",
    "genomic_unet",
    "graph_readout_unet",
    "graph_unet",
    "graph_unet2019",
    "image_unet",
    "mednext",
    "nnunet_plain",
    "residual_unet",
    "swin_unetr",
    "unet3d",
    "unet2015",
    "unet_plus_plus",
    "vnet",
]
