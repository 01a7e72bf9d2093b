"""Files of annotation, known by their names and their first lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from multiunet.domains.genome.annotation import bed, gff, sgd
from multiunet.domains.genome.annotation.features import FeatureFile, list_types
from multiunet.domains.unpack import iter_lines
from multiunet.errors import InputError

FORMATS = "GFF3 or GTF (.gff3, .gff, .gtf), BED or narrowPeak (.bed, .narrowPeak), or SGD's table of features (.tab)"


def read_features(path: Path, types: Sequence[str] = ()) -> FeatureFile:
    """Read an annotation: GFF3, GTF, BED, narrowPeak or SGD's table of features; plain, gzip or bgzip.

    Args:
        types: that are looked for, which decide how a BED file is read; see ``bed``.

    Raises:
        InputError: for a file that is none of these, a line that is wrong, or a file without features.
    """
    name = path.name.lower().removesuffix(".gz").removesuffix(".bgz")
    lines = ((number, line) for number, line in iter_lines(path) if line)
    if name.endswith((".gff3", ".gff", ".gtf", ".gff2")):
        found = gff.read(path, lines)
    elif name.endswith((".bed", ".narrowpeak", ".broadpeak", ".gappedpeak")):
        found = bed.read(path, lines, types)
    elif name.endswith((".tab", ".tsv", ".txt")):
        found = sgd.read(path, lines)
    else:
        raise InputError(f"{path}: is not named like an annotation; it is to be {FORMATS}, plain or .gz")
    if not found.features:
        raise InputError(f"{path}: has no feature")
    return found


def check_types(files: Sequence[FeatureFile], types: Sequence[str]) -> list[str]:
    """Return the types to learn: those asked for, or the only one that there is.

    Raises:
        InputError: where none was asked for and there are several, with their numbers.
    """
    if types:
        return list(dict.fromkeys(types))
    counts = Counter(feature.type for file in files for feature in file.features)
    if len(counts) > len(files):
        raise InputError(f"{files[0].path}: say by `types` which features to learn; there are {list_types(counts)}")
    return list(counts)
