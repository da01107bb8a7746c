"""Whether the engine is there, in the corner of the window; what can be done about it where it is not."""

from __future__ import annotations

from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from daw_bridge.messages.service import EngineQuit
from daw_bridge.service.config import VERSION
from ui.connection.link import Link, is_of_another_version
from ui.connection.status import LinkState, LinkStatus
from ui.look.scale import Space
from ui.model.job_words import sentence

_KINDS = {
    LinkState.SEARCHING: "warn",
    LinkState.READY: "good",
    LinkState.LOST: "bad",
    LinkState.STOPPED: "warn",
    LinkState.REFUSED: "bad",
}


class EngineChip(QWidget):
    def __init__(self, link: Link, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("engine")
        self._link = link
        self._label = QLabel()
        self._label.setObjectName("engine state")
        self._label.setAccessibleName(self.tr("Engine"))
        self._button = QPushButton()
        self._button.setObjectName("engine action")
        self._button.clicked.connect(self._act)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.SMALL)
        row.addWidget(self._label)
        row.addWidget(self._button)
        link.status_changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        status = self._link.status
        self._label.setText(self._text(status))
        error = status.error
        self._label.setToolTip(sentence(error) if error else self._whereabouts(status))
        self._label.setProperty("kind", "warn" if self._is_outdated(status) else _KINDS[status.state])
        style = self._label.style()
        assert style is not None
        style.polish(self._label)
        action = self._action(status)
        self._button.setText(action)
        self._button.setAccessibleName(action)
        self._button.setVisible(bool(action))

    def _text(self, status: LinkStatus) -> str:
        match status.state:
            case LinkState.SEARCHING:
                return self.tr("Engine starts ...")
            case LinkState.READY if self._is_outdated(status):
                assert status.engine is not None
                return (
                    self.tr("Engine %1, panel %2").replace("%1", status.engine.version).replace("%2", VERSION)
                )
            case LinkState.READY:
                is_remote = status.engine is not None and status.engine.is_remote
                return self.tr("Remote engine ready") if is_remote else self.tr("Engine ready")
            case LinkState.LOST:
                return self.tr("Engine gone, looking for it ...")
            case LinkState.STOPPED:
                return self.tr("Engine stopped")
            case LinkState.REFUSED:
                return self.tr("Engine does not let us in")

    def _whereabouts(self, status: LinkStatus) -> str:
        if status.engine is None:
            return ""
        return f"DAW Bridge {status.engine.version}, {status.engine.address}"

    def _action(self, status: LinkStatus) -> str:
        if status.state is LinkState.STOPPED:
            return self.tr("Start")
        if status.state is LinkState.REFUSED:
            return self.tr("Try again")
        return self.tr("Restart") if self._is_outdated(status) else ""

    def _act(self) -> None:
        if self._is_outdated(self._link.status):
            self._link.ask(EngineQuit(rid="-"), lambda _: self._link.look_again())
        else:
            self._link.look_again()

    def _is_outdated(self, status: LinkStatus) -> bool:
        engine = status.engine
        return (
            status.is_ready and engine is not None and not engine.is_remote and is_of_another_version(engine)
        )
