"""Plan of a training: decisions from the data and the memory there is, each with its reason.

Memory is saved in the order of what it costs: recomputing activations costs time and nothing else; a smaller batch,
accumulated to as many samples a step, costs batch statistics of fewer samples; a smaller patch costs context.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from multiunet.catalogue import CHANNELS
from multiunet.device import pick_device
from multiunet.domains.attention import check_attention
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.config.generation import DEFAULTS
from multiunet.domains.image.data.inputs import AXES
from multiunet.domains.image.data.patch_size import fit_patch, pick_sides
from multiunet.domains.image.encoding import check_encoder_weights
from multiunet.domains.image.generation.latent import latent_factor
from multiunet.domains.image.generation.planning import choose_flip, explain_generator
from multiunet.domains.image.info import RARE, ImageInfo
from multiunet.domains.image.planning.decoding import explain_decoder, shape_decoder
from multiunet.domains.image.planning.enlarging import enlarge
from multiunet.domains.image.planning.profiling import Build, Profiler
from multiunet.domains.image.planning.suiting import suit_quantities
from multiunet.domains.model import Budget, Planned
from multiunet.domains.planned import Decision, Memory, TrainingPlan, is_open, measure_memory
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.memory import amount
from multiunet.models.image_unet import choose_strides
from multiunet.prediction.run import READ_SITES
from multiunet.training.step_memory import LIBRARY_MEMORY
from multiunet.wording import listing

SAMPLES = 4
"""Samples a step, or half as many where memory is short.

Never 1: batch norms compare samples; and torch convolves a single volume of 32-bit numbers by unfolding it.
"""

FEWEST = 4
"""Sites along the longest axis below which no further level is planned."""

VALIDATION_SHARE = 0.25
"""Time that validation may take as a share of that of training."""

FEWEST_VALIDATIONS = 12
"""Validations of a training, if it has as many epochs: to choose the best epoch among."""

LARGEST_CACHE = 2 << 30
"""Most bytes of images that training keeps in memory."""

Need = Callable[[ImageTrain, ImageInfo], int]
"""Bytes that a training with these settings takes beyond what the process and the images take."""


@dataclass(frozen=True)
class Room:
    """Memory to plan for, bytes.

    Attributes:
        budget: in all.
        held: what the process, and each that loads data, has before training.
        images: bytes of images kept in memory, summed over all processes.
        asked: whether the user named the budget.
    """

    budget: int
    held: int
    images: int
    asked: bool


def find_room(config: ImageTrain, info: ImageInfo, device: torch.device) -> Room:
    """Return the memory that a training may take: as much as the settings say, or what is free."""
    free, held = measure_memory(config, device)
    budget = config.budget or config.memory or free
    processes = 1 + config.workers
    # a quarter at most: reading an image again costs less than a smaller patch
    images = min(LARGEST_CACHE, info.fingerprint.bytes * processes, budget // 4)
    return Room(budget, held * processes, images, budget != free)


def plan(config: ImageTrain, info: ImageInfo, room: Room, need: Need) -> tuple[ImageTrain, ImageInfo]:
    """Return the settings with everything decided, and the info with the plan.

    Raises:
        InputError: for a budget that the smallest plan exceeds, or given settings that do not fit the data.
    """

    def count(settings: ImageTrain) -> tuple[ImageTrain, ImageInfo, int]:
        chosen, shaped = _shaped(settings, info)
        # a tenth for what is not counted: augmentation, validation by tiles, an allocator's bad day
        return chosen, shaped, (room.held + room.images + need(chosen, shaped)) * 10 // 9

    larger: dict[str, Decision] = {}
    if config.budget is not None:
        config, larger = enlarge(config, info, lambda tried: count(tried)[2] <= room.budget, _levels)
    offers = _offers(config, info)
    for offer in offers:
        chosen, shaped, takes = count(offer)
        if takes <= room.budget:
            break
    else:
        message = (
            f"{amount(room.budget)} of memory is too little: the smallest planned training step needs about "
            f"{amount(takes)} (patch {_times(shaped.patch_size)}, batch {chosen.batch_size}, "
            f"{'with' if chosen.gradient_checkpointing else 'without'} recomputation, {amount(room.held)} for the "
            f"program itself, {amount(room.images)} for images); "
        )
        if room.asked:
            named = "memory" if config.budget is None else "budget"
            raise InputError(f"`{named}`: {message}give it as much, or choose fewer `widths` or a smaller `patch_size`")
        remark("%strying anyway", message)
    meaning = _meaning(chosen, shaped)
    reasons = _shape_reasons(chosen, shaped, room) | {name: reason for name, (_, reason) in meaning.items()}
    chosen = chosen.model_copy(update={name: value for name, (value, _) in meaning.items()})
    settings = {
        name: Decision(value=getattr(chosen, name), reason=reason)
        for name, reason in reasons.items()
        if is_open(config, name)
    } | larger
    memory = Memory(budget=room.budget, needed=takes, program=room.held, images=room.images)
    return chosen, shaped.model_copy(update={"plan": TrainingPlan(settings=settings, memory=memory)})


def decide(
    config: ImageTrain, info: ImageInfo, before: ImageInfo | None, build: Build
) -> Planned[ImageTrain, ImageInfo]:
    """Decide everything that the settings leave open, for the memory of the device; change nothing.

    Args:
        before: info of the run that goes on; None: a new one.

    Raises:
        InputError: see ``plan``.
    """
    device = pick_device(config.device)
    room = find_room(config, info, device)
    if before is not None and before.plan is not None:
        config, info = restore_plan(config, info, before)
    else:
        check_encoder_weights(config)
        config, info = plan(config, info, room, Profiler(build, device).estimate_step_memory)
    budget = Budget(cache=room.images // (1 + config.workers), sites=count_tile_sites(config, room))
    return Planned(config, info, budget)


def tune(planned: Planned[ImageTrain, ImageInfo], build: Build) -> Planned[ImageTrain, ImageInfo]:
    """Choose the memory format that the settings leave open: the faster one on this machine.

    A plan leaves it open: timing takes longer than all else that a plan does, and another machine may train.
    """
    config, info = planned.config, planned.info
    if config.memory_format is not None:
        return planned
    layout = Profiler(build, pick_device(config.device)).choose_layout(config, info)
    why = "the faster on this machine, or as fast: timed once for each network and size"
    settings = info.planned.settings | {"memory_format": Decision(value=layout, reason=why)}
    decided = info.model_copy(update={"plan": TrainingPlan(settings=settings, memory=info.planned.memory)})
    return Planned(config.model_copy(update={"memory_format": layout}), decided, planned.budget)


def count_tile_sites(config: ImageTrain, room: Room) -> int:
    """Return the sites of a validation tile that memory allows, at eight fields of the finest width."""
    spare = room.budget - room.held - room.images - LIBRARY_MEMORY
    return min(READ_SITES, max(1, spare // (8 * 4 * config.levels()[0])))


def restore_plan(config: ImageTrain, info: ImageInfo, before: ImageInfo) -> tuple[ImageTrain, ImageInfo]:
    """Return settings and info as decided when the run began, whatever memory is free now."""
    decided = {name: choice.value for name, choice in before.planned.settings.items() if is_open(config, name)}
    kept = {name: getattr(before, name) for name in ("patch_size", "strides", "plan")}
    return config.model_copy(update=decided), info.model_copy(update=kept)


def _offers(config: ImageTrain, info: ImageInfo) -> list[ImageTrain]:
    """Patch, batch and recomputation from the most generous on, in the order of what giving them up costs."""
    largest, spacing, ndim = info.fingerprint.size.largest, info.spacing, info.ndim
    patches = [info.patch_size]
    if is_open(config, "patch_size"):
        patches = list(dict.fromkeys(fit_patch(largest, spacing, side) for side in _sides(info)[ndim]))
    most = _most_samples(config, info)
    batches = (most, most // 2) if is_open(config, "batch_size") else (config.batch_size,)
    again = (False, True) if is_open(config, "gradient_checkpointing") else (config.gradient_checkpointing,)
    ways = [(patches[0], batch, recompute) for batch in batches for recompute in again]
    ways += [(patch, batches[-1], again[-1]) for patch in patches[1:]]
    offers = []
    for patch, batch, recompute in ways:
        settings: dict[str, Any] = {"batch_size": batch, "gradient_checkpointing": recompute}
        if is_open(config, "patch_size"):
            settings["patch_size"] = list(patch)
        if is_open(config, "accumulate"):
            settings["accumulate"] = most // batch if is_open(config, "batch_size") else 1
        offers.append(config.model_copy(update=settings))
    return offers


def _shaped(config: ImageTrain, info: ImageInfo) -> tuple[ImageTrain, ImageInfo]:
    """The network's levels for the patch.

    Raises:
        InputError: for given strides that do not fit the data or the widths, or attention that does not fit the patch.
    """
    # the info has one number for each axis where the settings may have one for all
    given = tuple(config.patch_size or ())
    patch = given if len(given) == info.ndim else info.patch_size
    info = info.model_copy(update={"patch_size": patch})
    factor = (1,) * info.ndim if info.generation is None else latent_factor(info)
    space = tuple(-(-side // f) for side, f in zip(patch, factor))  # of what the network is given
    widths = list(config.widths or _levels(CHANNELS[config.model], space))
    if config.encoder is not None:
        widths, strides = shape_decoder(config, info, space, FEWEST)
    elif config.strides is None:
        spacing = [apart * f for apart, f in zip(info.spacing, factor)]
        strides = [list(step) for step in choose_strides(space, spacing, len(widths) - 1)]
    else:
        strides = config.strides
        widths = list(config.widths or CHANNELS[config.model][: len(strides) + 1])
        _check_strides(strides, widths, info)
    chosen = config.model_copy(update={"widths": widths, "strides": strides})
    check_attention(chosen, space, strides, "patch_size")
    coarsest = tuple(math.prod(step) for step in zip(factor, *strides))
    if config.task == "generate" and any(side < least for side, least in zip(patch, coarsest)):
        raise InputError(
            f"`patch_size={','.join(map(str, patch))}`: a new image of this size would be smaller than a site of the "
            f"network's coarsest level, {_times(coarsest)}; choose larger patches, or fewer `widths`"
            + ("" if config.latent is None else ", or a smaller `latent`")
        )
    return chosen, info.model_copy(update={"strides": tuple(map(tuple, strides))})


def _levels(widths: Sequence[int], patch: Sequence[int]) -> list[int]:
    """Return as many of the widths as have ``FEWEST`` sites along the longest axis, two at least."""
    return list(widths)[: max(2, 1 + int(math.log2(max(patch) / FEWEST)))]


def _check_strides(strides: list[list[int]], widths: list[int], info: ImageInfo) -> None:
    shown = ";".join(",".join(map(str, step)) for step in strides)
    axes = AXES[info.ndim]
    if any(len(step) != len(axes) for step in strides):
        raise InputError(f"`strides={shown}`: the data have {len(axes)} axes; give {', '.join(axes)} for each level")
    if len(strides) != len(widths) - 1:
        raise InputError(
            f"`strides={shown}`: {len(strides)} ways down, but widths {','.join(map(str, widths))} have "
            f"{len(widths) - 1}; give one entry for each width but the first"
        )


def _shape_reasons(chosen: ImageTrain, info: ImageInfo, room: Room) -> dict[str, str]:
    largest = info.fingerprint.size.largest
    side, most = _sides(info)[info.ndim][0], _most_samples(chosen, info)
    patch, full = info.patch_size, fit_patch(largest, info.spacing, side)
    tight = f"{amount(room.budget)} of memory allow no more"
    whole = patch == largest
    own = CHANNELS[chosen.model] if info.generation is None else chosen.levels()
    fewer = len(chosen.levels()) < len(own)
    even = all(len(set(step)) == 1 for step in info.strides)
    reasons = {
        "patch_size": (
            f"{tight}, even with less of everything else"
            if patch != full
            else "the whole of the largest image"
            if whole
            else f"as wide along every axis, as many pixels as {_times([side] * info.ndim)}"
        ),
        "widths": (f"{chosen.model}'s own" if info.generation is None else "few, as a sample takes many passes")
        + (f", without those below {FEWEST} sites along the longest axis of the patch" if fewer else ""),
        "strides": "every axis is halved each time"
        if even
        else f"an axis waits while it is more than twice as coarse as the finest (spacing {_times(info.spacing)}) "
        "or too short to halve",
        "batch_size": tight if chosen.batch_size < most else _reason_of_batch(info),
        "accumulate": "as many samples a step as with enough memory" if chosen.accumulate > 1 else "a batch a step",
        "gradient_checkpointing": f"{tight}; a third more time, the same result"
        if chosen.gradient_checkpointing
        else "memory is enough without",
    }
    return reasons if chosen.encoder is None else reasons | explain_decoder(chosen, FEWEST)


def _sides(info: ImageInfo) -> Mapping[int, tuple[int, ...]]:
    made = info.generation
    return pick_sides(made is not None, made is not None and made.latent is not None)


def _most_samples(config: ImageTrain, info: ImageInfo) -> int:
    """Return the samples a step, where memory suffices and the settings do not say."""
    return SAMPLES if info.generation is None else int(DEFAULTS["batch_size"])


def _reason_of_batch(info: ImageInfo) -> str:
    if info.generation is None:
        return "enough for batch statistics of a few large patches"
    return "levels of noise differ from sample to sample, so a step needs several"


def _meaning(config: ImageTrain, info: ImageInfo) -> dict[str, tuple[Any, str]]:
    """Decisions that do not depend on memory."""
    if info.generation is not None:
        flip = bool(choose_flip(info)) if is_open(config, "flip") else config.flip
        return explain_generator(config, info, flip)
    kind = info.intensities.kind
    found: dict[str, tuple[Any, str]] = {
        "intensities": {
            "image": (kind, "each image by its own mean and deviation: exposure says nothing of what a pixel is"),
            "train": (kind, "by the training images: how bright a pixel is tells the quantity"),
            "none": (kind, "as given"),
        }[kind]
    }
    if not info.regression:
        found["loss"] = (config.loss or "dice-ce", "overlap counts classes alike, cross-entropy every pixel")
        if info.rare:
            found["oversample_classes"] = (config.oversample_classes, _tell_of_rare(info))
    else:
        reason = "learns the noise of every pixel along with the quantity"
        if info.dots is not None:
            reason = "keeps sums of the density, the counts, right"
        elif config.adversarial:
            reason = "keeps what is drawn near the truth, without favouring blurred edges as squares do"
        found["loss"] = (config.quantity_loss, reason)
        if info.dots is None:
            found |= suit_quantities(config, info)
    if config.model == "image_unet":
        found["normalization"] = (config.normalization, "tiles of a large image are predicted as the whole would be")
    steps = config.recipe().steps(info.fingerprint.images["train"])
    if config.minutes is None:
        found["epochs"] = (config.epochs, f"{config.epochs * steps} steps; more may be better")
    if not info.fingerprint.images["val"]:
        found["steps_per_epoch"] = (config.steps_per_epoch, "nothing is validated: the last weights are kept")
        return found
    found["steps_per_epoch"] = (config.steps_per_epoch, "often enough to choose the best epoch")
    if is_open(config, "validate_every"):
        found["validate_every"] = _validation(config, info, steps)
    return found


def _tell_of_rare(info: ImageInfo) -> str:
    """Say which classes are rare, and what is done about it."""
    shares = [f"{name} ({info.fingerprint.classes[name].share:.2%})" for name in info.rare]
    return (
        f"rare, below {RARE:.0%} of the pixels: {listing(shares)}. So many patches have it near their middle, and the "
        "calibration chooses on validation from which probability on a pixel is of it"
    )


def _validation(config: ImageTrain, info: ImageInfo, steps: int) -> tuple[int, str]:
    """After how many epochs of so many steps the network is validated, on whole images; and why."""
    drawn = steps * config.accumulate * config.batch_size * math.prod(info.patch_size)
    # a backward pass takes twice as long as the forward pass, and validation has only that
    share = info.fingerprint.pixels["val"] / (3 * drawn)
    apart = min(max(1, config.epochs // FEWEST_VALIDATIONS), math.ceil(share / VALIDATION_SHARE))
    if apart == 1:
        return apart, f"a validation takes less than {VALIDATION_SHARE:.0%} of the time of an epoch's training"
    return apart, f"a validation takes about {share:.1f} times as long as the training of an epoch"


def _times(numbers: Sequence[float]) -> str:
    return " x ".join(f"{n:g}" for n in numbers)
