"""Genomes: DNA sequence (FASTA) to signals in bins along its chromosomes (bigWig, bedGraph)."""

from multiunet.domains.card import DomainCard
from multiunet.domains.genome.config import GenomeEvaluate, GenomePredict, GenomeTrain

CARD = DomainCard(
    name="genome",
    summary="DNA sequence (FASTA) to signals along chromosomes (bigWig, bedGraph), bin by bin",
    train=GenomeTrain,
    predict=GenomePredict,
    evaluate=GenomeEvaluate,
    implementation="multiunet.domains.genome.domain:GenomeDomain",
)
