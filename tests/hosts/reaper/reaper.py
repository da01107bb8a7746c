"""REAPER as its scripts see it: Lua in which only published functions can be called, with what they take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.hosts.reaper.api import Api, Buffer, property_pattern
from tests.hosts.reaper.declarations import GFX_VARIABLES, Declaration, declared
from tests.hosts.reaper.session import Pointer

# The names of a table may be read only where they are known: anything else would be nil in silence.
_STRICT = """
return function(functions, variables, owner)
  local known = setmetatable({}, { __index = function(_, name)
    error(owner .. "." .. tostring(name) .. " is not among REAPER's published functions", 2)
  end })
  for name, called in pairs(functions) do known[name] = called end
  for name, value in pairs(variables) do known[name] = value end
  return known
end
"""
_PATIENCE_S = 300.0


@dataclass
class Window:
    """A script's window: what it shows, and what the musician does in it."""

    title: str = ""
    size: tuple[int, int] = (0, 0)
    texts: list[str] = field(default_factory=list)
    drawn: list[tuple[Any, ...]] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    table: Any = None

    def press(self, x: float, y: float) -> None:
        self.table["mouse_x"], self.table["mouse_y"], self.table["mouse_cap"] = x, y, 1

    def release(self) -> None:
        self.table["mouse_cap"] = 0

    # gfx's functions

    def init(self, title: str, width: int, height: int, _dock: int) -> int:
        self.title, self.size = title, (width, height)
        return 1

    def setfont(self, _index: int, _name: str, _size: int) -> int:
        return 1

    def set(self, red: float, green: float, blue: float, alpha: float) -> None:
        self.drawn.append(("set", red, green, blue, alpha))

    def rect(self, x: float, y: float, width: float, height: float, is_filled: int) -> None:
        self.drawn.append(("rect", x, y, width, height, is_filled))

    def drawstr(self, text: str) -> int:
        self.drawn.append(("text", self.table["x"], self.table["y"], text))
        return 0

    def update(self) -> None:
        self.texts = [words[-1] for words in self.drawn if words[0] == "text"]
        self.drawn = []

    def getchar(self) -> int:
        if not self.title:
            return -1
        return self.keys.pop(0) if self.keys else 0

    def quit(self) -> None:
        self.title = ""


class Script:
    """One running instance of a script: its Lua, its window, and what it has deferred."""

    def __init__(self, api: Api, path: Path, lua: str, context: str) -> None:
        self.window = Window()
        self._api = api
        self._path = path
        self._context = context
        self._deferred: list[Any] = []
        self._lua = import_module(f"lupa.{lua}").LuaRuntime(
            unpack_returned_tuples=True, attribute_filter=_only_methods_of_buffers
        )
        self._publish()

    @property
    def is_running(self) -> bool:
        return bool(self._deferred)

    def start(self) -> None:
        self._lua.globals().dofile(str(self._path))

    def turn(self) -> None:
        """Call what was deferred, as REAPER does about thirty times a second."""
        due, self._deferred = self._deferred, []
        for called in due:
            called()

    def _publish(self) -> None:
        strict = self._lua.execute(_STRICT)
        table, names = self._lua.table_from, declared()
        reaper = {name.removeprefix("reaper."): self._checked(name) for name in names if name[0] == "r"}
        gfx = {name.removeprefix("gfx."): self._checked(name) for name in names if name[0] == "g"}
        self._lua.globals().reaper = strict(table(reaper), table({}), "reaper")
        variables = table(dict.fromkeys(GFX_VARIABLES, 0))
        self.window.table = self._lua.globals().gfx = strict(table(gfx), variables, "gfx")

    def _checked(self, name: str) -> Callable[..., Any]:
        declaration, work = declared()[name], self._work(name)
        return lambda *arguments: _call(name, declaration, work, arguments)

    def _work(self, name: str) -> Callable[..., Any]:
        own = {
            "reaper.defer": self._defer,
            "reaper.new_array": lambda size: Buffer(size, self._lua.table_from),
            "reaper.get_action_context": self._action_context,
        }
        if name in own:
            return own[name]
        owner, _, plain = name.partition(".")
        return getattr(self.window if owner == "gfx" else self._api, plain)

    def _defer(self, called: Any) -> bool:
        self._deferred.append(called)
        return True

    def _action_context(self) -> tuple[Any, ...]:
        return False, str(self._path), 0, 12345, -1, -1, -1.0, self._context


@dataclass
class Reaper:
    """A running REAPER with our scripts in its folder."""

    api: Api
    scripts: Path
    lua: str = "lua54"
    running: list[Script] = field(default_factory=list)

    def run(self, action: str, context: str = "") -> Script:
        """Run an action as from REAPER's list."""
        script = Script(self.api, self.scripts / f"daw_bridge_{action}.lua", self.lua, context)
        script.start()
        if script.is_running:
            self.running.append(script)
        return script

    def turn(self) -> None:
        """Let a thirtieth of a second pass."""
        self.api.now_s += 1 / 30
        for script in self.running:
            script.turn()
        self.running = [script for script in self.running if script.is_running]

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Let time pass at its own pace until something is the case."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline_s, f"waited in vain for {what}"
            self.turn()
            time.sleep(1 / 30)

    def wait_for_end(self) -> None:
        """Wait until no script runs."""
        self.wait_until(lambda: not self.running, "the scripts to end")


def _only_methods_of_buffers(thing: Any, name: Any, _is_setting: bool) -> Any:
    if isinstance(thing, Buffer) and name in ("clear", "table"):
        return name
    raise AttributeError(f"Lua cannot look into {type(thing).__name__}: {name}")


def _call(name: str, declaration: Declaration, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a function with what is declared of it, and return what is declared of it."""
    _require_types(name, "takes", declaration.arguments, arguments)
    if declaration.keys:
        _require_known(name, declaration.keys, arguments[1])
    kinds = declaration.arguments[: len(arguments)]
    found = work(
        *(int(value) if kind == "integer" else value for kind, value in zip(kinds, arguments, strict=True))
    )
    if not declaration.returns:
        assert found is None
        return None
    returned = found if isinstance(found, tuple) else (found,)
    # A pointer or a text may be missing, as C's NULL.
    kinds = tuple(
        kind if kind in _VALUES else f"{kind}?" for kind in (each.rstrip("?") for each in declaration.returns)
    )
    _require_types(name, "returns", kinds, returned)
    return found


_VALUES = {"boolean", "integer", "number"}


def _require_types(name: str, does: str, kinds: tuple[str, ...], values: tuple[Any, ...]) -> None:
    least = sum(not kind.endswith("?") for kind in kinds) if does == "takes" else len(kinds)
    assert least <= len(values) <= len(kinds), f"{name} {does} {len(kinds)} values, not {len(values)}"
    for kind, value in zip(kinds, values, strict=False):
        assert _fits(kind, value), f"{name} {does} {', '.join(kinds)}, and {value!r} is no {kind}"


def _fits(kind: str, value: Any) -> bool:
    if value is None:
        return kind.endswith("?")
    kind = kind.rstrip("?")
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    # 0 is the project in front.
    return (isinstance(value, Pointer) and value.kind == kind) or (kind == "ReaProject" and value == 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "function": callable,
    "pointer": lambda value: isinstance(value, Pointer),
}


def _require_known(name: str, keys: tuple[str, ...], key: str) -> None:
    assert any(property_pattern(known).fullmatch(key) for known in keys), f"{name} has no property {key}"
