"""Jobs, and the files that a worker would write for them, for tests of the queue and the history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daw_bridge.jobs.state import Job
from engine.spec_json import digest, spec_to_dict
from engine.types import RenderSpec, Take, Task

AUDIO = b"RIFF" + bytes(996)


class SetClock:
    """A wall clock that tests set, also back."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def a_spec(prompt: str = "warm rain", **changes: Any) -> RenderSpec:
    return RenderSpec(**{"task": Task.GENERATE, "duration_s": 2.0, "prompt": prompt, **changes})


def a_job(job_id: str = "A", **changes: Any) -> Job:
    job = {"id": job_id, "spec": a_spec(), "folder": "/nowhere", "stem": "rain", "created_s": 1.0}
    return Job(**{**job, **changes})


def a_take(job: Job, number: int = 1, **changes: Any) -> Take:
    """Return the take that a worker makes of a started job as its number-th."""
    take = {
        "path": str(Path(job.folder, f"{job.file_stem}_{number}.wav")),
        "seed": job.spec.seed + number - 1,
        "clap_score": 0.5,
        "score": 0.375,
        "source_score": 0.25,
        "peak_db": -1.0,
        "rms_db": -20.0,
        "length_samples": 32_000,
        "spec_digest": digest(job.spec),
    }
    return Take(**{**take, **changes})


def written_take(job: Job, number: int = 1) -> Take:
    """Write a take of a started job as the worker does, and return it."""
    for _ in writing(job, number):
        pass
    return a_take(job, number)


def writing(job: Job, number: int = 1) -> Iterator[str]:
    """Write a take step by step, each file first as NAME.part and the audio last; yield what was done."""
    take = a_take(job, number)
    audio = Path(take.path)
    recipe = {"spec": spec_to_dict(job.spec), "take": asdict(take), "digest": take.spec_digest}
    contents = {".json": json.dumps(recipe).encode(), ".png": b"a picture", ".wav": AUDIO}
    audio.parent.mkdir(parents=True, exist_ok=True)
    for suffix, content in contents.items():
        _part(audio, suffix).write_bytes(content)
        yield f"wrote {suffix}"
    for suffix in contents:
        _part(audio, suffix).replace(audio.with_suffix(suffix))
        yield f"renamed {suffix}"


def _part(audio: Path, suffix: str) -> Path:
    return audio.with_name(audio.with_suffix(suffix).name + ".part")
