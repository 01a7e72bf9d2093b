from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from multiunet.domains import inference
from multiunet.domains.genome.generation import scoring
from multiunet.domains.genome.generation.markov import MarkovChain, count_words
from multiunet.domains.genome.generation.spectrum import jensen_shannon
from multiunet.errors import InputError
from multiunet.progress import Progress
from tests.domains.genome.generation.conftest import MakeRun


def test_words_with_unknown_bases_do_not_count() -> None:
    codes = np.array([0, 1, 4, 0, 1, 1], np.uint8)
    found = count_words(codes, 2)
    assert {word: int(found[word]) for word in np.flatnonzero(found)} == {1: 2, 5: 1}
    assert count_words(codes[:1], 2).sum() == 0


def test_a_chain_of_order_1_has_the_counts_of_both_strands_and_one_more() -> None:
    chain = MarkovChain.fit([np.array([0, 0, 1], np.uint8)], 1)  # AAC, and GTT on the other strand
    np.testing.assert_allclose(chain.chances[0], [2 / 6, 2 / 6, 1 / 6, 1 / 6])
    np.testing.assert_allclose(chain.chances[2], [1 / 5, 1 / 5, 1 / 5, 2 / 5])
    nats, bases = chain.surprise(np.array([0, 1, 4, 2, 3], np.uint8))
    assert (nats, bases) == (pytest.approx(-log(2 / 6) - log(2 / 5)), 2)


@pytest.mark.parametrize("order", [0, 2])
def test_draws_of_a_chain_are_like_it(order: int) -> None:
    rng = np.random.default_rng(0)
    chances = rng.dirichlet([1, 1, 1, 1], 4**order)
    drawn = MarkovChain(order, chances).draw(50, 2000, rng)
    assert drawn.shape == (50, 2000)
    counts = sum(count_words(one, order + 1) for one in drawn).reshape(-1, 4)
    often = counts.sum(axis=1) > 2000
    shares = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares[often], chances[often], atol=0.05)


def test_the_distance_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, (2, 64))
    assert jensen_shannon(one, other) == pytest.approx(jensenshannon(one, other, base=2))
    assert jensen_shannon(one, 3 * one) == pytest.approx(0, abs=1e-7)
    assert jensen_shannon(np.array([1, 0]), np.array([0, 5])) == pytest.approx(1)


def test_a_generator_is_scored_beside_markov_chains(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SAMPLED", 4)
    monkeypatch.setattr(scoring, "ROUNDS", 4)
    report = inference.evaluate(make_run(), {"device": "cpu"}, progress=Progress())
    assert report.scored == "test split"
    assert list(report.items) == ["chr3"]
    assert report.items["chr3"]["bits_per_base"] == pytest.approx(report.metrics["bits_per_base"])
    # of DNA that repeats ACGT, one base tells the next
    assert report.baselines["markov-0"]["bits_per_base"] == pytest.approx(2, abs=0.01)
    assert report.baselines["markov-1"]["perplexity"] < 1.05
    assert report.baselines["markov-1"]["kmer_2_distance"] < report.metrics["kmer_2_distance"]
    assert report.baselines["held-out"]["kmer_6_distance"] < 0.1


def test_what_cannot_be_scored_is_refused(make_run: MakeRun, fasta: Path) -> None:
    with pytest.raises(InputError, match="this run has no test chromosomes"):
        inference.evaluate(make_run(test_chroms=[]), {}, progress=Progress())
    with pytest.raises(InputError, match="scored on a split of its own"):
        inference.evaluate(make_run(), {"fasta": fasta, "targets": [fasta]}, progress=Progress())
