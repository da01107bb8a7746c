"""The abstractions for Pure Data, in Pure Data, against a real service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from daw_bridge.daws.hosts import Place, System
from daw_bridge.daws.puredata.host import HOST
from daw_bridge.jobs.state import JobState
from tests.end2end.homes import PATIENCE_S, Home, kill, wait_until

PATCH = Path(__file__).parent / "clients" / "abstraction.pd"
PD = ("pd", "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr", "-r", "48000")
SMALL = ("model debug", "steps 2", "seed 7")
LONG = ("model debug", "steps 150", "takes 2")
UNHURRIED = ("model debug", "steps 60")
pytestmark = pytest.mark.skipif(shutil.which("pd") is None, reason="not installed: pd")


@dataclass(frozen=True)
class Patch:
    """A patch at work in Pd, in a folder of its own."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        # Pd shows spaces and commas within a text with a backslash before them.
        return re.sub(r"\\(.)", r"\1", (self.folder / "pd.txt").read_text(errors="replace"))

    @property
    def result(self) -> np.ndarray:
        """Return what Pd itself has written of its array."""
        samples, rate_hz = soundfile.read(self.folder / "result.wav", dtype="float32")
        assert rate_hz == 48_000
        return np.asarray(samples)

    def take(self, index: int = 0) -> np.ndarray:
        path = re.search(rf"^take: {index} (\S.*?\.wav) ", self.said, re.MULTILINE)
        assert path is not None, self.said
        return np.asarray(soundfile.read(path[1], dtype="float32")[0])

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.said, f"{text!r} of Pd")

    def end(self) -> str:
        """Return what Pd said up to its end."""
        self.process.wait(PATIENCE_S)
        return self.said


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Return a home with a service whose folders have spaces in their names."""
    home = Home(tmp_path_factory.mktemp("pd, and a space"))
    with serving(home):
        yield home
    home.end()


@contextmanager
def serving(home: Home) -> Iterator[None]:
    ports = [f"--{kind}-port=0" for kind in ("udp", "tcp", "http")]
    with home.started("serve", *ports, cwd=home.folder):
        wait_until(lambda: home.service() is not None, "a service that is ready")
        yield


@contextmanager
def patch(home: Home, folder: Path, name: str, *messages: str, source: Path | None = None) -> Iterator[Patch]:
    """Let an abstraction as it is installed do what the messages say."""
    folder.mkdir(exist_ok=True)
    install(home, folder)
    text = PATCH.read_text().replace("@OBJECT@", name)
    (folder / "patch.pd").write_text(text)
    sent = [f"settings {message}" for message in messages]
    load = [] if source is None else [f"load {source}", "settings from source"]
    words = [word for message in (*load, *sent) for word in ("-send", message)]
    command = [*PD, "-path", str(folder / "dawbridge"), *words, "patch.pd"]
    with (folder / "pd.txt").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ}
        )
        with process:
            try:
                yield Patch(folder, process)
            finally:
                process.kill()


def install(home: Home, folder: Path) -> None:
    system = System(
        platform="linux", home=folder, environment={}, folders=home.folders, command=("daw-bridge",)
    )
    for file in HOST.files(system, Place(folder=folder)):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_bytes(file.content)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a region of a length that fits no grid."""
    path = tmp_path / "source.wav"
    noise = np.random.default_rng(3).normal(0, 0.1, 24_001).astype(np.float32)
    soundfile.write(path, noise, 48_000, subtype="FLOAT")
    return path


def test_words_become_a_sound_in_an_array_at_the_rate_of_pd(served: Home, tmp_path: Path) -> None:
    messages = ("takes 2", "seconds 0.5", "prompt rain on 2 tin roofs", 'negative a "hiss"', "bang")
    with patch(served, tmp_path / "pd", "dawbridge.generate", *SMALL, *messages) as pd:
        said = pd.end()
    assert "filled: bang" in said and "error" not in said
    assert np.array_equal(pd.result, pd.take()) and len(pd.result) == 24_000
    assert np.any(pd.result)
    assert np.isfinite(pd.take(1)).all()
    job = served.jobs()[0]
    assert (job.spec.prompt, job.spec.negative, job.spec.takes) == ("rain on 2 tin roofs", 'a "hiss"', 2)
    assert (job.spec.seed, job.spec.sampler.steps) == (7, 2)
    fractions = [float(one) for one in re.findall(r"^progress: (\S+)$", said, re.MULTILINE)]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_an_array_is_transferred_to_the_sample(served: Home, tmp_path: Path, source: Path) -> None:
    messages = ("strength 0.4", "prompt church bells", "bang")
    with patch(served, tmp_path / "pd", "dawbridge.transfer", *SMALL, *messages, source=source) as pd:
        pd.end()
    assert len(pd.result) == 24_001 and np.array_equal(pd.result, pd.take())
    job = served.jobs()[0]
    assert job.spec.sampler.strength == pytest.approx(0.4)
    assert job.spec.region is not None
    sent, rate_hz = soundfile.read(job.spec.region.path, dtype="float32")
    assert rate_hz == 48_000 and np.array_equal(sent, soundfile.read(source, dtype="float32")[0])


def test_what_is_outside_the_mask_stays_bit_for_bit(served: Home, tmp_path: Path, source: Path) -> None:
    messages = ("prompt bells", "mask 0.1 0.2", "mask 0.3 0.35 500 4000", "bang")
    with patch(served, tmp_path / "pd", "dawbridge.inpaint", *SMALL, *messages, source=source) as pd:
        pd.end()
    assert np.array_equal(pd.result, pd.take())
    changed = np.flatnonzero(pd.result != soundfile.read(source, dtype="float32")[0])
    times_s = changed / 48_000
    inside = ((times_s >= 0.09) & (times_s <= 0.21)) | ((times_s >= 0.29) & (times_s <= 0.36))
    assert len(changed) > 4_000 and inside.all()


def test_highs_are_made_and_a_take_is_varied(served: Home, tmp_path: Path, source: Path) -> None:
    with patch(
        served, tmp_path / "pd", "dawbridge.superres", *SMALL, "cutoff_hz 4000", f"file {source}", "bang"
    ) as pd:
        pd.end()
    assert len(pd.result) == 24_001 and np.array_equal(pd.result, pd.take())
    made = served.jobs()[0].takes[0].path
    words = made.replace(" ", "\\ ").replace(",", "\\,")
    messages = (f"file {words}", "vary 0.5", "takes 2", "bang")
    with patch(served, tmp_path / "again", "dawbridge.recall", *messages) as again:
        again.end()
    assert len(again.result) == 24_001 and not np.array_equal(again.result, pd.result)
    assert (served.jobs()[0].spec.variation, served.jobs()[0].spec.takes) == (0.5, 2)


def test_a_refusal_arrives_as_code_sentence_and_hint(served: Home, tmp_path: Path, source: Path) -> None:
    messages = ("prompt bells", "mask 3 4", "bang")
    with patch(served, tmp_path / "pd", "dawbridge.inpaint", *SMALL, *messages, source=source) as pd:
        said = pd.end()
    assert "news: error bad_args the mask covers 3 to 4 s, the region is 0.500021 s long" in said
    assert "filled" not in said


def test_an_array_that_is_not_there_is_one_sentence(served: Home, tmp_path: Path) -> None:
    messages = ("from nobody", "prompt bells", "bang")
    with patch(served, tmp_path / "pd", "dawbridge.transfer", *SMALL, *messages) as pd:
        said = pd.end()
    assert "news: error io_missing the array could not be written to a file" in said


def test_cancel_stops_the_job(served: Home, tmp_path: Path) -> None:
    messages = ("seconds 0.5", "prompt rain", "bang", "cancel")
    with patch(served, tmp_path / "pd", "dawbridge.generate", *LONG, *messages) as pd:
        said = pd.end()
    assert "news: error cancelled" in said
    assert served.wait_for(JobState.CANCELLED).spec.prompt == "rain"


def test_without_a_service_it_says_how_to_start_one(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with patch(home, tmp_path / "pd", "dawbridge.generate", *SMALL, "prompt rain", "bang") as pd:
        said = pd.end()
    assert "news: error no_service no service of DAW Bridge answers Start it: daw-bridge serve" in said


def test_a_job_outlives_a_service_that_is_killed(home: Home, tmp_path: Path) -> None:
    home.folder.mkdir()
    messages = ("seconds 0.5", "prompt rain", "bang")
    with serving(home), patch(home, tmp_path / "pd", "dawbridge.generate", *UNHURRIED, *messages) as pd:
        home.wait_for_sampling()
        for process in home.services():
            kill(process)
        wait_until(lambda: home.service() is None, "the service to be gone")
        with serving(home):
            said = pd.end()
    assert "filled: bang" in said and "error" not in said
    assert np.array_equal(pd.result, pd.take())
    assert len(home.jobs()) == 1


def test_several_objects_at_once_do_not_mix_up(served: Home, tmp_path: Path) -> None:
    prompts = ("rain", "bells", "a harp")
    folders = [tmp_path / prompt for prompt in prompts]
    started = [
        patch(served, folder, "dawbridge.generate", *SMALL, f"seconds 0.{n + 3}", f"prompt {prompt}", "bang")
        for n, (folder, prompt) in enumerate(zip(folders, prompts, strict=True))
    ]
    with started[0] as one, started[1] as two, started[2] as three:
        lengths = [len(pd.result) for pd in (one, two, three) if pd.end()]
    assert lengths == [14_400, 19_200, 24_000]


@pytest.mark.parametrize(
    ("declared", "name", "is_found"),
    [
        ("", "dawbridge/dawbridge.generate", True),
        ("#X declare -path dawbridge;\n", "dawbridge.generate", True),
        ("", "dawbridge.generate", False),
    ],
)
def test_a_patch_of_a_user_finds_the_objects_as_the_page_says(
    tmp_path: Path, declared: str, name: str, is_found: bool
) -> None:
    folder = tmp_path / ".local" / "lib" / "pd" / "extra"
    folder.mkdir(parents=True)
    made = Home(tmp_path).run("install-scripts", "puredata", "--folder", str(folder), cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (tmp_path / "patch.pd").write_text(f"#N canvas 0 0 400 300 12;\n{declared}#X obj 10 40 {name} one;\n")
    done = subprocess.run(
        [*PD, "-send", "pd quit", "patch.pd"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert ("couldn't create" not in done.stderr) == is_found
