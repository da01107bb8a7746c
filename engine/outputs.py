"""A take's files: the audio, the recipe beside it, and a picture."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from engine.audio.broadcast import Coding
from engine.audio.io import AudioClip, bits_of, encode, write_files
from engine.audio.level import decibels, in_blocks, peak, rms
from engine.audio.markers import Cut
from engine.audio.metadata import Metadata
from engine.audio.own_part import bound, samples_sha256
from engine.audio.plot import Panel, spectrogram_png
from engine.audio.provenance import Provenance, stamped
from engine.audio.recipe import SOFTWARE, Recipe
from engine.edit.contract import Contract
from engine.edit.loudness import loudness_lufs, true_peak_db
from engine.finishing import Finished, note_of
from engine.ranking import Ranking
from engine.render import Preview, RenderedTake
from engine.spec_json import digest, spec_to_dict
from engine.types import RenderSpec, Take

SIDECAR_VERSION = 1
_HEAD: Recipe = {
    "schema_version": SIDECAR_VERSION,
    "generator": f"{SOFTWARE}; this audio was made or changed by an AI model",
    "ai_generated": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """When a take was made and with what; on how many threads the last bits depend.

    The second model, if there is one, made the highs.
    """

    models: tuple[dict[str, object], ...]
    made_at: datetime
    threads: int


def write_take(
    spec: RenderSpec,
    rendered: RenderedTake,
    finished: Finished,
    source: AudioClip | None,
    path_without_suffix: Path,
    making: Making,
) -> Take:
    """Write audio, JSON and PNG together; raises as engine.audio.io.write_files does.

    The spec is the job's. The audio file tells all of it by itself, and what its source told.
    """
    clip = finished.clip
    audio_path = path_without_suffix.with_name(path_without_suffix.name + clip.suffix)
    take = Take(
        path=str(audio_path),
        seed=rendered.seed,
        clap_score=rendered.ranking.prompt_score,
        peak_db=decibels(peak(clip.audio_NS)),
        rms_db=decibels(rms(clip.audio_NS)),
        length_samples=clip.length_samples,
        spec_digest=digest(rendered.spec),
        score=rendered.ranking.total,
        source_score=rendered.ranking.source_score,
        dry="" if finished.dry is None else finished.dry.code.value,
        note=note_of(finished),
    )
    sidecar = _sidecar(spec, rendered, take, making) | _measured(spec, rendered, source)
    sidecar["delivery"] = finished.report
    content = encode(clip)
    told = _provenance(_own(sidecar, take), rendered.spec, clip, source, making.made_at)
    if finished.is_as_made:
        told = replace(told, latents=bound(rendered.latents, content))
    metadata = Metadata() if source is None else source.metadata
    beside = json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n"
    write_files(
        {
            audio_path.with_suffix(".json"): beside.encode(),
            audio_path.with_suffix(".png"): _picture(spec, rendered, clip, source),
            audio_path: stamped(content, told, metadata),
        }
    )
    return take


def take_spec(spec: RenderSpec, seed: int) -> RenderSpec:
    """Return the spec that gives a take again, alone: recipes of older versions tell that of its job."""
    return replace(spec, seed=seed, takes=1)


def write_preview(
    spec: RenderSpec, preview: Preview, source: AudioClip | None, folder: Path, made_at: datetime
) -> Path:
    """Write what a take would be, marked as every output is; the spec is the job's. Raises as write_files."""
    own = spec.alone(preview.take - 1)
    path = folder / f"take{preview.take}-step{preview.step}{preview.clip.suffix}"
    recipe = {**_HEAD, "spec": spec_to_dict(own), "digest": digest(own)}
    recipe |= {"take": {"seed": own.seed}, "preview_step": preview.step}
    told = _provenance(recipe, own, preview.clip, source, made_at)
    write_files({path: stamped(encode(preview.clip), told, Metadata())})
    return path


def _sidecar(spec: RenderSpec, rendered: RenderedTake, take: Take, making: Making) -> dict[str, object]:
    """Return a recipe that gives the take alone; its digest tells which job made it."""
    return {
        **_HEAD,
        "made_at": making.made_at.isoformat(timespec="seconds"),
        "spec": spec_to_dict(rendered.spec),
        "take": asdict(take),
        "ranking": _finite(rendered.ranking),
        "digest": digest(spec),
        "model": making.models[0],
        "highs_model": making.models[1] if len(making.models) > 1 else None,
        "threads": making.threads,
    }


def _measured(spec: RenderSpec, rendered: RenderedTake, source: AudioClip | None) -> dict[str, object]:
    """Return what was found of source and result."""
    return {
        "source": None if source is None else _source_facts(spec, source),
        "contract": None if rendered.contract is None else _finite(rendered.contract),
    }


def _finite(measures: Contract | Ranking) -> dict[str, object]:
    """Return measures as JSON has them: it has no numbers that are not finite."""
    values = asdict(measures).items()
    return {name: value if math.isfinite(value or 0.0) else None for name, value in values}


def _own(sidecar: Recipe, take: Take) -> Recipe:
    """Return the recipe of a take by itself, the same whichever job made it and wherever it lies."""
    facts = {key: value for key, value in asdict(take).items() if key not in ("path", "spec_digest")}
    return {**sidecar, "digest": take.spec_digest, "take": facts}


def _source_facts(spec: RenderSpec, source: AudioClip) -> dict[str, object]:
    return {
        "path": "" if spec.region is None else spec.region.path,
        "first_sample": source.first_sample,
        # A decoder of MP3 rounds by where it began to read: whoever compares has to read the same.
        "context_samples": max(source.before_NS.shape[1], source.after_NS.shape[1]),
        "length_samples": source.length_samples,
        "sample_rate_hz": source.sample_rate_hz,
        "channels": source.channels,
        "sha256": samples_sha256(in_blocks(source.audio_NS)),
        # Another edit of a take that has lost its latents begins at its sound, and comes out otherwise.
        "latents": hashlib.sha256(source.latents).hexdigest() if source.latents else None,
    }


def _provenance(
    recipe: Recipe, spec: RenderSpec, clip: AudioClip, source: AudioClip | None, made_at: datetime
) -> Provenance:
    region = spec.region
    own_digest = str(recipe["digest"])
    facts = {
        "AI_GENERATED": "yes",
        "SOFTWARE": SOFTWARE,
        "TASK": spec.task.value,
        "PROMPT": spec.prompt,
        "MODEL": spec.model,
        "SEED": str(spec.seed),
        "RECIPE_DIGEST": own_digest,
    }
    return Provenance(
        recipe=recipe,
        facts=facts,
        task=spec.task.value,
        prompt=spec.prompt,
        digest=own_digest,
        software=SOFTWARE,
        made_at=made_at,
        coding=Coding(sample_rate_hz=clip.sample_rate_hz, bits=bits_of(clip), channels=clip.channels),
        source_name="" if region is None or source is None else Path(region.path).name,
        cut=None if source is None else _cut(source),
        anchor_s=None if region is None or region.anchor is None else region.anchor.position_s,
        loudness_lufs=loudness_lufs(clip.audio_NS, clip.sample_rate_hz),
        true_peak_dbtp=true_peak_db(clip.audio_NS),
    )


def _cut(source: AudioClip) -> Cut:
    return Cut(
        first_sample=source.first_sample,
        length_samples=source.length_samples,
        sample_rate_hz=source.sample_rate_hz,
    )


def _picture(spec: RenderSpec, rendered: RenderedTake, clip: AudioClip, source: AudioClip | None) -> bytes:
    label = f"seed {rendered.seed}, similarity {rendered.ranking.prompt_score:.2f}"
    label = label if source is None else f"after: {label}"
    panels = [Panel(label=label, audio_NS=clip.audio_NS, mask=spec.mask)]
    if source is not None:
        panels.insert(0, Panel(label="before", audio_NS=source.audio_NS))
    title = f"{spec.task.value}: {spec.prompt}" if spec.prompt else spec.task.value
    return spectrogram_png(tuple(panels), clip.sample_rate_hz, title)
