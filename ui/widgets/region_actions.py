"""What keys do in the view of the sound."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt6.QtWidgets import QWidget

from engine.types import TimeSpan
from ui.model.display import Shown, Snap
from ui.model.keys import ActionInfo
from ui.model.region import RegionModel
from ui.widgets.actions import Actions

CONTEXT = "region"
_ZOOM = 1.5
_SCROLL = 0.2
_BAND_SCROLL = 0.15
_CURSOR_STEP = 0.01
_ICONS = {
    "zoom_in": "magnify-plus-outline",
    "zoom_out": "magnify-minus-outline",
    "all": "arrow-expand-horizontal",
}


class RegionActions:
    """Makes the actions of the view; they count while it has the focus."""

    def __init__(self, model: RegionModel, actions: Actions, owner: QWidget) -> None:
        self._model = model
        self._actions = actions
        self._owner = owner
        self._add_views()
        self._add_bands()
        self._add_selections()
        self._add_kinds()

    def _add(self, name: str, text: str, keys: tuple[str, ...], done: Callable[[], object]) -> None:
        info = ActionInfo(
            name=f"{CONTEXT}.{name}", text=text, group=self._owner.tr("View"), keys=keys, context=CONTEXT
        )
        self._actions.add(info, done, self._owner, icon_name=_ICONS.get(name, ""))

    def _add_views(self) -> None:
        model, tr = self._model, self._owner.tr
        self._add("zoom_in", tr("Zoom in"), ("+", "="), lambda: model.zoom(_ZOOM, model.cursor_s))
        self._add("zoom_out", tr("Zoom out"), ("-",), lambda: model.zoom(1 / _ZOOM, model.cursor_s))
        self._add("all", tr("See everything"), ("Z",), self._see_all)
        self._add("span", tr("See the selection"), ("Shift+Z",), self._see_selection)
        self._add("left", tr("Scroll left"), ("Left",), partial(self._scroll, -_SCROLL))
        self._add("right", tr("Scroll right"), ("Right",), partial(self._scroll, _SCROLL))
        self._add("home", tr("Go to the beginning"), ("Home",), lambda: model.scroll(-model.duration_s))
        self._add("end", tr("Go to the end"), ("End",), lambda: model.scroll(model.duration_s))

    def _add_bands(self) -> None:
        model, tr = self._model, self._owner.tr
        self._add(
            "band_in", tr("Zoom into frequencies"), ("Ctrl++", "Ctrl+="), lambda: model.zoom_band(_ZOOM)
        )
        self._add("band_out", tr("Zoom out of frequencies"), ("Ctrl+-",), lambda: model.zoom_band(1 / _ZOOM))
        self._add("up", tr("Scroll to higher frequencies"), ("Up",), partial(self._scroll_band, _BAND_SCROLL))
        self._add(
            "down", tr("Scroll to lower frequencies"), ("Down",), partial(self._scroll_band, -_BAND_SCROLL)
        )

    def _add_selections(self) -> None:
        model, tr = self._model, self._owner.tr
        self._add("select_all", tr("Select everything"), ("Ctrl+A",), self._select_all)
        self._add("select_none", tr("Select nothing"), ("Escape",), lambda: model.select(None))
        self._add("cursor_left", tr("Move the cursor left"), ("Ctrl+Left",), partial(self._step, -1))
        self._add("cursor_right", tr("Move the cursor right"), ("Ctrl+Right",), partial(self._step, 1))
        self._add(
            "from_cursor", tr("Select from the cursor"), ("[",), partial(self._select_edge, is_end=False)
        )
        self._add("to_cursor", tr("Select to the cursor"), ("]",), partial(self._select_edge, is_end=True))

    def _add_kinds(self) -> None:
        model, tr = self._model, self._owner.tr
        texts = {
            Shown.ORIGINAL: (tr("Original"), "Shift+A"),
            Shown.TAKE: (tr("Take"), "Shift+B"),
            Shown.DIFFERENCE: (tr("Difference"), "Shift+D"),
        }
        for shown, (text, keys) in texts.items():
            self._add(shown.value, text, (keys,), partial(model.show_as, shown))
        self._add("snap", tr("Next snap"), ("Shift+S",), self._next_snap)
        self._add("grid", tr("The model's grid"), ("Shift+G",), self._toggle_grid)
        self._actions[f"{CONTEXT}.grid"].setCheckable(True)

    def _see_all(self) -> None:
        self._model.show_all()
        self._model.show_band(0.0, 1.0)

    def _see_selection(self) -> None:
        if self._model.span is not None:
            self._model.show(self._model.span)

    def _scroll(self, share: float) -> None:
        self._model.scroll(share * self._model.view.duration_s)

    def _scroll_band(self, share: float) -> None:
        low, high = self._model.band
        self._model.show_band(low + share * (high - low), high - low)

    def _select_all(self) -> None:
        self._model.select(TimeSpan(start_s=0.0, end_s=self._model.duration_s))

    def _step(self, direction: int) -> None:
        """Move the cursor to the next line it snaps to, or by a hundredth of what is seen."""
        model = self._model
        time_s = model.view.start_s if model.cursor_s is None else model.cursor_s
        step_s = model.view.duration_s * _CURSOR_STEP
        if model.snap is Snap.BEATS and model.beats is not None:
            step_s = model.snap_step_beats * model.beats.beat_s
        time_s = min(max(model.snapped(time_s + direction * step_s), 0.0), model.duration_s)
        if not model.view.start_s <= time_s <= model.view.end_s:
            model.scroll(direction * model.view.duration_s / 2)
        model.point(time_s, model.cursor_hz)

    def _select_edge(self, *, is_end: bool) -> None:
        model = self._model
        time_s = model.playhead_s if model.cursor_s is None else model.cursor_s
        if time_s is None:
            return
        time_s = model.snapped(time_s)
        span = model.span or TimeSpan(start_s=0.0, end_s=model.duration_s)
        fixed_s = span.start_s if is_end else span.end_s
        model.select_between(fixed_s, time_s)

    def _next_snap(self) -> None:
        kinds = list(Snap)
        self._model.set_snap(kinds[(kinds.index(self._model.snap) + 1) % len(kinds)])

    def _toggle_grid(self) -> None:
        if self._model.model_grid is not None:
            self._model.change_display(is_grid_shown=not self._model.display.is_grid_shown)
