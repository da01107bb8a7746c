"""Past prompts in the panel: from a real history, walked and searched, and there without the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QLabel, QLineEdit, QListWidget
from pytestqt.qtbot import QtBot

from daw_bridge.service.config import Folders
from tests.contract.panels import WAIT_MS, Desk, desk, linked
from tests.contract.services import Client, Served, tcp_of
from ui.connection.link import Link
from ui.model import prompts
from ui.model.draft import DraftModel
from ui.model.prompts import MOST_CHARACTERS, MOST_PROMPTS, PromptHistory, PromptWalk
from ui.model.store import Store
from ui.widgets.say.prompt_field import PromptField


@pytest.fixture
def rendered(service: Served) -> Iterator[Client]:
    """Return a client that has rendered three prompts, one of them twice."""
    with tcp_of(service) as client:
        client.subscribe()
        for prompt in ("warm rain", "a harp", "cold rain", "warm rain"):
            client.end_of(client.generate(prompt))
        yield client


def texts(history: PromptHistory) -> list[str]:
    return [one.text for one in history.prompts]


def field_of(qtbot: QtBot, draft: DraftModel, history: PromptHistory, parts: Desk) -> PromptField:
    field = PromptField(draft, history, parts.actions)
    qtbot.addWidget(field)
    with qtbot.waitActive(field):
        field.show()
        field.activateWindow()
    field.edit.setFocus()
    return field


def test_each_prompt_is_there_once_the_newest_first_with_how_often_and_how_well(
    qtbot: QtBot, rendered: Client, link: Link, parts: Desk
) -> None:
    history = PromptHistory(link, parts.store, parts.owner)
    qtbot.waitUntil(lambda: len(history.prompts) == 3, timeout=WAIT_MS)
    assert texts(history) == ["warm rain", "cold rain", "a harp"]
    first = history.prompts[0]
    assert first.times == 2
    assert first.best_score is not None
    assert [one.text for one in history.found("RAIN col")] == ["cold rain"]
    rendered.end_of(rendered.generate("a harp"))
    qtbot.waitUntil(lambda: texts(history)[0] == "a harp", timeout=WAIT_MS)
    assert history.prompts[0].times == 2


def test_more_jobs_than_a_page_are_counted(
    qtbot: QtBot, service: Served, link: Link, parts: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "_PAGE", 4)
    with tcp_of(service) as client:
        client.subscribe()
        for number in range(12):
            last = client.generate(f"prompt {number % 3}")
        client.end_of(last)
        history = PromptHistory(link, parts.store, parts.owner)
        qtbot.waitUntil(lambda: len(history.prompts) == 3, timeout=WAIT_MS)
        assert [one.times for one in history.prompts] == [4, 4, 4]


def test_alt_and_arrows_go_back_and_forth_and_what_was_written_is_not_lost(
    qtbot: QtBot, rendered: Client, link: Link, parts: Desk
) -> None:
    draft = DraftModel(parts.store, parts.owner)
    history = PromptHistory(link, parts.store, parts.owner)
    qtbot.waitUntil(lambda: len(history.prompts) == 3, timeout=WAIT_MS)
    field = field_of(qtbot, draft, history, parts)
    qtbot.keyClicks(field.edit, "a new thing")
    seen = []
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down):
        qtbot.keyClick(field.edit, key, Qt.KeyboardModifier.AltModifier)
        seen.append(draft.draft["prompt"])
    assert seen == ["warm rain", "cold rain", "a harp", "a harp", "cold rain"]
    for _ in range(3):
        qtbot.keyClick(field.edit, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert draft.draft["prompt"] == "a new thing"
    field.edit.undo()
    assert draft.draft["prompt"] == "warm rain"


@given(
    known=st.lists(st.text("ab", min_size=1, max_size=3), unique=True, max_size=5),
    steps=st.lists(st.booleans(), max_size=12),
)
def test_a_walk_leads_back_to_where_it_began(known: list[str], steps: list[bool]) -> None:
    class Past:
        prompts = tuple(type("One", (), {"text": text})() for text in known)

    walk, text, back = PromptWalk(Past()), "written", 0  # type: ignore[arg-type]
    for is_older in steps:
        before = text
        text = walk.older(text) if is_older else walk.newer(text)
        back += (1 if is_older else -1) if text != before else 0
    for _ in range(back):
        text = walk.newer(text)
    assert text == "written"


def test_the_search_shows_fewer_with_each_letter_and_enter_takes_one(
    qtbot: QtBot, rendered: Client, link: Link, parts: Desk
) -> None:
    draft = DraftModel(parts.store, parts.owner)
    history = PromptHistory(link, parts.store, parts.owner)
    qtbot.waitUntil(lambda: len(history.prompts) == 3, timeout=WAIT_MS)
    field = field_of(qtbot, draft, history, parts)
    qtbot.keyClick(field.edit, Qt.Key.Key_H, Qt.KeyboardModifier.ControlModifier)
    search = field.findChild(QLineEdit, "prompt popup search")
    rows = field.findChild(QListWidget, "prompt popup list")
    assert search is not None and rows is not None
    assert rows.count() == 3
    assert "2 times" in rows.item(0).text()
    qtbot.keyClicks(search, "rain")
    assert rows.count() == 2
    qtbot.keyClick(search, Qt.Key.Key_Down)
    qtbot.keyClick(search, Qt.Key.Key_Return)
    assert draft.draft["prompt"] == "cold rain"
    assert not search.isVisible()
    field.open_history()
    qtbot.keyClicks(search, "no such thing")
    assert field.findChild(QLabel, "prompt popup none").isVisible()
    qtbot.keyClick(search, Qt.Key.Key_Escape)


def test_what_was_heard_before_is_there_without_the_engine(
    qtbot: QtBot, rendered: Client, service: Served, tmp_path: Path
) -> None:
    with desk(tmp_path) as parts, linked(service, qtbot) as link:
        history = PromptHistory(link, parts.store, parts.owner)
        qtbot.waitUntil(lambda: len(history.prompts) == 3, timeout=WAIT_MS)
        service.end()
        qtbot.waitUntil(lambda: not link.status.is_ready, timeout=WAIT_MS)
        history.add("while it was away")
        assert texts(history) == ["while it was away", "warm rain", "cold rain", "a harp"]
    lonely = Link(service.folders)
    again = PromptHistory(lonely, Store(tmp_path / "panel.json"))
    assert texts(again) == ["while it was away", "warm rain", "cold rain", "a harp"]
    assert again.prompts[1].times == 2
    lonely.close()


def test_the_past_has_a_bound_and_what_cannot_be_read_of_it_is_left_out(qtbot: QtBot, parts: Desk) -> None:
    kept = [{"text": f"p{number}", "times": 1, "best_score": None} for number in range(MOST_PROMPTS + 50)]
    parts.store.put("prompts", [{"text": 3}, "nonsense", *kept])
    lonely = Link(Folders.of_user())
    history = PromptHistory(lonely, parts.store, parts.owner)
    assert len(history.prompts) == MOST_PROMPTS
    history.add("one more")
    assert (len(history.prompts), history.prompts[0].text) == (MOST_PROMPTS, "one more")
    lonely.close()


def test_a_prompt_ends_where_the_protocol_says_and_tells_when_that_is_near(qtbot: QtBot, parts: Desk) -> None:
    draft = DraftModel(parts.store, parts.owner)
    lonely = Link(Folders.of_user())
    field = field_of(qtbot, draft, PromptHistory(lonely, parts.store, parts.owner), parts)
    room = field.findChild(QLabel, "prompt room")
    clipboard = QApplication.clipboard()
    assert room is not None and clipboard is not None
    qtbot.keyClicks(field.edit, "short")
    assert room.text() == ""
    clipboard.setText("x" * MOST_CHARACTERS + "\0")
    field.edit.paste()
    assert draft.draft["prompt"] == ("short" + "x" * MOST_CHARACTERS)[:MOST_CHARACTERS]
    assert field.edit.toPlainText() == draft.draft["prompt"]
    assert room.text() == f"{MOST_CHARACTERS} / {MOST_CHARACTERS}"
    lonely.close()
