"""All readers of files, by name."""

from __future__ import annotations

from tests.faults.fuzz.genome_tables import GENOME_TABLES
from tests.faults.fuzz.genomes import GENOMES
from tests.faults.fuzz.graphs import GRAPHS
from tests.faults.fuzz.image_tables import IMAGE_TABLES
from tests.faults.fuzz.images import IMAGES
from tests.faults.fuzz.molecules import MOLECULES
from tests.faults.fuzz.reader import Reader
from tests.faults.fuzz.runs import RUNS
from tests.faults.fuzz.volumes import VOLUMES

READERS: dict[str, Reader] = {
    **IMAGES,
    **VOLUMES,
    **IMAGE_TABLES,
    **GENOMES,
    **GENOME_TABLES,
    **GRAPHS,
    **MOLECULES,
    **RUNS,
}
"""By name; see the folder's other files."""
