"""The worker's door to effect chains and plug-ins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from engine.chain_json import chain_from_dict
from engine.chains import Chain, Effect
from engine.effected import FileChains
from engine.errors import BadJson, Cancelled, NotFound
from engine.fx.child import HostLimits, IsCancelled
from engine.fx.host import edit_plugin, inspect_plugin
from engine.fx.scan import FoundPlugin, Scanner, plugin_files, standard_folders
from engine.fx.wire import plain
from engine.requests import Request, object_of, text_of

# Whoever watches the worker takes it for hung after a long silence, and a window may be open for hours.
ALIVE_S = 30.0
_WAIT_S = 0.1
Payload = dict[str, object]
OnProgress = Callable[[Payload], None]


class ChainJobs:
    """Does what concerns chains and plug-ins, several at once: each has a process of its own for them."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._files = FileChains(clock)
        self._scanning = threading.Lock()
        self._windows: dict[str, threading.Event] = {}

    def run(self, request: Request, on_progress: OnProgress, cancelled: IsCancelled) -> Payload:
        """Do request's action.

        Raises:
            BadJson: no such action, or a missing argument.
            Cancelled: cancelled() was true meanwhile.
            EngineError: what engine.effected, engine.fx.host and engine.fx.scan raise.
        """
        action = request.get("action")
        actions: dict[object, Callable[[Request, OnProgress, IsCancelled], Payload]] = {
            "apply": self._apply,
            "scan": self._scan,
            "inspect": _inspected,
            "window": self._window,
            "close": self._close,
        }
        if action not in actions:
            raise BadJson(f"request.action is {action!r}, not one of {', '.join(map(str, actions))}")
        with kept_alive(str(action), on_progress):
            return actions[action](request, on_progress, cancelled)

    def _apply(self, request: Request, _: OnProgress, cancelled: IsCancelled) -> Payload:
        chain = chain_from_dict(object_of(request, "chain"))
        path, folder = Path(text_of(request, "path")), Path(text_of(request, "folder"))
        limits, stem = limits_of(request, HostLimits()), text_of(request, "stem")
        return asdict(self._files.send(path, chain, folder, stem, limits, cancelled))

    def _scan(self, request: Request, on_progress: OnProgress, cancelled: IsCancelled) -> Payload:
        folders = tuple(map(Path, text_of(request, "folders").split("\n"))) if "folders" in request else None
        scanner = Scanner(
            Path(text_of(request, "cache")), folders, limits_of(request, HostLimits(load_s=30.0))
        )
        with self._turn(cancelled):
            again = [one.path for one in scanner.known() if one.is_blocked and request.get("again") is True]
            total = len(plugin_files(standard_folders() if folders is None else folders))
            tried: list[str] = []

            def tell(one: FoundPlugin) -> None:
                tried.append(one.name)
                on_progress({"stage": "scan", "step": len(tried), "total": total, "item": one.name})

            return {"plugins": [_told(one) for one in scanner.scan(again, tell, cancelled)]}

    @contextmanager
    def _turn(self, cancelled: IsCancelled) -> Iterator[None]:
        """Wait until no other scan runs: the second one then finds all known."""
        while not self._scanning.acquire(timeout=_WAIT_S):
            if cancelled():
                raise Cancelled("the scan was cancelled")
        try:
            yield
        finally:
            self._scanning.release()

    def _window(self, request: Request, _: OnProgress, cancelled: IsCancelled) -> Payload:
        effect, window = _effect(request), text_of(request, "window")
        closed = self._windows[window] = threading.Event()
        try:
            # Closed at a request, what was turned in it is kept; after a cancel too, as far as it was told.
            limits = limits_of(request, HostLimits())
            left = edit_plugin(effect, limits, lambda: closed.is_set() or cancelled())
            return {"effect": plain(left)}
        finally:
            self._windows.pop(window, None)

    def _close(self, request: Request, _: OnProgress, __: IsCancelled) -> Payload:
        window = self._windows.get(text_of(request, "window"))
        if window is None:
            raise NotFound("this window is not open")
        window.set()
        return {}


def _inspected(request: Request, _: OnProgress, cancelled: IsCancelled) -> Payload:
    effect = Effect(plugin=text_of(request, "path"), name=str(request.get("name") or ""))
    report = plain(inspect_plugin(effect, limits_of(request, HostLimits()), cancelled))
    assert isinstance(report, dict)
    return report


def _effect(request: Request) -> Effect:
    chain: Chain = chain_from_dict({"effects": [object_of(request, "effect")]})
    return chain.effects[0]


def _told(one: FoundPlugin) -> Payload:
    return {
        "path": one.path,
        "name": one.name,
        "format": one.format,
        "error": one.error,
        "blocked": one.is_blocked,
        "holds": [plain(each) for each in one.classes],
    }


def limits_of(request: Request, usual: HostLimits) -> HostLimits:
    """Return the time limits, those of the request first; raises BadJson."""
    given = object_of(request, "limits") if "limits" in request else {}
    chosen: dict[str, float] = {}
    for key, value in given.items():
        if key not in ("load_s", "process_s") or not isinstance(value, int | float) or not value > 0:
            raise BadJson(f"request.limits.{key} must be load_s or process_s, and a number above zero")
        chosen[key] = float(value)
    return replace(usual, **chosen)


@contextmanager
def kept_alive(stage: str, on_progress: OnProgress) -> Iterator[None]:
    """Say now and then that the work goes on."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(ALIVE_S):
            on_progress({"stage": stage, "step": 0, "total": 0})

    watcher = threading.Thread(target=report, name="still at it", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
