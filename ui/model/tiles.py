"""Parts of pictures, worked out in a thread while they are wished for, and kept within a bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal

from engine.errors import EngineError
from engine.types import ErrorCode, ErrorInfo
from ui.background import Background, Errand

Tile = NDArray[Any]
# It may stop, with whatever it has, once what it is given says so.
Work = Callable[[Callable[[], bool]], Tile]

MAX_BYTES = 96_000_000


class TileCache:
    """Keeps the tiles that were used last."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._tiles: OrderedDict[Hashable, Tile] = OrderedDict()

    def get(self, key: Hashable) -> Tile | None:
        tile = self._tiles.get(key)
        if tile is not None:
            self._tiles.move_to_end(key)
        return tile

    def put(self, key: Hashable, tile: Tile) -> None:
        """Keep a tile, and lose those that were not used for longest while they are too large together."""
        old = self._tiles.pop(key, None)
        self.nbytes += tile.nbytes - (0 if old is None else old.nbytes)
        self._tiles[key] = tile
        while self.nbytes > self.max_bytes and len(self._tiles) > 1:
            self.nbytes -= self._tiles.popitem(last=False)[1].nbytes

    def __len__(self) -> int:
        return len(self._tiles)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._tiles

    def drop(self, is_gone: Callable[[Hashable], bool]) -> None:
        """Lose all tiles of which is_gone."""
        for key in [key for key in self._tiles if is_gone(key)]:
            self.nbytes -= self._tiles.pop(key).nbytes


@dataclass(slots=True, eq=False)
class _Pending:
    errand: Errand | None = None
    is_off: bool = False

    def call_off(self) -> None:
        self.is_off = True
        if self.errand is not None:
            self.errand.call_off()


class TileLoader(QObject):
    """Fulfils wishes in a thread, the newest first; what is no longer wished for is left undone."""

    arrived = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(
        self, background: Background, max_bytes: int = MAX_BYTES, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.cache = TileCache(max_bytes)
        self._background = background
        self._pending: dict[str, dict[Hashable, _Pending]] = {}
        self._broken: set[Hashable] = set()
        self._turn = 0

    @property
    def pending(self) -> int:
        return sum(map(len, self._pending.values()))

    def wish(self, group: str, wishes: Mapping[Hashable, Work]) -> None:
        """Replace all wishes of a group; the first are fulfilled first."""
        pending = self._pending.setdefault(group, {})
        for key in [key for key in pending if key not in wishes]:
            pending.pop(key).call_off()
        self._turn = self._turn + 1 if self.pending else 1
        for key, work in wishes.items():
            if key not in pending and key not in self.cache and key not in self._broken:
                self._begin(pending, key, work)

    def forget(self, is_gone: Callable[[Hashable], bool] = lambda _: True) -> None:
        """Lose the tiles of which is_gone, wished for or there: what they show is not any more.

        Nobody wishes anew for the others, which show what is still to be seen.
        """
        for pending in self._pending.values():
            for key in [key for key in pending if is_gone(key)]:
                pending.pop(key).call_off()
        self._broken = {key for key in self._broken if not is_gone(key)}
        self.cache.drop(is_gone)

    def _begin(self, pending: dict[Hashable, _Pending], key: Hashable, work: Work) -> None:
        wish = pending[key] = _Pending()
        wish.errand = self._background.run(
            partial(work, lambda: wish.is_off),
            partial(self._keep, pending, key),
            partial(self._fail, pending, key),
            priority=self._turn,
        )

    def _keep(self, pending: dict[Hashable, _Pending], key: Hashable, tile: Tile) -> None:
        pending.pop(key, None)
        self.cache.put(key, tile)
        self.arrived.emit()

    def _fail(self, pending: dict[Hashable, _Pending], key: Hashable, error: Exception) -> None:
        pending.pop(key, None)
        self._broken.add(key)
        self.failed.emit(told(error))


def told(error: Exception) -> ErrorInfo:
    """Return an error as it is shown; what nobody expected keeps its own words."""
    if isinstance(error, EngineError):
        return error.info
    return ErrorInfo(
        code=ErrorCode.INTERNAL,
        message=f"the sound could not be shown: {error}",
        hint="Open it again; if that does not help, report it.",
    )
