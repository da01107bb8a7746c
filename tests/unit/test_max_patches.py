"""Max's package as files: patchers whose objects and cords exist, a device, and a model that is strict."""

from __future__ import annotations

import itertools
import json
import re
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daw_bridge.daws.hosts import Place, System
from daw_bridge.daws.max.content import abstraction, device, help_patcher
from daw_bridge.daws.max.host import HOST
from daw_bridge.daws.max.patches import OBJECTS, Patcher
from tests.hosts.modelled import MODELS, modelled_host, needs_node

PATCHERS = {"abstraction": abstraction(), "help": help_patcher(), "device": device()}
OF_OUR_OWN = {"js", "route", "dawbridge"}


def published() -> dict[str, tuple[int, list[str]]]:
    """Return inlets and outlet types of Max's objects, as Max itself saved them."""
    found = {}
    for line in (MODELS / "max_objects.tsv").read_text().splitlines():
        if not line.startswith("#"):
            name, inlets, outlets = line.split("\t")
            types = [] if outlets == "-" else [kind.strip('"') for kind in outlets.split()]
            found[name] = (int(inlets), types)
    return found


def content(patcher: Patcher) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(patcher.json())["patcher"]
    return whole


def boxes(patcher: Patcher) -> dict[str, dict[str, Any]]:
    return {one["box"]["id"]: one["box"] for one in content(patcher)["boxes"]}


def name_of(box: dict[str, Any]) -> str:
    return box["text"].split()[0] if box["maxclass"] == "newobj" else box["maxclass"]


def package(tmp_path: Path) -> dict[str, bytes]:
    place = Place(folder=tmp_path / "Packages", version="9")
    files = HOST.files(replace(System.here(), home=tmp_path), place)
    return {file.path.relative_to(place.folder / "DAW Bridge").as_posix(): file.content for file in files}


@pytest.mark.parametrize("name", PATCHERS)
def test_every_object_is_one_of_max_with_its_inlets_and_outlets(name: str) -> None:
    known = published()
    for box in boxes(PATCHERS[name]).values():
        kind = name_of(box)
        if kind not in OF_OUR_OWN:
            assert (box["numinlets"], box.get("outlettype", [])) == known[kind], kind
        assert box["numoutlets"] == len(box.get("outlettype", []))
    assert set(OBJECTS) == set(known) | OF_OUR_OWN


@pytest.mark.parametrize("name", PATCHERS)
def test_every_cord_goes_from_an_outlet_to_an_inlet(name: str) -> None:
    known = boxes(PATCHERS[name])
    lines = [one["patchline"] for one in content(PATCHERS[name])["lines"]]
    for line in lines:
        (source, outlet), (target, inlet) = line["source"], line["destination"]
        assert outlet < known[source]["numoutlets"]
        assert inlet < known[target]["numinlets"]
        is_signal = known[source]["outlettype"][outlet] == "signal"
        assert is_signal is (name_of(known[target]) == "plugout~")
    assert len({json.dumps(line) for line in lines}) == len(lines)


@pytest.mark.parametrize("name", PATCHERS)
@pytest.mark.parametrize("where", ["patching_rect", "presentation_rect"])
def test_nothing_lies_on_something_else(name: str, where: str) -> None:
    placed = [(key, box[where]) for key, box in boxes(PATCHERS[name]).items() if where in box]
    for (a, (xa, ya, wa, ha)), (b, (xb, yb, wb, hb)) in itertools.combinations(placed, 2):
        apart = xa + wa <= xb or xb + wb <= xa or ya + ha <= yb or yb + hb <= ya
        assert apart, f"{a} and {b} overlap"


@pytest.mark.parametrize("name", PATCHERS)
def test_ids_are_unique_and_all_is_inside_of_the_window(name: str) -> None:
    whole = content(PATCHERS[name])
    ids = Counter(one["box"]["id"] for one in whole["boxes"])
    assert max(ids.values()) == 1
    _, _, width, height = whole["rect"]
    for box in boxes(PATCHERS[name]).values():
        x, y, box_width, box_height = box["patching_rect"]
        assert x + box_width <= width and y + box_height <= height


def test_the_script_has_as_many_inlets_and_outlets_as_its_box(tmp_path: Path) -> None:
    script = package(tmp_path)["javascript/dawbridge.js"].decode()
    found = {
        key: int(number) for key, number in re.findall(r"^(inlets|outlets) = (\d+);$", script, re.MULTILINE)
    }
    assert (found["inlets"], found["outlets"]) == (OBJECTS["js"][0], len(OBJECTS["js"][1]))


def test_the_abstraction_has_the_inlets_and_outlets_that_the_help_connects() -> None:
    kinds = Counter(name_of(box) for box in boxes(abstraction()).values())
    assert (kinds["inlet"], kinds["outlet"]) == (OBJECTS["dawbridge"][0], len(OBJECTS["dawbridge"][1]))


def test_all_that_the_help_and_the_device_ask_for_is_in_the_script(tmp_path: Path) -> None:
    script = package(tmp_path)["javascript/dawbridge.js"].decode()
    functions = set(re.findall(r"^function (\w+)\(", script, re.MULTILINE))
    asked = [box["text"].split()[0] for patcher in PATCHERS.values() for box in boxes(patcher).values()
             if box["maxclass"] == "message" and box["id"] != "told"]  # fmt: skip
    prepended = [box["text"].split()[1] for box in boxes(device()).values() if name_of(box) == "prepend"]
    assert set(asked) | set(prepended) - {"set"} <= functions


def test_the_device_is_an_audio_effect_whose_chunks_fill_the_file(tmp_path: Path) -> None:
    data = package(tmp_path)["devices/DAW Bridge.amxd"]
    chunks, place = {}, 0
    while place < len(data):
        name, length = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        chunks[name] = data[place + 8 : place + 8 + length]
        place += 8 + length
    assert place == len(data)
    assert list(chunks) == [b"ampf", b"meta", b"ptch"]
    assert (chunks[b"ampf"], len(chunks[b"meta"])) == (b"aaaa", 4)
    assert json.loads(chunks[b"ptch"].rstrip(b"\0")) == json.loads(replace(device(), is_device=True).json())


def test_the_package_goes_into_each_max_that_is_there(tmp_path: Path) -> None:
    system = replace(System.here(), home=tmp_path, platform="win32")
    assert HOST.find(system) == ()
    for number in (8, 9):
        (tmp_path / "Documents" / f"Max {number}").mkdir(parents=True)
    places = HOST.find(system)
    assert [place.version for place in places] == ["9", "8"]
    assert all(place.folder.name == "Packages" for place in places)


def test_the_script_knows_where_regions_go(tmp_path: Path) -> None:
    files = package(tmp_path)
    regions = (tmp_path / "Packages" / "DAW Bridge" / "regions").as_posix()
    assert f'"{regions}"' in files["javascript/dawbridge.js"].decode()
    assert "regions/readme.txt" in files
    assert json.loads(files["package-info.json"])["name"] == "DAW Bridge"


@needs_node
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("outlet(9, 1);", "there is no outlet 9"),
        ("outlet(0, {a: 1});", "outlet sends no"),
        ("new Buffer('a').load('b');", "Buffer has no load"),
        ("new Buffer();", "new Buffer needs a string"),
        ("new Task(function () {}).schedule('soon');", "takes no"),
        ("new File('a').save();", "File has no save"),
        ("new LiveAPI('live_set tracks 0').call('fly', 1);", "has no fly to call"),
        ("new LiveAPI('live_set tracks 0 clip_slots 0').get('color');", "has no color to get"),
        ("setTimeout(function () {}, 1);", "setTimeout is not defined"),
        ("console.log('a');", "undefined"),
    ],
)
def test_the_model_refuses_what_is_not_declared(tmp_path: Path, body: str, told: str) -> None:
    for name, data in package(tmp_path).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    script = f"inlets = 1; outlets = 4; function connect() {{ {body} }} function bang() {{ connect(); }}"
    (tmp_path / "javascript" / "dawbridge.js").write_text(script)
    session = json.dumps({"live": {"tracks": [{"slots": [{"clip": None}]}]}})
    patcher = tmp_path / "patchers" / "dawbridge.maxpat"
    refused = pytest.raises(AssertionError, match="violation|crash")
    with refused, modelled_host("max_host.js", patcher, session) as host:
        assert told in str(host.all("violation") + host.all("crash"))
