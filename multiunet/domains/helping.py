"""Training by several processes: what they share out, and what all but the first do."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from multiunet.domains.config import TrainConfig, validated
from multiunet.domains.domain import Domain
from multiunet.domains.info import to_json
from multiunet.domains.model import Budget, Planned
from multiunet.domains.spec import domain_spec
from multiunet.errors import InputError, RunError
from multiunet.training.processes.group import Group
from multiunet.training.processes.launching import join_group
from multiunet.training.processes.place import Wanted, find_place, find_wanted
from multiunet.training.processes.together import Lost, Together
from multiunet.training.signals import STOP_SIGNALS, Stopped, stop_requests

PROGRAM = "from multiunet.domains.helping import main; main()"
"""What a process runs that another one has started."""


def wanted_by(config: TrainConfig) -> Wanted:
    """Return the devices that a training asks for; for errors see ``find_wanted``."""
    return find_wanted(config.device, config.devices, config.nodes, config.silent_minutes)


def settle_accumulate(config: TrainConfig, before: Mapping[str, Any] | None) -> TrainConfig:
    """Return the settings with a batch a step for each process, where nobody says how many.

    Args:
        before: settings of the run that goes on, which keeps its own; None: a new one.

    Raises:
        InputError: for fewer batches than processes.
    """
    processes, given = wanted_by(config).processes, "accumulate" in config.model_fields_set
    if not given and before is None and processes > 1:
        config = config.model_copy(update={"accumulate": processes})
    elif not given and before is not None and before.get("devices") is not None:
        config = config.model_copy(update={"accumulate": before["accumulate"]})
    if (given or before is not None) and processes > max(1, config.accumulate):
        raise InputError(
            f"`accumulate={config.accumulate}`: a step of so many batches cannot be shared out to {processes} "
            "processes; give at least one for each, or fewer `devices`"
        )
    return config


def check_shared(domain: Domain[Any, Any, Any], config: TrainConfig, info: Any) -> None:
    """Check that the processes that are asked for can share out a step; see ``Domain.check_shared``."""
    if wanted_by(config).processes > 1:
        domain.check_shared(config, info)


def describe_job(name: str, planned: Planned[Any, Any]) -> dict[str, Any]:
    """Return what another process needs to know of a training, plain JSON."""
    return {
        "domain": name,
        "config": json.loads(planned.config.model_dump_json()),
        "info": to_json(planned.info),
        "budget": asdict(planned.budget),
    }


def help_train(group: Group) -> None:
    """Take part in the trainings that the first process of the group leads, as long as it does.

    Raises:
        RunError: when the first process ended without a word, or with an error.
        Stopped: when it was stopped.
    """
    from multiunet.training.assistant import assist  # Fabric takes seconds to import

    assert isinstance(group, Together)
    domains: dict[str, Domain[Any, Any, Any]] = {}
    with stop_requests() as request:
        if hasattr(signal, "pthread_sigmask"):  # it was started with these held
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        while (job := group.receive_job()) is not None:
            name = job["domain"]
            domain = domains.setdefault(name, domain_spec(name).load())
            config = validated(domain_spec(name).train, job["config"], "settings of the first process")
            info = domain.info_type.model_validate_json(json.dumps(job["info"]))
            model = domain.build(config, info)
            data = domain.training_data(config, info, model, Budget(**job["budget"]))
            recipe = replace(config.recipe(), device=group.device or config.device)
            assist(model.net, model.task, model.geometry, data, recipe, group, request, model.opponent)


def main() -> None:
    """Run a process that another one has started: its arguments are those of ``open_group``'s program."""
    kind, indices, silent_minutes = sys.argv[1:]
    wanted = Wanted(kind, tuple(map(int, indices.split(","))), 1, float(silent_minutes))
    place = find_place(wanted)
    assert place is not None
    try:
        with join_group(place, wanted) as group:
            help_train(group)
    except Lost as error:  # nobody else is left to say it
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except Stopped as stopped:
        sys.exit(128 + stopped.signum)
    except (InputError, RunError, OSError, MemoryError):  # the first process says it
        sys.exit(1)
