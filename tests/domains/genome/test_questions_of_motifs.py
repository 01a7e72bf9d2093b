"""Variants, mutagenesis and attribution of a planted motif, with a network that sees nothing but the motif."""

import numpy as np
import pytest
import torch
from multiunet_datasets.synthetic import MOTIF, genome_with_motifs
from multiunet_datasets.variants import find_motifs, variants_of_motifs

from multiunet.domains.genome.attribution.gradients import Gradients
from multiunet.domains.genome.mutagenesis.saturation import Saturation
from multiunet.domains.genome.panels import Panel
from multiunet.domains.genome.variants.alleles import Reference, as_codes, make_allele
from multiunet.domains.genome.variants.effects import Effects
from multiunet.domains.genome.variants.frames import Window
from multiunet.domains.model import Model
from multiunet.models.genomic import genomic_unet
from multiunet.tasks import Regression

BIN = 10
BINS = 41
CPU = torch.device("cpu")


def motif_model(motif: str = MOTIF) -> Model:
    """Return a model whose first layer fires at the whole motif alone, so that its output is constant without one."""
    torch.manual_seed(0)
    net = genomic_unet(1, BIN, channels=[4, 6], stem=4, motif=2 * len(motif) + 1, dropout=0.3)
    conv, norm = net.tower.blocks[0].layers[0], net.tower.blocks[0].layers[1]
    with torch.no_grad():
        conv.weight.zero_()
        for place, letter in enumerate(motif):
            conv.weight[0, "ACGT".index(letter), place] = 1.0
        norm.bias[0] = 0.5 - len(motif)
        for module in net.modules():  # He's weights, all of one sign, so that nothing cancels
            if isinstance(module, torch.nn.Conv1d) and module is not conv:
                module.weight.abs_()
    return Model(net.eval(), Regression(["signal"], "mse"), net.unet.geometry)


def codes_of(letters: str) -> np.ndarray:
    return np.array(["ACGT".index(letter) for letter in letters], dtype=np.uint8)


def planted(at: int = 205) -> str:
    """Bases of a window without the motif but at one place."""
    rng = np.random.default_rng(3)
    letters = "".join(rng.choice(list("ACGT"), BINS * BIN))
    # CC: no change of one base before the motif makes another of the other strand, which overlaps it
    letters = letters[: at - 2] + "CC" + MOTIF + letters[at + len(MOTIF) :]
    assert find_motifs(letters) == [at]
    return letters


def test_broken_motifs_score_and_other_variants_do_not():
    sequences, _ = genome_with_motifs(2, 6000)
    rows = variants_of_motifs(sequences, count=6, near=420)
    alleles = [
        make_allele(Reference(codes_of(sequences[chrom])), pos - 1, as_codes(ref), as_codes(alt))
        for chrom, pos, _, ref, alt in rows
    ]
    found = Effects(motif_model(), CPU, Window(BIN, BINS, 6), samples=3).score(alleles)
    scores = {name: effect for (_, _, name, _, _), effect in zip(rows, found)}
    broken = np.array([effect.sum[0] for name, effect in scores.items() if name.startswith("broken")])
    others = np.array([effect.sum[0] for name, effect in scores.items() if name.startswith("background")])
    assert len(broken) == 6
    assert len(others) >= 3
    assert (np.abs(broken) > 1e-3).all()
    assert np.abs(others).max() < 1e-3 * np.abs(broken).min()
    assert (np.sign(broken) == np.sign(broken[0])).all()


def test_mutagenesis_finds_the_bases_of_the_motif():
    letters = planted()
    places = list(range(195, 225))
    counted = np.ones(BINS, dtype=bool)
    changes = Saturation(motif_model(), CPU, counted, 1).changes(codes_of(letters), places)[0, 0]
    contribution = np.abs(changes.sum(axis=0) / 3)
    of_motif = np.array([205 <= place < 205 + len(MOTIF) for place in places])
    assert contribution[of_motif].min() > 1e-3
    assert contribution[~of_motif].max() < 1e-3 * contribution[of_motif].min()


@pytest.mark.parametrize("method", ["input-x-gradient", "integrated-gradients"])
def test_attribution_finds_the_bases_of_the_motif(method):
    pytest.importorskip("captum")
    codes = codes_of(planted())
    panel = Panel(0, codes, np.ones(BINS, dtype=bool), np.arange(195, 225))
    (found,) = Gradients(motif_model(), CPU, method, 64, samples=1).attribute(panel, 0)
    contribution = np.abs(found.hypothetical[codes[195:225], np.arange(30)])
    of_motif = (np.arange(195, 225) >= 205) & (np.arange(195, 225) < 205 + len(MOTIF))
    assert contribution[of_motif].mean() > 5 * contribution[~of_motif].mean()
