from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from multiunet.domains import inference, training
from multiunet.domains.genome.generation.bound import bound_surprise, choose_stretches
from multiunet.domains.genome.generation.data import CleanBases, cut_windows
from multiunet.domains.runs import load
from multiunet.errors import InputError
from multiunet.geometries import Grid
from multiunet.progress import Progress
from tests.domains.genome.generation.conftest import LENGTHS, TINY, MakeRun


def test_a_run_knows_its_bases_and_says_how_surprising_they_are(make_run: MakeRun) -> None:
    run = load(make_run(), device="cpu")
    assert run.info.generates
    assert (run.info.chroms, run.info.window, run.info.gc) == (LENGTHS, 64, pytest.approx(0.5, abs=0.01))
    scores = run.best["scores"]
    assert scores["perplexity"] == pytest.approx(math.exp(scores["loss"]))
    assert scores["bits_per_base"] == pytest.approx(math.log2(scores["perplexity"]))


def test_stretches_are_those_of_either_strand_and_never_across_chromosomes() -> None:
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(0, 4, 100).astype(np.uint8) for name in "ab"}
    codes["a"][7] = 4
    data = CleanBases(codes, window=30)
    assert len(data) == 7
    strands = {name: (one, np.array([3, 2, 1, 0, 4])[one[::-1]]) for name, one in codes.items()}
    whole = ["".join(map(str, one)).replace("4", "?") for both in strands.values() for one in both]
    seen = set()
    for item in range(7):
        for _ in range(20):
            target = data.draw(item, rng).target
            assert target.shape == (1, 30)
            text = "".join("?" if base < 0 else str(base) for base in target[0].tolist())
            found = [place for place, one in enumerate(whole) if text in one]
            assert found
            seen |= set(found)
    assert seen == {0, 1, 2, 3}


def test_a_short_chromosome_is_filled_up_with_unknown_bases() -> None:
    target = CleanBases({"a": np.zeros(5, np.uint8)}, window=8).draw(0, np.random.default_rng(1)).target
    assert sorted(target[0].tolist())[:3] == [-1, -1, -1]
    windows = cut_windows({"a": np.zeros(9, np.uint8), "b": np.full(8, 4, np.uint8)}, 8)
    assert windows["a"].tolist() == [[0] * 8, [0] + [-1] * 7]
    assert len(windows["b"]) == 0
    assert len(choose_stretches({"a": torch.zeros(9, 8)}, 4)) == 4


class Biased(nn.Module):
    """Says what each base is with probabilities of its own, whatever it sees."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(torch.tensor([0.5, 0.25, 0.125, 0.125]))[:, None].expand(len(x), 4, x.shape[2])


def test_the_bound_of_a_network_that_sees_nothing_is_the_cross_entropy() -> None:
    stretches = torch.tensor([[0, 1, 2, -1] * 200, [0, 0, 3, 3] * 200])
    found = bound_surprise(Biased(), Grid(1), stretches, turns=64)
    # a stretch's mean is over all of its known bases
    expected = (600 * (1 + 2 + 3) / 3 + 800 * (1 + 3) / 2) / 1400
    assert found.bases == 64 * 1400
    assert found.result()["bits_per_base"] == pytest.approx(expected, abs=0.02)
    again = bound_surprise(Biased(), Grid(1), stretches, turns=64, batch_size=5)
    assert again.nats == pytest.approx(found.nats)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": ["a.bw"]}, "`targets` is not for `task=generate`: it learns from the sequences alone"),
        ({"bin_size": 10}, "`bin_size` is not for"),
        ({"folds": 3, "val_chroms": [], "test_chroms": []}, "`folds` is not for"),
        ({"task": "signal"}, "`targets` is required; or `annotation`, to learn classes; or pass `task=generate`"),
        ({"widths": [4] * 7}, r"`window=64`: 7 levels coarsen bases 256 times"),
        ({"window": 9000}, "has 2003 bases; take at most twice that"),
        ({"widths": [4] * 12}, "has 2003 bases, fewer than a site of the network's coarsest level, 8192"),
        ({"val_chroms": ["chr9"]}, "no such chromosome"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(fasta: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        training.plan("genome", TINY | {"fasta": fasta} | change)


def test_excluded_regions_are_unknown(fasta: Path, tmp_path: Path) -> None:
    (tmp_path / "all.bed").write_text("chr2\t0\t700\n")
    with pytest.raises(InputError, match=r"all bases of the val chromosomes \(chr2\) are unknown"):
        training.plan("genome", TINY | {"fasta": fasta, "exclude_regions": tmp_path / "all.bed"})


def test_predict_names_the_command_for_a_generator(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `multiunet sample genome`"):
        inference.predict(make_run(), {}, tmp_path / "p.zarr", progress=Progress())
