"""Jobs for which models are loaded, and what is kept from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import torch

from engine.audio.io import AudioClip, prepare_folder, read_clip
from engine.audio.metadata import read_metadata
from engine.audio.own_part import LATENTS, read_bound
from engine.chain_finding import find_chain
from engine.errors import BadJson, Cancelled
from engine.finishing import Finished, Finisher
from engine.model_jobs import run_models
from engine.models.bundle import Bundle, debug_bundle, load_bundle
from engine.models.card import settings_digest
from engine.models.store import model_folder
from engine.outputs import Making, write_preview, write_take
from engine.render import Preview, Progress, RenderedTake, TakeDropped, render
from engine.requests import Request, text_of
from engine.spec_json import digest, spec_from_dict
from engine.stems import free_stem
from engine.types import EventKind, Highs, RenderSpec, Take

DEBUG_MODEL = "debug"

Payload = dict[str, object]
Emit = Callable[[EventKind, Payload], None]
IsCancelled = Callable[[], bool]
Clock = Callable[[], datetime]


class RenderJobs:
    """Does jobs one at a time and keeps the last one's models loaded; the clock dates the takes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loaded: dict[str, Bundle] = {}
        self._finisher = Finisher()

    def render(
        self,
        spec_value: object,
        out: Request,
        emit: Emit,
        cancelled: IsCancelled,
        previews: Request | None = None,
        threads: int = 0,
    ) -> Payload:
        """Render a spec into out's folder as STEM_1, STEM_2, ..., best first.

        previews may name a folder for what can be heard while it goes on, every so many steps. threads is how
        many to calculate with, 0 as many as ever: with another number the last bits of a take may differ.

        Raises:
            EngineError: any of the expected failures; no file has then its final name.
        """
        wanted = _previews_of(previews)
        spec = spec_from_dict(spec_value)
        folder, stem = Path(text_of(out, "folder", "out")), text_of(out, "stem", "out")
        clip = _clip(spec, 0.0)
        prepare_folder(folder, _needed_bytes(spec, clip))
        bundle, highs_bundle = self._bundles(spec, emit)
        clip = _with_origin(spec, _clip(spec, bundle.card.canvas_s))

        def on_event(event: Progress | TakeDropped | Preview) -> None:
            if not isinstance(event, Preview):
                emit(EventKind.PROGRESS, _told(event))
            elif wanted is not None:
                path = write_preview(spec, event, clip, wanted.folder, self._clock())
                emit(EventKind.PREVIEW, {"path": str(path), "step": event.step, "take": event.take})

        if cancelled():
            # While the model was loaded, which nothing interrupts.
            raise Cancelled("the render was cancelled")
        channels, rate_hz = (
            (1, bundle.card.sample_rate_hz) if clip is None else (clip.channels, clip.sample_rate_hz)
        )
        self._finisher.begin(spec.delivery, channels, rate_hz, cancelled)
        with calculating_with(threads) as used:
            every = wanted.every if wanted else 0
            rendered = render(spec, bundle, clip, on_event, cancelled, every, highs_bundle)
        finished = self._finished(rendered, emit, cancelled)
        takes = _written(
            spec,
            finished,
            clip=clip,
            folder=folder,
            stem=stem,
            bundles=(bundle,) if highs_bundle is None else (bundle, highs_bundle),
            emit=emit,
            made_at=self._clock(),
            threads=used,
        )
        told: Payload = {"takes": [asdict(take) for take in takes], "digest": digest(spec)}
        sizes = {"audio_s": clip.duration_s if clip else spec.duration_s, "canvas_s": bundle.card.canvas_s}
        return {**told, "folder": str(folder), **sizes}

    def close(self) -> None:
        """End what was kept for the next job: a process with plug-ins."""
        self._finisher.close()

    def _finished(
        self, rendered: list[RenderedTake], emit: Emit, cancelled: IsCancelled
    ) -> list[tuple[RenderedTake, Finished]]:
        """Finish all takes before the first is written: a job that is cancelled leaves none."""
        finished: list[tuple[RenderedTake, Finished]] = []
        for index, take in enumerate(rendered):
            told = {"stage": "finish", "step": index, "total": len(rendered)}
            emit(EventKind.PROGRESS, {**told, "take": index + 1, "takes": len(rendered)})
            one = self._finisher.finished(take.spec, take.clip, take.new_samples, cancelled)
            finished.append((take, one))
        return finished

    def load(self, name: str, emit: Emit) -> Payload:
        """Load a model now, so that the next render need not."""
        self._keep((name,))
        self._bundle(name, emit)
        return {"model": name}

    def models(self, request: Request, emit: Emit, cancelled: IsCancelled) -> Payload:
        """List, pull, import, verify or remove models; whatever was loaded is forgotten."""
        self._keep(())
        return run_models(request, lambda payload: emit(EventKind.PROGRESS, payload), cancelled)

    def find(self, request: Request, emit: Emit, cancelled: IsCancelled) -> Payload:
        """Find a chain for words and a file, with a model that hears; raises as find_chain."""
        model = text_of(request, "model")
        self._keep((model,))
        bundle = self._bundle(model, emit)
        return find_chain(request, bundle, lambda payload: emit(EventKind.PROGRESS, payload), cancelled)

    def _bundles(self, spec: RenderSpec, emit: Emit) -> tuple[Bundle, Bundle | None]:
        """Load a spec's model, and the one that makes its highs."""
        is_edit = spec.task.needs_region
        second = spec.highs_model if spec.highs is Highs.MODEL and is_edit else ""
        self._keep((spec.model, second))
        return self._bundle(spec.model, emit), self._bundle(second, emit) if second else None

    def _keep(self, names: tuple[str, ...]) -> None:
        """Forget the models of other names: memory holds those of one job."""
        self._loaded = {name: bundle for name, bundle in self._loaded.items() if name in names}

    def _bundle(self, name: str, emit: Emit) -> Bundle:
        if name not in self._loaded:
            emit(EventKind.PROGRESS, {"stage": "load", "step": 0, "total": 1, "take": 1, "takes": 1})
            self._loaded[name] = debug_bundle() if name == DEBUG_MODEL else load_bundle(model_folder(name))
            emit(EventKind.PROGRESS, {"stage": "load", "step": 1, "total": 1, "take": 1, "takes": 1})
        return self._loaded[name]


@contextmanager
def calculating_with(threads: int) -> Iterator[int]:
    """Use so many threads, 0 as many as before, and tell how many; sums depend on how they are shared out."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Previews:
    folder: Path
    every: int


def _previews_of(request: Request | None) -> _Previews | None:
    if request is None:
        return None
    every = request.get("every")
    if not isinstance(every, int) or every < 1:
        raise BadJson("previews.every must be a whole number from 1 on")
    return _Previews(folder=Path(text_of(request, "folder", "previews")), every=every)


def _clip(spec: RenderSpec, context_s: float) -> AudioClip | None:
    if spec.region is None or not spec.task.needs_region:
        return None
    return read_clip(spec.region.path, spec.region.span, context_s=context_s)


def _with_origin(spec: RenderSpec, clip: AudioClip | None) -> AudioClip | None:
    """Add what the file tells besides its audio, and of a take the latents that it keeps."""
    if spec.region is None or clip is None:
        return None
    path = Path(spec.region.path)
    return replace(clip, metadata=read_metadata(path), latents=read_bound(path, LATENTS))


def _written(
    spec: RenderSpec,
    finished: list[tuple[RenderedTake, Finished]],
    *,
    clip: AudioClip | None,
    folder: Path,
    stem: str,
    bundles: tuple[Bundle, ...],
    emit: Emit,
    made_at: datetime,
    threads: int,
) -> list[Take]:
    stem = free_stem(folder, stem, [f"_{number}" for number in range(1, len(finished) + 1)])
    making = Making(models=tuple(map(_model_facts, bundles)), made_at=made_at, threads=threads)
    takes: list[Take] = []
    for index, (result, delivered) in enumerate(finished):
        takes.append(write_take(spec, result, delivered, clip, folder / f"{stem}_{index + 1}", making))
        emit(EventKind.TAKE, {**asdict(takes[-1]), "threads": threads})
    return takes


def _model_facts(bundle: Bundle) -> dict[str, object]:
    card = bundle.card
    return {
        "name": card.name,
        "licence": card.licence,
        "files": card.files,
        "settings": settings_digest(card),
    }


def _needed_bytes(spec: RenderSpec, clip: AudioClip | None) -> int:
    """Estimate a job's output generously: uncompressed audio and a picture for each take."""
    audio_bytes = 8 * clip.audio_NS.size if clip is not None else 4 * 48_000 * int(spec.duration_s or 0)
    return spec.takes * (audio_bytes + 1_000_000)


def _told(event: Progress | TakeDropped) -> Payload:
    if isinstance(event, TakeDropped):
        return {"stage": "dropped", "seed": event.seed, "code": event.error.code.value} | {
            "message": event.error.message
        }
    return {**asdict(event), "stage": event.stage.value}
