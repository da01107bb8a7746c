"""The queue as one sees and changes it: what renders, what waits, what has just ended."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QModelIndex, QPoint, Qt, pyqtSignal
from PyQt6.QtGui import QPaintEvent, QPalette
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QStyleOptionViewItem,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from daw_bridge.jobs.state import JobState
from ui.look.scale import Space
from ui.model.job_board import JobRow
from ui.model.job_words import said, sentence, shown, task_name, time_left
from ui.model.jobs import POSITION_ROLE, ROW_ROLE, JobsModel
from ui.model.keys import ActionInfo
from ui.widgets.actions import Actions
from ui.widgets.two_lines import Lines, TwoLineDelegate, paint_hint

TASK_ICONS = {
    "generate": "creation",
    "transfer": "swap-horizontal",
    "inpaint": "brush",
    "superres": "arrow-expand-up",
}
_KINDS = {JobState.FAILED: "bad", JobState.FINISHED: "good"}
_CONTEXT = "queue"


class QueueView(QWidget):
    """Shows jobs; take_wanted tells the job whose takes somebody wants to hear."""

    take_wanted = pyqtSignal(str)

    def __init__(self, model: JobsModel, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("queue")
        self._model = model
        self._actions = actions
        self._list = _QueueList(model)
        self._summary = QLabel()
        self._summary.setObjectName("queue summary")
        self._summary.setProperty("kind", "faint")
        self._trouble = _Trouble()
        self._trouble.again.clicked.connect(self._retry)
        self._trouble.same.clicked.connect(self._retry_same)
        self._make_actions()
        self._lay_out()
        self._list.activated.connect(self._open)
        self._list.customContextMenuRequested.connect(self._menu)
        choice = self._list.selectionModel()
        assert choice is not None
        choice.selectionChanged.connect(self._show)
        model.counted.connect(self._show)
        self._show()

    @property
    def chosen(self) -> list[JobRow]:
        """Return the selected jobs in the order of the list."""
        indexes = sorted(self._list.selectedIndexes(), key=lambda index: index.row())
        rows = (index.data(ROW_ROLE) for index in indexes)
        return [row for row in rows if row is not None]

    def _make_actions(self) -> None:
        group, add = self.tr("Queue"), self._actions.add

        def own(name: str, text: str, *keys: str, context: str = _CONTEXT) -> ActionInfo:
            return ActionInfo(name=f"queue.{name}", text=text, group=group, keys=keys, context=context)

        end, delete = self.tr("Cancel or remove from the list"), ("Del", "Backspace")
        add(own("end", end, *delete), self._end, self, icon_name="close")
        add(own("first", self.tr("Do first"), "Ctrl+Home"), self._first, self, icon_name="arrow-collapse-up")
        add(own("sooner", self.tr("Do sooner"), "Ctrl+Up"), self._sooner, self, icon_name="arrow-up")
        add(own("later", self.tr("Do later"), "Ctrl+Down"), self._later, self, icon_name="arrow-down")
        add(own("retry", self.tr("Again with other seeds"), "Ctrl+R"), self._retry, self, icon_name="refresh")
        same = own("same", self.tr("Again with the same seeds"), "Ctrl+Alt+R")
        add(same, self._retry_same, self, icon_name="replay")
        stop = own("stop", self.tr("Cancel what renders"), "Ctrl+.", context="")
        add(stop, self._model.cancel_running, self, icon_name="stop")
        stop_all = own("stop all", self.tr("Cancel all"), "Ctrl+Shift+.", context="")
        add(stop_all, self._model.cancel_all, self, icon_name="close-box-multiple-outline")
        clear = own("clear", self.tr("Clear what has ended"), "Ctrl+Shift+Del")
        add(clear, self._model.forget_ended, self, icon_name="broom")

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setSpacing(Space.TIGHT)
        bar.addWidget(self._summary, 1)
        for name in ("first", "sooner", "later", "end", "stop", "stop all", "clear"):
            bar.addWidget(button_of(self._actions, f"queue.{name}"))
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.SMALL, Space.SMALL, Space.SMALL, Space.SMALL)
        column.setSpacing(Space.TIGHT)
        column.addLayout(bar)
        column.addWidget(self._list, 1)
        column.addWidget(self._trouble)

    def _show(self) -> None:
        running, waiting = len(self._model.running), self._model.waiting_count
        told = self.tr("%1 rendering, %2 waiting").replace("%1", str(running)).replace("%2", str(waiting))
        self._summary.setText(told if running or waiting else self.tr("Nothing waits"))
        chosen = self.chosen
        waits = any(row.state is JobState.QUEUED for row in chosen)
        ended = any(row.state.is_terminal for row in chosen)
        for name, is_on in (
            *((name, waits) for name in ("first", "sooner", "later")),
            *((name, ended) for name in ("retry", "same")),
            ("end", bool(chosen)),
            ("stop", bool(running)),
            ("stop all", bool(running or waiting)),
        ):
            self._actions[f"queue.{name}"].setEnabled(is_on)
        failed = [row for row in chosen if row.state is JobState.FAILED]
        self._trouble.show_of(failed[0] if failed else None)

    def _end(self) -> None:
        chosen = self.chosen
        self._model.cancel(row.id for row in chosen if not row.state.is_terminal)
        self._model.forget([row.id for row in chosen if row.state.is_terminal])

    def _first(self) -> None:
        for place, row in enumerate(self._chosen_waiting()):
            self._model.move(row.id, place)

    def _sooner(self) -> None:
        for row in self._chosen_waiting():
            self._model.move_by(row.id, -1)

    def _later(self) -> None:
        for row in reversed(self._chosen_waiting()):
            self._model.move_by(row.id, 1)

    def _chosen_waiting(self) -> list[JobRow]:
        return [row for row in self.chosen if row.state is JobState.QUEUED]

    def _retry(self) -> None:
        self._do_again(same_seeds=False)

    def _retry_same(self) -> None:
        self._do_again(same_seeds=True)

    def _do_again(self, *, same_seeds: bool) -> None:
        for row in self.chosen:
            if row.state.is_terminal:
                self._model.retry(row.id, same_seeds=same_seeds)

    def _open(self, index: QModelIndex) -> None:
        row: JobRow | None = index.data(ROW_ROLE)
        if row is not None and row.made:
            self.take_wanted.emit(row.id)

    def _menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setObjectName("queue menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in ("first", "sooner", "later", "retry", "same", "end"):
            menu.addAction(self._actions[f"queue.{name}"])
        menu.addSeparator()
        for name in ("stop", "stop all", "clear"):
            menu.addAction(self._actions[f"queue.{name}"])
        port = self._list.viewport()
        assert port is not None
        menu.popup(port.mapToGlobal(place))


class _QueueList(QTableView):
    """A table of one column: a list asks its model about each of ten thousand rows whenever one moves."""

    def __init__(self, model: JobsModel) -> None:
        super().__init__()
        self.setObjectName("queue list")
        self.setAccessibleName(self.tr("Queue"))
        self.setModel(model)
        self.setItemDelegate(_JobDelegate(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setDragDropOverwriteMode(False)
        self._size_rows()
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setDropIndicatorShown(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def initViewItemOption(self, option: QStyleOptionViewItem | None) -> None:
        """Leave the ground of what is selected to the delegate."""
        super().initViewItemOption(option)
        if option is not None:
            palette = QPalette(option.palette)
            palette.setColor(QPalette.ColorRole.Highlight, Qt.GlobalColor.transparent)
            option.palette = palette

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._size_rows()

    def _size_rows(self) -> None:
        """Give all rows the one height that the delegate wants."""
        across, down, delegate = self.horizontalHeader(), self.verticalHeader(), self.itemDelegate()
        assert across is not None and down is not None and delegate is not None
        across.hide()
        across.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        down.hide()
        down.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down.setDefaultSectionSize(delegate.sizeHint(QStyleOptionViewItem(), QModelIndex()).height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        super().paintEvent(event)
        model = self.model()
        if model is not None and not model.rowCount():
            paint_hint(self, self.tr("What you render waits here for its turn."))


class _JobDelegate(TwoLineDelegate):
    def lines(self, index: QModelIndex) -> Lines | None:
        row: JobRow | None = index.data(ROW_ROLE)
        if row is None:
            return None
        is_running = row.state is JobState.RUNNING
        return Lines(
            icon=TASK_ICONS.get(row.task, "waveform"),
            title=row.prompt or task_name(row.task),
            right=time_left(row.eta_s) if is_running else "",
            below=_below(row, index.data(POSITION_ROLE)),
            kind=_KINDS.get(row.state, "faint"),
            fraction=row.fraction if is_running else None,
            mark="refresh" if row.state is JobState.FAILED else "",
        )


class _Trouble(QFrame):
    """Says of a failed job what went wrong and what to do about it."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("queue trouble")
        self.setProperty("kind", "group")
        self._text = QLabel()
        self._text.setObjectName("queue trouble text")
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.again, self.same = QToolButton(), QToolButton()
        for button, name, text in (
            (self.again, "retry failed", self.tr("Retry")),
            (self.same, "retry failed same", self.tr("Same seeds")),
        ):
            button.setObjectName(name)
            button.setText(text)
            button.setAccessibleName(text)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.SMALL, Space.SMALL, Space.SMALL, Space.SMALL)
        row.addWidget(self._text, 1)
        row.addWidget(self.again)
        row.addWidget(self.same)

    def show_of(self, row: JobRow | None) -> None:
        self.setVisible(row is not None)
        if row is not None and row.error is not None:
            self._text.setText(sentence(row.error))


def _below(row: JobRow, position: int) -> str:
    words = shown(row)
    if row.state is JobState.QUEUED:
        return said("Is next") if position == 0 else said("Waits behind %1", position)
    if row.state is JobState.FAILED and row.error is not None:
        return said("%1: %2", words, row.error.message)
    return words


def button_of(actions: Actions, name: str) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(actions[name])
    button.setObjectName(f"{name} button")
    button.setAccessibleName(actions[name].text())
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
