"""Rows of two lines with an icon, drawn and not made of widgets, so that ten thousand of them scroll."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PyQt6.QtCore import QModelIndex, QPoint, QRect, QSize, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPixmap
from PyQt6.QtWidgets import QAbstractItemView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ui.look.scale import Size, Space, Type, font
from ui.look.theme import colours, icon, look

_CHOSEN_ALPHA = 46
_BAR_PX = Space.TIGHT
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What a row says; kind is of the second line as of labels, mark is a second icon."""

    icon: str
    title: str
    right: str = ""
    below: str = ""
    kind: str = "faint"
    fraction: float | None = None
    mark: str = ""


class TwoLineDelegate(QStyledItemDelegate):
    """Draws rows of a view; subclasses say what stands in each."""

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._view = view
        self._pixmaps: dict[tuple[str, str, float], QPixmap] = {}
        look().changed.connect(self._repaint)

    def lines(self, index: QModelIndex) -> Lines | None:
        """Return what stands in a row; None for one that is gone."""
        raise NotImplementedError

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        first, second = QFontMetrics(font()), QFontMetrics(font(Type.SMALL))
        height = first.height() + second.height() + _BAR_PX + 3 * Space.TIGHT
        return QSize(20 * first.averageCharWidth(), height)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        lines = self.lines(index)
        if painter is None or lines is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, option)
        inner = option.rect.adjusted(Space.SMALL, Space.TIGHT, -Space.SMALL, -Space.TIGHT)
        middle_px = inner.top() + (inner.height() - _BAR_PX) // 2
        self._paint_icon(painter, lines.icon, QPoint(inner.left(), middle_px - Size.ICON // 2))
        inner.setLeft(inner.left() + Size.ICON + Space.SMALL)
        self._paint_lines(painter, inner, lines)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        is_chosen = option.state & QStyle.StateFlag.State_Selected
        if not is_chosen and not option.state & QStyle.StateFlag.State_MouseOver:
            return
        painter.fillRect(option.rect, tint(1.0 if is_chosen else 1 / 3))
        if is_chosen:
            painter.fillRect(
                QRect(option.rect.topLeft(), QSize(3, option.rect.height())), QColor(colours().accent)
            )

    def _paint_lines(self, painter: QPainter, inner: QRect, lines: Lines) -> None:
        first_px, second_px = QFontMetrics(font()).height(), QFontMetrics(font(Type.SMALL)).height()
        first = QRect(inner.left(), inner.top(), inner.width(), first_px)
        if lines.mark:
            self._paint_icon(painter, lines.mark, QPoint(first.right() - Size.ICON, first.top()))
            first.setRight(first.right() - Size.ICON - Space.TIGHT)
        first.setRight(first.right() - _text(painter, first, lines.right, "faint", _RIGHT))
        _text(painter, first, lines.title, "text", _LEFT)
        second = QRect(inner.left(), first.bottom() + 1, inner.width(), second_px)
        _text(painter, second, lines.below, lines.kind, _LEFT, Type.SMALL)
        if lines.fraction is not None:
            bar = QRect(inner.left(), second.bottom() + Space.HAIR, inner.width(), _BAR_PX)
            _bar(painter, bar, lines.fraction)

    def _paint_icon(self, painter: QPainter, name: str, corner: QPoint) -> None:
        ratio = self._view.devicePixelRatioF()
        key = (name, colours().text, ratio)
        if key not in self._pixmaps:
            self._pixmaps[key] = icon(name).pixmap(QSize(Size.ICON, Size.ICON), ratio)
        painter.drawPixmap(corner, self._pixmaps[key])

    def _repaint(self) -> None:
        self._pixmaps.clear()
        if (port := self._view.viewport()) is not None:
            port.update()


def tint(share: float = 1.0) -> QColor:
    """Return the ground of what is chosen; it lets through what is below."""
    ground = QColor(colours().accent)
    ground.setAlpha(round(_CHOSEN_ALPHA * share))
    return ground


def paint_hint(view: QAbstractItemView, text: str) -> None:
    """Write in the middle of a view why there is nothing in it; for its paintEvent."""
    port = view.viewport()
    if port is None:
        return
    painter = QPainter(port)
    painter.setPen(QColor(colours().faint))
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    inner = port.rect().adjusted(Space.LARGE, Space.LARGE, -Space.LARGE, -Space.LARGE)
    painter.drawText(inner, int(flags), text)
    painter.end()


def _text(painter: QPainter, place: QRect, text: str, kind: str, side: Any, step: Type = Type.BODY) -> int:
    """Draw text, cut where it is too long; return how much of the width it took."""
    if not text:
        return 0
    face: QFont = font(step)
    painter.setFont(face)
    painter.setPen(QColor(getattr(colours(), kind)))
    metrics = QFontMetrics(face)
    cut = metrics.elidedText(text.replace("\n", " "), Qt.TextElideMode.ElideRight, place.width())
    painter.drawText(place, int(side), cut)
    return metrics.horizontalAdvance(cut) + Space.SMALL


def _bar(painter: QPainter, place: QRect, fraction: float) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colours().line))
    painter.drawRoundedRect(place, _BAR_PX / 2, _BAR_PX / 2)
    done = QRect(place)
    done.setWidth(round(place.width() * min(max(fraction, 0.0), 1.0)))
    if done.width() > 0:
        painter.setBrush(QColor(colours().accent))
        painter.drawRoundedRect(done, _BAR_PX / 2, _BAR_PX / 2)
