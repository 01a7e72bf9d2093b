"""What a look at all data finds, on data made strange."""

import gzip

import numpy as np
import pytest

import multiunet
from multiunet.domains.genome.checking import correlation_length, count_letters
from multiunet.errors import InputError

BIN = 20
BINS = 100


def write(tmp_path, **tracks):
    """Write a genome of one chromosome of 2,004 bases and tracks; return settings."""
    rng = np.random.default_rng(0)
    (tmp_path / "g.fa").write_text(">chr1 x\n" + "".join(rng.choice(list("ACGTacgt"), size=2000)) + "NNRY\n")
    for name, values in tracks.items():
        rows = [f"chr1\t{BIN * i}\t{BIN * (i + 1)}\t{value}\n" for i, value in enumerate(values) if value is not None]
        (tmp_path / f"{name}.bedGraph").write_text("".join(rows))
    paths = [tmp_path / f"{name}.bedGraph" for name in tracks]
    return {"fasta": tmp_path / "g.fa", "targets": paths, "bin_size": BIN, "widths": [4, 8]}


def test_facts_of_sequences_and_tracks(tmp_path):
    found = multiunet.check("genome", write(tmp_path, a=np.arange(BINS) - 10.0))
    assert found["usable"]
    assert found["chroms"] == {"chr1": 2004}
    assert [found["letters"][name] for name in ("bases", "unknown", "ambiguous")] == [2004, 2, 2]
    assert 800 < found["letters"]["lower_case"] < 1200
    (track,) = found["tracks"]
    assert (track["low"], track["median"], track["high"]) == (-10, 39.5, 89)
    assert track["negative"] == pytest.approx(0.1)
    assert track["coverage"] == pytest.approx(100 / 101)
    assert found["receptive_field"] > 0
    assert any("shorter than a window" in warning for warning in found["warnings"])


def test_strange_data_are_said_in_words(tmp_path):
    base = np.random.default_rng(1).random(BINS)
    sparse = [1.0 + i if i % 4 == 0 else None for i in range(BINS)]
    settings = write(tmp_path, fwd=base + 1, rev=10 * base, sparse=sparse)
    text = " ".join(multiunet.check("genome", {**settings, "strand_pairs": ["fwd:rev"]})["warnings"])
    assert "fwd and rev: their means" in text
    assert "same units" in text
    assert "sparse: only 25% of the bins have a value" in text


def test_swapped_pairs_are_told_by_the_others(tmp_path):
    rng = np.random.default_rng(2)
    one, other = rng.random((2, BINS))
    noise = 0.1 * rng.random((2, BINS))
    settings = write(tmp_path, a=one, b=other, c=other + noise[0], d=one + noise[1])
    warnings = multiunet.check("genome", {**settings, "strand_pairs": ["a:b", "c:d"]})["warnings"]
    assert any("are the strands swapped?" in warning for warning in warnings)


def test_what_training_would_refuse_is_the_last_warning(tmp_path):
    found = multiunet.check("genome", write(tmp_path, a=[1.0] * (BINS + 2)))
    assert not found["usable"]
    assert "another assembly?" in found["warnings"][-1]
    with pytest.raises(InputError, match="has no check"):
        multiunet.check("graph", {"graph": "x.npz"})


def test_gzip_that_is_not_bgzip_works_and_is_said(tmp_path):
    settings = write(tmp_path, a=np.arange(BINS))
    packed = tmp_path / "g.fa.gz"
    packed.write_bytes(gzip.compress((tmp_path / "g.fa").read_bytes()))
    assert count_letters(packed) == count_letters(tmp_path / "g.fa")
    found = multiunet.check("genome", {**settings, "fasta": packed})
    assert any("is gzip, not bgzip" in warning for warning in found["warnings"])


def test_correlation_length_is_that_of_a_moving_mean():
    noise = np.random.default_rng(0).normal(size=4096)
    assert correlation_length(noise.astype(np.float32)) == 1
    smooth = np.convolve(noise, np.ones(32) / 32, mode="valid").astype(np.float32)
    assert correlation_length(smooth) == 32


def test_regions_that_hold_the_variance_are_named(tmp_path):
    values = np.random.default_rng(3).random(BINS)
    values[40:42] = 500
    warnings = multiunet.check("genome", write(tmp_path, a=values))["warnings"]
    assert any("a: chr1:800-840" in warning and "of the variance" in warning for warning in warnings)
