"""A folder of one's own sounds as clips as long as a finished model's: to learn from, and to judge by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from engine.errors import EngineError, SpecError
from engine.models.card import ModelCard
from engine.training.data.cutting import CutConfig, cut_file
from engine.training.data.folders import spaced
from engine.training.data.manifest import Manifest, SoundFile, parted, path_number
from engine.training.data.prepared import HELD_OUT, PreparedClips
from engine.training.data.preparing import PrepareConfig, prepare_clips
from engine.training.data.sources import SourceConfig, read_source

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnClips:
    """Clips to learn from, and those of other files, which no training sees."""

    clips: PreparedClips
    held_out: PreparedClips


def prepare_own(source: Path, folder: Path, cut: CutConfig, processes: int = 1) -> OwnClips:
    """Cut a folder of sounds, or what a list of sounds names, into a folder of clips.

    About a tenth of the files is held out, one at least: which ones is decided by their names. A sound of
    which nothing is said is called by the folder. A call that was stopped is gone on with.

    Raises:
        NotFound: no such source.
        SpecError: there are not two sounds that can be read, or the folder holds clips of others.
            Nothing is written then.
        OutputError: the folder cannot be written to.
    """
    kept, held = held_out_of(_called(read_source(source, SourceConfig())), source, cut)
    config = PrepareConfig(cut=cut)
    clips = prepare_clips(kept, folder, config, processes)
    return OwnClips(clips=clips, held_out=prepare_clips(held, folder / HELD_OUT, config, processes))


def cut_like(card: ModelCard) -> CutConfig:
    """Return how sounds are cut for a model: as long as the clips it was trained on, and at its rate."""
    usual = CutConfig()
    return CutConfig(
        first_s=max(usual.first_s, card.canvas_s),
        piece_s=card.canvas_s,
        padded_s=card.canvas_s,
        shortest_s=min(usual.shortest_s, card.canvas_s),
        sample_rate_hz=card.sample_rate_hz,
    )


def held_out_of(manifest: Manifest, source: Path, cut: CutConfig) -> tuple[Manifest, Manifest]:
    """Part a manifest into what to learn from and what to hold out; both hold a sound that can be read.

    What cannot be read stays in the first part, whose report names it.
    """
    problems: list[str] = []
    wanted = max(1, round(HELD_OUT_SHARE * len(manifest.files)))
    usable = list(islice(_usable(manifest, cut, problems), wanted + 1))
    if len(usable) < 2:
        found = f"one sound that can be used, {usable[0].path}" if usable else "no sound that can be used"
        reason = f" ({problems[0]})" if problems else ""
        raise SpecError(
            f"{source} holds {found}{reason}.",
            "Give two at least: one to learn from, and one to measure by what was learnt.",
        )
    return parted(manifest, set(usable[:-1]))


def _usable(manifest: Manifest, cut: CutConfig, problems: list[str]) -> Iterator[SoundFile]:
    """Yield what gives a clip, in the order in which it is held out; note what is wrong with the rest."""
    for file in sorted(manifest.files, key=lambda one: path_number(one.path)):
        try:
            pieces, _ = cut_file(manifest.root, file, cut)
        except EngineError as error:
            problems.append(f"{file.path}: {error.message}")
            continue
        if pieces:
            yield file
        else:
            problems.append(f"{file.path}: it is silent")


def _called(manifest: Manifest) -> Manifest:
    """Call the sounds of which nothing is said by the name of their folder."""
    name = spaced(manifest.root.name)
    if not name:
        return manifest
    files = (
        file if file.captions or file.labels else replace(file, labels=(name,)) for file in manifest.files
    )
    return replace(manifest, files=tuple(files))
