"""Takes put beside what they were made from, in one undo step: into empty slots below, or on take lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .jobs import Take
from .refusal import Refusal
from .regions import MARK, Source, slot_index
from .warping import play_as

_OWN = "DAW Bridge: "
_NOTHING = 1e-6

# Makes a warp marker from a time of the file and a beat: Live.Clip.WarpMarker.
if TYPE_CHECKING:
    NewMarker = Callable[[float, float], Any]


class Placed(NamedTuple):
    """What became of takes: a sentence about them, and what could not be done as it should."""

    takes: int
    where: str
    notes: list[str]


def take_name(prompt: str, take: Take) -> str:
    """Return the name of a take's clip; it has no MARK, so that it does not ask for takes itself."""
    score = "" if take.score is None else f" {take.score:.2f}"
    dry = " (dry)" if take.note else ""
    return f"{prompt.replace(MARK, ' ').strip() or 'take'}{score} seed {take.seed}{dry}"


def can_place(song: Any, source: Source) -> bool:
    """Tell whether this version of Live lets scripts load audio where the source is."""
    if source.position_beats is None:
        return all(hasattr(slot, "create_audio_clip") for slot in list(source.track.clip_slots)[:1])
    return hasattr(source.track, "create_audio_clip")


def place(song: Any, source: Source, prompt: str, takes: Sequence[Take], new_marker: NewMarker) -> Placed:
    """Put takes into Live in one undo step; raises Refusal where Live takes none."""
    song.begin_undo_step()
    try:
        if source.position_beats is None:
            return _in_slots(song, source, prompt, takes, new_marker)
        return _in_arrangement(song, source, prompt, takes, new_marker)
    except RuntimeError as error:
        told = f"Live puts no clip there. It says: {error}"
        raise Refusal(
            told, f"Is the track frozen or being recorded? The takes are kept: {takes[0].path}"
        ) from error
    finally:
        song.end_undo_step()


def place_new(song: Any, slot: Any, prompt: str, takes: Sequence[Take]) -> Placed:
    """Put new sounds into a slot and the empty ones below it, in one undo step."""
    track = slot.canonical_parent
    first = list(track.clip_slots).index(slot)
    song.begin_undo_step()
    try:
        for chosen, take in zip(_empty_slots(song, track, first, len(takes)), takes):
            _loaded(chosen, take, prompt)
    except RuntimeError as error:
        told = f"Live puts no clip there. It says: {error}"
        raise Refusal(told, "Choose an empty slot of an audio track that is not frozen.") from error
    finally:
        song.end_undo_step()
    return Placed(len(takes), f"slots of {track.name}", [])


def _in_slots(song: Any, source: Source, prompt: str, takes: Sequence[Take], new_marker: NewMarker) -> Placed:
    first = slot_index(source.clip) + 1
    slots = _empty_slots(song, source.track, first, len(takes))
    clips = [_loaded(slot, take, prompt) for slot, take in zip(slots, takes)]
    return Placed(len(clips), f"slots of {source.track.name}", _played(source, clips, new_marker))


def _empty_slots(song: Any, track: Any, first: int, count: int) -> list[Any]:
    """Return empty slots from one on; scenes are added where there are too few."""
    empty = [slot for slot in list(track.clip_slots)[first:] if not slot.has_clip]
    for _ in range(count - len(empty)):
        song.create_scene(-1)
    return [slot for slot in list(track.clip_slots)[first:] if not slot.has_clip][:count]


def _loaded(slot: Any, take: Take, prompt: str) -> Any:
    clip = slot.create_audio_clip(take.path)
    clip.name = take_name(prompt, take)
    return clip


def _in_arrangement(
    song: Any, source: Source, prompt: str, takes: Sequence[Take], new_marker: NewMarker
) -> Placed:
    has_lanes = hasattr(source.track, "create_take_lane")
    owners = _lanes(source, len(takes)) if has_lanes else _tracks(song, source, len(takes))
    clips = []
    for owner, take in zip(owners, takes):
        clip = owner.create_audio_clip(take.path, source.position_beats)
        clip.name = take_name(prompt, take)
        owner.name = _OWN + clip.name
        clips.append(clip)
    where = f"take lanes of {source.track.name}" if has_lanes else f"new tracks beside {source.track.name}"
    return Placed(len(clips), where, _played(source, clips, new_marker))


def _lanes(source: Source, count: int) -> list[Any]:
    """Return lanes of ours that are free where the source is, and new ones."""
    start, end = source.position_beats or 0.0, source.clip.end_time
    free = [
        lane for lane in source.track.take_lanes if lane.name.startswith(_OWN) and _is_free(lane, start, end)
    ]
    return free[:count] + [source.track.create_take_lane() for _ in range(count - len(free))]


def _is_free(lane: Any, start: float, end: float) -> bool:
    return all(
        clip.end_time <= start + _NOTHING or clip.start_time >= end - _NOTHING
        for clip in lane.arrangement_clips
    )


def _tracks(song: Any, source: Source, count: int) -> list[Any]:
    """Return new tracks after the source's own: on that one, takes would cover the original."""
    index = list(song.tracks).index(source.track)
    return [song.create_audio_track(index + 1 + place) for place in range(count)]


def _played(source: Source, clips: Sequence[Any], new_marker: NewMarker) -> list[str]:
    notes = [note for clip in clips for note in play_as(source, clip, new_marker)]
    return sorted(set(notes))
