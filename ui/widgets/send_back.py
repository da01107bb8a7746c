"""The button that sends a take back to its DAW, with where that is, or why it cannot be."""

from __future__ import annotations

from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from ui.look.scale import Space
from ui.model.job_words import sentence
from ui.model.keys import ActionInfo
from ui.model.sending import SendBack
from ui.widgets.actions import Actions
from ui.widgets.queue_view import button_of


class SendBackBar(QWidget):
    def __init__(self, model: SendBack, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("send back")
        self._model = model
        info = ActionInfo(
            name="take.send back",
            text=self.tr("Send back"),
            group=self.tr("Takes"),
            keys=("Ctrl+Shift+Return",),
        )
        self._action = actions.add(info, model.send, self, icon_name="keyboard-return")
        self._told = QLabel()
        self._told.setObjectName("send back told")
        self._told.setProperty("kind", "faint")
        self._told.setWordWrap(True)
        self._told.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.SMALL)
        row.addWidget(button_of(actions, info.name))
        row.addWidget(self._told, 1)
        model.changed.connect(self._show)
        model.failed.connect(lambda error: self._told.setText(sentence(error)))
        model.sent.connect(lambda _: self._was_sent())
        self._show()

    def _was_sent(self) -> None:
        if (target := self._model.target) is not None:
            self._told.setText(target.next_step)

    def _show(self) -> None:
        target = self._model.target
        self._action.setEnabled(target is not None and target.is_known)
        self._told.setText("" if target is None else target.told)
        # Most jobs are of no DAW: nothing is said of what nobody asked for.
        self.setVisible(target is not None and target.is_of_daw)
