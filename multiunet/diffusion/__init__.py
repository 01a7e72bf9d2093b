"""Diffusion: networks that denoise become generators, on every geometry."""

from multiunet.diffusion.ddpm import DDPM
from multiunet.diffusion.denoiser import Denoise, Denoiser, check_generator
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

__all__ = [
    "DDPM",
    "EDM",
    "PARAMETERIZATIONS",
    "SOLVERS",
    "Ancestral",
    "DPMSolver2M",
    "Denoise",
    "Denoiser",
    "Euler",
    "FlowMatching",
    "Heun",
    "Known",
    "Noise",
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
    "check_generator",
    "plan_moves",
    "shorten",
]
