"""Where Ardour 6 to 9 keep scripts, and how ours get into its menu."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.resources import files as package_files
from pathlib import Path

from daw_bridge.daws.ardour.ui_scripts import Hook, Script, names, our_name, with_ours, without_ours
from daw_bridge.daws.hosts import Edit, Host, Place, ScriptFile, System
from engine.errors import SpecError

_FOLDER = re.compile(r"ardour([6-9])", re.IGNORECASE)
_SOURCES = package_files("daw_bridge.daws.ardour") / "scripts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An entry of Ardour's menu Edit > Lua Scripts."""

    name: str
    title: str
    description: str


# Ardour 7 has buttons for the first four slots, and a menu of nine.
_DESCRIPTIONS = {
    ("transfer", "Transfer"): "Make the selection sound like the prompt, or its highs anew.",
    ("next", "Next take"): "Hear the next take; after the last comes the original.",
    ("previous", "Previous take"): "Hear the take before; before the first comes the original.",
    ("accept", "Accept take"): "Put the take that is heard in its original's place.",
    ("inpaint", "Inpaint"): "Make the selected range of a region anew, or a band of it.",
    ("generate", "Generate here"): "Make a new sound in the range or at the playhead.",
    ("recall", "Vary or make again"): "Make variations of the take that is heard, or the same again.",
    ("repeat", "Repeat last"): "Do the last thing again, with what is selected now.",
    ("jobs", "Jobs"): "See how far the jobs of this session are, and cancel some or all.",
}
ACTIONS = tuple(
    Action(name=name, title=title, description=text) for (name, title), text in _DESCRIPTIONS.items()
)

_HOOK = "Takes"
_HOOK_DESCRIPTION = "Looks once a second for takes that are done, and places them."


def _base(system: System) -> Path:
    if system.platform == "darwin":
        return system.home / "Library" / "Preferences"
    chosen = system.environment.get("XDG_CONFIG_HOME", "")
    if chosen:
        return Path(chosen)
    if system.platform == "win32":
        local = system.environment.get("LOCALAPPDATA", "")
        return Path(local) if local else system.home / "AppData" / "Local"
    return system.home / ".config"


def find(system: System) -> tuple[Place, ...]:
    """Return the folders of Ardour 6 to 9 that exist; the first start of Ardour makes them."""
    base = _base(system)
    found = sorted(base.iterdir()) if base.is_dir() else []
    matches = ((folder, _FOLDER.fullmatch(folder.name)) for folder in found if folder.is_dir())
    return tuple(Place(folder=folder, version=match[1]) for folder, match in matches if match)


def _lua(text: str) -> str:
    """Return text as a Lua string: JSON's escapes are Lua's where letters beyond ASCII stay as they are."""
    return json.dumps(text, ensure_ascii=False).replace("\\/", "/")


def _bridge_folder(place: Place) -> Path:
    return place.folder / "daw-bridge"


def _common(place: Place) -> dict[str, str]:
    folder = _bridge_folder(place)
    return {
        "VERSION": version("daw-bridge"),
        "BRIDGE": _lua((folder / "bridge.lua").as_posix()),
        "FOLDER": _lua(folder.as_posix()),
    }


def _filled(source: str, values: Mapping[str, str]) -> str:
    text = (_SOURCES / source).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _script_path(place: Place, name: str) -> Path:
    return place.folder / "scripts" / f"daw-bridge-{name}.lua"


def _action_script(place: Place, action: Action) -> Script:
    name = our_name(action.title)
    own = {"NAME": name, "DESCRIPTION": action.description, "ACTION": action.name}
    text = _filled("action.lua", {**_common(place), **own})
    return Script(name=name, text=text, origin=_script_path(place, action.name).as_posix())


def _hook(place: Place) -> Hook:
    name = our_name(_HOOK)
    text = _filled("hook.lua", {**_common(place), "NAME": name, "DESCRIPTION": _HOOK_DESCRIPTION})
    # The number of LuaTimerS: 46 up to Ardour 9.2, 48 in 9.8; what else has the number 46 there does no harm.
    signals = (46, 48) if place.version == "9" else (46,)
    return Hook(
        script=Script(name=name, text=text, origin=_script_path(place, "takes").as_posix()), signals=signals
    )


def _part_values(system: System, place: Place) -> dict[str, str]:
    return {
        **_common(place),
        "COMMAND": ", ".join(_lua(word) for word in system.command),
        "ERRANDS": _lua(system.folders.errands.as_posix()),
        "IS_WINDOWS": "true" if system.platform == "win32" else "false",
    }


def files(system: System, place: Place) -> tuple[ScriptFile, ...]:
    """Return the actions, the hook and the parts that they load."""
    hook = _hook(place).script
    actions = [_action_script(place, action) for action in ACTIONS]
    shown = [ScriptFile(path=Path(one.origin), content=one.text.encode()) for one in (*actions, hook)]
    values = _part_values(system, place)
    names_of_parts = sorted(
        part.name for part in (_SOURCES / "bridge").iterdir() if part.name.endswith(".lua")
    )
    parts = [
        ScriptFile(path=_bridge_folder(place) / name, content=_filled(f"bridge/{name}", values).encode())
        for name in names_of_parts
    ]
    return (*shown, *parts)


def edits(_system: System, place: Place) -> tuple[Edit, ...]:
    """Return the change that puts the actions into slots, and so into the menu."""
    actions = [_action_script(place, action) for action in ACTIONS]
    put = partial(with_ours, actions=actions, hook=_hook(place))
    return (Edit(path=place.folder / "ui_scripts", put=put, take=without_ours),)


def leavings(_system: System, place: Place) -> tuple[Path, ...]:
    """Return what the scripts remember for the next dialog."""
    return (_bridge_folder(place) / "settings.note",)


def problems(_system: System, place: Place) -> tuple[str, ...]:
    """Return what keeps the actions from working."""
    return tuple(filter(None, (_slots_problem(place), _sandbox_problem(place))))


def _slots_problem(place: Place) -> str:
    path = place.folder / "ui_scripts"
    try:
        there = set(names(path.read_bytes()).values()) if path.is_file() else set()
    except SpecError as error:
        return error.message
    absent = [action.title for action in ACTIONS if our_name(action.title) not in there]
    if not absent:
        return ""
    return (
        f"Ardour {place.version}'s menu lacks {', '.join(absent)}: quit Ardour, which writes the list anew "
        "when scripts are changed in it, and run daw-bridge install-scripts ardour"
    )


def _sandbox_problem(place: Place) -> str:
    """Since Ardour 8 there is a preference that keeps scripts from files and programs."""
    path = place.folder / "ui_config"
    try:
        options = ET.parse(path).iter("Option") if path.is_file() else ()  # noqa: S314  the user's own file
    except ET.ParseError:
        return ""
    if any(
        one.get("name") == "sandbox-all-lua-scripts" and one.get("value") in {"1", "yes"} for one in options
    ):
        return (
            f"Ardour {place.version} keeps scripts from files and programs: "
            f"quit it and set sandbox-all-lua-scripts to 0 in {path}"
        )
    return ""


HOST = Host(
    name="ardour",
    title="Ardour",
    find=find,
    files=files,
    edits=edits,
    leavings=leavings,
    problems=problems,
    next_steps=(
        "If Ardour is running, quit it: it reads its list of scripts with a session, and may write it anew.",
        "Start Ardour: the actions are in Edit > Lua Scripts; those in the first four slots are buttons too.",
        "Give them keys in Window > Keyboard Shortcuts, under Lua Action.",
        "Control surfaces reach them by OSC: /access_action LuaAction/script-1 and so on.",
    ),
)
