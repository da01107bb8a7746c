"""REAPER: scripts in its resource folder, and actions for them in its list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files as resources
from importlib.resources.abc import Traversable
from pathlib import Path

from daw_bridge.daws.hosts import Edit, Host, Place, ScriptFile, System
from daw_bridge.service.config import VERSION

FOLDER = "DAW Bridge"
ACTIONS = {
    "transfer": "make selected items sound like...",
    "transfer_regions": "make items in project regions sound like...",
    "inpaint": "make spectral edits or selected parts anew...",
    "superres": "make the missing highs of selected items...",
    "generate": "new sound in time selection...",
    "repeat": "the same as last time, here",
    "recall": "make selected takes again",
    "vary": "variations of selected takes...",
    "next_take": "next take",
    "previous_take": "previous take",
    "accept": "keep this take, drop the others",
    "cancel": "cancel all jobs",
    "collect": "collect finished takes",
    "apply": "take what OSC tells of",
    "settings": "settings...",
}
_ACTION_LIST = "reaper-kb.ini"
_SIGNS = (_ACTION_LIST, "reaper.ini")
# A script that runs already gets a second instance, without asking: each follows its own jobs.
_NEW_INSTANCE = 516
_MAIN_SECTION = 0


def _find(system: System) -> tuple[Place, ...]:
    """Return REAPER's resource folder, if its settings are in it; --folder names that of a portable one."""
    folder = _settings_folder(system) / "REAPER"
    return (Place(folder=folder),) if any((folder / sign).is_file() for sign in _SIGNS) else ()


def _settings_folder(system: System) -> Path:
    environment = system.environment
    if system.platform == "win32":
        return Path(environment.get("APPDATA") or system.home / "AppData" / "Roaming")
    if system.platform == "darwin":
        return system.home / "Library" / "Application Support"
    return Path(environment.get("XDG_CONFIG_HOME") or system.home / ".config")


def _files(system: System, place: Place) -> tuple[ScriptFile, ...]:
    target = place.folder / "Scripts" / FOLDER
    scripts = resources("daw_bridge.daws.reaper") / "scripts"
    return tuple(
        ScriptFile(path=target / name, content=_filled(source.read_bytes(), system))
        for name, source in _scripts(scripts)
    )


def _scripts(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _scripts(entry, f"{above}{entry.name}/")
        elif entry.name.endswith(".lua"):
            yield f"{above}{entry.name}", entry


def _filled(content: bytes, system: System) -> bytes:
    values = {
        '"@COMMAND@"': ", ".join(map(_lua_text, system.command)),
        '"@ERRANDS@"': _lua_text(str(system.folders.errands)),
        '"@VERSION@"': _lua_text(VERSION),
    }
    for name, value in values.items():
        content = content.replace(name.encode(), value.encode())
    return content


def _lua_text(value: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0"}
    return f'"{"".join(escapes.get(character, character) for character in value)}"'


def command_id(action: str) -> str:
    """Return the name of an action that key and toolbar bindings keep, the same in each version."""
    return f"RS{hashlib.sha1(f'daw-bridge {action}'.encode(), usedforsecurity=False).hexdigest()}"


def _entries() -> Iterator[bytes]:
    for action, title in ACTIONS.items():
        path = f"{FOLDER}/daw_bridge_{action}.lua"
        head = f"SCR {_NEW_INSTANCE} {_MAIN_SECTION} {command_id(action)}"
        yield f'{head} "Script: DAW Bridge: {title}" "{path}"'.encode()


def _put(content: bytes | None) -> bytes:
    # REAPER may have sorted or renamed them: what counts is that each is there once.
    if content is not None and sorted(_listed_ids(content)) == sorted(_ids()):
        return content
    kept = _take(content or b"")
    end = b"\r\n" if b"\r\n" in kept else b"\n"
    gap = end if kept and not kept.endswith(b"\n") else b""
    return kept + gap + b"".join(entry + end for entry in _entries())


def _take(content: bytes) -> bytes:
    return b"".join(line for line in content.splitlines(keepends=True) if not _is_ours(line))


def _ids() -> list[bytes]:
    return [command_id(action).encode() for action in ACTIONS]


def _listed_ids(content: bytes) -> list[bytes]:
    return [line.split(maxsplit=4)[3] for line in content.splitlines() if _is_ours(line)]


def _is_ours(line: bytes) -> bool:
    words = line.split(maxsplit=4)
    # Also what the user has loaded by hand from our folder, and entries of actions that are no more.
    is_in_folder = f"{FOLDER}/daw_bridge_".encode() in line.replace(b"\\", b"/")
    return len(words) == 5 and words[0] == b"SCR" and (words[3] in _ids() or is_in_folder)


def _edits(_system: System, place: Place) -> tuple[Edit, ...]:
    return (Edit(path=place.folder / _ACTION_LIST, put=_put, take=_take),)


def _problems(_system: System, place: Place) -> tuple[str, ...]:
    path = place.folder / _ACTION_LIST
    listed = _listed_ids(path.read_bytes()) if path.is_file() else []
    if set(_ids()) <= set(listed):
        return ()
    lacks = f"REAPER's action list ({path}) lacks DAW Bridge's actions: REAPER writes it anew when it quits."
    return (f"{lacks} Quit REAPER, then run daw-bridge install-scripts reaper.",)


HOST = Host(
    name="reaper",
    title="REAPER",
    find=_find,
    files=_files,
    edits=_edits,
    problems=_problems,
    next_steps=(
        "If REAPER is running, quit it and install again: it writes its action list anew when it quits.",
        "In REAPER open Actions > Show action list and type DAW Bridge.",
        "Select an item, run DAW Bridge: make selected items sound like..., and say what to hear.",
        "Give the actions that you use keys, or a toolbar, in the same window.",
    ),
)
