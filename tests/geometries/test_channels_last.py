import copy

import pytest
import torch
from torch import nn

from multiunet.core import Add, UNet
from multiunet.geometries import AveragePool, Conv, Grid, MaxPool, Resize, StridedConv, Transformer
from multiunet.geometries.channels_last import Conv1d, as_plane, lies_last, put_last
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.geometries.grid.memory_format import put_channels_last
from multiunet.models.genomic import genomic_unet
from multiunet.training.checkpoint import Checkpoint, load, save
from multiunet.uncertainty import mc_dropout_sample


def field(samples: int, channels: int, sites: int) -> torch.Tensor:
    return torch.randn(samples, channels, sites, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 3}, {"dilation": 2}, {"groups": 2, "bias": False}])
def test_convolution_of_a_plane_is_that_of_the_line_in_both_passes(samples, options):
    torch.manual_seed(0)
    plain = nn.Conv1d(4, 6, 5, **options)
    last = Conv1d(4, 6, 5, **options)
    last.load_state_dict(plain.state_dict())
    last.weight.data = put_last(last.weight.data)
    one, other = (field(samples, 4, 20).requires_grad_() for _ in range(2))
    expected, found = plain(one), last(other)
    assert lies_last(found)
    assert not lies_last(expected)
    assert torch.allclose(found, expected, atol=1e-6)
    for y in (expected, found):
        y.square().sum().backward()
    assert torch.allclose(other.grad, one.grad, atol=1e-4)
    assert torch.allclose(last.weight.grad, plain.weight.grad, atol=1e-3)


def test_a_batch_of_one_has_the_strides_of_a_plane():
    for samples in (1, 2):
        plane = as_plane(put_last(field(samples, 4, 9)))
        assert plane.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(plane.squeeze(2), field(samples, 4, 9))


NETWORKS = {
    "genomic": lambda: genomic_unet(2, 6, [6, 8, 10], stem=5, motif=7, dropout=0.3),
    "max, strided, nearest": lambda: UNet(
        [Grid(1, block=Conv(residual=True), down=down, up=Resize()) for down in (MaxPool(), StridedConv())]
        + [Grid(1, block=Transformer(heads=2))],
        *(4, 2, [6, 8, 10]),
        decoder=Grid(1, block=Conv(separable="all", dropout=0.2), up=Resize("linear", kernel=3)),
        skip=Add,
    ),
    "group, valid": lambda: UNet(
        Grid(1, normalization="group", padding="valid", down=AveragePool(), activation="silu"), 4, 2, [8, 16]
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("samples", [1, 2])
def test_a_network_has_the_same_outputs_gradients_and_samples(name, samples):
    torch.manual_seed(0)
    net = NETWORKS[name]()
    x = field(samples, 4, 6 * 16)
    net(field(2, 4, 6 * 16))  # moves the statistics of norms
    last = copy.deepcopy(net)
    put_channels_last(last, 1)
    assert list(last.state_dict()) == list(net.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(last.state_dict().values(), net.state_dict().values()))
    gradients = []
    for each in (net, last):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            each(x).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in each.parameters()]))
    assert torch.allclose(*gradients, rtol=1e-3, atol=1e-4 * float(gradients[0].abs().max()))
    net.eval(), last.eval()
    with torch.no_grad():
        assert torch.allclose(last(x), net(x), atol=1e-4)
        assert torch.allclose(fuse_layers(last)(x), net(x), atol=1e-4)
        for seed in (0, 1):
            with mc_dropout_sample(net, seed, 0):
                expected = net(x)
            with mc_dropout_sample(last, seed, 0):
                assert torch.allclose(last(x), expected, atol=1e-4)


def test_the_layout_goes_through_all_layers_and_survives_training(tmp_path):
    torch.manual_seed(0)
    net = genomic_unet(2, 6, [6, 8], stem=5, motif=7)
    put_channels_last(net, 1)
    seen = {}
    for name, module in net.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda _, __, y, name=name: seen.update({name: y}))
    optimizer = torch.optim.AdamW(net.parameters())
    net(field(2, 4, 96)).square().sum().backward()
    optimizer.step()
    assert [name for name, y in seen.items() if isinstance(y, torch.Tensor) and not lies_last(y)] == []
    assert lies_last(net.tower.blocks[0].layers[0].weight)
    save(tmp_path / "c.safetensors", Checkpoint({f"model.{name}": t for name, t in net.state_dict().items()}, {}))
    again = load(tmp_path / "c.safetensors").part("model")
    assert all(torch.equal(again[name], tensor) for name, tensor in net.state_dict().items())
