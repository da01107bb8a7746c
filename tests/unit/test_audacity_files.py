"""What is written for Audacity and read from its plug-ins: requests, project files, settings."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.daws.audacity.asked import Asked, errands_of, leave, read_asked
from daw_bridge.daws.audacity.host import HOST, LIBRARY, PLUGINS
from daw_bridge.daws.audacity.listener import inbox_of
from daw_bridge.daws.audacity.settings import (
    PluginEntry,
    disable_module,
    enable_module,
    module_state,
    open_projects,
    register,
    unregister,
)
from daw_bridge.daws.audacity.takes_file import PlacedTake, write_takes_file
from daw_bridge.daws.errands.errand import read_errand
from daw_bridge.daws.hosts import Place, System
from daw_bridge.messages.jobs import Inpaint, Transfer
from daw_bridge.service.config import Folders
from engine.errors import NotFound, SpecError

NAMESPACE = "{http://audacity.sourceforge.net/xml/}"
MODIFIED = datetime(2023, 2, 1, 20, 56, 51, tzinfo=UTC)
BASIC = {
    "action": "transfer",
    "prompt": 'a "big" bell',
    "strength": "0.7",
    "takes": "2",
    "seed": "-1",
    "start_s": "1.500010000",
    "end_s": "3.100010000",
    "track": "Guitar",
    "project": "Song",
    "rate_hz": "48000.0",
    "low_hz": "NIL",
    "high_hz": "NIL",
}


def asked(folder: Path, **values: str) -> Asked:
    """Return a request with sound, as a plug-in leaves it."""
    lines = {**BASIC, **values, "end": "yes"}
    path = folder / "one.request"
    path.write_text("".join(f"{key}\t{value}\n" for key, value in lines.items()), encoding="utf-8")
    path.with_suffix(".wav").write_bytes(b"RIFF")
    found = read_asked(path)
    assert found is not None
    return found


def entry(folder: Path) -> PluginEntry:
    return PluginEntry(path=folder / "one.ny", name="One", kind="Tool", version="1.0")


def test_a_value_of_a_request_is_as_it_was_in_audacity(tmp_path: Path) -> None:
    found = asked(tmp_path, track=r"back\\slash\tand\nline \x", prompt="a\u2028b")
    assert found.text("track") == "back\\slash\tand\nline \\x"
    assert found.prompt == "a b"


def test_a_prompt_is_one_line_and_keeps_its_backslashes(tmp_path: Path) -> None:
    """A command by the pipe makes a backslash and the end of a line of a backslash and an n."""
    assert asked(tmp_path, prompt=r"C:\\\new 100%").prompt == r"C:\new 100%"
    assert asked(tmp_path, prompt=r"C:\\new\nbell").prompt == r"C:\new bell"


def test_the_projects_that_are_open_are_read_from_the_settings(tmp_path: Path) -> None:
    names = ("state", "config", "runtime", "log", "takes")
    folders = Folders(**{name: tmp_path / name for name in names})
    system = System(platform="linux", home=tmp_path, environment={}, folders=folders, command=("daw-bridge",))
    assert open_projects(system) == frozenset()
    settings = tmp_path / ".config" / "audacity" / "audacity.cfg"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        "[ActiveProjects]\n1=/a/s=ong [1].aup3\n2=/b/two.aup3\n[Module]\nx=1\n", encoding="utf-8"
    )
    assert open_projects(system) == {"/a/s=ong [1].aup3", "/b/two.aup3"}


def test_a_request_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "one.request"
    path.write_text("action\ttransfer\nprompt\ta be", encoding="utf-8")
    assert read_asked(path) is None


def test_a_selection_becomes_an_errand_at_its_sample(tmp_path: Path) -> None:
    made = leave(asked(tmp_path), tmp_path / "errands", "one")
    request = read_errand(made.folder).request
    assert isinstance(request, Transfer)
    assert (request.prompt, request.strength) == ('a "big" bell', 0.7)
    assert request.path == str(made.folder / "region.wav")
    # 1.50001 s is 72000.48 samples; Audacity cuts at 72000.
    assert made.place["start_s"] == 1.5
    assert request.options["region"]["anchor"] == {"track": "Guitar", "position_s": 1.5}
    assert "mask" not in request.options
    assert 0 <= request.options["seed"] < 2**31


@pytest.mark.parametrize(
    ("low", "high", "band"),
    [
        ("500", "2000", {"low_hz": 500.0, "high_hz": 2000.0}),
        ("NIL", "2000", {"low_hz": 0.0, "high_hz": 2000.0}),
        ("500", "NIL", {"low_hz": 500.0}),
    ],
)
def test_a_spectral_selection_is_the_mask(
    tmp_path: Path, low: str, high: str, band: dict[str, float]
) -> None:
    made = leave(asked(tmp_path, low_hz=low, high_hz=high, action="inpaint"), tmp_path / "errands", "one")
    request = read_errand(made.folder).request
    assert isinstance(request, Inpaint)
    (shape,) = json.loads(request.mask)["shapes"] if isinstance(request.mask, str) else request.mask["shapes"]
    assert shape["span"] == {"start_s": 0.0, "end_s": pytest.approx(1.6)}
    assert {key: shape[key] for key in shape if key.endswith("hz")} == band


def test_inpainting_without_a_spectral_selection_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no spectral selection"):
        leave(asked(tmp_path, action="inpaint"), tmp_path / "errands", "one")
    assert not errands_of(tmp_path / "errands")


def test_again_needs_something_that_was_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing has been made"):
        leave(Asked(action="again", values={"takes": "2"}), tmp_path, "one")


def test_again_takes_other_seeds_or_varies_the_best_take(tmp_path: Path) -> None:
    root = tmp_path / "errands"
    made = leave(asked(tmp_path, seed="7"), root, "one")
    take = tmp_path / "take_1.wav"
    status = f"state\tdone\ntake\t0\t{take}\t7\t0.5\t-20\t48000\t48000\t\n"
    (made.folder / "status.txt").write_text(status, encoding="utf-8")
    other = leave(Asked(action="again", values={"takes": "4", "vary": "0.000000"}), root, "two")
    assert other.errand["options"]["takes"] == 4
    assert other.errand["options"]["seed"] != 7
    assert other.errand["path"] == str(made.folder / "region.wav")
    assert other.place == made.place
    varied = leave(Asked(action="again", values={"takes": "4", "vary": "0.3"}), root, "three")
    assert (varied.errand["ask"], varied.errand["path"], varied.errand["vary"]) == ("recall", str(take), 0.3)
    read_errand(varied.folder)


@given(name=st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn"))), length=st.integers(1, 600_000))
def test_a_takes_file_holds_every_sample_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, length: int
) -> None:
    path = tmp_path_factory.mktemp("takes") / "takes.aup"
    take = PlacedTake(
        path=Path("/takes") / "a & b.wav",
        name=name,
        start_s=59_256 / 48_000,
        length_samples=length,
        sample_rate_hz=48_000,
        channels=2,
    )
    write_takes_file(path, [take])
    project = ET.parse(path).getroot()  # noqa: S314 - our own
    assert (path.parent / project.attrib["projname"]).is_dir()
    tracks = project.findall(f"{NAMESPACE}wavetrack")
    assert [(one.attrib["channel"], one.attrib["linked"]) for one in tracks] == [("0", "1"), ("1", "0")]
    for channel, track in enumerate(tracks):
        assert track.attrib["name"] == name
        blocks = list(track.iter(f"{NAMESPACE}pcmaliasblockfile"))
        starts = [int(block.attrib["aliasstart"]) for block in blocks]
        lengths = [int(block.attrib["aliaslen"]) for block in blocks]
        assert starts == [sum(lengths[:index]) for index in range(len(blocks))]
        assert sum(lengths) == length
        assert {block.attrib["aliaschannel"] for block in blocks} == {str(channel)}
        (clip,) = track.iter(f"{NAMESPACE}waveclip")
        assert round(float(clip.attrib["offset"]) * 48_000) == 59_256


def test_the_module_is_enabled_and_all_else_is_kept(tmp_path: Path) -> None:
    before = b"PrefsVersion=1.1.1r1\n[Module]\nmod-ogg=1\nmod-script-pipe=4\n[GUI]\nShowSplashScreen=0\n"
    put = enable_module(tmp_path / "mod-script-pipe.so", MODIFIED)
    after = put(before)
    assert module_state(after) == "1"
    assert set(before.splitlines()) - {b"mod-script-pipe=4"} <= set(after.splitlines())
    assert b"[ModuleDateTime]\nmod-script-pipe=2023-02-01T20:56:51\n" in after
    assert put(after) == after
    assert module_state(disable_module(after)) == "4"


def test_settings_with_lines_of_windows_keep_them(tmp_path: Path) -> None:
    after = enable_module(tmp_path / "a.dll", MODIFIED)(b"[GUI]\r\nx=1\r\n")
    assert after.count(b"\r\n") == after.count(b"\n")


def test_plugins_are_listed_and_taken_out_again(tmp_path: Path) -> None:
    before = b"pluginregistryversion=1.2\n[pluginregistry]\n[pluginregistry/Effect]\n"
    listed = register([entry(tmp_path)])(before)
    assert f"Path={tmp_path / 'one.ny'}\n".encode() in listed
    assert register([entry(tmp_path)])(listed) == listed
    assert unregister([entry(tmp_path)])(listed) == before


@pytest.mark.parametrize("before", [b"pluginregistryversion=1.1\n[pluginregistry]\n", b""])
def test_a_list_of_an_unknown_version_is_left_alone(tmp_path: Path, before: bytes) -> None:
    assert register([entry(tmp_path)])(before) == before


@pytest.mark.parametrize(
    ("platform", "settings", "plugins"),
    [
        ("linux", ".config/audacity", ".local/share/audacity/Plug-Ins"),
        ("linux", ".audacity-data", ".audacity-data/Plug-Ins"),
        ("darwin", "Library/Application Support/audacity", "Library/Application Support/audacity/Plug-Ins"),
        ("win32", "AppData/Roaming/audacity", "AppData/Roaming/audacity/Plug-Ins"),
    ],
)
def test_audacity_is_found_and_gets_its_plugins(
    tmp_path: Path, platform: str, settings: str, plugins: str
) -> None:
    (tmp_path / settings).mkdir(parents=True)
    version = "[Version]\nMajor=3\nMinor=2\nMicro=4\n"
    (tmp_path / settings / "audacity.cfg").write_text(version, encoding="utf-8")
    module = tmp_path / "modules" / "mod-script-pipe.so"
    module.parent.mkdir()
    module.touch()
    os.utime(module, (MODIFIED.timestamp(), MODIFIED.timestamp()))
    system = made_system(tmp_path, platform, {"AUDACITY_MODULES_PATH": str(module)})
    (place,) = HOST.find(system)
    assert place == Place(folder=tmp_path / settings, version="3.2.4")
    files = {file.path: file.content.decode() for file in HOST.files(system, place)}
    library = inbox_of(system.folders) / LIBRARY
    assert set(files) == {library, *(tmp_path / plugins / name for name in PLUGINS)}
    for content in files.values():
        assert "{inbox}" not in content and "{library}" not in content and "{version}" not in content
    assert str(inbox_of(system.folders)) in files[library]
    (edit,) = HOST.edits(system, place)
    assert module_state(edit.put(edit.path.read_bytes())) == "1"
    told = HOST.problems(system, place)
    assert any("not enabled" in one for one in told)
    assert any("not listed its plug-ins" in one for one in told)


def test_no_audacity_no_place(tmp_path: Path) -> None:
    assert HOST.find(made_system(tmp_path, "darwin", {})) == ()


def made_system(home: Path, platform: str, environment: dict[str, str]) -> System:
    names = ("state", "config", "runtime", "log", "takes")
    folders = Folders(**{name: home / "bridge" / name for name in names})
    return System(
        platform=platform,
        home=home,
        environment=environment,
        folders=folders,
        command=("/bin/python", "-m", "daw_bridge"),
    )
