"""Times and frequencies of a mask as people write them, both ways."""

from __future__ import annotations

import math
import re

from engine.errors import SpecError
from engine.types import TimeSpan
from ui.model.mask_shapes import Bounds
from ui.sound.beats import BeatGrid
from ui.sound.notes import note_hz, note_name

_SECONDS = re.compile(r"(?:(\d+):)?(\d+(?:[.,]\d*)?|[.,]\d+)\s*(ms|s)?", re.IGNORECASE)
_BARS = re.compile(r"(-?\d+)(?:[.|](\d+)(?:[.|](\d{1,2}))?)?")
_HERTZ = re.compile(r"(\d+(?:[.,]\d*)?|[.,]\d+)\s*(k|khz|hz)?", re.IGNORECASE)


def time_text(time_s: float, beats: BeatGrid | None = None) -> str:
    """Return a time in seconds, or as bar.beat.hundredths where beats are counted."""
    return beats.name(time_s) if beats is not None else f"{time_s:.3f} s"


def time_of(text: str, beats: BeatGrid | None = None) -> float:
    """Read "1.25", "1:02.5", "250 ms" or, where beats are counted, "3", "3.2" and "3.2.50" from 1.1.00 on.

    Raises:
        SpecError: anything else.
    """
    text = text.strip()
    bars = _BARS.fullmatch(text) if beats is not None else None
    if beats is not None and bars is not None:
        return _at_bar(beats, bars)
    seconds = _SECONDS.fullmatch(text)
    if seconds is None:
        forms = '"3.2.50" in bars or "1.5 s"' if beats is not None else '"1.25", "1:02.5" or "250 ms"'
        raise SpecError(f'"{text:.30}" is not a time', f"Write it as {forms}.")
    minutes, number, unit = seconds.groups()
    value = 60.0 * int(minutes or 0) + _number(number)
    return value / 1000.0 if (unit or "").lower() == "ms" else value


def hz_text(freq_hz: float | None) -> str:
    """Return a frequency with its note; without any it is the top."""
    if freq_hz is None:
        return "top"
    note = note_name(freq_hz)
    number = f"{freq_hz:.1f}" if freq_hz < 1000 else f"{freq_hz:.0f}"
    return f"{number} Hz {note}".rstrip()


def pitch_text(low_hz: float, high_hz: float) -> str:
    """Return a pitch with its note, or what it glides between."""
    low, high = (f"{freq_hz:.1f}".removesuffix(".0") for freq_hz in (low_hz, high_hz))
    if low != high:
        return f"{low} to {high} Hz"
    note = note_name(low_hz)
    return f"{low} Hz ({note})" if note else f"{low} Hz"


def hz_of(text: str) -> float | None:
    """Read "440", "1.2 kHz", "A3+20c"; "top" or nothing is None.

    Raises:
        SpecError: anything else.
    """
    text = text.strip()
    if text.lower() in ("", "top"):
        return None
    found = _HERTZ.fullmatch(text)
    if found is not None:
        number, unit = found.groups()
        return _number(number) * (1000.0 if (unit or "").lower().startswith("k") else 1.0)
    try:
        return note_hz(text)
    except ValueError as error:
        raise SpecError(
            f'"{text:.30}" is not a frequency', 'Write it as "440", "1.2 kHz" or "A3+20c".'
        ) from error


def bounds_from(
    start: str, end: str, low: str, high: str, beats: BeatGrid | None, duration_s: float
) -> Bounds:
    """Read the four edges of a rectangle; its end may lie a little after that of the sound.

    Raises:
        SpecError: an edge that cannot be read, or a rectangle that holds nothing.
    """
    start_s, end_s = time_of(start, beats), min(time_of(end, beats), duration_s)
    low_hz, high_hz = hz_of(low) or 0.0, hz_of(high)
    if not 0.0 <= start_s < end_s:
        raise SpecError(
            f"the mask would go from {start_s:g} to {end_s:g} s",
            f"Let it begin at 0 or later and end after it begins, within {duration_s:g} s.",
        )
    if low_hz >= (math.inf if high_hz is None else high_hz):
        raise SpecError(
            f"the mask would go from {low_hz:g} to {high_hz:g} Hz",
            "Let its upper edge be above its lower one.",
        )
    return Bounds(start_s=start_s, end_s=end_s, low_hz=low_hz, high_hz=high_hz)


def edges_text(bounds: Bounds, beats: BeatGrid | None = None) -> tuple[str, str, str, str]:
    """Return the four edges as they can be read back, to a tenth of a millisecond and a hundredth of a Hz."""
    times = (bounds.start_s, bounds.end_s)
    start, end = (beats.name(time_s) if beats is not None else f"{time_s:.4f}" for time_s in times)
    return start, end, _plain(bounds.low_hz), "top" if bounds.high_hz is None else _plain(bounds.high_hz)


def span_text(span: TimeSpan | Bounds, beats: BeatGrid | None = None) -> str:
    """Return from when to when, and how long that is."""
    start, end = time_text(span.start_s, beats), time_text(span.end_s, beats)
    start = start.removesuffix(" s") if beats is None else start
    return f"{start} to {end} ({span.end_s - span.start_s:.3f} s)"


def band_text(bounds: Bounds) -> str:
    if bounds.low_hz == 0.0 and bounds.high_hz is None:
        return ""
    return f"{hz_text(bounds.low_hz)} to {hz_text(bounds.high_hz)}"


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _at_bar(beats: BeatGrid, found: re.Match[str]) -> float:
    bar, beat, hundredths = (int(part) if part is not None else None for part in found.groups())
    assert bar is not None
    # One digit is a tenth of a beat.
    part = 0.0 if hundredths is None else hundredths / 10 ** len(found.group(3))
    count = (bar - 1) * beats.beats_per_bar + ((beat or 1) - 1) + part
    return beats.time_s(count)
