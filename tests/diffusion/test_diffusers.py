"""The sampler equals six schedulers of diffusers, given their levels and their noise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from multiunet import Grid
from multiunet.diffusion import (
    DDPM,
    EDM,
    Ancestral,
    Denoiser,
    DPMSolver2M,
    Euler,
    FlowMatching,
    Heun,
    Parameterization,
    Preconditioned,
    PredictFlow,
    PredictNoise,
    Sampler,
    Solver,
)

from .conftest import Formula

diffusers = pytest.importorskip("diffusers")

STEPS = 20
CHAIN = {"timestep_spacing": "trailing", "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
START = torch.randn(2, 1, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def network(x: Tensor, time: Tensor) -> Tensor:
    """A network's raw output, of the input and the time that it is given."""
    return torch.tanh(1.3 * x.roll(1, -1) - 0.4 * x + torch.sin(time))


def ours(
    parameterization: Parameterization, solver: Solver, sigmas: list[float], noise: list[Tensor] | None = None
) -> Tensor:
    """Our sample of the same network, from the same levels (without the 0)."""
    steps = isinstance(parameterization, PredictNoise)  # which their levels, of float32, name to rounding
    net = Formula(lambda x, time: network(x, time.round() if steps else time))
    denoise = Denoiser(net, parameterization, Grid(1)).on(START)
    draws = [START, *(noise or [])]
    return Sampler((*sigmas, 0.0), solver).run(denoise, lambda draw: draws[(draw + 1) // 2])


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


def levels_of_chain(scheduler: object) -> list[float]:
    kept = scheduler.alphas_cumprod.double()[scheduler.timesteps.long()]
    return ((1 - kept) / kept).sqrt().tolist()


def chain_steps(scheduler: object, **options: object) -> Iterator[Tensor]:
    """Their sample on the chain: the first field, and the last."""
    sigma = levels_of_chain(scheduler)[0]
    x = START * sigma / (1 + sigma**2) ** 0.5
    for time in scheduler.timesteps:
        x = scheduler.step(network(x, time.double()), time, x, **options).prev_sample
    yield x


def test_euler_is_ddim() -> None:
    scheduler = diffusers.DDIMScheduler(**CHAIN, clip_sample=False)
    scheduler.set_timesteps(STEPS)
    (theirs,) = chain_steps(scheduler)
    sample = ours(PredictNoise(DDPM()), Euler(), levels_of_chain(scheduler))
    assert relative(sample, theirs) < 1e-6


def test_ancestral_is_ddpm() -> None:
    scheduler = diffusers.DDPMScheduler(**CHAIN, clip_sample=False)
    scheduler.set_timesteps(STEPS)
    (theirs,) = chain_steps(scheduler, generator=torch.Generator().manual_seed(5))
    same = torch.Generator().manual_seed(5)
    noise = [torch.randn(START.shape, generator=same, dtype=torch.float64) for _ in range(STEPS)]
    sample = ours(PredictNoise(DDPM()), Ancestral(), levels_of_chain(scheduler), noise)
    assert relative(sample, theirs) < 1e-5


def test_dpm_solver_is_theirs() -> None:
    scheduler = diffusers.DPMSolverMultistepScheduler(**CHAIN, solver_order=2, final_sigmas_type="zero")
    scheduler.set_timesteps(STEPS)
    (theirs,) = chain_steps(scheduler)
    sample = ours(PredictNoise(DDPM()), DPMSolver2M(), scheduler.sigmas.double().tolist()[:-1])
    assert relative(sample, theirs) < 1e-6


def test_heun_is_theirs() -> None:
    scheduler = diffusers.HeunDiscreteScheduler(**CHAIN)
    scheduler.set_timesteps(STEPS)
    x = START * scheduler.sigmas[0]
    for time in scheduler.timesteps:
        output = network(scheduler.scale_model_input(x, time), time.double())
        x = scheduler.step(output, time, x).prev_sample
    levels = scheduler.sigmas.double().tolist()
    assert relative(ours(PredictNoise(DDPM()), Heun(), [levels[0], *levels[1:-1:2]]), x) < 1e-6


def test_euler_is_that_of_edm() -> None:
    scheduler = diffusers.EDMEulerScheduler(sigma_data=0.5)
    scheduler.set_timesteps(STEPS)
    x = START * scheduler.sigmas[0]
    for time in scheduler.timesteps:
        output = network(scheduler.scale_model_input(x, time), time.double())
        x = scheduler.step(output, time, x).prev_sample
    assert relative(ours(Preconditioned(), Euler(), scheduler.sigmas.double().tolist()[:-1]), x) < 1e-6
    torch.testing.assert_close(scheduler.sigmas.double(), torch.tensor(EDM().sigmas(STEPS)).double(), rtol=1e-5, atol=0)


def test_euler_is_that_of_flow_matching() -> None:
    scheduler, process = diffusers.FlowMatchEulerDiscreteScheduler(), FlowMatching()
    times = process.time(torch.tensor(process.sigmas(STEPS)[:-1], dtype=torch.float64)).tolist()
    scheduler.set_timesteps(sigmas=times)
    x = START * scheduler.sigmas[0]
    for time in scheduler.timesteps:
        x = scheduler.step(network(x, time.double() / 1000), time, x).prev_sample
    t = scheduler.sigmas.double()[:-1]
    assert relative(ours(PredictFlow(process), Euler(), (t / (1 - t)).tolist()), x) < 1e-6


@pytest.mark.parametrize(("ours", "theirs"), [("linear", "linear"), ("cosine", "squaredcos_cap_v2")])
def test_levels_of_the_chain_are_theirs(ours: str, theirs: str) -> None:
    scheduler = diffusers.DDPMScheduler(beta_schedule=theirs, beta_start=1e-4, beta_end=0.02)
    kept = 1 / (1 + DDPM(ours).levels() ** 2)
    torch.testing.assert_close(kept.float(), scheduler.alphas_cumprod, rtol=1e-4, atol=1e-8)
    scheduler = diffusers.DDIMScheduler(**CHAIN)
    scheduler.set_timesteps(30)
    levels = torch.tensor(DDPM().sigmas(30)[:-1], dtype=torch.float64)
    assert DDPM().time(levels).round().tolist() == scheduler.timesteps.tolist()
