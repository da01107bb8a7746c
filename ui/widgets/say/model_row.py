"""The model that renders, and the way to all the others."""

from __future__ import annotations

from PyQt6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ui.look.scale import Space, Type
from ui.model.advice import advised
from ui.model.draft import DraftModel
from ui.model.models import ModelsModel
from ui.widgets.say.fields import shrink
from ui.widgets.say.handling import Handling
from ui.widgets.say.model_dialog import ModelDialog
from ui.widgets.say.parts import IconButton, row_of, text_of


class ModelRow(QWidget):
    def __init__(self, models: ModelsModel, draft: DraftModel) -> None:
        super().__init__()
        self._models, self._draft = models, draft
        self.box = QComboBox()
        self.box.setObjectName("model")
        self.box.setAccessibleName(self.tr("Model"))
        self.box.setToolTip(self.tr("What makes the sound; the list has those that are installed."))
        shrink(self.box)
        Handling(self.box, lambda: draft.reset("model"))
        self.box.activated.connect(lambda place: draft.change(model=str(self.box.itemData(place))))
        title = text_of(self.tr("Model"))
        title.setBuddy(self.box)
        more = IconButton("models", "cube-outline", self.tr("All models: download, check, remove"), self.open)
        self._trouble = text_of("", "warn", wraps=True, step=Type.SMALL)
        self._trouble.setObjectName("model trouble")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addLayout(row_of(title, self.box, more, stretch=1))
        column.addWidget(self._trouble)
        models.changed.connect(self._fill)
        draft.changed.connect(self._show)
        self._fill()

    def open(self) -> None:
        ModelDialog(self._models, self._draft, self).open()

    def _fill(self) -> None:
        wanted = [one.name for one in self._models.models if one.is_installed and not one.problem]
        if [self.box.itemData(row) for row in range(self.box.count())] != wanted:
            self.box.clear()
            for name in wanted:
                self.box.addItem(name, name)
        self._show()

    def _show(self) -> None:
        name = str(self._draft.draft["model"])
        if self.box.findData(name) < 0:
            self.box.addItem(name, name)
        self.box.setCurrentIndex(self.box.findData(name))
        trouble = self._told(name) if self._models.is_known else ""
        self._trouble.setText(trouble)
        self._trouble.setVisible(bool(trouble))

    def _told(self, name: str) -> str:
        model = self._models.model(name)
        if model is None:
            return self.tr("This engine has no model %1; choose another one.").replace("%1", name)
        if model.problem:
            return advised(model.problem)
        return "" if model.is_installed else self.tr("%1 is not installed yet.").replace("%1", name)
