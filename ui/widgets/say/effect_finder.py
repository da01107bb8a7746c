"""Effects to add: those that are built in, and the plug-ins of the engine's machine."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.types import ErrorInfo
from ui.look.scale import Space, Type
from ui.model.chains import ChainsModel
from ui.model.effects import Plugin, readable
from ui.model.job_words import sentence
from ui.widgets.say.line_list import LineList, put_lines
from ui.widgets.say.list_keys import ListKeys
from ui.widgets.say.parts import row_of, text_of
from ui.widgets.two_lines import Lines

_WIDTH, _HEIGHT = 460, 520
_ADDS = Qt.ItemDataRole.UserRole


class EffectFinder(QDialog):
    """Double click or Enter adds; what cannot be used says why."""

    def __init__(self, chains: ChainsModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("effect finder")
        self.setWindowTitle(self.tr("Add an effect"))
        self._chains = chains
        self._search = QLineEdit()
        self._search.setObjectName("effect finder search")
        self._search.setAccessibleName(self.tr("Search effects"))
        self._search.setPlaceholderText(self.tr("Search effects and plug-ins"))
        self._search.setClearButtonEnabled(True)
        self._list = LineList("effect finder list", self.tr("Effects and plug-ins"))
        self._progress = QProgressBar()
        self._progress.setObjectName("effect finder progress")
        self._state = text_of("", "faint", wraps=True, step=Type.SMALL)
        self._state.setObjectName("effect finder state")
        self._look = QPushButton()
        self._look.setObjectName("effect finder look")
        self._look.setAutoDefault(False)
        self._add = QPushButton(self.tr("Add"))
        self._add.setObjectName("effect finder add")
        self._add.setDefault(True)
        self._lay_out()
        self._connect()
        self.resize(_WIDTH, _HEIGHT)
        self._fill()
        self._show()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._search.setFocus()
        if not self._chains.plugins.was_scanned:
            self._chains.plugins.look()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setSpacing(Space.SMALL)
        for widget in (self._search, self._list, self._progress, self._state):
            column.addWidget(widget)
        column.addLayout(row_of(self._look, QWidget(), self._add, stretch=1))

    def _connect(self) -> None:
        self._search.textChanged.connect(self._fill)
        self._list.currentItemChanged.connect(lambda *_: self._show())
        # By Enter the default button adds.
        self._list.itemDoubleClicked.connect(lambda _: self._put())
        ListKeys(self._search, self._list)
        self._add.clicked.connect(lambda _: self._put())
        self._look.clicked.connect(lambda _: self._look_or_stop())
        self._chains.plugins.changed.connect(self._refill)
        self._chains.plugins.failed.connect(self._tell)

    def _look_or_stop(self) -> None:
        plugins = self._chains.plugins
        if plugins.scan is None:
            plugins.look(again=True)
        else:
            plugins.stop()

    def _put(self) -> None:
        item = self._list.currentItem()
        wanted = None if item is None else item.data(_ADDS)
        if wanted:
            self.accept()
            self._chains.add(*wanted)

    def _refill(self) -> None:
        if self._chains.plugins.scan is None:
            self._fill()
        self._show()

    def _fill(self) -> None:
        words = self._search.text().casefold().split()
        self._list.clear()
        for item, text in self._items():
            if all(word in text.casefold() for word in words):
                self._list.addItem(item)
        self._list.setCurrentRow(0)

    def _items(self) -> list[tuple[QListWidgetItem, str]]:
        built_ins = self._chains.built_ins
        made = [self._item(readable(one.name), one.summary, (one.name, "")) for one in built_ins]
        for plugin in sorted(self._chains.plugins.plugins, key=lambda one: (bool(one.error), one.title)):
            made += self._plugin_items(plugin)
        return made

    def _plugin_items(self, plugin: Plugin) -> list[tuple[QListWidgetItem, str]]:
        kind = self.tr("%1 plug-in").replace("%1", plugin.format).strip()
        if plugin.error:
            reason = self.tr("cannot be used: %1").replace("%1", plugin.error)
            return [self._item(plugin.title, reason, None)]
        if not plugin.is_effect:
            return [self._item(plugin.title, f"{kind}, {self.tr('an instrument')}", None)]
        if len(plugin.names) > 1:
            return [self._item(name, f"{kind}, {plugin.title}", (plugin.path, name)) for name in plugin.names]
        return [self._item(plugin.title, kind, (plugin.path, ""))]

    def _item(self, title: str, about: str, adds: tuple[str, str] | None) -> tuple[QListWidgetItem, str]:
        text = f"{title}\n{about}"
        item = QListWidgetItem()
        icon_name = "tune-variant" if adds is not None else "alert-circle-outline"
        put_lines(item, Lines(icon=icon_name, title=title, below=about, kind="faint" if adds else "bad"))
        item.setData(_ADDS, adds)
        item.setToolTip(adds[0] if adds else about)
        if adds is None:
            item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
        return item, text

    def _show(self) -> None:
        plugins = self._chains.plugins
        scan, item = plugins.scan, self._list.currentItem()
        self._add.setEnabled(item is not None and bool(item.data(_ADDS)))
        self._progress.setVisible(scan is not None)
        self._look.setText(self.tr("Stop") if scan is not None else self.tr("Look again"))
        self._look.setToolTip(self.tr("Also tries plug-ins again that crashed or hung the last time."))
        if scan is not None:
            self._progress.setRange(0, scan.total)
            self._progress.setValue(scan.done)
            self._state.setText(
                self.tr("Tries plug-ins: %1").replace("%1", scan.item)
                if scan.item
                else self.tr("Looks for plug-ins ...")
            )
        elif plugins.was_scanned:
            broken = sum(bool(one.error) for one in plugins.plugins)
            told = self.tr("%1 plug-ins, %2 of them cannot be used.").replace("%1", str(len(plugins.plugins)))
            self._state.setText(told.replace("%2", str(broken)))

    def _tell(self, error: ErrorInfo) -> None:
        self._state.setText(sentence(error))
