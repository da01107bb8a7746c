"""What our plug-ins in Audacity leave behind, and the errands made of it."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daw_bridge.daws.errands.errand import ERRAND
from daw_bridge.daws.errands.status import ErrandState, Status, read_status
from daw_bridge.errors import storage_errors
from engine.errors import NotFound, SpecError

HOST = "audacity"
EDITS = ("transfer", "inpaint", "superres")
REQUEST, NOTE, PLACED = ".request", "place.note", "placed.note"
_LISP_NOTHING = "NIL"
_END = "end"
_ESCAPED = re.compile(r"\\(.)")
_MEANT = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
# As many as Nyquist can count.
_SEEDS = 2**31
# A new file each: the project that Audacity imports lies beside the errand.
TAKES_FILE = "takes.aup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of a plug-in; sound is the selection of one track, None where none is sent."""

    action: str
    values: Mapping[str, str] = field(default_factory=dict)
    sound: Path | None = None

    def number(self, key: str) -> float | None:
        """Return a finite number; None where there is none."""
        try:
            number = float(self.values.get(key, _LISP_NOTHING))
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    def needed(self, key: str) -> float:
        number = self.number(key)
        if number is None:
            raise SpecError(
                f"a request from Audacity lacks {key}", "Run daw-bridge install-scripts audacity again."
            )
        return number

    def text(self, key: str) -> str:
        value = self.values.get(key, "")
        return "" if value == _LISP_NOTHING else value

    @property
    def prompt(self) -> str:
        """Return the prompt, of one line: commands by the pipe make a line's end of a backslash and n."""
        return " ".join(self.text("prompt").replace("\\\n", "\\n").split())


def answered(path: Path) -> Mapping[str, str] | None:
    """Return what a plug-in wrote by keys, None as long as it is being written."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    pairs = (line.partition("\t") for line in text.split("\n"))
    values = {key: _unescaped(value) for key, tab, value in pairs if tab}
    return values if _END in values else None


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[0]), value)


def read_asked(path: Path) -> Asked | None:
    """Return a request, None as long as it is being written."""
    values = answered(path)
    if values is None:
        return None
    sound = path.with_suffix(".wav")
    return Asked(action=values.get("action", ""), values=values, sound=sound if sound.is_file() else None)


@dataclass(frozen=True, slots=True)
class AudacityErrand:
    """The folder of one job that Audacity asked for."""

    folder: Path

    @property
    def place(self) -> Mapping[str, Any]:
        """Return where the takes belong: start_s, track, prompt, and the project's name."""
        return _json_of(self.folder / NOTE)

    @property
    def errand(self) -> Mapping[str, Any]:
        return _json_of(self.folder / ERRAND)

    @property
    def status(self) -> Status | None:
        return read_status(self.folder)

    @property
    def title(self) -> str:
        """Return what it is called where it is told of."""
        name = self.place.get("prompt") or self.errand.get("ask", "")
        where = self.place.get("track")
        return f"{name} ({where})" if where else str(name)

    @property
    def is_placed(self) -> bool:
        return (self.folder / PLACED).exists()

    @property
    def is_open(self) -> bool:
        """Tell whether something of it is still to be done."""
        status = self.status
        if status is None or not status.state.has_ended:
            return True
        return status.state is ErrandState.DONE and not self.is_placed

    def mark_placed(self, names: list[str]) -> None:
        with storage_errors(self.folder):
            (self.folder / PLACED).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")

    def cancel(self) -> None:
        with storage_errors(self.folder):
            (self.folder / "cancel").touch()


def errands_of(root: Path) -> list[AudacityErrand]:
    """Return all errands of Audacity, the oldest first."""
    found = [path.parent for path in root.glob(f"{HOST}-*/{ERRAND}")]
    return [AudacityErrand(path) for path in sorted(found, key=lambda one: (one / NOTE).stat().st_mtime_ns)]


def leave(asked: Asked, root: Path, name: str, projects: Collection[str] = ()) -> AudacityErrand:
    """Make an errand's folder for a request, whole or not at all; projects are the files that are open.

    Raises:
        SpecError: a request that cannot be carried out.
        NotFound: there is nothing to be done again.
        OutputError, DiskFull: the folder cannot be written.
    """
    if asked.action == "again":
        errand, place = _again(asked, root)
    else:
        errand, place = _first(asked)
        place["open_projects"] = sorted(projects)
    folder, part = root / f"{HOST}-{name}", root / f".{HOST}-{name}.part"
    with storage_errors(folder):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        if asked.sound is not None:
            shutil.move(asked.sound, part / "region.wav")
        (part / NOTE).write_text(json.dumps(place, ensure_ascii=False), encoding="utf-8")
        (part / ERRAND).write_text(json.dumps(errand, ensure_ascii=False), encoding="utf-8")
        os.replace(part, folder)
    return AudacityErrand(folder)


def _first(asked: Asked) -> tuple[dict[str, Any], dict[str, Any]]:
    if asked.action in EDITS:
        errand = _edit(asked)
    elif asked.action == "generate":
        errand = {"prompt": asked.prompt, "seconds": _seconds(asked)}
    else:
        raise SpecError(
            f"Audacity asks for {asked.action!r:.40}", "Run daw-bridge install-scripts audacity again."
        )
    common = {"ask": asked.action, "host": HOST, "stem": _stem(asked), **errand}
    common["options"] = {**_options(asked), **errand.get("options", {})}
    return common, _place(asked)


def _edit(asked: Asked) -> dict[str, Any]:
    if asked.sound is None:
        raise SpecError("no sound came with a request from Audacity", "Select some, and ask again.")
    mask = _mask(asked)
    errand: dict[str, Any] = {"path": "region.wav", "options": {"region": {"anchor": _anchor(asked)}}}
    if asked.action == "superres":
        return errand
    errand["prompt"] = asked.prompt
    if asked.action == "inpaint":
        if mask is None:
            raise SpecError(
                "there is no spectral selection to make anew", "Drag one in the track's Spectrogram view."
            )
        return {**errand, "mask": mask}
    if mask is not None:
        errand["options"]["mask"] = mask
    strength = asked.number("strength")
    return errand if strength is None else {**errand, "strength": strength}


def _mask(asked: Asked) -> dict[str, Any] | None:
    """Return the spectral selection over all of the time that was selected; None where there is none."""
    low_hz, high_hz = asked.number("low_hz"), asked.number("high_hz")
    if low_hz is None and high_hz is None:
        return None
    length_s = asked.needed("end_s") - asked.needed("start_s")
    band = {"low_hz": low_hz or 0.0} | ({} if high_hz is None else {"high_hz": high_hz})
    return {"shapes": [{"shape": "rect", "span": {"start_s": 0.0, "end_s": length_s}, **band}]}


def _options(asked: Asked) -> dict[str, Any]:
    takes, seed = asked.number("takes"), asked.number("seed")
    if seed is None or seed < 0:
        seed = secrets.randbelow(_SEEDS)
    options: dict[str, Any] = {"seed": int(seed)}
    return options if takes is None else {**options, "takes": int(takes)}


def _seconds(asked: Asked) -> float:
    """Return the length of the selection, or what was asked for where nothing is selected."""
    selected_s = asked.needed("end_s") - asked.needed("start_s")
    return selected_s if selected_s > 0 else asked.needed("seconds")


def _anchor(asked: Asked) -> dict[str, Any]:
    return {"track": asked.text("track"), "position_s": _start_s(asked)}


def _place(asked: Asked) -> dict[str, Any]:
    ends = {key: asked.number(key) for key in ("track_start_s", "track_end_s")}
    names = {"track": asked.text("track"), "project": asked.text("project"), "prompt": asked.prompt}
    return {"start_s": _start_s(asked), **names, **ends}


def _start_s(asked: Asked) -> float:
    """Return where the selection begins as Audacity cuts it: at the nearest sample of the track."""
    rate_hz = asked.number("rate_hz") or asked.needed("project_rate_hz")
    return math.floor(asked.needed("start_s") * rate_hz + 0.5) / rate_hz


def _stem(asked: Asked) -> str:
    words = "-".join((asked.text("track"), asked.prompt or asked.action)).lower()
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in words)
    return "-".join(part for part in plain.split("-") if part)[:60] or HOST


def _again(asked: Asked, root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the newest job with other seeds, or variations of its best take."""
    done = [one for one in errands_of(root) if (one.status or _NONE).state is ErrandState.DONE]
    if not done:
        raise NotFound("nothing has been made for Audacity that could be made again", "Make a change first.")
    last = done[-1]
    takes, vary = int(asked.needed("takes")), asked.number("vary") or 0.0
    if vary > 0:
        best = _take_paths(last)[0]
        errand = {"ask": "recall", "host": HOST, "path": best, "vary": vary, "takes": takes}
        return {**errand, "stem": f"{Path(best).stem}-varied"}, dict(last.place)
    return _with_other_seeds(last, takes), dict(last.place)


_NONE = Status(state=ErrandState.WAITING)


def _with_other_seeds(last: AudacityErrand, takes: int) -> dict[str, Any]:
    errand = dict(last.errand)
    if errand["ask"] == "recall":
        return {**errand, "takes": takes}
    options = {**errand["options"], "seed": secrets.randbelow(_SEEDS), "takes": takes}
    path = {"path": str(last.folder / errand["path"])} if "path" in errand else {}
    return {**errand, **path, "options": options}


def _take_paths(errand: AudacityErrand) -> list[str]:
    status = errand.status
    return [line.split("\t")[1] for line in status.takes] if status else []


def _json_of(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
