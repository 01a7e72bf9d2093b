import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.digest import digest_of, digest_of_parts
from multiunet.domains.genome import bases, fasta, fasta_cache
from multiunet.domains.genome.bases import MappedBases, StoredBases, lazily, portable, stretches
from multiunet.domains.genome.fasta import read_fasta
from multiunet.domains.genome.sequence import cut, find_unknown_bins, gc_content
from multiunet.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "multiunet" / "fasta"


@pytest.fixture
def codes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5, size=1000).astype(np.uint8)


@pytest.mark.parametrize("kind", [StoredBases, MappedBases])
@pytest.mark.parametrize("stretch", [slice(0, 10), slice(90, 400), slice(395, 1000), slice(50, 50)])
def test_a_stretch_of_a_file_is_that_of_the_array(tmp_path, codes, kind, stretch):
    codes.tofile(tmp_path / "codes")
    found = pickle.loads(pickle.dumps(kind(tmp_path / "codes", 100, 400)))
    assert len(found) == 400
    assert np.array_equal(found[stretch], codes[100:500][stretch])
    assert np.array_equal(cut(found, -3, 5), np.concatenate([[4, 4, 4], codes[100:105]]))


def test_a_file_that_was_cut_short_is_named(tmp_path, codes):
    codes.tofile(tmp_path / "codes")
    with pytest.raises(InputError, match=r"codes: .*ends early"):
        StoredBases(tmp_path / "codes", 900, 400)[0:400]


def test_what_travels_to_workers_is_a_place_not_the_bases(tmp_path, codes):
    codes.tofile(tmp_path / "codes")
    mapped = np.memmap(tmp_path / "codes", np.uint8, "r", offset=37, shape=(500,))
    for made in (lazily(mapped), portable(mapped)):
        assert len(pickle.dumps(made)) < 500
        assert np.array_equal(made[0:500], codes[37:537])
    assert portable(codes) is codes
    part = mapped[10:20]  # which does not know its place
    assert np.array_equal(lazily(part)[0:10], codes[47:57])


@pytest.mark.parametrize("bin_size", [1, 7, 64, 1000, 1001])
def test_what_is_counted_stretch_by_stretch_is_that_of_the_whole(codes, bin_size, monkeypatch):
    whole = gc_content(codes, bin_size), find_unknown_bins(codes, bin_size)
    monkeypatch.setattr(bases, "STRETCH", 130)
    assert np.array_equal(np.concatenate(list(stretches(codes))), codes)
    assert np.array_equal(gc_content(codes, bin_size), whole[0], equal_nan=True)
    assert np.array_equal(find_unknown_bins(codes, bin_size), whole[1])
    assert digest_of_parts(len(codes), stretches(codes)) == digest_of([codes])


@pytest.mark.parametrize("packed", [False, True])
def test_a_large_genome_is_mapped_and_has_the_same_bases(tmp_path, cache, packed, monkeypatch):
    rng = np.random.default_rng(0)
    text = "".join(f">{n}\n{''.join(rng.choice(list('ACGTN'), size=n * 60))}\n" for n in (3, 4, 5))
    path = tmp_path / ("x.fa.gz" if packed else "x.fa")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    small = read_fasta(path).keep(["3", "5"])
    assert not any(isinstance(codes, np.memmap) for codes in small.values())
    monkeypatch.setattr(fasta_cache, "FEWEST", 300)  # reached within the second sequence
    for _ in range(2):  # made, then found
        large = read_fasta(path, {"3": "a"}).keep(["a", "5"])
        assert all(isinstance(codes, np.memmap) for codes in large.values())
        assert np.array_equal(large["a"], small["3"])
        assert np.array_equal(large["5"], small["5"])
    monkeypatch.setattr(fasta, "_iter_codes", None)  # is not read again
    assert len(read_fasta(path).keep(["4"])["4"]) == 240


@pytest.mark.parametrize("packed", [False, True])
def test_without_a_cache_a_large_genome_is_in_memory(tmp_path, packed, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(fasta_cache, "FEWEST", 1)
    path = tmp_path / "x.fa"
    path.write_bytes(gzip.compress(b">a\nACGT\n>b\nTT\n") if packed else b">a\nACGT\n>b\nTT\n")
    assert {name: codes.tolist() for name, codes in read_fasta(path).keep(["a", "b"]).items()} == {
        "a": [0, 1, 2, 3],
        "b": [3, 3],
    }


def test_a_plain_sequence_is_read_by_stretches_and_checked_where_it_is_read(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGT\nACQT\nGG\n")
    opened = read_fasta(path).open("a")
    assert len(opened) == 10
    assert opened[2:5].tolist() == [2, 3, 0]
    assert opened[8:20].tolist() == [2, 2]
    with pytest.raises(InputError, match="'a', position 7: 'Q'"):
        opened[5:8]
