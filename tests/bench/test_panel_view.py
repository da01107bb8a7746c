"""The view of a file of an hour: does the window ever wait, and how much memory does it take."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.types import TimeSpan
from tests.bench.report import Report, Row
from ui.model.display import Snap
from ui.model.keys import KeyMap
from ui.model.region import RegionModel
from ui.model.store import Store
from ui.widgets.actions import Actions
from ui.widgets.region_view import RegionView

HOUR_S, RATE_HZ = 3600, 48_000
STEPS = 900
GAP_GOAL_MS, MEMORY_GOAL_MB = 50.0, 200.0

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="reads how long a thread waited as Linux gives it"
)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an hour of stereo: ten seconds over and over."""
    path = tmp_path_factory.mktemp("hour") / "hour.wav"
    fading = np.linspace(0.3, 0.03, 10 * RATE_HZ)[:, None]
    block_SN = (np.random.default_rng(0).standard_normal((10 * RATE_HZ, 2)) * fading).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE_HZ, 2, "PCM_16") as file:
        for _ in range(HOUR_S // 10):
            file.write(block_SN)
    return path


@pytest.fixture
def view(qtbot: QtBot, tmp_path: Path) -> Iterator[RegionView]:
    model = RegionModel()
    view = RegionView(model, Actions(KeyMap(Store(tmp_path / "panel.json"))))
    qtbot.addWidget(view)
    view.resize(1400, 900)
    view.show()
    qtbot.waitExposed(view)
    yield view
    model.close()


def waited_ms() -> float:
    """Return how long this thread could have run, but others did."""
    text = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text(encoding="ascii")
    return int(text.split()[1]) / 1e6


@dataclass
class Gaps:
    """How long the event loop was away, each time; of that, how long others had the processor."""

    gaps_ms: list[float] = field(default_factory=list)
    own_ms: list[float] = field(default_factory=list)
    _clock: float = field(default_factory=time.perf_counter)
    _waited_ms: float = field(default_factory=waited_ms)

    def beat(self) -> None:
        clock, waited = time.perf_counter(), waited_ms()
        gap_ms = 1000.0 * (clock - self._clock)
        self.gaps_ms.append(gap_ms)
        self.own_ms.append(max(0.0, gap_ms - (waited - self._waited_ms)))
        self._clock, self._waited_ms = clock, waited


def scroll_and_zoom(model: RegionModel, step: int) -> None:
    """Do what a hand does in a sixtieth of a second: scroll, zoom in and out, jump elsewhere, point."""
    rng = np.random.default_rng(step)
    if step % 100 == 0:
        start_s = float(rng.uniform(0.0, HOUR_S - 600.0))
        model.show(TimeSpan(start_s=start_s, end_s=start_s + float(rng.uniform(1.0, 600.0))))
    match step % 8:
        case 0 | 1 | 2 | 3:
            model.scroll(0.08 * model.view.duration_s)
        case 4 | 5:
            model.zoom(1.25, model.view.start_s + 0.3 * model.view.duration_s)
        case 6:
            model.zoom(0.7)
        case _:
            model.point(model.view.start_s + float(rng.uniform()) * model.view.duration_s, 1000.0)


def until(is_true: Callable[[], bool], limit_s: float = 120.0) -> float:
    """Let events happen until something is true, and return how many seconds it took."""
    started = time.perf_counter()
    while not is_true():
        QApplication.processEvents()
        assert time.perf_counter() - started < limit_s
    return time.perf_counter() - started


def test_an_hour_is_open_and_seen_at_once(view: RegionView, hour: Path, report: Report) -> None:
    model = view.model
    model.open(str(hour))
    opened_s = until(lambda: model.facts is not None)
    seen_s = opened_s + until(lambda: len(model.pictures.spectrogram()) > 0)
    report.add(Row(what="an hour: facts there", ours=1000 * opened_s, unit="ms"))
    report.add(Row(what="an hour: first tile of the spectrogram", ours=1000 * seen_s, unit="ms"))
    complete_s = seen_s + until(lambda: model.pictures.is_complete)
    report.add(Row(what="an hour: all peaks and tiles of the whole", ours=complete_s, unit="s"))


def test_scrolling_an_hour_never_waits(view: RegionView, hour: Path, report: Report) -> None:
    model, process = view.model, psutil.Process()
    before_bytes = process.memory_info().rss
    model.open(str(hour))
    until(lambda: model.facts is not None)
    model.set_snap(Snap.TRANSIENTS)
    gaps, heart = Gaps(), QTimer()
    heart.setInterval(1)
    heart.timeout.connect(gaps.beat)
    heart.start()
    largest_bytes = 0
    for step in range(STEPS):
        scroll_and_zoom(model, step)
        due = time.perf_counter() + 1 / 60
        until(lambda due=due: time.perf_counter() >= due)  # type: ignore[misc]
        largest_bytes = max(largest_bytes, process.memory_info().rss)
    heart.stop()
    wall_ms, own_ms = (float(np.percentile(times, 99.9)) for times in (gaps.gaps_ms, gaps.own_ms))
    note = (
        f"{wall_ms:.0f} ms by the clock, longest {max(gaps.gaps_ms):.0f}; without what others ran meanwhile"
    )
    report.add(
        Row(what="hour scrolled: event loop away, p99.9", ours=own_ms, unit="ms", goal=GAP_GOAL_MS, note=note)
    )
    added_mb = (largest_bytes - before_bytes) / 1e6
    kept = f"tiles and peaks {model.pictures.nbytes / 1e6:.0f}"
    report.add(
        Row(what="hour scrolled: memory added", ours=added_mb, unit="MB", goal=MEMORY_GOAL_MB, note=kept)
    )
