from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from daw_bridge.runner import Runner
from daw_bridge.worker_client import JobFailed, WorkerProcess
from engine.errors import Cancelled
from engine.spec_json import spec_to_dict
from engine.types import ErrorCode, EventKind, JobEvent, RenderSpec, SamplerSpec, Task

ROOT = Path(__file__).resolve().parents[2]


def daw_bridge(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, from another folder, with that folder's models."""
    return subprocess.run(
        [sys.executable, "-m", "daw_bridge", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DAW_BRIDGE_MODELS": str(folder / "models")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    soundfile.write(tmp_path / "loop.wav", generator.normal(0, 0.1, (48_000, 2)), 48_000, subtype="PCM_24")
    return tmp_path / "loop.wav"


def test_an_inpainting_changes_the_masked_part_only(clip: Path) -> None:
    folder = clip.parent
    (folder / "engine").mkdir()  # a folder of the user that is named like a package of ours
    done = daw_bridge(
        *("inpaint", "loop.wav", "--start", "0:00.25", "--prompt", "rain", "--model", "debug", "--seed", "4"),
        *("--mask-time", "0.25", "0.5", "--mask-band", "300", "4000", "--steps", "2", "--takes", "2"),
        folder=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.startswith("out/loop-inpaint-rain_1.wav")
    assert second.startswith("out/loop-inpaint-rain_2.wav")
    before = soundfile.read(clip, dtype="int32", start=12_000)[0]
    after = soundfile.read(folder / "out" / "loop-inpaint-rain_1.wav", dtype="int32")[0]
    assert before.shape == after.shape
    changed = np.flatnonzero((before != after).any(axis=1))
    assert changed[0] >= 12_000
    assert changed[-1] < 24_000
    recipe = json.loads((folder / "out" / "loop-inpaint-rain_1.json").read_text())
    assert recipe["spec"]["seed"] == 4
    assert (folder / "out" / "loop-inpaint-rain_1.png").stat().st_size > 10_000


def test_the_demo_writes_three_results_and_says_what_next(tmp_path: Path) -> None:
    done = daw_bridge("demo", "--model", "debug", "--out", "heard", folder=tmp_path)
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
        (("transfer", "loop.wav", "--prompt", "", "--model", "debug"), "bad_args", 1),
        (("transfer", "loop.wav", "--prompt", "x", "--model", "nobody"), "model_missing", 1),
        (("models", "pull", "nobody"), "model_missing", 1),
        (("transfer", "loop.wav", "--wrong"), "bad_args", 2),
    ],
)
def test_a_failure_is_one_line_a_code_and_a_status(
    clip: Path, arguments: tuple[str, ...], code: str, status: int
) -> None:
    done = daw_bridge(*arguments, folder=clip.parent)
    assert done.returncode == status
    assert done.stderr.startswith(f"error[{code}]: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    out = clip.parent / "out"
    assert not out.exists() or not list(out.iterdir())


def test_models_are_listed(tmp_path: Path) -> None:
    done = daw_bridge("models", "list", folder=tmp_path)
    assert done.returncode == 0
    assert "audioldm-s-full" in done.stdout
    assert "starter" in done.stdout


def long_generation() -> RenderSpec:
    sampler = SamplerSpec(steps=1000)
    return RenderSpec(
        task=Task.GENERATE, prompt="x", duration_s=10.0, sampler=sampler, takes=16, model="debug"
    )


def test_a_job_is_cancelled_between_steps_and_the_worker_lives_on(tmp_path: Path) -> None:
    with WorkerProcess() as worker:
        out = {"folder": str(tmp_path), "stem": "x"}
        worker.submit("long", "render", spec=spec_to_dict(long_generation()), out=out)
        events = worker.events("long")
        while next(events).payload.get("stage") != "sample":
            pass
        worker.cancel("long")
        with pytest.raises(JobFailed) as caught:
            list(events)
        assert caught.value.code is ErrorCode.CANCELLED
        worker.submit("list", "models", action="list")
        assert list(worker.events("list"))[-1].payload["models"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("signal_", "code"), [(signal.SIGKILL, ErrorCode.OOM), (signal.SIGSEGV, ErrorCode.INTERNAL)]
)
def test_a_worker_that_dies_is_an_error_with_a_code(
    tmp_path: Path, signal_: signal.Signals, code: ErrorCode
) -> None:
    with Runner(WorkerProcess(log_path=tmp_path / "log")) as runner:

        def end_it(_: object) -> None:
            assert runner.worker.pid is not None
            os.kill(runner.worker.pid, signal_)

        with pytest.raises(JobFailed) as caught:
            runner.render(long_generation(), tmp_path / "out", "x", end_it)
    assert caught.value.code is code


def interrupting_once() -> Callable[[JobEvent], None]:
    """Return a listener that hears Ctrl-C at the first step and nothing afterwards."""
    waiting = [KeyboardInterrupt()]

    def listen(event: JobEvent) -> None:
        if waiting and event.kind is EventKind.PROGRESS and event.payload["stage"] == "sample":
            raise waiting.pop()

    return listen


def test_an_interrupt_cancels_the_job_and_leaves_no_file(tmp_path: Path) -> None:
    with Runner() as runner, pytest.raises(Cancelled):
        runner.render(long_generation(), tmp_path, "x", interrupting_once())
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_ignores_a_cancel_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daw_bridge.runner.GRACE_S", 0.05)
    event = {"job_id": "render-1", "seq": 0, "kind": "progress", "payload": {"stage": "sample"}}
    code = f"import time; print({json.dumps(event)!r}, flush=True); time.sleep(600)"
    worker = WorkerProcess(command=(sys.executable, "-c", code))
    with Runner(worker) as runner, pytest.raises(Cancelled):
        runner.render(long_generation(), tmp_path, "x", interrupting_once())
