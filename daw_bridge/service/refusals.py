"""Prompts that are not rendered: phrases of a list that the user may edit."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from daw_bridge.errors import PromptRefused
from engine.types import ConditionKind, RenderSpec

MAX_LIST_BYTES = 1_000_000
_LOG = logging.getLogger(__name__)
# Accents, and characters that have no width.
_UNSEEN = ("Mn", "Me", "Cf")
_APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}"
_Stamp = tuple[str, int, int]


class Refusals:
    """Refuses specs by the first of some lists that exists; a change of the file counts at once."""

    def __init__(self, lists: Iterable[Path]) -> None:
        self._lists = tuple(lists)
        self._stamp: _Stamp | None = None
        self._patterns: tuple[tuple[str, re.Pattern[str]], ...] = ()

    def check(self, spec: RenderSpec) -> None:
        """Raise PromptRefused where what is asked for holds a listed phrase; what is not wanted may."""
        texts = [spec.prompt, *(one.value for one in spec.conditions if one.kind is ConditionKind.TEXT)]
        plain = [_plain(text) for text in texts]
        for phrase, pattern in self._current():
            if any(pattern.search(text) for text in plain):
                raise PromptRefused(
                    f"the prompt holds {phrase!r}, which the list of refused prompts names",
                    f"Change the prompt, or the list: {self._stamp[0] if self._stamp else ''}.",
                )

    def _current(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        found = next(((path, stamp) for path in self._lists if (stamp := _stamp(path))), None)
        if found is None:
            self._stamp, self._patterns = None, ()
        elif found[1] != self._stamp:
            self._patterns, self._stamp = _read(found[0]), found[1]
        return self._patterns


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (str(path), found.st_mtime_ns, found.st_size)


def _read(path: Path) -> tuple[tuple[str, re.Pattern[str]], ...]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_LIST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        _LOG.warning("the list of refused prompts cannot be read: %s", error)
        return ()
    phrases = (line.strip() for line in text.splitlines())
    found = [(phrase, _pattern(phrase)) for phrase in phrases if phrase and not phrase.startswith("#")]
    return tuple((phrase, pattern) for phrase, pattern in found if pattern is not None)


def _pattern(phrase: str) -> re.Pattern[str] | None:
    """Return what finds a phrase in plain text; None for one without a letter."""
    plain = [(_plain(word), r"\w*" if word.endswith("*") else "") for word in phrase.split()]
    words = [word + rest for word, rest in plain if word]
    return re.compile(r"\b" + r" ".join(words) + r"\b") if words else None


def _plain(text: str) -> str:
    """Return lower-case words with one space between, without accents, punctuation and what has no width."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    kept = (one for one in letters if one not in _APOSTROPHES and unicodedata.category(one) not in _UNSEEN)
    return " ".join(re.findall(r"[^\W_]+", "".join(kept)))
