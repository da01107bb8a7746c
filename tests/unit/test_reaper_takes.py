"""What REAPER's scripts put back: takes in their place, as one step that undo takes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daw_bridge.service.applied import note_applied
from tests.hosts.reaper.session import Item, Take, heard_NS, state
from tests.hosts.reaper.studio import (
    RATE_HZ,
    Studio,
    carry_out,
    errand_in,
    noise_NS,
    region_sent,
    write_state,
    write_wav,
)

PROMPT = ("a harp, plucked", "0.7", "2", "7", "")


@pytest.fixture(params=["lua54", "lua53"])
def studio(tmp_path: Path, request: pytest.FixtureRequest) -> Studio:
    return Studio(tmp_path, lua=request.param)


def test_a_whole_item_gets_the_results_as_takes_of_its_own(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.5, 2))
    original = item.takes[0]
    original.values |= {"D_VOL": 0.5, "D_PAN": -0.25}
    before = state(studio.project)
    (folder,) = studio.ask("transfer", *PROMPT)
    sent_NS, rate_hz = region_sent(folder)
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(sent_NS, noise_NS(0.5, 2))
    paths = carry_out(folder)
    studio.turns(40)
    assert [take.source.path for take in item.takes[1:] if take.source] == paths
    assert [take.texts["P_NAME"] for take in item.takes[1:]] == [
        "a harp, plucked (0.43, seed 7)",
        "a harp, plucked (0.43, seed 8)",
    ]
    assert item.active is item.takes[1]
    heard = heard_NS(item.takes[1], RATE_HZ, 2, 0.0, sent_NS.shape[1])
    np.testing.assert_array_equal(heard, sent_NS[:, ::-1])
    for take in item.takes[1:]:
        assert (take.values["D_VOL"], take.values["D_PAN"]) == (0.5, -0.25)
        assert take.texts["P_EXT:daw_bridge"] == '{"spec": {"prompt": "a harp, plucked"}}'
    assert [name for name, _ in studio.project.undo] == ["DAW Bridge: 2 takes of a harp, plucked"]
    assert not studio.reaper.running and not studio.api.told and not folder.exists()
    studio.project.take_back()
    assert state(studio.project) == before


# A part of an item: a lane below it, or cuts


def part(studio: Studio) -> Item:
    """Return an item of four seconds from 10 s on, of which the second second is selected."""
    item = studio.add_item(noise_NS(4.0))
    studio.project.time_selection = (11.0, 12.0)
    return item


def delivered(studio: Studio, action: str = "transfer", *texts: str) -> None:
    for folder in studio.ask(action, *(texts or PROMPT)):
        carry_out(folder)
    studio.turns(40)
    assert not studio.reaper.running and not studio.api.told


def test_a_part_comes_back_in_a_lane_of_its_own_and_the_original_stays_and_plays(studio: Studio) -> None:
    item = part(studio)
    before, original_before = state(studio.project), _alone(item)
    delivered(studio)
    piece = studio.track.items[1]
    assert len(studio.track.items) == 2
    assert _alone(item) == original_before | {"B_UISEL": 0.0}
    assert (piece.start_s, piece.end_s) == (pytest.approx(11.0), pytest.approx(12.0))
    assert len(piece.takes) == 2 and piece.active is piece.takes[0]
    assert piece.values["I_FIXEDLANE"] == 1 and studio.track.values["I_FREEMODE"] == 2
    assert (lane_plays(studio, 0), lane_plays(studio, 1)) == (True, False)
    heard = heard_NS(piece.takes[0], RATE_HZ, 1, 0.0, RATE_HZ)
    np.testing.assert_array_equal(heard, noise_NS(4.0)[:, RATE_HZ : 2 * RATE_HZ][:, ::-1])
    assert [piece.values[key] for key in ("D_FADEINLEN", "D_FADEOUTLEN")] == [0, 0]
    assert len(studio.project.undo) == 1
    studio.project.take_back()
    studio.project.items()[0].values["B_UISEL"] = 1.0
    assert state(studio.project) == before


def _alone(item: Item) -> dict[str, float]:
    return {key: value for key, value in item.values.items() if key in ("D_POSITION", "D_LENGTH", "B_UISEL")}


def lane_plays(studio: Studio, lane: int) -> bool:
    return bool(studio.track.values[f"C_LANEPLAYS:{lane}"])


def test_a_second_result_for_the_same_part_goes_a_lane_further_down(studio: Studio) -> None:
    item = part(studio)
    delivered(studio)
    studio.track.items[1].values["B_UISEL"], item.values["B_UISEL"] = 0.0, 1.0
    delivered(studio)
    assert [one.values["I_FIXEDLANE"] for one in studio.track.items] == [0, 1, 2]
    assert studio.track.values["I_NUMFIXEDLANES"] == 3


@pytest.mark.parametrize("reason", ["an older REAPER", "items that overlap"])
def test_where_there_can_be_no_lanes_the_item_is_cut(studio: Studio, reason: str) -> None:
    if reason == "an older REAPER":
        studio.api.version = "6.83/OSX64"
    else:
        studio.add_item(noise_NS(1.0, seed=3), 9.5, name="crossfaded").values["B_UISEL"] = 0.0
        studio.track.items.sort(key=lambda one: one.start_s)
    item = part(studio)
    before = state(studio.project)
    delivered(studio)
    pieces = [one for one in studio.track.items if one.start_s >= 10.0]
    assert [(one.start_s, one.end_s) for one in pieces] == [
        (10.0, pytest.approx(11.0)),
        (pytest.approx(11.0), pytest.approx(12.0)),
        (pytest.approx(12.0), 14.0),
    ]
    middle = pieces[1]
    assert [len(one.takes) for one in pieces] == [1, 3, 1]
    assert middle.active is middle.takes[1]
    assert pieces[0] is item
    for one in pieces:
        heard = heard_NS(one.takes[0], RATE_HZ, 1, 0.0, 1000)
        first = round((one.start_s - 10.0) * RATE_HZ)
        np.testing.assert_allclose(heard, noise_NS(4.0)[:, first : first + 1000], atol=1e-6)
    assert studio.track.values["I_FREEMODE"] == 0
    studio.project.take_back()
    studio.project.items()[-1].values["B_UISEL"] = 1.0
    assert state(studio.project) == before


def test_a_part_at_an_edge_is_cut_once(studio: Studio) -> None:
    studio.api.version = "6.83/OSX64"
    studio.add_item(noise_NS(4.0))
    studio.project.time_selection = (8.0, 11.0)
    delivered(studio)
    assert [(len(one.takes), one.end_s) for one in studio.track.items] == [
        (3, pytest.approx(11.0)),
        (1, 14.0),
    ]


# What happened meanwhile


def test_an_item_that_was_moved_and_trimmed_gets_its_takes_where_their_sound_is(studio: Studio) -> None:
    item = studio.add_item(noise_NS(1.0))
    (folder,) = studio.ask("transfer", *PROMPT)
    item.values |= {"D_POSITION": 20.25, "D_LENGTH": 0.75}
    item.takes[0].values["D_STARTOFFS"] = 0.25
    carry_out(folder)
    studio.turns(40)
    assert item.takes[1].values["D_STARTOFFS"] == pytest.approx(0.25)
    heard = heard_NS(item.takes[1], RATE_HZ, 1, 0.0, 1000)
    np.testing.assert_array_equal(heard, noise_NS(1.0)[:, ::-1][:, RATE_HZ // 4 :][:, :1000])


def test_a_part_of_an_item_that_was_moved_is_found_again(studio: Studio) -> None:
    item = part(studio)
    (folder,) = studio.ask("transfer", *PROMPT)
    item.values["D_POSITION"] = 50.0
    carry_out(folder)
    studio.turns(40)
    assert studio.track.items[1].start_s == pytest.approx(51.0)


def test_takes_come_though_the_take_they_were_made_from_is_gone(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.5))
    (folder,) = studio.ask("transfer", *PROMPT)
    item.takes[0] = Take(source=item.takes[0].source)
    carry_out(folder)
    studio.turns(40)
    assert len(item.takes) == 3 and item.takes[1].values["D_STARTOFFS"] == 0


@pytest.mark.parametrize("is_track_gone", [False, True])
@pytest.mark.parametrize("is_old", [False, True])
def test_takes_of_an_item_that_is_gone_come_as_a_new_item(
    studio: Studio, is_track_gone: bool, is_old: bool
) -> None:
    item = studio.add_item(noise_NS(0.5), 12.0)
    (folder,) = studio.ask("transfer", *PROMPT)
    studio.track.items.remove(item)
    if is_track_gone:
        studio.project.tracks.clear()
    if is_old:
        studio.api.missing.add("InsertTrackInProject")
    carry_out(folder)
    studio.turns(40)
    (made,) = studio.project.items()
    assert (made.start_s, made.end_s, len(made.takes)) == (12.0, pytest.approx(12.5), 2)
    name = studio.track.texts["P_NAME"]
    assert name == ("DAW Bridge" if is_track_gone else "Guitar")


def test_the_selection_is_the_musicians_if_it_was_changed_meanwhile(studio: Studio) -> None:
    item = part(studio)
    (folder,) = studio.ask("transfer", *PROMPT)
    item.values["B_UISEL"] = 0.0
    carry_out(folder)
    studio.turns(40)
    assert not any(one.values["B_UISEL"] for one in studio.track.items)


def test_a_new_sound_becomes_an_item_at_the_time_selection(studio: Studio) -> None:
    studio.project.time_selection = (4.0, 4.5)
    studio.track.values["I_SELECTED"] = 1.0
    (folder,) = studio.ask("generate", "rain", "2", "3", "")
    path = write_wav(tmp := folder.parent / "rain.wav", noise_NS(0.5))
    write_state(folder, "state\tdone", f"take\t0\t{path}\t3\t\t-20\t22050\t44100\tthe chain failed")
    studio.turns(40)
    (item,) = studio.track.items
    assert (item.start_s, item.end_s) == (4.0, 4.5)
    assert item.takes[0].texts["P_NAME"] == "rain (seed 3, dry)"
    assert item.takes[0].source and item.takes[0].source.path == tmp


# Heard one after the other, and kept


def test_next_and_previous_go_through_all_takes_and_round(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.2))
    delivered(studio)
    heard = []
    for action in ("next_take", "next_take", "next_take", "previous_take"):
        studio.reaper.run(action)
        heard.append(item.values["I_CURTAKE"])
    assert heard == [2, 0, 1, 0]


def test_takes_in_a_lane_are_heard_in_turn_with_the_original_above(studio: Studio) -> None:
    part(studio)
    delivered(studio)
    piece = studio.track.items[1]
    heard = []
    for action in ("next_take", "next_take", "next_take", "previous_take"):
        studio.reaper.run(action)
        heard.append((lane_plays(studio, 0), lane_plays(studio, 1), piece.values["I_CURTAKE"]))
    assert heard == [(False, True, 0), (False, True, 1), (True, False, 1), (False, True, 1)]


def test_a_take_that_was_sent_back_is_heard_once_one_collects(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.2))
    delivered(studio)
    best, second = item.takes[1:]
    assert item.active is best and best.source and second.source
    note_applied(studio.errands, "j1", 1, str(second.source.path))
    studio.reaper.run("collect")
    assert item.active is second
    assert studio.project.undo[-1][0] == "DAW Bridge: the take that was sent back"
    studio.reaper.run("previous_take")
    assert item.active is best
    assert not studio.api.told
    studio.reaper.run("collect")
    assert item.active is best, "what was followed once is not followed again"
    assert studio.api.told


def test_a_take_in_a_lane_that_was_sent_back_is_heard_in_the_originals_place(studio: Studio) -> None:
    part(studio)
    delivered(studio)
    piece = studio.track.items[1]
    assert piece.takes[1].source and lane_plays(studio, 0)
    note_applied(studio.errands, "j1", 1, str(piece.takes[1].source.path))
    studio.reaper.run("collect")
    assert (lane_plays(studio, 0), lane_plays(studio, 1), piece.values["I_CURTAKE"]) == (False, True, 1)


def test_takes_that_are_not_here_are_not_followed(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.2))
    delivered(studio)
    steps = len(studio.project.undo)
    note_applied(studio.errands, "j1", 0, "/elsewhere/other_1.wav")
    studio.reaper.run("collect")
    assert item.active is item.takes[1] and len(studio.project.undo) == steps


def test_accept_keeps_the_original_and_the_take_that_is_heard(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.2))
    other = studio.add_item(noise_NS(0.2, seed=4), 20.0, name="other")
    other.values["B_UISEL"] = 0.0
    delivered(studio)
    studio.reaper.run("next_take")
    kept = item.active
    studio.reaper.run("accept")
    assert item.takes[1:] == [kept] and item.active is kept
    assert len(other.takes) == 1
    assert (item.values["B_UISEL"], other.values["B_UISEL"]) == (1, 0)
    assert studio.project.undo[-1][0] == "DAW Bridge: accept"


def test_accept_with_the_original_heard_drops_all_of_ours(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.2))
    delivered(studio)
    studio.reaper.run("previous_take")
    studio.reaper.run("accept")
    assert len(item.takes) == 1


def test_accept_in_a_lane_puts_the_take_in_the_originals_place(studio: Studio) -> None:
    part(studio)
    delivered(studio)
    studio.reaper.run("next_take")
    before = state(studio.project)
    studio.reaper.run("accept")
    assert {one.values["I_FIXEDLANE"] for one in studio.track.items} == {0}
    spans = sorted((one.start_s, one.end_s, len(one.takes)) for one in studio.track.items)
    assert spans == [
        (10.0, pytest.approx(11.0), 1),
        (pytest.approx(11.0), pytest.approx(12.0), 1),
        (pytest.approx(12.0), 14.0, 1),
    ]
    assert lane_plays(studio, 0)
    studio.project.take_back()
    assert state(studio.project) == before


def test_accept_in_a_lane_with_the_original_heard_removes_the_lanes_item(studio: Studio) -> None:
    item = part(studio)
    delivered(studio)
    studio.reaper.run("accept")
    assert studio.track.items == [item]


def test_accept_in_a_lane_whose_original_was_moved_changes_nothing(studio: Studio) -> None:
    item = part(studio)
    delivered(studio)
    studio.reaper.run("next_take")
    item.values["D_POSITION"] = 30.0
    before = state(studio.project)
    studio.reaper.run("accept")
    assert studio.api.told[0].startswith("The original is not under its take any more")
    assert state(studio.project) == before


def test_takes_of_others_are_left_alone(studio: Studio) -> None:
    studio.add_item(noise_NS(0.2))
    studio.reaper.run("next_take")
    assert studio.api.told == ["No selected item has takes from DAW Bridge."]


# Made again


@pytest.mark.parametrize(("action", "texts"), [("recall", ()), ("vary", ("0.3", "4"))])
def test_a_take_is_made_again_by_its_file(studio: Studio, action: str, texts: tuple[str, ...]) -> None:
    item = studio.add_item(noise_NS(0.2))
    delivered(studio)
    active = item.active
    assert active and active.source
    (folder,) = studio.ask(action, *texts)
    errand = errand_in(folder)
    assert errand["ask"] == "recall" and errand["path"] == str(active.source.path)
    assert (errand.get("vary"), errand["takes"]) == ((0.3, 4) if texts else (None, 1))
    path = write_wav(folder.parent / "again.wav", noise_NS(0.2))
    write_state(folder, "state\tdone", f"take\t0\t{path}\t7\t0.5\t-20\t8820\t44100\t")
    studio.turns(40)
    named = "a harp, plucked varied" if texts else "a harp, plucked again"
    assert item.takes[-1].texts["P_NAME"] == f"{named} (0.50, seed 7)"


def test_a_take_whose_file_is_gone_is_made_again_by_what_the_project_knows(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.2))
    delivered(studio)
    assert item.active and item.active.source
    item.active.source.path.unlink()
    (folder,) = studio.ask("recall")
    errand = errand_in(folder)
    assert errand["ask"] == "submit"
    assert Path(errand["spec"]).read_text() == item.active.texts["P_EXT:daw_bridge"]


def test_there_is_nothing_to_make_again_where_nothing_is_selected(studio: Studio) -> None:
    assert studio.ask("vary") == []
    assert studio.api.told[0].startswith("Nothing is selected")


def test_a_take_whose_file_and_recipe_are_gone_cannot_be_made_again(studio: Studio) -> None:
    item = studio.add_item(noise_NS(0.2))
    assert item.takes[0].source
    item.takes[0].source.path.unlink()
    assert studio.ask("recall") == []
    assert "is gone" in studio.api.told[0]
