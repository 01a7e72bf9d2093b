"""Tables of targets mean what they mean to baskerville."""

import numpy as np
import pytest

from multiunet.domains.genome.targets_table import Target, open_targets
from multiunet.errors import InputError

HEAD = "\tidentifier\tfile\tclip\tclip_soft\tscale\tsum_stat\tstrand_pair\tdescription\n"


def write(tmp_path, text, files=("a.bw", "b.bw")):
    for name in files:
        (tmp_path / name).write_text("")
    (tmp_path / "t.tsv").write_text(text)
    return tmp_path / "t.tsv"


def test_lines_are_signals_with_their_partners(tmp_path):
    table = write(tmp_path, HEAD + "0\tone\ta.bw\t384\t320\t0.5\tsum_sqrt\t1\tRNA +\n1\ttwo\tb.bw\t\t\t\t\t0\t\n")
    found = open_targets([table])
    assert found.partners == [1, 0]
    assert found.signals[0] == Target(tmp_path / "a.bw", "one", 0.5, "sum_sqrt", 320, 384)
    assert found.signals[1] == Target(tmp_path / "b.bw", "two")
    assert open_targets([tmp_path / "a.bw"]).signals == [Target(tmp_path / "a.bw")]
    named = write(tmp_path, "identifier\tfile\tstrand_pair\none\ta.bw\ttwo\ntwo\tb.bw\tone\n")
    assert open_targets([named]).partners == [1, 0]


def test_values_are_those_of_baskerville():
    values = np.array([0.0, 1.0, 30.0, np.nan], dtype=np.float32)
    for statistic, pooled in (
        ("mean", 0.5 * values),
        ("sum", 32 * 0.5 * values),
        ("sum_sqrt", -1 + np.sqrt(1 + 32 * 0.5 * values)),
        ("sum_exp75", -1 + (1 + 32 * 0.5 * values) ** 0.75),
        ("peak", np.clip(np.sqrt(0.5 * values * 4), 0, 1)),
    ):
        expected = pooled.copy()
        above = expected > 5
        expected[above] = 5 - 1 + np.sqrt(expected[above] - 5 + 1)
        expected = np.clip(expected, -8, 8)
        found = Target("x", "x", 0.5, statistic, 5, 8).apply(values, 32)
        assert np.allclose(found, expected, equal_nan=True, rtol=1e-6), statistic


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("identifier\tpath\na\ta.bw\n", "has no column 'file' in its first line \\(identifier, path\\)"),
        ("identifier\tfile\na\tnone.bw\nb\tnone2.bw\n", r"none\.bw is not there \(2 of 2 files are missing\)"),
        ("identifier\tfile\n", "names no signal"),
        ("identifier\tfile\na\t\n", "t.tsv:2: has no file"),
        ("identifier\tfile\tsum_stat\na\ta.bw\tmax\n", "t.tsv:2: sum_stat 'max' is none of mean"),
        ("identifier\tfile\tclip\na\ta.bw\tx\n", "t.tsv:2: clip is 'x'"),
        ("identifier\tfile\tstrand_pair\na\ta.bw\t7\n", "t.tsv:2: strand_pair '7'"),
        ("identifier\tfile\tstrand_pair\na\ta.bw\t1\nb\tb.bw\t1\n", "is paired with b"),
    ],
)
def test_bad_tables_are_named(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        open_targets([write(tmp_path, text)])


def test_roots_of_negative_values_are_refused():
    with pytest.raises(InputError, match="has values below 0"):
        Target("a.bw", "a", statistic="sum_sqrt").apply(np.array([-1.0], dtype=np.float32), 1)
