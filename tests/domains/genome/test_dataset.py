import pickle

import numpy as np
import pytest
import torch

from multiunet.domains.genome.dataset import Windowing, Windows, mutate, shift, swap_strands
from multiunet.domains.genome.sequence import cut, one_hot, reverse_complement
from multiunet.seeds import generator

BIN, BINS, CONTEXT = 5, 16, 2
LENGTHS = {"long": 413, "middle": 80, "short": 37}
ENDS = (1000, 1082, 2000, 2015, 3000, 3007)


def windows(strand_pair=(0, 1), mutation: float = 0.0) -> Windows:
    """Track 0 holds each bin's number, track 1 its negative; so that a target tells where it is from."""
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(0, 4, size=length).astype(np.uint8) for name, length in LENGTHS.items()}
    targets = {}
    for offset, (name, length) in zip((1000, 2000, 3000), LENGTHS.items()):
        numbers = offset + np.arange(-(-length // BIN), dtype=np.float32)
        targets[name] = np.stack([numbers, -numbers])
    return Windows(codes, targets, Windowing(BIN, BINS, CONTEXT, strand_pair, mutation))


def bases_from(data: Windows, number: float) -> np.ndarray:
    """The bin that begins at this (fractional) bin number, on the given strand."""
    name = list(LENGTHS)[int(number) // 1000 - 1]
    start = round((number % 1000) * BIN)
    return one_hot(cut(data.codes[name], start, start + BIN))


def draws(data: Windows, epochs: int = 12):
    return [data.draw(item, generator(0, epoch, item)) for epoch in range(epochs) for item in range(len(data))]


@pytest.mark.parametrize("strand_pair", [(0, 1), (1, 0)])
def test_each_target_stands_over_its_own_bases_on_either_strand(strand_pair):
    data = windows(strand_pair)
    strands = set()
    for sample in draws(data):
        assert sample.field.shape == (1, 1, BIN * BINS)
        field, target = one_hot(sample.field[0, 0].numpy()), sample.target[0].numpy()
        assert target.shape == (2, BINS)
        known = np.flatnonzero(~np.isnan(target[0]))
        reverse = len(known) > 1 and abs(target[0, known[1]]) < abs(target[0, known[0]])
        strands.add(reverse)
        sign = -1 if reverse and strand_pair == (1, 0) else 1  # the pair changes places on the other strand
        for i in known:
            number = float(sign * target[0, i])
            if round(number, 2) in ENDS:  # partly beyond an end: the number is that of the bin inside
                continue
            assert target[1, i] == -target[0, i]
            here = field[:, i * BIN : (i + 1) * BIN]
            assert np.array_equal(here[::-1, ::-1] if reverse else here, bases_from(data, number))
    assert strands == {False, True}


def test_targets_count_where_the_network_sees_around_them_and_at_ends():
    data = windows()
    for start, expected in [(0, range(BINS - CONTEXT)), (20, range(22, 34)), (67, range(69, 83))]:
        _, target = data.window("long", start * BIN)
        assert target[0][~np.isnan(target[0])].tolist() == [1000 + i for i in expected]
    _, target = data.window("middle", 0)  # exactly one window: both its ends are ends
    assert not np.isnan(target).any()


def test_short_chromosomes_are_filled_up():
    data = windows()
    codes, target = data.window("short", -3 * BIN)
    assert (codes[:15] == 4).all()
    assert np.array_equal(codes[15 : 15 + 37], data.codes["short"])
    assert (codes[15 + 37 :] == 4).all()
    assert target[0][~np.isnan(target[0])].tolist() == [3000 + i for i in range(8)]


def test_draws_see_every_bin_about_as_often_as_any_other():
    data = windows()
    assert len(data) == round((83 + 16 + 8) / BINS)
    count = dict.fromkeys(
        [1000 + i for i in range(83)] + [2000 + i for i in range(16)] + [3000 + i for i in range(8)], 0
    )
    for sample in draws(data, epochs=120):
        for number in sample.target[0, 0][~sample.target[0, 0].isnan()].abs().tolist():
            count[round(number)] += 1
    seen = np.array(list(count.values()))
    assert seen.min() > 0
    assert seen[:83].max() / seen[:83].min() < 5


def test_a_draw_depends_on_item_and_generator_alone_and_data_travel_to_workers():
    data = pickle.loads(pickle.dumps(windows(mutation=0.1)))
    first, again = data.draw(1, generator(3, 4)), windows(mutation=0.1).draw(1, generator(3, 4))
    assert torch.equal(first.field, again.field)
    assert torch.equal(first.target.nan_to_num(), again.target.nan_to_num())
    assert not torch.equal(first.field, data.draw(1, generator(3, 5)).field)


def test_other_strand_twice_is_the_same():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    strand_pair = (2, 1, 0)
    assert swap_strands(values, strand_pair)[0].tolist() == [11, 10, 9, 8]
    assert np.array_equal(swap_strands(swap_strands(values, strand_pair), strand_pair), values)


def test_mutations_replace_a_share_of_the_known_bases():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, size=100_000).astype(np.uint8)
    codes[:1000] = 4
    changed = codes.copy()
    mutate(changed, 0.2, rng)
    assert (changed[:1000] == 4).all()
    # a fifth is hit (some twice), and a quarter of these draw the base that was there
    assert np.mean(changed[1000:] != codes[1000:]) == pytest.approx((1 - np.exp(-0.2)) * 0.75, abs=0.01)


@pytest.mark.parametrize("start", [-7, 0, 3, 40, 63, 66, 90])
def test_shifted_bins_agree_with_base_by_base(start):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 16)).astype(np.float32)
    values[rng.random((2, 16)) < 0.3] = np.nan
    bases = np.repeat(values, BIN, axis=1)
    padded = np.pad(bases, ((0, 0), (50, 200)), constant_values=np.nan)[:, 50 + start : 50 + start + 12 * BIN]
    pieces = padded.reshape(2, 12, BIN)
    enough = (~np.isnan(pieces)).sum(2) >= BIN / 2
    expected = np.where(enough, np.nansum(pieces, axis=2) / np.maximum((~np.isnan(pieces)).sum(2), 1), np.nan)
    assert np.allclose(shift(values, start, 12, BIN), expected, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("start", [-40, -7, 0, 3, 11, 100, 341, 390])
def test_the_window_of_the_other_strand_is_the_turned_window(start):
    data = windows(strand_pair=(1, 0))
    codes, values = data.codes["long"][:410], data.targets["long"][:, :82]  # whole bins
    given = Windows({"x": codes}, {"x": values}, data.windowing)
    turned = Windows({"x": reverse_complement(codes)}, {"x": swap_strands(values, (1, 0))}, data.windowing)
    bases, target = given.window("x", start)
    other_bases, other_target = turned.window("x", 410 - start - BINS * BIN)
    assert np.array_equal(reverse_complement(bases), other_bases)
    assert np.allclose(swap_strands(target, (1, 0)), other_target, rtol=1e-6, equal_nan=True)
