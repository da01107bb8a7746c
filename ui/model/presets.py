"""Presets of parameters, and how takes come back, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.live.morph import Preset as PresetValues
from daw_bridge.live.presets import preset_of_values, read_preset, write_preset
from daw_bridge.messages.deliveries import DeliveryList, DeliveryListDone
from daw_bridge.messages.live import PresetDelete, PresetList, PresetListDone, PresetLoad, PresetSave
from engine.errors import EngineError, SpecError
from engine.types import ErrorCode, ErrorInfo
from ui.background import Background
from ui.connection.link import Link

if TYPE_CHECKING:
    from daw_bridge.messages.arguments import ParameterValue
    from ui.model.draft import DraftModel

# Of what is being made, not of how; and a model may not be installed where the preset is loaded.
_NOT_SAVED = frozenset({"morph", "seed", "variation_seed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """is_built_in: as it came with the program, is_changed: the user's in the place of one of these.

    prompt_b is the second of two prompts.
    """

    name: str
    values: Mapping[str, ParameterValue] = field(default_factory=lambda: MappingProxyType({}))
    prompt_b: str | None = None
    is_built_in: bool = False
    is_changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderPreset:
    """How takes come back."""

    name: str
    description: str
    chain: str


class PresetsModel(QObject):
    """The presets of the service; failed tells what could not be done."""

    changed = pyqtSignal()
    failed = pyqtSignal(object)
    # A preset was taken in from a file: its name now.
    imported = pyqtSignal(str)

    def __init__(self, link: Link, draft: DraftModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._draft = draft
        self._background = Background(parent=self)
        self._presets: tuple[Preset, ...] = ()
        self._render_presets: tuple[RenderPreset, ...] = ()
        self._damaged: Mapping[str, str] = MappingProxyType({})
        link.status_changed.connect(self.refresh)
        self.refresh()

    @property
    def presets(self) -> tuple[Preset, ...]:
        return self._presets

    @property
    def render_presets(self) -> tuple[RenderPreset, ...]:
        return self._render_presets

    @property
    def damaged(self) -> Mapping[str, str]:
        """Return files that hold no preset, with the reason."""
        return self._damaged

    @property
    def current(self) -> Preset | None:
        """Return the preset whose values are all as the draft has them; of several the one that says most."""
        draft = self._draft.draft
        fitting = [
            one
            for one in self._presets
            if one.values and all(draft[name] == value for name, value in one.values.items())
        ]
        return max(fitting, key=lambda one: len(one.values), default=None)

    def preset(self, name: str) -> Preset | None:
        return next((one for one in self._presets if one.name == name), None)

    def refresh(self) -> None:
        if self._link.status.is_ready:
            self._link.ask(PresetList(rid="-"), self._take)
            self._link.ask(DeliveryList(rid="-"), self._take_deliveries)

    def load(self, name: str) -> None:
        """Set what a preset holds; one that is known is set also while the engine is away."""
        preset = self.preset(name)
        if preset is None:
            self.failed.emit(_unknown(name))
            return
        self._draft.change(**preset.values)
        if preset.prompt_b is not None:
            # The service alone knows the way between two prompts.
            self._link.ask(PresetLoad(rid="-", name=name), lambda _: None, self._tell)

    def save(self, name: str) -> None:
        """Keep the draft's parameters under a name, in the place of the preset that had it."""
        values = {key: value for key, value in self._draft.draft.values.items() if key not in _NOT_SAVED}
        self._save(name, PresetValues(values=values))

    def delete(self, name: str) -> None:
        """Forget a preset of the user's; one of the program's of that name is then seen again."""
        self._link.ask(PresetDelete(rid="-", name=name), lambda _: self.refresh(), self._tell)

    def import_file(self, path: str) -> None:
        """Keep the preset in a file under its own name, or another one where another preset has that."""
        self._background.run(partial(read_preset, Path(path)), self._import, self._fail)

    def export(self, name: str, path: str) -> None:
        """Write a preset to a file, which others can import."""
        preset = self.preset(name)
        if preset is None:
            self.failed.emit(_unknown(name))
            return
        values = PresetValues(values=dict(preset.values), prompt_b=preset.prompt_b)
        self._background.run(partial(write_preset, Path(path), name, values), lambda _: None, self._fail)

    def _import(self, found: tuple[str, PresetValues]) -> None:
        name, values = found
        free = self._free_name(name, values)
        self._save(free, values, lambda: self.imported.emit(free))

    def _free_name(self, name: str, values: PresetValues) -> str:
        known = self.preset(name)
        if known is None or (known.values == values.values and known.prompt_b == values.prompt_b):
            return name
        numbered = (f"{name[:60]} {number}" for number in range(2, 1_000))
        return next((one for one in numbered if self.preset(one) is None), name)

    def _save(self, name: str, preset: PresetValues, on_saved: Callable[[], object] = lambda: None) -> None:
        values: dict[str, Any] = dict(preset.values)
        if preset.prompt_b is not None:
            values["prompt_b"] = preset.prompt_b
        try:
            request = PresetSave(rid="-", name=name.strip(), values=values)
        except SpecError as error:
            self.failed.emit(error.info)
            return
        self._link.ask(request, lambda _: self._was_saved(on_saved), self._tell)

    def _was_saved(self, on_saved: Callable[[], object]) -> None:
        self.refresh()
        on_saved()

    def _take(self, answer: PresetListDone) -> None:
        content = answer.presets
        shipped, changed = (frozenset(content.get(key, ())) for key in ("shipped", "changed"))
        read = (_preset(name, values) for name, values in content.get("presets", {}).items())
        self._presets = tuple(
            replace(one, is_built_in=one.name in shipped, is_changed=one.name in changed) for one in read
        )
        self._damaged = MappingProxyType(dict(content.get("damaged", {})))
        self.changed.emit()

    def _take_deliveries(self, answer: DeliveryListDone) -> None:
        self._render_presets = tuple(
            RenderPreset(
                name=name, description=str(one.get("description", "")), chain=str(one.get("chain", ""))
            )
            for name, one in answer.presets.get("presets", {}).items()
        )
        self.changed.emit()

    def _fail(self, error: Exception) -> None:
        info = error.info if isinstance(error, EngineError) else None
        self.failed.emit(info or ErrorInfo(code=ErrorCode.INTERNAL, message=str(error)))

    def _tell(self, error: ErrorInfo) -> None:
        self.failed.emit(error)


def _preset(name: str, content: Mapping[str, Any]) -> Preset:
    read = preset_of_values(content)
    return Preset(name=name, values=MappingProxyType(dict(read.values)), prompt_b=read.prompt_b)


def _unknown(name: str) -> ErrorInfo:
    return ErrorInfo(code=ErrorCode.NOT_FOUND, message=f"there is no preset {name!r}")
