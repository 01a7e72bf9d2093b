import gzip
import math
from pathlib import Path

import numpy as np
import pybigtools
import pytest

from multiunet.domains.genome import bigwig as bigwig_files
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.genome.tracks import Bins, binned, read_tracks
from multiunet.errors import InputError

LENGTHS = {"chr1": 95, "chr2": 40}


def genome_of(lengths: dict[str, int]) -> Genome:
    return Genome(Path("genome.fa"), {}, lengths)


def naive(intervals, length: int, bin_size: int) -> np.ndarray:
    """Base by base."""
    bases = np.full(length, np.nan)
    for start, end, value in intervals:
        bases[start:end] = value
    bins = []
    for first in range(0, length, bin_size):
        inside = bases[first : first + bin_size]
        known = inside[~np.isnan(inside)]
        bins.append(known.mean() if 2 * len(known) >= len(inside) else np.nan)
    return np.array(bins, dtype=np.float32)


def some_intervals(length: int, seed: int) -> list[tuple[int, int, float]]:
    rng = np.random.default_rng(seed)
    edges = np.unique(rng.integers(0, length + 1, size=max(2, length // 4)))
    pairs = zip(edges[:-1].tolist(), edges[1:].tolist())
    return [(a, b, float(np.float32(rng.normal()))) for a, b in pairs if rng.random() < 0.7]


def bedgraph(path: Path, intervals: dict[str, list[tuple[int, int, float]]]) -> Path:
    text = "".join(f"{c}\t{a}\t{b}\t{v!r}\n" for c, rows in intervals.items() for a, b, v in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def bigwig(path: Path, intervals: dict[str, list[tuple[int, int, float]]], lengths: dict[str, int]) -> Path:
    rows = [(chrom, *row) for chrom in sorted(intervals) for row in intervals[chrom]]
    pybigtools.open(str(path), "w").write(lengths, iter(rows))
    return path


def read(path: Path, lengths=None, bin_size: int = 10, excluded=()):
    return read_tracks([path], Bins(genome_of(lengths or LENGTHS), bin_size, excluded))[0].values


@pytest.mark.parametrize("bin_size", [1, 3, 10, 95, 200])
@pytest.mark.parametrize("seed", range(4))
def test_binning_agrees_with_base_by_base(bin_size, seed):
    rows = some_intervals(95, seed)
    starts, ends, values = (np.array(column) for column in zip(*rows))
    result = binned(starts, ends, values, 95, bin_size)
    assert result.shape == (-(-95 // bin_size),)
    assert np.allclose(result, naive(rows, 95, bin_size), atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("bin_size", [1, 7, 10])
@pytest.mark.parametrize("slice_size", [1, 25, 1 << 22])
def test_bigwig_and_bedgraph_say_the_same(tmp_path, bin_size, slice_size, monkeypatch):
    monkeypatch.setattr(bigwig_files, "SLICE", slice_size)
    rows = {chrom: some_intervals(length, seed=7) for chrom, length in LENGTHS.items()}
    from_bigwig = read(bigwig(tmp_path / "a.bw", rows, LENGTHS), bin_size=bin_size)
    for name in ("a.bedGraph", "b.bedgraph.gz"):
        from_text = read(bedgraph(tmp_path / name, rows), bin_size=bin_size)
        for chrom, length in LENGTHS.items():
            assert np.allclose(from_text[chrom], naive(rows[chrom], length, bin_size), atol=1e-6, equal_nan=True)
            assert np.allclose(from_bigwig[chrom], from_text[chrom], atol=1e-6, equal_nan=True)


def test_pybigtools_gives_nan_where_nothing_is_and_zero_where_zero_is(tmp_path):
    path = bigwig(tmp_path / "z.bw", {"chr1": [(0, 10, 0.0), (20, 25, 2.0)]}, {"chr1": 30})
    with pybigtools.open(str(path)) as file:
        values = file.values("chr1", 0, 30, fillna=float("nan"), oob=float("nan"))
    assert np.array_equal(values, [0.0] * 10 + [np.nan] * 10 + [2.0] * 5 + [np.nan] * 5, equal_nan=True)
    # half of the last bin is measured: that is enough
    assert np.array_equal(read(path, {"chr1": 30})["chr1"], [0.0, np.nan, 2.0], equal_nan=True)


def test_last_partial_bin_is_judged_by_the_bases_it_has(tmp_path):
    rows = {"chr1": [(0, 10, 1.0), (90, 93, 4.0)], "chr2": [(0, 40, 1.0)]}
    assert read(bedgraph(tmp_path / "a.bedGraph", rows))["chr1"][-1] == 4.0  # 3 of 5 bases
    rows["chr1"][-1] = (90, 92, 4.0)
    assert np.isnan(read(bedgraph(tmp_path / "b.bedGraph", rows))["chr1"][-1])


def test_lines_may_come_in_any_order_with_comments_and_gaps(tmp_path):
    path = tmp_path / "a.bedGraph"
    path.write_text(
        "track type=bedGraph\n# note\nbrowser position\n\nchr2 0 40 1\nchr1 10 20 nan\nchr1\t30\t40\tNA\n"
        "chr1 50 60 .\nchr1 20 30 3\nchr1 0 10 2\n"
    )
    expected = [2, np.nan, 3, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan]
    assert np.array_equal(read(path)["chr1"], expected, equal_nan=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chr1 0 10 1\nchr1 10 20\n", ["a.bedGraph:2", "'chr1 10 20'", "CHROM START END VALUE"]),
        ("chr1 0 x 1\n", ["a.bedGraph:1"]),
        ("chr1 0 10 high\n", ["a.bedGraph:1"]),
        ("chr1 10 10 1\n", ["a.bedGraph:1", "interval 10-10"]),
        ("chr1 -1 10 1\n", ["a.bedGraph:1", "interval -1-10"]),
        ("chr1 0 10 inf\n", ["a.bedGraph:1", "inf"]),
        ("chr2 0 9 1\nchr1 20 30 1\nchr1 5 21 2\n", ["a.bedGraph:2", "chr1:20-30", "overlaps chr1:5-21 of line 3"]),
        ("", ["is empty"]),
        ("# nothing\n", ["no interval"]),
        ("chr1 90 96 1\nchr2 0 9 1\n", ["chr1 reach base 96", "95 bases in genome.fa", "another assembly?"]),
        ("chr1 0 9 1\n", ["no data for chr2", "another assembly?", "`exclude_chroms`"]),
        ("chr1 0 9 1\nchr2 0 9 1\nchr3 0 9 1\n", ["chr3 not in genome.fa", "has chr1, chr2, chr3", "has chr1, chr2)"]),
        ("NC_1 0 9 1\nchr2 0 9 1\n", ["NC_1 not in genome.fa", "no data for chr1", "`rename_chroms`"]),
        ("1 0 9 1\nI 0 9 1\nII 0 9 1\n", ["'1' and 'I' could both be 'chr1'"]),
    ],
)
def test_bad_bedgraphs_are_named(tmp_path, text, words):
    path = tmp_path / "a.bedGraph"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read(path)
    assert all(word in str(error.value) for word in ["a.bedGraph", *words]), error.value


@pytest.mark.parametrize("names", [("1", "2"), ("I", "II"), ("CHR1", "Chr02"), ("chromosome_1", "2")])
def test_names_that_mean_the_same_are_matched_and_said(tmp_path, names, caplog):
    expected = read(bedgraph(tmp_path / "a.bedGraph", {"chr1": [(0, 9, 1.0)], "chr2": [(0, 40, 2.0)]}))
    rows = {names[0]: [(0, 9, 1.0)], names[1]: [(0, 40, 2.0)]}
    lengths = dict(zip(names, LENGTHS.values()))
    for path in (bedgraph(tmp_path / "b.bedGraph", rows), bigwig(tmp_path / "b.bw", rows, lengths)):
        found = read(path)
        for chrom, values in expected.items():
            assert np.array_equal(found[chrom], values, equal_nan=True)
        assert f"{path}: its chromosomes are named otherwise than in genome.fa" in caplog.text
    assert f"{names[1]} is chr2" in caplog.text


def test_a_sex_chromosome_is_not_the_tenth(tmp_path):
    path = bedgraph(tmp_path / "a.bedGraph", {"chr1": [(0, 9, 1.0)], "10": [(0, 9, 1.0)]})
    with pytest.raises(InputError, match=r"10 not in genome\.fa"):
        read(path, {"chr1": 95, "chrX": 40})


def test_excluded_chromosomes_may_be_in_the_file(tmp_path):
    path = tmp_path / "a.bedGraph"
    path.write_text("chr1 0 10 1\nchrUn_1 0 10 1\nchrUn_2 0 10 1\n")
    assert list(read(path, {"chr1": 95}, excluded=["chrUn_*", "chr2"])) == ["chr1"]


def test_bigwig_of_another_assembly_is_named(tmp_path):
    path = bigwig(tmp_path / "a.bw", {"chr1": [(0, 10, 1.0)]}, {"chr1": 94})
    with pytest.raises(InputError, match=r"a.bw: chr1 has 94 bases, but chr1 has 95 bases in genome.fa; another assem"):
        read(path, {"chr1": 95})


def test_an_infinite_value_is_named_in_either_format(tmp_path):
    rows = {"chr1": [(0, 10, 1.0), (20, 30, float("-inf"))]}
    for path in (bigwig(tmp_path / "a.bw", rows, {"chr1": 95}), bedgraph(tmp_path / "a.bedGraph", rows)):
        with pytest.raises(InputError, match=rf"{path.name}.* is -inf"):
            read(path, {"chr1": 95})


def test_damaged_files_are_named(tmp_path):
    rows = {"chr1": some_intervals(95, 0), "chr2": [(0, 9, 1.0)]}
    whole = bigwig(tmp_path / "a.bw", rows, LENGTHS).read_bytes()
    packed = bedgraph(tmp_path / "a.bedGraph.gz", rows).read_bytes()
    for name, content, words in [
        ("cut.bw", whole[: len(whole) // 3], "damaged, cut short or of another format"),
        ("text.bw", b"chr1 0 10 1\n", "does not begin like one"),
        ("cut.bedGraph.gz", packed[: len(packed) // 2], "damaged, cut short or of another format"),
        ("binary.bedGraph", b"\xff\xfe\x00" * 9, "not text in UTF-8|has 1 words"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=words) as error:
            read(tmp_path / name)
        assert name in str(error.value)
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.bw")


def test_tracks_are_named_after_their_files(tmp_path):
    rows = {"chr1": [(0, 95, 1.0)], "chr2": [(0, 40, 2.0)]}
    paths = [bedgraph(tmp_path / "RNA.fwd.bedGraph.gz", rows), bigwig(tmp_path / "Scc1.bw", rows, LENGTHS)]
    assert [track.name for track in read_tracks(paths, Bins(genome_of(LENGTHS), 10))] == ["RNA.fwd", "Scc1"]
    (tmp_path / "more").mkdir()
    twice = [*paths, bigwig(tmp_path / "more" / "Scc1.bw", rows, LENGTHS)]
    with pytest.raises(InputError, match="two targets are named 'Scc1'"):
        read_tracks(twice, Bins(genome_of(LENGTHS), 10))


@pytest.mark.realdata
def test_real_signals(data_folder):
    yeast = data_folder / "yeast"
    from multiunet.domains.genome.fasta import read_fasta

    genome = read_fasta(yeast / "sacCer3.fa.gz")
    assert sum(genome.lengths.values()) == 12_071_326
    bins = Bins(genome, 1000)
    timing = read_tracks([yeast / "replication_timing_1kb.bedGraph"], bins)[0]
    values = np.concatenate(list(timing.values.values()))
    assert (len(values), np.isnan(values).sum()) == (12_079, 739)  # 11,340 lines, one bin each
    with pytest.raises(InputError, match=r"no data for chrI, chrIII, .*MNase\.bw has II, IV, XVI"):
        read_tracks([yeast / "coverage" / "MNase.bw"], Bins(genome, 75))
    old = data_folder / "fixtures" / "yeast_chr1_old_assembly.fa.gz"
    lengths = read_fasta(old).lengths
    assert lengths == {"chrI": 230_208}
    with pytest.raises(InputError, match=r"chrII, .*not in yeast_chr1_old_assembly.fa.gz.*another assembly\?"):
        read_tracks([yeast / "replication_timing_1kb.bedGraph"], Bins(read_fasta(old), 1000))


@pytest.mark.parametrize("kind", ["bedGraph", "bw"])
def test_what_a_file_does_not_mention_may_be_zero(tmp_path, kind):
    rows = {"chr1": [(0, 4, 5.0), (30, 40, 2.0)]}
    path = tmp_path / f"t.{kind}"
    bedgraph(path, rows) if kind == "bedGraph" else bigwig(path, rows, {"chr1": 95})
    values = read_tracks([path], Bins(genome_of(LENGTHS), 10, zero=True))[0].values
    assert values["chr1"].tolist() == [2.0, 0, 0, 2.0, 0, 0, 0, 0, 0, 0]
    assert values["chr2"].tolist() == [0, 0, 0, 0]  # a chromosome without reads
    with pytest.raises(InputError, match="no data for chr2"):
        read(path)


@pytest.mark.parametrize("kind", ["bedGraph", "bw"])
@pytest.mark.parametrize("slice_size", [10, 1 << 22])
def test_what_a_file_calls_nan_is_not_zero(tmp_path, kind, slice_size, monkeypatch):
    monkeypatch.setattr(bigwig_files, "SLICE", slice_size)
    rows = {"chr1": [(0, 8, float("nan")), (8, 10, 3.0), (10, 12, float("nan")), (30, 36, float("nan"))]}
    path = tmp_path / f"t.{kind}"
    bedgraph(path, rows) if kind == "bedGraph" else bigwig(path, rows, {"chr1": 95})
    values = read_tracks([path], Bins(genome_of({"chr1": 95}), 10, zero=True))[0].values["chr1"]
    assert np.flatnonzero(np.isnan(values)).tolist() == [0, 3]
    assert np.nansum(values) == 0.0


@pytest.mark.parametrize("zero", [False, True])
def test_a_bigwig_with_nan_reads_as_the_bedgraph_of_its_rows(tmp_path, zero):
    rng = np.random.default_rng(0)
    rows = {"chr1": [(a, b, v if rng.random() < 0.7 else math.nan) for a, b, v in some_intervals(95, seed=3)]}
    bins = Bins(genome_of({"chr1": 95}), 4, zero=zero)
    one, other = (
        read_tracks([path], bins)[0].values["chr1"]
        for path in (bedgraph(tmp_path / "a.bedGraph", rows), bigwig(tmp_path / "a.bw", rows, {"chr1": 95}))
    )
    assert np.allclose(one, other, atol=1e-6, equal_nan=True)
    assert np.isnan(one).any()


def test_a_panic_of_the_bigwig_reader_names_the_file(tmp_path, monkeypatch):
    class PanicException(BaseException):
        """As PyO3 raises it."""

    def panic(path):
        raise PanicException("index out of bounds")

    path = bigwig(tmp_path / "a.bw", {"chr1": [(0, 9, 1.0)]}, {"chr1": 95})
    monkeypatch.setattr(pybigtools, "open", panic)
    with pytest.raises(InputError, match=r"a\.bw: damaged, cut short or of another format \(index out of bounds\)"):
        read(path, {"chr1": 95})


def test_other_names_are_errors_where_the_rest_is_zero_too(tmp_path):
    path = bedgraph(tmp_path / "t.bedGraph", {"NC_1": [(0, 8, 1.0)]})
    with pytest.raises(InputError, match="NC_1 not in"):
        read_tracks([path], Bins(genome_of(LENGTHS), 10, zero=True))
