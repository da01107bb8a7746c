"""The worker's door to the installed models."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from engine.errors import BadJson
from engine.models.companions import Companions
from engine.models.export import bundle_folder, export_model
from engine.models.export_limits import Layout
from engine.models.known import KNOWN_MODELS
from engine.models.store import (
    DOWNLOADS,
    ImportOptions,
    ModelEntry,
    checksums_of,
    import_model,
    list_models,
    models_folder,
    pull_model,
    remove_model,
    verify_model,
)
from engine.requests import Request, text_of

POLL_S = 0.5
Payload = dict[str, object]
OnProgress = Callable[[Payload], None]
IsCancelled = Callable[[], bool]
# What a message has room for counts no bytes of the largest models.
KILOBYTE = 1_000


def run_models(request: Request, on_progress: OnProgress, cancelled: IsCancelled = lambda: False) -> Payload:
    """Do request's action and return the models it concerned; a download tells its progress in kilobytes.

    An export returns the path written, its size, and what is left out.

    Raises:
        BadJson: no such action, or a missing argument.
        Cancelled: a download that is not wanted any more; what has arrived is kept for the next one.
        EngineError: what engine.models.store raises.
    """
    action = request.get("action")
    actions: dict[object, Callable[[], list[ModelEntry]]] = {
        "list": list_models,
        "pull": lambda: [_pulled(text_of(request, "name"), on_progress, cancelled)],
        "import": lambda: [import_model(Path(text_of(request, "path")), _import_options(request))],
        "verify": lambda: _verified(str(request.get("name") or ""), on_progress),
        "remove": lambda: [remove_model(text_of(request, "name"))],
    }
    if action == "export":
        return _exported(request, on_progress)
    if action not in actions:
        raise BadJson(f"request.action is {action!r}, not one of {', '.join(map(str, actions))}, export")
    entries = actions[action]()
    found: Payload = {"models": [asdict(entry) for entry in entries], "folder": str(models_folder())}
    if action == "verify":
        found["checksums"] = {entry.name: checksums_of(entry.name) for entry in entries}
    return found


def _exported(request: Request, on_progress: OnProgress) -> Payload:
    """Write a model in another layout; path is the bundle where no model is called name."""
    layouts = [layout.value for layout in Layout]
    if request.get("layout") not in layouts:
        raise BadJson(f"request.layout is {request.get('layout')!r}, not one of {', '.join(layouts)}")
    on_progress({"stage": "export", "step": 0, "total": 1})
    folder = bundle_folder(text_of(request, "name"), Path(text_of(request, "path")))
    into, force = Path(text_of(request, "into")), request.get("force") is True
    done = export_model(folder, Layout(request["layout"]), into, force)
    return asdict(done) | {"path": str(done.path)}


def _verified(name: str, on_progress: OnProgress) -> list[ModelEntry]:
    names = [name] if name else [entry.name for entry in list_models() if entry.installed]
    entries: list[ModelEntry] = []
    for index, each in enumerate(names):
        on_progress({"stage": "verify", "step": index, "total": len(names)})
        entries.append(verify_model(each))
    return entries


def _pulled(name: str, on_progress: OnProgress, cancelled: IsCancelled) -> ModelEntry:
    expected_bytes = KNOWN_MODELS[name].download_bytes if name in KNOWN_MODELS else 0
    with _watched(models_folder() / DOWNLOADS / name, expected_bytes, on_progress):
        return pull_model(name, cancelled=cancelled)


@contextmanager
def _watched(folder: Path, expected_bytes: int, on_progress: OnProgress) -> Iterator[None]:
    """Report the size of a growing folder."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(POLL_S):
            present_bytes = sum(_size(path) for path in folder.rglob("*"))
            total = max(1, expected_bytes // KILOBYTE)
            on_progress({"stage": "download", "step": min(present_bytes // KILOBYTE, total), "total": total})

    watcher = threading.Thread(target=report, name="download progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _import_options(request: Request) -> ImportOptions:
    def given(key: str) -> Path | None:
        value = request.get(key)
        return Path(str(value)) if value else None

    return ImportOptions(
        name=str(request.get("name") or "") or None,
        weights="live" if request.get("weights") == "live" else "ema",
        diffusers_compatible=request.get("diffusers_compatible") is True,
        full_precision=request.get("full_precision") is True,
        companions=Companions(clap=given("clap"), tokenizer=given("tokenizer"), vocoder=given("vocoder")),
    )
