"""The linters and type checkers of `make lint`, so that a green suite means a clean tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = {
    "style": ["ruff", "check"],
    "format": ["ruff", "format", "--check", "--diff"],
    "imports": ["lint-imports"],
    "types": ["mypy"],
}


@pytest.mark.takes_long
@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS.keys())
def test_tool_finds_nothing(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    result = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


def test_make_lint_runs_the_same_tools() -> None:
    makefile = (ROOT / "Makefile").read_text()
    missing = [" ".join(command[:2]) for command in TOOLS.values() if f"$(BIN)/{command[0]}" not in makefile]
    assert not missing
