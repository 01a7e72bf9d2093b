"""BED files of regions: what is left out is said."""

import numpy as np
import pytest

from multiunet.domains.genome.regions import read_regions
from multiunet.domains.genome.sequence import Genome
from multiunet.errors import InputError


@pytest.fixture
def genome(tmp_path):
    return Genome(tmp_path / "g.fa", {"chrI": np.zeros(90, np.uint8)}, {"chrI": 90})


def test_regions_of_absent_chromosomes_are_left_out_and_said(tmp_path, genome, caplog):
    path = tmp_path / "p.bed"
    path.write_text("chrI 1 5\nchrZ 3 9\nchrZ 30 90000\nchrY 1 2\n")
    assert read_regions(path, genome) == {"chrI": [(1, 5)]}
    assert f"{path}: 3 of 4 regions are left out: g.fa has no chrZ, chrY" in caplog.text


def test_a_file_of_another_genome_is_refused(tmp_path, genome):
    (tmp_path / "p.bed").write_text("chrZ 1 5\n")
    with pytest.raises(InputError, match=r"none of its chromosomes is in g\.fa: another assembly\? \(p\.bed has chrZ"):
        read_regions(tmp_path / "p.bed", genome)
