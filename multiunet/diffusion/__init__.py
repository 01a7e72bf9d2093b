"""Diffusion: networks that denoise become generators, on every geometry."""

from multiunet.diffusion.ddpm import DDPM
from multiunet.diffusion.denoiser import Denoise, Denoiser, check_generator
from multiunet.diffusion.guidance import Guidance
from multiunet.diffusion.latent import AutoencoderData, LatentData, learn_scale
from multiunet.diffusion.masked import MaskedData, Masking, encode_masked
from multiunet.diffusion.noised import DiffusionData, NoisedData
from multiunet.diffusion.objective import Denoising, Unmasking
from multiunet.diffusion.parameterization import (
    PARAMETERIZATIONS,
    Parameterization,
    Preconditioned,
    PredictData,
    PredictFlow,
    PredictNoise,
    PredictV,
    Scalings,
)
from multiunet.diffusion.process import EDM, FlowMatching, Process, Sigmas
from multiunet.diffusion.sampler import Known, Sampler, plan_moves, shorten
from multiunet.diffusion.site_noise import Noise, SiteNoise
from multiunet.diffusion.solver import SOLVERS, Ancestral, DPMSolver2M, Euler, Heun, Solver, State
from multiunet.diffusion.unmasker import MaskedModel, MaskedState, Unmasker
from multiunet.diffusion.validation import NoisedValidator

__all__ = [
    "DDPM",
    "EDM",
    "PARAMETERIZATIONS",
    "SOLVERS",
    "Ancestral",
    "AutoencoderData",
    "DPMSolver2M",
    "Denoise",
    "Denoiser",
    "Denoising",
    "DiffusionData",
    "Euler",
    "FlowMatching",
    "Guidance",
    "Heun",
    "Known",
    "LatentData",
    "MaskedData",
    "MaskedModel",
    "MaskedState",
    "Masking",
    "Noise",
    "NoisedData",
    "NoisedValidator",
    "Parameterization",
    "Preconditioned",
    "PredictData",
    "PredictFlow",
    "PredictNoise",
    "PredictV",
    "Process",
    "Sampler",
    "Scalings",
    "Sigmas",
    "SiteNoise",
    "Solver",
    "State",
    "Unmasker",
    "Unmasking",
    "check_generator",
    "encode_masked",
    "learn_scale",
    "plan_moves",
    "shorten",
]
