"""Prompts that are not rendered: phrases of a list that the user may edit.

A list that cannot be read as a whole refuses everything: it is there to keep something out.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daw_bridge.errors import PromptRefused, RefusalsUnreadable
from engine.types import ConditionKind, RenderSpec

MAX_LIST_BYTES = 1_000_000
# So much is read in a moment, while everybody waits; of more they must not.
QUICK_BYTES = 20_000
POLL_S = 1.0
_BYTE_ORDERS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Accents, and characters that have no width.
_UNSEEN = ("Mn", "Me", "Cf")
_APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}"
_WORD = re.compile(r"[^\W_]+")
_PHRASE = ""
_Stamp = tuple[int, ...]
# Words to what may follow them, those that are beginnings of words with a star; "" is a phrase's own text.
_Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _List:
    """A list as it was read, or why it was not; no path where there is none."""

    path: Path | None = None
    stamp: _Stamp | None = None
    tree: _Tree | None = None
    error: RefusalsUnreadable | None = None


class Refusals:
    """Refuses specs by the first of some lists that exists; a change of the file counts at once.

    Use it within one event loop. `watch` reads a list that changed beside the loop, so that a long one holds
    up nobody.
    """

    def __init__(self, lists: Iterable[Path]) -> None:
        self._lists = tuple(lists)
        self._list = _current(self._lists, _List())

    def check(self, spec: RenderSpec) -> None:
        """Refuse what is asked for by a listed phrase; what is not wanted may hold one.

        Raises:
            PromptRefused: a phrase of the list.
            RefusalsUnreadable: the list cannot be read, or is long and has just been changed.
        """
        self._list = _current(self._lists, self._list, QUICK_BYTES)
        if self._list.error is not None:
            raise self._list.error
        texts = [spec.prompt, *(one.value for one in spec.conditions if one.kind is ConditionKind.TEXT)]
        for phrase in (found for text in texts for found in _found(self._list.tree or {}, _words(text))):
            raise PromptRefused(
                f"the prompt holds {phrase!r:.100}, which the list of refused prompts names",
                f"Change the prompt, or the list: {self._list.path}.",
            )

    async def watch(self) -> None:
        """Read changed lists until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            before = self._list
            read = await asyncio.to_thread(_current, self._lists, before)
            # A request may have come meanwhile and found a later state.
            if self._list is before or self._list.stamp is None:
                self._list = read


def _current(lists: Sequence[Path], known: _List, at_once_bytes: int = MAX_LIST_BYTES) -> _List:
    """Return the list that counts now; the known one if that has not changed."""
    for path in lists:
        try:
            if (found := _facts(path)) is None:
                continue
            stamp = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
            if (known.path, known.stamp) == (path, stamp):
                return known
            if not at_once_bytes < found.st_size <= MAX_LIST_BYTES:
                return _List(path, stamp, _read(path, found))
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else str(error)) or str(error)
            return _List(path, error=_unreadable(path, reason.lower()))
        return _List(path, error=RefusalsUnreadable(f"{path} is just being read", "Try again in a second."))
    return _List()


def _facts(path: Path) -> os.stat_result | None:
    """Return the facts of a file; None where there is nothing, which a link to nothing is not."""
    try:
        return path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise
        return None


def _read(path: Path, found: os.stat_result) -> _Tree:
    """Return the phrases of a list; raises OSError or ValueError for one that is not read to its end."""
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        data = file.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        raise ValueError(f"it has more than {MAX_LIST_BYTES} bytes")
    return _tree(_decoded(data).splitlines())


def _decoded(data: bytes) -> str:
    encoding = next((name for order, name in _BYTE_ORDERS.items() if data.startswith(order)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError("it is neither UTF-8 nor marked as UTF-16") from error
    if "\0" in text:
        raise ValueError("it is neither UTF-8 nor marked as UTF-16")
    return text


def _tree(lines: Iterable[str]) -> _Tree:
    root: _Tree = {}
    for line in map(str.strip, lines):
        node = root
        for word in () if line.startswith("#") else _listed(line):
            node = node.setdefault(word, {})
        if node is not root:
            node[_PHRASE] = line
    return root


def _listed(phrase: str) -> Iterator[str]:
    """Yield the words of a phrase, beginnings of words with a star."""
    for part in phrase.split():
        words = _words(part)
        yield from words[:-1]
        if words:
            yield words[-1] + ("*" if part.endswith("*") else "")


def _found(tree: _Tree, words: list[str]) -> Iterator[str]:
    """Yield phrases of the tree that the words hold side by side."""
    nodes: list[_Tree] = []
    for word in words:
        nodes = [after for node in (*nodes, tree) for after in _after(node, word)]
        yield from (node[_PHRASE] for node in nodes if _PHRASE in node)


def _after(node: _Tree, word: str) -> Iterator[_Tree]:
    if word in node:
        yield node[word]
    for length in range(1, len(word) + 1):
        if (beginning := f"{word[:length]}*") in node:
            yield node[beginning]


def _words(text: str) -> list[str]:
    """Return lower-case words without accents, punctuation and what has no width."""
    letters = text.casefold()
    if not letters.isascii():
        letters = unicodedata.normalize("NFKD", letters)
        letters = "".join(one for one in letters if unicodedata.category(one) not in _UNSEEN)
    return _WORD.findall(letters.translate(_WITHOUT_APOSTROPHES))


def _unreadable(path: Path, reason: str) -> RefusalsUnreadable:
    return RefusalsUnreadable(
        f"the list of refused prompts {path} cannot be used: {reason}",
        "Nothing is rendered until it is mended or removed.",
    )


_WITHOUT_APOSTROPHES = str.maketrans("", "", _APOSTROPHES)
