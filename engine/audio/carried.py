"""What a file told, carried to what effects made of the whole of it: places in it are where they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.audio.broadcast import LOUDNESS_PLACE, UNTOLD_LOUDNESS, Coding
from engine.audio.flac_blocks import BlockKind, Tags, comments_block, read_tags, with_blocks
from engine.audio.markers import info_list
from engine.audio.metadata import Build, Metadata
from engine.audio.own_part import AIFF_CHUNK, OWN, RECIPE, is_own_application
from engine.audio.provenance import FOREIGN, earlier_info, is_sound, vendor_in
from engine.audio.recipe import TAG, Recipe, recipe_bytes
from engine.audio.riff import with_chunks

_HISTORY_START = 602


def carried(content: bytes, source: Metadata, recipe: Recipe, coding: Coding, note: str) -> bytes:
    """Return a whole WAV, AIFF or FLAC file with its source's metadata and a recipe; note is for the history.

    Of a source whose metadata would make the file unreadable, none is carried.
    """
    made = _with_parts(content, source, recipe, coding.line(note))
    return made if is_sound(made, content) else _with_parts(content, Metadata(), recipe, coding.line(note))


def _with_parts(content: bytes, source: Metadata, recipe: Recipe, line: str) -> bytes:
    if content.startswith(b"fLaC"):
        return with_blocks(content, tuple(_flac_blocks(source, recipe, vendor_in(content))))
    if content.startswith(b"FORM"):
        return with_chunks(content, tuple(_aiff_chunks(source, recipe)))
    return with_chunks(content, tuple(_riff_chunks(source, recipe, line)))


def _riff_chunks(source: Metadata, recipe: Recipe, line: str) -> Iterator[tuple[bytes, bytes]]:
    if source.build is Build.RIFF:
        for name, part in source.parts:
            if name == b"bext":
                yield name, _continued(part, line)
            elif name not in OWN:
                yield name, part
    elif texts := _filled(earlier_info(source)):
        yield b"LIST", info_list(texts)
    yield RECIPE, recipe_bytes(recipe)


def _aiff_chunks(source: Metadata, recipe: Recipe) -> Iterator[tuple[bytes, bytes]]:
    for name, part in source.parts if source.build is Build.AIFF else ():
        if name != AIFF_CHUNK or not is_own_application(part):
            yield name, part
    yield AIFF_CHUNK, RECIPE + recipe_bytes(recipe)


def _flac_blocks(source: Metadata, recipe: Recipe, vendor: bytes) -> Iterator[tuple[int, bytes]]:
    tags: Tags = ()
    for name, part in source.parts if source.build is Build.FLAC else ():
        if name[0] == BlockKind.COMMENTS:
            tags += tuple(tag for tag in read_tags(part) if tag[0] != TAG)
        elif not part.startswith(FOREIGN) and not is_own_application(part):
            yield name[0], part
    yield BlockKind.COMMENTS, comments_block((*tags, (TAG, recipe_bytes(recipe).decode())), vendor)


def _continued(bext: bytes, line: str) -> bytes:
    """Return a bext chunk with one more line of history, and no loudness: it was that of the sound before."""
    fixed = bytearray(bext[:_HISTORY_START].ljust(_HISTORY_START, b"\0"))
    fixed[LOUDNESS_PLACE : LOUDNESS_PLACE + len(UNTOLD_LOUDNESS)] = UNTOLD_LOUDNESS
    history = bext[_HISTORY_START:].rstrip(b"\0")
    ended = b"" if not history or history.endswith(b"\r\n") else b"\r\n"
    return bytes(fixed) + history + ended + line.encode("ascii", "replace")


def _filled(texts: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {name: text for name, text in texts.items() if text}
