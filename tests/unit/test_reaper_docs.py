"""The page for REAPER's users says what the scripts do."""

from __future__ import annotations

import re
from pathlib import Path

from daw_bridge.daws.reaper.host import ACTIONS
from tests.hosts.reaper.declarations import SCRIPTS

PAGE = (Path(__file__).parents[2] / "docs" / "daws" / "reaper.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[str]:
    """Return the first column of the table below a heading."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [row.split("|")[1].strip() for row in re.findall(r"^\|.*\|$", section, re.MULTILINE)[2:]]


def test_all_actions_are_named_as_in_the_list() -> None:
    assert rows("Actions") == list(ACTIONS.values())


def test_what_is_refused_is_told_in_these_words() -> None:
    code = "\n".join(path.read_text() for path in SCRIPTS.rglob("*.lua"))
    sentences = re.sub(r'"\s*\.\. "|\\n', " ", code).replace("%s", "...").replace("%d s", "60 s")
    told = " ".join(sentences.split())
    missing = [row for row in rows("What is refused") if row.removesuffix(" ...") not in told]
    assert not missing
