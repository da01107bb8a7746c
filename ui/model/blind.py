"""Listening without knowing: takes in an order that nobody sees until the choice is made."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from ui.model.store import Store
from ui.model.takes import TakeRow

MOST_RESULTS = 200
_RESULTS = "blind_results"

Shuffle = Callable[[list[int]], None]


class BlindState(Enum):
    """CHOSEN has a choice that is not shown yet."""

    OFF = "off"
    LISTENING = "listening"
    CHOSEN = "chosen"
    REVEALED = "revealed"


FOLLOWERS: dict[BlindState, frozenset[BlindState]] = {
    BlindState.OFF: frozenset({BlindState.LISTENING}),
    BlindState.LISTENING: frozenset({BlindState.CHOSEN, BlindState.REVEALED, BlindState.OFF}),
    BlindState.CHOSEN: frozenset({BlindState.CHOSEN, BlindState.REVEALED, BlindState.OFF}),
    BlindState.REVEALED: frozenset({BlindState.LISTENING, BlindState.OFF}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """order has the indexes of the takes as they stand; choice is one of them."""

    state: BlindState = BlindState.OFF
    order: tuple[int, ...] = ()
    choice: int | None = None

    @property
    def hides(self) -> bool:
        """Tell whether names, scores and ranks are to be kept from the eye."""
        return self.state in (BlindState.LISTENING, BlindState.CHOSEN)

    @property
    def shuffles(self) -> bool:
        return self.state is not BlindState.OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindResult:
    """What somebody chose without knowing: the take's index, best by score is 0, out of how many."""

    job_id: str
    index: int
    takes: int
    seed: int


class BlindTest(QObject):
    """Shuffles, takes one choice, and keeps what it was."""

    changed = pyqtSignal()
    revealed = pyqtSignal(object)

    def __init__(
        self, store: Store, shuffle: Shuffle = random.shuffle, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._shuffle = shuffle
        self._blind = Blind()
        self._takes: tuple[TakeRow, ...] = ()

    @property
    def blind(self) -> Blind:
        return self._blind

    @property
    def results(self) -> list[dict[str, Any]]:
        """Return all that was chosen blindly, oldest first."""
        return list(self._store.get(_RESULTS, []))

    def follow(self, takes: Sequence[TakeRow]) -> None:
        """Take over the takes there are; those of another job end a test."""
        jobs = {row.job_id for row in (*takes, *self._takes)}
        self._takes = tuple(takes)
        if len(jobs) > 1:
            self.stop()
        elif self._blind.shuffles:
            indexes = [row.index for row in takes if row.is_present]
            kept = [index for index in self._blind.order if index in indexes]
            order = (*kept, *(index for index in indexes if index not in kept))
            self._blind = replace(self._blind, order=order)

    def ordered(self, takes: Sequence[TakeRow]) -> tuple[TakeRow, ...]:
        """Return takes as they stand now: best first, or shuffled."""
        if not self._blind.shuffles:
            return tuple(takes)
        rows = {row.index: row for row in takes}
        return tuple(rows[index] for index in self._blind.order if index in rows)

    def start(self) -> None:
        """Shuffle the takes that can be heard, and hide what is known of them."""
        order = [row.index for row in self._takes if row.is_present]
        self._shuffle(order)
        self._to(Blind(state=BlindState.LISTENING, order=tuple(order)))

    def choose(self, index: int) -> None:
        """Choose a take without being told which it is."""
        assert index in self._blind.order, "a take that was shuffled"
        self._to(replace(self._blind, state=BlindState.CHOSEN, choice=index))

    def reveal(self) -> BlindResult | None:
        """Show what was heard; return what was chosen, which is kept too, and None without a choice."""
        row = next((row for row in self._takes if row.index == self._blind.choice), None)
        self._to(replace(self._blind, state=BlindState.REVEALED))
        if row is None:
            return None
        takes = len(self._blind.order)
        result = BlindResult(job_id=row.job_id, index=row.index, takes=takes, seed=row.seed)
        self._store.put(_RESULTS, [*self.results, asdict(result)][-MOST_RESULTS:])
        self.revealed.emit(result)
        return result

    def stop(self) -> None:
        """Let the takes stand best first again."""
        if self._blind.state is not BlindState.OFF:
            self._to(Blind())

    def _to(self, blind: Blind) -> None:
        before = self._blind.state
        assert blind.state in FOLLOWERS[before], f"{before.value} is not followed by {blind.state.value}"
        self._blind = blind
        self.changed.emit()
