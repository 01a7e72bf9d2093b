"""Networks over encoders from elsewhere, of plain torch: sizes, tiles, samples, and how far they look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multiunet import Grid, GridPredictor, receptive_field
from multiunet.models import Feature, Pyramid, encoder_unet
from multiunet.models.encoder_unet import EncoderUNet
from multiunet.models.measured_reach import measure_reaches
from multiunet.prediction import GridSource
from multiunet.tasks import Segmentation
from multiunet.testing.conformance import check_model

FEATURES = (Feature(6, (2, 2)), Feature(8, (4, 4)), Feature(8, (16, 16)))


class Stages(nn.Module):
    """Stages one after the other; the fields of all."""

    def __init__(self, *stages: nn.Module) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        fields = []
        for stage in self.stages:
            x = stage(x)
            fields.append(x)
        return fields


class Squeeze(nn.Module):
    """Channels weighed by their means over all sites (Hu et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean(dim=(2, 3), keepdim=True).sigmoid()


class Windows(nn.Module):
    """Each site minus the mean of its window of three sites by three."""

    def forward(self, x: Tensor) -> Tensor:
        *_, height, width = x.shape
        padded = nn.functional.pad(x, (0, -width % 3, 0, -height % 3))
        means = nn.functional.avg_pool2d(padded, 3).repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)
        return x - means[..., :height, :width]


def make_stages(behind: nn.Module | None = None, channels: int = 2) -> Stages:
    """A stem that pads as ResNet's, one that does not, and one that coarsens by four."""
    return Stages(
        nn.Sequential(nn.Conv2d(channels, 6, 7, stride=2, padding=3), nn.BatchNorm2d(6), nn.ReLU()),
        nn.Sequential(nn.Conv2d(6, 8, 2, stride=2), nn.BatchNorm2d(8), nn.GELU(), behind or nn.Identity()),
        nn.Sequential(nn.MaxPool2d(4), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
    )


def make_net(behind: nn.Module | None = None, **options: Any) -> EncoderUNet:
    torch.manual_seed(0)
    pyramid = Pyramid(make_stages(behind), 2, FEATURES)
    net = encoder_unet(pyramid, 3, [4, 4, 8, 8], **{"dropout": 0.3, **options})
    for _ in range(3):  # statistics of norms that are not those of the begin
        net(torch.randn(2, 2, 32, 32))
    return net.eval()


@pytest.mark.parametrize("options", [{}, {"skip": "attention", "residual": True}, {"skip": "none"}], ids=str)
def test_it_conforms(options: dict[str, Any]) -> None:
    """Sites, batches, gradients, recomputation, copies, samples, shared trails: as any network."""
    check_model(make_net(**options), Grid(2), 2, 3)


@pytest.mark.parametrize("space", [(1, 1), (17, 33), (48, 16), (5, 50)], ids=str)
def test_any_size_works_and_levels_are_the_cores(space: tuple[int, int]) -> None:
    net, x = make_net(), torch.randn(1, 2, *space)
    trail = net.encode(x)
    assert net(x).shape == (1, 3, *space)
    expected = [tuple(-(-n // step) for n in space) for step in (1, 2, 4, 16)]
    assert [tuple(field.shape[2:]) for field in (*trail.saved, trail.bottom)] == expected
    assert trail.saved[0] is x


def test_inputs_end_as_if_zeros_followed() -> None:
    net, x = make_net(), torch.randn(1, 2, 30, 20)
    longer = net.pyramid.net(nn.functional.pad(x, (0, 12, 0, 2)))
    for field, whole in zip(net.pyramid(x), longer):
        assert torch.equal(field, whole[..., : field.shape[2], : field.shape[3]])


@pytest.mark.parametrize("samples", [1, 2])
def test_tiles_are_the_whole(samples: int) -> None:
    predictor = GridPredictor(make_net(), Segmentation(("a", "b", "c")), Grid(2), torch.device("cpu"))
    seen = receptive_field(predictor.net)
    assert (seen.exact, seen.tile_stride, seen.everywhere) == (True, (16, 16), None)
    source = make_source(torch.randn(2, 50, 341))
    tiled = replace(predictor, tile=32)
    assert len(tiled.plan(source.shape)) > 8
    one, whole = (each.whole(source, samples) for each in (tiled, predictor))
    assert (one.mean - whole.mean).abs().max() < 1e-6
    assert (one.epistemic - whole.epistemic).abs().max() < 1e-6


def test_a_smaller_margin_would_be_wrong() -> None:
    """The radius is no more than a coarsest site too large."""
    predictor = GridPredictor(make_net(), Segmentation(("a", "b", "c")), Grid(2), torch.device("cpu"))
    seen = receptive_field(predictor.net)
    source = make_source(torch.randn(2, 32, 341))
    smaller = replace(predictor, tile=32)
    smaller.__dict__["seen"] = replace(seen, radius=tuple(radius - 2 * 16 for radius in seen.radius))
    assert (smaller.whole(source).mean - predictor.whole(source).mean).abs().max() > 1e-6


def make_source(image: Tensor) -> GridSource:
    def read(start: Any, stop: Any) -> Any:
        return image[(slice(None), *map(slice, start, stop))].numpy()

    return GridSource("x", tuple(image.shape[1:]), read, ("y", "x"))


@pytest.mark.parametrize("behind", [Squeeze(), nn.GroupNorm(2, 8), nn.InstanceNorm2d(8), Windows()], ids=str)
def test_what_looks_everywhere_or_into_windows_is_noticed(behind: nn.Module) -> None:
    seen = receptive_field(make_net(behind))
    assert (seen.exact, seen.everywhere) == (False, (16, 16))
    assert min(seen.radius) >= 4 * 16


def test_reaches_by_hand() -> None:
    """By the formula (Araujo et al. 2019, eq. 2); what is measured is up to a site of the field larger."""
    found = measure_reaches(make_stages(), 2, [one.spacing for one in FEATURES])
    # of the stem 3 to the left of a site's first input, which its second has 1 farther; then 2 sites in a row; then 4,
    # whose kernel looks a whole coarse site farther
    by_hand = [3 + 1, 3 + 3, (3 + 16) + 15]
    assert found is not None
    for (down, right), least, step in zip(found, by_hand, (2, 4, 16)):
        assert down == right
        assert least <= right < least + step


def test_kernels_of_other_lengths_along_the_axes_are_told_apart() -> None:
    net = Stages(nn.Conv2d(1, 4, (3, 9), stride=2, padding=(1, 4)))
    (found,) = measure_reaches(net, 1, [(2, 2)]) or ((0, 0),)
    assert found[0] <= 3 < 5 <= found[1]


def test_an_encoder_that_states_its_reaches_is_not_measured() -> None:
    class Stated(Pyramid):
        @property
        def reaches(self) -> tuple[tuple[int, ...], ...]:  # type: ignore[override]
            return (6, 6), (10, 12), (40, 40)

    net = encoder_unet(Stated(make_stages(), 2, FEATURES), 3, [4, 4, 8, 8])
    receptive_field(net)
    assert [down.reach for down in net.downs] == [(6, 6), (2, 3), (8, 7)]  # in sites of the finer level


def test_an_encoder_whose_first_field_is_as_fine_as_the_input() -> None:
    stages = Stages(nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 8, 3, stride=2, padding=1))
    net = encoder_unet(Pyramid(stages, 2, [Feature(4, (1, 1)), Feature(8, (2, 2))]), 1, [4, 8]).eval()
    x = torch.randn(1, 2, 9, 7)
    trail = net.encode(x)
    assert [field.shape[1] for field in (*trail.saved, trail.bottom)] == [4, 8]
    assert net(x).shape == (1, 1, 9, 7)
    check_model(net, Grid(2), 2, 1)


def test_other_numbers_of_axes() -> None:
    stages = Stages(nn.Conv1d(1, 4, 3, stride=2, padding=1), nn.Conv1d(4, 8, 3, stride=2, padding=1))
    net = encoder_unet(Pyramid(stages, 1, [Feature(4, (2,)), Feature(8, (4,))]), 2, [4, 4, 8])
    check_model(net.eval(), Grid(1), 1, 2)
    assert receptive_field(net).exact


def test_dropout_is_in_the_decoder_alone() -> None:
    net, x = make_net(), torch.randn(1, 2, 32, 32)
    net.train()
    for norm in [module for module in net.pyramid.modules() if isinstance(module, nn.BatchNorm2d)]:
        norm.eval()
    assert all(torch.equal(a, b) for a, b in zip(net.encode(x).saved, net.encode(x).saved))
    assert not torch.equal(net.decode(net.encode(x)), net.decode(net.encode(x)))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="without features"):
        Pyramid(make_stages(), 2, [])
    with pytest.raises(ValueError, match="coarser than the one before"):
        Pyramid(make_stages(), 2, [Feature(4, (2, 2)), Feature(4, (3, 3))])
    with pytest.raises(ValueError, match="coarser than its input"):
        encoder_unet(Pyramid(make_stages(), 2, [Feature(4, (1, 1))]), 2, [4])
    with pytest.raises(ValueError, match="channels has 2 entries for 4 levels"):
        encoder_unet(Pyramid(make_stages(), 2, FEATURES), 2, [4, 8])
    with pytest.raises(RuntimeError, match="call the network's encode"):
        make_net().downs[0](torch.zeros(1, 2, 8, 8))
