"""Published networks: against the papers' own figures, and against peers with copied weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.instancenorm import _InstanceNorm

from multiunet import Grid, receptive_field
from multiunet.core import AttentionGate
from multiunet.models.attention_unet import attention_unet
from multiunet.models.depthwise_unet import depthwise_unet
from multiunet.models.mednext import mednext
from multiunet.models.nnunet_plain import choose_kernels, nnunet_plain
from multiunet.models.residual_unet import residual_unet
from multiunet.models.swin_unetr import swin_unetr
from multiunet.models.unet3d import unet3d
from multiunet.models.unet2015 import unet2015
from multiunet.models.unet_plus_plus import unet_plus_plus
from multiunet.models.vnet import vnet
from multiunet.testing import check_model

PADDED = {
    "unet2015": lambda ndim: unet2015(ndim, 3, 2, [4, 6, 8], padding="same", dropout=0.0),
    "unet3d": lambda ndim: unet3d(ndim, 3, 2, [4, 6, 8], padding="same"),
    "vnet": lambda ndim: vnet(ndim, 3, 2, [4, 6, 8]),
    "attention_unet": lambda ndim: attention_unet(ndim, 3, 2, [4, 6, 8]),
    "residual_unet": lambda ndim: residual_unet(ndim, 3, 2, [4, 6, 8], blocks=[1, 2]),
    "unet_plus_plus": lambda ndim: unet_plus_plus(ndim, 3, 2, [4, 6, 8]),
    "depthwise_unet": lambda ndim: depthwise_unet(ndim, 3, 2, [4, 6, 8]),
    "nnunet_plain": lambda ndim: nnunet_plain(ndim, 3, 2, [4, 6, 8]),
    "swin_unetr": lambda ndim: swin_unetr(ndim, 3, 2, [4, 6, 8], window=3),
    "mednext": lambda ndim: mednext(ndim, 3, 2, [4, 6, 8]),
}


KINDS = ((_ConvTransposeNd,), (_ConvNd,), (_BatchNorm, _InstanceNorm, nn.GroupNorm), (nn.PReLU,))


def layers(part: nn.Module, kind: tuple[type, ...]) -> list[nn.Module]:
    found = [module for module in part.modules() if isinstance(module, kind)]
    return [m for m in found if kind != (_ConvNd,) or not isinstance(m, _ConvTransposeNd)]


def randomise(net: nn.Module) -> None:
    """Random weights and statistics everywhere, so that no layer is an identity by chance."""
    generator = torch.Generator().manual_seed(0)
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator)
            value.copy_(
                0.5 + noise if "var" in name or value.ndim == 1 else (noise - 0.5) / value[0].numel() ** 0.5 * 4
            )


def copy_layers(ours: nn.Module, theirs: nn.Module) -> None:
    """Every layer of ``theirs`` into the layer of ``ours`` of the same kind and rank."""
    for kind in KINDS:
        mine, other = layers(ours, kind), layers(theirs, kind)
        assert len(mine) == len(other), (kind, len(mine), len(other))
        for a, b in zip(mine, other):
            known = {name: value for name, value in b.state_dict().items() if name in a.state_dict()}
            for name in a.state_dict().keys() - known.keys():
                assert name == "bias", name  # the peer has none
                known[name] = torch.zeros_like(a.state_dict()[name])
            a.load_state_dict(known)


def copy_parts(pairs: Sequence[tuple[nn.Module, nn.Module]]) -> None:
    for ours, theirs in pairs:
        copy_layers(ours, theirs)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert theirs.std() > 1e-3
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", PADDED)
def test_obeys_the_laws_in_any_dimension(name: str, ndim: int) -> None:
    torch.manual_seed(0)
    check_model(PADDED[name](ndim), Grid(ndim), in_channels=3, out_channels=2)


@pytest.mark.parametrize("name", PADDED)
def test_sees_no_farther_than_its_halo(name: str) -> None:
    """The gradient of one output site reaches as far as the receptive_field says, no farther, and nearly as far."""
    torch.manual_seed(0)
    net = PADDED[name](1).double().eval()
    for layer in net.modules():
        if isinstance(layer, nn.GroupNorm):  # statistics over sites see everything
            layer.forward = nn.Identity().forward
    halo = receptive_field(net).radius[0]
    reached = 0
    for centre in range(2 * halo, 2 * halo + receptive_field(net).tile_stride[0]):
        x = torch.randn(1, 3, 4 * halo + 8, dtype=torch.double, requires_grad=True)
        net(x)[0, :, centre].sum().backward()
        sites = x.grad.abs().sum(dim=(0, 1)).nonzero()[:, 0]
        reached = max(reached, int((sites - centre).abs().max()))
    assert 0.6 * halo <= reached <= halo


@pytest.mark.parametrize("name", [name for name in PADDED if name != "unet2015"])
def test_takes_what_the_command_line_gives(name: str) -> None:
    function = globals()[name]
    assert {"strides", "dropout", "gradient_checkpointing"} <= inspect.signature(function).parameters.keys()


def test_unet2015_has_the_papers_sizes_and_parameters() -> None:
    net = unet2015(2, 1, 2)
    assert count(net) / 1e6 == pytest.approx(31.03, abs=0.005)
    with torch.device("meta"):
        assert unet2015(2, 1, 2)(torch.zeros(1, 1, 572, 572)).shape == (1, 2, 388, 388)
        assert unet2015(2, 1, 2, padding="same")(torch.zeros(1, 1, 512, 512)).shape == (1, 2, 512, 512)


def test_unet2015_by_hand() -> None:
    """The paper's figure 1 written out in torch."""
    torch.manual_seed(0)
    net = unet2015(2, 1, 2, [2, 4]).eval()
    x = torch.randn(1, 1, 44, 44)
    f = nn.functional

    def block(convs: list[nn.Module], y: torch.Tensor) -> torch.Tensor:
        for conv in convs:
            y = f.relu(f.conv2d(y, conv.weight, conv.bias))
        return y

    def convs_of(part: nn.Module) -> list[nn.Module]:
        return [module for module in part.modules() if isinstance(module, nn.Conv2d)]

    fine = block(convs_of(net.encoder[0]), x)
    coarse = block(convs_of(net.bottleneck), f.max_pool2d(fine, 2))
    up = f.conv_transpose2d(coarse, net.ups[0].layer.weight, net.ups[0].layer.bias, stride=2)
    margin = (fine.shape[2] - up.shape[2]) // 2
    joined = torch.cat([up, fine[..., margin:-margin, margin:-margin]], dim=1)
    expected = f.conv2d(block(convs_of(net.decoder[0]), joined), net.head.weight, net.head.bias)
    same(net(x), expected)


def test_unet3d_has_the_papers_sizes_and_parameters() -> None:
    """19,069,955 in the paper: its norms scale and shift with one number a channel, its up-convolutions add none."""
    net = unet3d(3, 3, 3)
    norms = sum(m.num_features for m in net.modules() if isinstance(m, nn.BatchNorm3d))
    ups = sum(m.bias.numel() for m in net.modules() if isinstance(m, nn.ConvTranspose3d))
    assert count(net) - norms - ups == 19_069_955
    with torch.device("meta"):
        assert unet3d(3, 3, 3)(torch.zeros(1, 3, 132, 132, 116)).shape == (1, 3, 44, 44, 28)


def test_vnet_sees_what_the_paper_says() -> None:
    """Table 1: 551 x 551 x 551."""
    with torch.device("meta"):
        net = vnet(3, 1, 2)
    assert receptive_field(net).size == (551, 551, 551)
    assert net.encode(torch.zeros(1, 1, 128, 128, 64, device="meta")).bottom.shape == (1, 256, 8, 8, 4)


def test_vnet_is_monais() -> None:
    nets = pytest.importorskip("monai.networks.nets")
    theirs = nets.VNet(spatial_dims=2, in_channels=1, out_channels=2, act="prelu").eval()
    for transition in (theirs.down_tr32, theirs.down_tr64, theirs.down_tr128, theirs.down_tr256):
        transition.ops[-1].act_function = nn.Identity()  # the paper adds, then activates (figure 2)
    for transition in (theirs.up_tr256, theirs.up_tr128, theirs.up_tr64, theirs.up_tr32):
        transition.ops[-1].act_function = nn.Identity()
    randomise(theirs)
    ours = vnet(2, 1, 2, convs=[1, 1, 2, 3, 2], decoder_convs=[1, 1, 2, 2]).eval()
    shortcut, ours.encoder[0].blocks[0].shortcut = ours.encoder[0].blocks[0].shortcut, None
    copy_parts([(ours.encoder[0], theirs.in_tr)])
    with torch.no_grad():  # MONAI repeats the one channel
        shortcut.weight.fill_(1), shortcut.bias.fill_(0)
    ours.encoder[0].blocks[0].shortcut = shortcut
    downs = [theirs.down_tr32, theirs.down_tr64, theirs.down_tr128, theirs.down_tr256]
    ups = [theirs.up_tr256, theirs.up_tr128, theirs.up_tr64, theirs.up_tr32]
    levels = [*ours.encoder[1:], ours.bottleneck]
    for way, level, transition in [*zip(ours.downs, levels, downs), *zip(ours.ups, ours.decoder, ups)]:
        names = dict(transition.named_children())
        first = [names.pop(key) for key in ("down_conv", "up_conv", "bn1", "act_function1") if key in names]
        rest = [names["act_function2"], names["ops"]]  # our block holds its last activation first
        copy_parts([(way, nn.ModuleList(first)), (level, nn.ModuleList(rest))])
    seen: list[torch.Tensor] = []
    theirs.up_tr32.register_forward_hook(lambda module, args, output: seen.append(output))
    x = torch.randn(2, 1, 32, 48)
    with torch.no_grad():
        theirs(x)
        fields = list(ours.ascend(ours.encode(x)))
    scale = seen[0].std()
    same(fields[-1] / scale, seen[0] / scale)


def test_nnunet_plain_is_monais_dynunet() -> None:
    nets = pytest.importorskip("monai.networks.nets")
    strides = [(2, 2, 2), (1, 2, 2), (2, 2, 2)]
    theirs = nets.DynUNet(
        *(3, 1, 2, [3] * 4, [1, *strides], strides),
        filters=[4, 8, 12, 16],
        norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        deep_supervision=True,
        deep_supr_num=1,
    ).eval()
    ours = nnunet_plain(3, 1, 2, [4, 8, 12, 16], strides=strides).eval()
    assert len(ours.deep_heads) == 1
    randomise(theirs)
    first, *below = [theirs.input_block, *theirs.downsamples, theirs.bottleneck]
    copy_layers(ours.encoder[0], first)
    for way, level, block in zip(ours.downs, [*ours.encoder[1:], ours.bottleneck], below):
        copy_layers(nn.ModuleList([way, level]), block)
    for way, level, block in zip(ours.ups, ours.decoder, theirs.upsamples):
        copy_layers(nn.ModuleList([way, level]), block)
    copy_parts([(ours.head, theirs.output_block), (ours.deep_heads[0], theirs.deep_supervision_heads[0])])
    x = torch.randn(2, 1, 8, 24, 16)
    with torch.no_grad():
        same(ours(x), theirs(x))
        deep = ours.outputs(x)[1]
        assert deep.shape == (2, 2, 4, 12, 8)
        same(deep, theirs.heads[0])


def test_nnunet_plain_convolves_an_axis_from_the_level_on_that_coarsens_it() -> None:
    """Isensee et al. 2021, supplementary note 2: no convolution across sections that lie too far apart."""
    strides = [(1, 2, 2), (1, 2, 2), (2, 2, 2), (1, 2, 2)]
    assert choose_kernels(strides) == [(1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)]
    net = nnunet_plain(3, 1, 2, [2] * 5, strides=strides)

    def kernels(part: nn.Module) -> set[tuple[int, ...]]:
        return {m.kernel_size for m in part.modules() if type(m) is nn.Conv3d}

    assert [kernels(level) for level in net.encoder] == [{(1, 3, 3)}, {(1, 3, 3)}, {(3, 3, 3)}, {(3, 3, 3)}]
    assert [kernels(way) for way in net.downs] == [{(1, 3, 3)}, {(3, 3, 3)}, {(3, 3, 3)}, {(3, 3, 3)}]
    assert [kernels(level) for level in net.decoder] == [{(3, 3, 3)}, {(3, 3, 3)}, {(1, 3, 3)}, {(1, 3, 3)}]


def test_unet_plus_plus_has_the_papers_parameters() -> None:
    assert count(unet_plus_plus(2, 1, 1, normalization="none", deep_supervision=0)) / 1e6 == pytest.approx(
        9.04, abs=5e-3
    )


def test_unet_plus_plus_is_monais() -> None:
    nets = pytest.importorskip("monai.networks.nets")
    widths = [6, 6, 12, 24, 48]  # MONAI's finest ways up keep their channels, the paper's halve them
    theirs = nets.BasicUNetPlusPlus(
        2, 1, 3, (*widths, 6), deep_supervision=True, act=("relu", {"inplace": True}), norm="batch", bias=False
    ).eval()
    randomise(theirs)
    ours = unet_plus_plus(2, 1, 3, widths).eval()
    for i, level in enumerate([*ours.encoder, ours.bottleneck]):
        copy_layers(level, getattr(theirs, f"conv_{i}_0"))
    for i, j in ours.places():
        name, peer = f"{i}_{j}", getattr(theirs, f"upcat_{i}_{j}")
        copy_parts([(ours.ups[name], peer.upsample), (ours.nodes[name], peer.convs)])
        peer.is_pad = False
    # MONAI puts the skip first, the refined field last
    for i, j in ours.places():
        conv = ours.nodes[f"{i}_{j}"].blocks[0].layers[0]
        with torch.no_grad():
            conv.weight.copy_(conv.weight.roll(widths[i], dims=1))
    for j, head in ours.heads.items():
        copy_layers(head, getattr(theirs, f"final_conv_0_{j}"))
    x = torch.randn(2, 1, 32, 48)
    with torch.no_grad():
        for mine, other in zip(ours.outputs(x), reversed(theirs(x))):
            same(mine / other.std(), other / other.std())


def test_attention_gate_is_monais() -> None:
    blocks = pytest.importorskip("monai.networks.nets.attentionunet")
    theirs = blocks.AttentionBlock(spatial_dims=2, f_g=6, f_l=6, f_int=3, dropout=0.0).eval()
    for part in (theirs.W_g, theirs.W_x, theirs.psi):
        part[1] = nn.Identity()  # the paper's gate has no norms
    ours = AttentionGate(Grid(2), 6, 6)
    copy_parts([(ours.query, theirs.W_g), (ours.key, theirs.W_x), (ours.psi, theirs.psi)])
    x, skip = torch.randn(2, 6, 9, 7), torch.randn(2, 6, 9, 7)
    with torch.no_grad():
        same(ours(x, skip).field()[:, 6:], theirs(x, skip))


def test_attention_unet_gates_every_skip_and_supervises_every_level() -> None:
    net = attention_unet(2, 1, 2, [4, 6, 8, 10])
    assert [type(merge.join) for merge in net.merges] == [AttentionGate] * 3
    assert [tuple(y.shape[2:]) for y in net.outputs(torch.zeros(1, 1, 16, 16))] == [(16, 16), (8, 8), (4, 4)]


def test_residual_blocks_are_those_of_he() -> None:
    """Figure 2 written out: relu(x + norm(conv(relu(norm(conv(x))))))."""
    net = residual_unet(2, 1, 2, [4, 6], blocks=[2, 1]).eval()
    randomise(net)
    block = net.encoder[0].blocks[1]
    first, norm, _, second, last_norm = block.layers
    x = torch.randn(1, 4, 8, 9)
    same(block(x), torch.relu(x + last_norm(second(torch.relu(norm(first(x)))))))


def test_residual_blocks_by_level() -> None:
    net = residual_unet(2, 1, 2, [2] * 6, blocks=[1, 3, 4])
    assert [len(level.blocks) for level in (*net.encoder, net.bottleneck)] == [1, 3, 4, 4, 4, 4]
    assert [len(level.blocks) for level in net.decoder] == [1] * 5


def test_depthwise_blocks_keep_whole_convolutions_for_the_skips() -> None:
    net = depthwise_unet(2, 3, 2, [8, 12])
    first, second = (
        layer for layer in net.encoder[0].blocks[0].layers if not isinstance(layer, nn.BatchNorm2d | nn.ReLU)
    )
    assert [conv.groups for conv in first] == [3, 1]
    assert [tuple(conv.kernel_size) for conv in first] == [(3, 3), (1, 1)]
    assert (second.groups, tuple(second.kernel_size)) == (1, (3, 3))
    separable = [m for m in net.decoder.modules() if isinstance(m, nn.Conv2d)]
    assert [conv.groups for conv in separable] == [16, 1, 8, 1]
    # 9 a channel and one a pair of channels, instead of nine a pair
    assert sum(conv.weight.numel() for conv in separable) == 9 * 16 + 16 * 8 + 9 * 8 + 8 * 8


@pytest.mark.parametrize("build", [nnunet_plain, vnet])
def test_strides_are_one_a_way_down(build: Callable[..., Any]) -> None:
    for strides in ([(2, 2)], [(2, 2)] * 3):
        with pytest.raises(ValueError, match=f"strides has {len(strides)} entries for 2 levels"):
            build(2, 1, 2, [4, 8, 8], strides=strides)
    with pytest.raises(ValueError, match="one level or none"):
        build(2, 1, 2, [4])
