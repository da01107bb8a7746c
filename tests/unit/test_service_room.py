"""What is left out of answers that would be too long, and that it is told."""

from __future__ import annotations

import json

import pytest

from daw_bridge.messages.arguments import MAX_JSON_ARGUMENT
from daw_bridge.messages.jobs import JobInfoDone, JobListDone
from daw_bridge.messages.live import PresetListDone
from daw_bridge.service.room import listing, table, without


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_has_room_is_told_whole(count: int) -> None:
    items = [{"id": str(number)} for number in range(count)]
    assert listing("jobs", items) == {"jobs": items}
    assert table("presets", {item["id"]: item for item in items}) == {
        "presets": {item["id"]: item for item in items}
    }


@pytest.mark.parametrize("prompt", ["x" * 2000, "\N{MUSICAL SYMBOL G CLEF}" * 2000, '"' * 2000])
def test_of_too_many_as_many_are_told_as_an_answer_takes(prompt: str) -> None:
    items = [{"id": str(number), "prompt": prompt} for number in range(1000)]
    content = listing("jobs", items)
    kept = len(content["jobs"])
    assert content["more"] and items[:kept] == content["jobs"]
    JobListDone(rid="r", count=kept, jobs=content)
    assert len(json.dumps(items[: kept + 1], separators=(",", ":"))) > MAX_JSON_ARGUMENT - 200
    presets = table("presets", {item["id"]: item for item in items})
    PresetListDone(rid="r", count=len(presets["presets"]), presets=presets)


def test_the_longest_parts_are_left_out_in_turn() -> None:
    long = "x" * MAX_JSON_ARGUMENT
    assert without({"id": "J1", "spec": 1}, "spec", "takes") == {"id": "J1", "spec": 1}
    assert without({"id": "J1", "spec": long, "takes": []}, "spec", "takes") == {
        "id": "J1",
        "takes": [],
        "left_out": ["spec"],
    }
    both = without({"id": "J1", "spec": long, "takes": [long]}, "spec", "takes")
    assert both == {"id": "J1", "left_out": ["spec", "takes"]}
    JobInfoDone(rid="r", job=both)
