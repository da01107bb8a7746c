"""The sound that is edited, without a window. Legend: N channels, S samples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from engine.types import ErrorCode, TimeSpan
from tests.unit.panel_sounds import RATE_HZ, complete, noise, opened, written
from ui.model.display import Shown, Snap
from ui.model.region import RegionModel
from ui.sound.scales import ScaleKind
from ui.sound.spectra import FLOOR_DB


@pytest.fixture
def model(qapp: object) -> Iterator[RegionModel]:
    model = RegionModel()
    yield model
    model.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return written(tmp_path / "sound.wav", noise())


def test_a_file_is_seen_as_a_whole_once_it_is_open(model: RegionModel, qtbot: QtBot, path: str) -> None:
    opened(model, qtbot, path)
    assert model.path == path and model.facts is not None
    assert (model.facts.rate_hz, model.facts.channels, model.facts.duration_s) == (RATE_HZ, 2, 4.0)
    assert model.view == TimeSpan(start_s=0.0, end_s=4.0) and model.span is None
    tiles = model.pictures.spectrogram()
    assert tiles[0].start == 0.0 and tiles[-1].stop == 4.0 * RATE_HZ
    assert all(tile.levels_RC.any() for tile in tiles)


def test_what_cannot_be_read_is_told_and_what_is_open_stays(
    model: RegionModel, qtbot: QtBot, path: str, tmp_path: Path
) -> None:
    opened(model, qtbot, path)
    model.select(TimeSpan(start_s=1.0, end_s=2.0))
    broken = tmp_path / "broken.wav"
    broken.write_text("nothing", encoding="utf-8")
    for _ in range(2):
        with qtbot.waitSignal(model.failed) as failed:
            model.open(str(broken))
        assert failed.args is not None and str(broken) in failed.args[0].message
    assert model.path == path and model.span == TimeSpan(start_s=1.0, end_s=2.0)
    assert model.trouble is not None and model.trouble.code is ErrorCode.IO_FORMAT
    model.check()
    complete(model, qtbot)
    assert model.trouble is not None, "that the other file is well does not mend this one"
    opened(model, qtbot, path)
    assert model.trouble is None


def test_only_the_last_of_several_files_is_opened(
    model: RegionModel, qtbot: QtBot, path: str, tmp_path: Path
) -> None:
    other = written(tmp_path / "other.wav", noise(1.0))
    seen = []
    model.opened.connect(lambda: seen.append(model.path))
    model.open(path)
    with qtbot.waitSignal(model.opened):
        model.open(other)
    assert seen == [other]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("zoom"), st.floats(1e-3, 1e3), st.floats(-1.0, 6.0)),
            st.tuples(st.just("scroll"), st.floats(-10.0, 10.0), st.just(0.0)),
            st.tuples(st.just("band"), st.floats(1e-2, 1e2), st.floats(0.0, 1.0)),
        ),
        max_size=12,
    )
)
def test_the_view_never_leaves_the_sound(
    wide_model: RegionModel, steps: list[tuple[str, float, float]]
) -> None:
    for name, amount, at in steps:
        if name == "zoom":
            wide_model.zoom(amount, at)
        elif name == "scroll":
            wide_model.scroll(amount)
        else:
            wide_model.zoom_band(amount, at)
        view, (low, high) = wide_model.view, wide_model.band
        assert 0.0 <= view.start_s < view.end_s <= 4.0 + 1e-9
        assert view.duration_s * RATE_HZ >= 31.9
        assert 0.0 <= low < high <= 1.0 + 1e-9


@pytest.fixture(scope="module")
def wide_model(qapp: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegionModel]:
    model = RegionModel()
    path = written(tmp_path_factory.mktemp("sound") / "sound.wav", noise())
    from pytestqt.wait_signal import SignalBlocker  # noqa: PLC0415 - qtbot lives for one test only

    blocker = SignalBlocker(timeout=10_000)
    blocker.connect(model.opened)
    model.open(path)
    blocker.wait()
    yield model
    model.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(1.0, 50.0), st.floats(0.5, 3.5))
def test_zooming_in_leaves_the_place_where_it_is(wide_model: RegionModel, factor: float, at_s: float) -> None:
    wide_model.show_all()
    share = at_s / 4.0
    wide_model.zoom(factor, at_s)
    view = wide_model.view
    assert (at_s - view.start_s) / view.duration_s == pytest.approx(share, abs=1e-6)
    assert view.duration_s == pytest.approx(4.0 / factor)


def test_a_selection_lies_within_the_sound(wide_model: RegionModel) -> None:
    wide_model.select_between(5.0, 3.0)
    assert wide_model.span == TimeSpan(start_s=3.0, end_s=4.0)
    wide_model.select_between(2.0, 2.0)
    assert wide_model.span is None
    wide_model.select(TimeSpan(start_s=7.0, end_s=8.0))
    assert wide_model.span is None


def test_the_page_turns_when_the_playhead_leaves_it(wide_model: RegionModel) -> None:
    wide_model.show(TimeSpan(start_s=0.0, end_s=1.0))
    wide_model.set_playhead(0.9)
    assert wide_model.view.start_s == 0.0
    wide_model.set_playhead(1.5)
    assert wide_model.view == TimeSpan(start_s=1.5, end_s=2.5)
    wide_model.is_following = False
    wide_model.set_playhead(0.2)
    assert wide_model.view.start_s == 1.5
    wide_model.is_following = True
    wide_model.set_playhead(None)
    wide_model.show_all()


def test_times_snap_to_beats_and_close_by_to_parts_of_them(wide_model: RegionModel) -> None:
    wide_model.show_all()
    assert wide_model.snapped(1.23) == 1.23
    wide_model.set_beats(120.0, 0.1)
    wide_model.set_snap(Snap.BEATS)
    wide_model.show_all()
    assert wide_model.snapped(1.23) == pytest.approx(1.225)
    wide_model.set_beats(30.0, 0.1)
    assert wide_model.snapped(1.5) == pytest.approx(1.6)
    wide_model.set_beats(120.0, -0.3)
    assert wide_model.snapped(0.0) >= 0.0
    wide_model.set_snap(Snap.OFF)
    wide_model.set_beats(None)


def test_times_snap_to_transients_that_are_near(model: RegionModel, qtbot: QtBot, tmp_path: Path) -> None:
    audio_NS = np.zeros((1, 4 * RATE_HZ))
    audio_NS[0, RATE_HZ : RATE_HZ + 200] = 0.5 * np.sin(np.arange(200))
    opened(model, qtbot, written(tmp_path / "click.wav", audio_NS))
    model.set_snap(Snap.TRANSIENTS)
    complete(model, qtbot)
    assert model.seen_onsets_s == pytest.approx((1.0,), abs=0.002)
    assert model.snapped(1.03) == pytest.approx(1.0, abs=0.002)
    assert model.snapped(1.5) == 1.5


def test_a_take_is_seen_in_its_place_and_what_it_adds(
    model: RegionModel, qtbot: QtBot, path: str, tmp_path: Path
) -> None:
    opened(model, qtbot, path)
    take_NS = noise(1.0, seed=1)
    with qtbot.waitSignal(model.compared):
        model.compare(written(tmp_path / "take.wav", take_NS), 2.0)
    original_NS = noise()
    whole_NS = original_NS.copy()
    whole_NS[:, 2 * RATE_HZ : 3 * RATE_HZ] = take_NS
    for shown, audio_NS in ((Shown.TAKE, whole_NS), (Shown.DIFFERENCE, whole_NS - original_NS)):
        model.show_as(shown)
        complete(model, qtbot)
        found = model.pictures.columns(0, 4 * RATE_HZ, 250)
        assert found is not None
        parts_NCS = audio_NS.reshape(2, 250, -1)
        np.testing.assert_allclose(found.high_NC, parts_NCS.max(axis=2), atol=2**-13)
        np.testing.assert_allclose(found.rms_NC, np.sqrt((parts_NCS**2).mean(axis=2)), atol=1e-4)
    silent_db = model.pictures.level_db(1.0 * RATE_HZ, 0.5)
    loud_db = model.pictures.level_db(2.5 * RATE_HZ, 0.5)
    assert silent_db is not None and loud_db is not None
    assert silent_db == FLOOR_DB and loud_db > -60.0
    model.compare(None)
    assert model.shown is Shown.ORIGINAL and model.compared_path == ""


def test_taking_the_take_away_leaves_no_hole_where_the_original_was_not_drawn_yet(
    model: RegionModel, qtbot: QtBot, path: str
) -> None:
    with qtbot.waitSignal(model.opened):
        model.open(path)
    # As for a job that is found when the window opens: its takes are not known yet.
    model.compare(None)
    complete(model, qtbot)
    tiles = model.pictures.spectrogram()
    assert tiles and tiles[-1].stop == 4.0 * RATE_HZ


def test_a_take_that_does_not_fit_is_refused(
    model: RegionModel, qtbot: QtBot, path: str, tmp_path: Path
) -> None:
    opened(model, qtbot, path)
    for audio_NS, rate_hz, reason in ((noise(5.0), RATE_HZ, "does not fit"), (noise(1.0), 8000, "8000 Hz")):
        with qtbot.waitSignal(model.failed) as failed:
            model.compare(written(tmp_path / "take.wav", audio_NS, rate_hz))
        assert failed.args is not None and reason in failed.args[0].message
    model.show_as(Shown.TAKE)
    assert model.shown is Shown.ORIGINAL


def test_a_take_of_the_file_before_is_not_compared_with_the_next(
    model: RegionModel, qtbot: QtBot, path: str, tmp_path: Path
) -> None:
    opened(model, qtbot, path)
    other = written(tmp_path / "other.wav", noise(2.0))
    model.open(other)
    model.compare(path)
    with qtbot.waitSignal(model.opened):
        model.check()
    complete(model, qtbot)
    assert model.path == other and model.compared_path == "" and model.trouble is None


def test_a_file_that_changes_or_vanishes_says_so_until_it_is_well(
    model: RegionModel, qtbot: QtBot, path: str
) -> None:
    opened(model, qtbot, path)
    before = Path(path).stat()
    Path(path).rename(path + ".away")
    with qtbot.waitSignal(model.failed) as failed:
        model.check()
    assert failed.args is not None and failed.args[0].code is ErrorCode.IO_MISSING
    assert model.pictures.spectrogram(), "what was seen stays"
    Path(path + ".away").rename(path)
    with qtbot.waitSignal(model.trouble_changed):
        model.check()
    assert model.trouble is None
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    with qtbot.waitSignal(model.failed) as failed:
        model.check()
    assert failed.args is not None and "changed by another program" in failed.args[0].message


def test_reloading_shows_the_file_as_it_is_now_where_one_was(
    model: RegionModel, qtbot: QtBot, path: str
) -> None:
    opened(model, qtbot, path)
    model.show(TimeSpan(start_s=1.0, end_s=1.5))
    model.select(TimeSpan(start_s=1.1, end_s=3.0))
    written(Path(path), noise(2.0, seed=5) * 0.1)
    with qtbot.waitSignal(model.opened):
        model.reload()
    complete(model, qtbot)
    assert model.view == TimeSpan(start_s=1.0, end_s=1.5)
    assert model.span == TimeSpan(start_s=1.1, end_s=2.0)
    found = model.pictures.columns(0, 2 * RATE_HZ, 1)
    assert found is not None and found.high_NC.max() == pytest.approx(0.03, abs=0.001)


def test_a_coarser_tile_stands_in_until_the_fine_one_is_there(
    model: RegionModel, qtbot: QtBot, path: str
) -> None:
    opened(model, qtbot, path)
    coarse = {tile.key for tile in model.pictures.spectrogram()}
    model.show(TimeSpan(start_s=2.0, end_s=2.1))
    stand_ins = model.pictures.spectrogram()
    assert {tile.key for tile in stand_ins} <= coarse
    assert stand_ins[0].start <= 2.0 * RATE_HZ and stand_ins[-1].stop >= 2.1 * RATE_HZ
    complete(model, qtbot)
    assert not {tile.key for tile in model.pictures.spectrogram()} & coarse


def test_memory_stays_within_its_bound_while_all_is_looked_at(qtbot: QtBot, path: str) -> None:
    model = RegionModel(max_bytes=1_500_000)
    opened(model, qtbot, path)
    for start_s in np.arange(0.0, 3.9, 0.2):
        model.show(TimeSpan(start_s=float(start_s), end_s=float(start_s) + 0.1))
        complete(model, qtbot)
        assert model.pictures.loader.cache.nbytes <= 1_500_000
    model.close()


def test_another_scale_is_another_picture(model: RegionModel, qtbot: QtBot, path: str) -> None:
    opened(model, qtbot, path)
    model.change_display(scale_kind=ScaleKind.LINEAR)
    assert model.scale.kind is ScaleKind.LINEAR
    assert {tile.kind for tile in model.pictures.spectrogram()} == {ScaleKind.MEL}, "what is there stands in"
    complete(model, qtbot)
    assert {tile.kind for tile in model.pictures.spectrogram()} == {ScaleKind.LINEAR}
    with pytest.raises(ValueError, match="floor_db must be from"):
        model.change_display(floor_db=0.0)


def test_closing_while_everything_is_under_way_is_no_trouble(qtbot: QtBot, path: str) -> None:
    model = RegionModel()
    with qtbot.waitSignal(model.opened):
        model.open(path)
    told: list[object] = []
    model.pictures.changed.connect(lambda: told.append("changed"))
    model.failed.connect(told.append)
    model.close()
    qtbot.wait(60)
    assert told == [] and model.pictures.columns(0, 100, 10) is None and not model.pictures.spectrogram()
