"""U-Nets for images, volumes, genomes and graphs, with scores and uncertainty.

>>> from multiunet import Grid, UNet
>>> net = UNet(Grid(2), 1, 3, [8, 16, 32])
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from multiunet.core import (
        Add,
        AttentionGate,
        Concat,
        Condition,
        ConditionEmbedding,
        Dropout,
        Geometry,
        NestedUNet,
        NoSkip,
        ReceptiveField,
        Skip,
        UNet,
        receptive_field,
    )
    from multiunet.diffusion import (
        Denoiser,
        Denoising,
        DiffusionData,
        MaskedData,
        MaskedModel,
        NoisedValidator,
        Sampler,
        SiteNoise,
        Unmasker,
        Unmasking,
    )
    from multiunet.domains.calibration import calibrate
    from multiunet.domains.comparing import compare
    from multiunet.domains.explaining import explain
    from multiunet.domains.inference import evaluate, measure, predict
    from multiunet.domains.portable.making import export
    from multiunet.domains.questions import attribute, mutagenesis, variants
    from multiunet.domains.report.making import write_page
    from multiunet.domains.runs import Run, load
    from multiunet.domains.sampling import sample
    from multiunet.domains.sharing.making import share
    from multiunet.domains.training import check, plan, train
    from multiunet.errors import InputError
    from multiunet.geometries import Graph, GraphField, Grid
    from multiunet.geometries.graph.merge import Contraction, HeavyEdgeMatching
    from multiunet.geometries.graph.select import SAG, TopK
    from multiunet.geometries.graph.soft import MinCut
    from multiunet.prediction import GridPredictor, GridSource, open_prediction, predict_field
    from multiunet.tasks import Regression, Segmentation
    from multiunet.training.data import Sample, TrainingData
    from multiunet.training.loop import fit
    from multiunet.training.recipe import Recipe
    from multiunet.uncertainty import Moments

__all__ = [
    "SAG",
    "Add",
    "AttentionGate",
    "Concat",
    "Condition",
    "ConditionEmbedding",
    "Contraction",
    "Denoiser",
    "Denoising",
    "DiffusionData",
    "Dropout",
    "Geometry",
    "Graph",
    "GraphField",
    "Grid",
    "GridPredictor",
    "GridSource",
    "HeavyEdgeMatching",
    "InputError",
    "MaskedData",
    "MaskedModel",
    "MinCut",
    "Moments",
    "NestedUNet",
    "NoSkip",
    "NoisedValidator",
    "ReceptiveField",
    "Recipe",
    "Regression",
    "Run",
    "Sample",
    "Sampler",
    "Segmentation",
    "SiteNoise",
    "Skip",
    "TopK",
    "TrainingData",
    "UNet",
    "Unmasker",
    "Unmasking",
    "attribute",
    "calibrate",
    "check",
    "compare",
    "evaluate",
    "explain",
    "export",
    "fit",
    "load",
    "measure",
    "mutagenesis",
    "open_prediction",
    "plan",
    "predict",
    "predict_field",
    "receptive_field",
    "sample",
    "share",
    "train",
    "variants",
    "write_page",
]

# names are imported on first use: the command line must answer --help without importing torch
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "core": [
            "Add",
            "AttentionGate",
            "Concat",
            "Condition",
            "ConditionEmbedding",
            "Dropout",
            "Geometry",
            "NestedUNet",
            "NoSkip",
            "ReceptiveField",
            "Skip",
            "UNet",
            "receptive_field",
        ],
        "diffusion": [
            "Denoiser",
            "Denoising",
            "DiffusionData",
            "MaskedData",
            "MaskedModel",
            "NoisedValidator",
            "Sampler",
            "SiteNoise",
            "Unmasker",
            "Unmasking",
        ],
        "domains.calibration": ["calibrate"],
        "domains.comparing": ["compare"],
        "domains.explaining": ["explain"],
        "domains.inference": ["evaluate", "measure", "predict"],
        "domains.portable.making": ["export"],
        "domains.questions": ["attribute", "mutagenesis", "variants"],
        "domains.report.making": ["write_page"],
        "domains.runs": ["Run", "load"],
        "domains.sampling": ["sample"],
        "domains.sharing.making": ["share"],
        "domains.training": ["check", "plan", "train"],
        "errors": ["InputError"],
        "geometries": ["Graph", "GraphField", "Grid"],
        "geometries.graph.merge": ["Contraction", "HeavyEdgeMatching"],
        "geometries.graph.select": ["SAG", "TopK"],
        "geometries.graph.soft": ["MinCut"],
        "prediction": ["GridPredictor", "GridSource", "open_prediction", "predict_field"],
        "tasks": ["Regression", "Segmentation"],
        "training.data": ["Sample", "TrainingData"],
        "training.loop": ["fit"],
        "training.recipe": ["Recipe"],
        "uncertainty": ["Moments"],
    },
)
