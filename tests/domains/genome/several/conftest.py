"""Two small genomes and a table of them, and a run on both."""

from pathlib import Path

import pytest

from multiunet.domains import training
from multiunet.progress import Progress

LENGTHS = {"chr1": 4003, "chr2": 3000, "chr3": 2600}
OTHERS = {"I": 3000, "II": 2500, "III": 2000}


@pytest.fixture(scope="session")
def table(tmp_path_factory, write_fasta, write_signal) -> Path:
    """Genome ``one`` has the tracks ``a`` and ``b``, genome ``two`` ``a`` alone; a dose and an organism of each."""
    folder = tmp_path_factory.mktemp("several")
    write_fasta(folder / "one.fa", LENGTHS, 1)
    write_fasta(folder / "two.fa", OTHERS, 2)
    write_signal(folder / "a.bedGraph", LENGTHS, 3)
    write_signal(folder / "b.bedGraph", LENGTHS, 4)
    write_signal(folder / "other.bedGraph", OTHERS, 5)
    rows = [
        "name\tfasta\ttargets\tval_chroms\ttest_chroms\torganism\tdose",
        "one\tone.fa\ta.bedGraph,b.bedGraph\tchr2\tchr3\tyeast\t1",
        "two\ttwo.fa\ta=other.bedGraph\tII\tIII\tcandida\t3",
    ]
    (folder / "genomes.tsv").write_text("\n".join(rows) + "\n")
    return folder / "genomes.tsv"


@pytest.fixture(scope="session")
def settings(table, data) -> dict[str, object]:
    left_out = ("targets", "val_chroms", "test_chroms")
    quick = {name: value for name, value in data.items() if name not in left_out}
    return {**quick, "fasta": str(table), "conditions": "organism,dose:number"}


@pytest.fixture(scope="session")
def several(settings, tmp_path_factory, config_of) -> Path:
    out = tmp_path_factory.mktemp("runs") / "several"
    training.train("genome", config_of(settings), out, progress=Progress())
    return out
