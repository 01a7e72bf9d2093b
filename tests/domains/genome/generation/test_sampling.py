from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest

from multiunet.domains import sampling, unfinished
from multiunet.domains.genome.fasta import read_fasta
from multiunet.errors import InputError
from multiunet.progress import Progress
from tests.domains.genome.generation.conftest import MakeRun

QUICK = {"count": 2, "length": 100, "steps": 5, "device": "cpu"}


def read(path: Path) -> dict[str, str]:
    return {name: "".join("ACGTN"[code] for code in codes) for name, codes in read_fasta(path).codes.items()}


def test_a_forecast_says_length_rounds_and_time(make_run: MakeRun, tmp_path: Path) -> None:
    _, names, said = sampling.check_sample(make_run(), {**QUICK, "length": 300, "tile_size": 128}, tmp_path / "s.fa")
    assert names == ["sample"]
    assert said["length"] == "300 bases"
    assert said["tiles"] == "the longest in 3 tiles"
    assert said["time"].startswith("about ")
    assert list(tmp_path.iterdir()) == []


def test_a_trained_generator_makes_dna_like_that_of_its_genome(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(epochs=4, steps_per_epoch=25, lr=0.01, widths=[16, 24], window=32, batch_size=8)
    options = {**QUICK, "count": 4, "length": 60, "steps": 60}
    sampling.sample(run, options, tmp_path / "s.fa", progress=Progress())
    found = read(tmp_path / "s.fa")
    assert list(found) == [f"sample_{number}" for number in range(4)]
    pairs = [pair for one in found.values() for pair in pairwise(one)]
    assert len(pairs) == 4 * 59
    right = sum(first + second in "ACGTA" for first, second in pairs) / len(pairs)
    assert right > 0.8  # a quarter by chance


def test_the_same_seed_is_the_same_file_packed_or_not(make_run: MakeRun, tmp_path: Path) -> None:
    for name in ("a.fa", "b.fa.gz", "c.fa.gz"):
        sampling.sample(make_run(), QUICK, tmp_path / name, progress=Progress())
    plain = (tmp_path / "a.fa").read_bytes()
    assert plain.startswith(b">sample_0 seed=0 steps=5 temperature=1\n")
    assert gzip.decompress((tmp_path / "b.fa.gz").read_bytes()) == plain
    assert (tmp_path / "b.fa.gz").read_bytes() == (tmp_path / "c.fa.gz").read_bytes()
    sampling.sample(make_run(), {**QUICK, "seed": 1}, tmp_path / "d.fa", progress=Progress())
    assert read(tmp_path / "d.fa") != read(tmp_path / "a.fa")


def test_tiles_of_any_size_make_the_sequence_of_the_whole(make_run: MakeRun, tmp_path: Path) -> None:
    for side in (2000, 100, 32):
        options = {**QUICK, "length": 1003, "tile_size": side}
        sampling.sample(make_run(), options, tmp_path / f"{side}.fa", progress=Progress())
    whole = read(tmp_path / "2000.fa")
    assert [len(one) for one in whole.values()] == [1003, 1003]
    assert read(tmp_path / "100.fa") == read(tmp_path / "32.fa") == whole


def test_unknown_bases_are_filled_in_and_known_ones_kept(make_run: MakeRun, tmp_path: Path) -> None:
    known = "ACGT" * 5 + "N" * 10 + "TTTT" * 5
    (tmp_path / "g.fa").write_text(f">one\n{known}\n>two\n{'ACGT' * 9}\n")
    given = {"count": 3, "steps": 4, "given": tmp_path / "g.fa", "device": "cpu"}
    sampling.sample(make_run(), given, tmp_path / "s.fa", progress=Progress())
    found = read(tmp_path / "s.fa")
    assert list(found) == ["one_0", "one_1", "one_2"]
    assert {one[:20] + one[30:] for one in found.values()} == {known.replace("N", "")}
    assert len({one[20:30] for one in found.values()}) == 3
    assert "N" not in "".join(found.values())
    (tmp_path / "r.bed").write_text("two\t4\t12\n")
    regions = {**given, "count": 1, "regions": tmp_path / "r.bed"}
    sampling.sample(make_run(), regions, tmp_path / "r.fa", progress=Progress())
    again = read(tmp_path / "r.fa")
    assert list(again) == ["one_0", "two_0"]
    assert again["two_0"][:4] + again["two_0"][12:] == "ACGT" * 7


class Interrupted(Progress):
    """Progress that ends the process, as it were, after so many rounds."""

    def __init__(self, rounds: int) -> None:
        self.left = rounds

    def update_tiles(self, done: int, count: int, noun: str = "") -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_interrupted_samples_go_on_with_the_same_bits(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished, "SAVE_SECONDS", -1.0)
    monkeypatch.setattr("multiunet.domains.genome.generation.making.MOST_SAMPLES", 1)
    sampling.sample(make_run(), QUICK, tmp_path / "whole.fa", progress=Progress())
    for rounds in (2, 5):
        with pytest.raises(KeyboardInterrupt):
            sampling.sample(make_run(), QUICK, tmp_path / "s.fa", progress=Interrupted(rounds))
        assert (tmp_path / ".s.fa.unfinished" / "state.safetensors").exists()
    assert not (tmp_path / "s.fa").exists()
    sampling.sample(make_run(), QUICK, tmp_path / "s.fa", progress=Progress())
    assert (tmp_path / "s.fa").read_bytes() == (tmp_path / "whole.fa").read_bytes()
    assert not (tmp_path / ".s.fa.unfinished").exists()


def test_what_cannot_be_made_is_refused(make_run: MakeRun, fasta: Path, tmp_path: Path) -> None:
    run, out = make_run(), tmp_path / "s.fa"
    (tmp_path / "old.fa").write_text(">a\nA\n")
    (tmp_path / "short.fa").write_text(">a\nAN\n")
    for options, target, words in (
        ({"length": 3}, out, r"`length`: 3 bases are fewer than a site of the network's coarsest level, 4"),
        ({"given": fasta}, out, "no base is unknown, so there is nothing to fill in"),
        ({"given": tmp_path / "short.fa"}, out, "short.fa: a: 2 bases are fewer"),
        ({"given": fasta, "length": 9}, out, "`length`: sequences that are filled in are as long"),
        ({"regions": tmp_path / "r.bed"}, out, "`regions` are places in `given`"),
        ({"guidance": 2}, out, "unknown setting 'guidance'"),
        ({}, tmp_path / "s.zarr", "name it NAME.fa"),
        ({}, tmp_path / "old.fa", "exists; replace it by `overwrite`"),
    ):
        with pytest.raises(InputError, match=words):
            sampling.sample(run, options, target, progress=Progress())
    with pytest.raises(InputError, match="no such folder"):
        sampling.sample(tmp_path / "nowhere", {}, out, progress=Progress())
    assert not out.exists()
