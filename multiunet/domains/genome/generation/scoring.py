"""Scores of a generator of DNA, beside Markov chains fitted to the same chromosomes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from multiunet.domains.genome.config import GenomeEvaluate, GenomeTrain
from multiunet.domains.genome.generation.bound import Surprise, bound_surprise, choose_stretches
from multiunet.domains.genome.generation.data import as_codes, cut_windows
from multiunet.domains.genome.generation.making import Maker, count_sites
from multiunet.domains.genome.generation.markov import MarkovChain
from multiunet.domains.genome.generation.requests import Request
from multiunet.domains.genome.generation.spectrum import compare_spectra, count_spectra
from multiunet.domains.genome.sequence import Codes
from multiunet.domains.model import Model
from multiunet.domains.result import Report
from multiunet.progress import Progress
from multiunet.seeds import generator

ORDERS = range(6)
"""Orders of the Markov chains."""

SAMPLED = 64
"""Sequences, each as long as a training window, of which spectra are compared."""

ROUNDS = 64
"""Rounds in which these are made, as many as ``sample`` takes by default."""


def score(
    model: Model,
    config: GenomeTrain,
    options: GenomeEvaluate,
    train: Mapping[str, Codes],
    held_out: Mapping[str, Codes],
    progress: Progress,
) -> Report:
    """Return the bound on the surprise of held-out bases, and how like them new sequences are.

    Spectra are compared with that of every other held-out stretch; as many of the stretches between them show how far
    apart real ones are.

    Args:
        train, held_out: bases of the chromosomes that were trained on, and of those to score on.
    """
    window, device = config.bins_of_window(), next(model.net.parameters()).device
    stretches = cut_windows(held_out, window)
    items = {}
    total = Surprise()
    for place, (name, rows) in enumerate(stretches.items()):
        progress.start_input(name, place, len(stretches) + 1, "scoring")
        if len(rows):
            watch = progress.update_tiles
            own = bound_surprise(model.net, model.geometry, rows, 1, 2 * config.batch_size, options.seed, watch)
            total.nats, total.bases = total.nats + own.nats, total.bases + own.bases
            items[name] = _in_words(own)
    rows = choose_stretches(stretches, 1 << 16)
    reference = count_spectra([as_codes(row) for row in rows[::2]])
    progress.start_input("samples", len(stretches), len(stretches) + 1, "scoring")
    maker = Maker(model, ROUNDS, 1.0, options.seed, device, count_sites(model, None, device))
    batches = list(maker.batches([Request("samples", window)], SAMPLED))
    samples = [as_codes(row) for batch in batches for row in maker.make(batch, progress=progress)]
    metrics = _in_words(total) | compare_spectra(samples, reference)
    floor = choose_stretches({"": rows[1::2]}, SAMPLED) if len(rows) > 1 else torch.empty(0, window)
    others: dict[str, Mapping[str, Any]] = {}
    if len(floor):
        others["held-out"] = compare_spectra([as_codes(row) for row in floor], reference)
    for order in ORDERS:
        others[f"markov-{order}"] = _score_chain(order, train, held_out, window, options.seed, reference)
    made = f"{SAMPLED} samples of {window:,} bases in {ROUNDS} rounds, seed {options.seed}"
    return Report("genome", f"{options.split} split", metrics, others, items, made)


def _in_words(surprise: Surprise) -> dict[str, float]:
    scores = surprise.result()
    return {name: scores[name] for name in ("bits_per_base", "perplexity")}


def _score_chain(
    order: int, train: Mapping[str, Codes], held_out: Mapping[str, Codes], window: int, seed: int, reference: Any
) -> dict[str, float]:
    chain = MarkovChain.fit(train.values(), order)
    nats, bases = (sum(part) for part in zip(*(chain.surprise(codes) for codes in held_out.values())))
    drawn = chain.draw(SAMPLED, window, generator("markov", seed, order))
    loss = nats / max(1, bases)
    scores = {"bits_per_base": loss / math.log(2), "perplexity": math.exp(loss)}
    return scores | compare_spectra(list(np.asarray(drawn)), reference)
