"""Requests about models, the queue as a whole, and files of clients on other machines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from daw_bridge.messages.answers import Done, Progress
from daw_bridge.messages.service import (
    AudioProbe,
    AudioProbeDone,
    AudioRecall,
    AudioRecallDone,
    BlobGet,
    BlobGetDone,
    BlobPut,
    BlobPutDone,
    EnginePause,
    EngineQuit,
    EngineResume,
    ModelCancel,
    ModelCancelDone,
    ModelChanged,
    ModelList,
    ModelListDone,
    ModelLoad,
    ModelPull,
    ModelRemove,
    ModelVerify,
    ModelVerifyDone,
)
from daw_bridge.service.audience import Audience
from daw_bridge.service.blobs import Downloads, Uploads
from daw_bridge.service.chores import Chores
from daw_bridge.service.desk import Handlers
from daw_bridge.service.model_pulls import ModelPulls
from daw_bridge.service.paths import Paths
from daw_bridge.service.progress import progress_teller
from daw_bridge.service.room import fits
from daw_bridge.service.runs import Runs
from daw_bridge.service.session import Session
from engine.errors import SpecError, TooLarge


class EngineDesk:
    """Asks the engine about its models and holds the queue's switch."""

    def __init__(
        self,
        runs: Runs,
        chores: Chores,
        pulls: ModelPulls,
        audience: Audience,
        *,
        paths: Paths,
        uploads: Uploads,
        quit_service: Callable[[], None],
    ) -> None:
        self._runs = runs
        self._chores = chores
        self._pulls = pulls
        self._audience = audience
        self._paths = paths
        self._uploads = uploads
        self._downloads = Downloads()
        self._quit_service = quit_service

    def handlers(self) -> Handlers:
        return {
            AudioProbe: self._probe,
            AudioRecall: self._recall,
            ModelList: self._models,
            ModelLoad: self._load,
            ModelVerify: self._verify,
            ModelPull: self._pull,
            ModelCancel: self._cancel_pull,
            ModelRemove: self._remove,
            EnginePause: self._pause,
            EngineResume: self._resume,
            EngineQuit: self._quit,
            BlobPut: self._put,
            BlobGet: self._get,
        }

    async def _probe(self, session: Session, request: AudioProbe) -> AudioProbeDone:
        path = self._paths.readable(session, request.path)
        answer: dict[str, Any] = await self._chores.ask("probe", {"path": path})
        return AudioProbeDone(
            rid=request.rid,
            sample_rate_hz=answer["sample_rate_hz"],
            channels=answer["channels"],
            length_samples=answer["length_samples"],
        )

    async def _recall(self, session: Session, request: AudioRecall) -> AudioRecallDone:
        path = self._paths.readable(session, request.path)
        source = self._paths.readable(session, request.source) if request.source else ""
        answer: dict[str, Any] = await self._chores.ask("recall", {"path": path, "source": source})
        spec, details = answer["spec"], answer["details"]
        if not fits(spec):
            raise TooLarge("the spec is longer than an answer", "The recipe is in the file beside the take.")
        return AudioRecallDone(
            rid=request.rid,
            spec=spec,
            place=answer["place"],
            # The recipe names a file of its own: from another machine nobody may ask what there is.
            source="none" if session.is_remote else answer["source"],
            model=answer["model"],
            details=details if fits([spec, details]) else {},
        )

    async def _models(self, _: Session, request: ModelList) -> ModelListDone:
        models = await self._listed()
        page = models[request.offset :][: request.limit]
        named = {str(model.get("name", "")): _told(model) for model in page}
        return ModelListDone(rid=request.rid, count=len(named), models=named)

    async def _load(self, session: Session, request: ModelLoad) -> Done:
        def tell(stage: str) -> None:
            session.peer.send(Progress(rid=request.rid, request="model/load", stage=stage))

        await self._runs.load(request.name, tell)
        return Done(rid=request.rid, request="model/load")

    async def _verify(self, _: Session, request: ModelVerify) -> ModelVerifyDone:
        answer = await self._chores.ask("models", {"action": "verify", "name": request.name})
        return ModelVerifyDone(rid=request.rid, details=answer)

    async def _pull(self, session: Session, request: ModelPull) -> Done:
        for model in await self._listed():
            if model["name"] == request.name:
                _require_agreed(model, request.licence)
        await self._pulls.pull(request.name, progress_teller(session, request))
        self._audience.tell_all(ModelChanged(name=request.name))
        return Done(rid=request.rid, request="model/pull")

    def _cancel_pull(self, _: Session, request: ModelCancel) -> ModelCancelDone:
        return ModelCancelDone(rid=request.rid, count=self._pulls.cancel(request.name))

    async def _remove(self, _: Session, request: ModelRemove) -> Done:
        self._pulls.cancel(request.name)
        await self._chores.ask("models", {"action": "remove", "name": request.name})
        self._audience.tell_all(ModelChanged(name=request.name))
        return Done(rid=request.rid, request="model/remove")

    async def _listed(self) -> Sequence[Mapping[str, Any]]:
        answer: dict[str, Any] = await self._chores.ask("models", {"action": "list"})
        return list(answer.get("models", []))

    def _pause(self, _: Session, request: EnginePause) -> Done:
        self._runs.book.pause()
        return Done(rid=request.rid, request="engine/pause")

    def _resume(self, _: Session, request: EngineResume) -> Done:
        self._runs.book.resume()
        self._runs.wake()
        return Done(rid=request.rid, request="engine/resume")

    def _quit(self, _: Session, request: EngineQuit) -> Done:
        # The answer is on its way before anything ends.
        asyncio.get_running_loop().call_later(0.05, self._quit_service)
        return Done(rid=request.rid, request="engine/quit")

    async def _put(self, session: Session, request: BlobPut) -> BlobPutDone:
        _require_stream(session, request)
        received, whole = self._uploads.put(session.key, request)
        path = "" if whole is None else await asyncio.to_thread(whole.checked)
        return BlobPutDone(rid=request.rid, received=received, path=path)

    async def _get(self, session: Session, request: BlobGet) -> BlobGetDone:
        _require_stream(session, request)
        path = Path(self._paths.own(request.path))
        # In a thread: the hash of a long file takes a while.
        count, sha256, data = await asyncio.to_thread(self._downloads.get, path, request.index)
        return BlobGetDone(rid=request.rid, index=request.index, count=count, sha256=sha256, data=data)


def _require_agreed(model: Mapping[str, Any], licence: str) -> None:
    if model["licence"] != licence:
        raise SpecError(
            f"the licence of {model['name']} is {model['licence']}, not {licence:.100}",
            "Show it to the user, and send what the user has agreed to.",
        )


def _told(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a model, without what is empty: an answer over UDP has little room."""
    return {key: value for key, value in model.items() if value and key != "name"}


def _require_stream(session: Session, request: BlobPut | BlobGet) -> None:
    """Raise SpecError for a file on a link that loses packets."""
    if session.peer.loses_packets:
        hint = "Files that stay on this machine go by their paths."
        raise SpecError(f"{request.address} works over TCP only", hint)
