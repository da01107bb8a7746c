"""The class for SuperCollider, in sclang with a real scsynth, against a real service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from daw_bridge.daws.hosts import Place, System
from daw_bridge.daws.supercollider.host import HOST
from daw_bridge.jobs.state import JobState
from tests.end2end.homes import COMMAND, PATIENCE_S, Home, kill, wait_until

CLIENTS = Path(__file__).parent / "clients"
PROGRAMS = ("sclang", "scsynth", "jackd")
missing = [program for program in PROGRAMS if shutil.which(program) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
SAMPLES = 24_001


@pytest.fixture(scope="module")
def jack() -> Iterator[str]:
    """Run a JACK server that plays into nothing, and return its name."""
    name = f"test-{os.getpid()}"
    command = ["jackd", "-n", name, "-r", "-d", "dummy", "-r", "48000", "-p", "1024"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield name
        finally:
            # Killed, it would stay in the list of servers, which holds eight: then none could start any more.
            server.terminate()
            server.wait(PATIENCE_S)


@dataclass(frozen=True)
class Language:
    """sclang with the class installed for a home."""

    home: Home
    folder: Path
    jack: str

    @contextmanager
    def running(self, script: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        self.install()
        command = ["sclang", "-D", str(CLIENTS / script), *arguments]
        # sclang's servers have one port, also those of a test beside this one.
        alone = FileLock(Path(tempfile.gettempdir()) / f"scsynth-of-tests-{os.getuid()}.lock")
        with alone, (self.folder / "sclang.txt").open("wb") as output:
            # Not the end of its output: the service that it starts goes on.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment
            )
            with process:
                try:
                    yield process
                finally:
                    process.kill()

    def run(self, script: str, *arguments: str) -> str:
        with self.running(script, *arguments) as process:
            process.wait(PATIENCE_S)
        assert process.returncode == 0, self.said
        return self.said

    @property
    def said(self) -> str:
        return (self.folder / "sclang.txt").read_text(errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(self.folder))
        # Without these the browser inside sclang refuses the superuser, as whom containers run.
        browser = {
            "QTWEBENGINE_DISABLE_SANDBOX": "1",
            "QTWEBENGINE_CHROMIUM_FLAGS": "--no-sandbox --disable-gpu",
        }
        own = {"QT_QPA_PLATFORM": "offscreen", "JACK_DEFAULT_SERVER": self.jack}
        return self.home.environment | homes | browser | own

    def install(self) -> None:
        system = System(
            platform="linux", home=self.folder, environment={}, folders=self.home.folders, command=COMMAND
        )
        for file in HOST.files(system, Place(folder=self.folder / "SuperCollider")):
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_bytes(file.content)


@dataclass(frozen=True)
class Told:
    """What the script of all jobs has told, and the Buffers that it has written."""

    said: str
    folder: Path
    source: np.ndarray

    def line(self, name: str) -> tuple[str, str, str, list[str]]:
        found = re.search(rf"^TOLD {name} (\S+) (\S+) (\S+) (.*)$", self.said, re.MULTILINE)
        assert found is not None, self.said
        return found[1], found[2], found[3], found[4].split("|")

    def error(self, name: str) -> str:
        found = re.search(rf"^ERROR {name} (.*)$", self.said, re.MULTILINE)
        assert found is not None, self.said
        return found[1]

    def buffer(self, name: str) -> np.ndarray:
        return np.asarray(soundfile.read(self.folder / f"{name}.wav", dtype="float32")[0])

    def take(self, name: str) -> np.ndarray:
        return np.asarray(soundfile.read(self.line(name)[3][0], dtype="float32")[0])


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory, jack: str) -> Iterator[Language]:
    home = Home(tmp_path_factory.mktemp("sc, and a space"))
    yield Language(home, tmp_path_factory.mktemp("sclang"), jack)
    home.end()


@pytest.fixture(scope="module")
def told(language: Language) -> Told:
    """Return what came of all jobs; no service ran before, so the first of them started one."""
    source = np.random.default_rng(3).normal(0, 0.1, SAMPLES).astype(np.float32)
    path = language.folder / "source.wav"
    soundfile.write(path, source, 48_000, subtype="FLOAT")
    assert language.home.service() is None
    return Told(language.run("daw.scd", str(language.folder), str(path)), language.folder, source)


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("generate", 24_000),
        ("wide", 14_400),
        ("transfer", SAMPLES),
        ("part", 12_345),
        ("inpaint", SAMPLES),
        ("superres", SAMPLES),
        ("recall", 24_000),
        ("varied", 24_000),
        ("together0", 14_400),
        ("together1", 19_200),
        ("together2", 24_000),
    ],
)
def test_a_job_fills_a_buffer_of_exact_length(told: Told, name: str, frames: int) -> None:
    state, told_frames, rate_hz, takes = told.line(name)
    assert (state, told_frames, rate_hz) == ("finished", str(frames), "48000.0")
    assert len(told.buffer(name)) == frames and np.array_equal(told.buffer(name), told.take(name))
    assert len(takes) == (2 if name in ("generate", "varied") else 1)


def test_prompts_seeds_and_progress_are_told_as_they_are(told: Told, language: Language) -> None:
    prompts = [job.spec.prompt for job in language.home.jobs()]
    assert 'a "tin" roof, and — ö' in prompts
    assert re.search(r"^SEED \[ 7, 8 \]$", told.said, re.MULTILINE)
    assert 2**40 in [job.spec.seed for job in language.home.jobs()]
    fractions = [float(one) for one in re.findall(r"^FRACTION (\S+)$", told.said, re.MULTILINE)]
    assert fractions and fractions == sorted(fractions)


def test_a_buffer_that_is_given_is_filled(told: Told) -> None:
    assert f"SAME {SAMPLES}" in told.said


def test_what_is_sent_is_the_buffer_bit_for_bit(told: Told) -> None:
    assert np.array_equal(told.buffer("untouched"), told.source)


def test_what_is_outside_the_mask_stays_bit_for_bit(told: Told) -> None:
    times_s = np.flatnonzero(told.buffer("inpaint") != told.source) / 48_000
    inside = ((times_s >= 0.09) & (times_s <= 0.21)) | ((times_s >= 0.29) & (times_s <= 0.36))
    assert len(times_s) > 4_000 and inside.all()


def test_a_take_is_made_again_bit_for_bit(told: Told) -> None:
    assert np.array_equal(told.buffer("recall"), told.buffer("generate"))
    assert not np.array_equal(told.buffer("varied"), told.buffer("generate"))


def test_what_fails_is_told_by_code_and_sentence(told: Told) -> None:
    assert told.error("refused").startswith("bad_args the mask covers 3 to 4 s, the region is 0.500021 s")
    assert told.error("nobody").startswith("model_missing ")
    assert told.line("nobody")[0] == "failed"


def test_what_is_missing_is_told_and_stops_no_routine(told: Told) -> None:
    assert told.error("freed").startswith("io_missing this Buffer has been freed")
    assert told.error("nothing").startswith("bad_args there is nothing to send")
    assert told.error("unmasked").startswith("bad_args ") and "mask" in told.error("unmasked")
    assert told.error("wordless") == "bad_args spec: the prompt is empty"
    assert "LOAD there is no take 7 among 2" in told.said


def test_cancel_stops_a_job_accepted_or_not(told: Told) -> None:
    for name in ("cancelled", "hasty"):
        assert told.line(name)[0] == "cancelled" and told.error(name).startswith("cancelled ")
    assert "JOBS 0" in told.said


def test_a_job_outlives_a_service_that_is_killed(home: Home, tmp_path: Path, jack: str) -> None:
    home.folder.mkdir()
    sclang = Language(home, tmp_path, jack)
    with sclang.running("killed.scd") as process:
        wait_until(lambda: "RENDERS" in sclang.said or process.poll() is not None, "a job that renders")
        for service in home.services():
            kill(service)
        process.wait(PATIENCE_S)
    assert "ENDED finished 1 nil" in sclang.said, sclang.said
    assert "FRAMES 24000" in sclang.said
    assert [job.state for job in home.jobs()] == [JobState.FINISHED]


def test_the_help_is_understood(language: Language) -> None:
    language.install()
    pages = sorted(map(str, language.folder.rglob("*.schelp")))
    said = language.run("help.scd", *pages)
    assert re.findall(r"^READ (\w+)\.schelp true$", said, re.MULTILINE) == [
        "DAWBridge",
        "DAWBridgeJob",
        "DAWBridgeTake",
    ]
    after = said.partition("*** Welcome")[2]
    assert "WARNING" not in after and "ERROR" not in after
