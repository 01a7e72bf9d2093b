import gzip
from pathlib import Path

import numpy as np
import pytest
from Bio import bgzf

from multiunet.domains.genome import intervals
from multiunet.domains.genome.intervals import read_intervals
from multiunet.errors import InputError

TEXT = "chr2 0 40 1\nchr1 10 20 nan\nchr1\t30\t40\tNA\nchr1 50 60 .\nchr1 20 30 -3.25e1\nchr1 0 10 2\n"


def by_lines_only(monkeypatch) -> None:
    monkeypatch.setattr(intervals, "_read_by_columns", lambda path, kind: None)


def by_columns_only(monkeypatch) -> None:
    monkeypatch.setattr(intervals, "_read_by_lines", None)


@pytest.mark.parametrize("how", [by_columns_only, by_lines_only])
@pytest.mark.parametrize("head", ["", "track type=bedGraph\n# note\nbrowser position\n\n"])
@pytest.mark.parametrize("form", ["plain", "bom", "crlf", "cr", "gzip", "bgzip"])
def test_both_readers_read_every_form(tmp_path, how, head, form, monkeypatch):
    how(monkeypatch)
    path = tmp_path / "a.bedGraph"
    raw = {
        "bom": "\ufeff" + head + TEXT,
        "crlf": (head + TEXT).replace("\n", "\r\n"),
        "cr": (head + TEXT).replace("\n", "\r"),
    }.get(form, head + TEXT).encode()
    if form == "bgzip":
        with bgzf.open(path, "wb") as file:
            file.write(raw)
    else:
        path.write_bytes(gzip.compress(raw) if form == "gzip" else raw)
    found = read_intervals(path, "bedGraph")
    first = head.count("\n") + 1
    assert list(found) == ["chr2", "chr1"]
    assert found["chr1"].starts.tolist() == [10, 30, 50, 20, 0]
    assert found["chr1"].ends.tolist() == [20, 40, 60, 30, 10]
    assert np.array_equal(found["chr1"].values, [np.nan, np.nan, np.nan, -32.5, 2], equal_nan=True)
    assert found["chr1"].lines.tolist() == [first + i for i in range(1, 6)]
    assert found["chr2"].lines.tolist() == [first]


def test_both_readers_give_the_same_bits(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    path = tmp_path / "a.bedGraph"
    path.write_text(
        "".join(f"{1 + i % 3:02}\t{i}\t{i + 1}\t{float(v)!r}\n" for i, v in enumerate(rng.normal(size=3000)))
    )
    fast = read_intervals(path, "bedGraph")
    by_lines_only(monkeypatch)
    slow = read_intervals(path, "bedGraph")
    assert list(fast) == list(slow) == ["01", "02", "03"]  # names, not numbers
    for name in fast:
        for field in ("starts", "ends", "values", "lines"):
            assert np.array_equal(getattr(fast[name], field), getattr(slow[name], field))


@pytest.mark.parametrize("line", [1, 2, 3])
@pytest.mark.parametrize(
    "bad",
    [
        "chr1 1_0 20 1",
        "chr1 10 20 1_0",
        "chr1 \u0663 20 1",
        "chr1 3 20 \u0663",
        "chr1 1.0 20 1",
        "chr1 1e1 20 1",
        "chr1 True 20 1",
        "chr1 3 20 True",
        "chr1 3 20 1,5",
        "chr1 3 20 0x10",
        "chr1 3 20",
        "chr1 3 20 1 1",
        "chr1 3 99999999999999999999 1",
        "chr1 3 20 inf",
        "chr1 3 20 1e400",
        "chr1 3 20 1\x00",
    ],
)
def test_a_bad_line_is_named_wherever_it_stands(tmp_path, line, bad):
    path = tmp_path / "a.bedGraph"
    rows = ["chr2 0 10 1", "chr2 10 20 2"]
    rows.insert(line - 1, bad)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"a\.bedGraph:{line}: "):
        read_intervals(path, "bedGraph")


@pytest.mark.parametrize("how", [by_columns_only, by_lines_only])
def test_of_bed_the_first_columns_are_read(tmp_path, how, monkeypatch):
    how(monkeypatch)
    path = tmp_path / "a.bed"
    path.write_text("chr1\t0\t10\tpeak\t0\t+\nchr1\t20\t25\tpeak\t0\t+\n")
    found = read_intervals(path, "BED")["chr1"]
    assert (found.starts.tolist(), found.ends.tolist(), found.lines.tolist()) == ([0, 20], [10, 25], [1, 2])


def test_bed_lines_of_unlike_length_and_comments_between(tmp_path):
    path = tmp_path / "a.bed"
    path.write_text("chr1 0 10\n# more\n\nchr1 20 25 peak 3\n")
    assert read_intervals(path, "BED")["chr1"].lines.tolist() == [1, 4]


def test_bgzip_that_lost_its_end_is_refused(tmp_path):
    path = tmp_path / "a.bedGraph.gz"
    with bgzf.open(path, "wb") as file:
        file.write(b"".join(b"chr1\t%d\t%d\t1\n" % (i, i + 1) for i in range(20_000)))
    path.write_bytes(path.read_bytes()[:-28])
    with pytest.raises(InputError, match=r"a\.bedGraph\.gz: cut short"):
        read_intervals(path, "bedGraph")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.bed: no such file"):
        read_intervals(Path(tmp_path / "none.bed"), "BED")
