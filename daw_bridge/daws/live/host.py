"""Ableton Live: where its User Library is, and what goes into it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.sax.saxutils import unescape

from daw_bridge.daws.hosts import Host, Place, ScriptFile, System

SCRIPTS = Path(__file__).parent / "scripts"
ARCHIVE = "DAW Bridge.ablx"
# Any will do, as long as it stays: the same files give the same archive.
_ZIP_DATE = (2000, 1, 1, 0, 0, 0)
_USER_LIBRARY = "User Library"
# The first version whose scripts may load audio, and the first with extensions.
_AUDIO_FROM, _EXTENSIONS_FROM = (12, 0, 5), (12, 4, 5)


def find(system: System) -> tuple[Place, ...]:
    """Return the User Libraries: that of the usual place, and those that versions of Live were told of."""
    newest = max(_versions(system), default=())
    folders = dict.fromkeys([*_told_libraries(system), *_usual_libraries(system)])
    return tuple(
        Place(folder=folder, version=".".join(map(str, newest))) for folder in folders if folder.is_dir()
    )


def files(system: System, place: Place) -> tuple[ScriptFile, ...]:
    """Return the control surface, and the extension as the one file that Live installs it from."""
    surface = place.folder / "Remote Scripts" / "DAW_Bridge"
    scripts = sorted((SCRIPTS / "remote_script" / "DAW_Bridge").glob("*.py"))
    return (
        *(ScriptFile(path=surface / path.name, content=path.read_bytes()) for path in scripts),
        ScriptFile(path=surface / "installed.json", content=_installed(system, place)),
        ScriptFile(path=place.folder / "DAW Bridge" / ARCHIVE, content=archive(system)),
    )


def archive(system: System) -> bytes:
    """Return the extension with its manifest, as Live's settings take it."""
    folder = SCRIPTS / "extension"
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in ("manifest.json", "extension.js")}
    filling = {
        "@VERSION@": version("daw-bridge"),
        "@COMMAND_JSON@": _in_quotes(list(system.command)),
        "@RUNTIME_JSON@": _in_quotes(str(system.folders.runtime)),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in texts.items():
            for mark, value in filling.items():
                text = text.replace(mark, value)  # noqa: PLW2901
            file.writestr(zipfile.ZipInfo(name, _ZIP_DATE), text, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def problems(system: System, _: Place) -> tuple[str, ...]:
    """Tell what the newest version of Live on this machine does not let its scripts do."""
    newest = max(_versions(system), default=())
    if not newest or newest >= _EXTENSIONS_FROM:
        return ()
    name = "Live " + ".".join(map(str, newest))
    if newest < _AUDIO_FROM:
        return (f"{name} lets scripts load no audio: takes go into its browser, from where they are dragged",)
    return (f"{name} has no extensions: only the control surface will do",)


def _installed(system: System, place: Place) -> bytes:
    known = {
        "command": list(system.command),
        "runtime": str(system.folders.runtime),
        "user_library": str(place.folder / "Samples" / "DAW Bridge"),
        "version": version("daw-bridge"),
    }
    return json.dumps(known, indent=2).encode()


def _in_quotes(value: object) -> str:
    """Return JSON as it stands between the quotes of a JavaScript string."""
    return json.dumps(json.dumps(value))[1:-1]


def _usual_libraries(system: System) -> Iterator[Path]:
    if system.platform == "darwin":
        yield system.home / "Music" / "Ableton" / _USER_LIBRARY
    elif system.platform == "win32":
        clouds = [Path(system.environment[name]) for name in ("OneDrive",) if name in system.environment]
        for home in (system.home, *clouds):
            yield home / "Documents" / "Ableton" / _USER_LIBRARY


def _settings(system: System) -> Iterator[Path]:
    """Yield the settings folder of each version of Live."""
    if system.platform == "darwin":
        folder = system.home / "Library" / "Preferences" / "Ableton"
    elif system.platform == "win32":
        folder = Path(system.environment.get("APPDATA", system.home / "AppData" / "Roaming")) / "Ableton"
    else:
        return
    yield from sorted(folder.glob("Live *"))


def _versions(system: System) -> Iterator[tuple[int, ...]]:
    for folder in _settings(system):
        found = re.match(r"Live (\d+(?:\.\d+)*)", folder.name)
        if found:
            yield tuple(map(int, found.group(1).split(".")))


def _told_libraries(system: System) -> Iterator[Path]:
    """Yield where users have moved their library to, the newest version's first."""
    for folder in reversed(list(_settings(system))):
        for path in (folder / "Library.cfg", folder / "Preferences" / "Library.cfg"):
            yield from _libraries_in(path, is_windows=system.platform == "win32")


def _libraries_in(path: Path, *, is_windows: bool) -> Iterator[Path]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    part = re.search(r"<UserLibrary>(.*?)</UserLibrary>", text, re.DOTALL)
    path_told, name = (
        _value_in(part.group(1) if part else "", key) for key in ("ProjectPath", "ProjectName")
    )
    if (PureWindowsPath if is_windows else PurePosixPath)(path_told).is_absolute():
        yield Path(path_told) / (name or _USER_LIBRARY)


def _value_in(text: str, key: str) -> str:
    found = re.search(rf'<{key} Value="([^"]*)"', text)
    return unescape(found.group(1), {"&quot;": '"', "&apos;": "'"}) if found else ""


HOST = Host(
    name="live",
    title="Ableton Live",
    find=find,
    files=files,
    problems=problems,
    next_steps=(
        "Live 12.4.5 and later: in Live's Settings, page Extensions, drop the file DAW Bridge.ablx there;",
        "it is in the folder DAW Bridge of your User Library (again after each upgrade).",
        "Other versions: restart Live; in Settings, page Link, Tempo & MIDI, choose DAW_Bridge",
        "as a control surface, without input and output.",
        "Then right-click a time selection on an audio track; or select a clip and run:",
        "daw-bridge live transfer --prompt 'a harp'",
    ),
)
