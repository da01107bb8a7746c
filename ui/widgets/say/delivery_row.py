"""How takes come back: loudness, fades and format by the name of a render preset."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ui.look.scale import Space, Type
from ui.model.draft import DraftModel
from ui.model.presets import PresetsModel
from ui.widgets.say.fields import shrink
from ui.widgets.say.handling import Handling
from ui.widgets.say.parts import row_of, text_of


class DeliveryRow(QWidget):
    def __init__(self, presets: PresetsModel, draft: DraftModel) -> None:
        super().__init__()
        self._presets, self._draft = presets, draft
        self.box = QComboBox()
        self.box.setObjectName("render preset")
        self.box.setAccessibleName(self.tr("How takes come back"))
        self.box.setToolTip(self.tr("Loudness, fades, file format and names of the takes."))
        shrink(self.box)
        Handling(self.box, lambda: draft.reset("render_preset"))
        self.box.activated.connect(lambda place: draft.change(render_preset=str(self.box.itemData(place))))
        title = text_of(self.tr("How takes come back"))
        title.setBuddy(self.box)
        self._about = text_of("", "faint", wraps=True, step=Type.SMALL)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addLayout(row_of(title, self.box, stretch=1))
        column.addWidget(self._about)
        presets.changed.connect(self._fill)
        draft.changed.connect(self._show)
        self._fill()

    def _fill(self) -> None:
        self.box.clear()
        self.box.addItem(self.tr("As they are made"), "")
        for one in self._presets.render_presets:
            self.box.addItem(one.name, one.name)
            self.box.setItemData(self.box.count() - 1, one.description, Qt.ItemDataRole.ToolTipRole)
        self._show()

    def _show(self) -> None:
        name = str(self._draft.draft["render_preset"])
        if self.box.findData(name) < 0:
            self.box.addItem(name, name)
        self.box.setCurrentIndex(self.box.findData(name))
        found = (one.description for one in self._presets.render_presets if one.name == name)
        self._about.setText(next(found, ""))
        self._about.setVisible(bool(self._about.text()))
