"""The main window: what is seen, what is said, what is heard, what is done."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QByteArray, QSize, Qt
from PyQt6.QtGui import QCloseEvent, QKeyEvent, QScreen
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QMainWindow,
    QSplitter,
    QStatusBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from engine.types import ErrorInfo, Task
from ui.connection.line import GONE
from ui.look.scale import Space
from ui.model.incoming import Recipe
from ui.model.panel_models import PanelModels
from ui.widgets.actions import Actions
from ui.widgets.apply_bar import ApplyBar
from ui.widgets.dropping import DropTarget
from ui.widgets.engine_chip import EngineChip
from ui.widgets.history_view import HistoryView
from ui.widgets.job_bar import JobBar
from ui.widgets.mask_layer import MaskLayer
from ui.widgets.mask_list import MaskList
from ui.widgets.mask_tools import MaskTools
from ui.widgets.menus import Menus
from ui.widgets.message_bar import MessageBar
from ui.widgets.plain_keys import plain_action
from ui.widgets.preview_bar import PreviewBar
from ui.widgets.queue_view import QueueView
from ui.widgets.region_view import RegionView
from ui.widgets.say.panel import SayModels, SayPanel
from ui.widgets.send_back import SendBackBar
from ui.widgets.sound_chip import SoundChip
from ui.widgets.takes_list import TakesList
from ui.widgets.transport import Transport
from ui.widgets.welcome import Welcome

_SMALLEST = (800, 600)
_FIRST, _SHARE = (1400, 900), 0.92
# How the sound and the lists share a height that changes.
_SHARES = (3, 1)
_LISTS_SHARE = 0.29
# So much that something can be seen and painted.
_LEAST_VIEW_PX = 180


class Window(QMainWindow):
    """Puts the parts side by side and keeps how the user has arranged them."""

    def __init__(self, models: PanelModels) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setWindowTitle("DAW Bridge")
        self.setMinimumSize(*_SMALLEST)
        self.models = models
        self._is_told_of_engine = False
        self.actions_made = Actions(models.keys, self)
        self._make_parts()
        self._lay_out()
        self._connect()
        self.menus = Menus(self, models, self.actions_made, self.go_to)
        self.welcome.open_wanted.connect(self.menus.open)
        self.welcome.checkup_wanted.connect(self.menus.check_up)
        DropTarget(self, models.incoming)
        self._restore()
        self._show_task()

    def _make_parts(self) -> None:
        models, actions = self.models, self.actions_made
        studio = models.studio
        self.view = RegionView(studio.region, actions)
        self.layer = MaskLayer(
            self.view.spectrogram_box,
            self.view.scale,
            studio.mask,
            studio.pen,
            studio.cells,
            studio.background,
            snapped=studio.region.snapped,
        )
        self.tools = MaskTools(studio.mask, studio.pen, self.layer, studio.cells, actions)
        self.tools.attach(self.view)
        self.transport = Transport(studio.hearing, actions)
        self.say = SayPanel(
            SayModels(
                draft=models.draft,
                prompts=models.prompts,
                presets=models.presets,
                chains=models.chains,
                models=models.models,
            ),
            actions,
            models.store,
        )
        self.takes = TakesList(studio.takes, studio.hearing, actions)
        self.takes.set_prompt_of(lambda job_id: row.prompt if (row := models.jobs.job(job_id)) else "")
        self.preview = PreviewBar(studio.previews, studio.hearing, actions)
        self.send_back = SendBackBar(models.sending, actions)
        self.job = JobBar(models.link, models.jobs, studio.takes, actions)
        self.queue = QueueView(models.jobs, actions)
        self.history = HistoryView(models.history, actions)
        self.shapes = MaskList(studio.mask)
        self.messages = MessageBar()
        self.welcome = Welcome(models)

    def _lay_out(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setObjectName("lists")
        takes = _column(self.job, self.preview, self.takes, self.send_back, main=self.takes)
        for widget, text in (
            (takes, self.tr("&Takes")),
            (self.queue, self.tr("&Queue")),
            (self.history, self.tr("Hi&story")),
            (self.shapes, self.tr("&Mask")),
        ):
            self.tabs.addTab(widget, text)
        sound = _column(self.welcome, self.tools, self.view, self.transport, main=self.view)
        self.tools.setContentsMargins(Space.TIGHT, 0, Space.TIGHT, 0)
        self.transport.setContentsMargins(Space.TIGHT, 0, 0, 0)
        takes.setContentsMargins(Space.SMALL, Space.TIGHT, Space.SMALL, Space.TIGHT)
        self.view.setMinimumHeight(_LEAST_VIEW_PX)
        self.view.hide()
        self.left = QSplitter(Qt.Orientation.Vertical)
        self.left.addWidget(sound)
        self.left.addWidget(self.tabs)
        for place, share in enumerate(_SHARES):
            self.left.setStretchFactor(place, share)
        self.whole = QSplitter(Qt.Orientation.Horizontal)
        self.whole.addWidget(self.left)
        self.whole.addWidget(self.say)
        self.whole.setStretchFactor(0, 1)
        for splitter in (self.left, self.whole):
            splitter.setChildrenCollapsible(False)
        self.apply: ApplyBar | None = None
        if self.models.editing is not None:
            self.apply = ApplyBar(self.models.editing, self.actions_made)
            self.apply.close_wanted.connect(self.close)
        above = [self.apply] if self.apply is not None else []
        self.setCentralWidget(_column(*above, self.messages, self.whole, main=self.whole))
        bar = QStatusBar()
        bar.addWidget(SoundChip(self.models.studio.hearing), 1)
        bar.addPermanentWidget(EngineChip(self.models.link))
        self.setStatusBar(bar)

    def _connect(self) -> None:
        models, studio = self.models, self.models.studio
        self.say.render_wanted.connect(studio.render)
        self.view.seek_wanted.connect(studio.seek)
        self.view.scale_changed.connect(lambda: self.layer.set_scale(self.view.scale))
        studio.region.beats_changed.connect(self._tell_beats)
        models.draft.changed.connect(self._show_task)
        blind = studio.hearing.blind
        blind.changed.connect(lambda: self.view.veil(blind.blind.hides))
        studio.told.connect(self._tell)
        studio.sent.connect(lambda _: self.tabs.setCurrentIndex(0))
        self.queue.take_wanted.connect(studio.find_job)
        self.history.hear_wanted.connect(models.hear_past)
        self.takes.accept_wanted.connect(models.accept)
        self.takes.recall_wanted.connect(studio.recall)
        self.takes.vary_wanted.connect(models.vary)
        for part in (
            studio,
            models,
            models.jobs,
            models.history,
            models.link,
            models.chains,
            models.presets,
            models.models,
        ):
            part.failed.connect(self._fail)
        studio.region.opening.connect(self.messages.hide)
        studio.region.opened.connect(self._show_sound)
        studio.region.failed.connect(self._fail_to_open)
        models.link.status_changed.connect(self._meet_engine)
        models.incoming.recipe_found.connect(self._offer_recipe)

    def go_to(self, name: str) -> None:
        """Give the focus to a part of the window by its object name."""
        part = self.findChild(QWidget, name)
        assert part is not None, f"there is no {name}"
        for index in range(self.tabs.count()):
            page = self.tabs.widget(index)
            if page is not None and (page is part or page.isAncestorOf(part)):
                self.tabs.setCurrentIndex(index)
        inner = next((one for one in part.findChildren(QAbstractItemView) if one.isVisible()), part)
        inner.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _tell_beats(self) -> None:
        beats = self.models.studio.region.beats
        self.tools.set_beats(beats)
        self.shapes.set_beats(beats)

    def _show_task(self) -> None:
        is_masked = self.models.draft.draft.task is Task.INPAINT
        self.tools.set_active(is_masked)
        self.layer.setVisible(is_masked)
        self.tabs.setTabVisible(self.tabs.indexOf(self.shapes), is_masked)

    def _show_sound(self) -> None:
        self.view.show()
        name = Path(self.models.studio.region.path).name
        self.setWindowTitle(f"{name} - DAW Bridge")

    def _tell(self, sentence: str) -> None:
        bar = self.statusBar()
        assert bar is not None
        bar.showMessage(sentence, 15_000)

    def _fail(self, error: ErrorInfo) -> None:
        status = self.models.link.status
        self._is_told_of_engine = not status.is_ready and error.code is (status.error or GONE).code
        self.messages.show_error(error)

    def _fail_to_open(self, error: ErrorInfo) -> None:
        # Where a sound is open, its view says it.
        if not self.view.isVisible():
            self.messages.show_error(error)

    def _meet_engine(self) -> None:
        """Put away what was only true without the engine."""
        if self.models.link.status.is_ready and self._is_told_of_engine:
            self._is_told_of_engine = False
            self.messages.hide()

    def _offer_recipe(self, recipe: Recipe) -> None:
        told = self.tr("This sound was made of: %1").replace(
            "%1", recipe.spec.prompt or recipe.spec.task.value
        )
        offer = self.tr("Restore its recipe")
        self.messages.show_offer(told, offer, lambda: self.models.incoming.restore(recipe))

    def _restore(self) -> None:
        store = self.models.store
        self.resize(_first_size(self.screen()))
        self.restoreGeometry(_bytes(store.get("geometry", "")))
        if not self.whole.restoreState(_bytes(store.get("split whole", ""))):
            self.whole.setSizes([self.width() - 380, 380])
        if not self.left.restoreState(_bytes(store.get("split left", ""))):
            lists_px = round(_LISTS_SHARE * self.height())
            self.left.setSizes([self.height() - lists_px, lists_px])

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Do what a plain key does in the view: buttons and tabs have no use for it."""
        assert event is not None
        action = plain_action(event, self.focusWidget(), self.view)
        if action is None:
            super().keyPressEvent(event)
        else:
            action.trigger()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        assert event is not None
        if self.apply is not None and not self.apply.may_close():
            event.ignore()
            return
        store = self.models.store
        store.put("geometry", _text(self.saveGeometry()))
        store.put("split whole", _text(self.whole.saveState()))
        store.put("split left", _text(self.left.saveState()))
        super().closeEvent(event)


def _first_size(screen: QScreen | None) -> QSize:
    """Return a size that leaves room for a frame and a task bar."""
    wanted = QSize(*_FIRST)
    room = wanted if screen is None else screen.availableSize() * _SHARE
    return wanted.boundedTo(room).expandedTo(QSize(*_SMALLEST))


def _column(*widgets: QWidget, main: QWidget) -> QWidget:
    """Put widgets below each other; what room there is, main gets."""
    made = QWidget()
    column = QVBoxLayout(made)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(Space.TIGHT)
    for widget in widgets:
        column.addWidget(widget, 1 if widget is main else 0)
    return made


def _bytes(text: str) -> QByteArray:
    return QByteArray.fromHex(text.encode())


def _text(state: QByteArray) -> str:
    return bytes(state.toHex().data()).decode()
