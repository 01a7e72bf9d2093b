"""Who starts the processes of a training, and which of them this one is."""

from __future__ import annotations

import pytest
import torch

from multiunet.errors import InputError
from multiunet.training.processes.place import Place, Wanted, find_place, find_wanted

TWO = Wanted("cpu", (0, 1), 1)
TORCHRUN = Place(1, 2, 1, "10.0.0.1", 29500).environment()
SRUN = {
    "SLURM_JOB_ID": "123456",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NTASKS": "4",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
}


def test_devices_of_the_cpu_are_processes() -> None:
    assert find_wanted("cpu", None, 1).processes == 1
    assert find_wanted("cpu", "auto", 1).processes == 1
    assert find_wanted("cpu", "3", 2) == Wanted("cpu", (0, 1, 2), 2)
    assert TWO.device(1) == "cpu"


def test_devices_of_gpus_have_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiunet.training.processes.place.pick_device", lambda name: torch.device(name))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert find_wanted("cuda", "auto", 1).indices == (0, 1, 2, 3)
    assert find_wanted("cuda", "1,3", 1).device(1) == "cuda:3"
    for devices, words in (("5", "has 4 GPUs"), ("0,4", "no GPU 4"), ("1,1", "names a device twice")):
        with pytest.raises(InputError, match=words):
            find_wanted("cuda", devices, 1)
    with pytest.raises(InputError, match="both say which GPUs"):
        find_wanted("cuda:1", "2", 1)


def test_a_place_is_what_torchrun_or_srun_says() -> None:
    assert find_place(TWO, {}) is None
    assert find_place(TWO, TORCHRUN) == Place(1, 2, 1, "10.0.0.1", 29500)
    assert find_place(Wanted("cuda", (0, 1), 2), SRUN) == Place(3, 4, 1, "gpu07", 18456)


def test_a_script_of_a_job_that_booked_tasks_is_no_task_of_a_step() -> None:
    script = {name: value for name, value in SRUN.items() if not name.startswith("SLURM_STEP")}
    assert find_place(Wanted("cpu", (0, 1, 2, 3), 1), script) is None
    assert find_place(TWO, script | {"SLURM_STEP_NUM_TASKS": "1"}) is None


@pytest.mark.parametrize(
    ("wanted", "environment", "words"),
    [
        (TWO, SRUN, "srun has started 4 processes, and `devices` and `nodes` ask for 2 on each of 1 machines"),
        (Wanted("cpu", (0,), 2), TORCHRUN, "start one process for each device"),
        (Wanted("cpu", (0,), 2), {}, "`nodes=2`: on several machines, srun or torchrun start the processes"),
    ],
)
def test_other_numbers_are_refused_in_words(wanted: Wanted, environment: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        find_place(wanted, environment)
