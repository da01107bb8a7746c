"""What the published stubs of Live's Python interface declare, as rows that lom.tsv has too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CLASSES = ("Song", "Song.View", "Track", "TakeLane", "ClipSlot", "Clip", "Scene", "WarpMarker")
# The stub of a class is in the file of its module.
_FILES = {"WarpMarker": "Clip"}

Row = tuple[str, str, str, str, str]


def rows(folder: Path) -> list[Row]:
    """Return class, name, kind, arguments and result of all that is declared, listeners left out."""
    return sorted(row for name in CLASSES for row in _rows(folder, name))


def _rows(folder: Path, name: str) -> Iterator[Row]:
    outer, _, inner = name.partition(".")
    tree = ast.parse((folder / f"{_FILES.get(outer, outer)}.pyi").read_text(encoding="utf-8"))
    found = _class(tree, outer)
    members = _class(found, inner).body if inner else found.body
    functions = [one for one in members if isinstance(one, ast.FunctionDef) and "listener" not in one.name]
    settable = {one.name for one in functions if _decorated(one, "setter")}
    for function in functions:
        if not _decorated(function, "setter"):
            yield _row(name, function, is_settable=function.name in settable)


def _class(node: ast.AST, name: str) -> ast.ClassDef:
    return next(one for one in ast.walk(node) if isinstance(one, ast.ClassDef) and one.name == name)


def _decorated(function: ast.FunctionDef, name: str) -> bool:
    return any(name in ast.unparse(decorator) for decorator in function.decorator_list)


def _row(owner: str, function: ast.FunctionDef, *, is_settable: bool) -> Row:
    result = ast.unparse(function.returns) if function.returns else ""
    if _decorated(function, "property"):
        return owner, function.name, "set" if is_settable else "get", "", result
    arguments = [*function.args.posonlyargs, *function.args.args][1:]
    needed = len(arguments) - len(function.args.defaults)
    told = [
        f"{ast.unparse(one.annotation) if one.annotation else 'Any'}{'' if place < needed else '='}"
        for place, one in enumerate(arguments)
    ]
    return owner, function.name, "call", "; ".join(told), result
