"""Genomes: DNA sequence (FASTA) to signals in bins along its chromosomes (bigWig, bedGraph)."""

from multiunet.domains.genome.attribution.settings import GenomeAttribute
from multiunet.domains.genome.config import GenomeEvaluate, GenomeMeasure, GenomePredict, GenomeSample, GenomeTrain
from multiunet.domains.genome.mutagenesis.settings import GenomeMutagenesis
from multiunet.domains.genome.variants.settings import GenomeVariants
from multiunet.domains.spec import DomainSpec

SPEC = DomainSpec(
    name="genome",
    summary="DNA sequence (FASTA) to signals along chromosomes (bigWig, bedGraph), bin by bin; or to new DNA",
    train=GenomeTrain,
    predict=GenomePredict,
    evaluate=GenomeEvaluate,
    sample=GenomeSample,
    measure=GenomeMeasure,
    measured=(),
    implementation="multiunet.domains.genome.domain:GenomeDomain",
    groups="chromosomes",
    plans=True,
    checks=True,
    questions={"variants": GenomeVariants, "mutagenesis": GenomeMutagenesis, "attribute": GenomeAttribute},
)
