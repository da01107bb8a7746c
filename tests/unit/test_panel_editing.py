"""A DAW's file edited in the panel: written back whole and exact, taken back, and never lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PyQt6.QtCore import QObject, Qt
from PyQt6.QtWidgets import QLabel, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from daw_bridge.daws.folders.writing_back import undo
from daw_bridge.service.config import Folders
from engine.errors import AudioIOError
from tests.contract.panels import WAIT_MS, desk
from ui.app import Options, Panel
from ui.model.editing import EditModel
from ui.sound.fitting import fitted
from ui.widgets.apply_bar import ApplyBar

RATE_HZ = 48_000


def sound(path: Path, frames: int, *, seed: int = 0, subtype: str = "PCM_24", channels: int = 2) -> Path:
    chance = np.random.default_rng(seed)
    soundfile.write(path, chance.uniform(-0.5, 0.5, (frames, channels)), RATE_HZ, subtype=subtype)
    return path


def samples(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int32", always_2d=True)[0]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    folder = tmp_path / "session"
    folder.mkdir()
    return sound(folder / "clip.wav", 9_600, seed=1)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return sound(tmp_path / "take_1.wav", 9_600, seed=2)


@pytest.fixture
def model(clip: Path, qtbot: QtBot) -> Iterator[EditModel]:
    made = EditModel(str(clip))
    with qtbot.waitSignal(made.begun, timeout=WAIT_MS):
        made.begin()
    yield made
    made.close()


@pytest.fixture
def bar(model: EditModel, qtbot: QtBot, tmp_path: Path) -> Iterator[ApplyBar]:
    with desk(tmp_path) as around:
        made = ApplyBar(model, around.actions)
        qtbot.addWidget(made)
        made.resize(700, 60)
        made.show()
        yield made


def files(clip: Path) -> list[str]:
    return sorted(path.name for path in clip.parent.iterdir())


def state_of(bar: ApplyBar) -> str:
    label = bar.findChild(QLabel, "edit state")
    assert isinstance(label, QLabel)
    return label.text()


def press(bar: QWidget, qtbot: QtBot, name: str) -> None:
    qtbot.waitUntil(lambda: bar.findChild(QPushButton, name) is not None, timeout=WAIT_MS)
    button = bar.findChild(QPushButton, name)
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_apply_writes_the_take_and_undo_takes_it_back(
    clip: Path, take: Path, model: EditModel, bar: ApplyBar, qtbot: QtBot
) -> None:
    before, mode = clip.read_bytes(), clip.stat().st_mode
    assert Path(model.source).read_bytes() == before
    assert not model.can_apply
    model.choose(str(take))
    with qtbot.waitSignal(model.applied, timeout=WAIT_MS):
        qtbot.keyClick(bar, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert clip.read_bytes() == take.read_bytes()
    assert clip.stat().st_mode == mode
    assert files(clip) == ["clip.before-1.wav", "clip.wav"]
    assert state_of(bar) == "The file is this take; what it was is kept beside it."
    assert not model.can_apply and not model.is_unsaved
    model.undo()
    qtbot.waitUntil(lambda: not model.is_applied, timeout=WAIT_MS)
    assert clip.read_bytes() == before


def test_what_was_applied_can_be_taken_back_by_the_command(
    clip: Path, take: Path, model: EditModel, qtbot: QtBot
) -> None:
    before = clip.read_bytes()
    model.choose(str(take))
    with qtbot.waitSignal(model.applied, timeout=WAIT_MS):
        model.apply()
    model.close()
    assert files(clip) == ["clip.before-1.wav", "clip.wav"]
    undo(clip)
    assert clip.read_bytes() == before


def test_nothing_stays_beside_a_file_that_did_not_change(clip: Path, model: EditModel) -> None:
    assert files(clip) == ["clip.before-1.wav", "clip.wav"]
    model.close()
    assert files(clip) == ["clip.wav"]


def test_a_second_take_replaces_the_first_and_undo_gives_the_original(
    clip: Path, take: Path, tmp_path: Path, model: EditModel, qtbot: QtBot
) -> None:
    before = clip.read_bytes()
    second = sound(tmp_path / "take_2.wav", 9_600, seed=3)
    for path in (take, second):
        model.choose(str(path))
        with qtbot.waitSignal(model.applied, timeout=WAIT_MS):
            model.apply()
    assert clip.read_bytes() == second.read_bytes()
    model.undo()
    qtbot.waitUntil(lambda: not model.is_applied, timeout=WAIT_MS)
    assert clip.read_bytes() == before


def test_a_file_that_others_changed_is_overwritten_only_when_one_says_so(
    clip: Path, take: Path, model: EditModel, bar: ApplyBar, qtbot: QtBot
) -> None:
    sound(clip, 9_600, seed=9)
    theirs = clip.read_bytes()
    model.choose(str(take))
    with qtbot.waitSignal(model.overtaken, timeout=WAIT_MS):
        model.apply()
    assert clip.read_bytes() == theirs
    with qtbot.waitSignal(model.applied, timeout=WAIT_MS):
        press(bar, qtbot, "write over")
    assert clip.read_bytes() == take.read_bytes()
    assert (clip.parent / "clip.before-2.wav").read_bytes() == theirs


def test_closing_without_apply_asks_once(take: Path, model: EditModel, bar: ApplyBar, qtbot: QtBot) -> None:
    assert bar.may_close()
    model.choose(str(take))
    assert not bar.may_close()
    with qtbot.waitSignal(bar.close_wanted, timeout=WAIT_MS):
        press(bar, qtbot, "close unsaved")
    assert bar.may_close()


def test_apply_and_close_does_both(
    clip: Path, take: Path, model: EditModel, bar: ApplyBar, qtbot: QtBot
) -> None:
    model.choose(str(take))
    assert not bar.may_close()
    assert bar.findChild(QMessageBox, "edit unsaved") is not None
    with qtbot.waitSignal(bar.close_wanted, timeout=WAIT_MS):
        press(bar, qtbot, "apply and close")
    assert clip.read_bytes() == take.read_bytes()
    assert bar.may_close()


@pytest.mark.parametrize(
    ("frames", "kind", "told"),
    [
        (9_601, (2, "PCM_24"), "it has 9601 samples, and the file has 9600"),
        (9_600, (1, "PCM_24"), "it has 1 channels and the file 2"),
        (9_600, (2, "PCM_16"), "it has PCM_16 and the file PCM_24"),
    ],
)
def test_a_take_that_does_not_fit_is_refused_and_the_file_stays(
    frames: int, kind: tuple[int, str], told: str, clip: Path, model: EditModel, bar: ApplyBar, qtbot: QtBot
) -> None:
    before, tmp_path = clip.read_bytes(), clip.parents[1]
    channels, subtype = kind
    model.choose(str(sound(tmp_path / "take_1.wav", frames, channels=channels, subtype=subtype)))
    with qtbot.waitSignal(model.failed, timeout=WAIT_MS):
        model.apply()
    assert told in state_of(bar)
    assert clip.read_bytes() == before
    assert files(clip) == ["clip.before-1.wav", "clip.wav"]
    assert model.is_unsaved and model.can_apply


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_take_of_a_stretch_changes_nothing_else(subtype: str, tmp_path: Path) -> None:
    whole = sound(tmp_path / "whole.wav", 9_600, seed=1, subtype=subtype)
    part = sound(tmp_path / "part.wav", 480, seed=2, subtype=subtype)
    made = fitted(whole, part, 0.1, tmp_path / "out.wav")
    kind = "float64" if subtype in ("FLOAT", "DOUBLE") else "int32"
    was, new, now = (soundfile.read(path, dtype=kind)[0] for path in (whole, part, made))
    assert np.array_equal(now[4_800:5_280], new)
    assert np.array_equal(now[:4_800], was[:4_800]) and np.array_equal(now[5_280:], was[5_280:])
    assert soundfile.info(made).subtype == subtype


@pytest.mark.parametrize("suffix", [".flac", ".aiff", ".wav"])
def test_a_stretch_fits_in_every_format(suffix: str, tmp_path: Path) -> None:
    whole = sound(tmp_path / f"whole{suffix}", 600_000, seed=1, subtype="PCM_16")
    part = sound(tmp_path / f"part{suffix}", 300_000, seed=2, subtype="PCM_16")
    was, new = samples(whole), samples(part)
    now = samples(fitted(whole, part, 1.0, tmp_path / f"out{suffix}"))
    assert np.array_equal(now, np.concatenate([was[:48_000], new, was[348_000:]]))


def test_a_file_that_is_no_sound_is_told_as_such(tmp_path: Path, clip: Path) -> None:
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"RIFF")
    with pytest.raises(AudioIOError, match=r"noise.wav cannot be written over clip.wav"):
        fitted(clip, noise, 0.0, tmp_path / "out.wav")


def test_a_file_that_is_gone_or_lossy_is_refused_at_once(tmp_path: Path, qtbot: QtBot) -> None:
    for name in ("nothing.wav", "song.mp3"):
        model = EditModel(str(tmp_path / name))
        with qtbot.waitSignal(model.failed, timeout=WAIT_MS) as failed:
            model.begin()
        assert name in failed.args[0].message
        assert isinstance(model, QObject) and model.source == ""
        model.close()


def test_the_window_names_the_file_and_closes_only_when_that_is_wanted(
    clip: Path, take: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    home = Folders(
        **{name: tmp_path / "home" / name for name in ("state", "config", "runtime", "log", "takes")}
    )
    panel = Panel(home, Options(path=str(clip), edit=True))
    qtbot.addWidget(panel.window)
    assert panel.models.editing is not None
    with qtbot.waitSignal(panel.models.editing.begun, timeout=WAIT_MS):
        panel.models.editing.begin()
    panel.window.show()
    label = panel.window.findChild(QLabel, "edited file")
    assert label is not None and label.isVisible() and label.text() == "clip.wav"
    panel.models.editing.choose(str(take))
    panel.window.close()
    assert panel.window.isVisible()
    press(panel.window, qtbot, "close unsaved")
    qtbot.waitUntil(lambda: not panel.window.isVisible(), timeout=WAIT_MS)
    panel.close()
    assert files(clip) == ["clip.wav"]
