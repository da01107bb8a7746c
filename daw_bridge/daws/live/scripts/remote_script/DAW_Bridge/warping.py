"""A take's clip made to play its file as the source's clip plays its stretch of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from .regions import Source, Warp

# Nobody hears a shift of less.
_HEARD_S = 1e-3
NOT_STRETCHED = "Live did not take over the warp markers: compare the take's timing with the original's."


def play_as(source: Source, clip: Any, new_marker: Callable[[float, float], Any]) -> list[str]:
    """Give a take's clip gain, pitch, stretching and loop of its source; returns what did not work."""
    clip.gain = source.gain
    clip.pitch_coarse = source.pitch_coarse
    clip.pitch_fine = source.pitch_fine
    if source.warp is None:
        # Live may have begun to stretch it: its preferences tell so.
        clip.warping = False
        return []
    return _stretch(source, source.warp, clip, new_marker)


def _stretch(source: Source, warp: Warp, clip: Any, new_marker: Callable[[float, float], Any]) -> list[str]:
    clip.warping = True
    clip.warp_mode = warp.mode
    points = list(_moved(warp))
    _set_markers(points, clip, new_marker)
    is_same = all(
        abs(clip.beat_to_sample_time(beat) / clip.sample_rate - at_s) < _HEARD_S for beat, at_s in points
    )
    _set_ends(source, warp, clip)
    return [] if is_same else [NOT_STRETCHED]


def _moved(warp: Warp) -> Iterator[tuple[float, float]]:
    """Return the points as beats and seconds from the beginning of the stretch, which is that of the take."""
    first_beat, first_s = warp.points[0]
    for beat, at_s in warp.points:
        yield beat - first_beat, at_s - first_s


def _set_markers(points: list[tuple[float, float]], clip: Any, new_marker: Callable[..., Any]) -> None:
    """Let the markers be these; what Live refuses of that shows in how the clip is stretched then."""
    scale = _marker_scale(clip)
    wanted = [(beat, at_s * scale) for beat, at_s in points]
    for beat, sample_time in [(marker.beat_time, marker.sample_time) for marker in clip.warp_markers]:
        if not _is_among(beat, sample_time, wanted):
            with suppress(RuntimeError):
                clip.remove_warp_marker(beat)
    there = [(marker.beat_time, marker.sample_time) for marker in clip.warp_markers]
    for beat, sample_time in wanted:
        if not _is_among(beat, sample_time, there):
            with suppress(RuntimeError):
                clip.add_warp_marker(new_marker(sample_time=sample_time, beat_time=beat))


def _is_among(beat: float, sample_time: float, markers: list[tuple[float, float]]) -> bool:
    return any(abs(beat - one) < 1e-6 and abs(sample_time - other) < 1e-6 for one, other in markers)


def _marker_scale(clip: Any) -> float:
    """Return what a second is in the markers' own time: versions of Live tell it in seconds or in samples."""
    for marker in clip.warp_markers:
        if marker.sample_time > 0:
            ratio = clip.beat_to_sample_time(marker.beat_time) / marker.sample_time
            return clip.sample_rate if ratio < 2 else 1.0
    return 1.0


def _set_ends(source: Source, warp: Warp, clip: Any) -> None:
    length_beats = warp.points[-1][0] - warp.points[0][0]
    clip.looping = source.loop is not None
    # The end first: Live lets no start be behind it.
    clip.end_marker = length_beats
    clip.start_marker = source.loop.start_marker if source.loop else 0.0
    clip.loop_end = source.loop.end if source.loop else length_beats
    clip.loop_start = source.loop.start if source.loop else 0.0
