"""Takes as one project file that Audacity imports in one step: tracks with names, places and mutes.

Audacity 3 still reads the projects of Audacity 2, whose tracks may refer to sound in files elsewhere. It
copies that sound, unchanged and at its own rate, so the takes' files may be moved later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from daw_bridge.errors import storage_errors

# What a block of the older version may hold of 32-bit samples.
_BLOCK_SAMPLES = 262_144
_FLOAT = 0x0004_000F
_MONO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedTake:
    """A take and where it belongs; whether only one of several is heard."""

    path: Path
    name: str
    start_s: float
    length_samples: int
    sample_rate_hz: int
    channels: int
    is_muted: bool = False


def write_takes_file(path: Path, takes: Sequence[PlacedTake]) -> None:
    """Write it whole, with the empty folder beside it that Audacity looks for.

    Raises:
        OutputError, DiskFull: it cannot be written.
    """
    data = path.with_name(f"{path.stem}_data")
    part = path.with_name(f"{path.name}.part")
    with storage_errors(path):
        data.mkdir(exist_ok=True)
        part.write_text("".join(_project(data.name, takes)), encoding="utf-8")
        os.replace(part, path)


def _project(data: str, takes: Sequence[PlacedTake]) -> Iterator[str]:
    yield '<?xml version="1.0" standalone="no" ?>\n<project xmlns="http://audacity.sourceforge.net/xml/" '
    yield f'projname={quoteattr(data)} version="1.3.0" audacityversion="2.4.2">\n'
    for number, take in enumerate(takes):
        for channel in range(take.channels):
            yield from _track(take, channel, f"{number}{channel}")
    yield "</project>\n"


def _track(take: PlacedTake, channel: int, number: str) -> Iterator[str]:
    is_stereo = take.channels == 2
    yield f'<wavetrack name={quoteattr(take.name)} channel="{channel if is_stereo else _MONO}" '
    yield f'linked="{int(is_stereo and channel == 0)}" mute="{int(take.is_muted)}" solo="0" isSelected="0" '
    yield f'rate="{take.sample_rate_hz}" gain="1.0" pan="0.0"><waveclip offset="{take.start_s:.12f}">'
    yield f'<sequence maxsamples="{_BLOCK_SAMPLES}" sampleformat="{_FLOAT}" '
    yield f'numsamples="{take.length_samples}">\n'
    yield from _blocks(take, channel, number)
    yield '</sequence><envelope numpoints="0"></envelope></waveclip></wavetrack>\n'


def _blocks(take: PlacedTake, channel: int, number: str) -> Iterator[str]:
    for index, start in enumerate(range(0, take.length_samples, _BLOCK_SAMPLES)):
        length = min(_BLOCK_SAMPLES, take.length_samples - start)
        yield f'<waveblock start="{start}"><pcmaliasblockfile summaryfile="e{number}{index:05d}.auf" '
        yield f'aliasfile={quoteattr(str(take.path))} aliasstart="{start}" aliaslen="{length}" '
        yield f'aliaschannel="{channel}" min="-1.0" max="1.0" rms="0.1"/></waveblock>\n'
