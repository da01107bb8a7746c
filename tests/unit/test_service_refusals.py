"""Prompts that are refused, and lists of them that cannot be read."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from daw_bridge.errors import PromptRefused, RefusalsUnreadable
from daw_bridge.service import refusals as module
from daw_bridge.service.refusals import MAX_LIST_BYTES, QUICK_BYTES, Refusals
from engine.types import Condition, ConditionKind, ErrorCode
from tests.unit.histories import a_spec


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "refused_prompts.txt"


def is_refused(refusals: Refusals, prompt: str) -> bool:
    try:
        refusals.check(a_spec(prompt))
    except PromptRefused:
        return True
    return False


@pytest.mark.parametrize(
    ("phrase", "prompt", "expected"),
    [
        ("voice of", "the voice of a singer", True),
        ("voice of", "the voices of a choir", False),
        ("voice* of", "the voices of a choir", True),
        ("deep*", "a deepfake", True),
        ("deep* singer", "a deepfaked singer", True),
        ("deep* singer", "a deepfaked old singer", False),
        ("re-do it", "RE do, it!", True),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe", True),
        ("don't", "dont", True),
        ("a b", "a a b", True),
        ("a b c", "a b a b c", True),
        ("#comment", "comment", False),
        ("*", "anything", False),
    ],
)
def test_phrases_are_found_word_by_word(phrase: str, prompt: str, expected: bool, path: Path) -> None:
    path.write_text(f"something else\n{phrase}\n", encoding="utf-8")
    refusals = Refusals((path,))
    assert is_refused(refusals, prompt) is expected
    condition = Condition(kind=ConditionKind.TEXT, value=prompt)
    if expected:
        with pytest.raises(PromptRefused, match="list of refused prompts"):
            refusals.check(a_spec("rain", conditions=(condition,)))


@pytest.mark.parametrize(
    "data",
    [
        "d\N{LATIN SMALL LETTER U WITH DIAERESIS}rer".encode(),
        codecs.BOM_UTF8 + "d\N{LATIN SMALL LETTER U WITH DIAERESIS}rer".encode(),
        "d\N{LATIN SMALL LETTER U WITH DIAERESIS}rer".encode("utf-16"),
        codecs.BOM_UTF16_BE + "d\N{LATIN SMALL LETTER U WITH DIAERESIS}rer".encode("utf-16-be"),
    ],
)
def test_a_list_may_be_utf8_or_marked_utf16(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    assert is_refused(Refusals((path,)), "by durer")


def folder(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def too_long(path: Path) -> None:
    path.write_bytes(b"x" * (MAX_LIST_BYTES + 1))


def latin(path: Path) -> None:
    path.write_bytes(b"d\xfcrer")


def unmarked(path: Path) -> None:
    path.write_bytes("durer".encode("utf-16-le"))


@pytest.mark.parametrize("make", [folder, dangling, fifo, too_long, latin, unmarked])
def test_a_list_that_cannot_be_read_lets_nothing_through(make: Callable[[Path], None], path: Path) -> None:
    path.write_text("durer")
    refusals = Refusals((path,))
    path.unlink()
    make(path)
    for told in (refusals, Refusals((path,))):
        with pytest.raises(RefusalsUnreadable, match="cannot be used") as caught:
            told.check(a_spec("rain"))
        assert str(path) in caught.value.message and caught.value.code is ErrorCode.REFUSED


def test_a_change_counts_at_once_and_the_next_list_where_one_is_gone(path: Path, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped.txt"
    shipped.write_text("thunder")
    refusals = Refusals((path, shipped))
    assert is_refused(refusals, "thunder") and not is_refused(refusals, "rain")
    path.write_text("rain")
    assert is_refused(refusals, "rain") and not is_refused(refusals, "thunder")
    path.unlink()
    assert is_refused(refusals, "thunder") and not is_refused(refusals, "rain")
    assert not is_refused(Refusals(()), "thunder")


def test_a_long_list_is_read_beside_the_loop_and_lets_nothing_through_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)

    refusals = Refusals((path,))

    async def scene() -> None:
        change(path)
        with pytest.raises(RefusalsUnreadable, match="just being read"):
            refusals.check(a_spec("thunder"))
        watching = asyncio.create_task(refusals.watch())
        async with asyncio.timeout(20):
            while not is_refused_calmly(refusals, "rain"):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        refusals.check(a_spec("thunder"))
        watching.cancel()

    asyncio.run(scene())


def change(path: Path) -> None:
    path.write_text("rain\n" * QUICK_BYTES)


def is_refused_calmly(refusals: Refusals, prompt: str) -> bool:
    try:
        return is_refused(refusals, prompt)
    except RefusalsUnreadable:
        return False
