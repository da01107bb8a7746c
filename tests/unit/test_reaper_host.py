"""REAPER's folders on each system, the scripts that go there, and the entries in its list of actions."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from lupa import lua54

from daw_bridge.daws.hosts import Place, System
from daw_bridge.daws.install import differences, install, remove
from daw_bridge.daws.reaper.host import ACTIONS, HOST, command_id
from tests.hosts.reaper.studio import system_in

FOREIGN = b'KEY 1 82 _RS7d3c 0 # Main : R\r\nSCR 4 0 RS7d3c "Script: mine.lua" "Mine/mine.lua"\r\n'


def resource_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "reaper.ini").touch()
    return path


@pytest.mark.parametrize(
    ("platform", "where"),
    [
        ("linux", ".config/REAPER"),
        ("darwin", "Library/Application Support/REAPER"),
        ("win32", "AppData/Roaming/REAPER"),
    ],
)
def test_reaper_is_found_where_it_keeps_its_settings(tmp_path: Path, platform: str, where: str) -> None:
    system = system_in(tmp_path, platform)
    assert HOST.find(system) == ()
    (system.home / where).mkdir(parents=True)
    assert HOST.find(system) == (), "an empty folder is no REAPER"
    (system.home / where / "reaper.ini").touch()
    assert HOST.find(system) == (Place(folder=system.home / where),)


@pytest.mark.parametrize(("platform", "variable"), [("win32", "APPDATA"), ("linux", "XDG_CONFIG_HOME")])
def test_settings_that_a_user_keeps_elsewhere_are_found(tmp_path: Path, platform: str, variable: str) -> None:
    moved = resource_folder(tmp_path / "elsewhere" / "REAPER")
    system = replace(system_in(tmp_path, platform), environment={variable: str(moved.parent)})
    assert HOST.find(system) == (Place(folder=moved),)


def settings_of(system: System, place: Place) -> dict[str, object]:
    (file,) = [file for file in HOST.files(system, place) if file.path.name == "settings.lua"]
    table = lua54.LuaRuntime().execute(file.content.decode())
    return {"command": list(table.command.values()), "errands": table.errands, "version": table.version}


@pytest.mark.parametrize(
    "command",
    [
        ("/opt/daw bridge/python", "-P"),
        (r"D:\Zoë \"the ear\" O'Neil\python.exe", "-m", "daw_bridge"),
        ("/opt/line\nbreak", "[[x]]"),
    ],
)
def test_the_scripts_know_the_command_however_it_is_written(tmp_path: Path, command: tuple[str, ...]) -> None:
    system = system_in(tmp_path, command=command)
    found = settings_of(system, Place(folder=tmp_path))
    assert found["command"] == list(command)
    assert found["errands"] == str(system.folders.errands)
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(found["version"]))


def test_each_action_has_a_script_and_each_script_is_an_action(tmp_path: Path) -> None:
    place = Place(folder=tmp_path)
    paths = [file.path.relative_to(tmp_path) for file in HOST.files(system_in(tmp_path), place)]
    names = {path.stem.removeprefix("daw_bridge_") for path in paths if path.parent.name == "DAW Bridge"}
    assert names == set(ACTIONS)
    assert all(path.parts[:2] == ("Scripts", "DAW Bridge") for path in paths)


def installed(tmp_path: Path, content: bytes | None) -> tuple[System, Place, Path]:
    place = Place(folder=resource_folder(tmp_path / "REAPER"))
    path = place.folder / "reaper-kb.ini"
    if content is not None:
        path.write_bytes(content)
    system = system_in(tmp_path)
    install(system, HOST, place)
    return system, place, path


@pytest.mark.parametrize("content", [None, b"", FOREIGN, FOREIGN.rstrip(b"\r\n")])
def test_the_actions_are_listed_beside_the_users_own_and_go_again(
    tmp_path: Path, content: bytes | None
) -> None:
    system, place, path = installed(tmp_path, content)
    lines = path.read_bytes().splitlines()
    assert lines[: len((content or b"").splitlines())] == (content or b"").splitlines()
    listed = [line.decode() for line in lines if b"DAW Bridge" in line]
    assert len(listed) == len(ACTIONS)
    pattern = re.compile(
        r'SCR 516 0 (RS[0-9a-f]{40}) "Script: DAW Bridge: [^"]+" "DAW Bridge/(daw_bridge_\w+\.lua)"'
    )
    found = [pattern.fullmatch(line) for line in listed]
    assert all(found)
    assert all((place.folder / "Scripts" / "DAW Bridge" / match[2]).is_file() for match in found if match)
    assert len({match[1] for match in found if match}) == len(ACTIONS)
    assert HOST.problems(system, place) == ()
    assert differences(system, HOST, place) == ()
    remove(system, HOST, place)
    left = path.read_bytes()
    assert left.splitlines() == (content or b"").splitlines()
    assert not (place.folder / "Scripts").exists()


def test_installing_again_changes_nothing_though_reaper_has_sorted_its_list(tmp_path: Path) -> None:
    system, place, path = installed(tmp_path, FOREIGN)
    path.write_bytes(b"".join(sorted(path.read_bytes().splitlines(keepends=True))))
    before = path.read_bytes()
    assert install(system, HOST, place) == ()
    assert path.read_bytes() == before


def test_entries_of_the_same_scripts_under_other_names_are_replaced(tmp_path: Path) -> None:
    by_hand = b'SCR 4 0 RSdead "Custom: daw_bridge_transfer.lua" "DAW Bridge\\daw_bridge_transfer.lua"\r\n'
    _, _, path = installed(tmp_path, FOREIGN + by_hand)
    assert b"RSdead" not in path.read_bytes()
    assert path.read_bytes().startswith(FOREIGN)
    assert path.read_bytes().count(b"daw_bridge_transfer.lua") == 1


def test_a_list_that_reaper_wrote_over_is_told(tmp_path: Path) -> None:
    system, place, path = installed(tmp_path, FOREIGN)
    path.write_bytes(FOREIGN)
    (told,) = HOST.problems(system, place)
    assert "Quit REAPER" in told and str(path) in told


def test_command_ids_never_change() -> None:
    # Keys and toolbar buttons of musicians refer to it.
    assert command_id("transfer") == "RSd5a3b17fc97fb5c2ebc3c9610e99df3ca660e7c4"
