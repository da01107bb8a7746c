"""The audition process as the service meets it, on a real sound server whose output is recorded."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from daw_bridge.audition.auditioner import Auditioner, AuditionerConfig
from daw_bridge.audition.events import AuditionAnswer, AuditionEvent, AuditionKind, EndReason, parse_line
from daw_bridge.errors import TimedOut
from engine.errors import AudioIOError, AudioMissing, Cancelled, EngineError, NotFound, SpecError
from engine.types import ErrorCode, ErrorInfo

RATE_HZ = 44_100
FADE_FRAMES = 441
PATIENCE_S = 60.0

ALSA_CONFIG = """
pcm.default {{ type pulse server "{server}" device "out" hint {{ show on description "the test's own" }} }}
"""
PULSEAUDIO = (
    *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"),
    *("--realtime=no", "--high-priority=no"),
    *("-L", f"module-null-sink sink_name=out rate={RATE_HZ} channels=2 format=float32le"),
)
WITHOUT_PORTAUDIO = (
    "import ctypes.util, runpy; ctypes.util.find_library = lambda name: None;"
    "runpy.run_module('daw_bridge.audition.player', run_name='__main__')"
)
DEAF = "import sys; sys.stdin.read()"


class SoundServer:
    """A PulseAudio of the test's own, with one output that goes nowhere."""

    def __init__(self, folder: Path) -> None:
        self.address = f"unix:{folder}/server"
        self.env = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        self.log = (folder / "log").open("wb")
        (folder / "alsa.conf").write_text(ALSA_CONFIG.format(server=self.address))
        self.process = subprocess.Popen(
            [*PULSEAUDIO, "-L", f"module-native-protocol-unix socket={folder}/server auth-anonymous=1"],
            env=self.env,
            stderr=self.log,
            stdout=self.log,
        )

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.log.close()


class Recording:
    """What the sound server puts out, without the silence: every sample that the tests play is not zero."""

    def __init__(self, server: SoundServer) -> None:
        options = ["--device=out.monitor", "--format=float32le", f"--rate={RATE_HZ}", "--channels=2"]
        self._process = subprocess.Popen(
            ["parec", f"--server={server.address}", "--raw", "--latency-msec=20", *options],
            env=server.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._bytes = bytearray()
        self._grown = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        with self._grown:
            assert self._grown.wait_for(lambda: self._bytes, PATIENCE_S), "nothing is recorded"

    def _read(self) -> None:
        assert self._process.stdout is not None
        while part := self._process.stdout.read1():
            with self._grown:
                self._bytes += part
                self._grown.notify_all()

    def heard(self) -> np.ndarray:
        whole = len(self._bytes) // 8 * 8
        audio = np.frombuffer(bytes(self._bytes[:whole]), np.float32).reshape(-1, 2)
        return audio[audio.any(axis=1)]

    async def frames(self, count: int) -> np.ndarray:
        """Wait for so many frames of sound."""

        def wait() -> None:
            with self._grown:
                enough = self._grown.wait_for(lambda: len(self.heard()) >= count, PATIENCE_S)
                assert enough, f"only {len(self.heard())} of {count} frames were heard"

        await asyncio.to_thread(wait)
        return self.heard()

    def close(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)
        self._thread.join(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def sound_server() -> Iterator[SoundServer]:
    if shutil.which("pulseaudio") is None or shutil.which("parec") is None:
        pytest.skip("pulseaudio and pulseaudio-utils are not installed")
    # Not tmp_path: the name of a socket has room for some 100 characters only.
    with tempfile.TemporaryDirectory(prefix="audition") as folder:
        server = SoundServer(Path(folder))
        try:
            _until_ready(server)
            yield server
        finally:
            server.close()


def _until_ready(server: SoundServer) -> None:
    for _ in range(100):
        answer = subprocess.run(
            ["pactl", f"--server={server.address}", "info"], env=server.env, capture_output=True, check=False
        )
        if answer.returncode == 0:
            return
        assert server.process.poll() is None, "the sound server does not start"
        threading.Event().wait(0.1)
    pytest.fail("the sound server does not answer")


@pytest.fixture(scope="module")
def server() -> Iterator[SoundServer]:
    with sound_server() as one:
        yield one


@pytest.fixture
def audible(server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> SoundServer:
    use(server, monkeypatch)
    return server


@pytest.fixture
def recording(audible: SoundServer) -> Iterator[Recording]:
    one = Recording(audible)
    yield one
    one.close()


@pytest.fixture
def no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "alsa.conf").write_text(ALSA_CONFIG.format(server=f"unix:{tmp_path}/nothing"))
    _only(tmp_path / "alsa.conf", monkeypatch)


def use(server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(Path(server.env["HOME"]) / "alsa.conf", monkeypatch)


def _only(alsa_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the sound devices of this machine from the processes to come."""
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(alsa_config))
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    monkeypatch.setenv("HOME", str(alsa_config.parent))


class Told:
    """Collects events and waits for them."""

    def __init__(self) -> None:
        self.events: list[AuditionEvent] = []
        self.changed = asyncio.Event()

    def take(self, event: AuditionEvent) -> None:
        self.events.append(event)
        self.changed.set()

    async def until(self, holds: Callable[[AuditionEvent], bool]) -> AuditionEvent:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := [event for event in self.events if holds(event)]):
                self.changed.clear()
                await self.changed.wait()
            return found[0]

    async def end(self) -> AuditionEvent:
        return await self.until(lambda event: event.kind in (AuditionKind.ENDED, AuditionKind.FAILED))

    def kinds(self) -> list[AuditionKind]:
        return [event.kind for event in self.events if event.kind is not AuditionKind.POSITION]


@asynccontextmanager
async def auditioner(config: AuditionerConfig | None = None) -> AsyncIterator[tuple[Auditioner, Told]]:
    told = Told()
    one = Auditioner(told.take, config)
    try:
        yield one, told
    finally:
        await one.close()


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def sound(
    folder: Path, name: str, seed: int, seconds: float = 1.0, peak: float = 0.4
) -> tuple[str, np.ndarray]:
    """Write noise without a single zero, and return it as well."""
    rng = np.random.default_rng(seed)
    shape = (round(seconds * RATE_HZ), 2)
    audio = (rng.uniform(0.01, peak, shape) * rng.choice([-1, 1], shape)).astype(np.float32)
    soundfile.write(folder / name, audio, RATE_HZ, subtype="FLOAT")
    return str(folder / name), audio


@pytest.mark.real_time
def test_a_file_comes_out_sample_by_sample(recording: Recording, tmp_path: Path) -> None:
    path, audio = sound(tmp_path, "a.wav", 1, 1.5)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.play(path)
            end = await told.end()
            assert np.array_equal(await recording.frames(len(audio)), audio)
            assert (end.kind, end.reason, end.path) == (AuditionKind.ENDED, EndReason.FINISHED, path)
            assert told.kinds() == [AuditionKind.STARTED, AuditionKind.ENDED]
            positions = [event.position_s for event in told.events[:-1]]
            assert positions == sorted(positions) and positions[0] == 0.0 and positions[-1] <= 1.5
            assert {event.duration_s for event in told.events} == {1.5}

    run(scene)


@pytest.mark.real_time
def test_a_part_with_gain_and_volume(recording: Recording, tmp_path: Path) -> None:
    path, audio = sound(tmp_path, "a.wav", 1)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.set_volume(-6.0)
            await one.play(path, from_s=0.25, to_s=0.75, gain_db=-14.0)
            started = await told.until(lambda event: event.kind is AuditionKind.STARTED)
            assert (started.position_s, started.duration_s) == (0.25, 0.5)
            heard = await recording.frames(RATE_HZ // 2)
            part = audio[RATE_HZ // 4 : 3 * RATE_HZ // 4]
            np.testing.assert_allclose(heard[100:-100], 0.1 * part[100:-100], rtol=1e-5)

    run(scene)


@pytest.mark.real_time
def test_a_switch_goes_on_at_the_same_sample(recording: Recording, tmp_path: Path) -> None:
    path_a, a = sound(tmp_path, "a.wav", 1, 2.0)
    path_b, b = sound(tmp_path, "b.wav", 2, 2.0, peak=0.1)

    async def scene() -> None:
        async with auditioner() as (one, told):
            gains = await one.set_ab(path_a, path_b, loop=False)
            assert gains.b_db == 0.0 and gains.a_db == pytest.approx(-11.5, abs=0.5)
            await one.match(False)
            await one.select("0")
            await told.until(lambda event: event.position_s > 0.3)
            await one.select("1")
            await told.until(lambda event: event.side == "1" and event.path == path_b)
            assert (await told.end()).reason is EndReason.FINISHED
            heard = await recording.frames(len(a))
            switch = int(np.argmax((heard != a).any(axis=1)))
            assert switch > 0.25 * RATE_HZ
            assert np.array_equal(heard[switch + FADE_FRAMES :], b[switch + FADE_FRAMES :])

    run(scene)


@pytest.mark.real_time
def test_matched_sides_and_their_difference(recording: Recording, tmp_path: Path) -> None:
    path_a, a = sound(tmp_path, "a.wav", 1)
    path_b, b = sound(tmp_path, "b.wav", 2, peak=0.1)

    async def scene() -> None:
        async with auditioner() as (one, told):
            gains = await one.set_ab(path_a, path_b, loop=False)
            await one.select("diff")
            end = await told.end()
            assert (end.side, end.path) == ("diff", "")
            factors = np.float32(10 ** (gains.a_db / 20)), np.float32(10 ** (gains.b_db / 20))
            heard = await recording.frames(len(a) - 5)
            expected = a * factors[0] - b * factors[1]
            np.testing.assert_allclose(heard[:1000], expected[:1000], atol=1e-6)

    run(scene)


def test_play_stop_and_replace(audible: SoundServer, tmp_path: Path) -> None:
    path_a, _ = sound(tmp_path, "a.wav", 1)
    path_b, _ = sound(tmp_path, "b.wav", 2)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.stop()
            assert one.pid is None
            await one.play(path_a, loop=True)
            await one.play(path_b, loop=True)
            await one.stop()
            await one.stop()
            found = [(event.kind.value, event.path, event.reason) for event in told.events]
            assert [one for one in found if one[0] != "position"] == [
                ("started", path_a, None),
                ("ended", path_a, EndReason.REPLACED),
                ("started", path_b, None),
                ("ended", path_b, EndReason.STOPPED),
            ]

    run(scene)


@pytest.mark.real_time
def test_reading_a_long_file_does_not_hold_up_what_plays(recording: Recording, tmp_path: Path) -> None:
    path, audio = sound(tmp_path, "a.wav", 1)
    long_path = str(tmp_path / "long.wav")
    soundfile.write(long_path, np.zeros((96_000 * 60, 2), np.int16), 96_000)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.play(path)
            comparing = asyncio.create_task(one.set_ab(long_path, long_path))
            await told.end()
            assert np.array_equal(await recording.frames(len(audio)), audio)
            await comparing

    run(scene)


def test_a_newer_request_ends_an_older_one_that_still_reads(audible: SoundServer, tmp_path: Path) -> None:
    path, _ = sound(tmp_path, "a.wav", 1)
    long_path = str(tmp_path / "long.wav")
    soundfile.write(long_path, np.zeros((96_000 * 60, 2), np.int16), 96_000)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.set_volume(-20.0)
            older = asyncio.create_task(one.play(long_path))
            newer = asyncio.create_task(one.play(path))
            with pytest.raises(Cancelled):
                await older
            await newer
            assert (await told.end()).path == path

    run(scene)


def test_what_cannot_be_played_says_why_and_the_next_file_plays(audible: SoundServer, tmp_path: Path) -> None:
    path, _ = sound(tmp_path, "a.wav", 1, 0.2)
    (tmp_path / "note.wav").write_text("no audio")

    async def scene() -> None:
        async with auditioner() as (one, told):
            with pytest.raises(AudioMissing, match="no such file"):
                await one.play(str(tmp_path / "nowhere.wav"))
            with pytest.raises(AudioIOError, match="not audio"):
                await one.set_ab(path, str(tmp_path / "note.wav"))
            with pytest.raises(SpecError, match="nothing was chosen"):
                await one.select("0")
            with pytest.raises(SpecError, match="no side"):
                await one.select("c")
            with pytest.raises(SpecError, match="volume"):
                await one.set_volume(3.0)
            with pytest.raises(NotFound, match="violin") as missing:
                await one.play(path, device="violin")
            assert "default" in missing.value.hint
            with pytest.raises(SpecError, match="finite"):
                await one.play(path, from_s=float("nan"))
            await one.play(path)
            assert (await told.end()).reason is EndReason.FINISHED

    run(scene)


def test_without_a_device_there_is_one_clear_sentence(no_device: None, tmp_path: Path) -> None:
    path, _ = sound(tmp_path, "a.wav", 1)

    async def scene() -> None:
        async with auditioner() as (one, told):
            with pytest.raises(NotFound, match="no sound device") as missing:
                await one.play(path)
            assert "sound server" in missing.value.hint
            assert told.events == []

    run(scene)


def test_without_portaudio_it_says_how_to_install_it(tmp_path: Path) -> None:
    config = AuditionerConfig(command=(sys.executable, "-c", WITHOUT_PORTAUDIO))

    async def scene() -> None:
        async with auditioner(config) as (one, _):
            with pytest.raises(NotFound, match="PortAudio") as missing:
                await one.play("a.wav")
            assert "apt install libportaudio2" in missing.value.hint

    run(scene)


@pytest.mark.real_time
def test_after_the_death_of_the_process_the_comparison_is_still_there(
    recording: Recording, tmp_path: Path
) -> None:
    path_a, _ = sound(tmp_path, "a.wav", 1)
    path_b, b = sound(tmp_path, "b.wav", 2)

    async def scene() -> None:
        async with auditioner() as (one, told):
            await one.match(False)
            await one.set_ab(path_a, path_b, loop=True)
            await one.select("0")
            first = one.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            failed = await told.end()
            assert failed.kind is AuditionKind.FAILED and failed.path == path_a
            assert failed.error is not None and failed.error.code is ErrorCode.INTERNAL
            before = len(recording.heard())
            await one.select("1")
            assert one.pid != first
            heard = await recording.frames(before + 2000)
            last = heard[-1000:]
            assert _within(last, np.tile(b, (3, 1)))

    run(scene)


def test_a_sound_server_that_dies_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, _ = sound(tmp_path, "a.wav", 1)

    async def scene(server: SoundServer) -> None:
        async with auditioner() as (one, told):
            await one.play(path, loop=True)
            await told.until(lambda event: event.position_s > 0.1)
            server.process.kill()
            failed = await told.end()
            assert failed.kind is AuditionKind.FAILED and failed.error is not None
            assert failed.error.code is ErrorCode.NOT_FOUND and "sound device" in failed.error.message
            with pytest.raises(NotFound):
                await one.play(path)

    with sound_server() as server:
        use(server, monkeypatch)
        run(lambda: scene(server))


def test_a_sound_server_that_hangs_is_told_and_may_come_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, _ = sound(tmp_path, "a.wav", 1)

    async def scene(server: SoundServer) -> None:
        async with auditioner() as (one, told):
            await one.play(path, loop=True)
            await told.until(lambda event: event.position_s > 0.1)
            server.process.send_signal(signal.SIGSTOP)
            failed = await told.end()
            server.process.send_signal(signal.SIGCONT)
            assert failed.error is not None and "no sound any more" in failed.error.message
            assert told.kinds() == [AuditionKind.STARTED, AuditionKind.FAILED]
            told.events.clear()
            await one.play(path)
            assert (await told.end()).reason is EndReason.FINISHED

    with sound_server() as server:
        use(server, monkeypatch)
        run(lambda: scene(server))


def test_a_process_that_does_not_answer_is_ended() -> None:
    config = AuditionerConfig(command=(sys.executable, "-c", DEAF), answer_s=0.5)

    async def scene() -> None:
        async with auditioner(config) as (one, _):
            with pytest.raises(TimedOut):
                await one.play("a.wav")
            first = one.pid
            with pytest.raises(TimedOut):
                await one.play("a.wav")
            assert one.pid != first

    run(scene)


def test_a_process_that_cannot_be_started_says_so() -> None:
    async def scene() -> None:
        async with auditioner(AuditionerConfig(command=("no-such-program",))) as (one, _):
            with pytest.raises(EngineError, match="cannot be started"):
                await one.play("a.wav")

    run(scene)


def test_closing_ends_the_process_even_while_it_plays(audible: SoundServer, tmp_path: Path) -> None:
    path, _ = sound(tmp_path, "a.wav", 1)

    async def scene() -> None:
        one = Auditioner(Told().take)
        await one.play(path, loop=True)
        assert one.pid is not None
        await one.close()
        with pytest.raises(ProcessLookupError):
            os.kill(one.pid, 0)

    run(scene)


def test_the_process_ends_with_its_stdin() -> None:
    command = [sys.executable, "-P", "-m", "daw_bridge.audition.player"]
    ended = subprocess.run(command, input=b"", capture_output=True, timeout=PATIENCE_S, check=False)
    assert (ended.returncode, ended.stdout) == (0, b"")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"op": "play"}',
        b'{"id": 1}',
        b'{"id": true, "op": "stop"}',
        b"[" * 99_999,
        b'{"id": 1, "op": "play", "path": 3, "loop": false}',
        b'{"id": 1, "op": ["stop"]}',
    ],
)
def test_a_malformed_request_gets_an_answer(line: bytes) -> None:
    command = [sys.executable, "-P", "-m", "daw_bridge.audition.player"]
    ended = subprocess.run(command, input=line + b"\n", capture_output=True, timeout=PATIENCE_S, check=False)
    answer = parse_line(ended.stdout)
    assert ended.returncode == 0 and isinstance(answer, AuditionAnswer) and answer.error is not None
    assert answer.error.code in (ErrorCode.BAD_ARGS, ErrorCode.BAD_JSON)


def test_events_and_answers_survive_the_wire() -> None:
    error = ErrorInfo(code=ErrorCode.NOT_FOUND, message="no", hint="try")
    event = AuditionEvent(
        kind=AuditionKind.FAILED, path="a.wav", side="0", position_s=1.5, duration_s=2.5, error=error
    )
    ended = AuditionEvent(kind=AuditionKind.ENDED, reason=EndReason.STOPPED)
    answer = AuditionAnswer(request=3, result={"sources": [1]})
    for value in (event, ended, answer, AuditionAnswer(request=4, error=error)):
        assert parse_line(_line(value)) == value
    assert parse_line(b"a library says hello") is None
    assert parse_line(b"[]") is None


def _line(value: AuditionEvent | AuditionAnswer) -> bytes:
    return json.dumps(value.as_json()).encode()


def _within(part: np.ndarray, whole: np.ndarray) -> bool:
    """Tell whether part lies somewhere in whole."""
    starts = np.flatnonzero((whole == part[0]).all(axis=1))
    return any(np.array_equal(whole[start : start + len(part)], part) for start in starts)


def test_the_service_asks_without_loading_what_plays() -> None:
    code = (
        "import daw_bridge.audition.auditioner, sys;"
        "sys.exit(' '.join({'numpy', 'scipy', 'soundfile', 'sounddevice', 'torch'} & set(sys.modules)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"the service must answer at once, but this loads {ended.stderr}"
