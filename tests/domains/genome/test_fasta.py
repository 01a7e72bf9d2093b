import gzip

import numpy as np
import pytest
from Bio import bgzf
from pyfaidx import Fasta

from multiunet.domains.genome import fasta
from multiunet.domains.genome.fasta import cut, gc_content, one_hot, read_fasta, reverse_complement
from multiunet.errors import InputError

TEXT = ">one first of two -> here\nACGTN\nacgtR\nu\n\n>two\nTTTT\n"


def letters(codes) -> str:
    return "".join("ACGTN"[code] for code in codes)


@pytest.mark.parametrize("pack", ["plain", "gzip", "bgzip", "crlf", "no last newline"])
def test_reads_every_packing(tmp_path, pack):
    path = tmp_path / ("x.fa" if pack in ("plain", "crlf", "no last newline") else "x.fa.gz")
    raw = {"crlf": TEXT.replace("\n", "\r\n"), "no last newline": TEXT.rstrip("\n")}.get(pack, TEXT).encode()
    if pack == "bgzip":
        with bgzf.open(path, "wb") as file:
            file.write(raw)
    else:
        path.write_bytes(gzip.compress(raw) if pack == "gzip" else raw)
    genome = read_fasta(path)
    assert {name: letters(codes) for name, codes in genome.codes.items()} == {"one": "ACGTNACGTNT", "two": "TTTT"}
    assert genome.lengths == {"one": 11, "two": 4}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # no index is left beside it


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_agrees_with_pyfaidx_however_it_is_cut(tmp_path, chunk, monkeypatch):
    rng = np.random.default_rng(0)
    path = tmp_path / "x.fa"
    with path.open("w") as file:
        for name in ("a", "b", "c"):
            text = "".join(rng.choice(list("ACGTNacgtnRY"), size=rng.integers(1, 700)))
            file.write(f">{name} > some words\n" + "".join(text[i : i + 60] + "\n" for i in range(0, len(text), 60)))
    monkeypatch.setattr(fasta, "CHUNK", chunk)
    genome = read_fasta(path)
    peer = Fasta(str(path), sequence_always_upper=True)
    for name, codes in genome.codes.items():
        assert letters(codes) == str(peer[name][:]).replace("R", "N").replace("Y", "N")


def test_keeps_what_is_wanted_and_knows_the_rest(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(TEXT)
    genome = read_fasta(path, wanted=["two"])
    assert list(genome.codes) == ["two"]
    assert list(genome.lengths) == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (">chrI\nACGT\nACQT\n", ["chrI", "position 7", "'Q'", "write N"]),
        (">a\nAC-T\n", ["'a'", "position 3", "'-'"]),
        ("ACGT\n", ["begins with b'ACGT'"]),
        ("", ["no sequence"]),
        (">a\nAC\n>a\nAC\n", ["two sequences are named 'a'"]),
        (">a\n>b\nAC\n", ["'a' is empty"]),
        (">\nAC\n", ["no name"]),
    ],
)
def test_bad_text_is_named(tmp_path, text, words):
    path = tmp_path / "bad.fa"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_fasta(path)
    assert all(word in str(error.value) for word in ["bad.fa", *words])


def test_missing_and_truncated_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_fasta(tmp_path / "none.fa")
    rng = np.random.default_rng(0)
    whole = gzip.compress((">a\n" + "".join(rng.choice(list("ACGT"), size=9999))).encode())
    for name, content in (("cut.fa.gz", whole[: len(whole) // 2]), ("torn.fa.gz", whole[:20] + b"\0" * 500)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}: cannot be read as FASTA"):
            read_fasta(tmp_path / name)


def test_one_hot_is_one_column_a_base():
    codes = np.random.default_rng(0).integers(0, 5, size=500).astype(np.uint8)
    naive = np.zeros((4, 500), dtype=np.float32)
    for i, code in enumerate(codes):
        if code < 4:
            naive[code, i] = 1
    assert np.array_equal(one_hot(codes), naive)
    assert one_hot(codes).dtype == np.float32


def test_reverse_complement_by_hand_and_twice():
    codes = np.array([0, 1, 2, 3, 4, 0], dtype=np.uint8)  # ACGTNA -> TNACGT
    assert letters(reverse_complement(codes)) == "TNACGT"
    assert np.array_equal(reverse_complement(reverse_complement(codes)), codes)
    # the other strand in one-hot: both axes turned
    assert np.array_equal(one_hot(reverse_complement(codes)), one_hot(codes)[::-1, ::-1])


def test_gc_content_of_partial_and_unknown_bins():
    codes = np.array([1, 2, 0, 3, 4, 4, 4, 4, 1, 4], dtype=np.uint8)  # CGAT NNNN CN
    assert np.array_equal(gc_content(codes, 4), [0.5, np.nan, 1.0], equal_nan=True)


def test_cut_fills_up_with_unknown_bases():
    codes = np.array([0, 1, 2], dtype=np.uint8)
    assert letters(cut(codes, 1, 3)) == "CG"
    assert letters(cut(codes, -2, 5)) == "NNACGNN"
    assert letters(cut(codes, 5, 7)) == "NN"
    assert letters(cut(codes, -4, -1)) == "NNN"


def test_a_byte_order_mark_is_no_letter(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(b"\xef\xbb\xbf>chr1\nACGT\n")
    assert read_fasta(path).lengths == {"chr1": 4}


def test_a_folder_is_no_fasta(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_fasta(tmp_path)
