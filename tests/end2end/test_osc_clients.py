"""Programs that others wrote, as clients of a real service: liblo's tools, Pure Data and SuperCollider."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from daw_bridge.client.jobs import Client
from daw_bridge.jobs.state import Job, JobState
from daw_bridge.messages.arguments import ParameterValue
from daw_bridge.messages.live import ParamGet, ParamSet
from tests.end2end.homes import PATIENCE_S, ROOT, Home, wait_until

CLIENTS = Path(__file__).parent / "clients"
PAGE = ROOT / "docs" / "clients.md"
PROGRAMS = ("oscsend", "oscsendfile", "oscdump", "pd", "sclang")
PD = ("pd", "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr")
SCLANG = ("sclang", "-D")
SMALL: Mapping[str, ParameterValue] = {"model": "debug", "steps": 2, "seed": 0, "takes": 1}
# Neither Pure Data nor SuperCollider can read what needs 64 bits.
WIDE_SEED = 2**40
RENDERED = ["accepted", "state", "state", "take", "state", "done"]
FAILED = ["accepted", "state", "state", "state", "fail"]
missing = [program for program in PROGRAMS if shutil.which(program) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")

# What became of a job, as a client shows it: each event with the rest of its line.
Told = list[tuple[str, str]]
ClientProgram = Callable[[int, Path], Told]


@dataclass(frozen=True)
class Heard:
    """A message as oscdump shows it."""

    address: str
    types: str
    args: list[str]

    @property
    def event(self) -> str:
        return self.address.rsplit("/", 1)[-1]

    @property
    def is_end(self) -> bool:
        return "/job/" in self.address and self.event in ("done", "fail")


@dataclass(frozen=True)
class Ear:
    """A port at which oscdump listens, and the file that it writes into."""

    port: int
    output: Path

    @property
    def heard(self) -> list[Heard]:
        """Return whole lines only: it may be writing another."""
        lines = [line for line in self.output.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [Heard(address, types, args) for _, address, types, *args in map(shlex.split, lines)]

    def wait_for(self, holds: Callable[[Heard], bool], what: str) -> None:
        wait_until(lambda: any(map(holds, self.heard)), what)

    def wait_for_end(self) -> list[Heard]:
        """Return what came up to the end of a job, but for the progress; the end is repeated later."""
        self.wait_for(lambda one: one.is_end, "the end of the job")
        before = list(takewhile(lambda one: not one.is_end, self.heard))
        return [one for one in self.heard[: len(before) + 1] if one.event != "progress"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Return a home with a service; as by default, the folder of the takes has a space in its name."""
    home = Home(tmp_path_factory.mktemp("DAW Bridge"))
    ports = [f"--{kind}-port=0" for kind in ("udp", "tcp", "http")]
    try:
        with home.started("serve", *ports, cwd=home.folder):
            wait_until(lambda: home.service() is not None, "a service that is ready")
            yield home
    finally:
        home.end()


@pytest.fixture
def port(served: Home) -> int:
    """Return the UDP port of a service that has nothing to do; what is asked for there is small."""
    wait_until(lambda: all(job.state.is_terminal for job in served.jobs()), "the end of other tests' jobs")
    set_parameters(served, SMALL)
    info = served.service()
    assert info is not None
    return info.udp_port


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    ear = Ear(free_port(), tmp_path / "oscdump.txt")
    with running("oscdump", "-L", str(ear.port), output=ear.output) as process:
        wait_until(lambda: ear.port in udp_ports(process.pid), "oscdump to listen")
        yield ear


@contextmanager
def running(*command: str, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that does not end by itself."""
    with (
        output.open("wb") as file,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment(output.parent)
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def run(*command: str, folder: Path) -> str:
    """Run a program to its end and return what it said."""
    done = subprocess.run(
        command,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which programs keep their settings in a folder, and Qt needs no screen."""
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(folder))
    # Without these the browser inside sclang refuses the superuser, as whom containers run.
    browser = {"QTWEBENGINE_DISABLE_SANDBOX": "1", "QTWEBENGINE_CHROMIUM_FLAGS": "--no-sandbox --disable-gpu"}
    return os.environ | homes | browser | {"QT_QPA_PLATFORM": "offscreen"}


def pd(patch: Path, port: int, *messages: str) -> list[str]:
    """Return the command that lets a patch ask a service; the messages are sent before."""
    sent = (f"service connect 127.0.0.1 {port}", *messages, "ask bang")
    return [*PD, *(word for message in sent for word in ("-send", message)), str(patch)]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


def udp_ports(pid: int) -> list[int]:
    return [one.laddr.port for one in psutil.Process(pid).net_connections("udp") if one.laddr]


def set_parameters(home: Home, values: Mapping[str, ParameterValue]) -> None:
    with Client(home.folders) as client:
        for name, value in values.items():
            client.ask(ParamSet(rid="-", name=name, value=value))


def parameter(home: Home, name: str) -> object:
    with Client(home.folders) as client:
        return client.ask(ParamGet(rid="-", name=name)).value


def pure_data(port: int, folder: Path) -> Told:
    return told(run(*pd(CLIENTS / "generate.pd", port, "quit-at-end 1"), folder=folder))


def supercollider(port: int, folder: Path) -> Told:
    return told(run(*SCLANG, str(CLIENTS / "generate.scd"), str(port), folder=folder))


def told(output: str) -> Told:
    # Pure Data shows a space within a text with a backslash before it.
    lines = output.replace("\\ ", " ")
    return re.findall(r"^(accepted|refused|state|take|done|fail): (.*)$", lines, re.MULTILINE)


def require_sound(job: Job, prompt: str) -> None:
    """Require that the one take of a job can be played and is what was asked for."""
    assert job.state is JobState.FINISHED
    (take,) = job.takes
    samples, rate_hz = soundfile.read(take.path)
    assert len(samples) == take.length_samples == 2 * rate_hz
    assert np.isfinite(samples).all()
    assert samples.any()
    recipe = json.loads(Path(take.path).with_suffix(".json").read_text())
    assert recipe["spec"]["prompt"] == prompt


def test_oscsend_asks_and_oscdump_is_told(served: Home, port: int, ear: Ear, tmp_path: Path) -> None:
    run("sh", str(CLIENTS / "generate.sh"), str(port), str(ear.port), folder=tmp_path)
    heard = ear.wait_for_end()
    assert [(one.event, one.types) for one in heard] == [
        ("done", "ssi"),
        ("state", "is"),
        ("state", "is"),
        ("take", "iisfffisfssi"),
        ("state", "is"),
        ("done", "iiss"),
    ]
    job = served.jobs()[0]
    require_sound(job, "rain on a tin roof")
    notified, queued, started, take, finished, done = heard
    assert notified.args[:2] == ["n1", "notify"]
    assert {one.address.split("/")[4] for one in heard[1:]} == {job.id}
    assert [one.args[1] for one in (queued, started, finished)] == ["queued", "running", "finished"]
    assert [int(one.args[0]) for one in heard[1:]] == [0, 1, 2, 3, 4]
    made = job.takes[0]
    assert (take.args[2], take.args[7], take.args[-1]) == (made.path, made.spec_digest, str(made.seed))
    assert float(take.args[8]) == pytest.approx(made.score, abs=1e-5)
    assert done.args[2:] == [job.takes[0].path, str(Path(job.takes[0].path).with_suffix(".json"))]


def test_what_is_sent_from_one_port_is_answered_at_the_reply_port(
    served: Home, port: int, ear: Ear, tmp_path: Path
) -> None:
    requests = tmp_path / "generate.osc"
    requests.write_text((CLIENTS / "generate.osc").read_text().replace("9001", str(ear.port)))
    run("oscsendfile", "localhost", str(port), str(requests), folder=tmp_path)
    heard = ear.wait_for_end()
    assert [one.event for one in heard] == ["done", *RENDERED]
    job = served.jobs()[0]
    require_sound(job, "rain")
    assert (heard[1].types, heard[1].args[:3]) == ("ssif", ["g1", job.id, "0"])


@pytest.mark.parametrize("client", [pure_data, supercollider])
def test_a_client_asks_and_is_told_of_its_take(
    served: Home, port: int, client: ClientProgram, tmp_path: Path
) -> None:
    set_parameters(served, {"seed": WIDE_SEED})
    events = client(port, tmp_path)
    assert [event for event, _ in events] == RENDERED
    job = served.jobs()[0]
    require_sound(job, "rain on a tin roof")
    assert job.takes[0].seed == WIDE_SEED
    said = dict(events)
    assert job.id in said["accepted"]
    assert job.takes[0].path in said["take"]
    assert job.takes[0].path in said["done"]


@pytest.mark.parametrize("client", [pure_data, supercollider])
def test_a_client_is_told_that_its_job_has_failed(
    served: Home, port: int, client: ClientProgram, tmp_path: Path
) -> None:
    set_parameters(served, {"model": "nobody"})
    events = client(port, tmp_path)
    assert [event for event, _ in events] == FAILED
    assert "model_missing" in events[-1][1]


@pytest.mark.parametrize("types", ["ssf", "ssd", "ssi", "ssh", "Ssf"])
def test_oscsend_may_write_a_value_in_several_types(
    served: Home, port: int, types: str, tmp_path: Path
) -> None:
    request = ("/ldm/1/param/set", types, "t1", "steps", "3")
    run("oscsend", "localhost", str(port), *request, folder=tmp_path)
    wait_until(lambda: parameter(served, "steps") == 3, "the parameter to be set")


def test_the_numbers_of_pure_data_are_floats(served: Home, port: int, tmp_path: Path) -> None:
    output = tmp_path / "pd.txt"
    with running(*pd(CLIENTS / "floats.pd", port, f"ear {free_port()}"), output=output):
        wait_until(lambda: "accepted n5" in output.read_text(errors="replace"), "an answer to n5")
    answers = re.findall(r"ldm 1 (\w+ n\d)", output.read_text(errors="replace"))
    assert answers == ["done n1", "done n2", "done n3", "done n4", "accepted n5"]
    assert parameter(served, "takes") == 2
    assert parameter(served, "negative") == "a hiss, and — a ö"
    job = served.jobs()[0]
    assert (job.spec.takes, job.spec.sampler.steps, job.priority) == (1, 1, 7)


def test_symbols_and_truth_values_of_supercollider(served: Home, port: int, tmp_path: Path) -> None:
    output = run(*SCLANG, str(CLIENTS / "types.scd"), str(port), folder=tmp_path)
    answers = re.findall(r"^/ldm/1/(\w+ t\d)", output, re.MULTILINE)
    assert answers == ["done t1", "done t2", "done t3", "done t4", "done t5", "pong t6"]
    assert (parameter(served, "takes"), parameter(served, "guidance")) == (2, 3.0)
    assert parameter(served, "negative") == "a hiss, and — a ö"


def test_the_page_shows_what_runs_here() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in ("generate.sh", "generate.osc", "generate.scd"):
        assert f"\n{(CLIENTS / name).read_text(encoding='utf-8')}```" in page, (
            f"copy clients/{name} into {PAGE}"
        )
    assert "../tests/end2end/clients/generate.pd" in page
    assert shlex.join(pd(Path("generate.pd"), 9000, "quit-at-end 1")) in page
