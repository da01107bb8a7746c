"""The file format that a take is written in, and what of a sound another format would lose."""

from __future__ import annotations

from dataclasses import dataclass

import soundfile

from engine.audio.io import AudioClip
from engine.delivery import Delivery, FileFormat, SampleBits

_CONTAINERS = {FileFormat.WAV: "WAV", FileFormat.FLAC: "FLAC", FileFormat.AIFF: "AIFF"}
_SUBTYPES = {SampleBits.PCM_16: "PCM_16", SampleBits.PCM_24: "PCM_24", SampleBits.FLOAT: "FLOAT"}
# What a floating-point format has of exact whole numbers counts as bits too.
_WHOLE_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 24, "DOUBLE": 53}
_DWVW_BITS = {"DWVW_12": 12, "DWVW_16": 16, "DWVW_24": 24}
_FLOATS = {"FLOAT": ("FLOAT", "DOUBLE"), "MPEG_LAYER_III": ("FLOAT", "DOUBLE"), "DOUBLE": ("DOUBLE",)}
# Codes that give the same again for what they have given.
_STABLE_CODES = ("ULAW", "ALAW")
# All other codes decode to whole numbers of so many bits.
_CODE_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeFormat:
    """A container with a subtype that it holds; notes tell what there is not of what was asked."""

    container: str
    subtype: str
    notes: tuple[str, ...] = ()


def format_of(clip: AudioClip, delivery: Delivery) -> TakeFormat:
    """Return the format a delivery asks for: its container, else its samples, where both cannot be had."""
    container = clip.container
    # A WAV of many channels says which they are, under a name of its own.
    if delivery.format is not None and not container.startswith(_CONTAINERS[delivery.format]):
        container = _CONTAINERS[delivery.format]
    subtype = clip.subtype if delivery.bits is None else _SUBTYPES[delivery.bits]
    if soundfile.check_format(container, subtype):
        return TakeFormat(container=container, subtype=subtype)
    if delivery.format is None:
        note = f"written as WAV, since {container} does not hold {subtype}"
        return TakeFormat(container="WAV", subtype=subtype, notes=(note,))
    note = f"written with 24 bits, since {container} does not hold {subtype}"
    return TakeFormat(container=container, subtype="PCM_24", notes=(note,))


def holds(subtype: str, other: str) -> bool:
    """Tell whether files of a subtype hold every sample exactly that files of another one can have."""
    if other in _FLOATS:
        return subtype in _FLOATS[other]
    if subtype in _STABLE_CODES and subtype == other:
        return True
    needed_bits = _WHOLE_BITS.get(other) or _DWVW_BITS.get(other, _CODE_BITS)
    return _WHOLE_BITS.get(subtype, 0) >= needed_bits
