"""The only pipeline: a spec, a model and a clip in, finished takes out.

Legend: B batch, V voices, S samples, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import torch
from torch import Tensor

from engine.audio.grid import LatentGrid
from engine.audio.io import AudioClip
from engine.batches import Call, Group, calls, groups
from engine.conditioning import Conditioning, conditioning
from engine.diffusion.samplers import StepInfo
from engine.edit.contract import Contract
from engine.edit.edit import Edit, contract, edit_of, finished, placed
from engine.edit.generation import generated_clip, generation_cells
from engine.edit.keeping import kept
from engine.edit.made_latents import carried_stretches, edited_stretches, generated_stretches
from engine.edit.rules import effective_mask
from engine.edit.take_latents import LatentStretch, from_bytes, to_bytes
from engine.errors import Cancelled, EngineError, NanOutput, OutOfMemory, SilentOutput, SpecError
from engine.highs import HighsMaker, highs_maker
from engine.latents import (
    LatentPart,
    decoded,
    empty_part,
    encoded_part,
    require_sound,
    sampled,
    steps_of,
    takes_per_call,
)
from engine.models.bundle import Bundle
from engine.ranking import Ranking, Reference, ranked
from engine.types import ErrorInfo, RenderSpec, Task

_OOM_PHRASES = ("out of memory", "not enough memory", "can't allocate memory")
_OOM_HINT = "Close other programs, or choose a shorter region or a smaller model."


class Stage(Enum):
    ENCODE = "encode"
    SAMPLE = "sample"
    DECODE = "decode"
    RANK = "rank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """step of total are done in this stage of this take; takes count from 1.

    The take is one of `batch` that are sampled together, as row `row`; SAMPLE tells of all of these at once.
    """

    stage: Stage
    step: int
    total: int
    take: int
    takes: int
    batch: int = 1
    row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDropped:
    """A take that failed while others go on."""

    seed: int
    error: ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedTake:
    """A finished result, not yet in a file, with what it keeps of an edit's promises.

    The spec gives it alone. new_samples are the stretches that are not the source's. Its latents are for its
    file, where a further edit finds them.
    """

    clip: AudioClip
    spec: RenderSpec
    ranking: Ranking
    new_samples: tuple[tuple[int, int], ...]
    contract: Contract | None = None
    latents: bytes = b""

    @property
    def seed(self) -> int:
        return self.spec.seed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preview:
    """What a take would be if the model's present guess were the end; step counts from 1, takes too."""

    clip: AudioClip
    step: int
    take: int


OnEvent = Callable[[Progress | TakeDropped | Preview], None]
IsCancelled = Callable[[], bool]


def render(
    spec: RenderSpec,
    bundle: Bundle,
    clip: AudioClip | None,
    on_event: OnEvent,
    cancelled: IsCancelled,
    preview_every: int = 0,
    highs_bundle: Bundle | None = None,
) -> list[RenderedTake]:
    """Render all takes of a spec, best first, ties by seed; those of a sweep by strength.

    The clip is the spec's region with its context, None for a generation. Take i is that of spec.alone(i),
    which gives it again bit for bit. A take that fails is reported and left out. With preview_every, each so
    many steps a preview is told, which changes nothing about the takes. highs_bundle is the spec's
    highs_model, where it has one to make highs with.

    Raises:
        SpecError: a mask or cutoff that does not fit the clip and model.
        Cancelled: cancelled() was true between two steps.
        NanOutput, SilentOutput: no take came out.
        OutOfMemory: the device or machine has too little memory.
    """
    assert (clip is None) == (not spec.task.needs_region), "edits need a clip, generations none"
    with torch.inference_mode(), _memory_errors():
        reporter = _Reporter(
            on_event=on_event, cancelled=cancelled, takes=spec.takes, preview_every=preview_every
        )
        job = _prepared(spec, bundle, clip, highs_bundle, reporter)
        takes: list[RenderedTake] = []
        failures: list[EngineError] = []
        for group in groups(spec):
            for row, latents in enumerate(_sampled(job, group, reporter)):
                try:
                    takes.append(_rendered(job, group, row, latents, reporter))
                except (NanOutput, SilentOutput) as error:
                    failures.append(error)
                    on_event(TakeDropped(seed=group.takes[row].seed, error=error.info))
        if not takes:
            raise failures[0]
        return takes if spec.sweep else sorted(takes, key=lambda take: -take.ranking.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reporter:
    on_event: OnEvent
    cancelled: IsCancelled
    takes: int
    preview_every: int = 0

    def wants_preview(self, done: int, total: int) -> bool:
        """Tell whether a step is one of the chosen; the last one is followed by the take itself."""
        return self.preview_every > 0 and done % self.preview_every == 0 and done < total

    def report(self, stage: Stage, step: int, total: int, group: Group | None = None, row: int = 0) -> None:
        """Tell of progress, and stop here if the job was cancelled."""
        first, batch = (0, 1) if group is None else (group.first, len(group.takes))
        done = Progress(stage=stage, step=step, total=total, take=first + row + 1, takes=self.takes)
        self.on_event(replace(done, batch=batch, row=row))
        self.check()

    def check(self) -> None:
        if self.cancelled():
            raise Cancelled("the render was cancelled")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    """What all takes of a render share; a generation has no edit and one part."""

    spec: RenderSpec
    bundle: Bundle
    edit: Edit | None
    conditioning: Conditioning
    reference: Reference
    parts: tuple[LatentPart, ...]
    highs: HighsMaker | None

    def parts_of(self, spec: RenderSpec) -> tuple[LatentPart, ...]:
        """Return what is sampled for one take."""
        return () if _changes_nothing(spec) else self.parts


def _prepared(
    spec: RenderSpec,
    bundle: Bundle,
    clip: AudioClip | None,
    highs_bundle: Bundle | None,
    reporter: _Reporter,
) -> _Job:
    reporter.check()
    _require_able(spec, bundle)
    grid = LatentGrid.of(bundle.mel.config, bundle.vae.config.ratio)
    highs = None if clip is None else highs_maker(spec, highs_bundle, grid.high_hz, clip)
    wanted = conditioning(spec, bundle, clip)
    edit = None
    if clip is not None:
        stretches = from_bytes(clip.latents, _latent_space(bundle))
        edit = edit_of(spec, clip, effective_mask(spec, clip, grid), grid, bundle.card.canvas_s, stretches)
    parts = _parts(spec, bundle, grid, edit)
    duration_s = spec.duration_s if clip is None else clip.duration_s
    assert duration_s is not None
    reference = Reference.of(bundle, wanted.course.mean_1E(duration_s), edit)
    reporter.report(Stage.ENCODE, 1, 1)
    return _Job(
        spec=spec,
        bundle=bundle,
        edit=edit,
        conditioning=wanted,
        reference=reference,
        parts=parts,
        highs=highs,
    )


def _parts(spec: RenderSpec, bundle: Bundle, grid: LatentGrid, edit: Edit | None) -> tuple[LatentPart, ...]:
    if all(_changes_nothing(spec.alone(index)) for index in range(spec.takes)):
        return ()
    if edit is not None:
        anchor = None if spec.region is None else spec.region.anchor
        return tuple(encoded_part(bundle, canvas, edit.mask, grid, anchor) for canvas in edit.canvases)
    assert spec.duration_s is not None
    return (empty_part(bundle, generation_cells(spec.duration_s, grid, bundle.card.canvas_s)),)


def _changes_nothing(spec: RenderSpec) -> bool:
    """Tell whether no step would be taken, so that not even the way through the model may be heard."""
    return spec.task is Task.TRANSFER and spec.sampler.strength == 0.0


def _require_able(spec: RenderSpec, bundle: Bundle) -> None:
    if spec.task not in bundle.card.tasks:
        able = ", ".join(task.value for task in bundle.card.tasks)
        raise SpecError(f"the model {bundle.card.name} cannot {spec.task.value}; it can: {able}")
    if spec.sampler.steps > bundle.schedule.steps:
        raise SpecError(f"steps must be at most {bundle.schedule.steps}, got {spec.sampler.steps}")


def _rendered(
    job: _Job, group: Group, row: int, latents: Sequence[Tensor], reporter: _Reporter
) -> RenderedTake:
    own = group.takes[row]
    reporter.report(Stage.DECODE, 0, 1, group, row)
    rendered = [decoded(job.bundle, latent_BCHW) for latent_BCHW in latents]
    for audio_VS in rendered:
        require_sound(audio_VS, own.seed)
    sounds = _placed(job, rendered)
    clip = _with_highs(job, group, row, _finished(job, sounds), reporter)
    reporter.report(Stage.DECODE, 1, 1, group, row)
    promised = None if job.edit is None else contract(job.edit, clip)
    ranking = ranked(own, job.bundle, job.reference, clip, rendered, job.edit, promised)
    reporter.report(Stage.RANK, 1, 1, group, row)
    return RenderedTake(
        clip=clip,
        spec=own,
        ranking=ranking,
        new_samples=((0, clip.length_samples),) if job.edit is None else job.edit.new_samples,
        contract=promised,
        latents=_kept_latents(job, clip, rendered, sounds, latents),
    )


def _kept_latents(
    job: _Job,
    clip: AudioClip,
    rendered: Sequence[np.ndarray],
    sounds: Sequence[np.ndarray],
    latents: Sequence[Tensor],
) -> bytes:
    """Return what a take's file keeps of its latents: rendered are the model's sounds, then placed."""
    made_VCHW = [latent_BCHW.float().cpu().numpy() for latent_BCHW in latents]
    stretches: list[LatentStretch] = []
    if job.edit is None:
        grid = LatentGrid.of(job.bundle.mel.config, job.bundle.vae.config.ratio)
        stretches += generated_stretches(clip, rendered[0][0], made_VCHW[0][0], grid)
    else:
        stretches += carried_stretches(job.edit)
        stretches += edited_stretches(job.edit, rendered, sounds, made_VCHW)
    return to_bytes(stretches, _latent_space(job.bundle))


def _latent_space(bundle: Bundle) -> str:
    """Return which model's latents these are: other weights, other latents."""
    facts = {"name": bundle.card.name, "files": bundle.card.files, "scale_factor": bundle.scale_factor}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _sampled(job: _Job, group: Group, reporter: _Reporter) -> list[list[Tensor]]:
    """Sample the scaled latents of all parts for each take of a group."""
    parts = job.parts_of(group.takes[0])
    work = [(part, call) for part in parts for call in calls(group.takes, takes_per_call(job.bundle, part))]
    found: list[list[Tensor]] = [[] for _ in group.takes]
    counter = _StepCounter(steps_of(group.takes[0]), len(work))
    for number, (part, call) in enumerate(work):

        def on_step(info: StepInfo, number: int = number, call: Call = call) -> None:
            before, done = counter.done, counter.count(number, info)
            reporter.report(Stage.SAMPLE, done, counter.total, group)
            if done > before and reporter.wants_preview(done, counter.total):
                for index, x0_BCHW in _rows(call, info.x0_BCHW):
                    _tell_preview(job, group, index, [*found[index], x0_BCHW], done, reporter)

        sampled_BCHW = sampled(
            call.rows, job.bundle, part, job.conditioning, on_step=on_step, check=reporter.check
        )
        for index, latent_BCHW in _rows(call, sampled_BCHW):
            found[index].append(latent_BCHW)
    return found


@dataclass(slots=True)
class _StepCounter:
    """Counts in the steps that a user chose: masks repeat some of them, voices and calls all of them."""

    total: int
    works: int
    done: int = 0

    def count(self, number: int, info: StepInfo) -> int:
        """Return how many of the steps are done after one more step of a piece of work."""
        self.done = self.total * (number * info.steps + info.index + 1) // (self.works * info.steps)
        return self.done


def _rows(call: Call, all_BCHW: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield which take of its group is wanted, and what is its own of a call's rows."""
    each_BCHW = all_BCHW.chunk(len(call.rows))
    return ((index, each_BCHW[row]) for index, row in call.wanted)


def _tell_preview(
    job: _Job, group: Group, row: int, latents: Sequence[Tensor], step: int, reporter: _Reporter
) -> None:
    """Make the predicted result audible, unless it is no sound yet."""
    rendered = [decoded(job.bundle, latent_BCHW) for latent_BCHW in latents]
    try:
        for audio_VS in rendered:
            require_sound(audio_VS, group.takes[row].seed)
    except (NanOutput, SilentOutput):
        return
    sounds = _placed(job, rendered)
    reporter.on_event(Preview(clip=_finished(job, sounds), step=step, take=group.first + row + 1))


def _with_highs(job: _Job, group: Group, row: int, clip: AudioClip, reporter: _Reporter) -> AudioClip:
    """Let the second model, where there is one, make what lies above the first one's band."""
    own = group.takes[row]
    if job.highs is None or job.edit is None or _changes_nothing(own):
        return clip

    def on_step(info: StepInfo) -> None:
        reporter.report(Stage.DECODE, info.index + 1, info.steps + 1, group, row)

    return job.highs.made(own, job.edit, clip, on_step, reporter.check)


def _placed(job: _Job, rendered: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Give what the model made what was asked to be kept of the source, and its place beside it."""
    return rendered if job.edit is None else placed(job.edit, kept(job.edit, rendered))


def _finished(job: _Job, sounds: Sequence[np.ndarray]) -> AudioClip:
    """Put the sounds of all parts, so far as they are there, where they belong."""
    if job.edit is not None:
        return finished(job.edit, sounds)
    assert job.spec.duration_s is not None
    model_hz = job.bundle.mel.config.sample_rate_hz
    return generated_clip(sounds[0][0], job.spec.duration_s, model_hz, job.spec.sample_rate_hz)


@contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory("there is not enough memory for this render", _OOM_HINT) from error
    except RuntimeError as error:
        if not any(phrase in str(error).lower() for phrase in _OOM_PHRASES):
            raise
        raise OutOfMemory("there is not enough memory for this render", _OOM_HINT) from error
