"""One effect of a chain: switched, moved, mixed, and opened to what there is to turn."""

from __future__ import annotations

from functools import partial

from PyQt6.QtWidgets import QFrame, QLineEdit, QVBoxLayout, QWidget

from ui.look.scale import Space
from ui.model.chains import ChainsModel
from ui.model.effects import ChainEffect, EffectParameter
from ui.model.job_words import sentence
from ui.widgets.say.effect_values import EffectValue
from ui.widgets.say.parts import IconButton, row_of, text_of

# Of more, as some plug-ins have, a search line finds those that are wanted.
MOST_SHOWN = 16


class EffectCard(QFrame):
    def __init__(self, chains: ChainsModel, index: int) -> None:
        super().__init__()
        self.setObjectName(f"effect {index}")
        self.setProperty("kind", "group")
        self._chains, self._index = chains, index
        self._values: dict[str, EffectValue] = {}
        self._body: QWidget | None = None
        self._search = ""
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(Space.TIGHT, Space.TIGHT, Space.TIGHT, Space.TIGHT)
        self._column.setSpacing(Space.TIGHT)
        self._add_head()
        # Not Mix: some effects have one of their own.
        blend = EffectParameter(name="mix", title=self.tr("Blend"), default=1.0, low=0.0, high=1.0)
        self._mix = EffectValue(self._named("blend"), blend, lambda mix: chains.set_mix(index, _mix_of(mix)))
        self._column.addWidget(self._mix)
        self._mix.hide()
        self.show_effect()

    @property
    def is_open(self) -> bool:
        return self._head.isChecked()

    def open(self) -> None:
        self._head.setChecked(True)

    def show_effect(self) -> None:
        """Show what counts now of the effect that the card is of."""
        effect = self._effect
        self._on.setChecked(not effect.bypass)
        self._on.show_icon("power" if not effect.bypass else "power-off")
        self._mix.show_value(effect.mix)
        self._window.setEnabled(not self._chains.has_window(self._index))
        if self.is_open:
            self._show_body()

    @property
    def _effect(self) -> ChainEffect:
        return self._chains.effects[self._index]

    def _named(self, part: str) -> str:
        return f"effect {self._index} {part}"

    def _add_head(self) -> None:
        chains, index, effect = self._chains, self._index, self._effect
        self._on = IconButton(self._named("on"), "power", self.tr("On or bypassed"))
        self._on.setCheckable(True)
        self._on.clicked.connect(lambda is_on: chains.set_bypass(index, bypass=not is_on))
        self._head = IconButton(self._named("open"), "chevron-right", self.tr("Show what there is to turn"))
        self._head.setCheckable(True)
        self._head.toggled.connect(self._toggle)
        title = text_of(effect.title)
        title.setToolTip(effect.plugin or effect.title)
        title.setMinimumWidth(1)
        up = IconButton(
            self._named("up"), "arrow-up", self.tr("Earlier"), lambda: chains.move(index, index - 1)
        )
        up.setEnabled(index > 0)
        down = IconButton(
            self._named("down"), "arrow-down", self.tr("Later"), lambda: chains.move(index, index + 1)
        )
        down.setEnabled(index + 1 < len(chains.effects))
        self._window = IconButton(
            self._named("window"),
            "window-restore",
            self.tr("The plug-in's own window"),
            partial(chains.open_window, index),
        )
        self._window.setVisible(bool(effect.plugin))
        gone = IconButton(self._named("remove"), "close", self.tr("Take out"), lambda: chains.remove(index))
        row = row_of(self._head, self._on, title, self._window, up, down, gone, stretch=2)
        row.setSpacing(Space.HAIR)
        self._column.addLayout(row)

    def _toggle(self, is_open: bool) -> None:
        self._head.show_icon("chevron-down" if is_open else "chevron-right")
        self._mix.setVisible(is_open)
        if is_open:
            self._show_body()
        elif self._body is not None:
            self._body.hide()

    def _show_body(self) -> None:
        parameters = self._chains.parameters(self._index)
        if parameters is None:
            self._put_body(self._reason())
        elif not self._values or self._body is None:
            self._put_body(self._rows(parameters))
        assert self._body is not None
        self._body.show()
        values = self._effect.parameters
        for name, row in self._values.items():
            row.show_value(values.get(name))

    def _put_body(self, body: QWidget) -> None:
        if self._body is not None:
            self._column.removeWidget(self._body)
            self._body.deleteLater()
        self._body = body
        self._column.addWidget(body)

    def _reason(self) -> QWidget:
        """Return why there is nothing to turn: the plug-in is being asked, or did not answer."""
        effect = self._effect
        error = self._chains.plugins.error(effect.plugin, effect.name) if effect.plugin else None
        if error is None:
            return text_of(self.tr("Asks the plug-in ..."), "faint", wraps=True)
        made = QWidget()
        column = QVBoxLayout(made)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(text_of(sentence(error), "bad", wraps=True))
        again = IconButton(
            self._named("again"),
            "refresh",
            self.tr("Ask again"),
            partial(self._chains.plugins.try_again, effect.plugin, effect.name),
        )
        column.addWidget(again)
        return made

    def _rows(self, parameters: tuple[EffectParameter, ...]) -> QWidget:
        made = QWidget()
        column = QVBoxLayout(made)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        if len(parameters) > MOST_SHOWN:
            column.addWidget(self._search_line(column, parameters))
        self._fill(column, parameters)
        if not parameters:
            column.addWidget(text_of(self.tr("Nothing to turn."), "faint"))
        return made

    def _search_line(self, column: QVBoxLayout, parameters: tuple[EffectParameter, ...]) -> QLineEdit:
        line = QLineEdit()
        line.setObjectName(self._named("search"))
        line.setAccessibleName(self.tr("Search parameters"))
        line.setPlaceholderText(self.tr("Search %1 parameters").replace("%1", str(len(parameters))))
        line.setClearButtonEnabled(True)

        def search(text: str) -> None:
            self._search = text
            self._fill(column, parameters)
            self.show_effect()

        line.textChanged.connect(search)
        return line

    def _fill(self, column: QVBoxLayout, parameters: tuple[EffectParameter, ...]) -> None:
        for row in self._values.values():
            column.removeWidget(row)
            row.deleteLater()
        self._values = {}
        words = self._search.casefold().split()
        found = [one for one in parameters if all(word in one.title.casefold() for word in words)]
        for parameter in found[:MOST_SHOWN]:
            set_value = partial(self._chains.set_value, self._index, parameter.name)
            row = EffectValue(self._named(parameter.name), parameter, set_value)
            self._values[parameter.name] = row
            column.addWidget(row)


def _mix_of(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 1.0
