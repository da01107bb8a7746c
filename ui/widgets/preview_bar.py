"""What the take in the making sounds like so far: hear it, keep it, or give the job up."""

from __future__ import annotations

from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from ui.look.scale import Space
from ui.model.hearing import Hearing
from ui.model.keys import ActionInfo
from ui.model.previews import Preview, Previews
from ui.widgets.actions import Actions
from ui.widgets.transport import button_of


class PreviewBar(QFrame):
    """Is there while there is a preview."""

    def __init__(
        self, previews: Previews, hearing: Hearing, actions: Actions, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("preview")
        self.setAccessibleName(self.tr("Preview"))
        self.setProperty("kind", "group")
        self._previews = previews
        self._told = QLabel()
        self._told.setObjectName("preview told")
        self._listen = self._action(
            actions, "listen", self.tr("Hear preview"), "Shift+P", previews.play, "ear-hearing"
        )
        self._listen.setCheckable(True)
        self._keep = self._action(
            actions, "keep", self.tr("Keep preview"), "K", previews.keep, "content-save"
        )
        self._kill = self._action(
            actions, "kill", self.tr("Give up"), "Shift+K", previews.kill, "close-octagon"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.SMALL, Space.TIGHT, Space.SMALL, Space.TIGHT)
        row.setSpacing(Space.TIGHT)
        row.addWidget(self._told, stretch=1)
        for action in (self._listen, self._keep, self._kill):
            row.addWidget(button_of(action, shows_text=True))
        previews.changed.connect(self._show)
        hearing.changed.connect(self._show)
        self._show()

    def _action(
        self, actions: Actions, name: str, text: str, keys: str, done: object, icon_name: str
    ) -> QAction:
        assert callable(done)
        info = ActionInfo(name=f"preview/{name}", text=text, group=self.tr("Hear"), keys=(keys,))
        return actions.add(info, done, self, icon_name=icon_name)

    def _show(self) -> None:
        newest = self._previews.newest
        self.setVisible(newest is not None)
        for action in (self._listen, self._keep):
            action.setEnabled(newest is not None)
        self._listen.setChecked(self._previews.is_heard)
        self._kill.setEnabled(newest is not None and not self._previews.is_killing)
        if newest is not None:
            self._told.setText(self._sentence(newest))

    def _sentence(self, preview: Preview) -> str:
        if self._previews.is_killing:
            return self.tr("The job ends at its next step.")
        if not preview.total:
            told = self.tr("Take %1 at step %2")
        else:
            told = self.tr("Take %1 at step %2 of %3").replace("%3", str(preview.total))
        return told.replace("%1", str(preview.take)).replace("%2", str(preview.step))
