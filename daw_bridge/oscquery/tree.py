"""The address space as OSCQuery tells it (Vidvox, OSCQueryProposal): nodes made from the messages; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from daw_bridge.messages.arguments import Argument, Choice, Flag, Number, ParameterValue, Scalar, Text, Whole
from daw_bridge.messages.base import REQUESTS, Request
from daw_bridge.messages.live import Param
from daw_bridge.messages.parameters import KNOBS, PARAMETERS

# Importing it fills the registry.
from daw_bridge.messages.reading import GROUPS
from daw_bridge.messages.surfaces import Knob

assert GROUPS

ReadValue = Callable[[str], ParameterValue]

CONTAINER, WRITE_ONLY, READ_AND_WRITE = 0, 2, 3
EXTENSIONS = ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "OVERLOADS", "LISTEN")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write the arguments of a node: the type tags, and the range of each; None has no bounds."""

    tags: str
    ranges: tuple[dict[str, Any] | None, ...]

    def described(self) -> dict[str, Any]:
        """Return TYPE, and RANGE where an argument has one."""
        return {"TYPE": self.tags} | ({"RANGE": list(self.ranges)} if any(self.ranges) else {})


@dataclass(slots=True)
class Node:
    """A container, a request or a parameter; the first form is the one to prefer."""

    path: str
    description: str = ""
    access: int = CONTAINER
    forms: tuple[Form, ...] = ()
    parameter: str = ""
    contents: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInfo:
    """What a client must know of the service itself.

    Without osc_ip it is told the address at which it reached the HTTP server: of all the addresses of this
    machine, that one works for it.
    """

    name: str
    osc_port: int
    osc_ip: str = ""
    osc_transport: str = "UDP"

    def described(self, ip: str, port: int) -> dict[str, Any]:
        """Return HOST_INFO for a client that reached the HTTP server there."""
        return {
            "NAME": self.name,
            "EXTENSIONS": dict.fromkeys(EXTENSIONS, True),
            "OSC_IP": self.osc_ip or ip,
            "OSC_PORT": self.osc_port,
            "OSC_TRANSPORT": self.osc_transport,
            "WS_IP": ip,
            "WS_PORT": port,
        }


def build_tree() -> Node:
    """Return the root of all requests and parameters."""
    root = Node("/", "requests and parameters of the service; docs/osc.md tells more")
    for cls in REQUESTS.values():
        if cls is Param:
            for name, kind in PARAMETERS.items():
                _add(root, _parameter(name, kind))
        elif cls is Knob:
            for name in KNOBS:
                _add(root, _knob(name))
        else:
            _add(root, _request(cls))
    return root


def find(root: Node, path: str) -> Node | None:
    """Return the node at an address; None where there is none."""
    if not path.startswith("/"):
        return None
    node: Node | None = root
    for name in path.removeprefix("/").removesuffix("/").split("/") if path != "/" else ():
        node = None if node is None else node.contents.get(name)
    return node


def described(node: Node, read_value: ReadValue) -> dict[str, Any]:
    """Return all attributes of a node and of all below it, as JSON has them."""
    told = {name: attribute(node, name, read_value) for name in ATTRIBUTES}
    return {name: value for name, value in told.items() if value is not None}


def attribute(node: Node, name: str, read_value: ReadValue) -> Any | None:
    """Return one of ATTRIBUTES; None where the node has none of it."""
    return ATTRIBUTES[name](node, read_value)


def _add(root: Node, node: Node) -> None:
    *above, name = node.path.removeprefix("/").split("/")
    container = root
    for part in above:
        path = f"{container.path.removesuffix('/')}/{part}"
        container = container.contents.setdefault(part, Node(path))
    # A node may be a container too, whichever of the two came first.
    known = container.contents.get(name)
    node.contents = {} if known is None else known.contents
    container.contents[name] = node


def _parameter(name: str, kind: Argument[Any]) -> Node:
    return Node(
        Param(name=name).address,
        f"{kind.description} ({kind.values})" if kind.values else kind.description,
        READ_AND_WRITE,
        (Form(kind.tag, (_range(kind),)),),
        name,
    )


def _knob(name: str) -> Node:
    (slot,) = Knob.slots
    form = Form(slot.kind.tag, (_range(slot.kind),))
    return Node(
        Knob(name=name, position=0.0).address, " ".join((Knob.__doc__ or "").split()), WRITE_ONLY, (form,)
    )


def _request(cls: type[Request]) -> Node:
    assert not cls.parts, f"{cls.pattern} needs a node for each of its addresses"
    meaning = " ".join((cls.__doc__ or "").split())
    path, _, arguments = cls.signature().partition(" ")
    return Node(path, f"{meaning} {arguments}", WRITE_ONLY, tuple(_forms(cls)))


def _forms(cls: type[Request]) -> Iterator[Form]:
    """Yield the form with what must be given alone, then those with more and more of the rest."""
    kinds = [slot.kind for slot in cls.slots]
    fewest = sum(slot.is_required for slot in cls.slots)
    for count in range(fewest, len(kinds) + 1):
        ranges = tuple(_range(kind) for kind in kinds[:count])
        for tags in product(*(_tags(kind) for kind in kinds[:count])):
            yield Form("".join(tags), ranges)


def _tags(kind: Argument[Any]) -> tuple[str, ...]:
    return ("f", "i", "s") if isinstance(kind, Scalar) else (kind.tag,)


def _range(kind: Argument[Any]) -> dict[str, Any] | None:
    match kind:
        case Text(choices=choices) if choices:
            return {"VALS": list(choices)}
        case Choice(example=example):
            return {"VALS": [member.value for member in type(example)]}
        case Whole() | Number():
            return {"MIN": kind.low, "MAX": kind.high}
        case Flag():
            return {"MIN": 0, "MAX": 1}
    return None


def _type(node: Node, _: ReadValue) -> str | None:
    return node.forms[0].tags if node.forms else None


def _value(node: Node, read_value: ReadValue) -> list[Any] | None:
    if not node.parameter:
        return None
    return [PARAMETERS[node.parameter].write(read_value(node.parameter))]


def _ranges(node: Node, _: ReadValue) -> list[dict[str, Any] | None] | None:
    return node.forms[0].described().get("RANGE") if node.forms else None


def _overloads(node: Node, _: ReadValue) -> list[dict[str, Any]] | None:
    return [form.described() for form in node.forms[1:]] or None


def _contents(node: Node, read_value: ReadValue) -> dict[str, Any] | None:
    return {name: described(inner, read_value) for name, inner in node.contents.items()} or None


ATTRIBUTES: dict[str, Callable[[Node, ReadValue], Any | None]] = {
    "FULL_PATH": lambda node, _: node.path,
    "DESCRIPTION": lambda node, _: node.description or None,
    "ACCESS": lambda node, _: node.access,
    "TYPE": _type,
    "VALUE": _value,
    "RANGE": _ranges,
    "OVERLOADS": _overloads,
    "CONTENTS": _contents,
}
