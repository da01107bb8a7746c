"""Audacity itself, on a screen that nobody sees, worked by keys and asked by its pipe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from daw_bridge.daws.audacity.control import Audacity
from daw_bridge.errors import AudacityBusy, AudacityClosed
from tests.end2end.homes import COMMAND, PATIENCE_S, Home, wait_until

PROGRAMS = ("audacity", "Xvfb", "openbox", "xdotool")
PIPES = [Path("/") / "tmp" / f"audacity_script_pipe.{end}.{os.getuid()}" for end in ("to", "from")]
_ANSWER_S = 60.0


def missing_programs() -> list[str]:
    """Return what cannot be had here, an Audacity that runs already among it: its pipe has one name only."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    runs = subprocess.run(["pgrep", "-x", "audacity"], capture_output=True, check=False).returncode == 0
    return [*missing, *(["a free pipe: Audacity runs"] if runs else [])]


@dataclass
class AudacitySession:
    """A user's Audacity; home is where the bridge keeps its things."""

    folder: Path
    home: Home
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Path:
        return self.folder / ".config" / "audacity"

    def client(self) -> Audacity:
        return Audacity(self.home.folders.runtime, answer_s=_ANSWER_S)

    def do(self, *commands: str) -> None:
        """Do commands by the pipe, all of which must succeed."""
        for command in commands:
            answer = self.client().do(command, _ANSWER_S)
            assert answer.is_ok, f"{command}: {answer.text}"

    def tracks(self) -> list[dict[str, object]]:
        return [dict(track) for track in self.client().tracks()]

    def clips(self) -> list[dict[str, object]]:
        return [dict(clip) for clip in self.client().clips()]

    def start(self) -> None:
        """Start it and wait until its pipe answers, or where it has none, its window is there."""
        self._forget_crashes()
        self.process = subprocess.Popen(
            ["audacity"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: "Audacity" in self.windows(), "Audacity's window")

    def wait_for_pipe(self) -> None:
        wait_until(self._answers, "Audacity's pipe")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(PATIENCE_S)
        self.process = None
        for pipe in PIPES:
            pipe.unlink(missing_ok=True)

    def windows(self) -> list[str]:
        found = self._xdotool("search", "--onlyvisible", "--name", ".", "getwindowname", "%@")
        return found.splitlines()

    def key(self, *keys: str) -> None:
        self._xdotool("key", "--delay", "150", *keys)

    def type(self, text: str) -> None:
        self._xdotool("type", "--delay", "60", text)

    def open_change(self, window: str) -> None:
        """Choose DAW Bridge Change, the last entry of the menu Analyze, and wait for its dialog."""
        self._xdotool("search", "--onlyvisible", "--name", f"^{window}$", "windowactivate", "--sync")

        def opened() -> bool:
            if "DAW Bridge Change" not in self.windows():
                self.key("Escape", "alt+a", "End", "Return")
            return "DAW Bridge Change" in self.windows()

        wait_until(opened, "the dialog")

    def close_project(self) -> None:
        """Close the project in front without saving it; another one stays open."""
        self.key("ctrl+w")
        question = "^Save changes to"
        wait_until(lambda: any(re.match(question, name) for name in self.windows()), "the question")
        self._xdotool("search", "--onlyvisible", "--name", question, "windowactivate", "--sync")
        self.key("alt+n")
        wait_until(lambda: not any(re.match(question, name) for name in self.windows()), "its end")

    def _answers(self) -> bool:
        try:
            return self.client().do("GetInfo: Type=Tracks Format=JSON", 5.0).is_ok
        except (AudacityBusy, AudacityClosed):
            return False

    def _xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        return done.stdout

    def _forget_crashes(self) -> None:
        """Remove what makes Audacity ask about projects of an earlier start."""
        shutil.rmtree(self.folder / "unsaved", ignore_errors=True)
        settings = self.settings / "audacity.cfg"
        if settings.exists():
            text = settings.read_text(encoding="utf-8")
            kept = [part for part in text.split("[") if not part.startswith("ActiveProjects]")]
            settings.write_text("[".join(kept), encoding="utf-8")


SETTINGS = """PrefsVersion=1.1.1r1
WantAssociateFiles=0
[GUI]
ShowSplashScreen=0
[Warnings]
FirstProjectSave=0
[Directories]
TempDir={folder}/unsaved
[Version]
Major=3
Minor=2
Micro=4
[Update]
DefaultUpdatesChecking=0
UpdateNoticeShown=1
"""


@contextmanager
def installed_audacity(folder: Path, home: Home) -> Iterator[AudacitySession]:
    """Start Audacity for the first time, let the bridge install its scripts, and start it again."""
    with ExitStack() as stack:
        # Its pipe has one name for all that this user runs, also in a test beside this one.
        stack.enter_context(FileLock(Path(tempfile.gettempdir()) / f"audacity-of-tests-{os.getuid()}.lock"))
        session = AudacitySession(folder=folder, home=home)
        session.environment = stack.enter_context(_screen(folder, home))
        stack.callback(session.stop)
        session.settings.mkdir(parents=True)
        (session.settings / "audacity.cfg").write_text(SETTINGS.format(folder=folder), encoding="utf-8")
        session.start()
        listed = session.settings / "pluginregistry.cfg"
        wait_until(listed.exists, "the list of plug-ins")
        session.stop()
        done = subprocess.run(
            [*COMMAND, "install-scripts", "audacity"],
            env=session.environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        session.start()
        session.wait_for_pipe()
        yield session


@contextmanager
def _screen(folder: Path, home: Home) -> Iterator[dict[str, str]]:
    """Give a user a screen and a window manager, and yield the environment of both."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24", "-nolisten", "tcp"]
    runtime = folder / "run"
    runtime.mkdir(mode=0o700, parents=True)
    with subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as display:
            name = f":{display.readline().strip()}"
        environment = {**home.environment, "HOME": str(folder), "DISPLAY": name}
        environment |= {"XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(folder / ".config")}
        environment |= {"XDG_DATA_HOME": str(folder / ".local" / "share")}
        with subprocess.Popen(
            ["openbox"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as manager:
            try:
                yield environment
            finally:
                manager.terminate()
                server.terminate()
