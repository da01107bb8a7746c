"""REAPER's scripts, in a model of REAPER, with everything behind them real: commands, service, renders."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import resample

from daw_bridge.jobs.state import JobState
from daw_bridge.transport.packets import decode_packet
from tests.end2end.homes import COMMAND, PATIENCE_S, Home, kill
from tests.hosts.reaper.session import Item, heard_NS, state
from tests.hosts.reaper.studio import RATE_HZ, Studio, noise_NS

TRANSFER = ("a harp", "0.5", "2", "7", "")
# On the debug model a matter of seconds, in which there is time to do something else.
LONG = ("a harp", "1", "6", "7", "")


@pytest.fixture
def studio(lived_in: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """Return a REAPER whose jobs the debug model renders, in a service that goes on."""
    return studio_of(lived_in, tmp_path, monkeypatch)


@pytest.fixture
def own_studio(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """Return one with a service for this test alone."""
    return studio_of(home, tmp_path, monkeypatch)


def studio_of(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    # What the scripts start inherits this process's environment, as from REAPER.
    for name in ("DAW_BRIDGE_HOME", "DAW_BRIDGE_MODELS", "PYTHONPATH"):
        monkeypatch.setenv(name, home.environment[name])
    made = Studio(folder / "studio", command=COMMAND, folders_of_user=home.folders)
    made.answer("0", "debug")
    made.reaper.run("settings")
    return made


def run(studio: Studio, action: str, *texts: str) -> None:
    """Run an action to its end, at which nothing is told."""
    studio.ask(action, *texts)
    studio.reaper.wait_for_end()
    assert not studio.api.told


def take_SN(item: Item, index: int) -> np.ndarray:
    source = item.takes[index].source
    assert source
    audio_SN, rate_hz = soundfile.read(source.path, always_2d=True)
    assert rate_hz == RATE_HZ
    return audio_SN


def test_a_part_becomes_takes_in_place_and_undo_takes_them_back(studio: Studio) -> None:
    audio_NS = noise_NS(2.0, 2)
    studio.add_item(audio_NS)
    studio.project.time_selection = (10.5, 11.25)
    studio.project.tempo_bpm = 101.0
    before, source = state(studio.project), studio.project.folder / "riff.wav"
    original = source.read_bytes()
    run(studio, "transfer", *TRANSFER)
    piece = studio.track.items[1]
    assert (piece.start_s, piece.end_s) == (pytest.approx(10.5), pytest.approx(11.25))
    assert [take_SN(piece, index).shape for index in (0, 1)] == [(round(0.75 * RATE_HZ), 2)] * 2
    assert not np.array_equal(take_SN(piece, 0), take_SN(piece, 1))
    recipe = json.loads(piece.takes[0].texts["P_EXT:daw_bridge"])
    anchor = recipe["spec"]["region"]["anchor"]
    assert anchor["track"] == "Guitar" and anchor["tempo_bpm"] == 101.0
    assert anchor["position_s"] == pytest.approx(10.5)
    assert source.read_bytes() == original
    studio.project.take_back()
    studio.project.items()[0].values["B_UISEL"] = 1.0
    assert state(studio.project) == before
    assert not studio.folders()


def test_a_spectral_edit_is_made_anew_and_all_before_and_after_stays_bit_for_bit(studio: Studio) -> None:
    item = studio.add_item(noise_NS(2.0))
    item.takes[0].values |= {
        "IP_SPECEDIT:CNT": 1.0,
        "D_SPECEDIT:0:POSITION": 0.8,
        "D_SPECEDIT:0:LENGTH": 0.4,
        "I_SPECEDIT:0:TOPFREQ_CNT": 1.0,
        "F_SPECEDIT:0:TOPFREQ_FREQ:0": 4000.0,
        "I_SPECEDIT:0:BOTFREQ_CNT": 1.0,
        "F_SPECEDIT:0:BOTFREQ_FREQ:0": 500.0,
    }
    run(studio, "inpaint", "a harp", "1", "3", "")
    made_S, original_S = take_SN(item, 1)[:, 0], noise_NS(2.0)[0]
    changed = np.flatnonzero(made_S != original_S) / RATE_HZ
    assert len(made_S) == len(original_S)
    assert 0.75 < changed.min() < 0.85 and 1.15 < changed.max() < 1.25


def test_a_take_is_made_again_bit_for_bit_and_varied(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.5))
    run(studio, "transfer", *TRANSFER)
    run(studio, "recall")
    assert len(item.takes) == 4
    np.testing.assert_array_equal(take_SN(item, 3), take_SN(item, 1))
    item.values["I_CURTAKE"] = 1.0
    run(studio, "vary", "0.4", "2")
    assert len(item.takes) == 6
    before_SN = take_SN(item, 1)
    assert not np.array_equal(take_SN(item, 4), before_SN)
    # Without its file, by what the project knows.
    item.values["I_CURTAKE"] = 1.0
    assert item.takes[1].source
    item.takes[1].source.path.unlink()
    run(studio, "recall")
    np.testing.assert_array_equal(take_SN(item, 6), before_SN)


def test_highs_and_new_sounds_come_too(studio: Studio) -> None:
    dull_NS = resample(noise_NS(0.5, rate_hz=4000), round(0.5 * RATE_HZ), axis=1)
    item = studio.add_item(dull_NS)
    run(studio, "superres", "", "1", "3")
    assert take_SN(item, 1).shape == take_SN(item, 0).shape
    item.values["B_UISEL"] = 0.0
    studio.track.values["I_SELECTED"] = 1.0
    studio.project.time_selection = (20.0, 20.5)
    run(studio, "generate", "rain", "1", "3", "")
    made = studio.track.items[1]
    assert (made.start_s, made.end_s) == (20.0, 20.5)
    assert made.takes[0].source and soundfile.info(made.takes[0].source.path).duration == pytest.approx(0.5)


def test_reversed_stretched_and_mono_of_stereo_come_back_as_long_as_they_are_heard(studio: Studio) -> None:
    stretched = studio.add_item(noise_NS(1.0, 2), name="stretched")
    stretched.takes[0].values |= {"D_PLAYRATE": 2.0, "I_CHANMODE": 3.0}
    stretched.values["D_LENGTH"] = 0.5
    run(studio, "transfer", "a harp", "0", "1", "7", "")
    made_SN = take_SN(stretched, 1)
    assert made_SN.shape == (round(0.5 * RATE_HZ), 1)
    # A strength of 0 changes nothing: what came back is what was sent, that is what is heard.
    heard = heard_NS(stretched.takes[0], RATE_HZ, 1, 0.0, len(made_SN))
    np.testing.assert_allclose(made_SN.T, heard, atol=1e-6)


def test_five_items_at_once(studio: Studio) -> None:
    for number in range(5):
        studio.add_item(noise_NS(0.3, seed=number), 10.0 + number, name=f"riff{number}")
    run(studio, "transfer", "a harp", "0", "1", "7", "")
    for number, item in enumerate(studio.track.items):
        np.testing.assert_array_equal(take_SN(item, 1).T, noise_NS(0.3, seed=number))
    assert len(studio.project.undo) == 5


def start_long(studio: Studio) -> None:
    studio.add_item(noise_NS(1.0))
    studio.ask("transfer", *LONG)
    script = studio.reaper.running[0]
    shown = script.window.texts
    studio.reaper.wait_until(
        lambda: any("denoising" in text for text in script.window.texts), f"sampling, not {shown}"
    )


def test_cancel_stops_the_render_and_leaves_the_project_as_it_was(studio: Studio, lived_in: Home) -> None:
    start_long(studio)
    before = state(studio.project)
    studio.reaper.running[0].window.press(400, 15)
    studio.reaper.wait_for_end()
    lived_in.wait_for(JobState.CANCELLED)
    assert state(studio.project) == before
    assert not studio.folders() and not studio.api.told and not studio.project.undo


def test_a_service_that_is_killed_half_way_costs_no_take(own_studio: Studio, home: Home) -> None:
    studio = own_studio
    start_long(studio)
    (service,) = home.services()
    kill(service)
    studio.reaper.wait_for_end()
    assert not studio.api.told
    assert len(studio.track.items[0].takes) == 7


def test_a_job_goes_on_while_reaper_is_closed_and_is_collected(studio: Studio, lived_in: Home) -> None:
    jobs_before = len(lived_in.jobs())
    start_long(studio)
    saved = studio.project
    again = Studio(studio.folder, command=COMMAND, folders_of_user=lived_in.folders)
    again.project.tracks, again.project.texts = saved.tracks, saved.texts
    again.reaper.run("collect")
    again.reaper.wait_for_end()
    assert not again.api.told
    assert len(again.track.items[0].takes) == 7
    assert len(lived_in.jobs()) == jobs_before + 1


def test_osc_tells_reaper_that_takes_are_there(studio: Studio) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port_of_reaper:
        port_of_reaper.bind(("127.0.0.1", 0))
        port_of_reaper.settimeout(PATIENCE_S)
        studio.answer(str(port_of_reaper.getsockname()[1]), "debug")
        studio.reaper.run("settings")
        item = studio.add_item(noise_NS(0.3))
        studio.ask("transfer", *TRANSFER)
        (message,) = decode_packet(port_of_reaper.recv(1024))
        assert message.address == "/daw_bridge/apply"
        studio.reaper.run("apply", f"osc:{message.address}:s={message.args[0]}")
    assert len(item.takes) == 3
    studio.reaper.wait_for_end()
    assert len(item.takes) == 3 and not studio.api.told


def test_a_job_that_the_service_refuses_is_told_with_its_reason(studio: Studio) -> None:
    studio.answer("0", "no-such-model")
    studio.reaper.run("settings")
    studio.add_item(noise_NS(0.3))
    studio.ask("transfer", *TRANSFER)
    studio.reaper.wait_for_end()
    (told,) = studio.api.told
    assert "no-such-model" in told
    assert not studio.project.undo and not studio.folders()
