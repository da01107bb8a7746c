"""A sound file sent through a chain: a new file that tells what the old one told. N channels, S samples."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from engine.audio.broadcast import Coding
from engine.audio.carried import carried
from engine.audio.io import AudioClip, bits_of, encode, read_clip, write_files
from engine.audio.level import in_blocks
from engine.audio.metadata import read_metadata
from engine.audio.own_part import samples_sha256
from engine.audio.recipe import SOFTWARE, Recipe, find_recipe
from engine.chain_json import chain_to_dict
from engine.chains import Chain
from engine.errors import EngineError
from engine.fx.child import HostLimits, IsCancelled
from engine.fx.host import ChainHost, Processed
from engine.stems import free_stem

SIDECAR_VERSION = 1
_FULL_SCALE = 1.0
_FLOATS = ("FLOAT", "DOUBLE")


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectedFile:
    """What came of a file; notes are sentences."""

    path: str
    recipe: str
    length_samples: int
    latency_samples: int
    notes: tuple[str, ...]


class FileChains:
    """Sends files through chains, also several at once; the clock dates the results."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        # Between two that look for a free name at once, one would lose its file.
        self._naming = threading.Lock()

    def send(
        self,
        path: Path,
        chain: Chain,
        folder: Path,
        stem: str,
        limits: HostLimits,
        cancelled: IsCancelled,
    ) -> EffectedFile:
        """Write what a chain makes of a file, in its format, rate and bit depth, and a recipe beside it.

        Raises:
            AudioMissing, AudioIOError, TooLarge: a file that cannot be read.
            PluginCrash, PluginTimeout, SpecError, Cancelled, OutOfMemory: as `ChainHost.process`.
            OutputError, DiskFull: no place for the result; nothing is then written.
        """
        source = replace(read_clip(path), metadata=read_metadata(path))
        sound_NS = source.audio_NS.astype(np.float32, copy=False)
        with ChainHost(chain, limits) as host:
            done = host.process(sound_NS, source.sample_rate_hz, cancelled)
        result = replace(source, audio_NS=_as_it_was(source.audio_NS, done.audio_NS))
        notes = (*(f"{note.name}: {note.text}" for note in done.notes), *_level_notes(result))
        recipe = self._recipe(path, source, chain, result, done, notes)
        coding = Coding(sample_rate_hz=source.sample_rate_hz, bits=bits_of(source), channels=source.channels)
        note = f"{SOFTWARE}; effects {chain.name}".strip()
        content = carried(encode(result), source.metadata, _own(recipe), coding, note)
        beside = (json.dumps(recipe, indent=2, ensure_ascii=False) + "\n").encode()
        with self._naming:
            target = folder / f"{free_stem(folder, stem)}{result.suffix}"
            write_files({target.with_suffix(".json"): beside, target: content})
        return EffectedFile(
            path=str(target),
            recipe=str(target.with_suffix(".json")),
            length_samples=result.length_samples,
            latency_samples=done.latency_samples,
            notes=notes,
        )

    def _recipe(
        self,
        path: Path,
        source: AudioClip,
        chain: Chain,
        result: AudioClip,
        done: Processed,
        notes: tuple[str, ...],
    ) -> dict[str, object]:
        earlier = _recipe_of(path)
        return {
            "schema_version": SIDECAR_VERSION,
            "generator": SOFTWARE,
            # Effects generate nothing; what they were put on may be generated.
            "ai_generated": bool(earlier),
            "made_at": self._clock().isoformat(timespec="seconds"),
            "chain": chain_to_dict(chain),
            "source": {
                "path": str(path),
                "length_samples": source.length_samples,
                "sample_rate_hz": source.sample_rate_hz,
                "channels": source.channels,
                "sha256": samples_sha256(in_blocks(source.audio_NS)),
            },
            "source_recipe": earlier or None,
            "length_samples": result.length_samples,
            "latency_samples": done.latency_samples,
            "plugins": [asdict(facts) for facts in done.plugins],
            "notes": list(notes),
        }


def _as_it_was(before_NS: np.ndarray, after_NS: np.ndarray) -> np.ndarray:
    """Return the result, or where nothing was changed the source, which may be more exact."""
    same = before_NS.shape == after_NS.shape and np.array_equal(before_NS.astype(np.float32), after_NS)
    return before_NS if same else after_NS


def _level_notes(result: AudioClip) -> tuple[str, ...]:
    """Return a sentence where an integer file cuts off peaks."""
    if result.subtype in _FLOATS:
        return ()
    blocks_NS = in_blocks(result.audio_NS)
    over = sum(int(np.count_nonzero(np.abs(block_NS) > _FULL_SCALE)) for block_NS in blocks_NS)
    if not over:
        return ()
    return (f"{over} samples are above full scale and were cut off; put a brickwall_limiter at the end",)


def _own(recipe: Mapping[str, object]) -> Recipe:
    """Return the recipe as it stands in the file: wherever the source lay, nobody else has that folder."""
    source = recipe["source"]
    assert isinstance(source, dict)
    return {**recipe, "source": {**source, "path": Path(source["path"]).name}}


def _recipe_of(path: Path) -> Recipe:
    with suppress(EngineError):
        return find_recipe(path)[0]
    return {}
