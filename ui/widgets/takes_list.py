"""The list of takes: heard by choosing, rated, accepted, recalled, varied, dragged."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QModelIndex, QPoint, Qt, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ui.look.scale import Size, Space
from ui.look.theme import look
from ui.model.blind import BlindResult, BlindState
from ui.model.hearing import Hearing
from ui.model.keys import ActionInfo
from ui.model.takes import TakeRow, TakesModel
from ui.widgets.actions import Actions
from ui.widgets.takes_table import Column, MimeOf, PromptOf, TakesTable

_CONTEXT = "takes"


class TakesList(QWidget):
    """Choosing a row plays it; accept, recall and vary are told with the TakeRow they are about."""

    accept_wanted = pyqtSignal(object)
    recall_wanted = pyqtSignal(object)
    vary_wanted = pyqtSignal(object)

    def __init__(
        self, takes: TakesModel, hearing: Hearing, actions: Actions, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("takes list")
        self._takes = takes
        self._hearing = hearing
        self._is_showing = False
        self._table = TakesTable(hearing, self)
        self._view = self._made_view()
        self._empty = self._made_empty()
        self._blind_bar = BlindBar(hearing, self)
        self._blind_bar.choose_wanted.connect(self._choose_blind)
        self._menu_actions = self._made_actions(actions)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        for part in (self._blind_bar, self._view, self._empty):
            column.addWidget(part)
        column.addLayout(self._buttons())
        hearing.changed.connect(self._show)
        takes.changed.connect(self._show)
        look().changed.connect(self._show)
        self._show()

    @property
    def chosen(self) -> TakeRow | None:
        """Return the take of the current row."""
        return self._table.take(self._view.currentIndex().row())

    def set_mime_of(self, mime_of: MimeOf) -> None:
        """Say what a take is for who gets it dropped; at first its file."""
        self._table.mime_of = mime_of

    def set_prompt_of(self, prompt_of: PromptOf) -> None:
        """Say what jobs were asked for, by their ids."""
        self._table.prompt_of = prompt_of

    def _made_view(self) -> QTableView:
        view = QTableView()
        view.setObjectName("takes table")
        view.setAccessibleName(self.tr("Takes, best first"))
        view.setModel(self._table)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setTabKeyNavigation(False)
        view.setShowGrid(False)
        view.setDragEnabled(True)
        view.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._open_menu)
        view.clicked.connect(self._click)
        view.doubleClicked.connect(lambda index: self._play(index.row()))
        _lay_out(view)
        selection = view.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(self._follow_row)
        return view

    def _made_empty(self) -> QLabel:
        label = QLabel(self.tr("No takes yet. They appear here, best first, as soon as they are rendered."))
        label.setObjectName("no takes")
        label.setProperty("kind", "faint")
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setWordWrap(True)
        return label

    def _made_actions(self, actions: Actions) -> list[QAction]:
        def add(
            name: str, text: str, keys: str, done: Callable[[TakeRow], object], icon_name: str
        ) -> QAction:
            info = ActionInfo(
                name=f"takes/{name}", text=text, group=self.tr("Takes"), keys=(keys,), context=_CONTEXT
            )
            return actions.add(info, lambda: self._with_chosen(done), self, icon_name=icon_name)

        takes = self._takes
        return [
            add("accept", self.tr("Accept"), "Return", self.accept_wanted.emit, "check"),
            add("favourite", self.tr("Favourite"), "Ctrl+D", takes.toggle_favourite, "star"),
            add("drop", self.tr("May go first"), "Delete", self._drop, "thumb-down-outline"),
            add("recall", self.tr("Recall its settings"), "Ctrl+R", self.recall_wanted.emit, "history"),
            add("vary", self.tr("Vary"), "Ctrl+Alt+V", self.vary_wanted.emit, "shuffle-variant"),
        ]

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(Space.TIGHT)
        for action in self._menu_actions:
            if action.objectName() != "takes/drop":
                row.addWidget(_push_button(action))
        row.addStretch()
        return row

    def _show(self) -> None:
        self._is_showing = True
        try:
            chosen = self.chosen
            self._table.show()
            self._view.clearSpans()
            for heading in self._table.headings:
                self._view.setSpan(heading, 0, 1, len(Column))
            place = self._place_to_choose(chosen)
            if place is not None and place != self._view.currentIndex().row():
                self._view.setCurrentIndex(self._table.index(place, 0))
        finally:
            self._is_showing = False
        has_rows = self._table.first is not None
        self._view.setVisible(has_rows)
        self._empty.setVisible(not has_rows)
        hides = self._hearing.blind.blind.hides
        for action in self._menu_actions:
            action.setEnabled(has_rows and not hides)

    def _place_to_choose(self, before: TakeRow | None) -> int | None:
        """Return where the take is that is heard, or else that was chosen before, or else the best one.

        So that what is done with a take always has one, also where nothing can be heard.
        """
        heard = self._table.place_of(self._hearing.current)
        if heard is not None or self._hearing.blind.blind.hides:
            return heard
        place = None if before is None else self._table.place_of_file(before.path)
        return self._table.first if place is None else place

    def _follow_row(self, current: QModelIndex, _: QModelIndex) -> None:
        if not self._is_showing and current.isValid():
            self._play(current.row())

    def _click(self, index: QModelIndex) -> None:
        row = self._table.take(index.row())
        if row is None:
            return
        if index.column() == Column.FAVOURITE and not self._hearing.blind.blind.hides:
            self._takes.toggle_favourite(row)
        elif self._hearing.playing != self._hearing.programme.choice_of(row):
            self._play(index.row())

    def _play(self, place: int) -> None:
        row = self._table.take(place)
        if row is not None:
            self._hearing.play_row(row)

    def _drop(self, row: TakeRow) -> None:
        self._takes.rate(row, 0 if row.rating < 0 else -1)

    def _with_chosen(self, done: Callable[[TakeRow], object]) -> None:
        row = self.chosen
        if row is not None:
            done(row)

    def _choose_blind(self) -> None:
        row = self.chosen
        if row is not None:
            self._hearing.blind.choose(row.index)

    def _open_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.addActions(self._menu_actions)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        viewport = self._view.viewport()
        assert viewport is not None
        menu.popup(viewport.mapToGlobal(at))


class BlindBar(QFrame):
    """Leads through a blind test: choose, reveal, done."""

    choose_wanted = pyqtSignal()

    def __init__(self, hearing: Hearing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("blind test")
        self.setProperty("kind", "group")
        self._test = hearing.blind
        self._result: BlindResult | None = None
        self._told = QLabel()
        self._told.setObjectName("blind test told")
        self._told.setWordWrap(True)
        self._choose = self._button(self.tr("Th&is one"), "choose blindly", self.choose_wanted.emit)
        self._reveal = self._button(self.tr("Revea&l"), "reveal", self._test.reveal)
        self._done = self._button(self.tr("&Done"), "end blind test", self._test.stop)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.SMALL, Space.TIGHT, Space.SMALL, Space.TIGHT)
        row.addWidget(self._told, stretch=1)
        for button in (self._choose, self._reveal, self._done):
            row.addWidget(button)
        self._test.changed.connect(self._show)
        self._test.revealed.connect(self._tell)
        self._show()

    def _button(self, text: str, name: str, done: Callable[[], object]) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setAccessibleName(text.replace("&", ""))
        button.clicked.connect(lambda _: done())
        return button

    def _tell(self, result: BlindResult) -> None:
        self._result = result
        self._show()

    def _show(self) -> None:
        blind = self._test.blind
        if blind.state is not BlindState.REVEALED:
            self._result = None
        self.setVisible(blind.state is not BlindState.OFF)
        self._choose.setVisible(blind.hides)
        self._reveal.setVisible(blind.hides)
        self._done.setVisible(blind.state is BlindState.REVEALED)
        self._told.setText(self._sentence())

    def _sentence(self) -> str:
        blind = self._test.blind
        match blind.state:
            case BlindState.CHOSEN:
                assert blind.choice is not None
                place = str(blind.order.index(blind.choice) + 1)
                return self.tr("You chose %1. Reveal it, or choose another.").replace("%1", place)
            case BlindState.REVEALED if self._result is not None:
                told = self.tr("You chose take %1 of %2, by score.")
                return told.replace("%1", str(self._result.index + 1)).replace("%2", str(self._result.takes))
            case BlindState.REVEALED:
                return self.tr("Nothing was chosen.")
            case _:
                return self.tr("The takes are shuffled. Choose the one that you like best.")


def _lay_out(view: QTableView) -> None:
    across, down = view.horizontalHeader(), view.verticalHeader()
    assert across is not None and down is not None
    down.setVisible(False)
    down.setDefaultSectionSize(Size.CONTROL)
    across.setHighlightSections(False)
    across.setFixedHeight(Size.CONTROL)
    across.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    across.setSectionResizeMode(Column.NOTE, QHeaderView.ResizeMode.Stretch)
    across.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


def _push_button(action: QAction) -> QPushButton:
    """Return a button that does an action, and is enabled as that is."""
    button = QPushButton(action.icon(), action.text())
    button.setObjectName(f"{action.objectName()} button")
    button.setAccessibleName(action.text())
    button.clicked.connect(lambda _: action.trigger())

    def follow() -> None:
        button.setEnabled(action.isEnabled())
        button.setIcon(action.icon())
        button.setToolTip(action.toolTip())

    action.changed.connect(follow)
    follow()
    return button
