"""The bar of an external editor: which file it is, and what becomes of it."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMessageBox, QSizePolicy, QWidget

from engine.types import ErrorInfo
from ui.look.scale import Space
from ui.model.editing import EditModel
from ui.model.job_words import sentence
from ui.model.keys import ActionInfo
from ui.widgets.actions import Actions
from ui.widgets.queue_view import button_of


class ApplyBar(QFrame):
    """Shows an edit; close_wanted is told once the user lets a take go that was not applied."""

    close_wanted = pyqtSignal()

    def __init__(self, model: EditModel, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("apply bar")
        self.setProperty("kind", "group")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._model = model
        self._actions = actions
        self._file = QLabel(model.path.name)
        self._file.setObjectName("edited file")
        self._file.setToolTip(str(model.path))
        self._file.setAccessibleName(self.tr("Edited file"))
        self._state = QLabel()
        self._state.setObjectName("edit state")
        self._state.setWordWrap(True)
        self._is_asked = False
        self._make_actions()
        self._lay_out()
        model.changed.connect(self._show)
        model.failed.connect(self._fail)
        model.overtaken.connect(self._ask_to_overwrite)
        self._show()

    def may_close(self) -> bool:
        """Tell whether nothing is lost by closing; else ask, and close_wanted tells a yes."""
        if not self._model.is_unsaved or self._is_asked:
            return True
        box = self._box(
            "edit unsaved",
            self.tr("Close without applying?"),
            self.tr("%1 stays as it is; your takes stay in the history.").replace(
                "%1", self._model.path.name
            ),
        )
        yes = box.addButton(self.tr("Close"), QMessageBox.ButtonRole.DestructiveRole)
        apply = box.addButton(self.tr("Apply and close"), QMessageBox.ButtonRole.AcceptRole)
        assert yes is not None and apply is not None
        yes.setObjectName("close unsaved")
        apply.setObjectName("apply and close")
        yes.clicked.connect(self._let_go)
        apply.clicked.connect(self._apply_and_close)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        box.open()
        return False

    def _make_actions(self) -> None:
        group = self.tr("External editor")
        apply = ActionInfo(name="edit.apply", text=self.tr("Apply"), group=group, keys=("Ctrl+S",))
        undo = ActionInfo(name="edit.undo", text=self.tr("Take back"), group=group, keys=("Ctrl+Alt+Z",))
        self._actions.add(apply, self._model.apply, self, icon_name="check")
        self._actions.add(undo, self._model.undo, self, icon_name="undo")

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.MEDIUM, Space.TIGHT, Space.MEDIUM, Space.TIGHT)
        row.setSpacing(Space.SMALL)
        row.addWidget(self._file)
        row.addWidget(self._state, 1)
        for name in ("edit.undo", "edit.apply"):
            button = button_of(self._actions, name)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            row.addWidget(button)

    def _show(self) -> None:
        model = self._model
        if model.is_applied:
            self._say(self.tr("The file is this take; what it was is kept beside it."), "good")
        elif model.chosen is None:
            self._say(self.tr("Render and choose a take, then apply it to the file."), "faint")
        else:
            self._say(self.tr("Apply writes the chosen take over the file."), "faint")
        self._actions["edit.apply"].setEnabled(model.can_apply)
        self._actions["edit.undo"].setEnabled(model.can_undo)

    def _say(self, text: str, kind: str) -> None:
        self._state.setText(text)
        self._state.setProperty("kind", kind)
        style = self._state.style()
        assert style is not None
        style.polish(self._state)

    def _fail(self, error: ErrorInfo) -> None:
        self._say(sentence(error), "bad")

    def _ask_to_overwrite(self) -> None:
        box = self._box(
            "edit overtaken",
            self.tr("%1 was changed by another program.").replace("%1", self._model.path.name),
            self.tr("Write over it all the same? What it is now is kept beside it."),
        )
        yes = box.addButton(self.tr("Write over it"), QMessageBox.ButtonRole.DestructiveRole)
        assert yes is not None
        yes.setObjectName("write over")
        again = self._model.apply if self._model.can_apply else self._model.undo
        yes.clicked.connect(lambda: again(though_changed=True))
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        box.open()

    def _let_go(self) -> None:
        self._is_asked = True
        self.close_wanted.emit()

    def _apply_and_close(self) -> None:
        self._model.applied.connect(lambda _: self.close_wanted.emit())
        self._model.apply()

    def _box(self, name: str, text: str, more: str) -> QMessageBox:
        box = QMessageBox(self)
        box.setObjectName(name)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(text)
        box.setInformativeText(more)
        return box
