"""A user's folders with whatever runs in them: the command line, its service, and the service's workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from daw_bridge.client.jobs import Client
from daw_bridge.history.history import History
from daw_bridge.jobs.state import Job, JobState
from daw_bridge.messages.jobs import JobInfo
from daw_bridge.service.config import Folders
from daw_bridge.service.presence import ServiceInfo, running_service
from engine.errors import NotFound

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-P", "-m", "daw_bridge")
# For a machine that is busy with something else; nothing here takes long.
PATIENCE_S = 300.0
SECONDS_OF_WORK = ("--model", "debug", "--seconds", "0.5", "--steps", "150", "--takes", "2")
MOMENT_OF_WORK = ("--model", "debug", "--seconds", "0.5", "--steps", "2")


@dataclass(frozen=True, slots=True)
class Home:
    """Use `home` of conftest: it ends whatever was started here, also after a failed test."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(ROOT), "DAW_BRIDGE_HOME": str(self.folder)}
        return os.environ | own | {"DAW_BRIDGE_MODELS": str(self.folder / "models")}

    @property
    def folders(self) -> Folders:
        names = ("state", "config", "runtime", "log", "takes")
        return Folders(**{name: self.folder / name for name in names})

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a command as a user would, from another folder."""
        command = [*COMMAND, *arguments]
        return subprocess.run(
            command,
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    @contextmanager
    def started(self, *arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
        """Start a command and leave the block with it ended."""
        with subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def service(self) -> ServiceInfo | None:
        return running_service(self.folders.runtime)

    def processes(self) -> list[psutil.Process]:
        """Return all live processes that were started with these folders."""
        return [process for process in psutil.process_iter() if _belongs(process, str(self.folder))]

    def services(self) -> list[psutil.Process]:
        return [process for process in self.processes() if "serve" in _arguments(process)]

    def workers(self) -> list[psutil.Process]:
        """Return the render processes, those of the tests among them."""
        return [process for process in self.processes() if "worker" in "".join(_arguments(process)[-1:])]

    def jobs(self) -> list[Job]:
        """Return all jobs of the journal, the newest first."""
        # As long as a first service is still making the file, there is no history.
        with suppress(NotFound), History.reader(self.folders.history) as history:
            return [history.job(entry.id) for entry in history.entries(limit=1000)]
        return []

    def wait_for(self, state: JobState) -> Job:
        """Wait until the newest job has a state."""
        wait_until(lambda: [job.state for job in self.jobs()[:1]] == [state], f"a job that is {state.value}")
        return self.jobs()[0]

    def wait_for_sampling(self) -> Job:
        """Wait until the newest job has taken some steps."""
        job = self.wait_for(JobState.RUNNING)
        with Client(self.folders) as client:
            wait_until(lambda: _fraction(client, job.id) > 0, "a job that samples")
        return job

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let no render go on within the block, as on a machine that does something else."""
        held = self.workers()
        assert held, "nothing renders"
        for process in held:
            process.suspend()
        try:
            yield
        finally:
            for process in held:
                kill(process, signal.SIGCONT)

    def wait_for_quiet(self) -> None:
        """Wait until nothing runs here any more."""
        wait_until(lambda: not self.processes(), "no process left")

    def end(self) -> None:
        """End what runs here, whatever it does."""
        processes = self.processes()
        for process in processes:
            kill(process)
        _, left = psutil.wait_procs(processes, timeout=PATIENCE_S)
        assert not left, f"{left} cannot be ended"


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        time.sleep(0.05)


def kill(process: psutil.Process, number: signal.Signals = signal.SIGKILL) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """Let a folder be a file system of its own, which only root may."""
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=False).returncode
    ):
        pytest.skip("file systems cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, timeout=PATIENCE_S)


def _fraction(client: Client, job_id: str) -> float:
    job = client.ask(JobInfo(rid="-", job_id=job_id)).job
    assert job["state"] == "running", f"the job was {job['state']} too soon"
    return float(job["fraction"])


def unfinished_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.part"))


def _belongs(process: psutil.Process, folder: str) -> bool:
    try:
        return process.environ().get("DAW_BRIDGE_HOME") == folder
    except psutil.Error:
        return False


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
