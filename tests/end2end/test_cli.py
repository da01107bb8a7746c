"""The command line as a user has it: every command through the service, which nobody has to start."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from daw_bridge.client.jobs import Client
from daw_bridge.jobs.state import JobState
from daw_bridge.messages.connection import Status
from daw_bridge.messages.service import EnginePause
from engine.models.bundle import save_bundle
from engine.models.checkpoint import load_any
from tests.end2end.homes import (
    MOMENT_OF_WORK,
    PATIENCE_S,
    SECONDS_OF_WORK,
    Home,
    kill,
    unfinished_files,
    wait_until,
)
from tests.unit.exports import FITTING, fitting_bundle
from tests.unit.odd_plugins import ZAM

LONG = ("generate", "--prompt", "rain", *SECONDS_OF_WORK)
SHORT = ("generate", "--prompt", "rain", *MOMENT_OF_WORK)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    soundfile.write(tmp_path / "loop.wav", generator.normal(0, 0.1, (48_000, 2)), 48_000, subtype="PCM_24")
    return tmp_path / "loop.wav"


def outputs(folder: Path) -> list[str]:
    out = folder / "out"
    return sorted(path.name for path in out.iterdir()) if out.exists() else []


def test_an_inpainting_changes_the_masked_part_only(lived_in: Home, clip: Path) -> None:
    folder = clip.parent
    (folder / "engine").mkdir()  # a folder of the user that is named like a package of ours
    done = lived_in.run(
        *("inpaint", "loop.wav", "--start", "0:00.25", "--prompt", "rain", "--model", "debug", "--seed", "4"),
        *("--mask-time", "0.25", "0.5", "--mask-band", "300", "4000", "--steps", "2", "--takes", "2"),
        cwd=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    names = [line.split("  ")[0] for line in (first, second)]
    assert sorted(names) == ["out/loop-inpaint-rain_1.wav", "out/loop-inpaint-rain_2.wav"]
    before = soundfile.read(clip, dtype="int32", start=12_000)[0]
    after = soundfile.read(folder / "out" / "loop-inpaint-rain_1.wav", dtype="int32")[0]
    assert before.shape == after.shape
    changed = np.flatnonzero((before != after).any(axis=1))
    assert changed[0] >= 12_000
    assert changed[-1] < 24_000
    recipe = json.loads((folder / "out" / "loop-inpaint-rain_1.json").read_text())
    assert (recipe["spec"]["takes"], recipe["spec"]["seed"]) == (1, recipe["take"]["seed"])
    assert recipe["take"]["seed"] in (4, 5)
    assert (folder / "out" / "loop-inpaint-rain_1.png").stat().st_size > 10_000


def test_the_demo_writes_three_results_and_says_what_next(lived_in: Home, tmp_path: Path) -> None:
    done = lived_in.run("demo", "--model", "debug", "--out", "heard", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "heard").glob("*_1.*") if path.suffix in (".flac", ".wav")} == {
        "demo-transfer_1.flac",
        "demo-inpaint_1.flac",
        "demo-generate_1.wav",
    }
    assert "Try next:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (("transfer", "nowhere.wav", "--prompt", "x", "--model", "debug"), "io_missing", 1),
        (("transfer", "nowhere.wav", "--end", "1:00", "--prompt", "x", "--model", "debug"), "io_missing", 1),
        (("transfer", "nowhere.wav", "--start", "1", "--prompt", "x", "--model", "debug"), "io_missing", 1),
        (("transfer", "loop.wav", "--prompt", "", "--model", "debug"), "bad_args", 1),
        (("transfer", "loop.wav", "--prompt", "x", "--model", "nobody"), "model_missing", 1),
        (
            ("transfer", "loop.wav", "--prompt", "x", "--model", "debug", "--out", "loop.wav"),
            "path_denied",
            1,
        ),
        (("models", "pull", "nobody"), "model_missing", 1),
        (("models", "export", "starter", "--layout", "original", "--into", "out/s.ckpt"), "bad_args", 1),
        (("history", "show", "nobody"), "not_found", 1),
        (("history", "favourite", "nobody"), "not_found", 1),
        (("history", "delete", "nobody", "--yes"), "not_found", 1),
        (("transfer", "loop.wav", "--wrong"), "bad_args", 2),
    ],
)
def test_a_failure_is_one_line_a_code_and_a_status(
    lived_in: Home, clip: Path, arguments: tuple[str, ...], code: str, status: int
) -> None:
    lived_in.run("service", "status", cwd=clip.parent)
    done = lived_in.run(*arguments, cwd=clip.parent)
    assert done.stderr.startswith(f"error[{code}]: ")
    assert done.returncode == status
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert outputs(clip.parent) == []


def test_models_are_listed_without_a_service(home: Home, tmp_path: Path) -> None:
    done = home.run("models", "list", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "audioldm-s-full" in done.stdout
    assert "starter" in done.stdout
    assert home.processes() == []


def test_a_bundle_in_a_folder_is_exported_by_its_relative_path(home: Home, tmp_path: Path) -> None:
    save_bundle(tmp_path / "runs" / "mine", fitting_bundle())
    arguments = ("models", "export", "runs/mine", "--layout", "original", "--into", "mine.ckpt")
    done = home.run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    exported, left_out = done.stdout.splitlines()
    assert exported.startswith("exported: mine.ckpt (") and "CLAP" in left_out
    assert load_any(tmp_path / "mine.ckpt").card.configs == FITTING


def test_the_history_finds_a_job_and_makes_its_takes_again_bit_for_bit(
    lived_in: Home, tmp_path: Path
) -> None:
    prompt = "seven slow church bells"
    assert lived_in.run("generate", "-p", prompt, *MOMENT_OF_WORK, "--takes", "2", cwd=tmp_path).stderr == ""
    header, found = lived_in.run("history", "list", "SLOW", "bells", cwd=tmp_path).stdout.splitlines()
    assert header.split() == ["JOB", "WHEN", "STATE", "TASK", "TAKES", "PROMPT"]
    job_id = found.split()[0]
    assert found.endswith(f"finished  generate  2      {prompt}")
    shown = lived_in.run("history", "show", job_id, cwd=tmp_path).stdout
    paths = re.findall(r"^take \d: (.*) \(present, seed \d+\)$", shown, re.MULTILINE)
    assert len(paths) == 2
    again = lived_in.run("history", "rerender", job_id, "--take", "2", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    made = tmp_path / again.stdout.split("  ")[0]
    assert "-again" in made.name
    again_S, other_S, same_S = (soundfile.read(path, dtype="int32")[0] for path in (made, *paths))
    assert np.array_equal(again_S, same_S)
    assert not np.array_equal(again_S, other_S)
    beyond = lived_in.run("history", "rerender", job_id, "--take", "3", cwd=tmp_path)
    assert beyond.stderr == f"error[not_found]: job {job_id} has no take 3. It has 2.\n"


TIDY = ("history", "tidy", "--gb", "0", "--everywhere")


def test_favourites_stay_when_the_rest_is_tidied_up(lived_in: Home, tmp_path: Path) -> None:
    for _ in range(3):
        assert lived_in.run(*SHORT, "--takes", "2", cwd=tmp_path).returncode == 0
    latest, middle, oldest = lived_in.jobs()[:3]
    kept = [take.path for take in (*latest.takes, middle.takes[1])]
    assert lived_in.run("history", "favourite", middle.id, "--take", "2", cwd=tmp_path).stderr == ""
    assert " takes removed, " in lived_in.run(*TIDY, cwd=tmp_path).stdout
    assert sorted(map(str, tmp_path.glob("out/*.wav"))) == sorted(kept)
    starred = lived_in.run("history", "list", "--favourites", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in starred[1:]] == [middle.id]
    assert lived_in.run("history", "favourite", middle.id, "--take", "2", "--off", cwd=tmp_path).stderr == ""
    assert lived_in.run(*TIDY, cwd=tmp_path).stdout.startswith("1 takes removed, ")
    shown = lived_in.run("history", "show", oldest.id, cwd=tmp_path).stdout
    assert shown.count("(removed, seed") == 2


def test_a_deleted_job_is_gone_with_its_files(lived_in: Home, tmp_path: Path) -> None:
    assert lived_in.run(*SHORT, cwd=tmp_path).returncode == 0
    job = lived_in.jobs()[0]
    assert len(outputs(tmp_path)) == 3
    asked = lived_in.run("history", "delete", job.id, cwd=tmp_path)
    assert (asked.returncode, len(outputs(tmp_path))) == (130, 3)
    assert lived_in.run("history", "delete", job.id, "--yes", cwd=tmp_path).returncode == 0
    assert outputs(tmp_path) == []
    assert job.id not in {other.id for other in lived_in.jobs()}


def test_commands_at_once_start_one_service_and_the_next_adopts_it(home: Home, tmp_path: Path) -> None:
    with (
        home.started(*SHORT, cwd=tmp_path) as one,
        home.started(*SHORT, cwd=tmp_path) as two,
        home.started(*SHORT, cwd=tmp_path) as three,
    ):
        for process in (one, two, three):
            said, complained = process.communicate(timeout=PATIENCE_S)
            assert (process.returncode, complained) == (0, "")
            assert said.startswith("out/generate-rain")
    wait_until(lambda: len(home.services()) == 1, "the quickest service to be the only one")
    service, (worker,) = home.service(), home.workers()
    assert home.run(*SHORT, cwd=tmp_path).returncode == 0
    assert [job.state for job in home.jobs()] == [JobState.FINISHED] * 4
    assert home.service() == service
    assert [one.pid for one in home.workers()] == [worker.pid]
    assert [path for path in outputs(tmp_path) if path.endswith(".wav")] == [
        *(f"generate-rain-{number}_1.wav" for number in (2, 3, 4)),
        "generate-rain_1.wav",
    ]


def test_a_service_without_use_ends_and_leaves_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daw_bridge.client.finding.IDLE_S", 0.5)
    with Client() as client:
        client.ask(EnginePause(rid="-"))
        assert len(home.services()) == 1
    home.wait_for_quiet()
    assert home.service() is None
    assert {path.name for path in home.folders.runtime.iterdir()} == {"service.lock", "worker.lock"}


def test_a_command_survives_its_service(home: Home, tmp_path: Path) -> None:
    with home.started(*LONG, cwd=tmp_path) as process:
        home.wait_for(JobState.RUNNING)
        (first,) = home.services()
        kill(first)
        said, complained = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, complained) == (0, "")
    (job,) = home.jobs()
    assert (job.state, job.attempts) == (JobState.FINISHED, 2)
    (second,) = home.services()
    assert second.pid != first.pid
    assert [line.split("  ")[0] for line in said.splitlines()] == [
        str(Path(take.path).relative_to(tmp_path)) for take in job.takes
    ]
    assert all(Path(take.path).exists() for take in job.takes)
    assert unfinished_files(tmp_path) == []


def stop(home: Home, folder: Path) -> None:
    assert home.run("service", "stop", cwd=folder).stdout == "The service has ended.\n"


def end_by_signal(home: Home, _: Path) -> None:
    kill(home.services()[0], signal.SIGTERM)
    home.wait_for_quiet()


@pytest.mark.parametrize("end", [stop, end_by_signal])
def test_a_command_starts_no_service_that_was_stopped_on_purpose(
    home: Home, tmp_path: Path, end: Callable[[Home, Path], None]
) -> None:
    with home.started(*LONG, cwd=tmp_path) as process:
        home.wait_for_sampling()
        end(home, tmp_path)
        said, complained = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (1, "")
    assert complained.startswith("error[timeout]: the service was stopped; what it had accepted waits")
    assert complained.count("\n") == 1
    home.wait_for_quiet()
    with home.started("serve", cwd=tmp_path):
        job = home.wait_for(JobState.FINISHED)
    assert all(Path(take.path).exists() for take in job.takes)


def interrupted(
    home: Home, folder: Path, *, when: Callable[[], object], by: signal.Signals = signal.SIGINT
) -> None:
    """Interrupt a command at a moment, as Ctrl-C does, and check what it leaves."""
    with home.started(*LONG, cwd=folder) as process:
        when()
        process.send_signal(by)
        said, complained = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (130, "")
    assert complained == "error[cancelled]: the job was cancelled.\n"
    assert home.jobs()[0].state is JobState.CANCELLED
    assert outputs(folder) == []


def test_an_interrupt_cancels_a_running_job_and_its_worker_lives_on(home: Home, tmp_path: Path) -> None:
    interrupted(home, tmp_path, when=home.wait_for_sampling)
    (worker,) = home.workers()
    assert home.run(*SHORT, cwd=tmp_path).returncode == 0
    assert [one.pid for one in home.workers()] == [worker.pid]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_cancels_a_waiting_job(home: Home, tmp_path: Path, by: signal.Signals) -> None:
    with Client() as client:
        client.ask(EnginePause(rid="-"))
        interrupted(home, tmp_path, when=lambda: home.wait_for(JobState.QUEUED), by=by)
        assert client.ask(Status(rid="-")).queued == 0
    assert home.workers() == []


def test_a_worker_that_dies_is_an_error_with_a_code_and_the_next_job_runs(home: Home, tmp_path: Path) -> None:
    with home.started(*LONG, cwd=tmp_path) as process:
        home.wait_for_sampling()
        kill(home.workers()[0], signal.SIGSEGV)
        said, complained = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (1, "")
    assert complained.startswith("error[internal]: the render process ended unexpectedly")
    assert complained.count("\n") == 1
    assert outputs(tmp_path) == []
    assert home.run(*SHORT, cwd=tmp_path).returncode == 0


def test_a_chain_is_made_set_and_used(lived_in: Home, clip: Path) -> None:
    folder = clip.parent

    def run(*words: str) -> str:
        done = lived_in.run("chain", *words, cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    run("new", "quiet room", "gain", "reverb")
    run("set", "quiet room", "gain", "gain_db", "-12dB")
    run("mix", "quiet room", "2", "0")
    assert "gain_db -12 dB" in run("move", "quiet room", "gain", "2")
    assert run("apply", "loop.wav", "--chain", "quiet room").splitlines()[0] == "out/loop-quiet-room.wav"
    before, after = (soundfile.read(path)[0] for path in (clip, folder / "out" / "loop-quiet-room.wav"))
    np.testing.assert_allclose(after, before * 10 ** (-12 / 20), atol=2**-22)
    run("copy", "quiet room", "./room.toml")
    assert "1. reverb, 50 % of it" in run("set", "./room.toml", "reverb", "mix", "50%")
    assert "0 % of it" in run("show", "quiet room")


def test_words_find_parameters_of_a_named_chain(lived_in: Home, clip: Path) -> None:
    def run(*words: str) -> str:
        done = lived_in.run("chain", *words, cwd=clip.parent)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    run("new", "own", str(ZAM / "ZamEQ2.vst3"))
    few = ("--prompt", "dark", "--model", "debug", "--evaluations", "40")
    said = run("find", "loop.wav", "--chain", "own", "--save", "own dark", *few)
    assert re.search(r"similarity \S+ before, \S+ with own as it is, \S+ after; \d+ evaluations", said)
    assert "boost_cut_1_db" in said and "ZamEQ2" in run("show", "own dark")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "nobody"), "not_found"),
        (("set", "glue", "gian", "gain_db", "1"), "not_found"),
        (("set", "glue", "gain", "gain_db", "3 Hz"), "bad_args"),
        (("set", "glue", "gain", "gain_db", "-1000"), "bad_args"),
        (("new", "glue"), "bad_args"),
        (("copy", "glue", "wide hall"), "bad_args"),
        (("delete", "glue"), "path_denied"),
        (("apply", "nowhere.wav", "--chain", "glue"), "io_missing"),
        (("find", "nowhere.wav", "--prompt", "dark", "--chain", "nobody's"), "io_missing"),
        (("inspect", "nowhere.vst3"), "not_found"),
    ],
)
def test_what_a_chain_cannot_do_is_one_sentence(
    lived_in: Home, tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    done = lived_in.run("chain", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error[{code}]: ") and done.stderr.count("\n") == 1
