"""The U-Net of diffusion models: equal to diffusers' with its weights, at any size and on any number of axes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from multiunet import Condition, Grid, receptive_field
from multiunet.core import ConditionEmbedding, Sinusoid
from multiunet.diffusion import DDPM, Denoiser, Euler, PredictNoise, Sampler
from multiunet.models import ddpm_unet, from_diffusers
from multiunet.testing.conformance import check_recomputation
from multiunet.testing.helpers import train_a_little
from multiunet.testing.samples import check_samples

STEPS = torch.tensor([3, 700])
PLAIN: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 1,
    "out_channels": 2,
    "block_out_channels": (8, 16, 24),
    "norm_num_groups": 4,
    "attention_head_dim": 4,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
}
TOLD = {
    **PLAIN,
    "attention_head_dim": 2,
    "cross_attention_dim": 5,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}


def make_peer(kind: str, **options: Any) -> Any:
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    return getattr(diffusers, kind)(**options).double().eval()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers_per_block": 1, "attention_head_dim": None, "norm_eps": 1e-6},
        {"resnet_time_scale_shift": "scale_shift", "num_class_embeds": 5},
        {"flip_sin_to_cos": False, "freq_shift": 1, "downsample_padding": 0},  # as in the models of Ho et al.
    ],
    ids=repr,
)
@torch.no_grad()
def test_it_is_diffusers_network_with_its_weights(options: dict[str, Any]) -> None:
    peer = make_peer("UNet2DModel", **PLAIN | options)
    net = from_diffusers(peer).double().eval()
    x = torch.randn(2, 1, 12, 16, dtype=torch.float64)
    labels = torch.tensor([1, 4]) if "num_class_embeds" in options else None
    expected = peer(x, STEPS, class_labels=labels).sample
    found = net(x, Condition(noise=STEPS.double(), labels=labels))
    # their frequencies are computed in float32, in another order
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("options", [{}, {"use_linear_projection": True, "attention_head_dim": (2, 4, 3)}], ids=repr)
@torch.no_grad()
def test_it_is_diffusers_network_of_tokens_with_its_weights(options: dict[str, Any]) -> None:
    peer = make_peer("UNet2DConditionModel", **TOLD | options)
    net = from_diffusers(peer).double().eval()
    tokens = torch.randn(2, 4, 5, dtype=torch.float64)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    for size in ((12, 16), (27, 30)):  # theirs takes any size, too
        x = torch.randn(2, 1, *size, dtype=torch.float64)
        expected = peer(x, STEPS, tokens, encoder_attention_mask=mask).sample
        found = net(x, Condition(noise=STEPS.double(), tokens=tokens, token_mask=mask))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


@torch.no_grad()
def test_its_samples_are_those_of_diffusers_scheduler() -> None:
    """DDIM in 5 steps (Song et al. 2021), from the same noise: network, time steps, scalings and solver together."""
    diffusers = pytest.importorskip("diffusers")
    peer = make_peer("UNet2DModel", **PLAIN | {"out_channels": 1})
    scheduler = diffusers.DDIMScheduler(1000, 1e-4, 0.02, clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(5)
    start = torch.randn(2, 1, 12, 16, dtype=torch.float64)
    process = DDPM("linear")
    first = process.sigmas(5)[0]
    x = start * first / (1 + first**2) ** 0.5
    for step in scheduler.timesteps:
        x = scheduler.step(peer(x, step).sample, step, x).prev_sample
    denoiser = Denoiser(from_diffusers(peer).double().eval(), PredictNoise(times=process), Grid(2))
    found = Sampler(process.sigmas(5), Euler()).run(denoiser.on(start), lambda draw: start)
    torch.testing.assert_close(found, x, rtol=0, atol=1e-5 * float(x.abs().max()))


def test_it_takes_sizes_that_the_peer_refuses() -> None:
    peer = make_peer("UNet2DModel", **PLAIN).float()
    x = torch.randn(1, 1, 27, 30)
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        peer(x, 3)
    assert from_diffusers(peer)(x, Condition(noise=torch.ones(1))).shape == (1, 2, 27, 30)


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("UNet2DModel", {**PLAIN, "act_fn": "gelu"}, "act_fn='gelu': only networks with act_fn='silu'"),
        ("UNet2DModel", {**PLAIN, "mid_block_scale_factor": 2}, "mid_block_scale_factor=2: only networks with"),
        (
            "UNet2DModel",
            {**PLAIN, "up_block_types": ("UpBlock2D", "UpBlock2D", "UpBlock2D")},
            "the way up must have the same as the way down",
        ),
    ],
)
def test_networks_that_there_are_no_parts_for_are_refused(kind: str, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_diffusers(make_peer(kind, **options))


def test_it_has_the_papers_parameters() -> None:
    """35.7 million for CIFAR10 (Ho et al. 2020, appendix B)."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in ddpm_unet(2, 3, 3).parameters())
    assert count / 1e6 == pytest.approx(35.7, abs=0.05)


@pytest.mark.parametrize(("ndim", "size"), [(1, (13,)), (2, (7, 5)), (3, (5, 4, 7))])
def test_it_is_told_noise_labels_and_words_on_any_number_of_axes(ndim: int, size: tuple[int, ...]) -> None:
    embed = ConditionEmbedding(12, noise=Sinusoid(8), labels=3, words=9, token_channels=6)
    net = ddpm_unet(ndim, 1, 2, [8, 12], blocks=1, heads=2, token_channels=6, embed=embed).eval()
    for parameter in net.parameters():
        if not parameter.any():
            parameter.data.normal_(std=0.1)
    x, noise = torch.randn(1, 1, *size), torch.tensor([5.0])
    plain = net(x, Condition(noise=noise))
    for told in ({"labels": torch.tensor([1])}, {"words": torch.tensor([[3, 9]])}):
        assert not torch.allclose(net(x, Condition(noise=noise, **told)), plain, atol=1e-4)
    unsaid = Condition(noise=noise, labels=torch.tensor([-1]), words=torch.zeros(1, 2, dtype=torch.int64))
    torch.testing.assert_close(net(x, unsaid), plain)
    assert not receptive_field(net).exact
    with pytest.raises(ValueError, match="the condition holds no level of noise"):
        net(x, Condition(labels=torch.tensor([1])))


def test_samples_and_checkpointing_are_those_of_other_networks() -> None:
    options: dict[str, Any] = {"channels": [8, 8], "blocks": 1, "dropout": 0.3}
    plain, recomputing = (ddpm_unet(1, 3, 2, gradient_checkpointing=on, **options) for on in (False, True))
    x, told = torch.randn(2, 3, 9), Condition(noise=torch.tensor([1.0, 9.0]))
    train_a_little(plain, plain.geometry, x, told)
    check_recomputation(plain, recomputing, plain.geometry, x, told)
    check_samples(plain, plain.geometry, x, told)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"attention": (2,)}, r"attention \(2,\): resolutions are counted from 0 to 1"),
        ({"strides": [2, 2]}, "strides has 2 entries for 1 levels"),
        ({"heads": [1]}, "heads has 1 entries for 2 levels"),
        ({"heads": 3}, "8 channels cannot be shared out among 3 heads"),
        ({"groups": 5}, "8 channels are not a multiple of groups=5"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ddpm_unet(2, 1, 1, [8, 8], **options)
