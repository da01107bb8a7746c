"""A file that a client sent, and its job: both outlive a service that is killed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import soundfile

from daw_bridge.client.jobs import Client
from daw_bridge.jobs.state import JobState
from daw_bridge.messages.jobs import Transfer
from daw_bridge.messages.service import BlobPut, EnginePause, EngineResume
from tests.end2end.homes import Home, kill


def test_a_job_on_a_sent_file_is_done_after_the_service_was_killed(home: Home, tmp_path: Path) -> None:
    clip = tmp_path / "loop.wav"
    soundfile.write(clip, np.random.default_rng(0).normal(0, 0.1, 8_000), 16_000)
    content = clip.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    with Client(home.folders) as client:
        client.ask(EnginePause(rid="-"))
        sent = client.ask(BlobPut(rid="-", transfer_id="t", index=0, count=1, sha256=sha256, data=content))
        options = {"model": "debug", "sampler": {"steps": 2}}
        client.ask(Transfer(rid="-", path=sent.path, prompt="rain", strength=0.5, options=options))
    for service in home.services():
        kill(service)
    with Client(home.folders) as client:
        client.ask(EngineResume(rid="-"))
        job = home.wait_for(JobState.FINISHED)
    assert Path(job.takes[0].path).is_file() and Path(sent.path).read_bytes() == content
