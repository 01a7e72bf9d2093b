"""Networks of diffusers as U-Nets of this package, with their weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import ConditionEmbedding, Sinusoid, UNet
from multiunet.geometries.grid.down import Strided, StridedConv
from multiunet.geometries.grid.in_turn import BlocksInTurn
from multiunet.geometries.grid.layers import GroupNorm
from multiunet.geometries.grid.preactivation import PreActivationBlock, Shifted
from multiunet.geometries.grid.spatial_transformer import SpatialTransformerBlock
from multiunet.geometries.grid.up import ResizeUp
from multiunet.models.ddpm_unet import ddpm_unet

KINDS = ("DownBlock2D", "AttnDownBlock2D", "CrossAttnDownBlock2D")
"""Types of a resolution that there is a block for."""

NEEDED: dict[str, Any] = {
    "time_embedding_type": "positional",
    "act_fn": "silu",
    "downsample_type": "conv",
    "upsample_type": "conv",
    "mid_block_scale_factor": 1,
    "center_input_sample": False,
    "class_embed_type": None,
    "add_attention": True,
    "attn_norm_num_groups": None,
    "only_cross_attention": False,
    "dual_cross_attention": False,
    "transformer_layers_per_block": 1,
    "encoder_hid_dim": None,
    "addition_embed_type": None,
    "resnet_skip_time_act": False,
    "resnet_out_scale_factor": 1.0,
    "time_embedding_dim": None,
    "time_embedding_act_fn": None,
    "timestep_post_act": None,
    "time_cond_proj_dim": None,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "attention_type": "default",
    "mid_block_only_cross_attention": None,
    "cross_attention_norm": None,
}
"""Settings of diffusers that must have these values."""


def from_diffusers(peer: nn.Module) -> UNet[Tensor]:
    """Return the network that a U-Net of diffusers is, with copies of its weights.

    It may be a ``UNet2DModel`` or a ``UNet2DConditionModel``. Time steps are ``Condition.noise``, classes
    ``Condition.labels`` (not said: no class is added) and hidden states of the text ``Condition.tokens``. Unlike theirs
    it takes any size, and Monte-Carlo samples of its dropout.

    Raises:
        ValueError: when the network has a setting that there is no part for.

    Example::

        from diffusers import UNet2DModel
        net = from_diffusers(UNet2DModel.from_pretrained(folder))
        output = net(x, Condition(noise=time_steps.float()))
    """
    config: dict[str, Any] = dict(peer.config)  # type: ignore[arg-type]
    for name, value in NEEDED.items():
        if config.get(name, value) != value:
            raise ValueError(f"{name}={config[name]!r}: only networks with {name}={value!r} can be taken over")
    kinds, widths = config["down_block_types"], config["block_out_channels"]
    ups = tuple(kind.replace("Down", "Up") for kind in reversed(kinds))
    if not set(kinds) <= set(KINDS) or tuple(config["up_block_types"]) != ups:
        raise ValueError(
            f"down_block_types {kinds}, up_block_types {config['up_block_types']}: each must be one of "
            f"{', '.join(KINDS)}, and the way up must have the same as the way down"
        )
    tokens = config.get("cross_attention_dim") if "cross_attention_dim" in config else 0
    half, labels = widths[0] // 2, config.get("num_class_embeds") or 0
    noise = Sinusoid(widths[0], longest=10_000.0 ** (half / (half - config["freq_shift"])))
    net = ddpm_unet(
        *(2, config["in_channels"], config["out_channels"], widths),
        blocks=config["layers_per_block"],
        attention=[r for r, kind in enumerate(kinds) if kind != "DownBlock2D"],
        heads=_count_heads(config),
        token_channels=tokens or 0,
        embed=ConditionEmbedding(4 * widths[0], noise=noise, labels=labels),
        effect="shift" if config["resnet_time_scale_shift"] == "default" else "scale",
        groups=config["norm_num_groups"],
        down=StridedConv(kernel=3, centred=config["downsample_padding"] == 1),
        dropout=config["dropout"],
    )
    _drop_missing_norm(net, peer)
    with torch.no_grad():
        _copy_embedding(net.embed, peer, flipped=config["flip_sin_to_cos"])
        for ours, theirs in _pairs(net, peer):
            _copy_layer(ours, theirs)
    for norm in [module for module in net.modules() if isinstance(module, GroupNorm) and module.eps == 1e-5]:
        norm.eps = config["norm_eps"]
    return net


def _drop_missing_norm(net: Any, peer: Any) -> None:
    """With ``resnet_time_scale_shift="scale_shift"`` the attention at the bottom of a ``UNet2DModel`` has no norm."""
    if getattr(peer.mid_block.attentions[0], "group_norm", peer) is None:
        net.bottleneck.blocks[0].blocks[1].norm = nn.Identity()


def _count_heads(config: dict[str, Any]) -> list[int]:
    widths, given = config["block_out_channels"], config["attention_head_dim"]
    if "cross_attention_dim" in config:  # there the setting is the number of heads, whatever its name
        given = config["num_attention_heads"] or given
        return list(given) if isinstance(given, list | tuple) else [given] * len(widths)
    return [1 if given is None else width // given for width in widths]


def _copy_embedding(ours: Any, peer: Any, flipped: bool) -> None:
    first, second = peer.time_embedding.linear_1, peer.time_embedding.linear_2
    ours.noise_net[0].load_state_dict(first.state_dict())
    ours.noise_net[2].load_state_dict(second.state_dict())
    if not flipped:  # sines come first
        ours.noise_net[0].weight.copy_(first.weight.roll(first.in_features // 2, dims=1))
    if ours.label_table is not None:
        ours.label_table.weight.zero_()
        ours.label_table.weight[:-1].copy_(peer.class_embedding.weight)


def _pairs(net: Any, peer: Any) -> Iterator[tuple[Any, Any]]:
    """Layers of the network, each with the peer's."""
    yield net.encoder[0].blocks[0].conv, peer.conv_in
    yield net.head[0], peer.conv_norm_out
    yield net.head[2], peer.conv_out
    yield from zip(
        [down.layer for down in net.downs if isinstance(down, Strided)],
        [block.downsamplers[0].conv for block in peer.down_blocks if block.downsamplers],
        strict=True,
    )
    yield from zip(
        [up.conv for up in net.ups if isinstance(up, ResizeUp)],
        [block.upsamplers[0].conv for block in peer.up_blocks if block.upsamplers],
        strict=True,
    )
    first, attention, second = net.bottleneck.blocks[0].blocks
    mid = peer.mid_block
    blocks = [first, attention, second]
    theirs = [mid.resnets[0], mid.attentions[0], mid.resnets[1]]
    for levels, others in ((net.encoder, peer.down_blocks), (net.decoder, peer.up_blocks)):
        blocks += [block for level in levels for block in _blocks(level)]
        theirs += [block for other in others for block in _theirs(other)]
    for block, other in zip(blocks, theirs, strict=True):
        yield from _pairs_of_block(block, other)


def _blocks(level: Any) -> list[Any]:
    block = level.blocks[0]
    parts = list(block.blocks) if isinstance(block, BlocksInTurn) else [block]
    return parts if isinstance(parts[0], PreActivationBlock) else []


def _theirs(other: Any) -> list[Any]:
    attentions = getattr(other, "attentions", None)
    if attentions is None:
        return list(other.resnets)
    return [block for both in zip(other.resnets, attentions, strict=True) for block in both]


def _pairs_of_block(block: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(block, PreActivationBlock):
        yield from zip(block.norms, (other.norm1, other.norm2))
        yield from zip(block.convs, (other.conv1, other.conv2))
        told: Any = block.shift if isinstance(block.shift, Shifted) else block.scale
        yield getattr(told, "modulation", told).linear, other.time_emb_proj
        if other.conv_shortcut is not None:
            yield block.shortcut, other.conv_shortcut
    elif isinstance(block, SpatialTransformerBlock):
        inner = other.transformer_blocks[0]
        yield from ((block.norm, other.norm), (block.first, other.proj_in), (block.last, other.proj_out))
        yield from zip(block.norms, (inner.norm1, inner.norm2, inner.norm3))
        yield from _pairs_of_attention(block.to_sites, inner.attn1)
        yield from _pairs_of_attention(block.to_tokens, inner.attn2)
        yield from ((block.feed.first, inner.ff.net[0].proj), (block.feed.last, inner.ff.net[2]))
    else:
        if other.group_norm is not None:
            yield block.norm, other.group_norm
        yield from _pairs_of_attention(block.attention, other)


def _pairs_of_attention(ours: Any, theirs: Any) -> Iterator[tuple[Any, Any]]:
    return zip((ours.query, ours.key, ours.value, ours.out), (theirs.to_q, theirs.to_k, theirs.to_v, theirs.to_out[0]))


def _copy_layer(ours: Any, theirs: Any) -> None:
    # a 1x1 convolution may stand for a linear map
    ours.weight.copy_(theirs.weight.reshape(ours.weight.shape))
    if theirs.bias is not None:
        ours.bias.copy_(theirs.bias)
