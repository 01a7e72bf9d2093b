"""Citation of a result: the program, the run, and the papers of the methods that it used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

PAPERS = {
    "unet": "Ronneberger, Fischer & Brox (2015). U-Net: convolutional networks for biomedical image segmentation. "
    "MICCAI. doi:10.1007/978-3-319-24574-4_28",
    "unet3d": "Çiçek et al. (2016). 3D U-Net: learning dense volumetric segmentation from sparse annotation. MICCAI. "
    "doi:10.1007/978-3-319-46723-8_49",
    "vnet": "Milletari, Navab & Ahmadi (2016). V-Net: fully convolutional neural networks for volumetric medical image "
    "segmentation. 3DV. doi:10.1109/3DV.2016.79",
    "attention_unet": "Oktay et al. (2018). Attention U-Net: learning where to look for the pancreas. arXiv:1804.03999",
    "unet_plus_plus": "Zhou et al. (2018). UNet++: a nested U-Net architecture for medical image segmentation. DLMIA. "
    "doi:10.1007/978-3-030-00889-5_1",
    "nnunet_plain": "Isensee et al. (2021). nnU-Net: a self-configuring method for deep learning-based biomedical "
    "image segmentation. Nature Methods 18. doi:10.1038/s41592-020-01008-z",
    "swin_unetr": "Hatamizadeh et al. (2022). Swin UNETR: Swin transformers for semantic segmentation of brain tumors "
    "in MRI images. arXiv:2201.01266",
    "mednext": "Roy et al. (2023). MedNeXt: transformer-driven scaling of ConvNets for medical image segmentation. "
    "MICCAI. arXiv:2303.09975",
    "encoder": "Wightman (2019). PyTorch Image Models. doi:10.5281/zenodo.4414861",
    "graph_unet": "Gao & Ji (2019). Graph U-Nets. ICML. arXiv:1905.05178",
    "mc_dropout": "Gal & Ghahramani (2016). Dropout as a Bayesian approximation. ICML. arXiv:1506.02142",
    "variances": "Kendall & Gal (2017). What uncertainties do we need in Bayesian deep learning for computer vision? "
    "NeurIPS. arXiv:1703.04977",
    "temperature": "Guo et al. (2017). On calibration of modern neural networks. ICML. arXiv:1706.04599",
}
"""References by what uses them."""


def list_papers(domain: str, config: Mapping[str, Any], calibrated: bool) -> list[str]:
    """Return the papers of a run's methods.

    Args:
        config: resolved settings.
        calibrated: its predictions are.
    """
    used = ["unet"]
    if domain.startswith("graph"):
        used.append("graph_unet")
    elif (model := str(config.get("model"))) in PAPERS:
        used.append(model)
    if config.get("encoder"):
        used.append("encoder")
    if config.get("dropout"):
        used += ["mc_dropout", "variances"]
    if calibrated:
        used.append("temperature")
    return [PAPERS[name] for name in used]


def describe_program() -> str:
    """Return the program and its version, as a paper names it."""
    return f"multiunet, version {version('multiunet')} (Apache-2.0)"
