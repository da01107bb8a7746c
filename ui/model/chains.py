"""The effect chains of the service, and the one that takes go through, as it is turned."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.messages.base import Request
from daw_bridge.messages.chains import (
    ChainAdd,
    ChainAddDone,
    ChainApply,
    ChainApplyDone,
    ChainCancel,
    ChainChanged,
    ChainDelete,
    ChainEffects,
    ChainEffectsDone,
    ChainList,
    ChainListDone,
    ChainLoad,
    ChainLoadDone,
    ChainMove,
    ChainRemove,
    ChainSave,
    ChainSet,
    ChainWindow,
)
from engine.errors import SpecError
from engine.types import ErrorInfo
from ui.connection.link import LONG_S, Link
from ui.model.effects import BuiltInEffect, ChainEffect, EffectParameter, built_ins_of, effects_of
from ui.model.faders import Faders
from ui.model.plugins import PluginsModel

if TYPE_CHECKING:
    from daw_bridge.messages.arguments import ParameterValue
    from ui.model.draft import DraftModel

_EMPTY = '{"effects": []}'


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainInfo:
    """A chain of the list; is_built_in: as it came with the program, is_changed: it was, until the user's."""

    name: str
    description: str = ""
    effects: tuple[str, ...] = ()
    is_built_in: bool = False
    is_changed: bool = False


class ChainsModel(QObject):
    """The chains, and the effects of the draft's; what is turned counts here at once, in the service soon.

    applied tells the file of a sound that went through the chain.
    """

    changed = pyqtSignal()
    effects_changed = pyqtSignal()
    failed = pyqtSignal(object)
    applied = pyqtSignal(str)

    def __init__(self, link: Link, draft: DraftModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._draft = draft
        self.plugins = PluginsModel(link, self)
        self._chains: tuple[ChainInfo, ...] = ()
        self._built_ins: tuple[BuiltInEffect, ...] = ()
        self._name = ""
        self._effects: tuple[ChainEffect, ...] = ()
        # Counts what was turned here: an answer that was asked for before is of no use.
        self._turn = 0
        self._newest: int | None = None
        self._faders = Faders(self)
        self._windows: set[int] = set()
        self._applying = 0
        self._sound = ""
        link.status_changed.connect(self._meet)
        link.heard.connect(self._hear)
        draft.changed.connect(self._follow)
        self._meet()
        self._follow()

    @property
    def chains(self) -> tuple[ChainInfo, ...]:
        return self._chains

    @property
    def built_ins(self) -> tuple[BuiltInEffect, ...]:
        return self._built_ins

    @property
    def name(self) -> str:
        """Return the name of the chain that is shown, "" where takes go through none."""
        return self._name

    @property
    def info(self) -> ChainInfo | None:
        return next((one for one in self._chains if one.name == self._name), None)

    @property
    def effects(self) -> tuple[ChainEffect, ...]:
        return self._effects

    @property
    def newest(self) -> int | None:
        """Return which effect was put in last, None once something else was done to the chain."""
        return self._newest

    @property
    def is_applying(self) -> bool:
        return self._applying > 0

    @property
    def sound(self) -> str:
        """Return the file that is sent through the chain: the one given, or the draft's region."""
        region = self._draft.draft.region
        return self._sound or (region.path if region is not None else "")

    def set_sound(self, path: str) -> None:
        """Say what is heard through the chain, as the take that is chosen; "" is the region."""
        if path != self._sound:
            self._sound = path
            self.changed.emit()

    def has_window(self, index: int) -> bool:
        return index in self._windows

    def parameters(self, index: int) -> tuple[EffectParameter, ...] | None:
        """Return what an effect has to turn, None while that is not known."""
        effect = self._effects[index]
        if effect.plugin:
            return self.plugins.parameters(effect.plugin, effect.name)
        return next((one.parameters for one in self._built_ins if one.name == effect.effect), None)

    def choose(self, name: str) -> None:
        """Send takes through a chain, and show it; "" is none."""
        self._faders.flush()
        self._draft.change(chain=name)

    def set_value(self, index: int, parameter: str, value: ParameterValue | None) -> None:
        """Turn a parameter of an effect; None is the effect's own value again."""
        effect = self._effects[index]
        values = {key: one for key, one in effect.parameters.items() if key != parameter}
        if value is not None:
            values[parameter] = value
        self._turned(index, replace(effect, parameters=MappingProxyType(values)))
        self._send_value(index, f"parameters.{parameter}", value)

    def set_mix(self, index: int, mix: float) -> None:
        self._turned(index, replace(self._effects[index], mix=mix))
        self._send_value(index, "mix", mix)

    def set_bypass(self, index: int, *, bypass: bool) -> None:
        self._turned(index, replace(self._effects[index], bypass=bypass))
        self._send_value(index, "bypass", bypass)

    def add(self, effect: str, name: str = "") -> None:
        """Put an effect at the end: a built-in one by its name, or the plug-in in a file."""
        wanted = json.dumps({"plugin": effect, "name": name}) if name else effect
        self._change(partial(ChainAdd, rid="-", name=self._name, effect=wanted), self._end_add)

    def remove(self, index: int) -> None:
        self._change(partial(ChainRemove, rid="-", name=self._name, effect=index))

    def move(self, index: int, place: int) -> None:
        if 0 <= place < len(self._effects):
            self._change(partial(ChainMove, rid="-", name=self._name, effect=index, place=place))

    def begin(self, name: str) -> None:
        """Make a chain without effects, and choose it; one of this name is shown as it is."""
        self._save(name, lambda: _EMPTY)

    def save_as(self, name: str) -> None:
        """Keep the chain under another name too, and choose that."""
        self._faders.flush()
        self._link.ask(ChainLoad(rid="-", name=self._name), partial(self._copy, name), self._tell)

    def delete(self) -> None:
        """Forget the user's chain; one of the program's of the same name is then as it came."""
        self._faders.flush()
        self._link.ask(ChainDelete(rid="-", name=self._name), self._after_delete, self._tell)

    def open_window(self, index: int) -> None:
        """Show a plug-in's own window; what was turned in it counts once it is closed."""
        if index in self._windows:
            return
        self._windows.add(index)
        self.effects_changed.emit()
        request = ChainWindow(rid="-", name=self._name, effect=index)
        self._link.ask(
            request, partial(self._end_window, index), partial(self._fail_window, index), timeout_s=LONG_S
        )

    def close_window(self, index: int) -> None:
        self._link.ask(
            ChainWindow(rid="-", name=self._name, effect=index, on=False), lambda _: None, self.failed.emit
        )

    def apply(self) -> None:
        """Send the sound through the chain; applied tells the new file."""
        if not self.sound or not self._name:
            return
        self._faders.flush()
        self._applying += 1
        self.changed.emit()
        request = ChainApply(rid="-", path=self.sound, chain=self._name)
        self._link.ask(request, self._end_apply, self._fail_apply, timeout_s=LONG_S)

    def stop(self) -> None:
        """Stop what takes long: a sound on its way through the chain, a scan."""
        self._link.ask(ChainCancel(rid="-", target="*"), lambda _: None, self._tell)

    def _meet(self) -> None:
        if self._link.status.is_ready:
            self._link.ask(ChainEffects(rid="-"), self._take_built_ins)
            self._ask_list()
            self._load()

    def _hear(self, reply: object) -> None:
        if isinstance(reply, ChainChanged):
            self._ask_list()
            if reply.name == self._name and not self._faders.is_moving:
                self._load()

    def _follow(self) -> None:
        name = str(self._draft.draft["chain"])
        if name != self._name:
            self._faders.flush()
            self._name = name
            self._turn += 1
            self._newest = None
            self._windows.clear()
            self._show(())
            self._load()
        self.changed.emit()

    def _ask_list(self) -> None:
        self._link.ask(ChainList(rid="-"), self._take_list)

    def _load(self) -> None:
        if self._name and self._link.status.is_ready:
            asked = partial(self._take, self._name, self._turn)
            self._link.ask(ChainLoad(rid="-", name=self._name), asked, self._tell)

    def _take(self, name: str, turn: int, answer: ChainLoadDone) -> None:
        if (name, turn) == (self._name, self._turn):
            self._show(effects_of(answer.chain))

    def _show(self, effects: tuple[ChainEffect, ...]) -> None:
        if effects != self._effects:
            self._effects = effects
            self.effects_changed.emit()

    def _take_list(self, answer: ChainListDone) -> None:
        self._chains = tuple(_info(name, one) for name, one in answer.chains.get("chains", {}).items())
        self.changed.emit()

    def _take_built_ins(self, answer: ChainEffectsDone) -> None:
        self._built_ins = built_ins_of(answer.effects)
        self.effects_changed.emit()

    def _turned(self, index: int, effect: ChainEffect) -> None:
        self._turn += 1
        self._show((*self._effects[:index], effect, *self._effects[index + 1 :]))

    def _send_value(self, index: int, parameter: str, value: ParameterValue | None) -> None:
        request = ChainSet(rid="-", name=self._name, effect=index, parameter=parameter, value=value)
        send = partial(self._link.ask, request, lambda _: None, self._fail_change)
        self._faders.move((self._name, index, parameter), send)

    def _change(
        self, request: Callable[[], Request], on_answer: Callable[[Any], None] = lambda _: None
    ) -> None:
        """Change which effects there are, and show what the service makes of it."""
        self._faders.flush()
        self._turn += 1
        self._newest = None

        def finish(answer: Any) -> None:
            on_answer(answer)
            self._load()

        try:
            self._link.ask(request(), finish, self._fail_change)
        except SpecError as error:
            self.failed.emit(error.info)

    def _end_add(self, answer: ChainAddDone) -> None:
        self._newest = answer.effect

    def _fail_change(self, error: ErrorInfo) -> None:
        """Show again what counts, since what was turned here does not."""
        self.failed.emit(error)
        self._turn += 1
        self._effects = ()
        self._load()

    def _copy(self, name: str, answer: ChainLoadDone) -> None:
        # The state of a plug-in may be too long for an answer; the file has it.
        is_whole = "left_out" not in answer.chain
        self._save(name, lambda: json.dumps(answer.chain) if is_whole else answer.path)

    def _save(self, name: str, chain: Callable[[], str]) -> None:
        name = name.strip()
        if any(one.name == name for one in self._chains):
            self.choose(name)
            return
        try:
            request = ChainSave(rid="-", name=name, chain=chain())
        except SpecError as error:
            self.failed.emit(error.info)
            return
        self._link.ask(request, lambda _: self.choose(name), self._tell)

    def _after_delete(self, _: Any) -> None:
        info, self._turn = self.info, self._turn + 1
        if info is not None and info.is_changed:
            self._load()
        else:
            self.choose("")

    def _end_window(self, index: int, _: Any) -> None:
        self._windows.discard(index)
        self._turn += 1
        self.effects_changed.emit()
        self._load()

    def _fail_window(self, index: int, error: ErrorInfo) -> None:
        self._end_window(index, None)
        self.failed.emit(error)

    def _end_apply(self, answer: ChainApplyDone) -> None:
        self._applying -= 1
        self.changed.emit()
        self.applied.emit(answer.path)

    def _fail_apply(self, error: ErrorInfo) -> None:
        self._applying -= 1
        self.changed.emit()
        self.failed.emit(error)

    def _tell(self, error: ErrorInfo) -> None:
        self.failed.emit(error)


def _info(name: str, content: dict[str, Any]) -> ChainInfo:
    return ChainInfo(
        name=name,
        description=str(content.get("description", "")),
        effects=tuple(map(str, content.get("effects", ()))),
        is_built_in=bool(content.get("shipped")),
        is_changed=bool(content.get("changed")),
    )
