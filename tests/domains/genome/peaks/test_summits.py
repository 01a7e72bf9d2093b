"""Summits of narrowPeak files are where windows lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.genome.peaks.summits import read_summits
from multiunet.domains.genome.sequence import Genome
from multiunet.errors import InputError

GENOME = Genome(Path("g.fa"), {"chrI": np.zeros(900, np.uint8)}, {"chrI": 900})


def write(path, *rows):
    path.write_text(
        "".join(f"{chrom}\t{start}\t{end}\tp\t9\t.\t3\t4\t5\t{summit}\n" for chrom, start, end, summit in rows)
    )
    return path


def test_summits_count_from_the_start_of_their_peak(tmp_path):
    rows = [("I", 100, 200, 0), ("I", 300, 400, 99), ("I", 300, 400, 20), ("I", 500, 600, -1), ("X", 0, 9, 1)]
    path = write(tmp_path / "p.narrowPeak", *rows)
    assert read_summits(path, GENOME) == {("chrI", 100, 200): [100], ("chrI", 300, 400): [399, 320]}
    assert read_summits(write(tmp_path / "p.bed", *rows), GENOME) == {}


@pytest.mark.parametrize("summit", [100, "1.5", "-2", "x"])
def test_a_summit_outside_its_peak_is_refused(tmp_path, summit):
    path = write(tmp_path / "p.narrowPeak", ("chrI", 1, 9, 3), ("chrI", 100, 200, summit))
    with pytest.raises(InputError, match=r"p\.narrowPeak:2: the summit \(column 10\) is .* 0 to 99, or is -1"):
        read_summits(path, GENOME)


def test_windows_lie_around_summits(data, tmp_path, config_of):
    path = write(tmp_path / "p.narrowPeak", ("chr1", 300, 500, 10), ("chr1", 300, 500, 150), ("chr1", 900, 1000, -1))
    domain, config = GenomeDomain(), config_of({**data, "peaks": str(path), "negatives": 0})
    info = domain.inspect(config)
    centres = domain.training_data(config, info, domain.build(config, info)).centres
    assert centres.places == (("chr1", 310), ("chr1", 450), ("chr1", 950))
