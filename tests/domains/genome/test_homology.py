"""Look-alike regions: words and their hashes, planted copies, and splits that keep them on one side."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from multiunet.domains.genome.chrom_splits import split_fold
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.genome.homology import find_alike, group_alike, hash_words
from multiunet.domains.genome.readers import Data
from multiunet.domains.genome.reread import TrainingFiles
from multiunet.domains.genome.sequence import Genome, reverse_complement
from multiunet.errors import InputError

BLOCK = 1000


def draw(size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, size).astype(np.uint8)


def spoil(codes: np.ndarray, rate: float) -> np.ndarray:
    """Replace a share of the bases by other ones."""
    rng = np.random.default_rng(1)
    return np.where(rng.random(len(codes)) < rate, (codes + rng.integers(1, 4, len(codes))) % 4, codes).astype(np.uint8)


@pytest.mark.parametrize("word", [4, 7, 16, 31])
def test_words_are_those_of_strings_on_either_strand(word):
    codes = draw(300, 0)
    codes[100] = 4
    hashes, known = hash_words(codes, word)
    texts = ["".join("ACGTN"[code] for code in codes[place : place + word]) for place in range(len(hashes))]
    assert known.tolist() == ["N" not in text for text in texts]
    turned = str.maketrans("ACGT", "TGCA")
    canonical = [min(text, text[::-1].translate(turned)) for text in texts]
    by_text = {}
    for text, value in zip(canonical, hashes.tolist()):
        if "N" not in text:
            assert by_text.setdefault(text, value) == value
    assert len(set(by_text.values())) == len(by_text)
    assert (hash_words(reverse_complement(codes), word)[0][::-1][known] == hashes[known]).all()


def test_a_planted_copy_is_found_on_either_strand_and_nothing_else_is():
    held, other = draw(60_000, 1), draw(50_000, 2)
    other[10_000:14_000] = spoil(held[33_300:37_300], 0.05)
    other[30_000:32_000] = reverse_complement(held[500:2500])
    other[45_000:46_000] = spoil(held[7_000:8_000], 0.3)  # too different
    other[40_000:41_000] = held[9_000] = 0  # a run of one base has one word
    codes = {"held": held, "other": other}
    assert find_alike(codes, ["held"], ["other"], BLOCK) == {"other": [(10_000, 14_000), (30_000, 32_000)]}
    assert find_alike(codes, [], ["other"], BLOCK) == {}


def test_copies_of_a_chromosome_stay_in_one_fold(caplog):
    codes = {name: draw(20_000, seed) for seed, name in enumerate("abcde")}
    codes["b"] = np.concatenate([reverse_complement(spoil(codes["e"], 0.01)), draw(9000, 9)])
    groups = group_alike(codes)
    assert groups == [["a"], ["b", "e"], ["c"], ["d"]]
    data = Data(Genome("g.fa", codes, {}), [], codes, {})
    splits = [split_fold(data, 4, fold, groups) for fold in range(4)]
    assert sorted(name for split in splits for name in split.test) == list("abcde")
    assert all(("b" in split.of(part)) == ("e" in split.of(part)) for split in splits for part in ("train", "test"))
    with pytest.raises(InputError, match="there are 5 chromosomes, of which 4 do not look alike"):
        split_fold(data, 5, 0, groups)
    assert "stay in one fold: b, e" in caplog.text


@pytest.fixture
def copied(tmp_path):
    """Settings of a genome whose chromosomes to train on and to validate hold copies of what is tested."""
    codes = {name: draw(8000, seed) for seed, name in enumerate(("chr1", "chr2", "chr3"))}
    codes["chr1"][2000:4000] = codes["chr3"][5000:7000]
    codes["chr2"][6000:7000] = codes["chr3"][0:1000]
    text = "".join(f">{name}\n{''.join('ACGT'[code] for code in row)}\n" for name, row in codes.items())
    (tmp_path / "g.fa").write_text(text)
    rng = np.random.default_rng(0)
    rows = [f"{name}\t{start}\t{start + 50}\t{rng.random():.3f}\n" for name in codes for start in range(0, 8000, 50)]
    (tmp_path / "s.bedGraph").write_text("".join(rows))
    split = {"val_chroms": ["chr2"], "test_chroms": ["chr3"], "split_by": "homology"}
    sizes = {"bin_size": 50, "window": 32, "widths": [4, 8], "epochs": 1, "steps_per_epoch": 1}
    return {"fasta": tmp_path / "g.fa", "targets": [tmp_path / "s.bedGraph"], **split, **sizes}


def test_look_alikes_are_neither_learnt_nor_chosen_by(copied, config_of, caplog):
    domain, config = GenomeDomain(), config_of(copied)
    with caplog.at_level(logging.WARNING):
        info = domain.inspect(config)
    assert info.withheld == {"chr1": ((2000, 4000),), "chr2": ((6000, 7000),)}
    assert "chromosomes to train on, 2,000 bases (25.0%) in 1 region look like held-out ones" in caplog.text
    data = domain.training_data(config, info, domain.build(config, info))
    unknown = np.flatnonzero(np.isnan(data.targets["chr1"][0]))
    assert unknown.tolist() == list(range(40, 80))
    assert info.missing == (0.25,)
    plain = domain.inspect(config_of({**copied, "split_by": "chromosome"}))
    assert plain.withheld == {}
    assert plain.data == info.data  # the same files
    assert domain.plan(config, info, None).info.facts()["withheld bases"] == 3000


def test_peaks_of_look_alikes_are_left_out(copied, config_of, tmp_path):
    (tmp_path / "p.bed").write_text("chr1\t2500\t2700\nchr1\t6000\t6200\n")
    domain, config = GenomeDomain(), config_of({**copied, "peaks": tmp_path / "p.bed"})
    info = domain.inspect(config)
    places = domain.training_data(config, info, domain.build(config, info)).centres.places
    assert places[0] == ("chr1", 6100)
    assert not [middle for _, middle in places if 2000 <= middle < 4000]


def test_nothing_left_to_train_on_is_refused(copied, config_of, tmp_path):
    row = "".join("ACGT"[code] for code in draw(4000, 7))
    (tmp_path / "g.fa").write_text("".join(f">{name}\n{row}\n" for name in ("chr1", "chr2", "chr3")))
    (tmp_path / "s.bedGraph").write_text(
        "".join(f"chr{i}\t{s}\t{s + 50}\t{s}\n" for i in (1, 2, 3) for s in range(0, 4000, 50))
    )
    with pytest.raises(InputError, match="all that there is to train on looks like"):
        GenomeDomain().inspect(config_of(copied))


def test_a_generator_does_not_see_look_alikes(copied, config_of):
    settings = {key: copied[key] for key in ("fasta", "val_chroms", "test_chroms", "split_by")}
    domain, config = GenomeDomain(), config_of({**settings, "task": "generate", "window": 64, "widths": [4, 8]})
    info = domain.inspect(config)
    codes = TrainingFiles().reread(config, info).codes
    assert (codes["chr1"][2000:4000] == 4).all()
    assert (codes["chr1"][:2000] < 4).all()
    assert (codes["chr3"] < 4).all()
