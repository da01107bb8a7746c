"""The effects that takes go through on their way back: chosen, turned, heard."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtWidgets import (
    QComboBox,
    QInputDialog,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.types import ErrorInfo
from ui.look.scale import Space, Type
from ui.model.chains import ChainsModel
from ui.model.job_words import sentence
from ui.widgets.say.effect_card import EffectCard
from ui.widgets.say.effect_finder import EffectFinder
from ui.widgets.say.fields import shrink
from ui.widgets.say.handling import Handling
from ui.widgets.say.parts import IconButton, row_of, text_of


class ChainEditor(QWidget):
    def __init__(self, chains: ChainsModel) -> None:
        super().__init__()
        self._chains = chains
        self._cards: list[EffectCard] = []
        self._order: tuple[tuple[str, str, str, str], ...] = ()
        self._finder: EffectFinder | None = None
        self.box = QComboBox()
        self.box.setObjectName("chain")
        self.box.setAccessibleName(self.tr("Effects"))
        self.box.setToolTip(self.tr("The effects that takes go through on their way back."))
        shrink(self.box)
        Handling(self.box, lambda: chains.choose(""))
        self.box.activated.connect(lambda place: chains.choose(str(self.box.itemData(place))))
        self._about = text_of("", "faint", wraps=True, step=Type.SMALL)
        self._trouble = text_of("", "bad", wraps=True, step=Type.SMALL)
        self._trouble.setObjectName("chain trouble")
        self._trouble.hide()
        self._cards_box = QVBoxLayout()
        self._cards_box.setSpacing(Space.TIGHT)
        self._lay_out()
        chains.changed.connect(self._show)
        chains.effects_changed.connect(self._show_effects)
        chains.plugins.changed.connect(self._show_values)
        chains.failed.connect(self._tell)
        self._show()
        self._show_effects()

    def _lay_out(self) -> None:
        title = text_of(self.tr("Effects"))
        title.setBuddy(self.box)
        self._add = QPushButton(self.tr("Add effect ..."))
        self._add.setObjectName("chain add")
        self._add.clicked.connect(lambda _: self._find())
        self._hear = QPushButton(self.tr("Hear it on this sound"))
        self._hear.setObjectName("chain hear")
        self._hear.clicked.connect(lambda _: self._hear_or_stop())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addLayout(row_of(title, self.box, self._menu_button(), stretch=1))
        column.addWidget(self._about)
        column.addLayout(self._cards_box)
        column.addLayout(row_of(self._add, self._hear))
        column.addWidget(self._trouble)

    def _menu_button(self) -> IconButton:
        button = IconButton("chain menu", "dots-vertical", self.tr("New, copied and deleted chains"))
        menu = QMenu(button)
        for name, text, done in (
            ("chain new", self.tr("New chain ..."), self._ask_new),
            ("chain copy", self.tr("Keep under another name ..."), self._ask_copy),
            ("chain delete", self.tr("Delete"), self._chains.delete),
        ):
            action = menu.addAction(text, _dropping(done))
            assert action is not None
            action.setObjectName(name)
            if name == "chain copy":
                self._copy = action
            if name == "chain delete":
                self._delete = action
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        return button

    def _ask_new(self) -> None:
        self._ask(self.tr("New chain"), self._chains.begin)

    def _ask_copy(self) -> None:
        self._ask(self.tr("Keep the chain"), self._chains.save_as)

    def _ask(self, title: str, done: Callable[[str], None]) -> None:
        name, is_given = QInputDialog.getText(self, title, self.tr("Name:"))
        if is_given:
            self._trouble.hide()
            done(name)

    def _find(self) -> None:
        self._trouble.hide()
        self._finder = EffectFinder(self._chains, self)
        self._finder.open()

    def _hear_or_stop(self) -> None:
        self._trouble.hide()
        if self._chains.is_applying:
            self._chains.stop()
        else:
            self._chains.apply()

    def _show(self) -> None:
        chains, info = self._chains, self._chains.info
        self._fill_box()
        self._about.setText("" if info is None else info.description)
        self._about.setVisible(bool(self._about.text()))
        has_chain = bool(chains.name)
        self._add.setVisible(has_chain)
        self._hear.setVisible(has_chain)
        self._hear.setEnabled(bool(chains.sound) or chains.is_applying)
        self._hear.setText(self.tr("Stop") if chains.is_applying else self.tr("Hear it on this sound"))
        hint = self.tr(
            "Sends the take that is chosen, or else the region, through the effects as they are now."
        )
        self._hear.setToolTip(hint if chains.sound else self.tr("Open a sound first."))
        self._copy.setEnabled(has_chain)
        self._delete.setEnabled(info is not None and not info.is_built_in)
        is_changed = info is not None and info.is_changed
        self._delete.setText(self.tr("Bring back as it came") if is_changed else self.tr("Delete"))

    def _fill_box(self) -> None:
        chains = self._chains
        wanted = [("", self.tr("None"))]
        for one in chains.chains:
            text = self.tr("%1 (built in)").replace("%1", one.name) if one.is_built_in else one.name
            wanted.append((one.name, text))
        if chains.name and chains.info is None:
            wanted.append((chains.name, chains.name))
        there = [(self.box.itemData(row), self.box.itemText(row)) for row in range(self.box.count())]
        if there != wanted:
            self.box.clear()
            for name, text in wanted:
                self.box.addItem(text, name)
        self.box.setCurrentIndex(self.box.findData(chains.name))

    def _show_effects(self) -> None:
        effects = self._chains.effects
        order = tuple((self._chains.name, one.effect, one.plugin, one.name) for one in effects)
        if order != self._order:
            self._order = order
            self._rebuild()
            newest = self._chains.newest
            if newest is not None and newest < len(self._cards):
                self._cards[newest].open()
        self._show_values()

    def _rebuild(self) -> None:
        for card in self._cards:
            self._cards_box.removeWidget(card)
            card.hide()
            card.deleteLater()
        self._cards = [EffectCard(self._chains, index) for index in range(len(self._order))]
        for card in self._cards:
            self._cards_box.addWidget(card)

    def _show_values(self) -> None:
        for card in self._cards:
            card.show_effect()

    def _tell(self, error: ErrorInfo) -> None:
        self._trouble.setText(sentence(error))
        self._trouble.show()


def _dropping(done: Callable[[], object]) -> Callable[[], None]:
    return lambda: (done(), None)[1]
