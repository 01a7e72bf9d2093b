"""A decoding of a stretch gives what the whole one gives there."""

import pytest
import torch

from multiunet.domains.genome.mutagenesis.middle import Middle
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.models.alphagenome import alphagenome
from multiunet.models.borzoi import borzoi
from multiunet.models.genomic import genomic_unet

MADE = {
    "unet": lambda: genomic_unet(2, 1, [6, 8, 8], stem=4, motif=5),
    "fused": lambda: fuse_layers(genomic_unet(2, 1, [6, 8], stem=4, motif=5).eval()),
    "gates": lambda: genomic_unet(2, 1, [6, 8], stem=4, motif=5, skip="attention"),
    "borzoi": lambda: borzoi(2, 1, [8, 12], stem=4, transformers=1),
    "alphagenome": lambda: alphagenome(2, 1, [4, 6, 6], stem=4, transformers=1),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(("low", "high"), [(40, 70), (0, 50), (90, 128), (0, 128)])
def test_a_stretch_is_what_the_whole_is_there(name, low, high):
    torch.manual_seed(0)
    unet = MADE[name]().eval().unet
    middle = Middle(unet, low, high, 128)
    assert middle.is_all == (name == "gates" or high - low == 128)
    with torch.no_grad():
        trail = unet.encode(torch.randn(2, unet.in_channels, 128))
        expected = unet.decode(trail)
        for shared in (False, True):
            cut = middle.cut(trail)
            found = middle.decode(unet.share(cut) if shared else cut)
            assert torch.allclose(found[..., low:high], expected[..., low:high], atol=1e-6)
