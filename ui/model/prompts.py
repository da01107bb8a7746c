"""What was asked for so far: each prompt once, the newest first, also while the engine is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from daw_bridge.messages.events import JobDoneEvent
from daw_bridge.messages.parameters import PROMPT
from daw_bridge.messages.takes import HistoryDeleteDone, HistorySearch, HistorySearchDone
from ui.connection.link import Link

if TYPE_CHECKING:
    from ui.model.store import Store

MOST_CHARACTERS = PROMPT.most
# From here on the user is told how much room is left.
NEAR_CHARACTERS = MOST_CHARACTERS - 200
MOST_PROMPTS = 500
_MOST_JOBS = 2_000
_PAGE = 100
_LATER_MS = 500
_ENDED = ("finished", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPrompt:
    """A prompt that was rendered; best_score is that of its best take, None where none is known."""

    text: str
    times: int = 1
    best_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    seq: int
    text: str
    score: float | None
    is_ended: bool


class PromptHistory(QObject):
    """Past prompts from the engine's history, over those that are kept from before."""

    changed = pyqtSignal()

    def __init__(self, link: Link, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._store = store
        self._jobs: dict[str, _Heard] = {}
        self._kept = _kept(store.get("prompts", []))
        self._prompts = self._kept
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_LATER_MS)
        self._timer.timeout.connect(partial(self._ask, 0))
        link.status_changed.connect(self._meet)
        link.heard.connect(self._hear)
        self._meet()

    @property
    def prompts(self) -> tuple[PastPrompt, ...]:
        return self._prompts

    def found(self, words: str) -> list[PastPrompt]:
        """Return the prompts that hold all of these words somewhere, the newest first."""
        wanted = words.casefold().split()
        return [one for one in self._prompts if all(word in one.text.casefold() for word in wanted)]

    def add(self, text: str) -> None:
        """Note a prompt that is rendered just now; how it does comes from the engine."""
        if text := text.strip():
            known = next((one for one in self._prompts if one.text == text), None)
            first = PastPrompt(text=text) if known is None else replace(known, times=known.times + 1)
            self._put((first, *(one for one in self._prompts if one.text != text)))

    def _meet(self) -> None:
        if self._link.status.is_ready:
            # It may be another engine, with a history of its own.
            self._jobs.clear()
            self._ask(0)

    def _hear(self, reply: object) -> None:
        if isinstance(reply, JobDoneEvent | HistoryDeleteDone):
            self._timer.start()

    def _ask(self, offset: int) -> None:
        request = HistorySearch(rid="-", text="", limit=_PAGE, offset=offset)
        self._link.ask(request, partial(self._take, offset), lambda _: None)

    def _take(self, offset: int, answer: HistorySearchDone) -> None:
        page: list[Mapping[str, Any]] = answer.jobs.get("jobs", [])
        is_known = bool(page) and all(self._is_settled(str(job["id"])) for job in page)
        self._jobs |= {str(job["id"]): _heard(job) for job in page}
        is_more = bool(page) and (len(page) == _PAGE or bool(answer.jobs.get("more")))
        if is_more and not is_known and len(self._jobs) < _MOST_JOBS:
            self._ask(offset + len(page))
        else:
            self._put(_merged(self._jobs.values(), self._kept))

    def _is_settled(self, job_id: str) -> bool:
        known = self._jobs.get(job_id)
        return known is not None and known.is_ended

    def _put(self, prompts: tuple[PastPrompt, ...]) -> None:
        prompts = prompts[:MOST_PROMPTS]
        if prompts != self._prompts:
            self._prompts = self._kept = prompts
            self._store.put("prompts", [asdict(one) for one in prompts])
            self.changed.emit()


class PromptWalk:
    """Goes through past prompts from what is being written, and back to it."""

    def __init__(self, history: PromptHistory) -> None:
        self._history = history
        self._place = -1
        self._written = ""
        self._shown = ""

    def older(self, text: str) -> str:
        """Return the prompt before the one that is shown; that itself where there is none."""
        self._begin(text)
        return self._go(self._place + 1, text)

    def newer(self, text: str) -> str:
        """Return the prompt after the one that is shown, at last what was being written."""
        self._begin(text)
        return self._go(self._place - 1, text)

    def _begin(self, text: str) -> None:
        """Take what is shown as newly written, unless a step before has brought it."""
        if self._place < 0 or text != self._shown:
            self._place, self._written = -1, text

    def _go(self, place: int, text: str) -> str:
        prompts = [one.text for one in self._history.prompts if one.text != self._written]
        if not -1 <= place < len(prompts):
            return text
        self._place = place
        self._shown = self._written if place < 0 else prompts[place]
        return self._shown


def _heard(job: Mapping[str, Any]) -> _Heard:
    score = job.get("best_score")
    return _Heard(
        seq=int(job["seq"]),
        text=str(job["prompt"]).strip(),
        score=None if score is None else float(score),
        is_ended=job["state"] in _ENDED,
    )


def _merged(jobs: Any, kept: tuple[PastPrompt, ...]) -> tuple[PastPrompt, ...]:
    """Return the prompts of jobs, the newest first, then those from before that are in none of them."""
    found: dict[str, PastPrompt] = {}
    for job in sorted(jobs, key=lambda one: -one.seq):
        if job.text:
            known = found.get(job.text)
            times = 1 if known is None else known.times + 1
            best = _best(None if known is None else known.best_score, job.score)
            found[job.text] = PastPrompt(text=job.text, times=times, best_score=best)
    rest = (one for one in kept if one.text not in found)
    return (*found.values(), *rest)


def _best(first: float | None, second: float | None) -> float | None:
    known = [score for score in (first, second) if score is not None]
    return max(known, default=None)


def _kept(content: list[Any]) -> tuple[PastPrompt, ...]:
    """Return the prompts that were kept; what cannot be read is left out."""
    found = []
    for item in content:
        match item:
            case {"text": str(text), "times": int(times), "best_score": float() | int() | None as score}:
                found.append(PastPrompt(text=text, times=times, best_score=score))
    return tuple(found[:MOST_PROMPTS])
