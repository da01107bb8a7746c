"""Audacity, worked as a musician works it: what is selected comes back as takes, where it was."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from daw_bridge.client.jobs import Client
from daw_bridge.daws.audacity.asked import AudacityErrand, errands_of
from daw_bridge.daws.errands.status import ErrandState
from daw_bridge.messages.live import ParamSet
from tests.end2end.daws.audacity_session import AudacitySession, installed_audacity, missing_programs
from tests.end2end.homes import PATIENCE_S, Home, kill, wait_until

missing = missing_programs()
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not here: {', '.join(missing)}")

RATE_HZ = 48_000
# Not a whole number of seconds, nor of milliseconds: 1.2345 s is sample 59256.
START_SAMPLES, END_SAMPLES = 59_256, 107_256
# 16 bits with dither is what Audacity exports by the pipe.
EXPORTED = 4e-4
STEPS = 4


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AudacitySession]:
    home = Home(tmp_path_factory.mktemp("bridge"))
    try:
        with installed_audacity(tmp_path_factory.mktemp("user"), home) as made:
            set_steps(home)
            yield made
    finally:
        home.end()


def set_steps(home: Home) -> None:
    """Let the service make takes of few steps until it is killed."""
    with pytest.MonkeyPatch.context() as patch, Client(home.folders) as client:
        for name in ("DAW_BRIDGE_HOME", "DAW_BRIDGE_MODELS", "PYTHONPATH"):
            patch.setenv(name, home.environment[name])
        client.ask(ParamSet(rid="-", name="steps", value=STEPS))


@pytest.fixture
def audacity(session: AudacitySession, tmp_path: Path) -> AudacitySession:
    """Return an Audacity with one stereo track of five seconds, named Guitar."""
    session.do("SelectAll:", "RemoveTracks:")
    source(tmp_path / "Guitar.wav")
    session.do(f'Import2: Filename="{tmp_path / "Guitar.wav"}"')
    return session


def source(path: Path) -> np.ndarray:
    time_s = np.arange(5 * RATE_HZ) / RATE_HZ
    left = 0.3 * np.sin(2 * np.pi * 220 * time_s) * np.exp(-4 * (time_s % 0.5))
    right = 0.2 * np.sin(2 * np.pi * 1320 * time_s) * np.exp(-6 * (time_s % 0.25))
    sound = np.stack([left, right], axis=1)
    soundfile.write(path, sound, RATE_HZ, subtype="FLOAT")
    return sound


def select(session: AudacitySession, *more: str, tracks: int = 1) -> None:
    start_s, end_s = START_SAMPLES / RATE_HZ, END_SAMPLES / RATE_HZ
    session.do(f"Select: Start={start_s} End={end_s} Track=0 TrackCount={tracks} Mode=Set", *more)


@contextmanager
def listening(session: AudacitySession) -> Iterator[subprocess.Popen[str]]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        # As the user's own program, which reads the settings of the user's Audacity.
        for name in ("HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, session.environment[name])
        process = stack.enter_context(session.home.started("audacity", "listen", cwd=session.folder))
        inbox = session.home.folders.errands / "audacity-inbox"
        wait_until((inbox / "listening").exists, "the listener")
        yield process
        # As by Ctrl-C: it takes back its word that it listens.
        process.terminate()
        process.wait(PATIENCE_S)


def errands(session: AudacitySession) -> list[AudacityErrand]:
    return errands_of(session.home.folders.errands)


def command(session: AudacitySession, *arguments: str) -> None:
    done = session.home.run("audacity", *arguments, cwd=session.folder)
    assert done.returncode == 0, done.stderr


def wait_for_placed(session: AudacitySession, earlier: int, count: int = 1) -> list[AudacityErrand]:
    """Return the errands after the earlier ones once their takes are in Audacity."""

    def is_placed() -> bool:
        new = errands(session)[earlier:]
        ended = [one.status.state for one in new if one.status and one.status.state.has_ended]
        assert all(state is ErrandState.DONE for state in ended), [one.status for one in new]
        return len(new) == count and all(one.is_placed for one in new)

    wait_until(is_placed, "takes in Audacity")
    return errands(session)[earlier:]


def exported(session: AudacitySession, track: int, path: Path) -> np.ndarray:
    """Return what Audacity has in one track, from its beginning on."""
    session.do(f"Select: Start=0 End=5 Track={track} TrackCount=1 Mode=Set")
    session.do(f'Export2: Filename="{path}" NumChannels=2')
    return soundfile.read(path)[0]


def require_takes_in_place(session: AudacitySession, errand: AudacityErrand, first: int, count: int) -> None:
    """Require that Audacity tells of takes on tracks of their own, the best one heard, at the exact time."""
    tracks = session.tracks()[first : first + count]
    assert [track["mute"] for track in tracks] == [0] + [1] * (count - 1)
    status = errand.status
    assert status is not None
    for number, (track, line) in enumerate(zip(tracks, status.takes, strict=True)):
        assert str(track["name"]).startswith(f"{number + 1} ")
        assert line.split("\t")[2] in str(track["name"])
        assert track["start"] == pytest.approx(START_SAMPLES / RATE_HZ, abs=5e-6)
        assert track["end"] == pytest.approx(END_SAMPLES / RATE_HZ, abs=5e-6)
        assert track["channels"] == 2


def test_a_dialog_is_filled_and_takes_come_in_place(audacity: AudacitySession, tmp_path: Path) -> None:
    earlier = len(errands(audacity))
    select(audacity, "SelectFrequencies: Low=800 High=4000")
    with listening(audacity):
        audacity.open_change("Guitar")
        audacity.key("Tab", "Tab", "Tab")
        audacity.type("church bells")
        audacity.key("Tab", "Tab", "Tab")
        audacity.type("2")
        audacity.key("Return")
        (errand,) = wait_for_placed(audacity, earlier)
    assert errand.errand["prompt"] == "church bells"
    (shape,) = errand.errand["options"]["mask"]["shapes"]
    assert (shape["low_hz"], shape["high_hz"]) == (800.0, 4000.0)
    region, rate_hz = soundfile.read(errand.folder / "region.wav")
    original = source(tmp_path / "again.wav")
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(region, original[START_SAMPLES:END_SAMPLES].astype(np.float32))
    require_takes_in_place(audacity, errand, first=1, count=2)
    status = errand.status
    assert status is not None
    take, _ = soundfile.read(status.takes[0].split("\t")[1])
    placed = exported(audacity, 1, tmp_path / "take.wav")
    assert np.abs(placed[START_SAMPLES:END_SAMPLES] - take).max() < EXPORTED
    assert np.abs(placed[:START_SAMPLES]).max() < EXPORTED
    assert np.abs(exported(audacity, 0, tmp_path / "original.wav") - original).max() < EXPORTED
    audacity.do("Undo:")
    assert [track["name"] for track in audacity.tracks()] == ["Guitar"]


def test_a_spectral_selection_is_made_anew_on_each_selected_track(
    audacity: AudacitySession, tmp_path: Path
) -> None:
    source(tmp_path / "Piano.wav")
    audacity.do(f'Import2: Filename="{tmp_path / "Piano.wav"}"')
    earlier = len(errands(audacity))
    select(audacity, "SelectFrequencies: Low=500 High=2000", tracks=2)
    with listening(audacity):
        command(audacity, "inpaint", "rain", "--takes", "1", "--seed", "5")
        made = wait_for_placed(audacity, earlier, count=2)
    assert sorted(str(one.place["track"]) for one in made) == ["Guitar", "Piano"]
    assert {one.errand["ask"] for one in made} == {"inpaint"}
    assert len(audacity.tracks()) == 4
    clips = [clip for clip in audacity.clips() if clip["track"] in (2, 3)]
    assert {(clip["start"], clip["end"]) for clip in clips} == {(1.2345, 2.2345)}


def test_names_and_prompts_are_what_a_musician_wrote(audacity: AudacitySession) -> None:
    earlier = len(errands(audacity))
    select(audacity)
    audacity.do(r'SetTrackStatus: Name="back\\slash \"x\" 100% {1} ~a Flöte 🎸"')
    with listening(audacity):
        command(audacity, "transfer", r'C:\new "bell" 100% $(id) {1} ~a Flöte 🎸', "--takes", "1")
        (errand,) = wait_for_placed(audacity, earlier)
    assert errand.place["track"] == r'back\slash "x" 100% {1} ~a Flöte 🎸'
    assert errand.errand["prompt"] == r'C:\new "bell" 100% $(id) {1} ~a Flöte 🎸'
    assert audacity.tracks()[0]["name"] == errand.place["track"]
    assert len(audacity.tracks()) == 2


def test_takes_do_not_go_into_another_project_with_such_a_track(
    audacity: AudacitySession, tmp_path: Path
) -> None:
    earlier = len(errands(audacity))
    select(audacity)
    (tmp_path / "shorter").mkdir()
    soundfile.write(tmp_path / "shorter" / "Guitar.wav", source(tmp_path / "long.wav")[:RATE_HZ], RATE_HZ)
    progress = audacity.home.folders.errands / "audacity-inbox" / "progress.txt"
    with listening(audacity):
        command(audacity, "transfer", "a harp", "--takes", "4")
        wait_until(lambda: bool(errands(audacity)[earlier:]), "an errand")
        audacity.do("New:", f'Import2: Filename="{tmp_path / "shorter" / "Guitar.wav"}"')
        wait_until(lambda: "several projects are open" in progress.read_text(encoding="utf-8"), "its reason")
        assert [track["end"] for track in audacity.tracks()] == [1]
        audacity.close_project()
        wait_for_placed(audacity, earlier)
    assert audacity.tracks()[0]["end"] == 5
    assert len(audacity.tracks()) == 5


def test_cancel_stops_a_job_and_brings_nothing(audacity: AudacitySession) -> None:
    earlier = len(errands(audacity))
    select(audacity)
    with listening(audacity):
        command(audacity, "transfer", "a harp", "--takes", "16")
        wait_until(lambda: bool(errands(audacity)[earlier:]), "an errand")
        (errand,) = errands(audacity)[earlier:]
        command(audacity, "cancel")
        wait_until(lambda: (one := errand.status) is not None and one.state.has_ended, "its end")
    assert errand.status is not None
    assert errand.status.state is ErrandState.CANCELLED
    assert len(audacity.tracks()) == 1


def test_an_engine_that_dies_half_way_and_a_listener_that_comes_late(audacity: AudacitySession) -> None:
    """No service runs, nobody listens yet; then the service is killed, and later the listener too."""
    home, earlier = audacity.home, len(errands(audacity))
    for process in home.services():
        kill(process)
    select(audacity)
    inbox = home.folders.errands / "audacity-inbox"
    # The plug-in tells that nobody listens, by a dialog that waits to be read.
    audacity.open_change("Guitar")
    audacity.key("Tab", "Tab", "Tab")
    audacity.type("a harp")
    audacity.key("Tab", "Tab", "Tab")
    audacity.type("1")
    audacity.key("Return")
    wait_until(lambda: any(inbox.glob("*.request")), "a request")
    wait_until(lambda: len(audacity.windows()) > 1, "a word about it")
    audacity.key("Return")
    with listening(audacity):
        wait_until(lambda: bool(home.services()), "a service")
        home.wait_for_sampling()
        for process in home.services():
            kill(process)
    with listening(audacity):
        (errand,) = wait_for_placed(audacity, earlier)
    require_takes_in_place(audacity, errand, first=1, count=1)


def test_takes_wait_while_audacity_is_not_there(audacity: AudacitySession) -> None:
    earlier = len(errands(audacity))
    select(audacity)
    with listening(audacity):
        command(audacity, "transfer", "a harp", "--takes", "1")
        wait_until(lambda: bool(errands(audacity)[earlier:]), "an errand")
        audacity.stop()
        (errand,) = errands(audacity)[earlier:]
        wait_until(lambda: (one := errand.status) is not None and one.state.has_ended, "its takes")
        assert not errand.is_placed
        audacity.start()
        audacity.wait_for_pipe()
        # A new project has no track of that name: they wait, until told otherwise.
        command(audacity, "place")
        wait_until(lambda: errand.is_placed, "takes in Audacity")
    assert audacity.clips()[-1]["start"] == 1.2345
