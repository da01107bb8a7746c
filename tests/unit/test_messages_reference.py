"""The page docs/osc.md, and that its examples are what they say."""

from __future__ import annotations

import shlex

import pytest

from daw_bridge.messages.base import Message, Request
from daw_bridge.messages.reading import parse_reply, parse_request
from daw_bridge.messages.reference import TARGET, example, oscsend, text
from tests.unit.osc_values import REPLY_CLASSES, REQUEST_CLASSES

READERS = {"s": str, "i": int, "f": float}


def test_the_page_is_fresh() -> None:
    assert TARGET.read_text(encoding="utf-8") == text(), (
        "the messages have changed; run: python -m daw_bridge.messages.reference"
    )


@pytest.mark.parametrize("cls", [*REQUEST_CLASSES, *REPLY_CLASSES], ids=lambda cls: cls.__name__)
def test_every_message_is_on_the_page(cls: type[Message]) -> None:
    assert f"`{cls.signature()}`".replace("|", "\\|") in text()


@pytest.mark.parametrize("cls", REQUEST_CLASSES, ids=lambda cls: cls.__name__)
def test_an_example_is_the_message(cls: type[Request]) -> None:
    message = example(cls)
    command = oscsend(message)
    if command is None:
        assert any(isinstance(value, bytes) for value in message.format()[1])
        return
    assert command in text()
    _, _, _, address, *rest = shlex.split(command)
    tags, words = (rest[0], rest[1:]) if rest else ("", [])
    args = [READERS[tag](word) for tag, word in zip(tags, words, strict=True)]
    assert parse_request(address, args) == message


@pytest.mark.parametrize("cls", REPLY_CLASSES, ids=lambda cls: cls.__name__)
def test_an_example_of_a_reply_can_be_read(cls: type[Message]) -> None:
    assert parse_reply(*example(cls).format()) == example(cls)
