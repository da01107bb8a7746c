"""A take that has lost everything but itself tells how it was made, and is made again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wavinfo import WavInfoReader

from daw_bridge.client.jobs import Client
from daw_bridge.messages.jobs import Recall
from engine.errors import EngineError
from tests.end2end.homes import Home, wait_until


def samples(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int32")[0]


@pytest.fixture(scope="module")
def take(lived_in: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a take under another name in another folder, with nothing beside it."""
    folder = tmp_path_factory.mktemp("session")
    noise = np.random.default_rng(0).normal(0, 0.1, (48_000, 2))
    soundfile.write(folder / "loop.wav", noise, 48_000, subtype="PCM_24")
    done = lived_in.run(
        *("transfer", "loop.wav", "--start", "0.25", "--end", "0:00.75", "--prompt", "eine Glöckchen-Bö"),
        *("--model", "debug", "--seed", "40", "--steps", "2", "--takes", "2"),
        cwd=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    made = next(path for path in (folder / "out").glob("*.wav"))
    return Path(shutil.copy(made, folder / "stray file.wav"))


def test_a_stray_take_tells_how_it_was_made(lived_in: Home, take: Path) -> None:
    told = lived_in.run("recall", take.name, cwd=take.parent)
    assert (told.returncode, told.stderr) == (0, "")
    lines = [line.split(maxsplit=1) for line in told.stdout.splitlines()]
    assert told.stdout.startswith("stray file.wav: AI generated\n")
    assert ["prompt", "eine Glöckchen-Bö"] in lines
    assert ["source", "loop.wav, 0.25 to 0.75 s (unchanged since then)"] in lines
    assert WavInfoReader(str(take)).bext.time_reference == 12_000


def test_a_stray_take_is_rendered_again_bit_for_bit(lived_in: Home, take: Path) -> None:
    spec = json.loads(lived_in.run("recall", take.name, "--json", cwd=take.parent).stdout)
    assert (spec["takes"], spec["seed"] in (40, 41), spec["prompt"]) == (1, True, "eine Glöckchen-Bö")
    again = lived_in.run("recall", take.name, "--render", "--out", "again", cwd=take.parent)
    assert (again.returncode, again.stderr) == (0, "")
    made = take.parent / "again" / "stray file-again_1.wav"
    assert f"again/{made.name}  (seed {spec['seed']}, " in again.stdout
    assert np.array_equal(samples(made), samples(take))


def test_a_client_of_the_service_gets_a_take_again_or_varied(lived_in: Home, take: Path) -> None:
    with Client(lived_in.folders) as client:
        again = client.ask(Recall(rid="-", path=str(take))).job_id
        varied = client.ask(Recall(rid="-", path=str(take), vary=0.5, takes=2)).job_id
        with pytest.raises(EngineError, match="takes does not go without vary"):
            client.ask(Recall(rid="-", path=str(take), takes=2))
    wait_until(lambda: all(job.state.is_terminal for job in lived_in.jobs()), "the end of both jobs")
    jobs = {job.id: job for job in lived_in.jobs()}
    assert np.array_equal(samples(Path(jobs[again].takes[0].path)), samples(take))
    assert (jobs[varied].spec.variation, jobs[varied].spec.takes, len(jobs[varied].takes)) == (0.5, 2, 2)
    assert not np.array_equal(samples(Path(jobs[varied].takes[0].path)), samples(take))


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("loop.wav",), "not_found", "is not a take of DAW Bridge"),
        (("nowhere.wav",), "io_missing", "is not a file"),
        (("loop.wav", "--json", "--render"), "bad_args", "--json does not go together with --render"),
    ],
)
def test_what_is_no_take_is_one_sentence(
    lived_in: Home, take: Path, arguments: tuple[str, ...], code: str, says: str
) -> None:
    done = lived_in.run("recall", *arguments, cwd=take.parent)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error[{code}]: ") and says in done.stderr
    assert done.stderr.count("\n") == 1
