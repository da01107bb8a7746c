"""The tree that OSCQuery tells: all of the namespace, and nothing that the service would refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.messages.arguments import Argument, Choice, ParameterValue, Scalar
from daw_bridge.messages.base import REQUESTS, ROOT, Request
from daw_bridge.messages.parameters import KNOBS, PARAMETERS
from daw_bridge.messages.reading import parse_request
from daw_bridge.oscquery import tree
from daw_bridge.oscquery.tree import ATTRIBUTES, HostInfo, Node, attribute, build_tree, described, find
from engine.types import ErrorCode

TREE = build_tree()
PLAIN_REQUESTS = [cls for cls in REQUESTS.values() if not cls.parts]


def example(name: str) -> ParameterValue:
    value: ParameterValue = PARAMETERS[name].example
    return value


def node_at(path: str) -> Node:
    node = find(TREE, path)
    assert node is not None, path
    return node


def told(path: str) -> dict[str, Any]:
    return described(node_at(path), example)


def nodes(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield content
    for inner in content.get("CONTENTS", {}).values():
        yield from nodes(inner)


@pytest.mark.parametrize("cls", PLAIN_REQUESTS)
def test_a_request_takes_what_its_node_says(cls: type[Request]) -> None:
    node = node_at(ROOT + cls.pattern)
    assert node.access == tree.WRITE_ONLY
    assert (cls.__doc__ or "").split()[0] in node.description
    lengths = [len(form.tags) for form in node.forms]
    assert (min(lengths), max(lengths)) == (sum(slot.is_required for slot in cls.slots), len(cls.slots))
    for form in node.forms:
        slots = cls.slots[: len(form.tags)]
        parse_request(node.path, [slot.kind.write(slot.kind.example) for slot in slots])
        pairs = zip(slots, form.tags, strict=True)
        assert all(tag == slot.kind.tag for slot, tag in pairs if not isinstance(slot.kind, Scalar))
        assert len(form.ranges) == len(form.tags)


def test_a_value_of_any_type_has_an_overload_for_each() -> None:
    content = told(f"{ROOT}param/set")
    types = {content["TYPE"], *(form["TYPE"] for form in content["OVERLOADS"])}
    assert types == {"ssf", "ssi", "sss"}
    assert "RANGE" not in content


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_has_value_type_and_range(name: str) -> None:
    kind, content = PARAMETERS[name], told(f"{ROOT}param/{name}")
    assert content["FULL_PATH"] == f"{ROOT}param/{name}"
    assert (content["ACCESS"], content["TYPE"]) == (tree.READ_AND_WRITE, kind.tag)
    assert kind.description in content["DESCRIPTION"]
    assert kind.read(content["VALUE"][0]) == kind.example
    for bounds in content.get("RANGE", []):
        check_bounds(kind, bounds)


def check_bounds(kind: Argument[Any], bounds: dict[str, Any]) -> None:
    for value in bounds.get("VALS", (bounds.get("MIN"), bounds.get("MAX"))):
        kind.read(value)
    beyond = [f"{bounds['VALS']}"] if "VALS" in bounds else [bounds["MIN"] - 1, bounds["MAX"] + 1]
    for value in beyond:
        with pytest.raises(ValueError, match="must"):
            kind.read(value)


def test_a_number_has_bounds_a_choice_has_values_and_free_text_has_neither() -> None:
    assert told(f"{ROOT}param/guidance")["RANGE"] == [{"MIN": 0.0, "MAX": 30.0}]
    assert "ddim" in told(f"{ROOT}param/sampler")["RANGE"][0]["VALS"]
    assert "RANGE" not in told(f"{ROOT}param/prompt")


def test_on_and_off_are_the_numbers_that_osc_has_for_them() -> None:
    content = told(f"{ROOT}param/match_level")
    assert content["VALUE"] == [1]
    assert type(content["VALUE"][0]) is int
    assert content["RANGE"] == [{"MIN": 0, "MAX": 1}]


def test_the_whole_tree_is_json_and_tells_each_address_once() -> None:
    content = described(TREE, example)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    paths = [node["FULL_PATH"] for node in nodes(content)]
    assert len(set(paths)) == len(paths)
    methods = {node["FULL_PATH"] for node in nodes(content) if "TYPE" in node}
    named = {f"{ROOT}param/{name}" for name in PARAMETERS} | {f"{ROOT}knob/{name}" for name in KNOBS}
    assert methods == {ROOT + cls.pattern for cls in PLAIN_REQUESTS} | named
    for path in paths:
        assert node_at(path).path == path


def test_containers_have_no_access_and_no_value() -> None:
    content = told(f"{ROOT}param")
    assert content["ACCESS"] == tree.CONTAINER
    assert not {"TYPE", "VALUE", "RANGE"} & set(content)
    assert set(content["CONTENTS"]) == {*PARAMETERS, "get", "set", "listen"}


def test_an_attribute_that_is_not_there_is_none() -> None:
    request, container = node_at(f"{ROOT}ping"), node_at("/ldm")
    assert attribute(request, "VALUE", example) is None
    assert attribute(request, "CONTENTS", example) is None
    for name in ATTRIBUTES:
        assert attribute(container, name, example) == told("/ldm").get(name)


@pytest.mark.parametrize("method_first", [True, False])
def test_a_node_may_be_a_method_and_a_container(method_first: bool) -> None:
    root, method, inner = Node("/"), Node("/a", "does", tree.WRITE_ONLY), Node("/a/b")
    for node in (method, inner) if method_first else (inner, method):
        tree._add(root, node)
    found = find(root, "/a")
    assert found is method
    assert found.contents == {"b": inner}


def test_choices_of_an_enumeration_are_told_by_their_values() -> None:
    bounds = tree._range(Choice("code", ErrorCode.OOM))
    assert bounds is not None
    assert "oom" in bounds["VALS"]


@pytest.mark.parametrize("path", ["/ldm/", f"{ROOT}param/", "/"])
def test_a_slash_at_the_end_is_no_other_address(path: str) -> None:
    assert find(TREE, path) is find(TREE, path.removesuffix("/") or "/")


@pytest.mark.parametrize(
    "path", ["", "ldm", "//", "//ldm", "/ldm//1", "/ldm/2", "/ldm/1/param/no", "*", "/.."]
)
def test_what_is_no_address_is_not_found(path: str) -> None:
    assert find(TREE, path) is None


@given(st.text() | st.from_regex("(/(ldm|1|param|[a-z]{0,2}))*", fullmatch=True))
def test_any_text_can_be_looked_for(path: str) -> None:
    node = find(TREE, path)
    assert node is None or node.path.rstrip("/") == path.rstrip("/")


def test_host_info_tells_the_address_that_the_client_reached() -> None:
    content = HostInfo(name="DAW Bridge", osc_port=9000).described("192.168.1.7", 9001)
    assert content == {
        "NAME": "DAW Bridge",
        "EXTENSIONS": dict.fromkeys(tree.EXTENSIONS, True),
        "OSC_IP": "192.168.1.7",
        "OSC_PORT": 9000,
        "OSC_TRANSPORT": "UDP",
        "WS_IP": "192.168.1.7",
        "WS_PORT": 9001,
    }
    assert HostInfo(name="", osc_port=1, osc_ip="10.0.0.1").described("::1", 2)["OSC_IP"] == "10.0.0.1"
