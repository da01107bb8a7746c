"""The one connection of a panel; nothing blocks its caller."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from daw_bridge.client.connection import ANSWER_S, answered, no_answer
from daw_bridge.messages.answers import Progress
from daw_bridge.messages.base import Answer, Request
from daw_bridge.service.config import VERSION, Folders
from engine.errors import EngineError
from engine.types import ErrorInfo
from ui.connection.line import GONE, Answered, Changed, Heard, Line, News, Progressed, Refused, Sent
from ui.connection.status import FOLLOWERS, Engine, LinkState, LinkStatus, Remote
from ui.mail import bring_to

LONG_S = 86_400.0

OnAnswer = Callable[[Any], None]
OnFail = Callable[[ErrorInfo], None]
OnProgress = Callable[[Progress], None]


def _ignore(_: Any) -> None:
    return None


class Link(QObject):
    """Asks the service and hears it; every signal and callback comes in the window's thread."""

    status_changed = pyqtSignal()
    heard = pyqtSignal(object)
    failed = pyqtSignal(object)

    def __init__(self, folders: Folders, remote: Remote | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folders = folders
        self._status = LinkStatus(state=LinkState.SEARCHING)
        self._is_closed = False
        self._tickets = itertools.count(1)
        self._asked: dict[int, _Asked] = {}
        self._line = Line(folders, remote, bring_to(self))

    @property
    def status(self) -> LinkStatus:
        return self._status

    @property
    def folders(self) -> Folders:
        return self._folders

    def start(self) -> None:
        self._line.start()

    def close(self) -> None:
        """Leave the service; nothing is told any more."""
        self._is_closed = True
        self._asked.clear()
        self._line.close()

    def look_again(self) -> None:
        """Look for a service now, also after one that was stopped on purpose."""
        self._line.look_again()

    def ask(
        self,
        request: Request,
        on_answer: OnAnswer = _ignore,
        on_fail: OnFail | None = None,
        *,
        timeout_s: float = ANSWER_S,
        on_progress: OnProgress = _ignore,
    ) -> None:
        """Ask the service; one of the two is called once, later. Without on_fail, failed tells it.

        A link that was closed calls neither.
        """
        if self._is_closed:
            return
        told = self.failed.emit if on_fail is None else on_fail
        ticket = next(self._tickets)
        self._asked[ticket] = _Asked(on_answer, told, on_progress, timeout_s)
        if self._status.is_ready:
            self._line.ask(ticket, request)
        else:
            self._call_later(0, partial(self._refuse, ticket, self._status.error or GONE))

    def take(self, news: News) -> None:
        """Tell what the line's threads bring."""
        # Who asked a link that is closed may be gone, and Qt calls what is gone all the same.
        if self._is_closed:
            return
        match news:
            case Changed():
                self._change(news)
            case Heard():
                self.heard.emit(news.reply)
            case Sent():
                self._give_up_later(news)
            case Refused():
                self._refuse(news.ticket, news.error)
            case Progressed():
                if (asked := self._asked.get(news.ticket)) is not None:
                    asked.on_progress(news.progress)
            case Answered():
                self._settle(news.ticket, news.answer)

    def _change(self, news: Changed) -> None:
        assert news.state in FOLLOWERS[self._status.state] or news.state is self._status.state, (
            f"{self._status.state.value} is not followed by {news.state.value}"
        )
        known = news.engine or self._status.engine
        self._status = replace(self._status, state=news.state, error=news.error, engine=known)
        self.status_changed.emit()

    def _give_up_later(self, sent: Sent) -> None:
        asked = self._asked.get(sent.ticket)
        if asked is None:
            return

        def give_up() -> None:
            sent.forget()
            self._refuse(sent.ticket, no_answer(asked.timeout_s).info)

        self._call_later(int(asked.timeout_s * 1000), give_up)

    def _call_later(self, delay_ms: int, work: Callable[[], None]) -> None:
        """Do work later, unless the link is gone by then: what it tells is told by the link's own signals."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(work)
        timer.timeout.connect(timer.deleteLater)
        timer.start(delay_ms)

    def _refuse(self, ticket: int, error: ErrorInfo) -> None:
        if (asked := self._asked.pop(ticket, None)) is not None:
            asked.on_fail(error)

    def _settle(self, ticket: int, answer: Answer | None) -> None:
        asked = self._asked.pop(ticket, None)
        if asked is None:
            return
        try:
            found = answered(answer)
        except EngineError as error:
            asked.on_fail(error.info)
            return
        asked.on_answer(found)


@dataclass(frozen=True, slots=True)
class _Asked:
    on_answer: OnAnswer
    on_fail: OnFail
    on_progress: OnProgress
    timeout_s: float


def is_of_another_version(engine: Engine) -> bool:
    """Tell whether the service is of another version of this program, as after an update."""
    return engine.version != VERSION
