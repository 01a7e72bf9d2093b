"""Predictions of genomes and their files."""

import math
from pathlib import Path

import numpy as np
import pybigtools
import pytest
import torch

from multiunet.domains import inference, sampling, training
from multiunet.domains.config import validated
from multiunet.domains.genome import domain, writers
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.genome.tracks import Bins, read_tracks
from multiunet.domains.runs import load as load_run
from multiunet.domains.spec import domain_spec
from multiunet.errors import InputError
from multiunet.prediction import open_datasets, open_prediction
from multiunet.progress import Progress

LENGTHS = {"chr1": 4003, "chr2": 3000, "chr3": 2600, "chr10": 1999}
BIN = 25


def test_prediction_covers_whole_chromosomes(run, tmp_path, predict):
    files = predict(run, tmp_path / "p.zarr", samples=3, export=tmp_path / "out")
    found = open_prediction(tmp_path / "p.zarr")
    assert sorted(found) == sorted(LENGTHS)
    for chrom, item in found.items():
        assert item.attrs["length"] == LENGTHS[chrom]
        assert item["mean"].dims == ("channel", "bin")
        assert item["channel"].values.tolist() == ["fwd", "rev"]
        starts, ends = item["start"].values, item["end"].values
        assert starts[0] == 0
        assert ends[-1] == LENGTHS[chrom]
        assert (starts[1:] == ends[:-1]).all()
        assert np.array_equal(item["total"].values, item["epistemic"].values + item["aleatoric"].values)
        assert (item["epistemic"].values > 0).all()
        assert (item["aleatoric"].values > 0).all()
    assert [f.name for f in files] == [
        f"{track}.{variable}.bw" for track in ("fwd", "rev") for variable in ("mean", "epistemic", "aleatoric", "total")
    ]


def test_bigwigs_read_back_as_the_prediction(run, tmp_path, predict):
    files = predict(run, tmp_path / "p.zarr", samples=2, interval=0.8, export=tmp_path / "out")
    found = open_prediction(tmp_path / "p.zarr")
    assert {path.name.split(".")[1] for path in files} == {"mean", "lower", "upper", "epistemic", "aleatoric", "total"}
    for path in files:
        track, variable, _ = path.name.split(".")
        with pybigtools.open(str(path)) as file:
            assert dict(file.chroms()) == LENGTHS
            for chrom, length in LENGTHS.items():
                bases = file.values(chrom, 0, length, fillna=math.nan)
                expected = found[chrom][variable].sel(channel=track).values
                assert np.allclose(bases, np.repeat(expected, BIN)[:length], rtol=1e-6)
    assert not [p for p in (tmp_path / "out").iterdir() if ".tmp" in p.name]


def test_bedgraphs_read_back_as_the_prediction(run, tmp_path, monkeypatch, predict):
    monkeypatch.setattr(writers, "CHUNK", 7)  # not a divisor of the bins
    files = predict(run, tmp_path / "p.zarr", samples=2, export=tmp_path / "out", export_as="bedgraph,bigwig")
    assert [path.suffix for path in files] == [".bedGraph", ".bw"] * 8
    found = open_prediction(tmp_path / "p.zarr")
    for path in files[::2]:
        track, variable, _ = path.name.split(".")
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        assert [row[:3] for row in rows] == [
            [chrom, str(start), str(min(start + BIN, LENGTHS[chrom]))]
            for chrom in sorted(LENGTHS)  # as bedGraphToBigWig demands, chr10 before chr2
            for start in range(0, LENGTHS[chrom], BIN)
        ]
        values = read_tracks([path], Bins(Genome(tmp_path / "g.fa", {}, LENGTHS), BIN))[0].values
        for chrom in LENGTHS:
            assert np.array_equal(values[chrom], found[chrom][variable].sel(channel=track).values)
    with pytest.raises(InputError, match="`export_as` says what is written into `export=DIR`"):
        predict(run, tmp_path / "q.zarr", export_as="bigwig")


def test_memory_bounds_the_tiles_and_changes_nothing(run, tmp_path, monkeypatch, predict):
    tiles = []

    class Counting(Progress):
        def update_tiles(self, done: int, count: int, noun: str = "") -> None:
            tiles.append(count)

    options = validated(domain_spec("genome").predict, {"samples": 2, "chroms": "chr1", "memory": "64GB"}, "test")
    inference.predict(run, options, tmp_path / "whole.zarr", progress=Counting())
    assert set(tiles) == {1}
    monkeypatch.setattr(domain, "compute_max_sites", lambda *given: 1800)
    inference.predict(run, options, tmp_path / "tiles.zarr", progress=Counting())
    assert tiles[-1] > 2
    whole, pieces = (open_prediction(tmp_path / f"{name}.zarr")["chr1"] for name in ("whole", "tiles"))
    for variable in ("mean", "epistemic", "aleatoric"):
        assert np.allclose(whole[variable].values, pieces[variable].values, rtol=1e-4, atol=1e-5)
    monkeypatch.undo()
    with pytest.raises(InputError, match="`memory=1 MB`: the program alone takes"):
        predict(run, tmp_path / "q.zarr", memory="1MB")
    assert not (tmp_path / "q.zarr").exists()


def test_tracks_of_like_names_are_files_of_their_own(data, tmp_path, write_signal, config_of, predict):
    signals = [write_signal(tmp_path / f"{name}.bedGraph", LENGTHS, seed) for seed, name in enumerate(("a b", "a_b"))]
    settings = {**data, "targets": ",".join(map(str, signals)), "epochs": 1, "steps_per_epoch": 1}
    training.train("genome", config_of(settings), tmp_path / "run", progress=Progress())
    files = predict(tmp_path / "run", tmp_path / "p.zarr", samples=1, chroms="chr3", export=tmp_path / "out")
    assert len(files) == len(set(files)) == 8
    assert all(path.is_file() for path in files)


def test_some_chromosomes_of_another_genome(run, tmp_path, write_fasta, predict):
    other = write_fasta(tmp_path / "other.fa", {"x": 260, "y/1": 100, "z": 10})
    predict(run, tmp_path / "p.zarr", samples=1, fasta=other, chroms="x,y*,z")
    found = open_datasets(tmp_path / "p.zarr")
    assert {item.attrs["chrom"]: item.sizes["bin"] for item in found.values()} == {"x": 11, "y/1": 4, "z": 1}
    assert (found["x"]["epistemic"].values == 0).all()
    with pytest.raises(InputError, match="`chroms` chr9: no such chromosome"):
        predict(run, tmp_path / "q.zarr", chroms="chr9")
    assert not (tmp_path / "q.zarr").exists()


def test_the_pair_of_strands_changes_places(run):
    opened = load_run(run)
    x = torch.nn.functional.one_hot(torch.randint(0, 4, (1, BIN * 16)), 4).movedim(2, 1).float()
    forward, reverse = opened.model.net(x), opened.model.net(x.flip(1, 2))
    assert torch.allclose(reverse, forward.flip(2)[:, [1, 0, 3, 2]], atol=1e-5)  # means, then log-variances


def test_some_regions_alone_are_predicted_as_in_the_whole(run, tmp_path, predict):
    bed = tmp_path / "r.bed"
    bed.write_text("chr1\t1000\t1010\nchr1\t3000\t3100\nchr3\t0\t60\n")
    predict(run, tmp_path / "p.zarr", samples=1, regions=bed, export=tmp_path / "out", export_as="bedgraph")
    predict(run, tmp_path / "whole.zarr", samples=1, chroms="chr1,chr3")
    parts, whole = open_prediction(tmp_path / "p.zarr"), open_prediction(tmp_path / "whole.zarr")
    assert sorted(parts) == ["chr1", "chr3"]
    for chrom, bins in (("chr1", [40, 120, 121, 122, 123]), ("chr3", [0, 1, 2])):
        for variable in ("mean", "epistemic", "aleatoric", "total"):
            values = parts[chrom][variable].values
            assert np.flatnonzero(~np.isnan(values[0])).tolist() == bins
            assert np.allclose(values[:, bins], whole[chrom][variable].values[:, bins], rtol=1e-4, atol=1e-5)
    for variable in ("mean", "epistemic"):
        lines = (tmp_path / "out" / f"fwd.{variable}.bedGraph").read_text().splitlines()
        assert [line.split("\t")[1] for line in lines] == ["1000", "3000", "3025", "3050", "3075", "0", "25", "50"]
    bed.write_text("chr1\t1000\t9999\n")
    with pytest.raises(InputError, match=r"r\.bed:1: ends at 9,999, but chr1 has 4,003 bases"):
        predict(run, tmp_path / "q.zarr", regions=bed)


def test_one_chromosome_is_predicted_without_reading_the_others(run, tmp_path, write_fasta, predict):
    fasta = write_fasta(tmp_path / "g.fa", {"x": 260, "y": 100})
    fasta.write_text(fasta.read_text() + ">z\nAC!T\n")
    predict(run, tmp_path / "p.zarr", samples=1, fasta=fasta, chroms="x")
    with pytest.raises(InputError, match="'z', position 3: '!'"):
        predict(run, tmp_path / "q.zarr", samples=1, fasta=fasta)


def test_sample_names_the_command_for_a_run_that_predicts(run, tmp_path):
    with pytest.raises(InputError, match="predict with `multiunet predict genome`, or train a generator"):
        sampling.sample(run, {}, tmp_path / "s.fa", progress=Progress())


def test_parts_have_the_bytes_of_the_whole(run, tmp_path, predict):
    predict(run, tmp_path / "whole.zarr", samples=2)
    for number in (2, 1):
        predict(run, tmp_path / "parts.zarr", samples=2, part=f"{number}/2")
    whole, parts = open_prediction(tmp_path / "whole.zarr"), open_prediction(tmp_path / "parts.zarr")
    assert list(whole) == list(parts)
    for chrom, item in whole.items():
        assert item.identical(parts[chrom])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_fasta_that_changed_after_training_is_named(run, data, tmp_path, predict, caplog):
    fasta = Path(data["fasta"])
    before = fasta.read_text()
    try:
        fasta.write_text(before.replace(">chr10", ">chr11"))
        predict(run, tmp_path / "p.zarr", chroms="chr3", samples=1)
    finally:
        fasta.write_text(before)
    assert "has changed since the run was trained on it: chr10 had another length, or is gone" in caplog.text
