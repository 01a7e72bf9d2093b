from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from multiunet import Add, AttentionGate, Concat, Grid, NoSkip, UNet
from multiunet.core import Condition, Dropout, Level, LevelSpec, Merge, NestedUNet
from multiunet.core.lazy import concatenated
from multiunet.geometries import Conv, StridedConv
from multiunet.geometries.grid.block import ConvBlock
from multiunet.geometries.grid.layers import Layers

GRID = Grid(1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"channels": [8]}, "one level or none; give at least two"),
        ({"channels": [8, 8, 8], "strides": [2]}, "strides has 1 entries for 2 levels"),
        ({"channels": [8, 8, 8], "skip": [Add]}, "skip has 1 entries for 2 levels"),
        ({"channels": [8, 8, 8], "deep_supervision": 2}, "outside 0..1"),
        ({"channels": [LevelSpec(8, entering=4), 8]}, "the first level, which the network's input enters"),
        ({"channels": [8, LevelSpec(8, decoder_blocks=2)]}, "the last level, the bottleneck; it has no decoder"),
        ({"channels": [8, 8], "skip": "add"}, "skip 'add' is a name; pass the class itself, as in skip=Add"),
        ({"channels": [8, 8], "path_norm": "both"}, "path_norm 'both' is none of before, after"),
        ({"channels": [8, 8, 8], "decoder": [GRID, GRID]}, "decoder has 2 entries for 3 levels"),
    ],
)
def test_wrong_settings_are_refused(options: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        UNet(GRID, 1, 1, **options)


@pytest.mark.parametrize(
    "name", ["channels", "blocks", "entering", "up_channels", "decoder_channels", "decoder_blocks"]
)
def test_a_level_has_at_least_one_of_each(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} 0 of a level must be at least 1"):
        LevelSpec(**{"channels": 8, name: 0})


def test_nodes_of_a_nested_network_have_no_decoder_of_their_own() -> None:
    with pytest.raises(ValueError, match="leave out what is the decoder's alone"):
        NestedUNet(GRID, 1, 1, [LevelSpec(4, decoder_channels=8), 4])


def test_channels_blocks_and_strides_by_level() -> None:
    net = UNet(GRID, 1, 2, [4, LevelSpec(6, blocks=3), LevelSpec(10, blocks=2)], strides=[2, 5])
    assert [len(level.blocks) for level in (*net.encoder, net.bottleneck, *net.decoder)] == [1, 3, 2, 3, 1]
    trail = net.encode(torch.zeros(1, 1, 40))
    assert [tuple(field.shape) for field in (*trail.saved, trail.bottom)] == [(1, 4, 40), (1, 6, 20), (1, 6, 4)]


def test_outputs_are_finest_first_and_only_those_asked_for() -> None:
    net = UNet(GRID, 1, 2, [4, 4, 4, 4], deep_supervision=2)
    assert [tuple(y.shape) for y in net.outputs(torch.zeros(1, 1, 32))] == [(1, 2, 32), (1, 2, 16), (1, 2, 8)]
    assert len(UNet(GRID, 1, 2, [4, 4, 4]).outputs(torch.zeros(1, 1, 32))) == 1


def test_one_geometry_a_level() -> None:
    kernels = [7, 5, 3]
    net = UNet([Grid(1, block=Conv(kernel=k), down=StridedConv(kernel=k)) for k in kernels], 1, 2, [4, 4, 4])
    levels = [*net.encoder, net.bottleneck, *reversed(net.decoder)]
    assert [level.blocks[0].layers[0].kernel_size[0] for level in levels] == [*kernels, *kernels[:-1]]
    assert [down.layer.kernel_size[0] for down in net.downs] == kernels[:-1]


def test_channels_of_ups_and_decoder() -> None:
    fine = LevelSpec(4, up_channels=3, decoder_channels=5)
    middle = LevelSpec(6, entering=6, up_channels=9, decoder_channels=7)
    net = UNet(GRID, 1, 2, [fine, middle, LevelSpec(10, entering=10)])
    x = torch.zeros(1, 1, 16)
    trail = net.encode(x)
    assert [field.shape[1] for field in (*trail.saved, trail.bottom)] == [4, 6, 10]
    assert [up(torch.zeros(1, c, 4), torch.zeros(1, 1, 8)).shape[1] for up, c in zip(net.ups, (10, 7))] == [9, 3]
    assert [field.shape[1] for field in net.ascend(trail)] == [7, 5]


def test_nested_nodes_read_all_before_them() -> None:
    net = NestedUNet(GRID, 1, 2, [2, 3, 5, 7], deep_supervision=2)
    assert net.places() == [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (0, 3)]
    channels = {name: node.blocks[0].layers[0].in_channels for name, node in net.nodes.items()}
    # the refined field has its level's width, as has each earlier node
    assert channels == {"0_1": 4, "1_1": 6, "2_1": 10, "0_2": 6, "1_2": 9, "0_3": 8}
    x = torch.randn(2, 1, 19)
    assert [tuple(y.shape) for y in net.outputs(x)] == [(2, 2, 19)] * 3
    target = torch.arange(19)
    assert all(torch.equal(at, target) for at in net.at_outputs(target, net.outputs(x)))


def test_nested_refuses_too_much_supervision() -> None:
    with pytest.raises(ValueError, match=r"outside 0..1"):
        NestedUNet(GRID, 1, 1, [4, 4, 4], deep_supervision=2)


def test_decoder_geometry_alone_has_the_dropout() -> None:
    net = UNet(GRID, 1, 1, [4, 4], decoder=Grid(1, block=Conv(dropout=0.5)))
    rates = [layer.p for part in net.prefix() for layer in part.modules() if isinstance(layer, Dropout)]
    assert rates == [0.0]
    assert {layer.p for layer in net.bottleneck.modules() if isinstance(layer, Dropout)} == {0.5}


def test_recomputing_saves_memory() -> None:
    def saved(gradient_checkpointing: bool) -> int:
        total = 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal total
            total += tensor.numel()
            return tensor

        net = UNet(Grid(1, block=Conv(convs=3)), 1, 1, [8, 8, 8], gradient_checkpointing=gradient_checkpointing)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            net(torch.randn(2, 1, 512))
        return total

    assert saved(gradient_checkpointing=True) < 0.5 * saved(gradient_checkpointing=False)


X, SKIP = torch.randn(2, 4, 9), torch.randn(2, 6, 9)


def test_each_level_has_the_skip_that_a_list_gives_it() -> None:
    net = UNet(GRID, 1, 2, [4, 6, 8], skip=[AttentionGate, Add])
    assert [type(merge.join) for merge in net.merges] == [Add, AttentionGate]  # coarsest first
    assert net(torch.zeros(1, 1, 9)).shape == (1, 2, 9)


def test_concat_and_no_skip() -> None:
    torch.testing.assert_close(Concat(GRID, 4, 6)(X, SKIP).field(), torch.cat([X, SKIP], 1))
    torch.testing.assert_close(Concat(GRID, 4, 10)(X, SKIP, X).field(), torch.cat([X, SKIP, X], 1))
    torch.testing.assert_close(NoSkip(GRID, 4, 6)(X, SKIP), X)


def test_add_projects_only_where_channels_differ() -> None:
    add = Add(GRID, 4, 6)
    torch.testing.assert_close(add(X, SKIP), X + add.project(SKIP))
    assert isinstance(add.project, nn.Conv1d)
    assert list(Add(GRID, 4, 4).parameters()) == []
    torch.testing.assert_close(Add(GRID, 4, 4)(X, 2 * X), 3 * X)


def test_attention_gate_is_the_papers_equation() -> None:
    """alpha = sigmoid(psi(relu(W_x x + W_s skip))), by matrix products."""
    gate = AttentionGate(GRID, 4, 6)
    w = {name: p[..., 0] if p.ndim == 3 else p[:, None] for name, p in gate.named_parameters()}
    hidden = w["query.weight"] @ X + w["query.bias"] + w["key.weight"] @ SKIP + w["key.bias"]
    alpha = torch.sigmoid(w["psi.weight"] @ hidden.relu() + w["psi.bias"])
    torch.testing.assert_close(gate.attention(X, SKIP), alpha)
    torch.testing.assert_close(gate(X, SKIP).field(), torch.cat([X, alpha * SKIP], 1))


def test_closed_gate_lets_nothing_across() -> None:
    gate = AttentionGate(GRID, 4, 6)
    nn.init.constant_(gate.psi.bias, -100.0)
    assert float(gate(X, SKIP).field()[:, 4:].detach().abs().max()) < 1e-20


@pytest.mark.parametrize("skip", [Concat, Add, AttentionGate, NoSkip])
def test_merge_norms_before_after_and_fuses(skip: type) -> None:
    before = Merge(GRID, skip, 4, 6, path_norm="before").train()
    joined = before.join(nn.BatchNorm1d(4)(X), nn.BatchNorm1d(6)(SKIP))
    torch.testing.assert_close(concatenated(before(X, SKIP)), concatenated(joined))
    after = Merge(GRID, skip, 4, 6, path_norm="after", fuse=3).train()
    expected = after.fuse(nn.BatchNorm1d(after.join.channels)(concatenated(after.join(X, SKIP))))
    torch.testing.assert_close(after(X, SKIP), expected)
    assert after.channels == 3 == after(X, SKIP).shape[1]


class Whole(Concat[torch.Tensor]):
    """Fields copied into one."""

    def forward(self, x: torch.Tensor, *skips: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return torch.cat([x, *skips], dim=1)


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
@pytest.mark.parametrize(
    "grid",
    [Grid(2), Grid(2, padding="valid"), *(Grid(2, Conv(**own)) for own in ({"residual": True}, {"separable": "all"}))],
    ids=repr,
)
def test_fields_side_by_side_are_as_good_as_one(kind: type, grid: Grid, gradient_checkpointing: bool) -> None:
    """Against the copy: outputs and all gradients."""
    x = torch.randn(2, 3, 61, 58)
    found = []
    for skip in (Concat, Whole):
        torch.manual_seed(0)
        net = kind(grid, 3, 2, [4, 6, 8], skip=skip, gradient_checkpointing=gradient_checkpointing)
        y = net(x)
        y.square().mean().backward()
        found.append((y, [p.grad for p in net.parameters()]))
    for ours, copied in zip(*found):
        torch.testing.assert_close(ours, copied, rtol=1e-4, atol=1e-5)


def test_the_joined_field_is_never_made() -> None:
    """No tensor of a step is wider than the block's own."""
    wide = []

    class Widths(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            wide.extend(t.shape[1] for t in tree_leaves(result) if t.shape[:1] == (3,))
            return result

    net = UNet(Grid(2), 1, 1, [8, 8, 8])
    with torch.no_grad(), Widths():
        net(torch.randn(3, 1, 32, 32))
    assert max(wide) == 8


class DoublingBlock(ConvBlock):
    """A subclass that knows nothing of joined fields, and sees the condition."""

    reads_condition = ("embedding",)
    seen: ClassVar[list[Any]] = []

    def forward(self, x: torch.Tensor, condition: Condition | None = None) -> torch.Tensor:
        self.seen.append((type(x), condition))
        return super().forward(2 * x, condition)


@dataclass(frozen=True)
class Doubling(Conv):
    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return DoublingBlock(self, layers, in_channels, out_channels)


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_a_subclass_of_a_block_is_called_everywhere(kind: type, gradient_checkpointing: bool, residual: bool) -> None:
    DoublingBlock.seen.clear()
    condition = Condition(torch.zeros(2, 1))
    net = kind(Grid(1, Doubling(residual=residual)), 1, 1, [2, 3], gradient_checkpointing=gradient_checkpointing)
    net(torch.randn(2, 1, 8), condition)
    assert DoublingBlock.seen == [(torch.Tensor, condition)] * 3


@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_hooks_of_every_block_and_layer_fire_with_the_one_field(gradient_checkpointing: bool) -> None:
    net, given = UNet(Grid(1), 1, 1, [2, 3], gradient_checkpointing=gradient_checkpointing), []
    watched = [m for m in net.modules() if isinstance(m, Level | ConvBlock | nn.Conv1d)]
    for module in watched:
        module.register_forward_hook(lambda module, inputs, output: given.append((module, type(inputs[0]))))
    with torch.no_grad():
        net(torch.randn(2, 1, 8))
    assert {module for module, _ in given} == set(watched)
    assert {kind for module, kind in given if not isinstance(module, Level)} == {torch.Tensor}


@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_a_pruned_convolution_of_joined_fields_stays_pruned(gradient_checkpointing: bool) -> None:
    net = UNet(Grid(1), 1, 1, [2, 3], gradient_checkpointing=gradient_checkpointing)
    conv = net.decoder[0].blocks[0].layers[0]
    prune.l1_unstructured(conv, "weight", 0.5)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(2):  # without its hook the weight would be that of the first step's graph, which is gone
        net(torch.randn(2, 1, 8)).square().mean().backward()
        optimizer.step()
    net(torch.randn(2, 1, 8))
    torch.testing.assert_close(conv.weight, conv.weight_orig * conv.weight_mask)
    assert (conv.weight == 0).sum() == conv.weight.numel() // 2


def test_valid_blocks_crop_the_skip_about_its_centre() -> None:
    skip = torch.arange(10.0).reshape(1, 1, 10)
    cropped = Grid(1, padding="valid").align(skip, torch.zeros(1, 1, 6))
    assert cropped.flatten().tolist() == [2, 3, 4, 5, 6, 7]
