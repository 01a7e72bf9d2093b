"""One function a network.

>>> from multiunet.models import unet2015
>>> net = unet2015(2, in_channels=1, out_channels=2, channels=[4, 8])
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiunet.models.attention_unet import attention_unet as attention_unet
    from multiunet.models.depthwise_unet import depthwise_unet as depthwise_unet
    from multiunet.models.genomic import genomic_unet as genomic_unet
    from multiunet.models.graph_readout import graph_readout_unet as graph_readout_unet
    from multiunet.models.graph_unet import graph_unet as graph_unet
    from multiunet.models.graph_unet2019 import graph_unet2019 as graph_unet2019
    from multiunet.models.image_unet import image_unet as image_unet
    from multiunet.models.nnunet_plain import nnunet_plain as nnunet_plain
    from multiunet.models.residual_unet import residual_unet as residual_unet
    from multiunet.models.unet3d import unet3d as unet3d
    from multiunet.models.unet2015 import unet2015 as unet2015
    from multiunet.models.unet_plus_plus import unet_plus_plus as unet_plus_plus
    from multiunet.models.vnet import vnet as vnet

_HOMES = {
    "attention_unet": "attention_unet",
    "depthwise_unet": "depthwise_unet",
    "genomic_unet": "genomic",
    "graph_readout_unet": "graph_readout",
    "graph_unet": "graph_unet",
    "graph_unet2019": "graph_unet2019",
    "image_unet": "image_unet",
    "nnunet_plain": "nnunet_plain",
    "residual_unet": "residual_unet",
    "unet2015": "unet2015",
    "unet3d": "unet3d",
    "unet_plus_plus": "unet_plus_plus",
    "vnet": "vnet",
}
"""The module of each function."""

__all__ = [
    "attention_unet",
    "depthwise_unet",
    "genomic_unet",
    "graph_readout_unet",
    "graph_unet",
    "graph_unet2019",
    "image_unet",
    "nnunet_plain",
    "residual_unet",
    "unet3d",
    "unet2015",
    "unet_plus_plus",
    "vnet",
]


class _Models(ModuleType):
    """Names are found on first use: the catalogue of networks must not cost an import of torch."""

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{self.__name__}.{_HOMES[name]}"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        # importing models/unet2015.py would put that module where its function of the same name belongs
        if name in _HOMES and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Models
