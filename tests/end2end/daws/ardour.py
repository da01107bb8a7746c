"""Ardour in a window that nobody sees, driven as a user drives it, and asked what it holds."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from daw_bridge.daws.ardour.host import HOST
from daw_bridge.daws.ardour.ui_scripts import names, our_name
from daw_bridge.daws.hosts import Place, System
from daw_bridge.transport.packets import encode_packet
from tests.end2end.daws.ardour_session import make_session, seed_settings
from tests.end2end.daws.screens import PICTURES, Screen, screen, started
from tests.end2end.homes import COMMAND, Home, wait_until

_UNSAVED = "^Unsaved Session$"
# A slot of the user's own, in which tests ask Ardour to do and tell something.
PROBE_SLOT = 32
_PROBE = """
local folder = "{folder}"
return function ()
  local file = io.open (folder .. "/question.lua", "rb")
  if not file then return end
  local text = file:read ("a") file:close () os.remove (folder .. "/question.lua")
  local tools = {{}}
  loadfile ("{files}") (tools)
  local is_done, value = pcall (function () return assert (load (text)) () end)
  local answer = {{ done = is_done, value = value == nil and "" or value }}
  tools.write_text (folder .. "/answer.json", tools.json (answer))
end
"""


@dataclass(frozen=True, slots=True)
class Ardour:
    """A running Ardour."""

    home: Home
    folder: Path
    session: Path
    screen: Screen
    port: int
    slots: Mapping[str, int]
    process: subprocess.Popen[bytes]

    def osc(self, address: str, *arguments: str | float) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.sendto(encode_packet(address, arguments), ("127.0.0.1", self.port))

    def action(self, name: str) -> None:
        """Trigger an action of Ardour, as "Editor/undo"."""
        self.osc("/access_action", name)

    def bridge(self, title: str) -> None:
        """Trigger an action of ours by its title."""
        self.action(f"LuaAction/script-{self.slots[our_name(title)]}")

    def ask(self, lua: str, meanwhile: Callable[[], None] = lambda: None) -> Any:
        """Run Lua in Ardour, and return what it returns; meanwhile is done once it runs, as for a dialog."""
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        question = self.folder / "question.lua"
        (self.folder / "question.part").write_text(lua, encoding="utf-8")
        (self.folder / "question.part").rename(question)
        polls = count()

        def answered() -> bool:
            assert not self._has_ended(), "Ardour has ended"
            # What was sent before Ardour listens is lost.
            if question.exists() and next(polls) % 20 == 0:
                self.action(f"LuaAction/script-{PROBE_SLOT}")
            return answer.exists()

        wait_until(lambda: answered() or not question.exists(), "Ardour to hear the question")
        meanwhile()
        wait_until(answered, "Ardour's answer")
        told = json.loads(answer.read_text(encoding="utf-8"))
        assert told["done"], told["value"]
        return told["value"]

    def regions(self) -> list[dict[str, Any]]:
        """Return all regions of all audio tracks."""
        return _rows(self.ask(_REGIONS))

    def region(self, name: str) -> dict[str, Any]:
        (found,) = (one for one in self.regions() if one["name"] == name)
        return found

    def heard(self) -> list[str]:
        """Return the names, without facts, of what is heard of the track voice and its takes."""
        ours = (one for one in self.regions() if one["track"].startswith("voice") and not one["muted"])
        return [one["name"].split(" (")[0] for one in ours]

    def wait_for_takes(self, number: int) -> list[dict[str, Any]]:
        """Wait until so many takes are placed; the best of one job first."""

        def are_there() -> bool:
            title = self.screen.window("^DAW Bridge$")
            assert not title, f"Ardour says something: look at {self.screen.picture(PICTURES / 'said.png')}"
            return len(self.takes()) >= number

        wait_until(are_there, f"{number} takes")
        return sorted(self.takes(), key=lambda one: str(one["name"]))

    def dismiss(self) -> None:
        """Wait for a message of ours, and close it."""
        self.screen.focus("^DAW Bridge$")
        self.screen.press("alt+o")
        wait_until(lambda: not self.screen.window("^DAW Bridge$"), "the message to close")

    def select_range(self, track: str, first: int, last: int) -> None:
        """Select a track and a range of time."""
        self.ask(f'Editor:set_loop_range (Temporal.timepos_t ({first}), Temporal.timepos_t ({last}), "loop")')

        def is_selected() -> bool:
            if self.ask(_SELECTED_TRACKS) == [track]:
                return True
            self.action("Editor/select-next-stripable")
            return False

        wait_until(is_selected, f"{track} to be selected")
        self.action("Editor/select-loop-range")
        wait_until(lambda: self.ask(_SELECTED_RANGE) == [first, last], "the range to be selected")

    def takes(self) -> list[dict[str, Any]]:
        return [region for region in self.regions() if region["track"].endswith(" takes")]

    def marks(self) -> list[str]:
        """Return the names of the ranges over the tracks."""
        return [row["name"] for row in _rows(self.ask(_MARKS))]

    def select(self, *region_names: str) -> None:
        """Select regions by their names."""
        wanted = ", ".join(f'["{name}"] = true' for name in region_names)
        lua = f"local wanted = {{ {wanted} }}\n{_SELECT}"
        # A session just opened is not drawn yet.
        wait_until(lambda: self.ask(lua) == len(region_names), f"{region_names} to be there")

    def selected_regions(self) -> list[str]:
        return sorted(self.ask(_SELECTED_REGIONS))

    def save(self) -> None:
        self.ask('Session:save_state ("", false, false, false)')

    def quit(self) -> None:
        """Save and leave Ardour as a user does, also where takes came after the saving: Ardour asks then."""
        self.save()
        self.action("Common/Quit")
        wait_until(
            lambda: self._has_ended() or bool(self.screen.window(_UNSAVED)), "Ardour to quit or to ask"
        )
        if not self._has_ended():
            self.screen.focus(_UNSAVED)
            # The button "Save and quit" has the keys.
            self.screen.press("Return")
        wait_until(self._has_ended, "Ardour to quit")

    def _has_ended(self) -> bool:
        return self.process.poll() is not None


def _rows(value: Any) -> list[dict[str, Any]]:
    return list(value) if value else []


_REGIONS = """
local rows = {}
for route in Session:get_tracks ():iter () do
  for region in route:to_track ():playlist ():region_list ():iter () do
    rows[#rows + 1] = { track = route:name (), name = region:name (),
      position = region:position ():samples (), length = region:length ():samples (),
      muted = region:muted (), layer = region:layer (),
      path = region:to_audioregion ():source (0):to_filesource ():path () }
  end
end
return rows
"""

_SELECTED_TRACKS = """
local names = {}
for route in Editor:get_selection ().tracks:routelist ():iter () do names[#names + 1] = route:name () end
return names
"""

_SELECTED_REGIONS = """
local names = {}
for region in Editor:get_selection ().regions:regionlist ():iter () do names[#names + 1] = region:name () end
return names
"""

_SELECTED_RANGE = """
local time = Editor:get_selection ().time
return { time:start_sample (), time:end_sample () }
"""

_MARKS = """
local rows = {}
for location in Session:locations ():list ():iter () do rows[#rows + 1] = { name = location:name () } end
return rows
"""

_SELECT = """
local number = 0
local views = ArdourUI.SelectionList ()
for route in Session:get_tracks ():iter () do
  for region in route:to_track ():playlist ():region_list ():iter () do
    local view = wanted[region:name ()] and Editor:regionview_from_region (region)
    if view then views:push_back (view) number = number + 1 end
  end
end
Editor:set_selection (views, ArdourUI.SelectionOp.Set)
return number
"""


@dataclass(frozen=True, slots=True)
class Musician:
    """A user of Ardour with our scripts in it, and one session."""

    home: Home
    folder: Path
    screen: Screen

    @property
    def place(self) -> Place:
        return Place(folder=self.folder / ".config" / "ardour7", version="7")

    @property
    def session(self) -> Path:
        return self.folder / "song"

    @property
    def environment(self) -> dict[str, str]:
        own = {"HOME": str(self.folder), "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
        merged = {**self.home.environment, **self.screen.environment, **self.home_paths(), **own}
        return {key: value for key, value in merged.items() if value}

    def home_paths(self) -> dict[str, str]:
        return {
            key: self.home.environment[key] for key in ("PYTHONPATH", "DAW_BRIDGE_HOME", "DAW_BRIDGE_MODELS")
        }

    def install(self, command: tuple[str, ...] = COMMAND) -> None:
        """Put our scripts where the installer puts them."""
        folders = self.home.folders
        system = System(platform="linux", home=self.folder, environment={}, folders=folders, command=command)
        for file in HOST.files(system, self.place):
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_bytes(file.content)
        for edit in HOST.edits(system, self.place):
            edit.path.write_bytes(edit.put(edit.path.read_bytes() if edit.path.exists() else None))

    def slot(self, title: str) -> int:
        """Return the slot of an action of ours."""
        slots = names((self.place.folder / "ui_scripts").read_bytes())
        return next(slot for slot, name in slots.items() if name == our_name(title))

    def remember(self, ask: str, **settings: object) -> None:
        """Let these be the settings that dialogs show and "Repeat last" uses."""
        lines = [f"{key}\t{value}" for key, value in {"ask": ask, **settings}.items()]
        path = self.place.folder / "daw-bridge" / "settings.note"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def jobs(self) -> list[dict[str, str]]:
        """Return what the session knows of its jobs, oldest first."""
        notes = sorted((self.session / "daw-bridge").glob("*/job.note"))
        return [_note(path) for path in notes]

    def write_job(self, job: dict[str, str]) -> None:
        """Change what the session knows of a job that has no takes yet."""
        path = self.session / "daw-bridge" / job["id"] / "job.note"
        part = path.with_suffix(".changed")
        part.write_text("".join(f"{key}\t{value}\n" for key, value in job.items()), encoding="utf-8")
        part.rename(path)

    def take_of(self, job: dict[str, str]) -> Path:
        """Return the file of the best take of a job."""
        return Path(job["take"].split("\t")[1])

    def spec_of(self, job: dict[str, str]) -> Any:
        return json.loads(self.take_of(job).with_suffix(".json").read_text(encoding="utf-8"))["spec"]

    def prepare(self) -> None:
        """Make settings, scripts and an empty session."""
        self.settle_in()
        make_session(self.session, self.environment)

    def settle_in(self) -> None:
        """Make settings, with our scripts and a slot of the user's own."""
        seed_settings(self.place.folder, 3819)
        (self.place.folder / "ui_scripts").write_bytes(self._probe_alone())
        self.install()

    def _probe_alone(self) -> bytes:
        files = self.place.folder / "daw-bridge" / "files.lua"
        text = _PROBE.format(folder=self.folder, files=files)
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        table = f"scripts[{PROBE_SLOT}]"
        blob = (
            f'scripts = {{}} {table} = {{}} {table}["n"] = "Probe" {table}["s"] = "" '
            f'{table}["f"] = "{escaped}" {table}["a"] = {{}} '
        )
        code = base64.b64encode(blob.encode()).decode()
        return (
            f'<UIScripts><ActionScript lua="Lua 5.3">{code}</ActionScript><ActionHooks/></UIScripts>'.encode()
        )

    @contextmanager
    def ardour(self, *options: str) -> Iterator[Ardour]:
        """Start Ardour with the session, and wait until it answers."""
        port = _free_port()
        seed_settings(self.place.folder, port)
        command = ["ardour", "-n", "-a", "-d", *options, str(self.session / "song.ardour")]
        with started(command, self.environment, self.folder / "ardour.log") as process:
            slots = {
                name: slot for slot, name in names((self.place.folder / "ui_scripts").read_bytes()).items()
            }
            running = Ardour(self.home, self.folder, self.session, self.screen, port, slots, process)
            try:
                running.ask("return 1")
                yield running
            except BaseException:
                self.screen.picture(PICTURES / f"{self.folder.parent.name}.png")
                raise


def _note(path: Path) -> dict[str, str]:
    pairs = [line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines()]
    return {pair[0]: pair[1] for pair in reversed(pairs)}


@contextmanager
def musician(home: Home, folder: Path, base: Path | None = None) -> Iterator[Musician]:
    """Give a user a screen, and the files of another one."""
    folder.mkdir(parents=True)
    with screen(folder) as made:
        user = Musician(home, folder, made)
        if base:
            shutil.copytree(base / "song", user.session)
            user.settle_in()
        yield user


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])
