"""The laws of scores, on networks with random weights."""

import numpy as np
import pytest
import torch

from multiunet.domains.genome.sequence import reverse_complement
from multiunet.domains.genome.variants.alleles import Reference, make_allele
from multiunet.domains.genome.variants.effects import Effects
from multiunet.domains.genome.variants.frames import Window
from multiunet.prediction import Ensemble
from multiunet.prediction.field import predict_field

PAIR = [1, 0, 2]
SIGNED = ("sum", "largest", "log_ratio")
DEVIATIONS = ("sum_sd", "largest_sd", "log_ratio_sd")

CHANGES = {  # start, bases removed, bases put in
    "substitution": (350, 1, [2]),
    "several bases": (350, 3, [2, 2, 1]),
    "insertion": (350, 0, [0, 3, 1, 1, 2]),
    "deletion": (350, 9, []),
    "longer than a bin": (350, 40, []),
    "in a repeat": (303, 3, []),
    "in a run": (404, 0, [0, 0]),
    "both": (350, 4, [1]),
    "near an end": (3, 2, []),
}


def allele_of(codes, start, size, alt):
    return make_allele(Reference(codes), start, codes[start : start + size], np.array(alt, dtype=np.uint8))


def scores(effect, names):
    return np.stack([getattr(effect, name) for name in names])


@pytest.mark.parametrize("name", CHANGES)
def test_swapped_alleles_flip_the_sign(name, dna, effects):
    start, size, alt = CHANGES[name]
    changed = np.concatenate([dna[:start], np.array(alt, np.uint8), dna[start + size :]])
    one, back = effects().score(
        [allele_of(dna, start, size, alt), allele_of(changed, start, len(alt), dna[start : start + size])]
    )
    assert np.allclose(scores(one, SIGNED), -scores(back, SIGNED), atol=1e-6, rtol=1e-6)
    assert np.allclose(scores(one, (*DEVIATIONS, "l2")), scores(back, (*DEVIATIONS, "l2")), atol=1e-6, rtol=1e-6)
    assert np.abs(one.sum).min() > 1e-3


@pytest.mark.parametrize("shifts", [1, 2, 3])
@pytest.mark.parametrize("name", CHANGES)
def test_the_reverse_complement_swaps_strand_pairs_alone(name, shifts, dna, effects):
    start, size, alt = CHANGES[name]
    turned = reverse_complement(dna)
    there = (turned, len(dna) - start - size, size, reverse_complement(np.array(alt, np.uint8)))
    given, other = effects(1, shifts).score([allele_of(dna, start, size, alt), allele_of(*there)])
    for field in (*SIGNED, "l2"):
        assert np.allclose(getattr(given, field), getattr(other, field)[PAIR], atol=1e-5), field


def test_equal_alleles_score_zero_exactly(dna, effects):
    same = allele_of(dna, 350, 3, dna[350:353])
    (found,) = effects().score([same])
    assert (scores(found, (*SIGNED, *DEVIATIONS, "l2")) == 0).all()


def test_the_place_in_the_chromosome_changes_nothing(dna, effects):
    moved = np.concatenate([np.full(13, 4, np.uint8), dna])
    one, other = effects().score([allele_of(dna, 350, 1, [2]), allele_of(moved, 363, 1, [2])])
    assert np.allclose(scores(one, SIGNED), scores(other, SIGNED), atol=1e-6)


def test_scores_equal_the_difference_of_two_predictions(dna, effects):
    """One sample, one place: the sum over counted bins of what the network says of the two windows."""
    scorer = effects(1, 8)
    (found,) = scorer.score([allele_of(dna, 350, 1, [(dna[350] + 1) % 4])])
    changed, model, window = dna.copy(), scorer.model, scorer.window
    changed[350] = (dna[350] + 1) % 4
    total = 0.0
    for offset in range(8):  # the base's place in its bin
        first = 350 - offset - window.centre * 8
        both = np.stack(
            [np.eye(4, dtype=np.float32)[codes[first : first + window.bases]].T for codes in (dna, changed)]
        )
        mean = predict_field(model.net, model.task, model.geometry, torch.from_numpy(both)).mean
        total += (mean[1] - mean[0])[:, window.context : -window.context].double().sum(1).numpy() / 8
    assert np.allclose(found.sum, total, atol=1e-5)


def test_deviations_are_those_of_the_difference_not_of_each_allele(dna, effects):
    scorer = effects(8)
    allele = allele_of(dna, 350, 1, [(dna[350] + 1) % 4])
    (found,) = scorer.score([allele])
    tracks = scorer.predict([codes for pair in _pairs(scorer, allele) for codes in pair])
    alone = np.nansum(tracks[0], axis=2).std(axis=0)
    assert (found.sum_sd > 0).all()
    assert (found.sum_sd < alone).all()  # what both alleles share cancels
    assert np.allclose(found.sum_z, found.sum / found.sum_sd)


def _pairs(scorer, allele):
    from multiunet.domains.genome.variants.frames import make_frames

    return [pair for frame in make_frames(allele, scorer.window, scorer.shifts) for pair in frame.pairs]


def test_one_sample_of_one_run_has_no_deviation_and_two_runs_have(dna, effects, make_model):
    allele = allele_of(dna, 350, 1, [(dna[350] + 1) % 4])
    (alone,) = effects(1).score([allele])
    assert np.isnan(alone.sum_sd).all()
    assert np.isnan(alone.sum_z).all()
    models = [make_model(seed=seed) for seed in (0, 1)]
    ensemble = Ensemble([model.net for model in models], [model.task for model in models]).eval()
    joined = Effects(
        type(models[0])(ensemble, models[0].task, models[0].geometry), torch.device("cpu"), Window(8, 41, 4), 2, 1
    )
    (both,) = joined.score([allele])
    each = [effects(1, model=model).score([allele])[0].sum for model in models]
    assert np.allclose(both.sum, np.mean(each, axis=0))
    assert np.allclose(both.sum_sd, np.std(each, axis=0))


def test_bins_beyond_the_chromosome_do_not_count(dna, effects):
    short = dna[:352]
    with_n = np.concatenate([short, np.full(300, 4, np.uint8)])
    one, other = effects().score([allele_of(short, 350, 1, [2]), allele_of(with_n, 350, 1, [2])])
    assert np.allclose(one.sum, other.sum, atol=1e-6)
