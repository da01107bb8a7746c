"""What a recalled take has beyond what has a place of its own here: one chip each, which lets it go."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtWidgets import QVBoxLayout, QWidget

from ui.look.scale import Space, Type
from ui.model.draft import DraftModel
from ui.model.rest import RestPart, parts_of
from ui.widgets.say.parts import IconButton, row_of, text_of


class RestChips(QWidget):
    def __init__(self, draft: DraftModel) -> None:
        super().__init__()
        self._draft = draft
        self._shown: tuple[RestPart, ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(Space.TIGHT)
        self._chips: list[QWidget] = []
        draft.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        parts = parts_of(self._draft.draft)
        self.setVisible(bool(parts))
        if parts == self._shown:
            return
        self._shown = parts
        for chip in self._chips:
            self._column.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = [self._chip(part) for part in parts]
        for chip in self._chips:
            self._column.addWidget(chip)

    def _chip(self, part: RestPart) -> QWidget:
        chip = QWidget()
        chip.setObjectName(f"rest {part.name}")
        text = self._told(part)
        label = text_of(text, "warn", step=Type.SMALL, wraps=True)
        gone = self.tr("Let go: %1").replace("%1", text)
        button = IconButton(f"rest {part.name} drop", "close", gone, self._dropping(part))
        chip.setLayout(row_of(label, button, stretch=0))
        return chip

    def _dropping(self, part: RestPart) -> Callable[[], None]:
        def drop() -> None:
            self._draft.drop_rest(*part.keys)
            self._draft.reset(*part.parameters)

        return drop

    def _told(self, part: RestPart) -> str:
        prompts = self.tr("One further prompt") if part.count == 1 else self.tr("%1 further prompts")
        words = {
            "conditions": prompts,
            "prompt_curve": self.tr("The prompt's weight changes over time"),
            "variation": self.tr("A variation, %1 percent away"),
            "delivery": self.tr("Comes back by settings of its own"),
            "sample_rate_hz": self.tr("At %1 Hz"),
            "batch": self.tr("Sampled as one of %1 takes"),
        }
        told = words.get(part.name, self.tr("Also: %2").replace("%2", part.name))
        return told.replace("%1", str(part.count))
