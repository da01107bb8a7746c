"""Plug-ins in their own process: whatever one does, the error is clear and the next sound is processed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import psutil
import pytest

from engine.chains import Chain, Effect, Tail
from engine.errors import (
    AudioMissing,
    Cancelled,
    EngineError,
    NotFound,
    OutOfMemory,
    PluginCrash,
    PluginTimeout,
    SpecError,
)
from engine.fx.child import Child, HostLimits
from engine.fx.host import ChainHost, edit_plugin, inspect_plugin
from engine.fx.processing import apply_chain
from engine.fx.shared_audio import KEPT_BYTES, SharedAudio
from engine.fx.values import NO_DIFFERENCE_DB, NoteKind
from tests.unit.odd_plugins import ZAM, OddPlugins, zam_plugins
from tests.unit.processes import children
from tests.unit.sounds import RATE_HZ, noise

ROOT = Path(__file__).parents[2]
# For what never ends; what ends has the generous limits that users have.
SHORT = HostLimits(load_s=0.5, process_s=0.5, process_ratio=0.0)
REVERB = Chain(effects=(Effect(effect="reverb"),), tail=Tail.RING, tail_s=1.0)
# Above full scale, at which the plug-ins that wait for music go wrong.
LOUD = 1.2


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before, threads, others = _descriptors(), threading.active_count(), children()
    yield
    assert children() <= others
    assert _descriptors() == before
    assert threading.active_count() == threads


def _descriptors() -> list[str]:
    """Return what this process has open of its own: files without a name, pipes."""
    targets = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sorted(one for one in targets if one.startswith(("pipe:", "/memfd:")))


def music() -> np.ndarray:
    audio_NS = noise(2, 0.5)
    audio_NS[:, 10_000] = LOUD
    return audio_NS


def failure(chain: Chain, limits: HostLimits | None = None, times: int = 2) -> EngineError:
    """Return how a chain fails, which has to be the same the second time, in a new process or the old one."""
    with ChainHost(chain, limits) as host:
        errors = []
        for _ in range(times):
            with pytest.raises(EngineError) as caught:
                host.process(music(), RATE_HZ)
            errors.append(caught.value)
    assert errors[0].info == errors[-1].info
    with ChainHost(REVERB) as host:
        assert host.process(music(), RATE_HZ).audio_NS.shape[1] > RATE_HZ // 2
    return errors[0]


def test_the_child_gives_what_this_process_would() -> None:
    audio_NS = music()
    expected_NS, result = apply_chain(REVERB, audio_NS, RATE_HZ)
    with ChainHost(REVERB) as host:
        for _ in range(2):
            processed = host.process(audio_NS, RATE_HZ)
            np.testing.assert_array_equal(processed.audio_NS, expected_NS)
            assert processed.notes == result.notes
            assert processed.latency_samples == result.latency_samples


def test_plugins_tell_what_they_are(odd_plugins: OddPlugins) -> None:
    with ChainHost(odd_plugins.chain("LateTold", level=25.0)) as host:
        processed = host.process(music(), RATE_HZ)
    np.testing.assert_allclose(processed.audio_NS, 0.5 * music(), atol=1e-6)
    assert processed.latency_samples == 256
    assert processed.notes == ()
    (facts,) = processed.plugins
    assert (facts.name, facts.version, facts.manufacturer) == ("LateTold", "1.2.3", "Tests")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("AbortFactory", "the plug-in AbortFactory gave up (abort) while loading"),
        ("SegfaultProcess", "the plug-in SegfaultProcess crashed (segmentation fault) while loading"),
        ("SegfaultMusic", "the plug-in SegfaultMusic crashed (segmentation fault) while processing"),
        ("ExitProcess", "the plug-in ExitProcess ended its process with code 3 while loading"),
        ("Truncated", "the plug-in Truncated crashed (bus error: its file may be damaged) while loading"),
        ("Garbage", "the plug-in Garbage cannot be loaded from"),
        ("Refuses", "the plug-in Refuses cannot be loaded from"),
        ("Instrument", "the plug-in Instrument is an instrument: it takes no sound"),
        ("Nan", "the plug-in Nan gave samples that are not numbers"),
        ("Silent", "the plug-in Silent gave silence"),
    ],
)
def test_a_bad_plugin_is_a_plugin_crash(odd_plugins: OddPlugins, kind: str, words: str) -> None:
    error = failure(odd_plugins.chain(kind))
    assert isinstance(error, PluginCrash)
    assert words in error.message
    assert error.hint


def test_what_ended_a_process_is_told_however_late_its_last_words_are_read(
    odd_plugins: OddPlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_now = Child._take_answers

    def read_late(child: Child, stream: IO[bytes]) -> None:
        while child.is_alive:
            time.sleep(0.01)
        # By now whoever asked has seen that it is gone.
        time.sleep(0.2)
        read_now(child, stream)

    monkeypatch.setattr(Child, "_take_answers", read_late)
    with (
        ChainHost(odd_plugins.chain("AbortFactory")) as host,
        pytest.raises(PluginCrash, match="the plug-in AbortFactory gave up .abort. while loading"),
    ):
        host.process(music(), RATE_HZ)


@pytest.mark.parametrize(
    ("kind", "step"), [("LoopFactory", "loading"), ("LoopLoad", "loading"), ("LoopMusic", "processing")]
)
def test_a_plugin_without_end_is_a_plugin_timeout(odd_plugins: OddPlugins, kind: str, step: str) -> None:
    limits = SHORT if step == "loading" else replace(SHORT, load_s=20.0)
    error = failure(odd_plugins.chain(kind), limits, times=1)
    assert isinstance(error, PluginTimeout)
    assert error.message == f"the plug-in {kind} did not finish {step} in 0.5 s"


def test_zamverb_never_finishes_loading() -> None:
    limits = replace(SHORT, load_s=2.0)
    error = failure(Chain(effects=(Effect(plugin=str(ZAM / "ZamVerb.vst3")),)), limits, times=1)
    assert isinstance(error, PluginTimeout)
    assert error.message == "the plug-in ZamVerb did not finish loading in 2 s"


def test_all_other_zam_plugins_process() -> None:
    assert len(zam_plugins()) == 16
    audio_NS = noise(2, 0.5)
    for path in zam_plugins():
        with ChainHost(Chain(effects=(Effect(plugin=str(path)),))) as host:
            processed = host.process(audio_NS, RATE_HZ)
        assert processed.audio_NS.shape == audio_NS.shape
        assert processed.plugins[0].manufacturer == "Damien Zammit"
        assert np.abs(processed.audio_NS).max() > 0.01


def test_what_a_chatty_plugin_prints_stays_in_the_child(
    odd_plugins: OddPlugins, capfd: pytest.CaptureFixture[str]
) -> None:
    with ChainHost(odd_plugins.chain("Chatty")) as host:
        processed = host.process(noise(1, 0.1), RATE_HZ)
    np.testing.assert_allclose(processed.audio_NS, noise(1, 0.1), atol=1e-6)
    assert capfd.readouterr() == ("", "")


def test_what_a_plugin_starts_ends_with_its_host(odd_plugins: OddPlugins) -> None:
    others = children()
    with ChainHost(odd_plugins.chain("Forks")) as host:
        host.process(noise(2, 0.1), RATE_HZ)
        started = children() - others
        assert len(started) > 1
    _, alive = psutil.wait_procs(started, timeout=5.0)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def test_what_a_plugin_starts_in_a_session_of_its_own_holds_nothing_up_and_ends_too(
    odd_plugins: OddPlugins,
) -> None:
    path = odd_plugins.path("Daemon")
    with ChainHost(odd_plugins.chain("Daemon"), HostLimits(load_s=2.0)) as host:
        with pytest.raises(PluginTimeout, match="Daemon did not finish loading"):
            host.process(noise(2, 0.1), RATE_HZ)
        assert [one for one in psutil.process_iter() if path in maps_of(one)] == []


def maps_of(process: psutil.Process) -> str:
    """Return which files a process has in its memory, as far as that may be seen."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process.pid}/maps").read_text()
    return ""


def test_a_child_that_is_ended_while_idle_is_replaced() -> None:
    others = children()
    with ChainHost(REVERB) as host:
        host.process(music(), RATE_HZ)
        (child,) = children() - others
        child.kill()
        psutil.wait_procs([child], timeout=0.1)
        assert host.process(music(), RATE_HZ).audio_NS.shape[1] > RATE_HZ // 2


def test_a_cancel_ends_what_hangs(odd_plugins: OddPlugins) -> None:
    with ChainHost(odd_plugins.chain("LoopMusic")) as host:
        begun_s: list[float] = []

        def cancelled() -> bool:
            begun_s.append(time.monotonic())
            return len(begun_s) > 20

        with pytest.raises(Cancelled):
            host.process(music(), RATE_HZ, cancelled)
        assert not host.process(0.5 * music(), RATE_HZ).notes


def test_a_cancel_keeps_a_child_that_answers() -> None:
    others = children()
    with ChainHost(Chain(effects=(Effect(effect="reverb"),) * 8)) as host:
        host.process(music(), RATE_HZ)
        before = children() - others
        with pytest.raises(Cancelled):
            host.process(noise(2, 20.0), RATE_HZ, lambda: True)
        host.process(music(), RATE_HZ)
        assert children() - others == before


def test_errors_of_the_user_stay_what_they_are(odd_plugins: OddPlugins) -> None:
    error = failure(odd_plugins.chain("Gain", levle=3.0))
    assert isinstance(error, SpecError)
    assert error.message == "the plug-in Gain has no parameter 'levle'"
    assert error.hint.startswith("It has level")
    error = failure(odd_plugins.chain("Gain", level=300.0))
    assert error.message == "the plug-in Gain: level is 300.0, not a number from 0 to 100 %"
    lost = Effect(effect="convolution", parameters={"impulse_response_filename": "/nowhere/a.wav"})
    assert isinstance(failure(Chain(effects=(lost,))), AudioMissing)
    assert isinstance(failure(Chain(effects=(Effect(plugin="/nowhere/a.vst3"),))), PluginCrash)
    with pytest.raises(SpecError):
        ChainHost(Chain(effects=(Effect(effect="nothing"),)))


def test_a_state_is_taken_and_a_wrong_one_is_said(odd_plugins: OddPlugins) -> None:
    quiet = inspect_state(odd_plugins, "Gain", level=25.0)
    for kind, gain, notes in (("Gain", 0.5, ()), ("Forgets", 1.0, (NoteKind.STATE,))):
        effect = Effect(plugin=odd_plugins.path(kind), raw_state=quiet)
        with ChainHost(Chain(effects=(effect,))) as host:
            processed = host.process(noise(2, 0.2), RATE_HZ)
        np.testing.assert_allclose(processed.audio_NS, gain * noise(2, 0.2), atol=1e-6)
        assert tuple(note.kind for note in processed.notes) == notes
    bad = Effect(plugin=odd_plugins.path("Gain"), raw_state="no base64!")
    assert failure(Chain(effects=(bad,))).message == "raw_state of the plug-in Gain is not base64"


def inspect_state(odd_plugins: OddPlugins, kind: str, **parameters: float) -> str:
    """Return the state that a plug-in has with these parameters, saved in a process of its own."""
    code = (
        "import base64, json, sys; from engine.chains import Effect; from engine.fx.devices import load;"
        "device = load(Effect(plugin=sys.argv[1], parameters=json.loads(sys.argv[2])));"
        "print(base64.b64encode(device.plugin.raw_state).decode())"
    )
    command = [sys.executable, "-c", code, odd_plugins.path(kind), json.dumps(parameters)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return result.stdout.strip()


def test_an_inspection_tells_parameters_layouts_and_timing(odd_plugins: OddPlugins) -> None:
    report = inspect_plugin(Effect(plugin=odd_plugins.path("LateUntold")))
    (level,) = report.parameters
    assert (level.name, level.unit, level.value, level.low, level.high) == ("level", "%", 50.0, 0.0, 100.0)
    assert report.layouts == tuple(range(1, 9))
    assert report.timing.extra_samples == 300
    assert report.timing.block_difference_db == NO_DIFFERENCE_DB
    report = inspect_plugin(Effect(plugin=str(ZAM / "ZaMaximX2.vst3")))
    assert report.layouts == (2,)
    assert report.facts.latency_samples == 480
    assert report.timing.extra_samples == 0
    with pytest.raises(PluginCrash, match="AbortFactory gave up"):
        inspect_plugin(Effect(plugin=odd_plugins.path("AbortFactory")))


def test_without_a_screen_no_window_is_opened(odd_plugins: OddPlugins) -> None:
    with pytest.raises(NotFound, match="no screen"):
        edit_plugin(Effect(plugin=odd_plugins.path("Gain")))


def test_too_large_a_sound_is_refused_before_anything_is_lost() -> None:
    shared = SharedAudio()
    with pytest.raises(OutOfMemory, match="MB of memory"):
        shared.room(8, 2**50)
    assert os.fstat(shared.descriptor).st_size == 0
    shared.close()


def test_sound_memory_is_given_back_but_for_a_little() -> None:
    chain = Chain(effects=(Effect(effect="invert"),))
    with ChainHost(chain) as host:
        for audio_NS in (noise(8, 30.0), noise(2, 0.5), noise(2, 0.4), noise(2, 0.4), noise(8, 30.0)):
            np.testing.assert_array_equal(host.process(audio_NS, RATE_HZ).audio_NS, -audio_NS)
            kept_bytes = os.fstat(host._shared.descriptor).st_size
            assert (0 < kept_bytes <= KEPT_BYTES) == (audio_NS.shape[0] == 2)


@pytest.mark.parametrize("kind", ["Gain", "LoopMusic", "Forks"])
def test_the_child_ends_with_its_parent(odd_plugins: OddPlugins, tmp_path: Path, kind: str) -> None:
    """Killed while its child processes, or while it waits."""
    marker = tmp_path / "pids"
    code = (
        "import sys, time, numpy, psutil, threading; from engine.fx.host import ChainHost;"
        "from engine.chains import *; host = ChainHost(Chain(effects=(Effect(plugin=sys.argv[1]),)));"
        "sound = numpy.full((2, 9600), 1.2, numpy.float32);"
        "work = threading.Thread(target=host.process, args=(sound, 48000), daemon=True); work.start();"
        "work.join(2.0 if 'Loop' in sys.argv[1] else 20.0);"
        "pids = [one.pid for one in psutil.Process().children(recursive=True)];"
        "print(*pids, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, odd_plugins.path(kind)]
    with marker.open("w") as out, subprocess.Popen(command, cwd=ROOT, stdout=out) as parent:
        while not marker.read_text().strip():
            assert parent.poll() is None
            time.sleep(0.02)
        parent.send_signal(signal.SIGKILL)
    pids = [int(one) for one in marker.read_text().split()]
    assert len(pids) == (1 if kind != "Forks" else len(pids))
    left = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(left, timeout=10.0)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def test_the_host_loads_neither_torch_nor_pedalboard() -> None:
    code = (
        "import sys, engine.fx.host, engine.fx.scan;"
        "sys.exit(' '.join({'torch', 'pedalboard', 'soxr', 'scipy'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    code = "import sys, engine.fx.host_process; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_renders_through_a_chain_that_crashes_in_a_fifth(odd_plugins: OddPlugins) -> None:
    """Smaller than the bench's thousand: each gives its sound or a crash, none anything else."""
    crashes = []
    with ChainHost(odd_plugins.chain("Dice")) as host:
        for _ in range(40):
            try:
                np.testing.assert_allclose(host.process(music(), RATE_HZ).audio_NS, music(), atol=1e-6)
            except PluginCrash as crash:
                crashes.append(crash.message)
    assert set(crashes) == {"the plug-in Dice crashed (segmentation fault) while processing"}
    # A fifth of 40 is 8: below 1 or above 20 it is once in 7,000 runs.
    assert 1 <= len(crashes) <= 20


def zam_chain(threshold_db: float, **others: float) -> Chain:
    compressor = Effect(
        plugin=str(ZAM / "ZamCompX2.vst3"), parameters={"threshold_db": threshold_db, **others}
    )
    limiter = Effect(plugin=str(ZAM / "ZaMaximX2.vst3"), parameters={"threshold_db": threshold_db / 2})
    return Chain(effects=(compressor, Effect(effect="reverb"), limiter))


def test_a_used_host_gives_what_a_new_one_gives() -> None:
    chains = [
        zam_chain(-20.0, makeup_db=6.0),
        zam_chain(-35.0),
        Chain(effects=zam_chain(-10.0).effects[:2]),
        Chain(effects=()),
        Chain(effects=zam_chain(-30.0).effects[::-1]),
        zam_chain(-20.0, makeup_db=6.0),
    ]
    with ChainHost(chains[0]) as used:
        for chain in chains:
            used.use(chain)
            found = used.process(music(), RATE_HZ)
            with ChainHost(chain) as new:
                expected = new.process(music(), RATE_HZ)
            np.testing.assert_array_equal(found.audio_NS, expected.audio_NS)
            assert (found.notes, found.latency_samples) == (expected.notes, expected.latency_samples)


def test_a_plugin_stays_loaded_for_the_next_chain(odd_plugins: OddPlugins, tmp_path: Path) -> None:
    path = OddPlugins(tmp_path).path("Gain")
    usual = Chain(effects=(Effect(plugin=path),))
    low, high = (Chain(effects=(Effect(plugin=path, parameters={"level": one}),)) for one in (10.0, 20.0))
    with ChainHost(low) as host:
        host.process(music(), RATE_HZ)
        shutil.rmtree(path)
        for chain, expected in ((odd_plugins.chain("Mono"), 1.0), (high, 0.4), (usual, 1.0)):
            host.use(chain)
            np.testing.assert_allclose(host.process(music(), RATE_HZ).audio_NS, expected * music(), atol=1e-6)
        host.use(Chain(effects=usual.effects * 2))
        with pytest.raises(PluginCrash, match="there is no plug-in"):
            host.process(music(), RATE_HZ)


def test_of_several_plugins_in_a_file_the_named_one_is_taken(odd_plugins: OddPlugins) -> None:
    path = odd_plugins.path("Two")
    for name in ("Two", "Two Second"):
        assert inspect_plugin(Effect(plugin=path, name=name)).facts.name == name
    with pytest.raises(SpecError, match="there is no plug-in 'Two Third' in .*Two.vst3") as caught:
        inspect_plugin(Effect(plugin=path, name="Two Third"))
    assert caught.value.hint == "It holds Two, Two Second."
    assert inspect_plugin(Effect(plugin=odd_plugins.path("Gain"), name="Loud")).facts.name == "Gain"
