"""For DAWs without scripts of ours: a watched folder, and the program as external editor."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from tests.end2end.homes import Home, kill, wait_until

QUICK = ("--model", "debug", "--steps", "2", "--seed", "3")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    folder = tmp_path / "session"
    folder.mkdir()
    tone = 0.25 * np.sin(np.arange(24_001) * 0.06)
    path = folder / "clip.wav"
    soundfile.write(path, np.stack([tone, tone[::-1]], axis=1), 48_000, subtype="PCM_24")
    return path


def test_an_edit_replaces_the_file_and_can_be_taken_back(home: Home, clip: Path) -> None:
    before, mode = clip.read_bytes(), clip.stat().st_mode
    link = clip.with_name("link.wav")
    link.symlink_to(clip)
    edited = home.run("edit", str(link), "--prompt", "a bell", *QUICK, cwd=clip.parent)
    assert edited.returncode == 0, edited.stderr
    assert "link.wav: seed 3" in edited.stdout
    assert link.is_symlink()
    link.unlink()
    found = soundfile.info(clip)
    assert (found.frames, found.samplerate, found.channels, found.subtype) == (24_001, 48_000, 2, "PCM_24")
    assert clip.read_bytes() != before
    assert clip.stat().st_mode == mode
    assert (clip.parent / "clip.before-1.wav").read_bytes() == before
    told = home.run("recall", str(clip), cwd=clip.parent).stdout
    assert "clip.before-1.wav (unchanged since then)" in told
    undone = home.run("edit", str(clip), "--undo", cwd=clip.parent)
    assert undone.returncode == 0, undone.stderr
    assert clip.read_bytes() == before
    assert sorted(path.name for path in clip.parent.iterdir()) == ["clip.wav"]
    again = home.run("edit", str(clip), "--undo", cwd=clip.parent)
    assert again.returncode == 1
    assert "nothing was kept" in again.stderr


def test_an_edit_that_fails_or_is_interrupted_leaves_the_file(home: Home, clip: Path) -> None:
    before = clip.read_bytes()
    refused = home.run("edit", str(clip), "--prompt", "a bell", "--model", "nobody", cwd=clip.parent)
    assert refused.returncode == 1
    assert "error[model_missing]" in refused.stderr
    silent = home.run("edit", str(clip), *QUICK, cwd=clip.parent)
    assert "the prompt is empty. Give --prompt" in silent.stderr
    long = ("--prompt", "a bell", "--model", "debug", "--steps", "400")
    with home.started("edit", str(clip), *long, cwd=clip.parent) as editing:
        home.wait_for_sampling()
        editing.send_signal(signal.SIGINT)
        assert editing.wait() == 130
    assert [job.state.value for job in home.jobs()][:1] == ["cancelled"]
    assert [(path.name, path.read_bytes()) for path in clip.parent.iterdir()] == [("clip.wav", before)]


def test_a_lossy_file_is_not_replaced(home: Home, clip: Path) -> None:
    lossy = clip.with_suffix(".ogg")
    audio, rate_hz = soundfile.read(clip)
    soundfile.write(lossy, audio, rate_hz)
    refused = home.run("edit", str(lossy), "--prompt", "a bell", *QUICK, cwd=clip.parent)
    assert refused.returncode == 1
    assert "Let the DAW hand over WAV" in refused.stderr
    assert soundfile.info(lossy).format == "OGG"


def test_what_is_dropped_comes_back_once_each(home: Home, clip: Path) -> None:
    folder = clip.parent
    shutil.copy(clip, folder / "other.wav")
    (folder / "other.txt").write_text("a bell\nof iron")
    (folder / "broken.wav").write_bytes(b"RIFF")
    takes = folder / "takes"
    with home.started("watch", str(folder), "--prompt", "a harp", *QUICK, cwd=folder) as watching:
        wait_until(lambda: {"clip_1.wav", "other_1.wav"} <= names(takes), "takes of both")
        wait_until(lambda: len(home.jobs()) >= 2, "jobs")
        shutil.copy(clip, folder / "later.wav")
        wait_until(lambda: "later_1.wav" in names(takes), "a take of what came later")
        watching.send_signal(signal.SIGINT)
        _, complaints = watching.communicate()
        assert watching.returncode == 130
    assert "broken.wav" in complaints
    prompts = {Path(job.spec.region.path).name: job.spec.prompt for job in home.jobs() if job.spec.region}
    assert prompts["other.wav"] == "a bell of iron"
    assert prompts["clip.wav"] == "a harp"
    count = len(home.jobs())
    with home.started("watch", str(folder), "--prompt", "a harp", *QUICK, cwd=folder) as watching:
        shutil.copy(clip, folder / "last.wav")
        wait_until(lambda: "last_1.wav" in names(takes), "a take of the last one")
        kill(psutil.Process(watching.pid))
    assert len(home.jobs()) == count + 1


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()
