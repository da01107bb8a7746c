"""What is dropped on the panel, or opened by it: sounds, takes with their recipes, presets and chains."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.errors import storage_errors
from daw_bridge.live.chains import ChainStore
from daw_bridge.live.deliveries import Deliveries
from daw_bridge.live.named_files import file_name
from daw_bridge.messages.chains import ChainList, ChainSave
from daw_bridge.messages.service import AudioRecall, AudioRecallDone
from engine.errors import EngineError, SpecError
from engine.spec_json import parse_json, spec_from_dict
from engine.types import ErrorCode, ErrorInfo, RenderSpec
from ui.background import Background
from ui.connection.link import Link
from ui.model.draft import DraftModel
from ui.model.job_words import said
from ui.model.store import Store

if TYPE_CHECKING:
    from daw_bridge.service.config import Folders

MOST_RECENT = 20
_SOUNDS = frozenset(
    {
        *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".caf", ".au", ".snd"),
        *(".flac", ".ogg", ".oga", ".opus", ".mp3"),
    }
)
_HINT = "Drop a sound, a take, a preset or a chain."
_MOST_TRIES = 1_000


class Kind(Enum):
    SOUND = "sound"
    PRESET = "preset"
    CHAIN = "chain"
    RENDER_PRESET = "render preset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file is; path is the sound itself where its recipe was dropped."""

    path: Path
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a sound was made; source tells how what it was made from is found now."""

    path: str
    spec: RenderSpec
    source: str


class Incoming(QObject):
    """Decides what becomes of files; whoever shows sounds, recipes or presets listens to its signals."""

    opened = pyqtSignal(str)
    recipe_found = pyqtSignal(object)
    preset_found = pyqtSignal(str)
    imported = pyqtSignal(str)
    refused = pyqtSignal(object)
    recent_changed = pyqtSignal()

    def __init__(self, link: Link, draft: DraftModel, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._draft = draft
        self._store = store
        self._current = ""
        self._is_recipe_wanted = False
        self._seen = ""
        link.status_changed.connect(self._look_for_recipe)
        self._background = Background(parent=self)

    @property
    def recent(self) -> tuple[str, ...]:
        """Return the sounds that were opened or dropped, the latest first."""
        return tuple(map(str, self._store.get("recent", [])))

    def close(self) -> None:
        self._background.close()

    def receive(self, paths: Sequence[str]) -> None:
        """Take files in: of several sounds the first one is opened, and the others are among the recent."""
        whole = [Path(path).absolute() for path in paths]
        if not whole:
            self.refused.emit(
                ErrorInfo(code=ErrorCode.IO_FORMAT, message=said("no file is in it"), hint=_HINT)
            )
            return
        self._background.run(partial(_sorted_out, whole), self._take, self._fail)

    def see(self, path: str) -> None:
        """Learn which sound is seen, none while one is read: what was taken in here may have a recipe."""
        self._seen = path
        self._look_for_recipe()

    def restore(self, recipe: Recipe) -> None:
        """Let the draft become what a sound was made with."""
        self._draft.recall(recipe.spec)

    def _take(self, found: tuple[list[Found], list[EngineError]]) -> None:
        files, errors = found
        sounds = [str(one.path) for one in files if one.kind is Kind.SOUND]
        if sounds:
            self._open(sounds)
        for one in files:
            self._import(one)
        # Last: what is opened puts away what was told before.
        for error in errors:
            self.refused.emit(error.info)

    def _open(self, sounds: list[str]) -> None:
        kept = [*sounds, *(path for path in self.recent if path not in sounds)]
        self._store.put("recent", kept[:MOST_RECENT])
        self.recent_changed.emit()
        self._current = sounds[0]
        self._is_recipe_wanted = True
        self.opened.emit(sounds[0])

    def _look_for_recipe(self) -> None:
        """Ask once, when an engine is there and the sound is seen."""
        if not self._is_recipe_wanted or self._seen != self._current or not self._link.status.is_ready:
            return
        self._is_recipe_wanted = False
        request = AudioRecall(rid="-", path=self._current)
        self._link.ask(request, partial(self._recalled, self._current), partial(self._not_recalled, request))

    def _not_recalled(self, request: AudioRecall, error: ErrorInfo) -> None:
        """Ask again where the engine was lost; most sounds are no takes, and then there is nothing to say."""
        if error.code is ErrorCode.TIMEOUT and request.path == self._current:
            self._is_recipe_wanted = True

    def _recalled(self, path: str, answer: AudioRecallDone) -> None:
        if path != self._seen:
            return
        try:
            spec = spec_from_dict(answer.spec)
        except EngineError as error:
            self.refused.emit(error.info)
            return
        self.recipe_found.emit(Recipe(path=path, spec=spec, source=answer.source))

    def _import(self, found: Found) -> None:
        match found.kind:
            case Kind.PRESET:
                self.preset_found.emit(str(found.path))
            case Kind.CHAIN:
                self._ask(ChainList(rid="-"), partial(self._save_chain, found.path))
            case Kind.RENDER_PRESET:
                work = partial(_render_preset_imported, found.path, self._link.folders)
                self._background.run(work, self._was_imported, self._fail)
            case Kind.SOUND:
                pass

    def _save_chain(self, path: Path, answer: Any) -> None:
        """Keep a chain under a name that none has yet: what is there is not overwritten."""
        name = _free(path.stem, lambda wanted: wanted in answer.chains["chains"])
        self._ask(
            ChainSave(rid="-", name=name, chain=str(path)),
            lambda _: self.imported.emit(said("The chain %1 was imported.", name)),
        )

    def _was_imported(self, name: str) -> None:
        self.imported.emit(said("The render preset %1 was imported.", name))

    def _fail(self, error: Exception) -> None:
        if isinstance(error, EngineError):
            self.refused.emit(error.info)
        else:
            self.refused.emit(ErrorInfo(code=ErrorCode.INTERNAL, message=str(error)))

    def _ask(self, request: Any, on_answer: Callable[[Any], None]) -> None:
        self._link.ask(request, on_answer, self.refused.emit)


def _sorted_out(paths: Sequence[Path]) -> tuple[list[Found], list[EngineError]]:
    found: list[Found] = []
    errors: list[EngineError] = []
    for path in paths:
        try:
            found.append(_found(path))
        except EngineError as error:
            errors.append(error)
    return found, errors


def _found(path: Path) -> Found:
    """Return what a file is; raises SpecError in one sentence for anything that has no use here."""
    if path.is_dir():
        raise SpecError(f"{path.name} is a folder", "Drop the sounds in it.")
    if not path.is_file():
        raise SpecError(f"{path} is not there", _HINT)
    suffix = path.suffix.lower()
    if suffix in _SOUNDS:
        return Found(path=path, kind=Kind.SOUND)
    if suffix == ".toml":
        return Found(path=path, kind=_kind_of_toml(path))
    if suffix == ".json":
        return _found_of_json(path)
    raise SpecError(f"{path.name} is nothing that can be used here", _HINT)


def _kind_of_toml(path: Path) -> Kind:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"{path.name} cannot be read: {error}", _HINT) from error
    return Kind.CHAIN if "effects" in content else Kind.RENDER_PRESET


def _found_of_json(path: Path) -> Found:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path.name} cannot be read: {error}", _HINT) from error
    if isinstance(content, dict) and isinstance(content.get("values"), dict):
        return Found(path=path, kind=Kind.PRESET)
    for suffix in sorted(_SOUNDS):
        if (sound := path.with_suffix(suffix)).is_file():
            return Found(path=sound, kind=Kind.SOUND)
    raise SpecError(f"{path.name} is neither a preset nor the recipe of a sound beside it", _HINT)


def _render_preset_imported(path: Path, folders: Folders) -> str:
    """Copy a render preset to the user's, if it is one, under a free name, which is returned."""
    Deliveries(folders.render_presets, ChainStore(folders.chains)).named(path.name, path.parent)
    name = _free(path.stem, lambda wanted: (folders.render_presets / file_name(wanted, ".toml")).exists())
    target = folders.render_presets / file_name(name, ".toml")
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return name


def _free(name: str, is_taken: Callable[[str], bool]) -> str:
    numbered = (f"{name[:60]} {number}" for number in range(2, _MOST_TRIES))
    return name if not is_taken(name) else next(one for one in numbered if not is_taken(one))
