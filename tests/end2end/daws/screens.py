"""A screen that nobody sees, with a window manager; keys, clicks and pictures on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.end2end.homes import PATIENCE_S, ROOT, wait_until

PICTURES = ROOT / "build" / "pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """An X display; environment is for the programs on it."""

    environment: Mapping[str, str]

    def do(self, *arguments: str) -> str:
        """Run xdotool; what it prints, empty where it found nothing."""
        done = subprocess.run(
            ["xdotool", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        return done.stdout.strip()

    def window(self, title: str) -> str:
        """Return the number of the visible window whose title matches, or nothing."""
        return self.do("search", "--onlyvisible", "--name", title).split("\n")[0]

    def wait_for_window(self, title: str) -> str:
        wait_until(lambda: bool(self.window(title)), f"a window titled {title}")
        return self.window(title)

    def focus(self, title: str) -> None:
        """Give a window the keys, and wait until it has them."""
        window = self.wait_for_window(title)

        def has_keys() -> bool:
            self.do("windowactivate", window)
            return self.do("getactivewindow") == window

        wait_until(has_keys, f"the keys to go to {title}")

    def type(self, text: str) -> None:
        self.do("type", "--delay", "20", text)

    def press(self, *keys: str) -> None:
        self.do("key", *keys)

    def picture(self, path: Path) -> Path:
        """Save what is on the screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["import", "-window", "root", str(path)], env=self.environment, check=True, timeout=PATIENCE_S
        )
        return path


@contextmanager
def started(
    command: list[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside the block, and end it after that."""
    with (
        log.open("wb") as words,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=words, stderr=words
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


@contextmanager
def screen(folder: Path, size: str = "1400x900x24") -> Iterator[Screen]:
    """Start an X server and a window manager."""
    read, write = os.pipe()
    # -r: no key repeats itself, however late a busy machine lets go of it.
    server_command = ["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-nolisten", "tcp", "-r"]
    with subprocess.Popen(server_command, pass_fds=(write,), stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            with os.fdopen(read) as display:
                environment = os.environ | {"DISPLAY": f":{display.readline().strip()}"}
            with started(["openbox"], environment, folder / "openbox.log"):
                yield Screen(environment=environment)
        finally:
            server.terminate()
