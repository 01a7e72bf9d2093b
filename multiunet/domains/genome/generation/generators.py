"""Generators of DNA: new sequences into FASTA files, and scores beside Markov chains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multiunet.domains.generators import Generators
from multiunet.domains.genome.config import GenomeEvaluate, GenomeSample, GenomeTrain
from multiunet.domains.genome.generation.fasta_file import FastaFile
from multiunet.domains.genome.generation.forecast import forecast_bases
from multiunet.domains.genome.generation.making import make_maker
from multiunet.domains.genome.generation.requests import read_requests
from multiunet.domains.genome.generation.scoring import score
from multiunet.domains.genome.generation.storing import make_all
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.reread import TrainingFiles
from multiunet.domains.model import Model
from multiunet.domains.result import Report
from multiunet.domains.unfinished import Unfinished
from multiunet.progress import SILENT, Progress


class GenomeGenerators(Generators[GenomeTrain, GenomeInfo]):
    """Masked diffusion of DNA.

    Args:
        files: of the training, whose chromosomes samples are compared with.
    """

    def __init__(self, files: TrainingFiles) -> None:
        self.files = files

    def open_samples(self, out: Path, attrs: Mapping[str, Any], overwrite: bool) -> FastaFile:
        return FastaFile(out, overwrite)

    def names(self, config: GenomeTrain, info: GenomeInfo, options: GenomeSample) -> list[str]:
        return [request.name for request in read_requests(options, config, info)]

    def forecast(self, model: Model, config: GenomeTrain, info: GenomeInfo, options: GenomeSample) -> dict[str, str]:
        maker = make_maker(model, config, info, options, None)
        return forecast_bases(maker, read_requests(options, config, info), options.count)

    def sample(
        self,
        model: Model,
        config: GenomeTrain,
        info: GenomeInfo,
        options: GenomeSample,
        store: FastaFile,
        kept: Unfinished,
        progress: Progress,
    ) -> None:
        requests = read_requests(options, config, info)
        make_all(make_maker(model, config, info, options, kept), requests, options, store, kept, progress)

    def score(
        self, model: Model, config: GenomeTrain, info: GenomeInfo, options: GenomeEvaluate, progress: Progress = SILENT
    ) -> Report:
        chroms = info.scored_chroms(options.split)
        codes = self.files.reread(config, info).codes
        train, held_out = ({chrom: codes[chrom] for chrom in part} for part in (info.split.train, chroms))
        return score(model, config, options, train, held_out, progress)
