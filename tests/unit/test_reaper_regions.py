"""What REAPER's scripts send: which part of which item, its sound, its mask, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lupa import lua54

from daw_bridge.service.config import VERSION
from engine.spec_json import spec_from_dict
from engine.types import PolygonShape, RectShape
from tests.hosts.reaper.declarations import SCRIPTS
from tests.hosts.reaper.session import Item, Marker, Source, heard_NS
from tests.hosts.reaper.studio import RATE_HZ, Studio, errand_in, noise_NS, region_sent, write_state

TRANSFER = ("a harp", "0,5", "1", "", "drums")
INPAINT = ("a harp", "1", "3", "")


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


def refusal(studio: Studio, action: str, *texts: str) -> str:
    """Run an action that must leave nothing behind, and return what it tells."""
    assert studio.ask(action, *texts) == []
    (told,) = studio.api.told
    left = [path for path in studio.project.folder.rglob("*") if path.suffix == ".part"]
    assert not left and not studio.reaper.running
    assert not any(accessor.is_open for accessor in studio.api.accessors)
    return told


def test_an_errand_says_all_that_the_service_needs(studio: Studio) -> None:
    studio.add_item(noise_NS(0.5))
    studio.project.tempo_bpm = 97.5
    (folder,) = studio.ask("transfer", *TRANSFER)
    errand = errand_in(folder)
    assert (errand["ask"], errand["host"], errand["prompt"]) == ("transfer", "reaper", "a harp")
    assert errand["strength"] == 0.5
    assert errand["folder"] == str(studio.project.folder / "DAW Bridge")
    assert errand["stem"] == "Guitar-a-harp"
    options = errand["options"]
    assert (options["takes"], options["negative"]) == (1, "drums")
    assert 0 <= options["seed"] < 2**31
    assert options["region"]["anchor"] == {"track": "Guitar", "position_s": 10.0, "tempo_bpm": 97.5}
    assert "tell" not in errand and "model" not in options


def test_a_job_without_a_seed_gets_another_one_each_time(studio: Studio) -> None:
    studio.add_item(noise_NS(0.1))
    seeds = set()
    for _ in range(4):
        (folder,) = studio.ask("transfer", *TRANSFER)
        seeds.add(errand_in(folder)["options"]["seed"])
    assert len(seeds) == 4


def test_the_time_selection_over_an_item_is_sent_with_what_lies_around(studio: Studio) -> None:
    audio_NS = noise_NS(8.0, 2)
    studio.add_item(audio_NS)
    studio.project.time_selection = (13.0, 14.5)
    (folder,) = studio.ask("transfer", *TRANSFER)
    sent_NS, _ = region_sent(folder)
    np.testing.assert_array_equal(sent_NS, audio_NS[:, 3 * RATE_HZ : round(4.5 * RATE_HZ)])
    whole_SN, _ = soundfile.read(errand_in(folder)["path"])
    np.testing.assert_array_equal(whole_SN.T, audio_NS[:, 1 * RATE_HZ : round(6.5 * RATE_HZ)])


def test_a_time_selection_elsewhere_does_not_count(studio: Studio) -> None:
    studio.add_item(noise_NS(0.5))
    studio.project.time_selection = (2.0, 3.0)
    (folder,) = studio.ask("transfer", *TRANSFER)
    np.testing.assert_array_equal(region_sent(folder)[0], noise_NS(0.5))


def test_a_razor_edit_counts_before_all_else_and_envelopes_do_not(studio: Studio) -> None:
    audio_NS = noise_NS(2.0)
    studio.add_item(audio_NS).values["B_UISEL"] = 0.0
    studio.add_item(noise_NS(1.0, seed=2), 20.0, name="other")
    studio.track.texts["P_RAZOREDITS_EXT"] = '10.5 11.0 "",10.0 12.0 "{ABC}"'
    (folder,) = studio.ask("transfer", *TRANSFER)
    np.testing.assert_array_equal(region_sent(folder)[0], audio_NS[:, RATE_HZ // 2 : RATE_HZ])


def test_a_razor_edit_in_one_lane_is_about_that_lane(studio: Studio) -> None:
    studio.track.values |= {"I_FREEMODE": 2.0, "I_NUMFIXEDLANES": 2.0}
    studio.add_item(noise_NS(1.0))
    below = studio.add_item(noise_NS(1.0, seed=2), name="below")
    below.values["I_FIXEDLANE"] = 1.0
    studio.track.texts["P_RAZOREDITS_EXT"] = '10.0 11.0 "" 0.5 1.0'
    (folder,) = studio.ask("transfer", *TRANSFER)
    np.testing.assert_array_equal(region_sent(folder)[0], noise_NS(1.0, seed=2))


def test_edges_between_samples_go_to_the_nearest(studio: Studio) -> None:
    audio_NS = noise_NS(1.0)
    studio.add_item(audio_NS)
    studio.project.time_selection = (10.0 + 1000.4 / RATE_HZ, 10.0 + 3000.6 / RATE_HZ)
    (folder,) = studio.ask("transfer", *TRANSFER)
    np.testing.assert_array_equal(region_sent(folder)[0], audio_NS[:, 1000:3001])


@pytest.mark.parametrize(
    ("mode", "channels"),
    [(0, [0, 1, 2]), (1, [2, 1, 0]), (3, [0]), (4, [1]), (68, [1, 2])],
    ids=["normal", "swapped", "left", "right", "second and third"],
)
def test_the_channel_mode_decides_what_is_sent(studio: Studio, mode: int, channels: list[int]) -> None:
    item = studio.add_item(noise_NS(0.2, 3))
    item.takes[0].values["I_CHANMODE"] = float(mode)
    (folder,) = studio.ask("transfer", *TRANSFER)
    np.testing.assert_array_equal(region_sent(folder)[0], noise_NS(0.2, 3)[channels])


def test_a_mix_to_mono_is_sent_as_one_channel(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.2, 2))
    item.takes[0].values["I_CHANMODE"] = 2.0
    (folder,) = studio.ask("transfer", *TRANSFER)
    np.testing.assert_allclose(
        region_sent(folder)[0], noise_NS(0.2, 2).mean(axis=0, keepdims=True), atol=1e-7
    )


def test_a_reversed_item_is_sent_as_it_is_heard(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.3))
    source = item.takes[0].source
    assert source
    item.takes[0].source = Source(path=Path(), parent=source, is_reversed=True)
    (folder,) = studio.ask("transfer", *TRANSFER)
    np.testing.assert_array_equal(region_sent(folder)[0], noise_NS(0.3)[:, ::-1])


@pytest.mark.parametrize(("uses_own_rate", "rate_hz"), [(True, 48000), (False, 22050)])
def test_a_stretched_item_is_sent_as_it_is_heard_at_the_projects_rate(
    studio: Studio, uses_own_rate: bool, rate_hz: int
) -> None:
    item = studio.add_item(noise_NS(1.0, rate_hz=22050), rate_hz=22050)
    item.takes[0].values["D_PLAYRATE"] = 2.0
    item.values["D_LENGTH"] = 0.5
    studio.project.values |= {"PROJECT_SRATE": 48000.0, "PROJECT_SRATE_USE": float(uses_own_rate)}
    (folder,) = studio.ask("transfer", *TRANSFER)
    sent_NS, sent_rate_hz = region_sent(folder)
    assert sent_rate_hz == rate_hz
    expected_NS = heard_NS(item.takes[0], rate_hz, 1, 0.0, round(0.5 * rate_hz))
    np.testing.assert_allclose(sent_NS, expected_NS, atol=1e-6)


def test_an_item_at_another_rate_than_the_project_keeps_its_own(studio: Studio) -> None:
    studio.add_item(noise_NS(0.5, rate_hz=96000), rate_hz=96000)
    studio.project.values |= {"PROJECT_SRATE": 48000.0, "PROJECT_SRATE_USE": 1.0}
    (folder,) = studio.ask("transfer", *TRANSFER)
    sent_NS, rate_hz = region_sent(folder)
    assert rate_hz == 96000
    np.testing.assert_array_equal(sent_NS, noise_NS(0.5, rate_hz=96000))


def test_each_region_of_the_project_is_a_job_of_its_own(studio: Studio) -> None:
    audio_NS = noise_NS(3.0)
    studio.add_item(audio_NS).values["B_UISEL"] = 0.0
    studio.track.values["I_SELECTED"] = 1.0
    studio.project.markers = [
        Marker(start_s=10.0, end_s=11.0, name="verse"),
        Marker(start_s=11.5, end_s=11.5, name="no region but a marker"),
        Marker(start_s=12.0, end_s=20.0, name="chorus"),
        Marker(start_s=30.0, end_s=31.0, name="nothing there"),
    ]
    studio.ask("transfer_regions", *TRANSFER)
    studio.turns(30)
    sent = sorted((region_sent(folder)[0] for folder in studio.folders()), key=lambda one: one[0, 0])
    expected = sorted((audio_NS[:, :RATE_HZ], audio_NS[:, 2 * RATE_HZ :]), key=lambda one: one[0, 0])
    for one_NS, other_NS in zip(sent, expected, strict=True):
        np.testing.assert_array_equal(one_NS, other_NS)


def test_all_selected_items_are_read_before_one_command_is_started(studio: Studio) -> None:
    for number in range(5):
        studio.add_item(noise_NS(0.4, seed=number), 10.0 + number, name=f"riff{number}")
    studio.ask("transfer", *TRANSFER)
    assert len(studio.folders()) == 5
    sent = {region_sent(folder)[0][0, 0] for folder in studio.folders()}
    assert sent == {noise_NS(0.4, seed=number)[0, 0] for number in range(5)}


def test_reading_leaves_reaper_free_between_slices(studio: Studio) -> None:
    studio.add_item(noise_NS(20.0))
    studio.answer(*TRANSFER)
    studio.reaper.run("transfer")
    turns = 0
    while not studio.folders():
        studio.reaper.turn()
        turns += 1
    # The model's clock goes on by a millisecond with each look, so that 16 blocks are a slice.
    assert turns >= 20 * RATE_HZ / 8192 / 16 - 1


@pytest.mark.parametrize(("typed", "sent"), [("", None), ("3500", 3500), ("3500,5", 3500.5)])
def test_missing_highs_begin_where_they_end_or_where_it_is_said(
    studio: Studio, typed: str, sent: float | None
) -> None:
    studio.add_item(noise_NS(0.1))
    (folder,) = studio.ask("superres", typed, "2", "")
    errand = errand_in(folder)
    assert (errand["ask"], errand["options"].get("cutoff_hz")) == ("superres", sent)
    assert "prompt" not in errand and "strength" not in errand


def test_a_new_sound_is_as_long_as_the_time_selection(studio: Studio) -> None:
    studio.project.time_selection = (4.0, 6.5)
    studio.track.values["I_SELECTED"] = 1.0
    (folder,) = studio.ask("generate", "rain", "2", "", "")
    errand = errand_in(folder)
    assert (errand["ask"], errand["seconds"], errand["prompt"]) == ("generate", 2.5, "rain")
    assert errand["options"]["region"]["anchor"]["position_s"] == 4.0


def test_a_razor_edit_is_a_place_for_a_new_sound_and_repeat_uses_it_too(studio: Studio) -> None:
    studio.track.texts["P_RAZOREDITS_EXT"] = '3.0 4.5 ""'
    (first,) = studio.ask("generate", "rain", "2", "", "")
    (again,) = studio.ask("repeat")
    assert [errand_in(folder)["seconds"] for folder in (first, again)] == [1.5, 1.5]


def test_a_spectral_edit_without_an_outline_is_all_of_its_time(studio: Studio) -> None:
    # As an older REAPER tells of it.
    item = studio.add_item(noise_NS(1.0))
    item.takes[0].values |= {"IP_SPECEDIT:CNT": 1.0, "D_SPECEDIT:0:POSITION": 0.3, "D_SPECEDIT:0:LENGTH": 0.2}
    (folder,) = studio.ask("inpaint", *INPAINT)
    (shape,) = mask_of(folder).shapes
    assert isinstance(shape, RectShape)
    assert (shape.span.start_s, shape.span.end_s) == (0.3, 0.5)


# Refusals


def test_what_cannot_be_sent_is_refused_with_the_reason(studio: Studio) -> None:
    assert refusal(studio, "transfer").startswith("Nothing is selected")


def midi(item: Item) -> None:
    assert item.takes[0].source
    item.takes[0].source.is_midi = True


def offline(item: Item) -> None:
    assert item.takes[0].source
    item.takes[0].source.path.unlink()


def empty(item: Item) -> None:
    item.takes.clear()


def locked(item: Item) -> None:
    item.values["C_LOCK"] = 1.0


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(midi, "riff is MIDI"), (offline, "offline or missing"), (empty, "is empty"), (locked, "is locked")],
)
def test_an_item_without_audio_is_refused_before_anything_is_asked(
    studio: Studio, spoil: Any, reason: str
) -> None:
    studio.add_item(noise_NS(0.5), name="fine")
    spoil(studio.add_item(noise_NS(0.5)))
    assert reason in refusal(studio, "transfer")
    assert not studio.api.asked


@pytest.mark.parametrize(
    ("time_selection", "is_selected", "reason"),
    [((0.0, 0.0), True, "no time selection"), ((1.0, 2.0), False, "No track is selected")],
)
def test_a_new_sound_needs_a_place(
    studio: Studio, time_selection: tuple[float, float], is_selected: bool, reason: str
) -> None:
    studio.project.time_selection = time_selection
    studio.track.values["I_SELECTED"] = float(is_selected)
    assert reason in refusal(studio, "generate")


def test_project_regions_need_regions_and_tracks(studio: Studio) -> None:
    studio.add_item(noise_NS(0.5))
    assert "no regions" in refusal(studio, "transfer_regions")
    studio.api.told.clear()
    studio.project.markers = [Marker(start_s=0.0, end_s=1.0, name="verse")]
    assert "No track is selected" in refusal(studio, "transfer_regions")
    studio.api.told.clear()
    studio.track.values["I_SELECTED"] = 1.0
    assert "have no items" in refusal(studio, "transfer_regions")


def test_a_file_that_goes_while_it_is_read_ends_the_job_cleanly(studio: Studio) -> None:
    item = studio.add_item(noise_NS(20.0))
    studio.answer(*TRANSFER)
    studio.reaper.run("transfer")
    offline(item)
    studio.turns(5)
    assert "could not read" in studio.api.told[0]
    assert not studio.folders() and not list(studio.project.folder.rglob("*.part"))


def test_an_item_that_is_removed_before_its_turn_costs_only_its_own_job(studio: Studio) -> None:
    studio.add_item(noise_NS(20.0), name="long")
    gone = studio.add_item(noise_NS(0.5), 50.0, name="gone")
    studio.answer(*TRANSFER)
    studio.reaper.run("transfer")
    studio.track.items.remove(gone)
    studio.turns(30)
    assert len(studio.folders()) == 1
    assert "reaper" in studio.folders()[0].name and studio.reaper.running
    write_state(studio.folders()[0], "state\tcancelled")
    studio.turns(20)
    assert studio.api.told == ["An item was removed before its sound was read."]


@pytest.mark.parametrize("count", [1, 3])
def test_a_folder_that_cannot_be_written_is_told_once(studio: Studio, count: int) -> None:
    for number in range(count):
        studio.add_item(noise_NS(0.1), 10.0 + number, name=f"riff{number}")
    (studio.project.folder / "DAW Bridge").write_text("a file in the way")
    assert "cannot be written" in refusal(studio, "transfer", *TRANSFER)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full disk to offer")
@pytest.mark.parametrize("size", [10, 100_000])
def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.wav.part").symlink_to("/dev/full")
    lua = lua54.LuaRuntime(unpack_returned_tuples=True)
    lua.execute('reaper = { GetOS = function() return "Other" end }')
    load = lua.execute("return function(path, need) return assert(loadfile(path))(need) end")
    say = load(str(SCRIPTS / "lib" / "say.lua"), None)
    files = load(str(SCRIPTS / "lib" / "files.lua"), lambda _: say)
    write = lua.execute("return function(files, ...) return pcall(files.write, ...) end")
    is_fine, trouble = write(files, str(tmp_path / "a.wav"), "x" * size)
    assert not is_fine and "cannot be written: " in trouble.sentence and "space" in trouble.sentence
    assert not list(tmp_path.iterdir())


# The dialog


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (("  ", "0.5", "1", "", ""), "Say in words"),
        (("harp", "1.5", "1", "", ""), "Strength is a number from 0 to 1, not '1.5'"),
        (("harp", "much", "1", "", ""), "not 'much'"),
        (("harp", "0.5", "0", "", ""), "Takes is a whole number from 1 to 16"),
        (("harp", "0.5", "2.5", "", ""), "not '2.5'"),
        (("harp", "0.5", "1", "-1", ""), "Seed is a whole number"),
    ],
)
def test_a_wrong_value_is_told_and_asked_again_with_what_was_typed(
    studio: Studio, texts: tuple[str, ...], reason: str
) -> None:
    studio.add_item(noise_NS(0.1))
    studio.answer(*texts)
    studio.api.answers.append(None)
    studio.reaper.run("transfer")
    assert reason in studio.api.told[0]
    assert studio.api.asked[1][2] == list(texts)
    assert not studio.reaper.running


def test_the_next_dialog_begins_with_the_last_words_and_a_prompt_may_have_commas(studio: Studio) -> None:
    studio.add_item(noise_NS(0.1))
    (folder,) = studio.ask("transfer", "a harp, plucked, wet", "0.25", "2", "", "")
    assert errand_in(folder)["prompt"] == "a harp, plucked, wet"
    studio.api.answers.append(None)
    studio.reaper.run("inpaint")
    studio.project.time_selection = (10.0, 10.05)
    studio.api.answers.append(None)
    studio.reaper.run("inpaint")
    assert studio.api.asked[-1][2] == ["a harp, plucked, wet", "2", "", ""]


def test_repeat_asks_nothing_and_takes_what_is_selected_now(studio: Studio) -> None:
    first = studio.add_item(noise_NS(0.1))
    studio.ask("transfer", *TRANSFER)
    first.values["B_UISEL"] = 0.0
    studio.add_item(noise_NS(0.2, seed=5), 30.0, name="next")
    (folder,) = studio.ask("repeat")
    np.testing.assert_array_equal(region_sent(folder)[0], noise_NS(0.2, seed=5))
    assert errand_in(folder)["strength"] == 0.5


def test_repeat_before_anything_was_asked_is_refused(studio: Studio) -> None:
    assert "Nothing was asked for yet" in refusal(studio, "repeat")


def test_a_chosen_model_and_port_go_with_each_job(studio: Studio) -> None:
    studio.answer("8000", "debug")
    studio.reaper.run("settings")
    assert studio.api.asked[0][0] == f"DAW Bridge {VERSION}: settings"
    studio.add_item(noise_NS(0.1))
    (folder,) = studio.ask("transfer", *TRANSFER)
    errand = errand_in(folder)
    assert errand["options"]["model"] == "debug"
    assert errand["tell"] == {"host": "127.0.0.1", "port": 8000, "address": "/daw_bridge/apply"}


# Masks


def spectral_edit(item: Item, index: int, **values: float) -> None:
    """Draw an edit from 0.2 to 0.6 s of an item, from 500 to 2000 Hz, rising to 3000 Hz in the middle."""
    take = item.takes[0].values
    take["IP_SPECEDIT:CNT"] = max(take["IP_SPECEDIT:CNT"], index + 1.0)
    take |= {
        f"D_SPECEDIT:{index}:POSITION": values.get("position", 0.2),
        f"D_SPECEDIT:{index}:LENGTH": 0.4,
        f"I_SPECEDIT:{index}:FLAGS": values.get("flags", 0.0),
        f"B_SPECEDIT:{index}:SELECTED": values.get("selected", 0.0),
        f"F_SPECEDIT:{index}:FADE_IN": 0.1,
        f"F_SPECEDIT:{index}:FADE_HI": 0.02,
        f"I_SPECEDIT:{index}:BOTFREQ_CNT": 1.0,
        f"F_SPECEDIT:{index}:BOTFREQ_POS:0": 0.0,
        f"F_SPECEDIT:{index}:BOTFREQ_FREQ:0": 500.0,
        f"I_SPECEDIT:{index}:TOPFREQ_CNT": 2.0,
        f"F_SPECEDIT:{index}:TOPFREQ_POS:0": 0.0,
        f"F_SPECEDIT:{index}:TOPFREQ_FREQ:0": 2000.0,
        f"F_SPECEDIT:{index}:TOPFREQ_POS:1": 0.5,
        f"F_SPECEDIT:{index}:TOPFREQ_FREQ:1": 3000.0,
    }


def mask_of(folder: Path) -> Any:
    """Return an errand's mask as the engine reads it."""
    errand = errand_in(folder)
    spec = {"task": "inpaint", "prompt": "x", "region": {"path": errand["path"]}, "mask": errand["mask"]}
    return spec_from_dict(spec).mask


def test_a_spectral_edit_is_the_mask(studio: Studio) -> None:
    item = studio.add_item(noise_NS(1.0))
    spectral_edit(item, 0)
    (folder,) = studio.ask("inpaint", *INPAINT)
    mask = mask_of(folder)
    (shape,) = mask.shapes
    assert isinstance(shape, PolygonShape)
    points = [(pytest.approx(0.2), 500.0), (pytest.approx(0.2), 500.0), (pytest.approx(0.6), 500.0)]
    points += [(pytest.approx(0.6), 3000.0), (pytest.approx(0.4), 3000.0)]
    points += [(pytest.approx(0.2), 2000.0), (pytest.approx(0.2), 2000.0)]
    assert list(shape.points) == points
    assert mask.feather_s == pytest.approx(0.04)
    assert mask.feather_hz == pytest.approx(0.02 * 2500)


def test_selected_edits_count_before_others_and_bypassed_ones_never(studio: Studio) -> None:
    item = studio.add_item(noise_NS(2.0))
    spectral_edit(item, 0)
    spectral_edit(item, 1, position=0.7, selected=1.0)
    spectral_edit(item, 2, position=1.2, flags=1.0, selected=1.0)
    (folder,) = studio.ask("inpaint", *INPAINT)
    (shape,) = mask_of(folder).shapes
    assert min(time_s for time_s, _ in shape.points) == pytest.approx(0.7)


def test_edits_are_told_from_the_beginning_of_the_part_that_is_sent(studio: Studio) -> None:
    item = studio.add_item(noise_NS(1.0))
    spectral_edit(item, 0)
    studio.project.time_selection = (10.4, 10.9)
    (folder,) = studio.ask("inpaint", *INPAINT)
    (shape,) = mask_of(folder).shapes
    times = [time_s for time_s, _ in shape.points]
    assert min(times) == 0 and max(times) == pytest.approx(0.2, abs=1e-4)


def test_a_part_without_spectral_edits_is_made_anew_altogether(studio: Studio) -> None:
    studio.add_item(noise_NS(2.0))
    studio.project.time_selection = (10.5, 11.0)
    (folder,) = studio.ask("inpaint", *INPAINT)
    (shape,) = mask_of(folder).shapes
    assert isinstance(shape, RectShape)
    assert (shape.span.start_s, shape.span.end_s) == (0, pytest.approx(0.5))


def test_a_whole_item_without_spectral_edits_says_not_what_to_make_anew(studio: Studio) -> None:
    studio.add_item(noise_NS(0.5))
    assert "draw a spectral edit" in refusal(studio, "inpaint")
    assert not studio.api.asked


# What leaves REAPER as text

LUA = lua54.LuaRuntime()
TEXT = LUA.execute((SCRIPTS / "lib" / "text.lua").read_text())
VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4)
        | st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
            inner,
            min_size=1,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def lua_value(value: Any) -> Any:
    if isinstance(value, list | dict):
        pairs = enumerate(value, 1) if isinstance(value, list) else value.items()
        return LUA.table_from({key: lua_value(one) for key, one in pairs})
    return value


@settings(max_examples=50)
@given(VALUES)
def test_json_from_lua_says_what_was_meant(value: Any) -> None:
    assert json.loads(TEXT.json(lua_value(value))) == value


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["L"]), min_size=1).filter(
            lambda key: key not in ("take", "takes")
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n\0")),
        max_size=6,
    )
)
def test_notes_come_back_as_they_were_written(values: dict[str, str]) -> None:
    found = dict(TEXT.pairs_of(TEXT.lines_of(lua_value(values))).items())
    assert {key: text for key, text in found.items() if key != "takes"} == values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(length=st.integers(1, 1500), channels=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_wav_file_holds_each_sample(tmp_path: Path, length: int, channels: int, seed: int) -> None:
    wav = LUA.execute((SCRIPTS / "lib" / "wav.lua").read_text())
    audio_NS = noise_NS(length / RATE_HZ, channels, seed=seed)
    LUA.globals().head, LUA.globals().samples = wav.head, wav.samples
    LUA.globals().values = LUA.table_from(audio_NS.T.reshape(-1).tolist())
    LUA.execute(
        f"local file = io.open({json.dumps(str(tmp_path / 'a.wav'))}, 'wb')"
        f"file:write(head({channels}, {RATE_HZ}, {length}), samples(values)) file:close()"
    )
    read_SN, rate_hz = soundfile.read(tmp_path / "a.wav", always_2d=True)
    assert rate_hz == RATE_HZ and soundfile.info(tmp_path / "a.wav").subtype == "FLOAT"
    np.testing.assert_array_equal(read_SN.T, audio_NS)
