"""A take's files: the audio, the recipe beside it, and a picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from engine.audio.io import AudioClip, encode, write_files
from engine.audio.plot import Panel, spectrogram_png
from engine.errors import OutputError
from engine.render import RenderedTake
from engine.spec_json import digest, spec_to_dict
from engine.types import RenderSpec, Take

SIDECAR_VERSION = 1
_SUFFIXES = (".wav", ".flac", ".aiff", ".json", ".png")


def free_stem(folder: Path, stem: str, takes: int) -> str:
    """Return the stem, or with -2, -3, ... after it, so that no take's file exists already.

    Raises:
        OutputError: the stem is not a plain file name.
    """
    if not stem or stem != Path(stem).name or stem.startswith("."):
        raise OutputError(f"{stem!r} is not a plain file name", "Give a name without folders.")
    candidate, number = stem, 1
    while any(_taken(folder, f"{candidate}_{index + 1}") for index in range(takes)):
        number += 1
        candidate = f"{stem}-{number}"
    return candidate


def write_take(
    spec: RenderSpec,
    rendered: RenderedTake,
    source: AudioClip | None,
    path_without_suffix: Path,
    model: dict[str, object],
) -> Take:
    """Write audio, JSON and PNG together; raises as engine.audio.io.write_files does."""
    audio_path = path_without_suffix.with_name(path_without_suffix.name + rendered.clip.suffix)
    take = Take(
        path=str(audio_path),
        seed=rendered.seed,
        clap_score=rendered.clap_score,
        peak_db=rendered.peak_db,
        rms_db=rendered.rms_db,
        length_samples=rendered.clip.length_samples,
        spec_digest=digest(spec),
    )
    sidecar = json.dumps(_sidecar(spec, take, model), indent=2, ensure_ascii=False) + "\n"
    write_files(
        {
            audio_path.with_suffix(".json"): sidecar.encode(),
            audio_path.with_suffix(".png"): _picture(spec, rendered, source),
            audio_path: encode(rendered.clip),
        }
    )
    return take


def _sidecar(spec: RenderSpec, take: Take, model: dict[str, object]) -> dict[str, object]:
    return {
        "schema_version": SIDECAR_VERSION,
        "generator": "DAW Bridge; this audio was made or changed by an AI model",
        "spec": spec_to_dict(spec),
        "take": asdict(take),
        "digest": take.spec_digest,
        "model": model,
    }


def _picture(spec: RenderSpec, rendered: RenderedTake, source: AudioClip | None) -> bytes:
    label = f"seed {rendered.seed}, similarity {rendered.clap_score:.2f}"
    label = label if source is None else f"after: {label}"
    panels = [Panel(label=label, audio_NS=rendered.clip.audio_NS, mask=spec.mask)]
    if source is not None:
        panels.insert(0, Panel(label="before", audio_NS=source.audio_NS))
    title = f"{spec.task.value}: {spec.prompt}" if spec.prompt else spec.task.value
    return spectrogram_png(tuple(panels), rendered.clip.sample_rate_hz, title)


def _taken(folder: Path, name: str) -> bool:
    return any((folder / f"{name}{suffix}").exists() for suffix in _SUFFIXES)
