"""The mask on a spectrogram: shown, drawn with the pointer, and moved with the keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from PyQt6 import sip
from PyQt6.QtCore import QEvent, QPointF, QRectF, Qt, pyqtBoundSignal, pyqtSignal
from PyQt6.QtGui import QColor, QFocusEvent, QKeyEvent, QPainter
from PyQt6.QtWidgets import (
    QGraphicsObject,
    QGraphicsSceneHoverEvent,
    QGraphicsSceneMouseEvent,
    QGraphicsSceneWheelEvent,
    QStyleOptionGraphicsItem,
    QWidget,
)

from engine.types import BrushShape, MaskOp, PolygonShape, RectShape, Shape, TimeSpan
from ui.background import Background
from ui.model.harmonics import Drawn
from ui.model.mask_cells import MaskCells
from ui.model.mask_drawing import Drawing, Lens, Setting, Stroke, drawing_of, harmonics_of
from ui.model.mask_edit import MaskEdit
from ui.model.mask_handling import Edge, Grip, edges_at, nudged, sized
from ui.model.mask_pen import PenModel, Tool
from ui.model.mask_shapes import Bounds, Point, bounds_of, edges_of, opposite
from ui.sound.scales import FrequencyScale
from ui.widgets.mask_live import LiveStroke
from ui.widgets.mask_marks import INK, paint_cells, paint_chosen, paint_course, paint_image, paint_outlines
from ui.widgets.mask_picture import Picture, PicturePainter, Wish, overscanned

OVERSCAN = 0.25
MOST_PX = 1_000_000
KEY_STEP_PX, KEY_FINE_PX = 8.0, 1.0
_LIVE_ALPHA = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointed:
    """Where the pointer or the shape that is drawn is, for a readout."""

    time_s: float
    freq_hz: float
    bounds: Bounds | None = None


class Box(Protocol):
    """What the layer needs of a pyqtgraph.ViewBox."""

    sigRangeChanged: pyqtBoundSignal
    sigResized: pyqtBoundSignal

    def addItem(self, item: Any, ignoreBounds: bool = False) -> None: ...
    def viewRange(self) -> list[list[float]]: ...
    def viewRect(self) -> QRectF: ...
    def width(self) -> float: ...
    def height(self) -> float: ...


class MaskLayer(QGraphicsObject):
    """Shows a mask over a view box in seconds and parts of the frequency axis, and lets it be drawn.

    snapped says where a time snaps to. With the hand, presses beside all shapes go on to what lies below.
    """

    pointed = pyqtSignal(object)
    painted = pyqtSignal()

    def __init__(
        self,
        view_box: Box,
        scale: FrequencyScale,
        edit: MaskEdit,
        pen: PenModel,
        cells: MaskCells,
        background: Background,
        *,
        snapped: Callable[[float], float] = lambda time_s: time_s,
    ) -> None:
        super().__init__()
        self._box, self._scale, self._edit, self._pen, self._cells = view_box, scale, edit, pen, cells
        self._background, self._snapped = background, snapped
        self._painter = PicturePainter()
        self._picture: Picture | None = None
        self._wish: Wish | None = None
        self._is_painting = False
        self._drawing: Drawing | None = None
        self._setting: Setting | None = None
        self._grip: Grip | None = None
        self._carried: Drawn | None = None
        self._live: LiveStroke | None = None
        self._pointer: Point | None = None
        self._tip = QRectF()
        self.setObjectName("mask_layer")
        self.setZValue(20)
        self.setAcceptHoverEvents(True)
        self.setAcceptedMouseButtons(Qt.MouseButton.LeftButton)
        self.setFlag(self.GraphicsItemFlag.ItemIsFocusable)
        view_box.addItem(self, ignoreBounds=True)
        self._connect()
        self._choose_cursor()
        self._wish_picture()

    def _connect(self) -> None:
        self._box.sigRangeChanged.connect(self._see_elsewhere)
        self._box.sigResized.connect(self._see_elsewhere)
        self._edit.changed.connect(self._wish_picture)
        self._edit.selection_changed.connect(self.update)
        self._pen.changed.connect(self._choose_cursor)
        self._cells.changed.connect(self.update)

    def set_scale(self, scale: FrequencyScale) -> None:
        """Show frequencies on another axis."""
        self._scale = scale
        self._see_elsewhere()

    @property
    def is_settled(self) -> bool:
        """Tell whether what is shown is the mask as it is."""
        return not self._is_painting and self._picture is not None

    @property
    def lens(self) -> Lens:
        (start_s, end_s), (low_axis, high_axis) = self._box.viewRange()
        return Lens(
            start_s=start_s,
            end_s=end_s,
            low_axis=low_axis,
            high_axis=high_axis,
            width_px=max(1.0, self._box.width()),
            height_px=max(1.0, self._box.height()),
            scale=self._scale,
        )

    def boundingRect(self) -> QRectF:
        return QRectF(self._box.viewRect())

    # What is shown

    def paint(
        self, painter: QPainter | None, option: QStyleOptionGraphicsItem | None, widget: QWidget | None = None
    ) -> None:
        assert painter is not None
        if self._picture is not None:
            paint_image(painter, self._picture.image, self._picture.wish.lens)
        if self._pen.pen.shows_cells and self._cells.counted is not None:
            paint_cells(painter, self._cells.counted, self.lens)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._live is not None:
            self._live.paint(painter)
        self._paint_shapes(painter, self._live_shapes(), _LIVE_ALPHA)
        if self._edit.chosen is not None and self._carried is None:
            paint_chosen(painter, self._edit.chosen, self.lens)
        if self._pointer is not None and self._pen.pen.tool.has_tip:
            self._paint_shapes(painter, self._tips(self._pointer), 0.0)

    def _paint_shapes(self, painter: QPainter, shapes: tuple[Drawn, ...], alpha: float) -> None:
        if shapes and isinstance(shapes[0], PolygonShape):
            paint_course(painter, shapes[0], self._scale, self._op_colour(shapes[0].op))
        elif shapes:
            paint_outlines(painter, shapes, self._scale, self._op_colour(shapes[0].op), alpha)

    def _live_shapes(self) -> tuple[Drawn, ...]:
        """Return what is drawn and not stamped on the live image."""
        if self._carried is not None:
            return (self._carried,)
        if isinstance(self._drawing, Stroke):
            loose = self._drawing.loose_end()
            return (self._drawing.along(loose),) if loose else ()
        return () if self._drawing is None else self._drawing.shapes()

    def _tips(self, point: Point) -> tuple[Shape, ...]:
        pen = self._pen.pen
        setting = self._set(MaskOp.ADD)
        count = harmonics_of(point[1], setting) if pen.tool is Tool.HARMONICS else 1
        return tuple(
            BrushShape(
                points=((point[0], point[1] * number),),
                radius_s=pen.tip_s,
                radius_hz=pen.radius_hz,
                op=pen.op,
            )
            for number in range(1, count + 1)
        )

    def _op_colour(self, op: MaskOp) -> QColor:
        return QColor(INK.mask if op is MaskOp.ADD else INK.text)

    def _see_elsewhere(self) -> None:
        self.prepareGeometryChange()
        self._wish_picture()

    def _wish_picture(self) -> None:
        """Ask for a picture of what is to be seen now; what was asked for before it is no longer painted."""
        lens = overscanned(self.lens, OVERSCAN, MOST_PX)
        self._wish = Wish(state=self._edit.state, lens=lens, colour=INK.mask)
        self._paint_wish()

    def _paint_wish(self) -> None:
        if self._is_painting or self._wish is None:
            return
        wish, self._wish, self._is_painting = self._wish, None, True
        self._background.run(lambda: self._painter.painted(wish), self._show, self._fail, priority=1)

    def _show(self, picture: Picture) -> None:
        if sip.isdeleted(self):
            # The window was closed meanwhile.
            return
        self._is_painting = False
        self._picture = picture
        if self._drawing is None and self._wish is None:
            self._live = None
        self.update()
        self._paint_wish()
        if not self._is_painting:
            self.painted.emit()

    def _fail(self, error: Exception) -> None:
        self._is_painting = False
        raise error

    def _choose_cursor(self) -> None:
        is_hand = self._pen.pen.tool is Tool.HAND
        self.setCursor(Qt.CursorShape.ArrowCursor if is_hand else Qt.CursorShape.CrossCursor)
        self.update()

    # The pointer

    def mousePressEvent(self, event: QGraphicsSceneMouseEvent | None) -> None:
        assert event is not None
        point = self._point(event.pos())
        if self._pen.pen.tool is Tool.HAND:
            self._take(point, event)
            return
        self._setting = self._set(self._op(event.modifiers()))
        self._drawing = drawing_of(self._setting, point)
        self._live = LiveStroke(self.lens, self._op_colour(self._setting.op))
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._follow()
        event.accept()

    def mouseMoveEvent(self, event: QGraphicsSceneMouseEvent | None) -> None:
        assert event is not None
        point, is_constrained = self._point(event.pos()), _is_shift(event.modifiers())
        self._pointer = point
        if self._drawing is not None:
            self._drawing.go(point, is_constrained=is_constrained)
            self._follow()
        elif self._grip is not None and self._setting is not None:
            self._carried = self._grip.carried(point, self._setting, is_constrained=is_constrained)
            self._tell(point, self._carried)
            self.update()

    def mouseReleaseEvent(self, event: QGraphicsSceneMouseEvent | None) -> None:
        assert event is not None
        drawing, grip, carried = self._drawing, self._grip, self._carried
        self._drawing = self._grip = self._carried = None
        if drawing is not None:
            self._keep(drawing)
        elif grip is not None and carried is not None:
            name = self.tr("Resize shape") if grip.edges else self.tr("Move shape")
            self._edit.replace(grip.index, carried, name)
        self.update()

    def hoverMoveEvent(self, event: QGraphicsSceneHoverEvent | None) -> None:
        assert event is not None
        self._pointer = self._point(event.pos())
        self._tell(self._pointer, None)
        if self._pen.pen.tool is Tool.HAND:
            self.setCursor(self._hand_cursor(self._pointer))
        elif self._pen.pen.tool.has_tip:
            self.update()

    def hoverLeaveEvent(self, event: QGraphicsSceneHoverEvent | None) -> None:
        self._pointer = None
        self.update()

    def wheelEvent(self, event: QGraphicsSceneWheelEvent | None) -> None:
        assert event is not None
        is_tip = self._pen.pen.tool.has_tip and _is_shift(event.modifiers())
        if is_tip:
            self._pen.resize(1.1 if event.delta() > 0 else 1 / 1.1)
        # While something is drawn, the view stays.
        event.setAccepted(is_tip or self._drawing is not None or self._grip is not None)

    def _take(self, point: Point, event: QGraphicsSceneMouseEvent) -> None:
        """Choose what is under the pointer, and hold it."""
        self._setting = self._set(MaskOp.ADD)
        edges, index = self._edges_of_chosen(point), self._edit.index_at(*point)
        if edges:
            index = self._edit.selected
        self._edit.select(index)
        if index is None:
            event.ignore()
            return
        self._grip = Grip(index=index, shape=self._edit.shapes[index], at=point, edges=edges)
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        event.accept()

    def _edges_of_chosen(self, point: Point) -> Edge:
        chosen = self._edit.chosen
        return Edge.NONE if chosen is None else edges_at(chosen, point, self._set(MaskOp.ADD))

    def _hand_cursor(self, point: Point) -> Qt.CursorShape:
        edges = self._edges_of_chosen(point)
        if edges:
            return _EDGE_CURSORS.get(edges, Qt.CursorShape.SizeAllCursor)
        is_over = self._edit.index_at(*point) is not None
        return Qt.CursorShape.SizeAllCursor if is_over else Qt.CursorShape.ArrowCursor

    def _follow(self) -> None:
        """Show what the pointer has drawn since it was last followed."""
        assert self._drawing is not None and self._setting is not None
        fresh: tuple[Shape, ...] = ()
        if isinstance(self._drawing, Stroke) and self._live is not None:
            fresh = self._live.grow(self._drawing)
        shapes = self._drawing.shapes()
        point = self._pointer or (0.0, 0.0)
        self._tell(point, shapes[0] if shapes else None)
        self._cells.show(shapes)
        self._update_around(fresh)

    def _update_around(self, fresh: tuple[Shape, ...]) -> None:
        """Paint what is new of a stroke and its tip; all where the stroke is not all there is to see."""
        former, self._tip = self._tip, QRectF()
        if not fresh or self._live_shapes() or self._pointer is None:
            self.update()
            return
        self._tip = self._around(self._tips(self._pointer))
        self.update(former.united(self._tip).united(self._around(fresh)))

    def _around(self, shapes: tuple[Shape, ...]) -> QRectF:
        """Return a rectangle around shapes, with room for their lines."""
        lens, found = self.lens, [bounds_of(shape) for shape in shapes]
        room_s, room_axis = 3 * lens.seconds_per_px, 3 * lens.axis_per_px
        start_s, end_s = min(one.start_s for one in found), max(one.end_s for one in found)
        low = self._scale.to_axis(min(one.low_hz for one in found))
        high = self._scale.to_axis(max(one.high_hz or self._scale.top_hz for one in found))
        area = QRectF(start_s, low, end_s - start_s, high - low)
        return area.adjusted(-room_s, -room_axis, room_s, room_axis)

    def _keep(self, drawing: Drawing) -> None:
        """Add what was drawn to the mask."""
        self._edit.select(None)
        shapes = drawing.shapes()
        name = self._name_of(shapes)
        if not shapes or not self._edit.add(shapes, name, drawing.shapes):
            self._live = None
            self._cells.show(())
        elif isinstance(shapes[0], RectShape):
            self._edit.select(len(self._edit.shapes) - 1)

    def _name_of(self, shapes: tuple[Drawn, ...]) -> str:
        if shapes and shapes[0].op is MaskOp.SUBTRACT:
            return self.tr("Erase")
        names = {
            Tool.RECT: self.tr("Draw rectangle"),
            Tool.LASSO: self.tr("Draw lasso"),
            Tool.BRUSH: self.tr("Paint"),
            Tool.HARMONICS: self.tr("Paint harmonics"),
            Tool.TIME: self.tr("Select time"),
            Tool.BAND: self.tr("Select band"),
        }
        return names[self._pen.pen.tool]

    def _tell(self, point: Point, shape: Drawn | None) -> None:
        bounds = None if shape is None else edges_of(shape)
        self.pointed.emit(Pointed(time_s=point[0], freq_hz=point[1], bounds=bounds))

    def _point(self, place: QPointF) -> Point:
        return place.x(), self._scale.to_hz(place.y())

    def _op(self, modifiers: Qt.KeyboardModifier) -> MaskOp:
        op = self._pen.pen.op
        return opposite(op) if modifiers & Qt.KeyboardModifier.AltModifier else op

    def _set(self, op: MaskOp) -> Setting:
        return Setting(
            pen=self._pen.pen, lens=self.lens, extent=self._edit.extent, op=op, snapped=self._snapped
        )

    # The keys

    def sceneEvent(self, event: QEvent | None) -> bool:
        is_asked = event is not None and event.type() == QEvent.Type.ShortcutOverride
        if is_asked and isinstance(event, QKeyEvent) and self._has_use_for(event):
            # Else the view's own shortcuts would take the arrows.
            event.accept()
            return True
        return super().sceneEvent(event)

    def _has_use_for(self, event: QKeyEvent) -> bool:
        is_busy = self._drawing is not None or self._grip is not None
        if event.key() == Qt.Key.Key_Escape:
            return is_busy or self._edit.chosen is not None
        return self._edit.chosen is not None and event.key() in (*_ARROWS, *_DELETING)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        event.setAccepted(self._press(event))

    def keyReleaseEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        if not event.isAutoRepeat():
            self._edit.part()
        event.ignore()

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        self.update()

    def draw_by_keys(self) -> None:
        """Put a rectangle amid what is seen, to be moved and sized with the arrow keys."""
        lens, extent = self.lens, self._edit.extent
        middle, quarter = 0.5 * (lens.low_axis + lens.high_axis), 0.125 * (lens.high_axis - lens.low_axis)
        start_s, end_s = max(0.0, lens.start_s), min(extent.duration_s, lens.end_s)
        if end_s <= start_s:
            return
        span = TimeSpan(
            start_s=start_s + 0.375 * (end_s - start_s), end_s=start_s + 0.625 * (end_s - start_s)
        )
        low_hz, high_hz = self._scale.to_hz(middle - quarter), self._scale.to_hz(middle + quarter)
        shape = RectShape(span=span, low_hz=round(low_hz, 2), high_hz=round(high_hz, 2), op=self._pen.pen.op)
        if self._edit.add((shape,), self.tr("Draw rectangle")):
            self._edit.select(len(self._edit.shapes) - 1)
            self.take_keys()

    def take_keys(self) -> None:
        """Let keys come here: the view that shows the mask gets the focus."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        scene = self.scene()
        for view in scene.views() if scene is not None else ():
            view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _press(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key == Qt.Key.Key_Escape:
            return self._call_off()
        if self._edit.chosen is None:
            return False
        if key in _DELETING:
            assert self._edit.selected is not None
            return self._edit.remove(self._edit.selected)
        across, up = _ARROWS.get(Qt.Key(key), (0, 0))
        if not across and not up:
            return False
        step_px = KEY_FINE_PX if event.modifiers() & Qt.KeyboardModifier.ControlModifier else KEY_STEP_PX
        self._nudge(across * step_px, up * step_px, is_sizing=_is_shift(event.modifiers()))
        return True

    def _call_off(self) -> bool:
        """Stop drawing and keep nothing, or let go of the chosen shape."""
        is_any = self._drawing is not None or self._grip is not None or self._edit.selected is not None
        if self._drawing is None and self._grip is None:
            self._edit.select(None)
        self._drawing = self._grip = self._carried = self._live = None
        self._cells.show(())
        self.update()
        return is_any

    def _nudge(self, across_px: float, up_px: float, *, is_sizing: bool) -> None:
        chosen, index = self._edit.chosen, self._edit.selected
        assert chosen is not None and index is not None
        setting = self._set(MaskOp.ADD)
        if is_sizing:
            shape = sized(chosen, across_px, up_px, setting)
            self._edit.replace(index, shape, self.tr("Resize shape"), "size")
        else:
            shape = nudged(chosen, across_px, up_px, setting)
            self._edit.replace(index, shape, self.tr("Move shape"), "move")
        bounds = edges_of(shape)
        self._tell((bounds.start_s, bounds.low_hz), shape)


def _is_shift(modifiers: Qt.KeyboardModifier) -> bool:
    return bool(modifiers & Qt.KeyboardModifier.ShiftModifier)


_DELETING = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
_EDGE_CURSORS = {
    Edge.START: Qt.CursorShape.SizeHorCursor,
    Edge.END: Qt.CursorShape.SizeHorCursor,
    Edge.LOW: Qt.CursorShape.SizeVerCursor,
    Edge.HIGH: Qt.CursorShape.SizeVerCursor,
    Edge.START | Edge.HIGH: Qt.CursorShape.SizeFDiagCursor,
    Edge.END | Edge.LOW: Qt.CursorShape.SizeFDiagCursor,
    Edge.START | Edge.LOW: Qt.CursorShape.SizeBDiagCursor,
    Edge.END | Edge.HIGH: Qt.CursorShape.SizeBDiagCursor,
}
