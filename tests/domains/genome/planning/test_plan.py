from __future__ import annotations

import pytest
import torch

from multiunet.domains import training
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.domain import GenomeDomain
from multiunet.domains.genome.planning import plan as planning
from multiunet.domains.genome.planning.length import decide_length
from multiunet.domains.genome.planning.plan import decide, measure_step
from multiunet.domains.genome.planning.size import choose_size
from multiunet.errors import InputError
from multiunet.progress import Progress

YEAST, HUMAN = 9_000_000, 2_500_000_000


def config(**settings) -> GenomeTrain:
    return GenomeTrain(fasta="g.fa", targets=["s.bw"], val_chroms=["chr2"], **settings)


def test_a_yeast_in_wide_bins_is_trained_as_before() -> None:
    found = decide_length(config(bin_size=1000), YEAST, 1_500_000)
    assert (found["epochs"][0], found["steps_per_epoch"][0], found["most_epochs"][0]) == (30, 25, 120)
    assert "36 cover the 9,000,000 bases" in found["steps_per_epoch"][1]


def test_narrow_bins_take_as_many_windows_as_cover_the_genome_16_times() -> None:
    steps = decide_length(config(bin_size=10), YEAST, 1_500_000)["steps_per_epoch"][0]
    window = config(bin_size=10).bins_of_window() * 10
    assert 30 * 4 * steps * window / YEAST == pytest.approx(16, rel=0.02)


def test_a_large_genome_is_limited_and_validated_less_often() -> None:
    found = decide_length(config(window=1024), HUMAN, 250_000_000)
    assert 30 * 4 * found["steps_per_epoch"][0] == pytest.approx(100_000, rel=0.01)
    assert found["validate_every"][0] == 2


def test_given_lengths_are_obeyed() -> None:
    found = decide_length(config(bin_size=10, epochs=7), YEAST, 1_500_000)
    assert "epochs" not in found
    assert "most_epochs" not in found
    assert "steps_per_epoch" not in decide_length(config(steps_per_epoch=3), YEAST, 1_500_000)


def test_size_grows_with_the_genome() -> None:
    sizes = [choose_size(bases) for bases in (YEAST, 100_000_000, HUMAN)]
    assert [size.widths[0] for size in sizes] == [32, 64, 128]
    assert sizes[0].attention == "none"
    assert sizes[-1].attention == "window"


def test_short_memory_recomputes_then_divides_the_batch(data, monkeypatch, config_of) -> None:
    domain, settings = (
        GenomeDomain(),
        config_of({**{k: v for k, v in data.items() if k != "batch_size"}, "memory": "1GB"}),
    )
    info = domain.inspect(settings)
    monkeypatch.setattr(planning, "measure_memory", lambda config, device: (10**12, 0))
    monkeypatch.setattr(planning, "_bound", lambda offer: 10**12)
    for need, batch, recompute, again in ((8, 4, False, 1), (11, 4, True, 1), (21, 2, True, 2), (41, 1, True, 4)):
        monkeypatch.setattr(
            planning, "measure_step", lambda offer, *_, need=need: need * 10**8 * offer.batch_size // 4
            // (2 if offer.gradient_checkpointing else 1)
        )  # fmt: skip
        chosen = decide(settings, info, None, domain.build).config
        assert (chosen.batch_size, chosen.gradient_checkpointing, chosen.accumulate) == (batch, recompute, again), need
    monkeypatch.setattr(planning, "measure_step", lambda *_: 10**12)
    with pytest.raises(InputError, match=r"`memory`: 1\.0 GB of memory is too little"):
        decide(settings, info, None, domain.build)


def test_recomputation_takes_less_memory_where_bins_are_narrow(data, config_of) -> None:
    domain, settings = GenomeDomain(), config_of({**data, "bin_size": 1, "window": 2048, "batch_size": 16})
    info = domain.inspect(settings)
    plain, saving = (
        measure_step(
            settings.model_copy(update={"gradient_checkpointing": again}), info, domain.build, torch.device("cpu")
        )
        for again in (False, True)
    )
    assert saving < plain


def test_a_plan_can_be_timed_and_a_run_keeps_it(data, tmp_path, config_of) -> None:
    settings = config_of({name: value for name, value in data.items() if name != "epochs"} | {"steps_per_epoch": 1})
    made = training.plan("genome", settings)
    assert made.config.most_epochs == 4 * made.config.epochs
    assert made.info.facts()["bases"]["val"] == 3000
    assert "while validation improves" in made.summarise()["time"]
    quick = config_of({**data, "epochs": 1})
    training.train("genome", quick, tmp_path / "run", progress=Progress())
    again = training.plan("genome", quick, tmp_path / "run", resume="auto")
    assert again.config.most_epochs is None
    assert again.info.plan is not None
