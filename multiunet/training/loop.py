"""The training loop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor, nn

from multiunet.core import Encoder, Geometry
from multiunet.device import computes_in_bf16, pick_device
from multiunet.errors import RunError
from multiunet.progress import Progress
from multiunet.seeds import derive
from multiunet.tasks import Task
from multiunet.training.average import MovingAverage
from multiunet.training.checkpoint import Checkpoint, flatten_optimizer, save, unflatten_optimizer
from multiunet.training.data import Sample, TrainingData
from multiunet.training.loader import EpochSampler, loader, loading
from multiunet.training.recipe import Recipe
from multiunet.training.run_folder import RunFolder
from multiunet.training.schedule import schedule
from multiunet.training.signals import Stopped, StopRequest, stop_requests

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces its precision at every start

SAVE_SECONDS = 60.0
"""How often the state is saved, at whatever step. When it is saved does not change what comes out."""

Validate = Callable[[nn.Module], Mapping[str, Any]]


class Diverged(RunError):
    """The loss is no longer a number."""


@dataclass
class State:
    """How far a run is; all else that matters is a function of it and of the seed.

    Attributes:
        epoch, step: complete epochs, and complete steps of the one under way.
        loss: sum of the losses of those steps.
        seconds: time spent in the epoch under way.
        best: the best validation score and minus its loss, so that tuples compare; None before the first.
        best_epoch: when that was.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    best: tuple[float, float] | None = None
    best_epoch: int = -1


def fit(
    net: nn.Module,
    task: Task,
    geometry: Geometry[Any],
    data: TrainingData[Any],
    validate: Validate | None,
    *,
    monitor: str,
    run: RunFolder,
    recipe: Recipe | None = None,
    resume: Checkpoint | None = None,
    progress: Progress | None = None,
    save_seconds: float = SAVE_SECONDS,
) -> State:
    """Trains ``net`` in place; the best weights on validation are in the run folder.

    Args:
        validate: scores the network (evaluation mode, no gradients); returns ``loss`` and ``monitor`` among others.
            None: nothing is validated, and the last weights are the best.
        monitor: the score, higher is better, that chooses the best; the lower loss breaks ties.
        resume: a checkpoint of this run to go on from; the result has the same bits as without interruption, on a GPU
            as far as torch's operators there repeat theirs (see ``torch.use_deterministic_algorithms``).
        save_seconds: how often the state is saved: what a crash can cost. It is also saved after the first step, at
            the end and on a signal.

    Raises:
        ValueError: when there are no data.
        Stopped: after SIGTERM, SIGINT or SIGHUP, with everything saved.
        Diverged: when the loss is not finite.
        RunError: when a process that loads data was killed.
    """
    trainer = _Trainer(net, task, geometry, data, validate, monitor, run, recipe or Recipe(), save_seconds)
    if resume is not None:
        trainer.restore(resume)
    with progress or Progress() as shown, stop_requests() as request, loading(trainer.batches):
        return trainer.run_all(shown, request)


class _Trainer:
    def __init__(
        self,
        net: nn.Module,
        task: Task,
        geometry: Geometry[Any],
        data: TrainingData[Any],
        validate: Validate | None,
        monitor: str,
        run: RunFolder,
        recipe: Recipe,
        save_seconds: float,
    ) -> None:
        if not len(data):
            raise ValueError("there is nothing to train on: the data have no items")
        self.task, self.geometry, self.recipe = task, geometry, recipe
        self.validate, self.monitor, self.run = validate, monitor, run
        device = pick_device(recipe.device)
        bf16 = computes_in_bf16(recipe.precision, device)
        # by number where one is named: one of a kind would be the first
        devices = 1 if device.index is None else [device.index]
        precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if bf16 else "32-true"
        # one process, whatever the batch system: in a SLURM job of several tasks Fabric would wait for as many
        alone = LightningEnvironment()
        self.fabric = Fabric(accelerator=device.type, devices=devices, precision=precision, plugins=[alone])
        self.raw = net.to(device)
        self.optimizer = _optimizer(net, recipe)
        self.net, self.wrapped_optimizer = self.fabric.setup(net, self.optimizer)
        self.deep = getattr(net, "deep_supervision", 0) > 0
        if self.deep:
            self.net.mark_forward_method("outputs")
        self.steps = recipe.steps(len(data))
        self.rate = schedule(recipe.schedule, self.steps * recipe.epochs, recipe.warmup)
        self.average = MovingAverage(net, recipe.ema) if recipe.ema else None
        self.sampler = EpochSampler(len(data), recipe.batch_size, self.steps * recipe.accumulate, recipe.seed)
        self.batches = loader(data, geometry, self.sampler, recipe.seed, recipe.workers)
        self.state = State()
        self.save_seconds, self.saved = save_seconds, -math.inf

    def restore(self, checkpoint: Checkpoint) -> None:
        self.raw.load_state_dict(checkpoint.part("model"))
        if self.average is not None:
            self.average.net.load_state_dict(checkpoint.part("average"))
        self.optimizer.load_state_dict(unflatten_optimizer(checkpoint.part("optimizer"), checkpoint.state["optimizer"]))
        known = dict(checkpoint.state["progress"])
        known["best"] = None if known["best"] is None else tuple(known["best"])
        self.state = State(**known)

    def run_all(self, progress: Progress, request: StopRequest) -> State:
        state, recipe = self.state, self.recipe
        progress.start_training(self.steps * recipe.epochs, self.steps * state.epoch + state.step, self.monitor)
        while state.epoch < recipe.epochs and not self.out_of_patience():
            self.train_epoch(progress, request)
            row = {"epoch": state.epoch + 1, "loss": state.loss / self.steps, "lr": self._lr(self.steps - 1)}
            last = state.epoch == recipe.epochs - 1
            due = last or (self.validate is not None and (state.epoch + 1) % recipe.validate_every == 0)
            best = due and self.score(row)
            row["seconds"] = round(state.seconds, 3)
            self.run.log(row)
            progress.add_epoch(row, best)
            state.epoch, state.step, state.loss, state.seconds = state.epoch + 1, 0, 0.0, 0.0
            if request.signum is not None:
                break
            self.save_when_due()
        self.save()
        if self.out_of_patience():
            progress.note(f"stopped early: {self.monitor} has not improved for {recipe.patience} epochs")
        elif state.epoch < recipe.epochs and request.signum is not None:
            raise Stopped(request.signum)
        return state

    def out_of_patience(self) -> bool:
        """Whether the last better score is too long ago, asked of epochs that were validated."""
        patience, state = self.recipe.patience, self.state
        if patience is None or self.validate is None or state.epoch % self.recipe.validate_every:
            return False
        return state.epoch - 1 - state.best_epoch >= patience

    def train_epoch(self, progress: Progress, request: StopRequest) -> None:
        """From the state's step to the end of its epoch."""
        state, recipe = self.state, self.recipe
        self.raw.train()
        self.sampler.epoch, self.sampler.first = state.epoch, state.step * recipe.accumulate
        batches = iter(self.batches)
        started, before = time.monotonic(), state.seconds
        while state.step < self.steps:
            loss = self.train_step(batches)
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss is {loss} in epoch {state.epoch + 1}, step {state.step + 1}; lower --lr, or look at the "
                    "inputs for extreme values"
                )
            state.loss += loss
            state.step += 1
            state.seconds = before + time.monotonic() - started
            progress.add_step(loss)
            if request.signum is not None:
                self.save()
                raise Stopped(request.signum)
            if state.step < self.steps:
                self.save_when_due()

    def train_step(self, batches: Any) -> float:
        """One optimiser step; its mean loss."""
        state, recipe = self.state, self.recipe
        # dropout and anything else that draws from torch's own generator is a function of seed, epoch and step
        torch.manual_seed(derive("step", recipe.seed, state.epoch, state.step))
        for group in self.optimizer.param_groups:
            group["lr"] = self._lr(state.step)
        total = 0.0
        for part in range(recipe.accumulate):
            batch = next(batches)
            if isinstance(batch, Exception):
                raise batch
            with self.fabric.no_backward_sync(self.net, enabled=part < recipe.accumulate - 1):
                loss = self.loss(batch) / recipe.accumulate
                self.fabric.backward(loss)
            total += float(loss.detach())
        if recipe.clip is not None:
            self.fabric.clip_gradients(self.net, self.wrapped_optimizer, max_norm=recipe.clip, error_if_nonfinite=False)
        self.wrapped_optimizer.step()
        self.wrapped_optimizer.zero_grad()
        if self.average is not None:
            self.average.update(self.raw, state.epoch * self.steps + state.step)
        return total

    def loss(self, batch: Sample[Any]) -> Tensor:
        """Of one batch."""
        device = self.fabric.device
        field, target = batch.field.to(device), batch.target.to(device)
        weight = None if batch.weight is None else batch.weight.to(device)
        outputs = self.net.outputs(field) if self.deep else (self.net(field),)
        return supervised(self.raw, self.task, self.geometry, outputs, Sample(field, target, weight))

    def score(self, row: dict[str, Any]) -> bool:
        """Validates, adds the scores to the row, keeps the weights if they are the best; whether they are."""
        kept = self.raw if self.average is None else self.average.net
        scores: dict[str, Any] = {}
        if self.validate is not None:
            kept.eval()
            with torch.no_grad(), self.fabric.autocast():
                scores = dict(self.validate(kept))
            row.update({f"val_{name}": value for name, value in scores.items()})
            # what is undefined is worse than anything: NaN itself would never be beaten, nor ever be worse
            rank = (_defined(scores[self.monitor], -math.inf), -_defined(scores["loss"], math.inf))
            if self.state.best is not None and rank <= self.state.best:
                return False
            self.state.best, self.state.best_epoch = rank, self.state.epoch
        if self.fabric.is_global_zero:
            tensors = {f"model.{name}": tensor for name, tensor in kept.state_dict().items()}
            save(self.run.best, Checkpoint(tensors, {"epoch": self.state.epoch + 1, "scores": scores}))
        return True

    def save_when_due(self) -> None:
        """Saves if the last time is long enough ago."""
        if time.monotonic() - self.saved > self.save_seconds:
            self.save()

    def save(self) -> None:
        """The whole state, as the run's last checkpoint."""
        if not self.fabric.is_global_zero:
            return
        tensors = {f"model.{name}": tensor for name, tensor in self.raw.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": tensor for name, tensor in self.average.net.state_dict().items()}
        slots, rest = flatten_optimizer(self.optimizer.state_dict())
        tensors |= {f"optimizer.{name}": tensor for name, tensor in slots.items()}
        self.run.save_last(Checkpoint(tensors, {"progress": asdict(self.state), "optimizer": rest}))
        self.run.write_csv()
        self.saved = time.monotonic()

    def _lr(self, step: int) -> float:
        return self.recipe.lr * self.rate(self.state.epoch * self.steps + step)


def supervised(
    net: nn.Module, task: Task, geometry: Geometry[Any], outputs: Sequence[Any], batch: Sample[Any]
) -> Tensor:
    """The loss of a network's outputs, plus its own penalty.

    Of several outputs it is the mean, each weighted half as much as the one before.
    """
    penalty = geometry.penalty(outputs[0])
    loss = _loss(net, task, geometry, outputs, batch)
    return loss if penalty is None else loss + penalty


def _loss(net: nn.Module, task: Task, geometry: Geometry[Any], outputs: Sequence[Any], batch: Sample[Any]) -> Tensor:
    if len(outputs) == 1:
        return task.loss(geometry.features(outputs[0]), batch.target, batch.weight)
    deep: Encoder[Any] = net  # type: ignore[assignment]
    targets = deep.at_outputs(batch.target, outputs)
    weights = [None] * len(outputs) if batch.weight is None else deep.at_outputs(batch.weight, outputs)
    total, shares = torch.zeros((), device=batch.target.device), 0.0
    for level, (output, at_target, at_weight) in enumerate(zip(outputs, targets, weights)):
        total = total + 0.5**level * task.loss(geometry.features(output), at_target, at_weight)
        shares += 0.5**level
    return total / shares


def _defined(score: float | None, otherwise: float) -> float:
    return otherwise if score is None or math.isnan(score) else float(score)


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Biases and norms are not decayed: they have no scale to shrink."""
    matrices = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, recipe.lr, momentum=0.99, nesterov=True, weight_decay=recipe.weight_decay)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, recipe.lr, weight_decay=recipe.weight_decay)
    return torch.optim.AdamW(groups, recipe.lr, weight_decay=recipe.weight_decay)
