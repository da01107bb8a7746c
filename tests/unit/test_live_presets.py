"""Presets as files: whole or not at all, one for each name, and a damaged one is named."""

from __future__ import annotations

import errno
import json
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.morph import Preset
from daw_bridge.live.named_files import file_name
from daw_bridge.live.parameters import DEFAULTS
from daw_bridge.live.presets import MAX_BYTES, PresetStore
from daw_bridge.messages.live import PRESET
from daw_bridge.resources import shipped
from engine.errors import BadJson, DiskFull, EngineError, NotFound, OutputError, SpecError, UnsupportedVersion
from engine.types import ErrorCode
from tests.unit.osc_values import values

PADS = Preset(values={"prompt": "warm pads", "morph": 0.25, "steps": 20}, prompt_b="a large hall")
DRAFT = Preset(values={"steps": 3})
WINDOWS_DEVICES = ("con", "nul", "aux", "prn", "com1", "lpt9", "CON", "Com1")
names = values(PRESET)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that does not exist yet."""
    return tmp_path / "config" / "presets"


@pytest.fixture
def store(folder: Path) -> PresetStore:
    return PresetStore(folder)


def own(folder: Path) -> PresetStore:
    """Return a store without the program's presets."""
    return PresetStore(folder, folder / "none")


def test_a_preset_comes_back_as_it_was_saved(store: PresetStore, folder: Path) -> None:
    store.save("Warm Pads", PADS)
    assert store.load("Warm Pads") == PresetStore(folder).load("Warm Pads") == PADS
    assert store.list().presets["Warm Pads"] == PADS


def test_the_whole_board_comes_back(store: PresetStore) -> None:
    board = ParameterBoard()
    store.save("all", board.snapshot())
    assert store.load("all") == board.snapshot()
    assert store.load("all").values == DEFAULTS


def test_saving_again_replaces(store: PresetStore, folder: Path) -> None:
    store.save("a", PADS)
    store.save("a", DRAFT)
    assert store.load("a") == DRAFT
    assert [path.name for path in folder.iterdir()] == ["a.json"]


def test_names_may_be_in_any_language(store: PresetStore) -> None:
    several = ("夜の雨", "Été", "con", "warm pads", "🎹")
    for name in several:
        store.save(name, Preset(values={"prompt": name}))
    assert {name: store.load(name).values["prompt"] for name in several} == {name: name for name in several}
    assert not store.list().damaged


def test_unknown_names_are_told(store: PresetStore) -> None:
    for act in (store.load, store.delete):
        with pytest.raises(NotFound, match="no preset 'nothing'"):
            act("nothing")


@pytest.mark.parametrize("name", ["", "../draft", "a/b", "a\\b", ".hidden", "c:", "x" * 65, "a\nb", "\ud800"])
def test_what_is_no_name_is_refused(store: PresetStore, folder: Path, name: str) -> None:
    for act in (store.load, store.delete, lambda each: store.save(each, DRAFT)):
        with pytest.raises(SpecError, match="name must"):
            act(name)
    assert not folder.exists()


def on_the_worst_disk(name: str) -> str:
    """Return what is left of a file name where neither case nor the form of accents nor an end counts."""
    return unicodedata.normalize("NFKD", name).casefold().rstrip(". ")


@given(names, names)
def test_two_names_are_never_one_file(a: str, b: str) -> None:
    assert (on_the_worst_disk(file_name(a, ".json")) == on_the_worst_disk(file_name(b, ".json"))) == (a == b)


@given(
    names.flatmap(lambda name: st.sampled_from([name.swapcase(), name.upper(), name.casefold(), name + " "]))
)
def test_similar_names_are_never_one_file(name: str) -> None:
    for other in (name.swapcase(), name.lower(), unicodedata.normalize("NFD", name), name + "."):
        if other != name and len(name) < 60 and len(other) <= 64:
            assert on_the_worst_disk(file_name(other, ".json")) != on_the_worst_disk(file_name(name, ".json"))


@given(names | st.sampled_from(WINDOWS_DEVICES))
def test_every_file_name_is_safe(name: str) -> None:
    written = file_name(name, ".json")
    assert re.fullmatch(r"[a-z0-9_ ~-]+\.json", written) and len(f"{written}.part") < 120
    assert not written.startswith(" ") and " .json" not in written
    assert written.split(".")[0] not in WINDOWS_DEVICES


def test_the_program_brings_six_presets(store: PresetStore) -> None:
    listing = store.list()
    expected = {"bold change", "draft", "fine", "foley", "gentle variation", "live pad"}
    assert set(listing.presets) == expected and not listing.damaged
    assert list(listing.presets) == sorted(listing.presets)
    for name in expected:
        preset = store.load(name)
        assert preset == listing.presets[name] and preset.values
        assert "prompt" not in preset.values, f"{name} must leave what the user typed"


def test_a_preset_of_the_user_wins_until_it_is_deleted(store: PresetStore) -> None:
    factory = store.load("draft")
    store.save("draft", DRAFT)
    assert store.load("draft") == store.list().presets["draft"] == DRAFT != factory
    store.delete("draft")
    assert store.load("draft") == store.list().presets["draft"] == factory


def test_a_preset_of_the_program_stays(store: PresetStore) -> None:
    with pytest.raises(OutputError, match="belongs to the program"):
        store.delete("draft")
    assert "draft" in store.list().presets


def test_a_program_without_its_presets_still_has_the_users(folder: Path) -> None:
    store = own(folder)
    assert store.list().presets == {}
    store.save("a", DRAFT)
    assert store.list().presets == {"a": DRAFT}


def written(**changes: Any) -> str:
    content = {"schema_version": 1, "name": "bad", "values": {"steps": 8}} | changes
    return json.dumps({key: value for key, value in content.items() if value is not ...})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "not valid JSON"),
        ("[]", "must be an object"),
        (b"\xff\xfe", "is not UTF-8"),
        (" " * (MAX_BYTES + 1), "is larger than"),
        ('{"a": 1, "a": 2}', "appears twice"),
        (written(name=...), "must have a text as name"),
        (written(values=[]), "an object as values"),
        (written(extra=1), "extra is not a known key"),
        (written(name="../bad"), "name must"),
        (written(name="good"), "in a file of another name"),
        (written(values={"stepz": 8}), "stepz is not a parameter"),
        (written(values={"steps": 0}), "steps must be from 1 to 1000"),
        (written(values={"steps": None}), "steps must be a whole number, got nothing"),
        (written(values={"guidance": "x"}), "guidance must be a number"),
        (written(values={"sampler": "euler"}), "sampler must be one of"),
        (written(prompt_b="x"), "needs a prompt"),
        (written(values={"prompt": "a", "morph": 0.5}, prompt_b=3), "prompt_b: must be a text"),
    ],
)
def test_a_damaged_file_is_named_and_hides_no_other(folder: Path, content: str | bytes, told: str) -> None:
    store = own(folder)
    store.save("good", DRAFT)
    (folder / "bad.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadJson, match=f"^bad\\.json: .*{told}") as caught:
        store.load("bad")
    listing = store.list()
    assert listing.presets == {"good": DRAFT}
    assert listing.damaged["bad.json"].info == caught.value.info
    assert caught.value.code is ErrorCode.BAD_JSON and caught.value.hint


@pytest.mark.parametrize("version", [..., 2, True, "1"])
def test_a_preset_of_another_version_is_told_as_such(folder: Path, version: object) -> None:
    folder.mkdir(parents=True)
    (folder / "bad.json").write_text(written(schema_version=version))
    with pytest.raises(UnsupportedVersion, match=r"^bad\.json: schema_version"):
        own(folder).load("bad")


def test_a_damaged_preset_is_not_covered_up_by_the_programs(store: PresetStore, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "draft.json").write_text("{")
    assert "draft" not in store.list().presets
    with pytest.raises(BadJson):
        store.load("draft")
    store.delete("draft")
    assert "draft" in store.list().presets


def test_what_is_no_plain_file_is_refused(folder: Path) -> None:
    store = own(folder)
    (folder / "dir.json").mkdir(parents=True)
    (folder / "dangling.json").symlink_to(folder / "nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.json")
    assert all("is not a file" in error.message for error in store.list().damaged.values())
    assert len(store.list().damaged) >= 2
    with pytest.raises(OutputError, match="cannot write"):
        store.save("dir", DRAFT)
    assert not list(folder.glob("*.part"))


def test_foreign_files_are_left_alone(folder: Path) -> None:
    store = own(folder)
    store.save("a", DRAFT)
    (folder / "b.json.part").write_text("half")
    (folder / "notes.txt").write_text("mine")
    assert list(store.list().presets) == ["a"] and not store.list().damaged


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EACCES, OutputError),
        (errno.EROFS, OutputError),
    ],
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_what_was_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[EngineError], step: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    store = own(folder)
    store.save("a", DRAFT)
    with monkeypatch.context() as patched:
        patched.setattr(os, step, refuse)
        with pytest.raises(error, match=r"a\.json") as caught:
            store.save("a", PADS)
    assert type(caught.value) is error
    assert store.load("a") == DRAFT and [path.name for path in folder.iterdir()] == ["a.json"]


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "presets").write_text("a file")
    store = own(tmp_path / "presets")
    for act in (store.list, lambda: store.load("a"), lambda: store.save("a", DRAFT)):
        with pytest.raises(OutputError, match="presets"):
            act()


def test_what_ships_with_the_program_is_found() -> None:
    assert shipped(Path("live") / "draft.json") is not None
    assert shipped(Path("nothing")) is None
