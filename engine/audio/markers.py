"""Markers, loops and tempo of a file, moved with a region that is cut out of it.

What lies outside the region is dropped; a marker on its very end still belongs to it.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from engine.audio.riff import chunk_bytes, parts_in

_CUE_BYTES = 24
_SMPL_BYTES = 36
_SMPL_LOOP_BYTES = 24
_ACID_BYTES = 24
_ACID_ONE_SHOT = 1
_INST_BYTES = 20
_LABELS = (b"labl", b"note", b"ltxt", b"file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Which samples of a file became the region."""

    first_sample: int
    length_samples: int
    sample_rate_hz: int

    def moved(self, sample: int) -> int | None:
        """Return a position of the file as one of the region; None for one outside it."""
        inside = sample - self.first_sample
        return inside if 0 <= inside <= self.length_samples else None

    def moved_loop(self, first: int, last: int) -> tuple[int, int] | None:
        """Return a loop, its last sample included; None for one that is not wholly inside."""
        start, end = self.moved(first), self.moved(last + 1)
        return None if start is None or end is None or end <= start else (start, end - 1)


def moved_riff(parts: Mapping[bytes, bytes], cut: Cut) -> dict[bytes, bytes]:
    """Return cue, smpl, acid and plst chunks and the list of labels as they are in the region.

    The key of the labels is b"adtl". What has nothing left is left out.
    """
    cue = moved_cue(parts.get(b"cue ", b""), cut)
    points = cue_points(cue)
    moved = {
        b"cue ": cue,
        b"adtl": moved_labels(parts.get(b"adtl", b""), points, cut),
        b"smpl": moved_smpl(parts.get(b"smpl", b""), cut),
        b"acid": moved_acid(parts.get(b"acid", b""), cut),
        b"plst": moved_playlist(parts.get(b"plst", b""), points),
    }
    return {name: content for name, content in moved.items() if content}


def moved_cue(content: bytes, cut: Cut) -> bytes:
    points: list[bytes] = []
    for point in _records(content[4:], _CUE_BYTES, _count(content)):
        number, _, chunk, chunk_start, block, sample = struct.unpack("<II4sIII", point)
        moved = cut.moved(sample)
        if moved is not None:
            points.append(struct.pack("<II4sIII", number, moved, chunk, chunk_start, block, moved))
    return _counted(points)


def cue_points(content: bytes) -> dict[int, int]:
    """Return where the points are, by their numbers."""
    points = _records(content[4:], _CUE_BYTES, _count(content))
    return dict(struct.unpack("<I16xI", point) for point in points)


def moved_labels(content: bytes, points: Mapping[int, int], cut: Cut) -> bytes:
    """Keep the texts of the points that are left, and stretches no longer than there is audio."""
    kept: list[bytes] = []
    for name, text in parts_in(content, "little"):
        number = int.from_bytes(text[:4], "little")
        if name in _LABELS and number not in points:
            continue
        if name == b"ltxt" and len(text) >= 8:
            stretch = min(int.from_bytes(text[4:8], "little"), cut.length_samples - points[number])
            text = text[:4] + stretch.to_bytes(4, "little") + text[8:]  # noqa: PLW2901
        kept.append(chunk_bytes(name, text, "little"))
    return b"".join(kept)


def moved_smpl(content: bytes, cut: Cut) -> bytes:
    if len(content) < _SMPL_BYTES:
        return b""
    count, extra = struct.unpack_from("<II", content, 28)
    loops: list[bytes] = []
    for loop in _records(content[_SMPL_BYTES:], _SMPL_LOOP_BYTES, count):
        first, last = struct.unpack_from("<II", loop, 8)
        moved = cut.moved_loop(first, last)
        if moved is not None:
            loops.append(loop[:8] + struct.pack("<II", *moved) + loop[16:])
    data_start = _SMPL_BYTES + count * _SMPL_LOOP_BYTES
    data = content[data_start : data_start + extra]
    head = content[:28] + struct.pack("<II", len(loops), len(data))
    return b"".join((head, *loops, data))


def moved_acid(content: bytes, cut: Cut) -> bytes:
    """Tell a loop's beats anew: with those of the whole file a part of it would be stretched."""
    if len(content) < _ACID_BYTES:
        return b""
    flags, beats, tempo_bpm = struct.unpack_from("<I8xI4xf", content)
    length_beats = tempo_bpm * cut.length_samples / cut.sample_rate_hz / 60
    if flags & _ACID_ONE_SHOT or not 0.0 < length_beats < 2**31 or abs(length_beats - beats) < 1.0:
        return content
    return content[:12] + struct.pack("<I", max(1, round(length_beats))) + content[16:]


def moved_playlist(content: bytes, ids: Collection[int]) -> bytes:
    """Keep the segments that begin at points that are left."""
    segments = _records(content[4:], 12, _count(content))
    return _counted([one for one in segments if int.from_bytes(one[:4], "little") in ids])


def moved_aiff(parts: Mapping[bytes, bytes], cut: Cut) -> dict[bytes, bytes]:
    """Return MARK, INST and COMT chunks as they are in the region; without what has nothing left."""
    marks = moved_marks(parts.get(b"MARK", b""), cut)
    ids = frozenset(number for number, _, _ in _marks(marks))
    moved = {
        b"MARK": marks,
        b"INST": moved_instrument(parts.get(b"INST", b""), ids),
        b"COMT": moved_comments(parts.get(b"COMT", b""), ids),
    }
    return {name: content for name, content in moved.items() if content}


def moved_marks(content: bytes, cut: Cut) -> bytes:
    kept: list[bytes] = []
    for number, sample, name in _marks(content):
        moved = cut.moved(sample)
        if moved is not None:
            kept.append(struct.pack(">hI", number, moved) + name)
    return len(kept).to_bytes(2, "big") + b"".join(kept) if kept else b""


def moved_instrument(content: bytes, ids: Collection[int]) -> bytes:
    """Switch off the loops whose ends are gone."""
    if len(content) < _INST_BYTES:
        return b""
    loops = b"".join(
        loop if {*struct.unpack(">hh", loop[2:])} <= set(ids) else bytes(6)
        for loop in (content[8:14], content[14:20])
    )
    return content[:8] + loops + content[_INST_BYTES:]


def moved_comments(content: bytes, ids: Collection[int]) -> bytes:
    """Keep all texts; those about a marker that is gone are about the whole."""
    kept: list[bytes] = []
    place = 2
    for _ in range(int.from_bytes(content[:2], "big")):
        size = int.from_bytes(content[place + 6 : place + 8], "big")
        text = content[place + 8 : place + 8 + size]
        if place + 8 > len(content) or len(text) < size:
            break
        time_s, number = struct.unpack_from(">Ih", content, place)
        head = struct.pack(">IhH", time_s, number if number in ids else 0, size)
        kept.append(head + text + bytes(size % 2))
        place += 8 + size + size % 2
    return len(kept).to_bytes(2, "big") + b"".join(kept) if kept else b""


def texts_of(content: bytes) -> dict[bytes, bytes]:
    """Return the entries of a LIST INFO by their names, without the zeros at the end."""
    return {name: text.rstrip(b"\0") for name, text in parts_in(content, "little")}


def info_list(entries: Mapping[bytes, bytes]) -> bytes:
    """Return the content of a LIST INFO chunk."""
    return b"INFO" + b"".join(chunk_bytes(name, text + b"\0", "little") for name, text in entries.items())


def _marks(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, position and padded name."""
    place = 2
    for _ in range(int.from_bytes(content[:2], "big")):
        if len(content) < place + 7:
            return
        number, sample = struct.unpack_from(">hI", content, place)
        size = content[place + 6] + 1
        size += size % 2
        name = content[place + 6 : place + 6 + size]
        yield number, sample, name.ljust(size, b"\0")
        place += 6 + size


def _count(content: bytes) -> int:
    return int.from_bytes(content[:4], "little")


def _records(content: bytes, size: int, count: int) -> Iterator[bytes]:
    for index in range(min(count, len(content) // size)):
        yield content[index * size : (index + 1) * size]


def _counted(records: list[bytes]) -> bytes:
    return len(records).to_bytes(4, "little") + b"".join(records) if records else b""
