"""Where Pure Data and SuperCollider are found, and what their files then say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from daw_bridge.daws.hosts import Host, Place, System
from daw_bridge.daws.puredata.host import HOST as PUREDATA
from daw_bridge.daws.supercollider.host import HOST as SUPERCOLLIDER
from daw_bridge.service.config import Folders

HOSTS = (PUREDATA, SUPERCOLLIDER)
COMMAND = ("/opt/a program; yes, this $1/python", "-m", "daw_bridge")


def system(home: Path, platform: str = "linux", environment: Mapping[str, str] | None = None) -> System:
    names = ("state", "config", "runtime", "log", "takes")
    folders = Folders(**{name: home / 'a "folder", of $us; ours' / name for name in names})
    return System(
        platform=platform, home=home, environment=environment or {}, folders=folders, command=COMMAND
    )


@pytest.mark.parametrize(
    ("host", "platform", "made", "expected"),
    [
        (PUREDATA, "linux", ".config/Pd", ".local/lib/pd/extra"),
        (PUREDATA, "linux", ".pdsettings", ".local/lib/pd/extra"),
        (PUREDATA, "darwin", "Documents/Pd/externals", "Documents/Pd/externals"),
        (PUREDATA, "darwin", "Library/Preferences/org.puredata.pd.plist", "Documents/Pd/externals"),
        (PUREDATA, "win32", "Documents/Pd/externals", "Documents/Pd/externals"),
        (SUPERCOLLIDER, "linux", ".local/share/SuperCollider", ".local/share/SuperCollider"),
        (SUPERCOLLIDER, "darwin", *("Library/Application Support/SuperCollider",) * 2),
        (SUPERCOLLIDER, "win32", *("AppData/Local/SuperCollider",) * 2),
    ],
)
def test_the_user_folder_is_found(
    host: Host, platform: str, made: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / made).mkdir(parents=True)
    assert [place.folder for place in host.find(system(tmp_path, platform))] == [tmp_path / expected]


@pytest.mark.parametrize(
    ("host", "platform", "environment", "made"),
    [
        (SUPERCOLLIDER, "linux", {"XDG_DATA_HOME": "data"}, "data/SuperCollider"),
        (SUPERCOLLIDER, "win32", {"LOCALAPPDATA": "local"}, "local/SuperCollider"),
    ],
)
def test_the_environment_may_name_another_folder(
    host: Host, platform: str, environment: dict[str, str], made: str, tmp_path: Path
) -> None:
    (tmp_path / made).mkdir(parents=True)
    whole = {name: str(tmp_path / value) for name, value in environment.items()}
    assert [place.folder for place in host.find(system(tmp_path, platform, whole))] == [tmp_path / made]


def test_what_is_not_installed_is_not_found(tmp_path: Path) -> None:
    assert SUPERCOLLIDER.find(system(tmp_path)) == ()
    assert PUREDATA.find(system(tmp_path, "darwin")) == PUREDATA.find(system(tmp_path, "win32")) == ()


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_no_placeholder_is_left_in_any_file(host: Host, platform: str, tmp_path: Path) -> None:
    files = host.files(system(tmp_path, platform), Place(folder=tmp_path))
    assert len(files) > 4 and len({file.path for file in files}) == len(files)
    for file in files:
        assert not re.search(rb"@[A-Z]+@", file.content), file.path
        assert file.path.is_relative_to(tmp_path)


def test_a_path_stays_one_word_of_a_patch(tmp_path: Path) -> None:
    files = PUREDATA.files(system(tmp_path), Place(folder=tmp_path))
    text = next(file.content.decode() for file in files if file.path.name == "dawbridge-installed.pd")
    assert 'a\\ "folder"\\,\\ of\\ \\$us\\;\\ ours/state/errands;' in text


def test_a_path_stays_a_string_of_sclang(tmp_path: Path) -> None:
    files = SUPERCOLLIDER.files(system(tmp_path), Place(folder=tmp_path))
    text = next(file.content.decode() for file in files if file.path.name == "DAWBridgeInstalled.sc")
    assert 'a \\"folder\\", of $us; ours/state/errands"' in text
    assert "'/opt/a program; yes, this $1/python' -m daw_bridge errand check" in text


@pytest.mark.parametrize("kind", ["generate", "transfer", "inpaint", "superres", "recall"])
def test_each_abstraction_has_a_help_patch(kind: str, tmp_path: Path) -> None:
    names = {file.path.name for file in PUREDATA.files(system(tmp_path), Place(folder=tmp_path))}
    assert {f"dawbridge.{kind}.pd", f"dawbridge.{kind}-help.pd"} <= names


def test_help_patches_that_are_open_at_once_have_arrays_of_their_own(tmp_path: Path) -> None:
    files = PUREDATA.files(system(tmp_path), Place(folder=tmp_path))
    helps = [file.content.decode() for file in files if file.path.name.endswith("-help.pd")]
    arrays = [re.findall(r"^#X array (\S+)", text, re.MULTILINE) for text in helps]
    assert len(helps) == 5 and all(len(found) == 1 for found in arrays)
    assert len({found[0] for found in arrays}) == 5
    for text, (array,) in zip(helps, arrays, strict=True):
        assert re.search(rf"dawbridge\.\w+ {array};", text) and f"tabplay~ {array};" in text
