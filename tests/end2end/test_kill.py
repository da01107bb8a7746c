"""Service and worker killed at random moments: no job is lost, and history and files agree.

DAW_BRIDGE_KILLS says how often, and DAW_BRIDGE_KILL_SEED which moments.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import soundfile

from daw_bridge.client.jobs import Client
from daw_bridge.jobs.state import Job, JobState
from daw_bridge.messages.connection import Status
from daw_bridge.messages.jobs import Submit
from engine.spec_json import digest, spec_to_json
from engine.types import ErrorCode, RenderSpec, SamplerSpec, Task
from tests.end2end.homes import PATIENCE_S, Home, kill, unfinished_files, wait_until

KILLS = int(os.environ.get("DAW_BRIDGE_KILLS", "5"))
JOBS = 30 if "DAW_BRIDGE_KILLS" in os.environ else 6
SEED = int(os.environ.get("DAW_BRIDGE_KILL_SEED", "1"))
LONGEST_WAIT_S = 5.0
# A file is written in less than the time of one look.
WRITING_S = 0.1


@dataclass(slots=True)
class Siege:
    """Kills what runs in a home, again and again, while jobs are to be done."""

    home: Home
    out: Path
    dice: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    submitted: int = 0

    def submit(self) -> None:
        """Submit as many jobs as a run has, of one or two takes."""
        with Client(self.home.folders) as client:
            for _ in range(JOBS):
                spec = spec_of(self.submitted)
                client.ask(Submit(rid="-", spec=spec_to_json(spec), folder=str(self.out), stem="job"))
                self.submitted += 1

    def strike(self) -> None:
        """Wait for a moment and kill one or both, so that nobody can prepare for it."""
        self.dice.choices((self.pass_time, self.await_writing), (3, 2))[0]()
        target = self.dice.choice((self.home.services, self.home.workers, self.home.processes))
        for process in target():
            kill(process)
        self.killed[target.__name__] += 1

    def pass_time(self) -> None:
        time.sleep(self.dice.uniform(0, LONGEST_WAIT_S))

    def await_writing(self) -> None:
        """Wait until a take is being written, and a little longer: on a slow machine few moments are such."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not (self.is_writing() or self.is_over()):
            assert time.monotonic() < deadline_s, "nothing is ever written"
        time.sleep(self.dice.uniform(0, WRITING_S))

    def is_writing(self) -> bool:
        """Look for a take that is being written, many times: one is soon whole."""
        for _ in range(100):
            if unfinished_files(self.out):
                return True
            time.sleep(0.002)
        return False

    def serve_again(self) -> Status:
        """Let a client find a service, or start one; all jobs must still be there."""
        with Client(self.home.folders) as client:
            status: Status = client.ask(Status(rid="-"))
        assert len(self.home.jobs()) == self.submitted
        return status

    def is_over(self) -> bool:
        return all(job.state.is_terminal for job in self.home.jobs())


def spec_of(number: int) -> RenderSpec:
    return RenderSpec(
        task=Task.GENERATE,
        prompt="rain",
        duration_s=0.5,
        sampler=SamplerSpec(steps=20),
        seed=100 * number,
        takes=1 + number % 2,
        model="debug",
    )


@pytest.fixture
def siege(home: Home, tmp_path: Path) -> Siege:
    return Siege(home=home, out=tmp_path / "out", dice=random.Random(SEED))


def test_no_job_is_lost_whatever_is_killed(siege: Siege) -> None:
    siege.submit()
    for _ in range(KILLS):
        if siege.is_over():
            siege.submit()
        siege.strike()
        siege.serve_again()
    wait_until(siege.is_over, "the end of all jobs")
    jobs = siege.home.jobs()
    print(figures(siege, jobs))  # noqa: T201 - what the run was is part of its result
    check_ends(jobs)
    check_files(siege.out, jobs)
    check_processes(siege.home)


def figures(siege: Siege, jobs: list[Job]) -> str:
    ends = Counter(job.error.code.value if job.error else job.state.value for job in jobs)
    attempts = Counter(job.attempts for job in jobs)
    return f"killed {dict(siege.killed)}, jobs ended {dict(ends)}, attempts {dict(sorted(attempts.items()))}"


def check_ends(jobs: list[Job]) -> None:
    """Check that each job is finished with all takes, or failed since its worker was killed."""
    for job in jobs:
        if job.state is JobState.FINISHED:
            first = job.spec.seed
            assert {take.seed for take in job.takes} == set(range(first, first + job.spec.takes)), job
        else:
            assert job.state is JobState.FAILED, job
            assert job.error is not None
            assert job.error.code in (ErrorCode.OOM, ErrorCode.INTERNAL), job


def check_files(out: Path, jobs: list[Job]) -> None:
    """Check that the folder holds the takes of the history, whole, and nothing else."""
    takes = {take.path: job for job in jobs for take in job.takes}
    expected = {str(Path(path).with_suffix(end)) for path in takes for end in (".wav", ".json", ".png")}
    assert {str(path) for path in out.iterdir()} == expected
    for path, job in takes.items():
        assert len(soundfile.read(path)[0]) == 8000
        recipe = json.loads(Path(path).with_suffix(".json").read_text())
        assert recipe["digest"] == digest(job.spec)
        assert Path(path).with_suffix(".png").read_bytes().endswith(b"IEND\xaeB`\x82")
    for same in same_sounds(jobs):
        assert len(same) == 1


def same_sounds(jobs: list[Job]) -> list[set[bytes]]:
    """Return what the takes of each seed sound like, which an interruption must not change."""
    sounds: dict[int, set[bytes]] = {}
    for job in jobs:
        for take in job.takes:
            # Without the date, which differs from one time to the next.
            sound = soundfile.read(take.path, dtype="int32")[0].tobytes()
            sounds.setdefault(take.seed, set()).add(sound)
    return list(sounds.values())


def check_processes(home: Home) -> None:
    """Check that only the last service and its worker are left, and end with it."""
    (service,) = home.services()
    children = {child.pid for child in service.children(recursive=True)}
    wait_until(lambda: {process.pid for process in home.workers()} <= children, "orphans to end")
    psutil.Process(service.pid).terminate()
    home.wait_for_quiet()
