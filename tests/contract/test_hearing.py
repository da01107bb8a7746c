"""Many files heard in the place of each other: recorded as they come out of a real sound server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from daw_bridge.audition.auditioner import Auditioner, Clip, LoopWish
from daw_bridge.audition.events import AuditionKind, AuditionLevel, EndReason
from daw_bridge.audition.levels import measure
from engine.errors import AudioMissing, SpecError
from tests.contract.test_auditioner import (
    ALSA_CONFIG,
    FADE_FRAMES,
    PATIENCE_S,
    RATE_HZ,
    Recording,
    SoundServer,
    Told,
    _only,
    audible,
    auditioner,
    recording,
    run,
    server,
    sound,
    sound_server,
)

__all__ = ["audible", "recording", "server"]

TWO_DEVICES = ALSA_CONFIG + 'pcm.other {{ type pulse server "{other}" device "out" hint {{ show on }} }}\n'


def tone(folder: Path, name: str, hz: float, peak: float, seconds: float = 2.0) -> tuple[str, np.ndarray]:
    """Write a tone that passes through zero nowhere at a sample, and return it as well."""
    wave = peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ + 0.1)
    audio = np.stack([wave, wave], axis=1).astype(np.float32)
    soundfile.write(folder / name, audio, RATE_HZ, subtype="FLOAT")
    return str(folder / name), audio


def clips(*paths: str) -> list[Clip]:
    return [Clip(path=path) for path in paths]


async def all_of(recording: Recording, audio: np.ndarray) -> np.ndarray:
    """Wait until the last frame has come out, which it does after the end was told; return what was heard."""

    def wait() -> None:
        with recording._grown:
            assert recording._grown.wait_for(is_there, PATIENCE_S), "the end was not heard"

    def is_there() -> bool:
        return np.array_equal(recording.heard()[-1:], audio[-1:])

    await asyncio.to_thread(wait)
    return recording.heard()


async def heard_beyond(told: Told, position_s: float, side: str) -> None:
    await told.until(lambda event: event.position_s > position_s and event.side == side)


@pytest.mark.real_time
def test_takes_are_switched_at_the_same_sample(recording: Recording, tmp_path: Path) -> None:
    files = [sound(tmp_path, f"{number}.wav", number, 2.5) for number in range(4)]

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.choose(clips(*(path for path, _ in files)))
            await one.match(False)
            for number, until_s in ((0, 0.3), (3, 0.8), (1, 1.3)):
                await one.select(str(number))
                await heard_beyond(told, until_s, str(number))
            assert (await told.end()).reason is EndReason.FINISHED
            heard = await all_of(recording, files[1][1])
            switches = [0]
            for before, after in ((0, 3), (3, 1)):
                a, b = files[before][1], files[after][1]
                start = switches[-1] + (FADE_FRAMES if switches[-1] else 0)
                switches.append(start + int(np.argmax((heard[start:] != a[start:]).any(axis=1))))
                settled = switches[-1] + FADE_FRAMES
                assert np.array_equal(heard[settled : settled + 1000], b[settled : settled + 1000])
            assert np.array_equal(heard[-1000:], files[1][1][-1000:])

    run(scene)


@pytest.mark.real_time
def test_no_switch_clicks(recording: Recording, tmp_path: Path) -> None:
    paths = [tone(tmp_path, f"{hz}.wav", hz, 0.4, 3.0)[0] for hz in (55.0, 82.0, 110.0)]

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.choose(clips(*paths))
            for number, side in enumerate(("0", "1", "diff", "2", "0")):
                await one.select(side)
                await heard_beyond(told, 0.3 * number + 0.2, side)
            await one.seek(2.0)
            await told.until(lambda event: event.position_s > 2.2)
            await one.stop()
            heard = await recording.frames(round(1.5 * RATE_HZ))
            # Of a tone in a fade: its own steepness, and that of its level, for both of a difference.
            steepest = 0.8 * (2 * np.pi * 110 / RATE_HZ + np.pi / FADE_FRAMES)
            assert np.abs(np.diff(heard, axis=0)).max() < steepest < 0.02

    run(scene)


@pytest.mark.real_time
def test_all_are_equally_loud_as_measured_in_the_recording(recording: Recording, tmp_path: Path) -> None:
    paths = [
        sound(tmp_path, f"{number}.wav", number, 4.0, peak)[0] for number, peak in enumerate((0.8, 0.1, 0.3))
    ]

    async def scene() -> None:
        async with auditioner() as (one, told):
            facts = (await one.choose(clips(*paths), LoopWish(on=True))).facts
            loudness = [fact["loudness_lufs"] + fact["gain_db"] for fact in facts]
            assert max(loudness) - min(loudness) < 1e-6
            found = []
            for side in ("0", "1", "2"):
                begun = len(recording.heard())
                await one.select(side)
                # What the device had in hand, and what the recorder has, are from before.
                heard = await recording.frames(begun + 2 * RATE_HZ)
                found.append(measure(heard[begun + RATE_HZ // 2 :][:RATE_HZ], RATE_HZ).loudness_lufs)
                told.events.clear()
            assert max(found) - min(found) < 0.1

    run(scene)


@pytest.mark.real_time
def test_a_new_take_comes_while_another_plays_and_not_a_sample_is_lost(
    recording: Recording, tmp_path: Path
) -> None:
    files = [sound(tmp_path, f"{number}.wav", number, 2.0) for number in range(3)]
    original, take, better = (path for path, _ in files)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.match(False)
            await one.choose(clips(original, take))
            await one.select("1")
            await heard_beyond(told, 0.2, "1")
            await one.choose(clips(original, better, take))
            await heard_beyond(told, 0.4, "2")
            assert (await told.end()).reason is EndReason.FINISHED
            assert np.array_equal(await recording.frames(len(files[1][1])), files[1][1])
            assert told.kinds().count(AuditionKind.STARTED) == 1

    run(scene)


@pytest.mark.real_time
def test_what_is_no_longer_in_the_set_plays_until_another_is_selected(
    recording: Recording, tmp_path: Path
) -> None:
    files = [sound(tmp_path, f"{number}.wav", number, 2.0) for number in range(3)]
    paths = [path for path, _ in files]

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.match(False)
            await one.choose(clips(*paths[:2]))
            await one.select("1")
            await heard_beyond(told, 0.2, "1")
            await one.choose(clips(paths[2]))
            await told.until(lambda event: event.position_s > 0.5 and event.path == paths[1])
            await one.select("0")
            await told.until(lambda event: event.path == paths[2] and event.position_s > 0.5)
            await told.end()
            heard = await all_of(recording, files[2][1])
            assert np.array_equal(heard[-1000:], files[2][1][-1000:])
            assert np.array_equal(heard[:1000], files[1][1][:1000])

    run(scene)


@pytest.mark.real_time
def test_a_stretch_is_looped_to_the_sample(recording: Recording, tmp_path: Path) -> None:
    path, audio = sound(tmp_path, "a.wav", 1, 2.0)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.choose(clips(path), LoopWish(on=True, from_s=0.5, to_s=1.0))
            await one.select("0")
            started = await told.until(lambda event: event.kind is AuditionKind.STARTED)
            assert (started.position_s, started.loop_s) == (0.5, (0.5, 1.0))
            heard = await recording.frames(2 * RATE_HZ)
            start, length = RATE_HZ // 2, RATE_HZ // 2
            first = int(np.argmax((heard == audio[start + FADE_FRAMES]).all(axis=1))) - FADE_FRAMES
            assert 0 <= first < FADE_FRAMES
            turn = first + length
            steady = audio[start : start + length - FADE_FRAMES]
            for number in (0, 1):
                part = heard[turn + number * length :][: len(steady)]
                assert np.array_equal(part, steady)
            assert {event.position_s <= 1.03 for event in told.events} == {True}

    run(scene)


@pytest.mark.real_time
def test_the_loop_is_changed_while_it_plays(recording: Recording, tmp_path: Path) -> None:
    path, audio = sound(tmp_path, "a.wav", 1, 2.0)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.choose(clips(path), LoopWish(on=True, from_s=0.2, to_s=0.4))
            await one.select("0")
            await told.until(lambda event: event.position_s > 0.3)
            await one.loop(LoopWish(on=False))
            assert (await told.end()).reason is EndReason.FINISHED
            heard = await all_of(recording, audio)
            assert np.array_equal(heard[-RATE_HZ:], audio[-RATE_HZ:])

    run(scene)


@pytest.mark.real_time
def test_where_one_went_while_nothing_played_is_where_the_next_begins(
    recording: Recording, tmp_path: Path
) -> None:
    path, audio = sound(tmp_path, "a.wav", 1, 2.0)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.choose(clips(path))
            await one.seek(1.5)
            assert told.events[-1].kind is AuditionKind.IDLE and told.events[-1].position_s == 1.5
            await one.select("0")
            await told.end()
            heard = await recording.frames(RATE_HZ // 2)
            assert np.array_equal(heard[FADE_FRAMES:], audio[-RATE_HZ // 2 + FADE_FRAMES :])

    run(scene)


@pytest.mark.real_time
def test_parts_of_long_files_share_a_position(recording: Recording, tmp_path: Path) -> None:
    song, audio = sound(tmp_path, "song.wav", 1, 4.0)
    take, other = sound(tmp_path, "take.wav", 2, 1.0)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.match(False)
            facts = (await one.choose([Clip(path=song, from_s=2.0, to_s=3.0), Clip(path=take)])).facts
            assert [fact["length_s"] for fact in facts] == [1.0, 1.0]
            await one.select("0")
            await heard_beyond(told, 0.3, "0")
            await one.select("1")
            await told.end()
            heard = await all_of(recording, other)
            assert np.array_equal(heard[200:1200], audio[2 * RATE_HZ + 200 : 2 * RATE_HZ + 1200])
            assert np.array_equal(heard[-1000:], other[-1000:])

    run(scene)


@pytest.mark.real_time
def test_a_file_that_cannot_be_read_says_so_and_what_plays_goes_on(
    recording: Recording, tmp_path: Path
) -> None:
    path, audio = sound(tmp_path, "a.wav", 1, 1.5)
    missing, broken = str(tmp_path / "gone.wav"), tmp_path / "broken.wav"
    broken.write_text("no audio")

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.match(False)
            await one.choose(clips(path))
            await one.select("0")
            facts = (await one.choose(clips(path, missing, str(broken)))).facts
            assert [fact.get("error", {}).get("code") for fact in facts] == [
                None,
                "io_missing",
                "io_format",
            ]
            with pytest.raises(SpecError, match="no such file"):
                await one.select("1")
            with pytest.raises(SpecError, match="not audio"):
                await one.select("2")
            with pytest.raises(SpecError, match="no such file"):
                await one.select("diff")
            with pytest.raises(AudioMissing):
                await one.choose(clips(missing))
            await told.end()
            assert np.array_equal(await recording.frames(len(audio)), audio)

    run(scene)


def test_levels_are_those_of_what_is_played(audible: SoundServer, tmp_path: Path) -> None:
    path, _ = tone(tmp_path, "a.wav", 441.0, 0.5)
    levels: list[AuditionLevel] = []

    async def scene() -> None:
        told = Told()
        one = Auditioner(told.take, on_level=levels.append)
        try:
            await one.choose(clips(path), LoopWish(on=True))
            await one.select("0")
            await heard_beyond(told, 0.8, "0")
        finally:
            await one.close()

    run(scene)
    # The first are of a time in which it was yet to begin.
    steady = levels[4:]
    assert steady
    for level in steady:
        assert level.peaks_db == pytest.approx((-6.02, -6.02), abs=0.1)
        assert level.rms_db == pytest.approx((-9.03, -9.03), abs=0.3)


@pytest.mark.real_time
def test_the_position_is_that_of_what_comes_out(recording: Recording, tmp_path: Path) -> None:
    """The last frame is recorded not before, and soon after, the position says so."""
    path, audio = sound(tmp_path, "a.wav", 1, 1.5)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.choose(clips(path))
            await one.select("0")
            event = await told.until(lambda event: event.position_s > 1.0)
            frames = len(recording.heard())
            # The recorder gets it in parts of 20 ms; the machine may be slow to look.
            assert frames >= (event.position_s - 0.15) * RATE_HZ
            await told.end()
            assert len(await recording.frames(len(audio))) >= len(audio)

    run(scene)


@contextmanager
def two_servers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SoundServer, SoundServer]]:
    with sound_server() as first, sound_server() as second:
        config = TWO_DEVICES.format(server=first.address, other=second.address)
        (folder / "alsa.conf").write_text(config)
        _only(folder / "alsa.conf", monkeypatch)
        yield first, second


@pytest.mark.real_time
def test_another_device_is_chosen_while_it_plays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, audio = sound(tmp_path, "a.wav", 1, 2.0)

    async def scene(second: SoundServer) -> None:
        there = await asyncio.to_thread(Recording, second)
        try:
            async with auditioner() as (one, told):
                names = [found["name"] for found in (await one.devices())["devices"]]
                other = next(name for name in names if name.startswith("other"))
                await one.choose(clips(path))
                await one.match(False)
                await one.select("0")
                await heard_beyond(told, 0.3, "0")
                await one.prefer(other)
                moved = await told.until(lambda event: event.device == other)
                assert moved.kind is AuditionKind.POSITION and moved.position_s > 0.3
                assert (await told.end()).reason is EndReason.FINISHED
                heard = await all_of(there, audio)
                assert RATE_HZ // 4 < len(heard) < 1.8 * RATE_HZ
                assert np.array_equal(heard[-1000:], audio[-1000:])
        finally:
            there.close()

    with two_servers(tmp_path, monkeypatch) as (_, second):
        run(lambda: scene(second))


@pytest.mark.real_time
def test_when_a_device_goes_away_the_default_takes_over_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, _ = sound(tmp_path, "a.wav", 1, 2.0)

    async def scene(second: SoundServer) -> None:
        async with auditioner() as (one, told):
            names = [found["name"] for found in (await one.devices())["devices"]]
            await one.prefer(next(name for name in names if name.startswith("other")))
            await one.choose(clips(path))
            await one.select("0")
            await told.until(lambda event: event.position_s > 0.3 and event.device.startswith("other"))
            second.process.kill()
            moved = await told.until(lambda event: event.kind is AuditionKind.MOVED)
            assert moved.error is not None and "was lost" in moved.error.message
            assert moved.device.startswith("default") and moved.position_s > 0.2
            assert (await told.end()).reason is EndReason.FINISHED

    with two_servers(tmp_path, monkeypatch) as (_, second):
        run(lambda: scene(second))
