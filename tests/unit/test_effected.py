"""A file sent through a chain: its format, its length, and what it told before."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC
from wavinfo import WavInfoReader

from engine.audio.broadcast import Broadcast, broadcast_chunk
from engine.audio.flac_blocks import read_tags
from engine.audio.metadata import read_metadata
from engine.audio.recipe import TAG
from engine.audio.riff import with_chunks
from engine.chain_jobs import ChainJobs
from engine.chains import Chain, Effect, Tail
from engine.effected import EffectedFile, FileChains
from engine.errors import BadJson, Cancelled, OutputError, PluginCrash
from engine.fx.child import HostLimits

RATE_HZ = 44_100
HALF = Chain(name="half", effects=(Effect(effect="gain", parameters={"gain_db": -6.0}),))
NOTHING = Chain(name="nothing", effects=(Effect(effect="gain", parameters={"gain_db": 20.0}, bypass=True),))
ECHO = Chain(
    effects=(Effect(effect="delay", parameters={"delay_seconds": 0.25, "feedback": 0.0}),),
    tail=Tail.RING,
    tail_s=2.0,
)
FORMATS = [
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_32"),
    ("WAV", "FLOAT"),
    ("AIFF", "PCM_24"),
    ("FLAC", "PCM_16"),
]


def now() -> datetime:
    return datetime(2026, 11, 21, 19, 34, 23, tzinfo=timezone(timedelta(hours=1)))


def source(folder: Path, container: str = "WAV", subtype: str = "PCM_24", level: float = 0.1) -> Path:
    path = folder / f"in.{container.lower()}"
    noise_SN = np.random.default_rng(3).normal(0, level, (9_001, 2)).clip(-1, 1)
    soundfile.write(path, noise_SN, RATE_HZ, subtype=subtype, format=container)
    return path


def sent(path: Path, chain: Chain, stem: str = "out") -> EffectedFile:
    return FileChains(now).send(path, chain, path.parent, stem, HostLimits(), lambda: False)


def facts(path: str | Path) -> tuple[object, ...]:
    info = soundfile.info(str(path))
    return info.format, info.subtype, info.samplerate, info.channels, info.frames


@pytest.mark.parametrize(("container", "subtype"), FORMATS)
def test_the_result_is_as_the_source_and_exact(tmp_path: Path, container: str, subtype: str) -> None:
    path = source(tmp_path, container, subtype)
    made = sent(path, HALF)
    assert facts(made.path) == facts(path)
    before, after = (soundfile.read(str(file), dtype="float64")[0] for file in (path, made.path))
    bits = {"PCM_16": 16}.get(subtype, 24)
    np.testing.assert_allclose(after, before * 10 ** (-6 / 20), atol=0.51 * 2.0 ** (1 - bits) + 1e-7)


@pytest.mark.parametrize(("container", "subtype"), FORMATS)
def test_effects_that_are_left_out_change_no_bit(tmp_path: Path, container: str, subtype: str) -> None:
    path = source(tmp_path, container, subtype)
    dtype = "float64" if subtype == "FLOAT" else "int32"
    before, after = (soundfile.read(str(file), dtype=dtype)[0] for file in (path, sent(path, NOTHING).path))
    assert np.array_equal(before, after)


def test_echoes_ring_out_after_the_end(tmp_path: Path) -> None:
    path = source(tmp_path)
    made = sent(path, ECHO)
    assert made.length_samples == soundfile.info(made.path).frames >= 9_001 + 0.25 * RATE_HZ


def test_a_wav_tells_what_it_told_before_but_for_its_loudness(tmp_path: Path) -> None:
    path = source(tmp_path)
    stamp = Broadcast(
        description="Rain",
        originator="Anna",
        time_reference_samples=600_000,
        history="A=ANALOGUE",
        loudness_lufs=-23.0,
    )
    own = b"anything at all!"
    chunks = ((b"bext", broadcast_chunk(stamp)), (b"mine", own), (b"dawl", b"latents"))
    path.write_bytes(with_chunks(path.read_bytes(), chunks))
    assert WavInfoReader(str(path)).bext.loudness_value == -23.0
    made = sent(path, HALF)
    bext = WavInfoReader(made.path).bext
    assert (bext.description, bext.originator, bext.time_reference) == ("Rain", "Anna", 600_000)
    assert bext.loudness_value == pytest.approx(327.67)
    first, second = bext.coding_history.strip("\0").strip().split("\r\n")
    assert first == "A=ANALOGUE" and "effects half" in second and "W=24" in second
    metadata = read_metadata(made.path)
    assert metadata.first(b"mine") == own and not metadata.first(b"dawl")


def test_tags_of_a_flac_stay(tmp_path: Path) -> None:
    path = source(tmp_path, "FLAC", "PCM_16")
    tagged = FLAC(path)
    tagged["artist"] = "Anna"
    tagged.save()
    made = sent(sent_twice(path), HALF, "third")
    assert FLAC(made.path)["artist"] == ["Anna"]
    comments = [part for name, part in read_metadata(made.path).parts if name == b"\x04"]
    recipes = [value for key, value in read_tags(comments[0]) if key == TAG]
    assert len(recipes) == 1 and json.loads(recipes[0])["source"]["path"] == "second.flac"


def sent_twice(path: Path) -> Path:
    return Path(sent(Path(sent(path, HALF, "first").path), HALF, "second").path)


def test_the_recipe_tells_chain_source_and_notes(tmp_path: Path) -> None:
    made = sent(
        source(tmp_path, level=1.0), Chain(effects=(Effect(effect="gain", parameters={"gain_db": 20.0}),))
    )
    recipe = json.loads(Path(made.recipe).read_text())
    assert recipe["made_at"] == "2026-11-21T19:34:23+01:00" and recipe["ai_generated"] is False
    assert recipe["source"]["length_samples"] == 9_001 and len(recipe["source"]["sha256"]) == 64
    assert recipe["chain"]["effects"][0]["effect"] == "gain"
    assert "above full scale" in recipe["notes"][0] and tuple(recipe["notes"]) == made.notes


def test_names_are_free_ones_also_for_several_at_once(tmp_path: Path) -> None:
    path, chains = source(tmp_path), FileChains(now)
    made: list[str] = []

    def send() -> None:
        limits = HostLimits()
        made.append(chains.send(path, HALF, tmp_path, "same", limits, lambda: False).path)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Path(one).name for one in made) == ["same-2.wav", "same-3.wav", "same.wav"]


def test_nothing_is_written_where_it_fails(tmp_path: Path) -> None:
    path = source(tmp_path)
    missing = Chain(effects=(Effect(plugin=str(tmp_path / "none.vst3")),))
    with pytest.raises(PluginCrash):
        sent(path, missing)
    with pytest.raises(Cancelled):
        FileChains(now).send(path, HALF, tmp_path, "out", HostLimits(), lambda: True)
    with pytest.raises(OutputError, match="not a plain file name"):
        sent(path, HALF, "../out")
    assert [one.name for one in tmp_path.iterdir()] == ["in.wav"]


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"action": "paint"}, "not one of apply, scan"),
        ({"action": "apply"}, "request.chain must be an object"),
        ({"action": "inspect", "path": "x", "limits": {"load_s": 0}}, "above zero"),
        ({"action": "inspect", "path": "x", "limits": {"sleep_s": 1}}, "load_s or process_s"),
    ],
)
def test_the_worker_is_told_what_is_missing(request_: dict[str, object], told: str) -> None:
    with pytest.raises(BadJson, match=told):
        ChainJobs(now).run(request_, lambda _: None, lambda: False)
