"""Level meters: the peak held, the peak and the root mean square of left and right."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from ui.look.scale import Size, Space
from ui.look.theme import colours, look
from ui.model.hearing import Hearing
from ui.model.meter import FLOOR_DB, MeterView

# From where on a peak is close to clipping.
WARN_DB = -6.0
_HOLD_PX = 2


class LevelMeter(QWidget):
    """Shows levels from -60 dB to full scale; a press forgets a clip."""

    def __init__(self, hearing: Hearing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("levels")
        self.setAccessibleName(self.tr("Levels"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._hearing = hearing
        self._view = MeterView()
        hearing.moved.connect(self._follow)
        look().changed.connect(self.update)
        self._describe()

    def sizeHint(self) -> QSize:
        return QSize(6 * Size.MAIN_CONTROL, Size.CONTROL)

    def minimumSizeHint(self) -> QSize:
        return QSize(Size.MAIN_CONTROL, Size.CONTROL)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        del event
        self._hearing.forget_clip()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        del event
        painter = QPainter(self)
        height = (self.height() - 3 * Space.TIGHT) / 2
        for channel in (0, 1):
            top = Space.TIGHT + channel * (height + Space.TIGHT)
            self._paint_bar(painter, QRectF(0.0, top, self.width() - Size.ICON, height), channel)
        self._paint_clip(painter)

    def _paint_bar(self, painter: QPainter, bar: QRectF, channel: int) -> None:
        now = colours()
        peak_db, rms_db, held_db = (
            pair[channel] for pair in (self._view.peak_db, self._view.rms_db, self._view.held_db)
        )
        painter.fillRect(bar, QColor(now.line))
        faint = QColor(_colour(peak_db))
        faint.setAlphaF(0.5)
        painter.fillRect(_part(bar, peak_db), faint)
        painter.fillRect(_part(bar, rms_db), QColor(_colour(rms_db)))
        if held_db > FLOOR_DB:
            right = _part(bar, held_db).right()
            painter.fillRect(
                QRectF(right - _HOLD_PX, bar.top(), _HOLD_PX, bar.height()), QColor(_colour(held_db))
            )

    def _paint_clip(self, painter: QPainter) -> None:
        side = Size.ICON - Space.TIGHT
        light = QRectF(self.width() - side, Space.TIGHT, side, self.height() - 2 * Space.TIGHT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor(colours().bad if self._view.has_clipped else colours().line))
        painter.drawRoundedRect(light, Space.HAIR, Space.HAIR)

    def _follow(self) -> None:
        view = self._hearing.meter()
        if view == self._view:
            return
        had_clipped, self._view = self._view.has_clipped, view
        if had_clipped != view.has_clipped:
            self._describe()
        self.update()

    def _describe(self) -> None:
        clipped = self.tr("It has clipped; press to forget that.")
        told = clipped if self._view.has_clipped else self.tr("Levels of left and right, to full scale.")
        self.setToolTip(told)
        self.setAccessibleDescription(told)


def _part(bar: QRectF, level_db: float) -> QRectF:
    share = min(1.0, max(0.0, 1.0 - level_db / FLOOR_DB))
    return QRectF(bar.left(), bar.top(), bar.width() * share, bar.height())


def _colour(level_db: float) -> str:
    now = colours()
    if level_db >= 0.0:
        return now.bad
    return now.warn if level_db >= WARN_DB else now.good
