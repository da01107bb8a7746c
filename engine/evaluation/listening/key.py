"""What a listening test is made of: the key, which listeners must not know, and what they answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from engine.errors import BadJson, SpecError
from engine.strict_json import Variants, decode, encode, parse_json
from engine.text_files import read_text

SCHEMA_VERSION = 1
LOWEST, HIGHEST = 1, 100
MAX_BYTES = 20_000_000
Read = TypeVar("Read")
_PLAIN = Variants(key="kind", kinds={})
_SYSTEM = re.compile(r"[^\x00-\x1f|]{1,60}")


class ItemKind(Enum):
    """SYSTEM is under test; REAL recordings with their caption, and with a WRONG one, test the listener."""

    SYSTEM = "system"
    REAL = "real"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One sound of a questionnaire: the file listeners get, what it is; no system for recordings."""

    file: str
    caption: str
    duration_s: float
    what: ItemKind
    system: str
    clip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """All items of a questionnaire, by whose id answers find back to it."""

    questionnaire: str
    seed: int
    items: tuple[Item, ...]
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Two scores from 1 to 100; listened_s is how much of the file was played, answered_s the time taken."""

    file: str
    ovl: int
    rel: int
    listened_s: float
    answered_s: float

    def __post_init__(self) -> None:
        for name, score in (("ovl", self.ovl), ("rel", self.rel)):
            if not LOWEST <= score <= HIGHEST:
                raise ValueError(f"{name} must be from {LOWEST} to {HIGHEST}, got {score}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one listener answered."""

    questionnaire: str
    rater: str
    answers: tuple[Answer, ...]
    schema_version: int = SCHEMA_VERSION


def key_json(key: Key) -> str:
    return json.dumps(encode(key, _PLAIN), indent=1, ensure_ascii=False) + "\n"


def read_key(path: Path) -> Key:
    """Read the key of a questionnaire, from its file or the folder with it; SpecError where it is none."""
    return _read(path / "key.json" if path.is_dir() else path, Key, "key of a questionnaire")


def read_answers(path: Path, key: Key) -> Answers:
    """Read what a page of the key's questionnaire wrote.

    Raises SpecError for answers to another questionnaire, to unknown or repeated files, or damaged ones.
    """
    found = _read(path, Answers, "file of answers")
    if found.questionnaire != key.questionnaire:
        raise SpecError(f"{path} answers another questionnaire", "Give the key that was made with it.")
    known, seen = {item.file for item in key.items}, set()
    for answer in found.answers:
        if answer.file not in known or answer.file in seen:
            what = "twice" if answer.file in seen else "which was not asked"
            raise SpecError(
                f"{path} answers {answer.file:.80} {what}", "Ask its listener for the file again."
            )
        seen.add(answer.file)
    return found


def require_system(name: str) -> None:
    """Raise SpecError for a name that would break tables."""
    if not _SYSTEM.fullmatch(name):
        raise SpecError(f"{name!r:.70} is no name of a system", "Use up to 60 characters, none of them |.")


def _read(path: Path, kind: type[Read], what: str) -> Read:
    try:
        found: Read = decode(kind, parse_json(read_text(path, MAX_BYTES), MAX_BYTES), "", _PLAIN)
    except (BadJson, SpecError) as error:
        raise SpecError(
            f"{path} is no {what}: {error.message}", "Give the file as it was written."
        ) from error
    return found
