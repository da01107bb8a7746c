"""What a script asks for: the JSON it leaves in a folder of its own, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daw_bridge.messages.arguments import MAX_JSON_ARGUMENT
from daw_bridge.messages.base import Request
from daw_bridge.messages.jobs import Generate, Inpaint, Recall, Submit, Superres, Transfer
from engine.errors import BadJson, NotFound, SpecError, TooLarge
from engine.spec_json import parse_json

ERRAND = "errand.json"
MAX_FILE_BYTES = 1_000_000
ASKS: dict[str, type[Request]] = {
    "generate": Generate,
    "transfer": Transfer,
    "inpaint": Inpaint,
    "superres": Superres,
    "submit": Submit,
    "recall": Recall,
}
_PATHS = ("path", "folder", "source")
# What may be a JSON object here and is text, or the path of a text, in a message.
_LONG = ("mask", "spec")
_TELL = ("host", "port", "address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Whom to tell by OSC over UDP that an errand has ended."""

    host: str
    port: int
    address: str

    def __post_init__(self) -> None:
        if not isinstance(self.host, str) or not isinstance(self.port, int) or not 0 < self.port < 65_536:
            raise SpecError("tell needs a host as text and a port from 1 to 65535")
        if not isinstance(self.address, str) or not self.address.startswith("/"):
            raise SpecError(f"the address of tell begins with a slash, got {self.address!r:.60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One job of a script; host is the program that it runs in, for lists."""

    request: Request
    host: str = ""
    tell: Tell | None = None


def read_errand(folder: Path) -> Errand:
    """Return what the script asks for; what is too long for a message becomes a file beside it.

    Raises:
        NotFound: no such file.
        BadJson, TooLarge: no JSON object, or one too large.
        SpecError: a missing or unknown key, or a value out of its range.
    """
    content = _content(folder / ERRAND)
    host, tell = content.pop("host", ""), content.pop("tell", None)
    if not isinstance(host, str):
        raise SpecError("host is a text")
    return Errand(request=_request(content, folder), host=host, tell=None if tell is None else _tell(tell))


def _request(content: dict[str, Any], folder: Path) -> Request:
    ask = content.pop("ask", None)
    values = {key: _placed(key, value, folder) for key, value in content.items()}
    kind = ASKS.get(ask) if isinstance(ask, str) else None
    if kind is None:
        raise SpecError(f"ask is {ask!r:.40}", f"Known: {', '.join(ASKS)}.")
    slots = [slot for slot in kind.slots if slot.name != "rid"]
    _require_keys(
        values, [slot.name for slot in slots], [slot.name for slot in slots if slot.is_required], ask
    )
    return kind(rid="-", **values)


def _tell(values: object) -> Tell:
    if not isinstance(values, Mapping):
        raise SpecError("tell is a JSON object")
    _require_keys(values, _TELL, _TELL, "tell")
    return Tell(**values)


def _require_keys(values: Mapping[str, Any], known: Any, required: Any, name: str) -> None:
    if unknown := sorted(values.keys() - set(known)):
        raise SpecError(f"{name} does not know {', '.join(unknown)}", f"Known: {', '.join(known)}.")
    if missing := [key for key in required if key not in values]:
        raise SpecError(f"{name} lacks {', '.join(missing)}", f"Known: {', '.join(known)}.")


def _placed(key: str, value: object, folder: Path) -> object:
    if key in _PATHS and isinstance(value, str) and value:
        return str(folder / value)
    if key in _LONG and isinstance(value, dict):
        text = json.dumps(value)
        return text if len(text) <= MAX_JSON_ARGUMENT else _beside(folder / f"{key}.json", text)
    return value


def _beside(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def _content(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if len(data) > MAX_FILE_BYTES:
        raise TooLarge(f"{path} has more than {MAX_FILE_BYTES} bytes")
    try:
        content = parse_json(data.decode("utf-8"))
    except BadJson as error:
        raise BadJson(
            f"{path}: {error.info.message}", "See docs/daws/errands.md for what it holds."
        ) from error
    except UnicodeDecodeError as error:
        raise BadJson(f"{path} is not UTF-8") from error
    if not isinstance(content, dict):
        raise BadJson(f"{path} must hold a JSON object")
    return content
