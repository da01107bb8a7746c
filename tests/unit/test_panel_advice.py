"""What engine and service advise, in the words of the panel: nothing of a command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.types import ErrorCode, ErrorInfo
from ui.model.advice import advised
from ui.model.job_words import sentence, sentences

ROOT = Path(__file__).parents[2]
# The command line itself, what only its users read, and what runs in hosts.
NEVER_IN_A_WINDOW = (
    *("cli.py", "_cli.py", "options.py", "option_types.py", "demo.py", "sheet.py", "wish.py"),
    *("/training/", "/evaluation/", "/scripts/"),
)
OPTION = re.compile(r"(?<![\w-])--[a-z]")
COMMAND = re.compile(r"daw-bridge [a-z]")
# A command that is left to the terminal, up to where its sentence ends.
IN_TERMINAL = re.compile(r"(?:in a|In a) terminal:? (?:`[^`]+`|daw-bridge [^,;`]+)")


def texts() -> Iterator[tuple[str, str]]:
    """Yield where a text stands and the text, with NAME for what is put into it."""
    for path in sorted((*(ROOT / "engine").rglob("*.py"), *(ROOT / "daw_bridge").rglob("*.py"))):
        name = path.relative_to(ROOT).as_posix()
        if any(name.endswith(end) or end in f"/{name}" for end in NEVER_IN_A_WINDOW):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = _docstrings(tree) | {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "NAME" for part in node.values)
                yield f"{name}:{node.lineno}", "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                yield f"{name}:{node.lineno}", node.value


def _docstrings(tree: ast.Module) -> set[int]:
    nodes = (node.body[0] for node in ast.walk(tree) if getattr(node, "body", None) and _has_body(node))
    return {id(first.value) for first in nodes if isinstance(first, ast.Expr)}


def _has_body(node: ast.AST) -> bool:
    return isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)


def of_the_command_line() -> list[tuple[str, str]]:
    """Return the texts with options and commands; what is an option and nothing else is no text."""
    return [
        (where, text)
        for where, text in texts()
        if " " in text and (OPTION.search(text) or COMMAND.search(text))
    ]


def test_the_panel_has_words_of_its_own_for_all_that_names_an_option_or_a_command() -> None:
    found = of_the_command_line()
    assert len(found) > 20, "the texts are looked for in the wrong place"
    for where, text in found:
        rest = IN_TERMINAL.sub("", advised(text))
        assert not OPTION.search(rest) and not COMMAND.search(rest), (
            f"{where} says {text!r}, which the panel tells as {advised(text)!r}: "
            "say in ui/model/advice.py what does the same in the window"
        )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Choose a longer one with --start and --end.",
            "Choose a longer one with From and to, below the sound.",
        ),
        ("Run: daw-bridge models pull audioldm-s", "Download it, by the button beside Model"),
        ("Mend it: daw-bridge install-scripts reaper.", "Mend puts that right."),
        (
            "run `daw-bridge models import A --name B`",
            "run in a terminal `daw-bridge models import A --name B`",
        ),
        ("In a terminal: daw-bridge audacity listen.", "In a terminal: daw-bridge audacity listen."),
        ("a prompt -- with dashes", "a prompt -- with dashes"),
    ],
)
def test_advice_names_what_is_in_the_window(text: str, told: str) -> None:
    assert advised(text) == told


def test_an_error_is_told_in_those_words() -> None:
    error = ErrorInfo(
        code=ErrorCode.BAD_ARGS,
        message="the region in a.wav is shorter than one sample",
        hint="Choose a longer one with --start and --end.",
    )
    assert sentence(error) == (
        "The region in a.wav is shorter than one sample. "
        "Choose a longer one with From and to, below the sound."
    )
    assert sentences("nothing is there", "See: daw-bridge models list") == (
        "Nothing is there. See all models, by the button beside Model."
    )


def test_no_widget_puts_message_and_hint_together_by_itself() -> None:
    for path in (ROOT / "ui" / "widgets").rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert ".hint" not in line or "sentences(" in line, (
                f"{path.name}: {line.strip()} - job_words.sentence tells errors in the panel's words"
            )
