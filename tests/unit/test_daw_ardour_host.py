"""Ardour's folders on each platform, what is put there, and its list of scripts, in which others' stay."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path, PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daw_bridge.daws.ardour.host import ACTIONS, HOST
from daw_bridge.daws.ardour.ui_scripts import SHOWN_SLOTS, SLOTS, is_ours, names, our_name
from daw_bridge.daws.hosts import Edit, Place, System
from daw_bridge.service.config import Folders
from engine.errors import SpecError


def a_system(home: Path, platform: str = "linux", **environment: str) -> System:
    kinds = ("state", "config", "runtime", "log", "takes")
    folders = Folders(**{name: home / "bridge" / name for name in kinds})
    command = (str(home / "it's" / "python"), "-P", "-m", "daw_bridge")
    return System(platform=platform, home=home, environment=environment, folders=folders, command=command)


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", ".config/ardour7"),
        ("darwin", "Library/Preferences/Ardour8"),
        ("win32", "AppData/Local/Ardour6"),
    ],
)
def test_ardour_is_found_where_each_platform_keeps_it(tmp_path: Path, platform: str, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    places = HOST.find(a_system(tmp_path, platform))
    assert [(place.folder, place.version) for place in places] == [(tmp_path / folder, folder[-1])]


def test_several_versions_are_found_and_others_are_not(tmp_path: Path) -> None:
    for name in ("ardour9", "ardour6", "ardour5", "ardour7x", "mixbus9"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
    (tmp_path / "elsewhere" / "ardour8").touch()
    found = HOST.find(a_system(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "elsewhere")))
    assert [place.version for place in found] == ["6", "9"]


def test_where_no_ardour_was_started_none_is_found(tmp_path: Path) -> None:
    assert HOST.find(a_system(tmp_path)) == ()


def a_place(folder: Path, version: str = "7") -> Place:
    return Place(folder=folder / f"ardour{version}", version=version)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_what_is_written_is_lua_without_gaps(tmp_path: Path, platform: str) -> None:
    system = a_system(tmp_path, platform)
    files = HOST.files(system, a_place(tmp_path))
    for file in files:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_bytes(file.content)
        assert not re.search(rb"@[A-Z]+@", file.content), f"{file.path} has a gap"
    lua = "for _, path in ipairs (arg) do assert (loadfile (path)) end print ('TOLD all') quit ()"
    assert told_by_ardour(lua, tmp_path, *(str(file.path) for file in files)) == "all"


def test_lua_reads_the_command_as_it_is(tmp_path: Path) -> None:
    system = a_system(tmp_path)
    (text,) = (
        file.content for file in HOST.files(system, a_place(tmp_path)) if file.path.name == "bridge.lua"
    )
    line = next(line for line in text.decode().splitlines() if "command" in line)
    lua = f"local t = {{ {line} }} print ('TOLD ' .. table.concat (t.command, '|')) quit ()"
    assert tuple(told_by_ardour(lua, tmp_path).split("|")) == system.command


def told_by_ardour(lua: str, folder: Path, *arguments: str) -> str:
    """Return what Ardour without a window prints after TOLD."""
    (folder / "asked.lua").write_text(lua, encoding="utf-8")
    done = subprocess.run(
        ["ardour7-lua", folder / "asked.lua", *arguments],
        env=os.environ | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("TOLD "))
    return line.removeprefix("TOLD ")


def _tree(content: bytes) -> ET.Element:
    return ET.fromstring(content)  # noqa: S314  made here


def the_edit(folder: Path, version: str = "7") -> Edit:
    (edit,) = HOST.edits(a_system(folder), a_place(folder, version))
    return edit


def test_actions_get_slots_and_keep_them(tmp_path: Path) -> None:
    edit = the_edit(tmp_path)
    first = edit.put(None)
    assert names(first) == {slot: our_name(action.title) for slot, action in enumerate(ACTIONS, 1)}
    assert len(ACTIONS) <= SHOWN_SLOTS
    assert len({action.title[0] for action in ACTIONS[:4]}) == 4, "buttons that look the same"
    assert edit.put(first) == first


def test_an_upgrade_keeps_slots_and_moves_what_the_menu_does_not_show(tmp_path: Path) -> None:
    before = {1: "Transfer", 2: "Inpaint", 4: "Super-resolve", 7: "Next take", 10: "Jobs", 11: "Cancel all"}
    content = a_list({slot: f"DAW Bridge: {title}" for slot, title in before.items()} | {5: "Mine"})
    after = names(the_edit(tmp_path).put(content))
    assert sorted(after.values()) == sorted([*(our_name(action.title) for action in ACTIONS), "Mine"])
    kept = {1: our_name("Transfer"), 2: our_name("Inpaint"), 5: "Mine", 7: our_name("Next take")}
    assert {slot: after[slot] for slot in kept} == kept
    # Nine of ours and one of the user's: one of ours is beyond what is shown.
    assert sorted(after) == [*range(1, SHOWN_SLOTS + 1), 10]


def as_ardour_writes_it(content: bytes) -> bytes:
    """Return a list as Ardour writes it after a change: keys in another order, functions as bytecode."""
    root = _tree(content)
    for node in (*root.iterfind("ActionScript"), *root.iterfind("ActionHooks/*")):
        blob = base64.b64decode(node.text or "")
        tables = re.split(rb"(?<= )(?=(?:scripts\[\d+\]|s) = \{\} )", blob)
        for index, table in enumerate(tables):
            code = re.sub(rb'\["f"\] = "(?:\\.|[^"\\])*"', rb'["f"] = "\\27Lua\\0"', table, flags=re.DOTALL)
            parts = re.split(rb'(?=(?:scripts\[\d+\]|\bs)\["[nsf]"\] = )', code)
            tables[index] = parts[0] + b" ".join(reversed(parts[1:]))
        node.text = base64.b64encode(b" ".join(tables)).decode()
    return ET.tostring(root)


def test_what_ardour_wrote_anew_counts_as_installed(tmp_path: Path) -> None:
    edit = the_edit(tmp_path)
    there = as_ardour_writes_it(edit.put(a_list({2: "Mine"})))
    assert b"Lua" in base64.b64decode(_tree(there).findtext("ActionScript") or "")
    assert edit.put(there) == there
    assert names(edit.take(there)) == {2: "Mine"}
    newer = the_edit(tmp_path, "8").put(there)
    assert newer != there and names(newer) == names(there)


def a_list(slots: dict[int, str], hooks: str = "") -> bytes:
    """Return a list of scripts as Ardour writes it: escapes and bytecode in its own form."""
    blob = b"scripts = {} "
    for slot, name in slots.items():
        quoted = re.sub(rb'(["\\\n])', rb"\\\1", name.encode()).replace(b"\r", rb"\13").replace(b"\0", rb"\0")
        table = b"scripts[%d]" % slot
        blob += (
            table + b" = {}  " + table + b'["f"] = "\\27Lua\xff\x00[\\"n\\"] = \\\n"'.replace(b"\x00", b"\\0")
        )
        blob += (
            table + b'["n"] = "' + quoted + b'"  ' + table + b'["a"] = {}  ' + table + b'["a"]["x"] = true'
        )
        blob += b" "
    code = base64.b64encode(blob).decode()
    actions = f'<ActionScript lua="Lua 5.3">{code}</ActionScript>'
    return f"<UIScripts>{actions}<ActionHooks>{hooks}</ActionHooks></UIScripts>".encode()


def their_statements(content: bytes, slot: int) -> bytes:
    code = _tree(content).findtext("ActionScript") or ""
    parts = re.split(rb"(?=scripts\[\d+\] = \{\})", base64.b64decode(code))
    return next((part.strip() for part in parts if part.startswith(b"scripts[%d] " % slot)), b"")


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).filter(
    lambda name: not is_ours(name)
)


@settings(max_examples=25)
@given(st.dictionaries(st.integers(1, SLOTS), NAMES, max_size=SLOTS - len(ACTIONS)))
def test_other_scripts_stay_through_putting_and_taking(slots: dict[int, str]) -> None:
    edit = the_edit(Path("somewhere"))
    before = a_list(slots)
    there = edit.put(before)
    after = edit.take(there)
    assert {slot: name for slot, name in names(there).items() if slot in slots} == slots
    assert len(names(there)) == len(slots) + len(ACTIONS)
    assert names(after) == slots
    for slot in slots:
        assert (
            their_statements(there, slot) == their_statements(after, slot) == their_statements(before, slot)
        )


def test_other_hooks_stay_and_ours_is_there_once(tmp_path: Path) -> None:
    edit = the_edit(tmp_path)
    theirs = '<LuaCallback lua="Lua 5.3" id="77" name="Backup" signals="100">cyA9IHt9</LuaCallback>'
    there = edit.put(edit.put(a_list({}, theirs)))
    hooks, left = (list(_tree(one).iterfind("ActionHooks/*")) for one in (there, edit.take(there)))
    assert [hook.get("name") for hook in hooks] == ["Backup", "Takes (DAW Bridge)"]
    assert [hook.get("id") for hook in left] == ["77"]


@pytest.mark.parametrize(("version", "bits"), [("6", [46]), ("7", [46]), ("8", [46]), ("9", [46, 48])])
def test_the_hook_listens_to_each_version_s_timer(tmp_path: Path, version: str, bits: list[int]) -> None:
    root = _tree(the_edit(tmp_path, version).put(None))
    (hook,) = root.iterfind("ActionHooks/*")
    signals = hook.get("signals", "")
    assert [bit for bit, one in enumerate(reversed(signals)) if one == "1"] == bits


def test_taking_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    untouched = a_list({3: "Mine"})
    assert the_edit(tmp_path).take(untouched) == untouched


def test_too_few_free_slots_are_refused(tmp_path: Path) -> None:
    full = a_list({slot: f"Mine {slot}" for slot in range(1, SLOTS - 3)})
    with pytest.raises(SpecError, match="28 are in use: too few are free") as refused:
        the_edit(tmp_path).put(full)
    assert refused.value.hint == "Remove 5 in Edit > Lua Scripts > Script Manager."


@pytest.mark.parametrize(
    "content",
    [
        b"<UIScripts",
        b"<Other/>",
        b"<UIScripts><ActionScript>" + base64.b64encode(b"os.exit ()") + b"</ActionScript></UIScripts>",
    ],
)
def test_a_list_that_cannot_be_read_is_left_alone(tmp_path: Path, content: bytes) -> None:
    for change in (the_edit(tmp_path).put, the_edit(tmp_path).take):
        with pytest.raises(SpecError, match="Ardour's ui_scripts") as refused:
            change(content)
        assert "Start and quit Ardour once" in refused.value.hint


def test_what_is_not_as_needed_is_told(tmp_path: Path) -> None:
    system, place = a_system(tmp_path), a_place(tmp_path, "8")
    place.folder.mkdir()
    assert "menu lacks Transfer" in HOST.problems(system, place)[0]
    (place.folder / "ui_scripts").write_bytes(the_edit(tmp_path, "8").put(None))
    assert HOST.problems(system, place) == ()
    option = '<Option name="sandbox-all-lua-scripts" value="{}"/>'
    for value, expected in (("0", 0), ("1", 1)):
        (place.folder / "ui_config").write_text(f"<Ardour><UI>{option.format(value)}</UI></Ardour>")
        assert len(HOST.problems(system, place)) == expected
    (place.folder / "ui_scripts").write_bytes(b"torn")
    assert "not readable" in HOST.problems(system, place)[0]


def test_windows_paths_have_slashes_that_lua_does_not_read(tmp_path: Path) -> None:
    files = HOST.files(a_system(tmp_path, "win32"), a_place(tmp_path))
    assert all(PurePath(file.path).name.endswith(".lua") for file in files)
    assert not any(rb"\U" in file.content for file in files if file.path.parent.name == "scripts")


def test_what_the_scripts_remember_goes_with_them(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    folder = next(
        file.path.parent for file in HOST.files(a_system(tmp_path), place) if file.path.name == "dialogs.lua"
    )
    assert HOST.leavings(a_system(tmp_path), place) == (folder / "settings.note",)
