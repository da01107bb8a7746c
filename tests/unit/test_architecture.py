"""Conventions that no linter knows, each with its reason in the failure text."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("daw_bridge", "engine", "ui")
VALUES = (
    "engine.types",
    "engine.errors",
    "engine.spec_json",
    "engine.strict_json",
    "engine.chains",
    "engine.effects",
    "engine.delivery",
    "engine.chain_json",
    "engine.text_files",
)
TEXT_SUFFIXES = {"", ".cfg", ".json", ".md", ".py", ".toml", ".tsv", ".txt"}

FILE_LINES, FUNCTION_LINES, MEDIAN_FUNCTION_LINES = 500, 60, 10

BANNED = {
    "print": "a library that prints cannot be silenced; log, or let daw_bridge.display speak",
    "sys.path.append": "edited import paths make other people's modules importable under our names",
    "sys.path.insert": "edited import paths make other people's modules importable under our names",
    "np.random.seed": "the global generator is everyone's; hand a np.random.Generator on",
    "random.seed": "the global generator is everyone's; hand a random.Random on",
    "torch.seed": "a render must be repeatable",
    "time.sleep": "wait for the event itself, with a deadline",
}


@cache
def sources() -> dict[str, ast.Module]:
    """Return the syntax trees of the packages by path from the root."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in files}


def function_lengths() -> dict[str, int]:
    """Return the number of lines of each function, without its decorators."""
    return {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    return ((node.lineno, ast.unparse(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def shipped_text() -> Iterator[Path]:
    folders = [ROOT / name for name in (*PACKAGES, ".ci", "docs", "presets", "tests")]
    files = [path for path in ROOT.iterdir() if path.is_file()]
    files += [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return (path for path in files if path.suffix in TEXT_SUFFIXES and "cache" not in str(path))


def test_banned_calls() -> None:
    found = [
        f"{path}:{line} {name}: {BANNED[name]}"
        for path, tree in sources().items()
        for line, name in calls(tree)
        if name in BANNED
    ]
    assert not found, "\n".join(found)


def test_files_stay_readable() -> None:
    lengths = {path: (ROOT / path).read_text().count("\n") for path in sources()}
    found = [f"{path} has {lines} lines" for path, lines in lengths.items() if lines > FILE_LINES]
    assert not found, f"split by responsibility what is over {FILE_LINES} lines: {found}"


def test_functions_say_one_thing() -> None:
    lengths = function_lengths()
    found = [f"{name} has {lines} lines" for name, lines in lengths.items() if lines > FUNCTION_LINES]
    assert not found, f"split what is over {FUNCTION_LINES} lines: {found}"
    median = statistics.median(lengths.values())
    assert median < MEDIAN_FUNCTION_LINES, (
        f"half of all functions have {median} lines or more; keep them short"
    )


@pytest.mark.parametrize("module", VALUES)
def test_values_need_the_standard_library_alone(module: str) -> None:
    names = set(imported(sources()[f"{module.replace('.', '/')}.py"])) - set(VALUES)
    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    assert not foreign, f"processes that must start at once load {module}; it may not import {foreign}"


# Run in a process of their own; an import contract keeps the service out of them.
PLAYER = {
    f"daw_bridge.audition.{name}"
    for name in (
        *("asked", "deck", "levels", "loader", "mixer", "output", "player", "reader", "shelf", "tracks"),
        "voice",
    )
}


def modules_of(package: str) -> Iterator[str]:
    for path in sources():
        if path.startswith(f"{package}/") and not path.endswith("__main__.py"):
            yield path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def loaded_with(*modules: str) -> set[str]:
    """Return the top-level names of all that is loaded with these modules."""
    code = f"import {', '.join(modules)}, sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_service_loads_no_numerics() -> None:
    heavy = {"torch", "numpy", "scipy", "transformers", "soundfile", "sounddevice", "matplotlib", "PyQt6"}
    found = loaded_with(*(name for name in modules_of("daw_bridge") if name not in PLAYER)) & heavy
    assert not found, f"the service must answer within half a second of its start, but loads {found}"


def test_panel_neither_renders_nor_plays() -> None:
    heavy = {"torch", "scipy", "transformers", "sounddevice", "matplotlib", "pedalboard"}
    found = loaded_with(*modules_of("ui")) & heavy
    assert not found, f"the panel must open within a second, but loads {found}"


@pytest.mark.parametrize("package", ["ui.connection", "ui.model", "ui.sound"])
def test_what_the_panel_knows_needs_no_window(package: str) -> None:
    found = {
        f"{path}: {name}"
        for path, tree in sources().items()
        if path.startswith(package.replace(".", "/"))
        for name in imported(tree)
        if name in ("PyQt6.QtWidgets", "pyqtgraph") or (package == "ui.sound" and "PyQt6" in name)
    }
    assert not found, f"state and sounds must be testable without a window: {found}"


def test_no_test_folder_shadows_a_package() -> None:
    shadows = [path for path in (ROOT / "tests").rglob("*") if path.is_dir() and path.name in PACKAGES]
    assert not shadows, f"pytest would import the test folder in the package's place: {shadows}"
    assert (ROOT / "tests" / "__init__.py").is_file(), "without it test folders become top-level packages"


def test_no_path_of_a_build_machine() -> None:
    absolute = re.compile(r"(?<![\w.:/<])/(?:work|root|home|Users)/\w+|[A-Z]:\\Users\\\w+")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in shipped_text()
        for match in absolute.finditer(path.read_text(errors="replace"))
    ]
    assert not found, f"nobody else has these folders: {found}"


def test_unfinished_files_are_never_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "*.part" in ignored, "files grow under a .part name until they are whole"
