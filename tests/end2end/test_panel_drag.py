"""Takes dragged out of the panel into a window of another program, on a real X server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end2end.homes import ROOT

STEPS = 12


@contextmanager
def started(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a window and wait until it is there; it ends with the block."""
    environment = os.environ | {"QT_QPA_PLATFORM": "xcb", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", str(Path(__file__).with_name(name)), *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def drag(start: tuple[int, int], end: tuple[int, int]) -> None:
    """Drag with the mouse, slowly enough for a program to follow."""
    places = [
        tuple(round(a + (b - a) * step / STEPS) for a, b in zip(start, end, strict=True))
        for step in range(1, STEPS + 1)
    ]
    moves = [word for x, y in places for word in ("mousemove", str(x), str(y), "sleep", "0.05")]
    begin = ["mousemove", *map(str, start), "sleep", "0.1", "mousedown", "1", "sleep", "0.1"]
    command = ["xdotool", *begin, *moves, "sleep", "0.2", "mouseup", "1"]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.usefixtures("screen")
def test_another_program_gets_the_files_of_takes(tmp_path: Path) -> None:
    take, other = tmp_path / "warm rain_1.wav", tmp_path / "bells_1.wav"
    for path in (take, other):
        path.write_bytes(b"RIFF")
    with (
        started("dropped_on.py") as target,
        started("dragged_from.py", str(take), str(other)),
    ):
        assert target.stdout is not None
        drag((100, 108), (650, 250))
        assert target.stdout.readline().split(" ", 1) == ["CopyAction", f"{take.as_uri()}\n"]
        drag((100, 360), (650, 250))
        assert target.stdout.readline().split(" ", 1) == ["CopyAction", f"{other.as_uri()}\n"]
    assert take.exists() and other.exists()
