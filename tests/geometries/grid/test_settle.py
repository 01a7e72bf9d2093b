"""A settled condition gives what the condition does, and needs none."""

import pytest
import torch

from multiunet.core import Condition
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.geometries.grid.settle import settle_condition
from multiunet.models.alphagenome import alphagenome
from multiunet.models.borzoi import borzoi
from multiunet.models.genomic import genomic_unet

MADE = {
    "unet": lambda: genomic_unet(2, 4, [6, 8], stem=4, motif=5, condition_channels=3),
    "borzoi": lambda: borzoi(2, 4, [8, 12], stem=4, transformers=1, condition_channels=3),
    "alphagenome": lambda: alphagenome(2, 1, [4, 6], stem=4, transformers=1, condition_channels=3),
}


@pytest.fixture(params=MADE)
def net(request):
    torch.manual_seed(0)
    net = MADE[request.param]().eval()
    with torch.no_grad():
        for parameter in net.parameters():  # modulation begins with zeros
            parameter += 0.1 * torch.randn_like(parameter)
    return net


def test_it_predicts_what_the_condition_gives(net):
    x, told = torch.randint(0, 5, (3, 1, 48), dtype=torch.uint8), torch.randn(1, 3)
    with torch.no_grad():
        expected = net(x, Condition(told.repeat(3, 1)))
        assert not torch.allclose(net(x), expected, atol=1e-3)
        settled = settle_condition(net, Condition(told))
        assert torch.allclose(settled(x), expected, atol=1e-6)
        assert torch.allclose(fuse_layers(settled)(x), expected, atol=1e-4)
        assert torch.allclose(settle_condition(fuse_layers(net), Condition(told))(x), expected, atol=1e-4)
        with pytest.raises(ValueError, match="which no block of the network reads"):
            settled(x, Condition(told.repeat(3, 1)))


def test_one_condition_holds_for_all(net):
    with pytest.raises(ValueError, match="2 rows; one holds for all"):
        settle_condition(net, Condition(torch.zeros(2, 3)))
