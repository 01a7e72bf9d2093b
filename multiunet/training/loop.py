"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Geometry
from multiunet.errors import Diverged
from multiunet.finite import find_not_finite
from multiunet.progress import Progress
from multiunet.tasks import Objective, Opponent
from multiunet.training.average import make_averages
from multiunet.training.checkpoint import Checkpoint
from multiunet.training.clock import Clock
from multiunet.training.cycles import Cycles
from multiunet.training.data import TrainingData
from multiunet.training.length import Length
from multiunet.training.power_average import PowerAverage, is_snapshot_due, take_snapshot
from multiunet.training.processes.group import Alone, Group, Order
from multiunet.training.ranking import rank_scores
from multiunet.training.recipe import Recipe
from multiunet.training.records import MemoryRecords, Records
from multiunet.training.signals import Stopped, StopRequest, stop_requests
from multiunet.training.state import State
from multiunet.training.stepper import Stepper
from multiunet.training.supervision import watch_outputs
from multiunet.wording import counted, duration

SAVE_SECONDS = 60.0
"""Seconds between two saved states, at whatever step. When a state is saved does not change the results."""

Validate = Callable[[nn.Module], Mapping[str, Any]]
"""Scores a network; returns ``loss`` and other scores, None where one is undefined."""

Watch = Callable[[nn.Module, int], object]
"""Looks at a network, after so many epochs."""


def fit(
    net: nn.Module,
    task: Objective,
    geometry: Geometry[Any],
    data: TrainingData[Any],
    validate: Validate | None = None,
    *,
    monitor: str | None = None,
    run: Records | None = None,
    recipe: Recipe | None = None,
    resume: Checkpoint | None = None,
    progress: Progress | None = None,
    save_seconds: float = SAVE_SECONDS,
    opponent: Opponent | None = None,
    watch: Watch | None = None,
    group: Group | None = None,
) -> State:
    """Train ``net`` in place.

    With a run folder, the weights that are best on validation are saved there, and ``net`` ends with the last weights.
    The recipe's ``keep_last`` keeps those of the last epochs, too, in ``run``.
    Without one nothing is written, and ``net`` ends with the best weights.

    Args:
        validate: scores the network (evaluation mode, no gradients); returns ``loss`` and ``monitor`` among others.
            None: nothing is validated, and the last weights are the best.
        monitor: the score, higher is better, that chooses the best; the lower loss breaks ties, and chooses alone
            where this is None.
        run: a ``RunFolder``, which keeps checkpoints and the log; None: nothing is kept on disk.
        resume: a checkpoint of this run to go on from; the result has the same bits as without interruption, given the
            same kind of device and number of threads, and on a GPU as far as torch's operators there repeat theirs (see
            ``torch.use_deterministic_algorithms``).
        save_seconds: time between two saved states: what a crash can cost. The state is also saved after the first
            step, at the end and on a signal.
        opponent: a second network that learns to tell what ``net`` draws from what is true, and is saved with it; None:
            ``net`` learns from the task's loss alone.
        watch: is called after the epochs that are validated (also where nothing is), with the network that validation
            scores (evaluation mode, no gradients) and the number of epochs; it must not change the network.
        group: the processes that share out the parts of each step, of which this one leads; the others ``assist``.
            None: this process alone.

    Raises:
        ValueError: when there are no data.
        Stopped: after SIGTERM, SIGINT or SIGHUP, with everything saved.
        Diverged: when the loss, a weight, or an output or score in validation is not finite.
        InputError: when a run is resumed with another precision.
        RunError: when a process that loads data, or one of the group, was killed.
    """
    records = MemoryRecords() if run is None else run
    recipe = recipe or Recipe()
    before = None if resume is None else resume.state.get("compute")
    stepper = Stepper(net, task, geometry, data, recipe, opponent, group or Alone(), before)
    trainer = _Trainer(stepper, validate, monitor, records, resume, save_seconds)
    trainer.watch = watch
    with progress or Progress() as shown, stop_requests() as request, stepper.stopping_workers():
        state = trainer.run_all(shown, request)
    if isinstance(records, MemoryRecords) and records.best is not None:
        net.load_state_dict(records.best)
    return state


class _Trainer:
    def __init__(
        self,
        stepper: Stepper,
        validate: Validate | None,
        monitor: str | None,
        records: Records,
        resume: Checkpoint | None,
        save_seconds: float,
    ) -> None:
        self.stepper, self.recipe, self.geometry = stepper, stepper.recipe, stepper.geometry
        self.validate, self.monitor, self.records = validate, monitor, records
        self.steps, recipe = stepper.steps, stepper.recipe
        self.length: Length = Cycles.of(recipe, monitor, self.steps)
        if recipe.minutes is not None:
            self.length = Clock(recipe, monitor is None)
        self.averages = make_averages(stepper.raw, recipe)
        self.before = None if resume is None else resume.state.get("compute")
        self.state, self.still_improving = State(goal=recipe.epochs), False
        self.watch: Watch | None = None
        self.save_seconds, self.saved = save_seconds, -math.inf
        if resume is not None:
            self.restore(resume)

    def restore(self, checkpoint: Checkpoint) -> None:
        self.stepper.restore(checkpoint)
        for part, average in self.averages.items():
            average.net.load_state_dict(checkpoint.part(part))
        self.state = State.read({"goal": self.recipe.epochs, **checkpoint.state["progress"]})

    def run_all(self, progress: Progress, request: StopRequest) -> State:
        state, recipe = self.state, self.recipe
        if recipe.minutes is None:
            progress.start_training(self.steps * state.goal, self.steps * state.epoch + state.step, self.monitor)
        else:
            progress.start_by_clock(60 * recipe.minutes, state.clock, self.monitor)
        self.began = time.monotonic() - state.clock
        if (warning := self.stepper.compute.describe_change(self.before)) is not None:
            progress.note(warning)
        self.stepper.group.start(self.stepper.checkpoint())
        # steps without a validation of an epoch that the clock cut short are still to be scored
        while state.step or not (self.length.is_over(state, state.epoch) or self.out_of_patience()):
            self.train_epoch(progress, request)
            started = time.monotonic()
            row = {"epoch": state.epoch + 1, "loss": state.loss / state.step, "lr": self._lr(state.step - 1)}
            if (duel := self.stepper.duel) is not None:
                row["opponent_loss"], duel.loss = duel.loss / state.step, 0.0
            last = self.length.is_over(state, state.epoch + 1)
            due = last or (state.epoch + 1) % recipe.validate_every == 0
            best = due and self.score(row, last)
            if due and self.watch is not None:
                with torch.no_grad():
                    self.watch(self.scored().eval(), state.epoch + 1)
            scoring = time.monotonic() - started
            row["seconds"] = round(state.seconds + scoring, 3)
            if due:
                self.look_at_clock(scoring)
            self.records.log(row)
            progress.add_epoch(row, best)
            state.epoch, state.step, state.loss, state.seconds = state.epoch + 1, 0, 0.0, 0.0
            if (words := self.length.look_at(state)) is not None:
                progress.extend_training(self.steps * state.goal, words)
            if request.signum is not None:
                break
            self.save_when_due()
        self.save()
        self.stepper.group.order(Order(state.epoch, 0, 0.0, "end"))
        if self.out_of_patience():
            progress.note(f"stopped early: {self._monitored()} has not improved for {recipe.patience} epochs")
        elif request.signum is not None and not self.length.is_over(state, state.epoch):
            raise Stopped(request.signum)
        elif self.validate is not None:
            self.note_end(progress)
        if recipe.minutes is not None and self.length.is_over(state, state.epoch):
            made = f"{counted(state.epoch, 'epoch')} of up to {counted(self.steps, 'step')}"
            progress.note(f"{made} in {duration(state.clock)}")
        return state

    def note_end(self, progress: Progress) -> None:
        """Say what the validation scores of a complete training leave in doubt."""
        if self.still_improving or self.length.is_improving(self.state):
            progress.note(self.length.warn(self.state, self._monitored()))
        elif self.state.best is not None and self.state.best[0] == -math.inf:
            progress.note(f"validation {self.monitor} was undefined in every epoch; the lowest loss chose the weights")

    def out_of_patience(self) -> bool:
        """Return whether the last better score is too long ago; asked of epochs that were validated."""
        patience, state = self.recipe.patience, self.state
        if patience is None or self.validate is None or state.epoch % self.recipe.validate_every:
            return False
        return state.epoch - 1 - state.best_epoch >= patience

    def train_epoch(self, progress: Progress, request: StopRequest) -> None:
        """Train from the state's step to the end of its epoch, or of the time."""
        state = self.state
        if self.ends_epoch():  # saved between its last step and its validation
            return
        self.stepper.begin(state.epoch, state.step)
        started, before = time.monotonic(), state.seconds
        while not self.ends_epoch():
            loss = self.train_step(request)
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss is {loss} in epoch {state.epoch + 1}, step {state.step + 1}; lower the learning rate "
                    "(`lr`), or look at the inputs for extreme values"
                )
            state.loss += loss
            state.step += 1
            state.seconds = before + time.monotonic() - started
            self.look_at_clock()
            progress.add_step(loss)
            if request.signum is not None:
                self.save()
                raise Stopped(request.signum)
            if not self.ends_epoch():
                self.save_when_due()

    def ends_epoch(self) -> bool:
        """Return whether no further step of the epoch under way follows."""
        return self.state.step == self.steps or (
            self.state.step > 0 and self.length.is_over(self.state, self.state.epoch)
        )

    def look_at_clock(self, scoring: float | None = None) -> None:
        """Note the time so far, and that of a validation, if the clock ends this training."""
        if self.recipe.minutes is not None:
            self.state.clock = time.monotonic() - self.began
            self.state.scoring = self.state.scoring if scoring is None else scoring

    def train_step(self, request: StopRequest) -> float:
        """Take one optimiser step; return its mean loss."""
        state, recipe = self.state, self.recipe
        order = Order(state.epoch, state.step, self.length.factor(state, state.step))
        self.stepper.group.order(order)
        totals = self.stepper.take(order, request.signum)
        request.signum = request.signum or totals.signum
        before = state.epoch * self.steps + state.step
        for average in self.averages.values():
            average.update(self.stepper.raw, before)
        if recipe.power_averages and is_snapshot_due(before + 1, self.steps * recipe.epochs):
            self.save_snapshot(before + 1)
        return totals.loss

    def score(self, row: dict[str, Any], best: bool) -> bool:
        """Validate, add the scores to the row, and keep the weights if they are the best; return whether they are.

        Args:
            best: whether they are where nothing is validated.
        """
        net = self.scored()
        scores: dict[str, Any] = {}
        if self.validate is not None:
            scores = self.validated(net)
            row.update({f"val_{name}": value for name, value in scores.items()})
            best = self.improve(scores)
        if not best and self.recipe.keep_last is None:
            return False
        tensors = {f"model.{name}": tensor for name, tensor in net.state_dict().items()}
        self._check(tensors)
        if self.saved == -math.inf:
            self.save()  # first of all: with the best weights alone, a training that is killed cannot be resumed
        checkpoint = Checkpoint(tensors, {"epoch": self.state.epoch + 1, "scores": scores})
        if self.recipe.keep_last is not None:
            self.records.save_kept(checkpoint, self.recipe.keep_last)
        if best:
            self.records.save_best(checkpoint)
        return best

    def scored(self) -> nn.Module:
        """Return the network that validation scores: the average of the weights, where there is one."""
        return self.averages["average"].net if self.averages else self.stepper.raw

    def improve(self, scores: Mapping[str, Any]) -> bool:
        """Note the scores of this epoch if they are the best so far; return whether they are."""
        best, rank = self.state.best, rank_scores(scores, self.monitor, self.state.epoch)
        # of equal scores the lower loss is kept, but the score itself no longer improves
        self.still_improving = best is not None and best < rank and rank[0] > -math.inf
        if self.monitor is not None and best is not None and rank[0] == best[0]:
            self.still_improving = False
        if best is not None and rank <= best:
            return False
        self.state.best, self.state.best_epoch = rank, self.state.epoch
        return True

    def validated(self, net: nn.Module) -> dict[str, Any]:
        """Return the scores of a network whose outputs are found to be finite."""
        assert self.validate is not None
        with torch.no_grad(), self.stepper.fabric.autocast(), watch_outputs(net.eval(), self.geometry):
            return dict(self.validate(net))

    def save_when_due(self) -> None:
        """Save the state if the last time is long enough ago."""
        if time.monotonic() - self.saved > self.save_seconds:
            self.save()

    def save(self) -> None:
        """Save the whole state as the run's last checkpoint."""
        averages = {
            f"{part}.{name}": tensor
            for part, average in self.averages.items()
            for name, tensor in average.net.state_dict().items()
        }
        self._check(self.stepper.named_weights() | averages)
        stepped = self.stepper.checkpoint()
        about = {"progress": asdict(self.state), **stepped.state}
        self.records.save_last(Checkpoint({**stepped.tensors, **averages}, about))
        self.saved = time.monotonic()

    def save_snapshot(self, step: int) -> None:
        """Save the power-function averages after this step, from which other lengths are made."""
        powers = [average for average in self.averages.values() if isinstance(average, PowerAverage)]
        snapshot = take_snapshot(powers, step)
        self._check(snapshot.tensors)
        self.records.save_average(snapshot)

    def _check(self, weights: Mapping[str, Tensor]) -> None:
        """Check that weights are finite, before they are saved."""
        if (name := find_not_finite(weights)) is not None:
            raise Diverged(
                f"the weights ({name}) are not finite after step {self.state.epoch * self.steps + self.state.step}; "
                "lower the learning rate (`lr`), or look at the inputs for extreme values"
            )

    def _monitored(self) -> str:
        return self.monitor or "loss"

    def _lr(self, step: int) -> float:
        return self.recipe.lr * self.length.factor(self.state, step)
