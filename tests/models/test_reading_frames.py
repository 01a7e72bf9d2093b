"""Reading frames held against a scan, codon by codon."""

import math

import pytest
import torch

from multiunet.models.reading_frames import CAP, ReadingFrames

LETTERS = "ACGT"
COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A", "N": "N"}


def encode(text):
    rows = torch.zeros(1, 4, len(text))
    for place, letter in enumerate(text):
        if letter in LETTERS:
            rows[0, LETTERS.index(letter), place] = 1
    return rows


def naive(text, place, phase):
    """Return stretch and open frame of the codon that has ``place`` as its base ``phase``, in codons."""
    codon = place - phase
    if codon < 0:
        return None
    at = lambda i: text[i : i + 3]  # noqa: E731
    most = CAP // 3
    low = next((n for n in range(1, most) if codon - 3 * n >= 0 and at(codon - 3 * n) in ("TAA", "TAG", "TGA")), most)
    high = next((n for n in range(most) if at(codon + 3 * n) in ("TAA", "TAG", "TGA")), most)
    starts = [n for n in range(low - 1, -1, -1) if codon - 3 * n >= 0 and at(codon - 3 * n) == "ATG"]
    return low + high, starts[0] + high + 1 if starts else 0


@pytest.mark.parametrize("length", [7, 60, 301])
def test_channels_are_those_of_a_scan(length):
    generator = torch.Generator().manual_seed(length)
    text = "".join("ACGTN"[i] for i in torch.randint(0, 5, (length,), generator=generator).tolist())
    text = text.replace("C", "ATG", 2)[:length]
    found = ReadingFrames()(encode(text))[0]
    turned = "".join(COMPLEMENT[letter] for letter in reversed(text))
    for place in range(length):
        for strand, (of_strand, own) in enumerate(((text, place), (turned, length - 1 - place))):
            for phase in range(3):
                expected = naive(of_strand, own, phase)
                if expected is None:
                    continue
                values = [math.log(max(n, 1)) / math.log(2 * (CAP // 3)) for n in expected]
                channel = 6 * strand + 2 * phase
                assert found[channel : channel + 2, place].tolist() == pytest.approx(values, abs=1e-6)


def test_what_is_farther_than_its_reach_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    bases = torch.randint(0, 3, (4000,), generator=generator)  # without T there are no stops
    x = torch.nn.functional.one_hot(bases, 4).T[None].float()
    frames, changed = ReadingFrames(), x.clone()
    other = torch.nn.functional.one_hot(torch.randint(0, 4, (4000,), generator=generator), 4).T[None].float()
    far = (torch.arange(4000) - 2000).abs() > frames.reach
    changed[:, :, far] = other[:, :, far]
    assert torch.equal(frames(x)[:, :, 2000], frames(changed)[:, :, 2000])
    assert not torch.equal(frames(x), frames(changed))
