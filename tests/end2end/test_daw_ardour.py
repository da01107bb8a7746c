"""Ardour itself, under a screen that nobody sees: regions go out, takes come back to the exact sample."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from daw_bridge.jobs.state import JobState
from tests.end2end.daws.ardour import Ardour, Musician, musician
from tests.end2end.daws.ardour_session import RATE_HZ, regions
from tests.end2end.homes import COMMAND, Home, kill, wait_until

# Ardour fades the first and last samples of each region, unless told otherwise.
EDGE_SAMPLES = 64
QUICK = {"takes": 1, "steps": 2, "model": "debug", "mutes": "true", "strength": 0.5, "prompt": "a harp"}
SLOW = QUICK | {"steps": 60, "takes": 2}


@dataclass(frozen=True, slots=True)
class Studio:
    """Where sessions are copied from, and what is in them."""

    home: Home
    base: Path
    sounds: Path


def _sound(seconds: float, rate_hz: int, channels: int, seed: int) -> NDArray[np.float32]:
    time_S = np.arange(round(seconds * rate_hz)) / rate_hz
    noise_SN = np.random.default_rng(seed).normal(0, 0.02, (len(time_S), channels))
    tones_SN = np.stack([0.3 * np.sin(2 * np.pi * (220 + 110 * one) * time_S) for one in range(channels)], 1)
    return np.asarray(tones_SN + noise_SN, dtype=np.float32)


SOUNDS = {
    # name: seconds, rate, channels, position
    "voice": (0.6, RATE_HZ, 1, 72_013),
    "pad": (0.7, RATE_HZ, 2, 48_001),
    "quiet": (0.5, RATE_HZ, 1, 30_007),
    "back": (0.5, RATE_HZ, 1, 96_005),
    "tape": (0.5, 44_100, 1, 100_003),
}

_IMPORT = """
local files = C.StringVector () files:push_back ("{path}")
Editor:do_import (files, Editing.ImportDistinctFiles, Editing.ImportAsTrack, ARDOUR.SrcQuality.SrcBest,
  ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
  Temporal.timepos_t ({position}), ARDOUR.PluginInfo (), ARDOUR.Track (), false)
"""
_EMBED = """
local files = C.StringVector () files:push_back ("{path}")
Editor:do_embed (files, Editing.ImportDistinctFiles, Editing.ImportAsTrack,
  Temporal.timepos_t ({position}), ARDOUR.PluginInfo (), ARDOUR.Track ())
"""
_EDIT = """
for route in Session:get_tracks ():iter () do
  for region in route:to_track ():playlist ():region_list ():iter () do
    if region:name () == "quiet" then
      region:to_audioregion ():set_scale_amplitude (0.5)
      region:to_audioregion ():set_fade_in_length (4800)
    end
  end
end
"""


def _compose(user: Musician, sounds: Path) -> None:
    """Let a user bring sounds into a session: as they are, quieter and faded, reversed, at another rate."""
    with user.ardour() as ardour:
        for name, (seconds, rate_hz, channels, position) in SOUNDS.items():
            # Each in a folder of its own: Ardour looks for sounds beside those that were only embedded.
            path = sounds / name / f"{name}.wav"
            path.parent.mkdir(parents=True)
            sf.write(path, _sound(seconds, rate_hz, channels, len(name)), rate_hz, subtype="FLOAT")
            if rate_hz == RATE_HZ:
                ardour.ask(_IMPORT.format(path=path, position=position))
            else:
                ardour.ask(_EMBED.format(path=path, position=position), lambda: _embed_anyway(ardour))
        ardour.ask(_EDIT)
        ardour.select("back")
        ardour.action("Region/reverse-region")
        wait_until(
            lambda: any("back.wav" not in one["path"] for one in _named(ardour, "back")), "a reversed region"
        )
        ardour.quit()


def _embed_anyway(ardour: Ardour) -> None:
    ardour.screen.focus("Sample Rate")
    ardour.screen.press("Tab", "Return")


def _named(ardour: Ardour, track: str) -> list[dict[str, object]]:
    return [one for one in ardour.regions() if one["track"] == track]


@pytest.fixture(scope="module")
def studio(lived_in: Home, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = tmp_path_factory.mktemp("studio")
    with musician(lived_in, folder / "user") as user:
        user.prepare()
        _compose(user, folder / "sounds")
    return Studio(lived_in, user.folder, folder / "sounds")


@pytest.fixture
def user(studio: Studio, tmp_path: Path) -> Iterator[Musician]:
    with musician(studio.home, tmp_path / "user", studio.base) as made:
        yield made


def test_a_region_becomes_takes_in_its_place(user: Musician, studio: Studio, tmp_path: Path) -> None:
    source = user.session / "interchange" / "song" / "audiofiles" / "voice.wav"
    before = source.read_bytes()
    keys = tmp_path / "test.keys"
    keys.write_text(_KEYS.format(slot=user.slot("Transfer")), encoding="utf-8")
    user.remember("transfer", takes=2, steps=2, mutes="true")
    with user.ardour("-k", str(keys)) as ardour:
        ardour.select("voice")
        ardour.screen.focus("song - Ardour")
        ardour.screen.press("ctrl+shift+F9")
        ardour.screen.focus("DAW Bridge: Transfer")
        ardour.screen.type("a bell in a tower")
        ardour.screen.press("alt+o")
        best, other = ardour.wait_for_takes(2)
        assert (best["position"], best["length"], best["muted"]) == (72_013, 28_800, False)
        assert (other["position"], other["length"], other["muted"]) == (72_013, 28_800, True)
        assert best["name"].startswith("a bell in a tower 1 (") and "seed " in best["name"]
        assert ardour.region("voice")["muted"], "the original is heard along with the take"
        ardour.action("Editor/undo")
        wait_until(lambda: not ardour.takes(), "one undo to remove the takes")
        assert not ardour.region("voice")["muted"]
        ardour.action("Editor/redo")
        ardour.wait_for_takes(2)
        ardour.quit()
    assert source.read_bytes() == before
    takes = [one for one in regions(user.session, user.environment) if one["track"] == "voice takes"]
    assert {(one["position"], one["length"], one["start"]) for one in takes} == {(72_013, 28_800, 0)}
    assert [user.spec_of(one)["model"] for one in user.jobs()] == ["starter"]


_KEYS = """<BindingSet name="test"><Bindings name="Editor"><Press>
<Binding key="Primary-Tertiary-F9" action="LuaAction/script-{slot}"/></Press></Bindings></BindingSet>"""


_MUTE = """
for route in Session:get_tracks ():iter () do
  for region in route:to_track ():playlist ():region_list ():iter () do
    if route:name () == "back" then
      region:set_muted (true)
      region:to_audioregion ():set_scale_amplitude (0.5)
      region:to_audioregion ():set_envelope_active (true)
    end
  end
end
"""


def test_five_regions_at_once(user: Musician, studio: Studio) -> None:
    user.remember("transfer", **QUICK)
    with user.ardour() as ardour:
        ardour.ask(_MUTE)
        names = [one["name"] for one in ardour.regions()]
        ardour.select(*names)
        ardour.bridge("Repeat last")
        takes = ardour.wait_for_takes(5)
        originals = [one for one in ardour.regions() if not one["track"].endswith(" takes")]
    lies = {(one["track"], one["position"], one["length"]) for one in takes}
    assert lies == {(f"{one['track']} takes", one["position"], one["length"]) for one in originals}
    sent = {job["track"]: sf.read(job["sound"], dtype="float32", always_2d=True) for job in user.jobs()}
    assert {rate_hz for _, rate_hz in sent.values()} == {RATE_HZ}
    heard = {name: sf.read(studio.sounds / name / f"{name}.wav", always_2d=True)[0] for name in SOUNDS}
    inside = slice(EDGE_SAMPLES, -EDGE_SAMPLES)
    np.testing.assert_allclose(sent["voice"][0][inside], heard["voice"][inside], atol=1e-6)
    np.testing.assert_allclose(sent["pad"][0][inside], heard["pad"][inside], atol=1e-6)
    # What is muted is not played, so it is read without its fades, but with its gain.
    np.testing.assert_allclose(sent["back"][0], heard["back"][::-1] / 2, atol=1e-6)
    np.testing.assert_allclose(
        sent["quiet"][0][4800:-EDGE_SAMPLES], heard["quiet"][4800:-EDGE_SAMPLES] / 2, atol=1e-6
    )
    assert abs(sent["quiet"][0][100:1000]).max() < 0.1, "the fade was left out"
    # Ardour plays what was embedded without conversion at the session's rate, sample by sample.
    np.testing.assert_allclose(sent["tape"][0][inside], heard["tape"][inside], atol=1e-6)


def test_takes_are_heard_in_turn_and_one_is_accepted(user: Musician) -> None:
    user.remember("transfer", **QUICK | {"takes": 2})
    with user.ardour() as ardour:
        ardour.select("voice")
        ardour.bridge("Repeat last")
        ardour.wait_for_takes(2)
        assert ardour.heard() == ["a harp 1"]
        for title, heard in (
            ("Next take", "a harp 2"),
            ("Next take", "voice"),
            ("Previous take", "a harp 2"),
        ):
            ardour.bridge(title)
            wait_until(lambda heard=heard: ardour.heard() == [heard], f"{title} to let {heard} be heard")  # type: ignore[misc]
        ardour.bridge("Accept take")
        wait_until(lambda: not ardour.takes(), "the other takes to go")
        accepted = [one for one in ardour.regions() if one["track"] == "voice" and one["name"] != "voice"]
        assert [(one["position"], one["length"], one["muted"]) for one in accepted] == [
            (72_013, 28_800, False)
        ]
        ardour.action("Editor/undo")
        ardour.wait_for_takes(2)
        ardour.select(*[one["name"] for one in ardour.takes() if not one["muted"]])
        user.remember("recall", vary=0.3, takes=1)
        ardour.bridge("Repeat last")
        third = ardour.wait_for_takes(3)
        assert {(one["position"], one["length"]) for one in third} == {(72_013, 28_800)}
        assert len([one for one in third if not one["muted"]]) == 1
        names = [one["name"] for one in third]
        assert len(set(names)) == 3 and sum(" ~0.30 1 (" in name for name in names) == 1


def test_a_take_unchanged_is_sent_as_its_own_file_and_a_tick_asks_for_highs(user: Musician) -> None:
    user.remember("transfer", **QUICK, cutoff_hz=4000)
    with user.ardour() as ardour:
        ardour.select("voice")
        ardour.bridge("Repeat last")
        (take,) = ardour.wait_for_takes(1)
        (first,) = user.jobs()
        ardour.select(take["name"])
        ardour.bridge("Transfer")
        ardour.screen.focus("DAW Bridge: Transfer")
        # From the prompt backwards: OK, Cancel, where highs begin, and the tick for highs.
        ardour.screen.press(*["shift+Tab"] * 4, "space", "alt+o")
        wait_until(lambda: len(ardour.takes()) == 2, "highs of the take")
        second = user.jobs()[-1]
        assert (second["ask"], second["sound"]) == ("superres", str(user.take_of(first)))
        assert user.spec_of(second)["task"] == "superres"
        ardour.ask(_FADE.format(name=take["name"]))
        user.remember("transfer", **QUICK)
        ardour.select(take["name"])
        ardour.bridge("Repeat last")
        wait_until(lambda: len(ardour.takes()) == 3, "a take of the faded one")
        third = user.jobs()[-1]
        assert third["sound"].endswith("/region.wav"), "a fade of the user's was left out"


_FADE = """
for route in Session:get_tracks ():iter () do
  for region in route:to_track ():playlist ():region_list ():iter () do
    if region:name () == "{name}" then
      region:set_muted (false)
      region:to_audioregion ():set_fade_in_length (4800)
    end
  end
end
"""

_OVERLAP = """
for route in Session:get_tracks ():iter () do
  if route:name () == "voice" then
    local playlist = route:to_track ():playlist ()
    for region in playlist:region_list ():iter () do
      local copy = ARDOUR.RegionFactory.clone_region (region, true, false)
      copy:set_name ("second")
      playlist:add_region (copy, Temporal.timepos_t (80000), 1, false, 0, 0, false)
      return
    end
  end
end
"""


def test_regions_that_overlap_have_takes_of_their_own(user: Musician) -> None:
    user.remember("transfer", **QUICK | {"takes": 2})
    with user.ardour() as ardour:
        ardour.ask(_OVERLAP)
        ardour.select("voice", "second")
        ardour.bridge("Repeat last")
        takes = ardour.wait_for_takes(4)
        heard = [one["position"] for one in takes if not one["muted"]]
        assert sorted(heard) == [72_013, 80_000], "takes of one region silenced those of the other"
        assert ardour.selected_regions() == ["second", "voice"], "the new track took the selection"


def test_ranges_are_masks_and_places(user: Musician) -> None:
    with user.ardour() as ardour:
        ardour.select_range("pad", 60_000, 72_000)
        user.remember("inpaint", **QUICK, low_hz=0, high_hz=0)
        ardour.bridge("Repeat last")
        ardour.wait_for_takes(1)
        (job,) = user.jobs()
        new_SN, _ = sf.read(user.take_of(job), dtype="float32")
        old_SN, _ = sf.read(job["sound"], dtype="float32")
        first, last = 60_000 - 48_001, 72_000 - 48_001
        np.testing.assert_array_equal(new_SN[: first - 960], old_SN[: first - 960])
        np.testing.assert_array_equal(new_SN[last + 960 :], old_SN[last + 960 :])
        assert np.abs(new_SN[first:last] - old_SN[first:last]).max() > 0.01
        ardour.select_range("voice", 80_000, 100_001)
        user.remember("generate", **QUICK)
        ardour.bridge("Repeat last")
        made = ardour.wait_for_takes(2)
        assert ("voice takes", 80_000, 20_001) in {
            (one["track"], one["position"], one["length"]) for one in made
        }
        anchor = user.spec_of(user.jobs()[-1])["region"]["anchor"]
        assert anchor == {"track": "voice", "position_s": 80_000 / RATE_HZ, "tempo_bpm": 120.0}
        ardour.select("voice")
        user.remember("superres", **QUICK, cutoff_hz=4000)
        ardour.bridge("Repeat last")
        made = ardour.wait_for_takes(3)
        assert ("voice takes", 72_013, 28_800) in {
            (one["track"], one["position"], one["length"]) for one in made
        }


def test_jobs_are_cancelled_and_survive_the_engine(user: Musician) -> None:
    user.remember("transfer", **SLOW)
    with user.ardour() as ardour:
        ardour.select("voice")
        ardour.bridge("Repeat last")
        user.home.wait_for_sampling()
        # Else it may be done before it is cancelled.
        with user.home.standing_still():
            wait_until(lambda: any("%" in mark for mark in ardour.marks()), "a mark that tells how far it is")
            ardour.bridge("Jobs")
            ardour.screen.focus("DAW Bridge: Jobs")
            ardour.screen.press("space", "alt+o")
            (job,) = user.jobs()
            wait_until((Path(job["errand"]) / "cancel").exists, "the tick to be taken")
        user.home.wait_for(JobState.CANCELLED)
        wait_until(lambda: not any("[db" in mark for mark in ardour.marks()), "the mark to go")
        assert not ardour.takes()
        ardour.bridge("Repeat last")
        user.home.wait_for_sampling()
        for process in (*user.home.services(), *user.home.workers()):
            kill(process)
        assert len(ardour.wait_for_takes(2)) == 2


def test_takes_that_come_while_ardour_is_closed(user: Musician) -> None:
    user.remember("transfer", **SLOW)
    with user.ardour() as ardour:
        ardour.select("voice")
        ardour.bridge("Repeat last")
        user.home.wait_for_sampling()
        # Else the takes may be there before it has quit.
        with user.home.standing_still():
            ardour.quit()
    assert not (user.session / "daw-bridge" / "last.note").exists(), "takes came too soon"
    user.home.wait_for(JobState.FINISHED)
    with user.ardour() as ardour:
        assert len(ardour.wait_for_takes(2)) == 2
        assert not any("[db" in mark for mark in ardour.marks())


def test_a_command_that_is_slow_or_seems_to_fail_still_brings_its_takes(
    user: Musician, tmp_path: Path
) -> None:
    command, gate = tmp_path / "slow", tmp_path / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.1; done"
    command.write_text(f'#!/bin/sh\n{wait}\nexec {shlex.join(COMMAND)} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    user.remember("transfer", **QUICK)
    user.install(command=(str(command),))
    with user.ardour() as ardour:
        ardour.select("voice")
        ardour.bridge("Repeat last")
        wait_until(lambda: any(mark.startswith("starts") for mark in ardour.marks()), "a mark: it starts")
        (job,) = user.jobs()
        user.write_job(job | {"launched": str(int(job["launched"]) - 61)})
        ardour.dismiss()
        (job,) = user.jobs()
        assert job["message"] == (
            f"{command} was started 60 s ago and has not answered. If takes come after all, they are placed."
        )
        gate.touch()
        ardour.wait_for_takes(1)
        gate.unlink()
        late = f'({wait}; exec {shlex.join(COMMAND)} "$@") >/dev/null 2>&1 </dev/null &'
        command.write_text(f"#!/bin/sh\n{late}\necho no luck >&2\nexit 3\n", encoding="utf-8")
        ardour.select("pad")
        ardour.bridge("Repeat last")
        ardour.dismiss()
        (job,) = (one for one in user.jobs() if one["track"] == "pad")
        assert job["message"] == f"{command} could not be run: no luck"
        gate.touch()
        ardour.wait_for_takes(2)


_LONG = """
for route in Session:get_tracks ():iter () do
  for region in route:to_track ():playlist ():region_list ():iter () do
    if region:name () == "{name}" then region:set_length (Temporal.timecnt_t ({length}), 0) end
  end
end
"""


def test_what_the_engine_would_refuse_is_not_read(user: Musician) -> None:
    user.remember("transfer", **QUICK)
    with user.ardour() as ardour:
        ardour.ask(_LONG.format(name="voice", length=479))
        ardour.select("pad", "voice")
        ardour.bridge("Repeat last")
        ardour.dismiss()
        ardour.select_range("pad", 48_001, 48_001 + 601 * RATE_HZ)
        ardour.bridge("Repeat last")
        ardour.dismiss()
    assert not list((user.session / "daw-bridge").glob("db*"))


def test_what_cannot_be_done_is_said(user: Musician) -> None:
    user.remember("transfer", **QUICK)
    user.install(command=("/no/such/daw-bridge",))
    with user.ardour() as ardour:
        ardour.bridge("Next take")
        ardour.dismiss()
        ardour.bridge("Repeat last")
        ardour.dismiss()
        ardour.select("voice")
        ardour.bridge("Repeat last")
        ardour.dismiss()
        (job,) = user.jobs()
        assert job["state"] == "unheard" and "/no/such/daw-bridge could not be run: " in job["message"]
        assert not ardour.takes() and not any("[db" in mark for mark in ardour.marks())
