import pytest
import torch

from multiunet.core import Condition
from multiunet.domains import training
from multiunet.domains.genome import layout
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.genome.network import build_network, level_strides
from multiunet.domains.runs import read_info
from multiunet.errors import InputError
from multiunet.geometries.channels_last import lies_last
from multiunet.models.alphagenome import alphagenome
from multiunet.models.borzoi import borzoi
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder

LONG = {"borzoi": (borzoi, 8), "alphagenome": (alphagenome, 1)}


def small(name: str, **options):
    torch.manual_seed(0)
    build, bin_size = LONG[name]
    return build(2, bin_size, [8, 12, 16], stem=6, motif=5, transformers=2, dropout=0.0, **options)


@pytest.mark.parametrize("name", LONG)
def test_long_networks_attend_across_and_commute_with_the_reverse_complement(name):
    net = small(name, strand_pair=[1, 0])
    codes = torch.randint(0, 4, (1, 1, net.bin_size * 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    net(codes)
    net.eval()
    turned = (codes.flip(2) ^ 3).clamp(max=4)
    assert torch.allclose(net(turned), net(codes).flip(2)[:, [1, 0]], atol=1e-5)
    other = codes.clone()
    other[..., -net.bin_size :] ^= 1  # the last bin changes what is said of the first
    assert not torch.equal(net(other)[..., 0], net(codes)[..., 0])
    assert net.receptive_field().everywhere is not None


@pytest.mark.parametrize("name", LONG)
def test_recomputed_activations_give_the_same_gradients(name):
    one, other = small(name), small(name, gradient_checkpointing=True)
    assert list(one.state_dict()) == list(other.state_dict())
    codes = torch.randint(0, 4, (2, 1, 8 * 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    for net in (one, other):
        net(codes).square().mean().backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(one.parameters(), other.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), other.buffers()))  # statistics were counted once


def test_an_organism_is_a_label_that_modulates_the_trunk():
    net = small("alphagenome", organisms=3)
    for parameter in net.parameters():  # modulations begin at zero
        torch.nn.init.normal_(parameter, std=0.2)
    net.eval()
    codes = torch.zeros(2, 1, 32, dtype=torch.uint8)
    said = net(codes, Condition(labels=torch.tensor([0, 2])))
    assert not torch.allclose(said[0], said[1], atol=1e-3)
    assert torch.allclose(net(codes, Condition(labels=torch.tensor([2, 2])))[0], said[1], atol=1e-5)


def test_published_sizes_follow_from_the_defaults(monkeypatch):
    for name in ("kaiming_normal_", "kaiming_uniform_", "uniform_", "normal_"):
        monkeypatch.setattr(torch.nn.init, name, lambda w, *a, **k: w)  # takes seconds
    with torch.device("meta"):
        net = borzoi(1)
    assert [block.layers[0].out_channels for block in net.tower.blocks] == [512, 608, 736, 896, 1056]
    assert net.unet.channels == (1280, 1536, 1536)
    assert net.receptive_field().tile_stride == (128,)


def test_the_faster_layout_is_kept_and_a_run_goes_on_with_it(data, config_of, tmp_path, monkeypatch):
    asked = []

    def prefers(question, ask):
        asked.append(question)
        return True

    monkeypatch.setattr(layout, "remembered", prefers)
    config = config_of({**data, "epochs": 1, "calibrate": False})
    training.train("genome", config, tmp_path / "run", progress=Progress())
    run = RunFolder.open(tmp_path / "run")
    assert run.config()["memory_format"] == run.dataset()["memory_format"] == "channels-last"
    net = (
        GenomeDomain()
        .build(config.model_copy(update={"memory_format": "channels-last"}), read_info(GenomeDomain(), run))
        .net
    )
    assert lies_last(net.tower.blocks[0].layers[0].weight)
    training.train("genome", config, tmp_path / "run", resume="auto", progress=Progress())
    assert len(asked) == 1  # is not timed again


def test_settings_have_the_defaults_of_their_network(config_of, tmp_path):
    given = {"fasta": "x.fa", "targets": "y.bw", "val_chroms": "a"}
    config = config_of({**given, "network": "borzoi"})
    assert (config.bin_size, config.widths, config.attention_blocks) == (32, [160, 192, 192], 4)
    assert level_strides(config) == [2, 2]
    assert config_of({**given, "network": "borzoi", "bin_size": 8}).bin_size == 8
    assert config_of(given).bin_size == 128
    with pytest.raises(InputError, match="`network=borzoi` has add"):
        config_of({**given, "network": "borzoi", "skip": "concat"})
    with pytest.raises(InputError, match="`network` is not for `task=generate`"):
        config_of({"fasta": "x.fa", "val_chroms": "a", "task": "generate", "network": "borzoi"})
    tiny = config_of(
        {**given, "network": "alphagenome", "widths": [4, 6, 8], "stem_channels": 4, "attention_blocks": 1}
    )
    assert build_network(tiny, 1, [0])(torch.zeros(1, 4, 17)).shape == (1, 1, 17)
    with pytest.raises(InputError, match="more than 4,096"):
        GenomeDomain().inspect(tiny.model_copy(update={"window": 20_000}))
