"""What the next render will be: task, region, mask and parameters, as the user has set them so far."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.live.parameters import DEFAULTS, SAMPLER_KEYS, SPEC_KEYS, checked, values_of
from daw_bridge.messages.arguments import ParameterValue
from daw_bridge.messages.jobs import Generate, Inpaint, Superres, Transfer
from engine.errors import EngineError, SpecError
from engine.spec_json import mask_from_json, mask_to_dict, spec_to_dict
from engine.types import MAX_DURATION_S, Anchor, Mask, Region, RenderSpec, Task, TimeSpan
from ui.model.store import Store

RenderRequest = Generate | Transfer | Inpaint | Superres
MAX_RANDOM_SEED = 999_999
_OF_TRANSFERS = frozenset({"editor", "source_prompt", "keep_pitch", "keep_rhythm", "keep_level"})
# Not of a spec: where between two prompts the live controls stand, and names that the service resolves.
_LIVE_ONLY = frozenset({"morph"})
_DELIVERY = {"render_preset": "delivery", "chain": "chain"}
_HELD = frozenset(
    {"task", "region", "mask", "sampler", "delivery", "sweep", "cutoff_hz", "schema_version"}
    | set(SPEC_KEYS.values())
)


class SeedAfter(Enum):
    """What becomes of the seed once a job was sent: it stays, goes past the job's takes, or is drawn anew."""

    LOCK = "lock"
    NEXT = "next"
    RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A render before it is asked for; values are the service's parameters by their names.

    mask is in seconds of the region, whose anchor says where its DAW has it; region_s is its length, 0 while
    that is not known. sweep are strengths of a transfer, one for each take; cutoff_hz is where a superres
    begins (None: where the highs there are end). rest are keys of a spec that nothing else here holds, as a
    recalled take may have them: further prompts.
    """

    task: Task = Task.TRANSFER
    region: Region | None = None
    mask: Mask | None = None
    values: Mapping[str, ParameterValue] = field(default_factory=lambda: MappingProxyType(DEFAULTS))
    sweep: tuple[float, ...] = ()
    cutoff_hz: float | None = None
    rest: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    seed_after: SeedAfter = SeedAfter.NEXT
    region_s: float = 0.0

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def takes(self) -> int:
        """Return how many takes there will be."""
        is_swept = self.task is Task.TRANSFER and self.sweep
        return len(self.sweep) if is_swept else int(self["takes"])

    @property
    def lack(self) -> str:
        """Tell in a sentence what is missing before it can be rendered; empty where nothing is."""
        if self.task.needs_region and (self.region is None or not self.region.path):
            return "Open a sound first: this task changes one."
        if self.task.needs_region and self.region_s > MAX_DURATION_S:
            return "Select at most ten minutes of the sound."
        is_worded = str(self["prompt"]).strip() or self.rest.get("conditions")
        if not is_worded and self.task is not Task.SUPERRES:
            return "Say in the prompt what to hear."
        if self.task is Task.INPAINT and self.mask is None:
            return "Mark on the spectrogram what is made anew."
        return ""

    def request(self, *, preview_every: int = 0, folder: str = "", stem: str = "") -> RenderRequest:
        """Return the request that renders it; raises SpecError where something is missing."""
        if self.lack:
            raise SpecError(self.lack)
        more: dict[str, Any] = {
            "rid": "-",
            "options": self._options(),
            "preview_every": preview_every,
            "folder": folder,
            "stem": stem,
        }
        prompt = str(self["prompt"])
        path = self.region.path if self.region is not None else ""
        match self.task:
            case Task.GENERATE:
                return Generate(prompt=prompt, seconds=self["seconds"], **more)
            case Task.TRANSFER:
                return Transfer(path=path, prompt=prompt, strength=self["strength"], **more)
            case Task.INPAINT:
                assert self.mask is not None, "lack tells of a missing mask"
                return Inpaint(path=path, prompt=prompt, mask=json.dumps(mask_to_dict(self.mask)), **more)
            case Task.SUPERRES:
                return Superres(path=path, **more)

    def _options(self) -> dict[str, Any]:
        left_out = {"prompt", "seconds"} | (_OF_TRANSFERS if self.task is not Task.TRANSFER else set())
        made: dict[str, Any] = {key: self[name] for name, key in SPEC_KEYS.items() if name not in left_out}
        made["sampler"] = {key: self[name] for name, key in SAMPLER_KEYS.items()}
        made |= {key: self[name] for name, key in _DELIVERY.items()}
        made |= self.rest
        if self.task is Task.TRANSFER and self.sweep:
            made["sweep"] = list(self.sweep)
        if self.task is Task.SUPERRES and self.cutoff_hz is not None:
            made["cutoff_hz"] = self.cutoff_hz
        if self.task is Task.SUPERRES and str(self["prompt"]).strip():
            made["prompt"] = self["prompt"]
        if region := self._region_options():
            made["region"] = region
        return made

    def _region_options(self) -> dict[str, Any]:
        if self.region is None:
            return {}
        made: dict[str, Any] = {} if self.task.needs_region else {"path": ""}
        if self.task.needs_region and (span := self.region.span) is not None:
            made["span"] = {"start_s": span.start_s, "end_s": span.end_s}
        if (anchor := self.region.anchor) is not None:
            made["anchor"] = {
                "track": anchor.track,
                "position_s": anchor.position_s,
                "tempo_bpm": anchor.tempo_bpm,
            }
        return made if set(made) - {"path"} else {}


class DraftModel(QObject):
    """The draft, kept in the store with each change, under a name of its own."""

    changed = pyqtSignal()
    # Names of parameters that were changed here, for whoever tells the service.
    values_set = pyqtSignal(object)
    # It has become this draft, that of a take: what shows its region and its mask should follow.
    recalled = pyqtSignal(object)

    def __init__(self, store: Store, parent: QObject | None = None, kept_as: str = "draft") -> None:
        super().__init__(parent)
        self._store, self._kept_as = store, kept_as
        self._draft = _draft_from(store.get(kept_as, {}))

    @property
    def draft(self) -> Draft:
        return self._draft

    def change(self, **values: ParameterValue) -> None:
        """Set parameters by their names; raises SpecError for a value that one does not take."""
        read = {name: checked(name, value) for name, value in values.items()}
        new = {name: value for name, value in read.items() if self._draft.values[name] != value}
        if new:
            self._set(replace(self._draft, values=MappingProxyType({**self._draft.values, **new})))
            self.values_set.emit(new)

    def hear(self, name: str, value: object) -> None:
        """Take over what somebody else has set in the service; an unknown parameter is left alone."""
        try:
            read = checked(name, value)
        except SpecError:
            return
        if self._draft.values[name] != read:
            self._set(replace(self._draft, values=MappingProxyType({**self._draft.values, name: read})))

    def set_task(self, task: Task) -> None:
        self._set(replace(self._draft, task=task))

    def set_region(self, region: Region | None, length_s: float = 0.0) -> None:
        """Set what is changed, and how long it is, where that is known."""
        self._set(replace(self._draft, region=region, region_s=length_s))

    def set_mask(self, mask: Mask | None) -> None:
        self._set(replace(self._draft, mask=mask))

    def set_sweep(self, strengths: tuple[float, ...]) -> None:
        """Ask a transfer for one take at each of these strengths, which rise; none: one strength for all."""
        self._set(replace(self._draft, sweep=strengths))

    def set_cutoff(self, cutoff_hz: float | None) -> None:
        self._set(replace(self._draft, cutoff_hz=cutoff_hz))

    def reset(self, *names: str) -> None:
        """Set parameters to what they are before anybody sets them."""
        self.change(**{name: DEFAULTS[name] for name in names})

    def set_seed_after(self, seed_after: SeedAfter) -> None:
        self._set(replace(self._draft, seed_after=seed_after))

    def recall(self, spec: RenderSpec) -> None:
        """Become what a take was made with, its seed locked."""
        values = {**self._draft.values, **values_of(spec)}
        draft = Draft(
            task=spec.task,
            region=spec.region,
            mask=spec.mask,
            sweep=spec.sweep,
            cutoff_hz=spec.cutoff_hz,
            values=MappingProxyType(values),
            rest=MappingProxyType(_rest_of(spec)),
            seed_after=SeedAfter.LOCK,
        )
        self._set(draft)
        self.values_set.emit(values)
        self.recalled.emit(draft)

    def drop_rest(self, *keys: str) -> None:
        """Let go of what a recalled take had beyond what the panel shows: these keys, or all of it."""
        kept = {key: value for key, value in self._draft.rest.items() if keys and key not in keys}
        self._set(replace(self._draft, rest=MappingProxyType(kept)))

    @property
    def last_seed(self) -> int | None:
        """Return the seed of the render that was sent last, None before the first."""
        seed = self._store.get("last_seed", None)
        return seed if isinstance(seed, int) else None

    def reuse_seed(self) -> None:
        """Take the seed of the last render again, and keep it."""
        if (seed := self.last_seed) is not None:
            self.change(seed=seed)
            self.set_seed_after(SeedAfter.LOCK)

    def turn_seed_after(self) -> None:
        """Go to the next of the ways that the seed may go after a render."""
        ways = list(SeedAfter)
        place = ways.index(self._draft.seed_after)
        self.set_seed_after(ways[(place + 1) % len(ways)])

    def roll_seed(self) -> None:
        """Draw another seed by chance."""
        self.change(seed=secrets.randbelow(MAX_RANDOM_SEED))

    def was_sent(self) -> None:
        """Move the seed on, as seed_after says."""
        takes = self._draft.takes
        self._store.put("last_seed", int(self._draft["seed"]))
        match self._draft.seed_after:
            case SeedAfter.NEXT:
                self.change(seed=int(self._draft["seed"]) + takes)
            case SeedAfter.RANDOM:
                self.roll_seed()
            case SeedAfter.LOCK:
                self.changed.emit()

    def _set(self, draft: Draft) -> None:
        if draft != self._draft:
            self._draft = draft
            self._store.put(self._kept_as, _draft_to(draft))
            self.changed.emit()


def _rest_of(spec: RenderSpec) -> dict[str, Any]:
    """Return the keys that say something and that the draft has no other place for."""
    plain = spec_to_dict(RenderSpec(task=Task.SUPERRES, region=Region(path="")))
    content = spec_to_dict(spec)
    rest = {key: value for key, value in content.items() if key not in _HELD and value != plain[key]}
    delivery = spec.delivery
    is_named = delivery is None or delivery.name or (delivery.chain is not None and delivery.chain.name)
    return rest if is_named else {**rest, "delivery": content["delivery"]}


def _draft_to(draft: Draft) -> dict[str, Any]:
    region = draft.region
    span = region.span if region else None
    return {
        "task": draft.task.value,
        "path": region.path if region else "",
        "span": [span.start_s, span.end_s] if span else [],
        "mask": mask_to_dict(draft.mask) if draft.mask else {},
        "anchor": _anchor_to(region.anchor if region else None),
        "values": dict(draft.values),
        "sweep": list(draft.sweep),
        "cutoff_hz": draft.cutoff_hz,
        "rest": dict(draft.rest),
        "seed_after": draft.seed_after.value,
    }


def _anchor_to(anchor: Anchor | None) -> dict[str, Any]:
    if anchor is None:
        return {}
    return {"track": anchor.track, "position_s": anchor.position_s, "tempo_bpm": anchor.tempo_bpm}


def _draft_from(kept: Mapping[str, Any]) -> Draft:
    """Return the draft that was kept, or the first one of all where it cannot be read any more."""
    try:
        values = {**DEFAULTS, **_readable(kept.get("values", {}))}
        return Draft(
            task=Task(kept["task"]),
            region=_region_from(kept),
            mask=mask_from_json(json.dumps(kept["mask"])) if kept.get("mask") else None,
            values=MappingProxyType(values),
            sweep=tuple(map(float, kept.get("sweep", ()))),
            cutoff_hz=None if kept.get("cutoff_hz") is None else float(kept["cutoff_hz"]),
            rest=MappingProxyType(dict(kept.get("rest", {}))),
            seed_after=SeedAfter(kept["seed_after"]),
        )
    except (KeyError, TypeError, ValueError, EngineError):
        return Draft()


def _readable(values: Mapping[str, object]) -> dict[str, ParameterValue]:
    read = {}
    for name, value in values.items():
        try:
            read[name] = checked(name, value)
        except SpecError:
            continue
    return {name: value for name, value in read.items() if name not in _LIVE_ONLY}


def _region_from(kept: Mapping[str, Any]) -> Region | None:
    if not kept["path"]:
        return None
    span = TimeSpan(start_s=kept["span"][0], end_s=kept["span"][1]) if kept["span"] else None
    anchor = Anchor(**kept["anchor"]) if kept["anchor"] else None
    return Region(path=kept["path"], span=span, anchor=anchor)
