import pytest
import torch

from multiunet.domains import training
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.initial import begin_with
from multiunet.domains.runs import load, read_info
from multiunet.errors import InputError
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder


class Notes(Progress):
    """Progress that keeps what is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.notes = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def other(data, write_signal, tmp_path_factory):
    """Settings of a training on the reverse strand's signal, first, and on a new one."""
    folder = tmp_path_factory.mktemp("other")
    lengths = {"chr1": 4003, "chr2": 3000, "chr3": 2600, "chr10": 1999}
    new = write_signal(folder / "new.bedGraph", lengths, seed=5)
    reverse = str(data["targets"]).split(",")[1]
    return {**data, "targets": f"{reverse},{new}", "epochs": 1, "steps_per_epoch": 1, "lr": 1e-9, "calibrate": False}


def test_outputs_of_the_same_name_keep_their_weights(run, other, config_of):
    domain, config = GenomeDomain(), config_of({**other, "init_from": str(run)})
    torch.manual_seed(7)
    info = domain.inspect(config)
    model = domain.build(config, info)
    before = model.net.unet.head.weight.detach().clone()
    initial = begin_with(run, model, config, "genome", info)
    assert (initial.kept, initial.fresh) == (("rev",), ("new",))
    known = load(run, "cpu").net
    assert torch.equal(model.net.tower.blocks[0].layers[0].weight, known.tower.blocks[0].layers[0].weight)
    # channels: the means of (rev, new), then their log-variances; there: of (fwd, rev)
    head, there = model.net.unet.head.weight, known.unet.head.weight
    assert torch.equal(head[[0, 2]], there[[1, 3]])
    assert torch.equal(head[[1, 3]], before[[1, 3]])
    assert torch.equal(model.net.unet.head.bias[[0, 2]], known.unet.head.bias[[1, 3]])


def test_a_training_says_what_it_begins_with_and_what_it_has_learnt_from(run, other, config_of, tmp_path):
    swapped = {"val_chroms": "chr1", "test_chroms": ["chr3"]}
    config, notes = config_of({**other, **swapped, "init_from": str(run)}), Notes()
    training.train("genome", config, tmp_path / "run", progress=notes)
    (said,) = [note for note in notes.notes if "begins with" in note]
    assert "keep their weights: rev; that begin anew: new" in said
    assert "has learnt from chr1, which is held out here" in said
    stem = load(tmp_path / "run", "cpu").net.tower.blocks[0].layers[0].weight
    assert torch.allclose(stem, load(run, "cpu").net.tower.blocks[0].layers[0].weight, atol=1e-6)
    assert read_info(GenomeDomain(), RunFolder.open(tmp_path / "run")).target.names == ("rev", "new")


def test_layers_of_another_shape_begin_anew_with_the_settings_that_differ(run, other, config_of, tmp_path):
    config = config_of({**other, "widths": [8, 16], "init_from": str(run)})
    domain = GenomeDomain()
    info = domain.inspect(config)
    model = domain.build(config, info)
    said = begin_with(run, model, config, "genome", info).describe([])
    assert "(`widths` [8, 12] there, [8, 16] here)" in said
    assert "layers of other shapes begin anew: unet.bottleneck" in said
    with pytest.raises(InputError, match="nothing"):
        training.plan("genome", config_of({**other, "init_from": str(tmp_path / "nothing")}))
