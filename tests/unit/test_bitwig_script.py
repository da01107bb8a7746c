"""Where Bitwig's script goes, that old engines can read it, and that the model of Bitwig is strict."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from daw_bridge.daws.bitwig.host import HOST, SCRIPT
from daw_bridge.daws.hosts import Place, System
from daw_bridge.service.config import VERSION
from tests.hosts.modelled import ModelledHost, modelled_host, needs_node

NEWER_THAN_ES5 = r"=>|`|\b(let|const|class|async|await|yield|import|export)\b|\.\.\.|\bof\b(?=[^\"]*\) \{)"


def system(home: Path, platform: str) -> System:
    return replace(System.here(), platform=platform, home=home, environment={})


def script(tmp_path: Path) -> str:
    (file,) = HOST.files(system(tmp_path, "linux"), Place(folder=tmp_path))
    return file.content.decode()


@pytest.mark.parametrize(
    ("platform", "above"), [("linux", ""), ("darwin", "Documents"), ("win32", "Documents")]
)
def test_the_script_goes_where_bitwig_looks(tmp_path: Path, platform: str, above: str) -> None:
    assert HOST.find(system(tmp_path, platform)) == ()
    folder = tmp_path / above / "Bitwig Studio"
    folder.mkdir(parents=True)
    (place,) = HOST.find(system(tmp_path, platform))
    (file,) = HOST.files(system(tmp_path, platform), place)
    assert file.path == folder / "Controller Scripts" / "DAW Bridge" / SCRIPT
    assert file.path.name.endswith(".control.js")


def test_the_script_tells_the_version_of_the_program(tmp_path: Path) -> None:
    text = script(tmp_path)
    assert f'"{VERSION}"' in text
    assert not re.findall(r"@[A-Z]+@", text)


def test_the_script_is_es5(tmp_path: Path) -> None:
    code = re.sub(r"//[^\n]*|\"[^\"\n]*\"", '""', script(tmp_path))
    assert not [line for line in code.splitlines() if re.search(NEWER_THAN_ES5, line)]


@needs_node
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("host.launchEverything();", "ControllerHost has no method launchEverything"),
        ("host.showPopupNotification();", "takes no ()"),
        ("host.println(7);", "takes no (7)"),
        ("host.getDocumentState().getStringSetting('a', 'b', 9, 'c').get();", "without markInterested"),
        ("host.scheduleTask('text', 5);", "takes no (text, 5)"),
        ("host.createTransport();", "is not modelled"),
        ("host.tempo = 3;", "was set"),
        ("setTimeout(function () {}, 1);", "setTimeout is not defined"),
        ("host.loadAPI(4); host.getOscModule();", "is since 5"),
    ],
)
def test_the_model_refuses_what_is_not_declared(tmp_path: Path, body: str, told: str) -> None:
    path = tmp_path / "some.control.js"
    path.write_text(f"loadAPI(17); function init() {{ {body} }}")
    with (
        pytest.raises(AssertionError, match="violation|crash"),
        modelled_host("bitwig_host.js", path) as host,
    ):
        assert told in _wrong(host)


def _wrong(host: ModelledHost) -> str:
    return str(host.all("violation") + host.all("crash"))
