"""Where Live's User Library is on made-up machines, and what is put into it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from daw_bridge.daws.hosts import Place, System
from daw_bridge.daws.install import differences, install, remove
from daw_bridge.daws.live import host, live_cli
from daw_bridge.daws.live.host import HOST, SCRIPTS
from daw_bridge.service.config import Folders
from engine.errors import NotFound

EXTENSION = SCRIPTS / "extension"
COMMAND = ('C:\\Program Files\\it\'s "here"\\python.exe', "-P", "-m", "daw_bridge")


def system(root: Path, platform: str, **environment: str) -> System:
    names = ("state", "config", "runtime", "log", "takes")
    folders = Folders(**{name: root / "bridge" / name for name in names})
    return System(
        platform=platform, home=root / "home", environment=environment, folders=folders, command=COMMAND
    )


def made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def told(settings: Path, library: Path) -> None:
    made(settings)
    (settings / "Library.cfg").write_text(
        f"""<?xml version="1.0" encoding="UTF-8"?>
        <Ableton><ContentLibrary><UserLibrary><LibraryProject Id="0">
        <ProjectName Value="Sounds &amp; more" /><ProjectPath Value="{library}" />
        </LibraryProject></UserLibrary></ContentLibrary></Ableton>"""
    )


def test_the_usual_library_is_found_on_each_system(tmp_path: Path) -> None:
    mac = made(tmp_path / "home/Music/Ableton/User Library")
    windows = made(tmp_path / "home/Documents/Ableton/User Library")
    cloud = made(tmp_path / "cloud/Documents/Ableton/User Library")
    assert [place.folder for place in host.find(system(tmp_path, "darwin"))] == [mac]
    found = host.find(system(tmp_path, "win32", OneDrive=str(tmp_path / "cloud")))
    assert [place.folder for place in found] == [windows, cloud]
    assert host.find(system(tmp_path, "linux")) == ()


def test_a_library_that_was_moved_is_found_where_live_was_told_of_it(tmp_path: Path) -> None:
    moved = made(tmp_path / "drive/Sounds & more")
    told(tmp_path / "home/Library/Preferences/Ableton/Live 12.1.5", tmp_path / "drive")
    made(tmp_path / "home/Library/Preferences/Ableton/Live 9.7")
    (place,) = host.find(system(tmp_path, "darwin"))
    assert (place.folder, place.version) == (moved, "12.1.5")


def test_settings_that_say_nothing_useful_are_passed_over(tmp_path: Path) -> None:
    settings = made(tmp_path / "roaming/Ableton/Live 11.3/Preferences")
    (settings / "Library.cfg").write_bytes(b'\xff<UserLibrary><ProjectPath Value="relative"')
    assert host.find(system(tmp_path, "win32", APPDATA=str(tmp_path / "roaming"))) == ()


@pytest.mark.parametrize(
    ("version", "problem"),
    [("11.3.4", "scripts load no audio"), ("12.1", "has no extensions"), ("12.4.5", ""), (None, "")],
)
def test_what_a_version_cannot_do_is_told(tmp_path: Path, version: str | None, problem: str) -> None:
    library = made(tmp_path / "home/Music/Ableton/User Library")
    if version:
        made(tmp_path / f"home/Library/Preferences/Ableton/Live {version}")
    problems = host.problems(system(tmp_path, "darwin"), Place(folder=library))
    assert [problem in one for one in problems] == ([True] if problem else [])


def test_the_scripts_go_in_and_out_again(tmp_path: Path) -> None:
    library = made(tmp_path / "home/Music/Ableton/User Library")
    machine, place = system(tmp_path, "darwin"), Place(folder=library)
    install(machine, HOST, place)
    surface = library / "Remote Scripts" / "DAW_Bridge"
    assert {path.name for path in surface.iterdir()} >= {"__init__.py", "bridge.py", "installed.json"}
    known = json.loads((surface / "installed.json").read_text())
    assert known["command"] == list(COMMAND)
    assert known["user_library"] == str(library / "Samples" / "DAW Bridge")
    assert differences(machine, HOST, place) == ()
    remove(machine, HOST, place)
    assert [path for path in library.rglob("*") if path.is_file()] == []


def test_the_archive_holds_what_live_asks_for_and_knows_this_machine(tmp_path: Path) -> None:
    machine = system(tmp_path, "win32")
    content = host.archive(machine)
    assert content == host.archive(machine)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        manifest = json.loads(file.read("manifest.json"))
        script = file.read("extension.js").decode()
        assert sorted(file.namelist()) == ["extension.js", "manifest.json"]
    assert set(manifest) == {"name", "author", "entry", "version", "minimumApiVersion"}
    assert manifest["entry"] == "extension.js"
    assert "@" not in manifest["version"]
    known = {"command": list(COMMAND), "runtime": str(machine.folders.runtime)}
    assert installed_in(script, tmp_path) == known


def installed_in(script: str, folder: Path) -> object:
    if shutil.which("node") is None:
        pytest.skip("not installed: node")
    (folder / "extension.js").write_text(script)
    tell = "process.stdout.write(JSON.stringify(require('./extension.js').installed))"
    command = ["node", "-e", tell]
    out = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(out.stdout)


@pytest.mark.skipif(shutil.which("tsc") is None, reason="not installed: tsc")
def test_the_shipped_javascript_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    out = tmp_path / "extension.js"
    command = ["tsc", "--project", str(EXTENSION), "--outFile", str(out)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    assert out.read_text() == (EXTENSION / "extension.js").read_text(), "run: tsc -p on its folder"


def test_where_no_live_answers_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_cli, "FIRST_ANSWER_S", 0.2)
    with pytest.raises(NotFound, match="does not answer in Live"):
        live_cli.ask("status", {}, port=1)
