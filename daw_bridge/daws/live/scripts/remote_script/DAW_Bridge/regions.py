"""What is selected in Live: a clip's stretch of its file, and what the clip does to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from .refusal import Refusal

_NOTHING = 1e-6
MARK = ">"


class Warp(NamedTuple):
    """How a warped clip stretches its file: beats with seconds of the file, and the mode that does it."""

    mode: int
    points: tuple[tuple[float, float], ...]


class Loop(NamedTuple):
    """What of a clip is played again and again, and where it begins; beats from the start of the region."""

    start: float
    end: float
    start_marker: float


class Source(NamedTuple):
    """The stretch of a file that a clip plays, and how: a take is played in the same way."""

    clip: Any
    track: Any
    path: str
    start_s: float
    end_s: float
    # Beats in the arrangement; None for clips of the session.
    position_beats: float | None
    gain: float
    pitch_coarse: int
    pitch_fine: float
    warp: Warp | None
    loop: Loop | None


def selected_clip(song: Any) -> Any:
    """Return the clip that is shown, or that of the chosen slot; raises Refusal where there is none."""
    clip = song.view.detail_clip
    slot = song.view.highlighted_clip_slot
    if clip is None and slot is not None:
        clip = slot.clip
    if clip is None:
        raise Refusal("No clip is selected.", "Click an audio clip in the Session or the Arrangement.")
    return clip


def marked_clips(song: Any) -> list[Any]:
    """Return all audio clips whose name has a prompt after MARK."""
    clips = []
    for track in song.tracks:
        if track.is_foldable:
            continue  # a group has no clips of its own
        clips += [slot.clip for slot in track.clip_slots if slot.clip is not None]
        clips += list(track.arrangement_clips)
    marked = [clip for clip in clips if clip.is_audio_clip and prompt_in(clip.name)]
    if not marked:
        raise Refusal("No clip has a prompt in its name.", "Name clips like this: riff > a harp")
    return marked


def prompt_in(name: str) -> str:
    """Return what stands after MARK in a clip's name; empty where nothing does."""
    return name.partition(MARK)[2].strip()


def source_of(clip: Any) -> Source:
    """Return what a clip plays; raises Refusal for what cannot be sent."""
    _require_audio(clip)
    track = track_of(clip)
    beats = _played_beats(clip)
    warp = _warp(clip, beats) if clip.warping else None
    start_s, end_s = (warp.points[0][1], warp.points[-1][1]) if warp else beats
    if end_s - start_s < _NOTHING:
        raise Refusal(f"{_named(clip)} plays nothing of its file.", "Set its start and end in the clip view.")
    return Source(
        clip=clip,
        track=track,
        path=clip.file_path,
        # Before its first sample a file has nothing to send.
        start_s=max(0.0, start_s),
        end_s=end_s,
        position_beats=clip.start_time if clip.is_arrangement_clip else None,
        gain=clip.gain,
        pitch_coarse=clip.pitch_coarse,
        pitch_fine=clip.pitch_fine,
        warp=warp,
        loop=Loop(clip.loop_start - beats[0], clip.loop_end - beats[0], clip.start_marker - beats[0])
        if clip.looping
        else None,
    )


def track_of(clip: Any) -> Any:
    """Return the track of a clip, whether it is in a slot, on a lane, or on the track itself."""
    one = clip.canonical_parent
    while not hasattr(one, "clip_slots"):
        one = one.canonical_parent
    return one


def slot_index(clip: Any) -> int:
    """Return in which slot of its track a session clip is."""
    return [slot.clip for slot in track_of(clip).clip_slots].index(clip)


def _require_audio(clip: Any) -> None:
    if not clip.is_audio_clip:
        raise Refusal(
            f"{_named(clip)} is a MIDI clip and has no audio.",
            "Freeze and flatten its track, or resample it.",
        )
    if clip.is_recording:
        raise Refusal(f"{_named(clip)} is being recorded.", "Stop recording first.")
    if not clip.file_path:
        raise Refusal(f"{_named(clip)} has no file yet.", "Save the Live Set, then try again.")


def _played_beats(clip: Any) -> tuple[float, float]:
    """Return from where to where a clip plays its file, in beats where it is warped and else in seconds."""
    if not clip.looping:
        # Of a clip that is not looped Live calls its start and end so.
        return clip.loop_start, clip.loop_end
    if (
        clip.is_arrangement_clip
        and clip.end_time - clip.start_time > clip.loop_end - clip.start_marker + _NOTHING
    ):
        raise Refusal(
            f"{_named(clip)} repeats its loop in the Arrangement.",
            "Consolidate it (Ctrl+J, on a Mac Cmd+J) or switch its Loop off, then try again.",
        )
    return min(clip.start_marker, clip.loop_start), clip.loop_end


def _warp(clip: Any, beats: tuple[float, float]) -> Warp:
    inner = [marker.beat_time for marker in clip.warp_markers if beats[0] < marker.beat_time < beats[1]]
    at_beats = [beats[0], *sorted(inner), beats[1]]
    points = [(beat, clip.beat_to_sample_time(beat) / clip.sample_rate) for beat in at_beats]
    if points[0][1] < 0:
        raise Refusal(
            f"{_named(clip)} begins before its file does.", "Move its start to where there is audio."
        )
    return Warp(mode=int(clip.warp_mode), points=tuple(points))


def _named(clip: Any) -> str:
    return clip.name or "The clip"
