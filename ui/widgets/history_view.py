"""The history as one looks through it: takes in families, searched, starred, taken up again."""

from __future__ import annotations

from functools import partial

from PyQt6.QtCore import QModelIndex, QPoint, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QPainter, QPaintEvent, QPalette
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QStyleOptionViewItem,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from engine.types import Task
from ui.look.scale import Space
from ui.model.history import HistoryModel, Weight
from ui.model.history_tree import JOB_ROLE, TAKE_ROLE, when
from ui.model.job_words import counted_takes, said, size, task_name
from ui.model.keys import ActionInfo
from ui.model.past import PastJob, PastTake, Wanted
from ui.widgets.actions import Actions
from ui.widgets.dragging import drag_of
from ui.widgets.queue_view import TASK_ICONS, button_of
from ui.widgets.revealing import open_folder, reveal
from ui.widgets.two_lines import Lines, TwoLineDelegate, paint_hint, tint

VARY_AMOUNT, VARY_TAKES = 0.3, 4
GIB = 1024**3
_TYPING_MS = 250
_MOST_PROMPT = 80
_CONTEXT = "history"
_ON_TAKES = ("recall", "vary", "again", "star", "drop", "copy", "folder", "reveal", "hear")


class HistoryView(QWidget):
    """Shows the history; hear_wanted tells a take that somebody wants to hear."""

    hear_wanted = pyqtSignal(object)

    def __init__(self, model: HistoryModel, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("history")
        self._model = model
        self._actions = actions
        self._tree = _HistoryList(model)
        self._words = QLineEdit()
        self._star = QToolButton()
        self._task = QComboBox()
        self._told = QLabel()
        self._typing = QTimer(self)
        self._make_filters()
        self._make_actions()
        self._lay_out()
        self._tree.activated.connect(lambda _: self._hear())
        self._tree.customContextMenuRequested.connect(self._menu)
        choice = self._tree.selectionModel()
        assert choice is not None
        choice.currentChanged.connect(lambda *_: self._show())
        model.dataChanged.connect(lambda *_: self._show())
        model.adopted.connect(self._keep_visible)
        model.told.connect(self._told.setText)
        self._show()

    @property
    def take(self) -> PastTake | None:
        """Return the current take, of a job its best one."""
        found: PastTake | None = self._tree.currentIndex().data(TAKE_ROLE)
        return found

    @property
    def job(self) -> PastJob | None:
        found: PastJob | None = self._tree.currentIndex().data(JOB_ROLE)
        return found

    def _make_filters(self) -> None:
        self._words.setObjectName("history words")
        self._words.setAccessibleName(self.tr("Search the history"))
        self._words.setPlaceholderText(self.tr("Search by words of the prompt"))
        self._words.setClearButtonEnabled(True)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self._search)
        self._words.textChanged.connect(lambda _: self._typing.start())
        self._words.returnPressed.connect(self._search)
        self._task.setObjectName("history task")
        self._task.setAccessibleName(self.tr("Only one task"))
        self._task.addItem(self.tr("All tasks"), "")
        for task in Task:
            self._task.addItem(task_name(task.value), task.value)
        self._task.currentIndexChanged.connect(lambda _: self._search())
        self._told.setObjectName("history told")
        self._told.setProperty("kind", "faint")

    def _make_actions(self) -> None:
        group, add = self.tr("History"), self._actions.add

        def own(name: str, text: str, *keys: str, context: str = _CONTEXT) -> ActionInfo:
            return ActionInfo(name=f"history.{name}", text=text, group=group, keys=keys, context=context)

        for info, done, icon_name in (
            (own("hear", self.tr("Hear")), self._hear, "play"),
            (own("recall", self.tr("Recall its settings"), "Ctrl+R"), self._recall, "history"),
            (own("vary", self.tr("Vary it"), "Ctrl+Alt+V"), self._vary, "call-split"),
            (own("again", self.tr("Make it again"), "Ctrl+Alt+R"), self._again, "replay"),
            (own("star", self.tr("Favourite"), "Ctrl+D"), self._toggle_star, "star-outline"),
            (own("drop", self.tr("May go first"), "X"), self._drop, "thumb-down-outline"),
            (own("copy", self.tr("Copy its file"), "Ctrl+C"), self._copy, "content-copy"),
            (own("folder", self.tr("Open its folder"), "Ctrl+Shift+O"), self._open_folder, "folder-open"),
            (own("reveal", self.tr("Show the file"), "Ctrl+Shift+R"), self._reveal, "file-eye-outline"),
            (own("delete", self.tr("Delete the job and its files"), "Del"), self._delete, "delete-outline"),
            (own("tidy", self.tr("Tidy up ...")), self._tidy, "broom"),
            (own("words", self.tr("Search"), "Ctrl+F", context=""), self._to_words, "magnify"),
        ):
            add(info, done, self, icon_name=icon_name)
        starred = own("starred", self.tr("Only favourites"), "Ctrl+B")
        action = add(starred, self._search, self, icon_name="star")
        action.setCheckable(True)
        self._star = button_of(self._actions, "history.starred")

    def _lay_out(self) -> None:
        top, below = QHBoxLayout(), QHBoxLayout()
        for row in (top, below):
            row.setSpacing(Space.TIGHT)
        top.addWidget(self._words, 1)
        top.addWidget(self._task)
        top.addWidget(self._star)
        for name in ("hear", "recall", "vary", "star", "reveal", "delete"):
            below.addWidget(button_of(self._actions, f"history.{name}"))
        below.addStretch(1)
        below.addWidget(self._told)
        below.addWidget(button_of(self._actions, "history.tidy"))
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.SMALL, Space.SMALL, Space.SMALL, Space.SMALL)
        column.setSpacing(Space.TIGHT)
        column.addLayout(top)
        column.addWidget(self._tree, 1)
        column.addLayout(below)

    def _show(self) -> None:
        take, job = self.take, self.job
        for name in _ON_TAKES:
            is_file = name not in ("star", "drop", "recall")
            self._actions[f"history.{name}"].setEnabled(take is not None and (take.is_present or not is_file))
        self._actions["history.delete"].setEnabled(job is not None)

    def _search(self) -> None:
        self._typing.stop()
        self._model.look_for(
            Wanted(
                text=self._words.text().strip(),
                favourites=self._actions["history.starred"].isChecked(),
                task=self._task.currentData(),
            )
        )

    def _to_words(self) -> None:
        self._words.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._words.selectAll()

    def _hear(self) -> None:
        if (take := self.take) is not None and take.is_present:
            self.hear_wanted.emit(take)

    def _recall(self) -> None:
        if (take := self.take) is not None:
            self._model.recall(take)

    def _vary(self) -> None:
        if (take := self.take) is not None:
            self._model.vary(take, VARY_AMOUNT, VARY_TAKES)

    def _again(self) -> None:
        if (take := self.take) is not None:
            self._model.vary(take, 0.0, 1)

    def _toggle_star(self) -> None:
        if (take := self.take) is not None:
            self._model.toggle_favourite(take)

    def _drop(self) -> None:
        if (take := self.take) is not None:
            self._model.rate(take, 0 if take.rating < 0 else -1)

    def _copy(self) -> None:
        """Put the file where other programs paste from, for those who do not drag."""
        clipboard = QApplication.clipboard()
        if (take := self.take) is not None and clipboard is not None:
            clipboard.setMimeData(drag_of([take.path]))

    def _open_folder(self) -> None:
        if (take := self.take) is not None:
            open_folder(take.path)

    def _reveal(self) -> None:
        if (take := self.take) is not None:
            reveal(take.path)

    def _delete(self) -> None:
        if (job := self.job) is not None:
            self._model.weigh(job.id, partial(self._ask_to_delete, job))

    def _ask_to_delete(self, job: PastJob, weight: Weight) -> None:
        box = QMessageBox(self)
        box.setObjectName("history delete")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(_question(job, weight.takes))
        box.setInformativeText(_weighed(weight))
        delete = box.addButton(self.tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        assert delete is not None
        delete.setObjectName("history delete yes")
        delete.clicked.connect(lambda: self._model.delete(weight.job_id))
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        box.open()

    def _tidy(self) -> None:
        dialog = QInputDialog(self)
        dialog.setObjectName("history tidy")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setInputMode(QInputDialog.InputMode.DoubleInput)
        dialog.setWindowTitle(self.tr("Tidy up"))
        dialog.setLabelText(
            self.tr(
                "Remove the oldest takes until the rest have at most so many GiB.\n"
                "Favourites and the latest takes stay."
            )
        )
        dialog.setDoubleRange(0.0, 1_000_000.0)
        dialog.setDoubleDecimals(1)
        dialog.setDoubleValue(10.0)
        dialog.doubleValueSelected.connect(lambda gib: self._model.tidy(int(gib * GIB)))
        dialog.open()

    def _keep_visible(self, index: QModelIndex) -> None:
        above = index.parent()
        while above.isValid():
            self._tree.expand(above)
            above = above.parent()

    def _menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setObjectName("history menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in (*_ON_TAKES, "", "delete", "tidy"):
            if name:
                menu.addAction(self._actions[f"history.{name}"])
            else:
                menu.addSeparator()
        port = self._tree.viewport()
        assert port is not None
        menu.popup(port.mapToGlobal(place))


class _HistoryList(QTreeView):
    def __init__(self, model: HistoryModel) -> None:
        super().__init__()
        self.setObjectName("history list")
        self.setAccessibleName(self.tr("History"))
        self.setModel(model)
        self.setItemDelegate(_PastDelegate(self))
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setMouseTracking(True)
        self.setAnimated(False)
        self.setExpandsOnDoubleClick(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def drawRow(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Let the style fill what is left of a row as the delegate fills the row."""
        palette = QPalette(option.palette)
        palette.setColor(QPalette.ColorRole.Highlight, tint())
        option.palette = palette
        super().drawRow(painter, option, index)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        super().paintEvent(event)
        model = self.model()
        if isinstance(model, HistoryModel) and not model.rowCount():
            is_all = model.wanted == Wanted()
            paint_hint(
                self, self.tr("Your takes gather here.") if is_all else self.tr("Nothing like that was made.")
            )


class _PastDelegate(TwoLineDelegate):
    def lines(self, index: QModelIndex) -> Lines | None:
        job: PastJob | None = index.data(JOB_ROLE)
        if job is None:
            return None
        take: PastTake | None = index.data(TAKE_ROLE)
        is_job = not index.parent().isValid() or index.parent().data(JOB_ROLE) != job
        return _job_lines(job) if is_job else _take_lines(index.row() + 1, take)


def _job_lines(job: PastJob) -> Lines:
    takes = said("1 take") if job.takes == 1 else said("%1 takes", job.takes)
    return Lines(
        icon=TASK_ICONS.get(job.task, "waveform"),
        title=job.prompt or task_name(job.task),
        right=when(job.created_s),
        below=said("%1, %2", task_name(job.task), takes),
        mark="star" if job.favourites else "",
    )


def _take_lines(number: int, take: PastTake | None) -> Lines:
    title = said("Take %1", number)
    if take is None:
        return Lines(icon="waveform", title=title)
    facts = said("likeness %1, seed %2", f"{take.score:.2f}", take.seed)
    gone = said("its file is gone") if not take.is_present else ""
    mark = "star" if take.is_favourite else "thumb-down-outline" if take.rating < 0 else ""
    return Lines(
        icon="waveform",
        title=title,
        right=size(take.total_bytes) if take.is_present else "",
        below=gone or facts,
        kind="warn" if gone else "faint",
        mark=mark,
    )


def _question(job: PastJob, takes: int) -> str:
    """Ask whether a job is to be deleted, so that one knows which."""
    what, count = task_name(job.task), counted_takes(takes)
    if not job.prompt:
        return said("Delete the job without a prompt (%1, %2)?", what, count)
    prompt = job.prompt if len(job.prompt) <= _MOST_PROMPT else f"{job.prompt[: _MOST_PROMPT - 3]}..."
    return said('Delete "%3" (%1, %2)?', what, count, prompt)


def _weighed(weight: Weight) -> str:
    if not weight.total_bytes:
        return said("Its files are gone already; only the entry is removed.")
    if weight.files:
        text = "To be removed from the disk: %1 in %2 files, %3."
        return said(text, counted_takes(weight.takes), weight.files, size(weight.total_bytes))
    text = "To be removed from the disk: %1, %2."
    return said(text, counted_takes(weight.takes), size(weight.total_bytes))
