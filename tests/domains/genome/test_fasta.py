import gzip
import os
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from Bio import bgzf
from pyfaidx import Fasta

from multiunet.domains.genome import fasta, fasta_cache, fasta_index
from multiunet.domains.genome.fasta import Genome, read_fasta
from multiunet.domains.genome.fasta_index import IndexedCodes, open_indexed
from multiunet.errors import InputError

TEXT = ">one first of two -> here\nACGTN\nacgtR\nu\n\n>two\nTTTT\n"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "multiunet" / "fasta"


def letters(codes) -> str:
    return "".join("ACGTN"[code] for code in codes)


def all_letters(genome: Genome) -> dict[str, str]:
    return {name: letters(codes) for name, codes in genome.codes.items()}


def write_random(path: Path, seed: int = 0, width: int = 60) -> Path:
    rng = np.random.default_rng(seed)
    with path.open("w") as file:
        for name in ("a", "b", "c"):
            text = "".join(rng.choice(list("ACGTNacgtnRY"), size=rng.integers(1, 700)))
            lines = "".join(text[i : i + width] + "\n" for i in range(0, len(text), width))
            file.write(f">{name} > some words\n{lines}")
    return path


def is_indexed(genome: Genome) -> bool:
    return isinstance(genome.codes, IndexedCodes)


@pytest.mark.parametrize("pack", ["plain", "gzip", "bgzip", "crlf", "cr", "mixed", "no last newline"])
def test_reads_every_packing_and_line_end(tmp_path, pack):
    path = tmp_path / ("x.fa.gz" if pack in ("gzip", "bgzip") else "x.fa")
    raw = {
        "crlf": TEXT.replace("\n", "\r\n"),
        "cr": TEXT.replace("\n", "\r"),
        "mixed": TEXT.replace("\n", "\r", 2),
        "no last newline": TEXT.rstrip("\n"),
    }.get(pack, TEXT).encode()
    if pack == "bgzip":
        with bgzf.open(path, "wb") as file:
            file.write(raw)
    else:
        path.write_bytes(gzip.compress(raw) if pack == "gzip" else raw)
    genome = read_fasta(path)
    assert all_letters(genome) == {"one": "ACGTNACGTNT", "two": "TTTT"}
    assert genome.lengths == {"one": 11, "two": 4}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # no index is left beside it


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize("packed", [False, True])
def test_agrees_with_pyfaidx_however_it_is_cut(tmp_path, chunk, packed, monkeypatch):
    peer = Fasta(str(write_random(tmp_path / "peer.fa")), sequence_always_upper=True)
    path = tmp_path / "x.fa"
    raw = (tmp_path / "peer.fa").read_bytes()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    monkeypatch.setattr(fasta, "CHUNK", chunk)
    monkeypatch.setattr(fasta_index, "PIECE", chunk)
    genome = read_fasta(path)
    assert is_indexed(genome) is not packed
    for name, found in all_letters(genome).items():
        assert found == str(peer[name][:]).replace("R", "N").replace("Y", "N")


def test_an_index_is_kept_in_the_cache_and_built_anew_where_the_file_changed(tmp_path, cache, monkeypatch):
    path = write_random(tmp_path / "x.fa", seed=0)
    first = all_letters(read_fasta(path))
    (kept,) = cache.iterdir()
    assert kept.suffix == ".fai"
    monkeypatch.setattr(fasta_index, "keep_text", None)  # is not written again
    assert all_letters(read_fasta(path)) == first
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent.parent))
    write_random(path, seed=1)
    assert all_letters(read_fasta(path)) != first
    assert len(list(cache.iterdir())) == 1  # that of the earlier file is gone


def test_the_bases_of_large_packed_files_are_kept(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(fasta_cache, "FEWEST", 1)
    path = tmp_path / "x.fa.gz"
    path.write_bytes(gzip.compress(write_random(tmp_path / "x.fa").read_bytes()))
    first = all_letters(read_fasta(path))
    assert sorted(place.suffix for place in cache.iterdir()) == [".codes", ".json"]
    monkeypatch.setattr(fasta, "open_unpacked", None)  # is not unpacked again
    assert all_letters(read_fasta(path)) == first
    assert read_fasta(path, {"a": "chr1"}).lengths["chr1"] == len(first["a"])
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent.parent))
    for place in cache.iterdir():
        place.write_bytes(place.read_bytes()[:-1])  # damaged: read anew
        assert all_letters(read_fasta(path)) == first


def test_the_index_beside_the_file_is_used_unless_it_is_of_another_file(tmp_path, cache):
    path, other = write_random(tmp_path / "x.fa", seed=0), write_random(tmp_path / "other.fa", seed=1)
    for file in (path, other):
        Fasta(str(file)).close()  # leaves NAME.fai
    assert is_indexed(read_fasta(path))
    assert not cache.exists()
    expected = all_letters(read_fasta(other))
    stale = tmp_path / "other.fa.fai"
    stale.write_bytes((tmp_path / "x.fa.fai").read_bytes())
    os.utime(stale, (2e9, 2e9))  # looks newer than the file
    assert all_letters(read_fasta(other)) == expected


def test_without_a_cache_folder_it_is_read_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    genome = read_fasta(write_random(tmp_path / "x.fa"))
    assert is_indexed(genome)
    assert len(all_letters(genome)) == 3


def test_one_chromosome_is_read_without_the_others(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGT\nAC\n>b\nACQT\n>c\nTT\n")
    genome = read_fasta(path)
    assert letters(genome.codes["a"]) == "ACGTAC"
    assert letters(genome.codes["c"]) == "TT"
    with pytest.raises(InputError, match="'b', position 3: 'Q'"):
        genome.codes["b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (">chrI\nACGT\nACQT\n", ["chrI", "position 7", "'Q'", "write N"]),
        (">a\nAC-T\n", ["'a'", "position 3", "'-'"]),
        (">a\nACGT\rACGT\nACGT\rACGT\n", ["'a'", "line ends", "carriage return"]),
        ("ACGT\n", ["begins with 'ACGT'"]),
        ("", ["no sequence"]),
        (">a\nAC\n>a\nAC\n", ["two sequences are named 'a'"]),
        (">a\n>b\nAC\n", ["'a' is empty"]),
        (">a\n\n", ["'a' is empty"]),
        (">\nAC\n", ["no name"]),
    ],
)
def test_bad_text_is_named(tmp_path, text, words):
    path = tmp_path / "bad.fa"
    path.write_bytes(text.encode())
    with pytest.raises(InputError) as error:
        all_letters(read_fasta(path))
    assert all(word in str(error.value) for word in ["bad.fa", *words])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">a\nACG\nACGTA\n>b\nTT\n", {"a": "ACGACGTA", "b": "TT"}),  # a last line longer than the others
        (">a\nACGT\n\n>b\nTT\n", {"a": "ACGT", "b": "TT"}),
        (">a\nACGT\nA\nACGT\n", {"a": "ACGTAACGT"}),
        (">a\nAC GT\t\nAC GT\t\n", {"a": "ACGTACGT"}),
        (">a\rACGT\nTTTT\n", {"a": "ACGTTTTT"}),
        ("\ufeff>a\nACGT\n", {"a": "ACGT"}),
        (">a|ü\nACGT\nA\n", {"a|ü": "ACGTA"}),
    ],
)
def test_uneven_lines_are_read_in_full(tmp_path, text, expected):
    path = tmp_path / "x.fa"
    path.write_bytes(text.encode())
    if "\t" in text:
        path.write_bytes(gzip.compress(text.encode()))
    assert all_letters(read_fasta(path)) == expected


def test_two_sequences_are_not_given_one_name(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nAC\n>b\nAC\n")
    assert list(read_fasta(path, {"a": "chr1"}).lengths) == ["chr1", "b"]
    with pytest.raises(InputError, match="'a' and 'b' would both be named 'b'"):
        read_fasta(path, {"a": "b"})


def test_files_cut_short_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_fasta(tmp_path / "none.fa")
    rng = np.random.default_rng(0)
    whole = gzip.compress((">a\n" + "".join(rng.choice(list("ACGT"), size=9999))).encode())
    for name, content in (("cut.fa.gz", whole[: len(whole) // 2]), ("torn.fa.gz", whole[:20] + b"\0" * 500)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}: damaged, cut short or of another format"):
            read_fasta(tmp_path / name)


def test_bgzip_that_lost_blocks_is_refused(tmp_path):
    path = tmp_path / "x.fa.gz"
    with bgzf.open(path, "wb") as file:
        file.write(b">a\n" + b"ACGT" * 60_000)
    whole = path.read_bytes()
    ends = [start + size for start, size, _, _ in bgzf.BgzfBlocks(path.open("rb"))]
    assert len(ends) > 3
    for end in ends[:-1]:
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"x\.fa\.gz: cut short: the end-of-file block of bgzip is missing"):
            read_fasta(path)
        assert zlib.decompressobj(31).decompress(whole[:end])  # whole in itself, as far as gzip knows


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_fasta(tmp_path)


def test_an_index_that_is_older_by_the_clock_is_used_without_a_word(tmp_path: Path, recwarn) -> None:
    path = tmp_path / "g.fa"
    path.write_text(">a\nACGT\n")
    for seconds in (0, 86_400):  # the clock was set back after the file was written
        os.utime(path, (time.time() + seconds, time.time() + seconds))
        found = open_indexed(path)
        assert found is not None
        found.faidx.close()
    assert [str(one.message) for one in recwarn] == []
