"""A worker without a process and without a model: it makes small files, when and as the test wants it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from daw_bridge.workers.base import OnEvent, WorkOrder
from engine.spec_json import digest, spec_from_dict
from engine.types import ErrorCode, ErrorInfo, EventKind, JobEvent, RenderSpec, Take

AUDIO = b"RIFF" + bytes(60)
THREADS = 2
_STARTER: dict[str, Any] = {
    "name": "starter",
    "installed": True,
    "licence": "Apache-2.0",
    "folder": "/opt/daw-bridge/engine/starter",
    "size_bytes": 44_164_956,
    "tasks": ["generate", "transfer", "inpaint", "superres"],
    "hears": True,
    "problem": "",
}
_ABSENT: dict[str, Any] = {"installed": False, "folder": "", "tasks": [], "hears": False, "problem": ""}
# As the engine tells them of a fresh installation.
MODELS = [
    _STARTER,
    *(
        {
            **_ABSENT,
            "name": f"audioldm-{number}-full",
            "licence": "CC-BY-NC-SA-4.0",
            "size_bytes": 1_690_000_000,
        }
        for number in range(6)
    ),
]
NO_TAKE = ErrorInfo(code=ErrorCode.NOT_FOUND, message="the file is not a take")
CANCELLED = ErrorInfo(code=ErrorCode.CANCELLED, message="the job was cancelled")


@dataclass(slots=True)
class Manner:
    """How the worker behaves from its next step on.

    It makes `steps` steps for each take, each of step_s; fails_with ends every render so. While gate is
    clear it stands still between two steps, and sees a cancel; hangs lets it stand still and see nothing.
    It finds a recipe in any file, or in none where finds_recipes is off.
    """

    steps: int = 2
    step_s: float = 0.0
    fails_with: ErrorInfo | None = None
    hangs: bool = False
    finds_recipes: bool = True
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()


class Seen(NamedTuple):
    """An order in short: ten thousand whole ones would look like a leak of the service."""

    op: str
    prompt: str


class StubWorker:
    """Does orders one after the other; `orders` are all that it was given."""

    def __init__(self, on_event: OnEvent, manner: Manner) -> None:
        self.manner = manner
        self.orders: list[Seen] = []
        self.is_closed = False
        self._on_event = on_event
        self._waiting: asyncio.Queue[WorkOrder] = asyncio.Queue()
        self._seq: dict[str, int] = {}
        self._cancelled: set[str] = set()
        self._doing: asyncio.Task[None] | None = None

    async def submit(self, order: WorkOrder) -> None:
        spec: Any = order.arguments.get("spec", {})
        self.orders.append(Seen(order.op, str(spec.get("prompt", ""))))
        self._seq[order.job_id] = 0
        self._waiting.put_nowait(order)
        if self._doing is None:
            self._doing = asyncio.create_task(self._do_all())

    def cancel(self, job_id: str) -> None:
        if job_id in self._seq:
            self._cancelled.add(job_id)

    async def close(self) -> None:
        self.is_closed = True
        if self._doing is not None:
            self._doing.cancel()
            await asyncio.wait([self._doing])
        for job_id in tuple(self._seq):
            self._fail(job_id, CANCELLED)

    def kill(self, code: ErrorCode) -> None:
        """Fail what is being done, as the death of a process would."""
        for job_id in tuple(self._seq):
            self._fail(job_id, ErrorInfo(code=code, message="the render process died"))

    async def _do_all(self) -> None:
        while True:
            order = await self._waiting.get()
            self._tell(order.job_id, EventKind.STATE, {"state": "running"})
            match order.op:
                case "render":
                    await self._render(order)
                case "probe":
                    answer = {"sample_rate_hz": 48_000, "channels": 2, "length_samples": 96_000}
                    self._tell(order.job_id, EventKind.DONE, answer)
                case "recall" if not self.manner.finds_recipes:
                    self._fail(order.job_id, NO_TAKE)
                case "recall":
                    answer = {
                        "spec": {"task": "generate", "prompt": "rain", "duration_s": 1.0},
                        "place": "file",
                        "source": "same",
                        "model": "same",
                    }
                    self._tell(order.job_id, EventKind.DONE, {**answer, "details": {}})
                case "models" if order.arguments.get("action") == "list":
                    self._tell(order.job_id, EventKind.DONE, {"models": MODELS})
                case "models" if order.arguments.get("action") == "pull":
                    await self._pull(order)
                case "chains":
                    self._tell(order.job_id, EventKind.DONE, {"plugins": []})
                case _:
                    self._tell(order.job_id, EventKind.DONE, {"files": 7})

    async def _pull(self, order: WorkOrder) -> None:
        for step in range(1, self.manner.steps + 1):
            told = {"stage": "download", "step": step, "total": self.manner.steps}
            self._tell(order.job_id, EventKind.PROGRESS, told)
            error = await self._step(order.job_id)
            if error is not None:
                self._fail(order.job_id, error)
                return
        self._tell(order.job_id, EventKind.DONE, {"models": []})

    async def _render(self, order: WorkOrder) -> None:
        arguments: Mapping[str, Any] = order.arguments
        spec = spec_from_dict(arguments["spec"])
        for number in range(1, spec.takes + 1):
            for step in range(1, self.manner.steps + 1):
                error = await self._step(order.job_id)
                if error is not None:
                    self._fail(order.job_id, error)
                    return
                self._tell_step(order.job_id, arguments, spec, number, step)
        out = arguments["out"]
        takes = [written(spec, Path(out["folder"]), out["stem"], index) for index in range(spec.takes)]
        for take in takes:
            threads = arguments.get("threads", THREADS)
            self._tell(order.job_id, EventKind.TAKE, {**asdict(take), "threads": threads})
        self._tell(order.job_id, EventKind.DONE, {"takes": [asdict(take) for take in takes]})

    async def _step(self, job_id: str) -> ErrorInfo | None:
        """Take the time of a step; return why there is no next one, if there is none."""
        await asyncio.sleep(self.manner.step_s)
        while self.manner.hangs or not self.manner.gate.is_set():
            if job_id not in self._seq or (job_id in self._cancelled and not self.manner.hangs):
                break
            await asyncio.sleep(0.005)
        return CANCELLED if job_id in self._cancelled else self.manner.fails_with

    def _tell_step(
        self, job_id: str, arguments: Mapping[str, Any], spec: RenderSpec, take: int, step: int
    ) -> None:
        payload = {"step": step, "total": self.manner.steps, "take": take, "takes": spec.takes}
        self._tell(job_id, EventKind.PROGRESS, {**payload, "stage": "sample"})
        previews = arguments.get("previews")
        if previews is not None and step % previews["every"] == 0:
            path = Path(previews["folder"], f"take{take}-step{step}.wav")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(AUDIO)
            self._tell(job_id, EventKind.PREVIEW, {"path": str(path), "step": step, "take": take})

    def _fail(self, job_id: str, info: ErrorInfo) -> None:
        payload = {"code": info.code.value, "message": info.message, "hint": info.hint}
        self._tell(job_id, EventKind.FAIL, payload)

    def _tell(self, job_id: str, kind: EventKind, payload: Mapping[str, object]) -> None:
        """Tell an event of an order that has not ended."""
        if job_id not in self._seq:
            return
        event = JobEvent(job_id=job_id, seq=self._seq[job_id], kind=kind, payload=dict(payload))
        self._seq[job_id] += 1
        if kind in (EventKind.DONE, EventKind.FAIL):
            del self._seq[job_id]
            self._cancelled.discard(job_id)
        self._on_event(event)


def written(spec: RenderSpec, folder: Path, stem: str, index: int) -> Take:
    """Write a take and its recipe as the engine does, the audio last."""
    path = folder / f"{stem}_{index + 1}.wav"
    take = Take(
        path=str(path),
        seed=spec.seed + index,
        clap_score=0.5,
        peak_db=-1.0,
        rms_db=-20.0,
        length_samples=32_000,
        spec_digest=digest(spec),
        score=0.375,
    )
    folder.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps({"digest": take.spec_digest}), encoding="utf-8")
    path.write_bytes(AUDIO)
    return take
