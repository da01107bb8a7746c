"""The engine: models, the queue as a whole, and files for another machine.

A model is downloaded only under the licence that model/list tells of it: who sends model/pull has shown it to
the user, and the user has agreed. Its progress counts kilobytes. Whoever else asks for the same model waits
for the same download; it goes on when its client has left, until model/cancel, and keeps what has arrived.
"""

from __future__ import annotations

from typing import Any

from daw_bridge.messages.answers import COUNT, Done
from daw_bridge.messages.arguments import (
    INT32_MAX,
    Blob,
    Json,
    Text,
    Whole,
    arg,
    file_path,
    identifier,
    label,
)
from daw_bridge.messages.base import Answer, Message, Reply, Request, reply, request
from daw_bridge.messages.jobs import LIMIT, OFFSET
from daw_bridge.messages.parameters import MAX_SEED

# With chunks of MAX_BLOB_BYTES a file has at most 64 MiB.
MAX_CHUNKS = 1_024

MODEL = label("name of the model", "starter")
CHUNK_INDEX = Whole("which chunk, from 0", 0, 0, MAX_CHUNKS - 1)
CHUNKS = Whole("chunks of the whole file", 1, 1, MAX_CHUNKS)
FINDINGS = ("same", "changed", "missing", "none")
DATA = Blob("the chunk; only over TCP", b"RIFF")
SHA256 = Text(
    "SHA-256 of the whole file",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    pattern="[0-9a-f]{64}",
    form="64 hexadecimal digits",
)


@reply("done", about="model/list")
class ModelListDone(Answer):
    """Tell the models."""

    count: int = arg(COUNT)
    models: dict[str, Any] = arg(
        Json("what is known of each by its name, without what is empty", {"starter": {"installed": True}})
    )


@request("model/list", answer=ModelListDone)
class ModelList(Request):
    """Ask for the models."""

    limit: int = arg(LIMIT, default=50)
    offset: int = arg(OFFSET, default=0)


@request("model/load", answer=Done)
class ModelLoad(Request):
    """Load a model now, so that the next job need not."""

    name: str = arg(MODEL)


@reply("done", about="model/verify")
class ModelVerifyDone(Answer):
    """Tell that the files of the model are as they should be."""

    details: dict[str, Any] = arg(Json("what was looked at", {"files": 7}))


@request("model/verify", answer=ModelVerifyDone)
class ModelVerify(Request):
    """Compare the files of a model with its card."""

    name: str = arg(MODEL)


@reply("model/changed")
class ModelChanged(Reply):
    """Tell those who are told of all jobs that a model was installed or removed by somebody."""

    name: str = arg(MODEL)


@request("model/pull", answer=Done)
class ModelPull(Request):
    """Download and install a model; one that was broken off goes on where it stopped."""

    name: str = arg(MODEL)
    licence: str = arg(Text("the licence that the user has agreed to", "CC-BY-NC-SA-4.0", fewest=1))


@reply("done", about="model/cancel")
class ModelCancelDone(Answer):
    """Tell how many requests are stopped."""

    count: int = arg(COUNT)


@request("model/cancel", answer=ModelCancelDone)
class ModelCancel(Request):
    """Stop downloads, whoever has asked for them; what has arrived is kept for the next one."""

    name: str = arg(Text("name of the model, or * for all of them", "*", fewest=1, most=64))


@request("model/remove", answer=Done)
class ModelRemove(Request):
    """Delete a model from this machine, and what a broken download of it has left."""

    name: str = arg(MODEL)


@reply("done", about="audio/probe")
class AudioProbeDone(Answer):
    """Tell what an audio file holds."""

    sample_rate_hz: int = arg(Whole("sample frames per second", 48_000, 1, INT32_MAX, "Hz"))
    channels: int = arg(Whole("channels", 2, 1, INT32_MAX))
    length_samples: int = arg(Whole("length in sample frames", 460_800, 0, MAX_SEED))


@request("audio/probe", answer=AudioProbeDone)
class AudioProbe(Request):
    """Ask how long an audio file is, and of which rate and channels."""

    path: str = arg(file_path("audio file", "loop.wav"))


@reply("done", about="audio/recall")
class AudioRecallDone(Answer):
    """Tell how the audio file was made."""

    spec: dict[str, Any] = arg(Json("spec that gives the take again", {"task": "generate"}))
    place: str = arg(Text("where the recipe was", "file", choices=("file", "sidecar")))
    source: str = arg(Text("how the source is found now", "same", choices=FINDINGS))
    model: str = arg(Text("how the model is found now", "same", choices=FINDINGS))
    details: dict[str, Any] = arg(
        Json("generator, made_at, digest, take, model, source", {"generator": "DAW Bridge"})
    )


@request("audio/recall", answer=AudioRecallDone)
class AudioRecall(Request):
    """Ask for the recipe of a take by its file alone, wherever that came from."""

    path: str = arg(file_path("audio file", "rain_1.wav"))
    source: str = arg(
        file_path("where its source lies now; empty as it was", "loop.wav", fewest=0), default=""
    )


@request("engine/quit", answer=Done)
class EngineQuit(Request):
    """End the service; jobs that wait or run are taken up at its next start."""


@reply("engine/ending")
class EngineEnding(Reply):
    """Tell those who are told of all jobs that the service ends on purpose, and not by an accident."""

    unfinished: int = arg(Whole("jobs that are taken up at its next start", 1, 0, INT32_MAX))


@request("engine/pause", answer=Done)
class EnginePause(Request):
    """Start no further job."""


@request("engine/resume", answer=Done)
class EngineResume(Request):
    """Start jobs again."""


@reply("done", about="blob/put")
class BlobPutDone(Answer):
    """Tell how much has come."""

    received: int = arg(Whole("chunks that have come", 1, 1, MAX_CHUNKS))
    path: str = arg(file_path("the file, once it is whole; empty before", "loop.wav", fewest=0), default="")


@request("blob/put", answer=BlobPutDone)
class BlobPut(Request):
    """Send a chunk of a file to an engine on another machine; chunks may come in any order."""

    transfer_id: str = arg(identifier("chosen by the client, one for each file", "t1"))
    index: int = arg(CHUNK_INDEX)
    count: int = arg(CHUNKS)
    sha256: str = arg(SHA256)
    data: bytes = arg(DATA)

    def __post_init__(self) -> None:
        Message.__post_init__(self)
        if self.index >= self.count:
            raise self.refusal(f"index must be below count, got {self.index} of {self.count}")


@reply("done", about="blob/get")
class BlobGetDone(Answer):
    """Bring a chunk of a file."""

    index: int = arg(CHUNK_INDEX)
    count: int = arg(CHUNKS)
    sha256: str = arg(SHA256)
    data: bytes = arg(DATA)


@request("blob/get", answer=BlobGetDone)
class BlobGet(Request):
    """Ask for a chunk of a take or a preview, from an engine on another machine."""

    path: str = arg(file_path("file, as an event told it", "rain_1.wav"))
    index: int = arg(CHUNK_INDEX)
