"""Which clips a project trains on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import SpecError
from engine.training.clips import Clips
from engine.training.data.draws import DrawConfig, DrawnClips
from engine.training.data.prepared import PreparedClips
from engine.training.store import ClipStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """folder is one that `prepare` made; without it the clips are rendered, as [store] says.

    workers read a batch side by side.
    """

    folder: str = ""
    workers: int = 2
    draws: DrawConfig = field(default_factory=DrawConfig)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise SpecError("Clips are read by one worker at least.")


def open_clips(config: DataConfig, rendered: Path, part: str = "") -> Clips:
    """Open prepared clips, or a part of them such as those held out; else the rendered store."""
    if config.folder:
        return PreparedClips(Path(config.folder) / part, config.workers)
    return ClipStore(rendered)


def open_drawn(config: DataConfig, rendered: Path) -> Clips:
    """Open the clips to train on, drawn as the project says."""
    clips = open_clips(config, rendered)
    return clips if config.draws.changes_nothing else DrawnClips(clips, config.draws)
