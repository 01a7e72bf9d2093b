"""Data and task of a training on a genome, in words."""

from __future__ import annotations

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.setting_types import Split
from multiunet.domains.summary import summarise_target
from multiunet.wording import counted, listing


def summarise_genome(config: GenomeTrain, info: GenomeInfo) -> dict[str, str]:
    """Return what the data are, what is learnt from them, and in which pieces."""
    words: dict[Split, str] = {"train": "to train", "val": "to validate", "test": "to test"}
    parts = []
    for split, purpose in words.items():
        names = info.split.of(split)
        bases = sum(info.chroms[name] for name in names)
        parts.append(f"{listing(list(names))} {purpose} ({bases:,} bases)" if names else f"none {purpose}")
    target = "to make DNA like this" if info.generates else summarise_target(info)
    return {
        "data": f"{config.fasta}: {'; '.join(parts)}",
        "learns": target,
        "windows": f"{counted(info.window, 'bin')} of {counted(info.bin_size, 'base')}, {config.batch_size} a step",
    }
