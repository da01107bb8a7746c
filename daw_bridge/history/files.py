"""The files of takes: measured, found again after a crash, and removed only where they are surely ours.

The worker writes recipe, picture and audio as NAME.part and renames them in this order, the audio last, as
engine.audio.io.write_files does. So audio under its final name is a whole take; a recipe alone is none. When
a take is removed, its audio becomes NAME.part first.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from daw_bridge.jobs.state import Job
from engine.errors import BadJson, OutputError, SpecError
from engine.spec_json import digest, parse_json, take_from_dict
from engine.types import Take

PART_SUFFIX = ".part"
AUDIO_SUFFIXES = (".wav", ".flac", ".aiff")
SIDE_SUFFIXES = (".json", ".png")
_SUFFIXES = (*AUDIO_SUFFIXES, *SIDE_SUFFIXES)
_PROBE = re.compile(r"\.daw-bridge-\d+\.part")
_PROBE_LIVES_S = 60.0
_MAX_RECIPE_BYTES = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """How a take's audio was when it was written, and the size of all its files."""

    audio_bytes: int
    audio_mtime_ns: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What an interrupted job had left: whole takes, best first, and what was removed."""

    found: tuple[Take, ...] = ()
    removed: tuple[Path, ...] = ()


def facts(path: str) -> FileFacts | None:
    """Return the facts of a take's files; None where the audio is gone or is not a plain file."""
    audio = _plain(Path(path))
    if audio is None:
        return None
    sides = (_plain(side) for side in _sides(Path(path)))
    total_bytes = audio.st_size + sum(side.st_size for side in sides if side is not None)
    return FileFacts(audio_bytes=audio.st_size, audio_mtime_ns=audio.st_mtime_ns, total_bytes=total_bytes)


def is_plain(path: str) -> bool:
    """Tell whether there is a plain file, which a link is not."""
    return _plain(Path(path)) is not None


def is_untouched(path: str, audio_bytes: int, audio_mtime_ns: int) -> bool:
    """Tell whether the audio is still the plain file that was written."""
    now = _plain(Path(path))
    return now is not None and (now.st_size, now.st_mtime_ns) == (audio_bytes, audio_mtime_ns)


def real_path(path: str | Path) -> str:
    """Return a path without links; as it is where the system can have no such file."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return str(path)


def remove_take(path: str, real_folder: str) -> bool:
    """Remove a take's files; False where its folder has moved or the system refuses.

    Recipe and picture are written before the audio: one that is newer is someone else's, and stays. The audio
    loses its name first. Killed at any moment this leaves a whole take, or what end_removal recognises.
    """
    audio, leaving, found = Path(path), _leaving(path), _plain(Path(path))
    if found is None or real_path(audio.parent) != real_folder:
        return False
    try:
        audio.replace(leaving)
    except OSError:
        return False
    if _removed_with_sides(audio, leaving, found.st_mtime_ns):
        return True
    with suppress(OSError):
        leaving.replace(audio)
    return False


def end_removal(path: str, real_folder: str, audio_bytes: int, audio_mtime_ns: int) -> bool:
    """End the removal of a take in which the process was killed; False where there was none."""
    audio, leaving = Path(path), _leaving(path)
    if not is_untouched(str(leaving), audio_bytes, audio_mtime_ns) or os.path.lexists(audio):
        return False
    return real_path(audio.parent) == real_folder and _removed_with_sides(audio, leaving, audio_mtime_ns)


def require_folder(folder: str) -> None:
    """Raise OutputError for a folder that is not a whole path."""
    if not Path(folder).is_absolute() or not _is_name(folder):
        raise OutputError(f"{folder!r:.200} is not an absolute path", "Give the whole path of the folder.")


def require_stem(stem: str) -> None:
    """Raise OutputError for a stem that is not a plain file name."""
    if not stem or stem != Path(stem).name or stem.startswith(".") or not _is_name(stem):
        raise OutputError(f"{stem!r:.60} is not a plain file name", "Give a name without folders.")


def free_stem(job: Job, reserved: Collection[str]) -> str:
    """Return the job's stem, or with -2, -3, ... after it, under which no take lies and none is reserved.

    From then on every file under it is the job's, the unfinished ones too. The number is found by doubling
    and halving: a live controller leaves thousands of takes of one stem in a folder.
    """

    def is_taken(number: int) -> bool:
        stem = _numbered(job.stem, number)
        return stem in reserved or any(os.path.lexists(path) for path in _names(job, stem))

    taken, free = 0, 1
    while is_taken(free):
        taken, free = free, 2 * free
    while free - taken > 1:
        middle = (taken + free) // 2
        taken, free = (middle, free) if is_taken(middle) else (taken, middle)
    return _numbered(job.stem, free)


def sweep(job: Job) -> Swept:
    """Remove what an interrupted job left unfinished, and return its whole takes that it has not recorded.

    Only names that were free when the job started are looked at. Its worker must have ended.
    """
    found: list[Take] = []
    removed: list[Path] = []
    if not job.file_stem:
        return Swept()
    spec_digest, recorded = digest(job.spec), {take.path for take in job.takes}
    for base in _bases(Path(job.folder), job.file_stem, job.spec.takes):
        files = [base.with_name(base.name + suffix) for suffix in _SUFFIXES]
        removed += _removed_of(file.with_name(file.name + PART_SUFFIX) for file in files)
        audio = next((file for file in files[: len(AUDIO_SUFFIXES)] if os.path.lexists(file)), None)
        take = _take_of(base, audio, spec_digest)
        if take is not None and audio is None:
            removed += _removed_of(files[len(AUDIO_SUFFIXES) :])
        elif take is not None and _plain(Path(take.path)) is not None and take.path not in recorded:
            found.append(take)
    return Swept(found=tuple(found), removed=tuple(removed))


def sweep_probes(folder: str, now_s: float) -> tuple[Path, ...]:
    """Remove the empty files with which killed workers were about to prove that they can write."""
    with suppress(OSError, ValueError), os.scandir(folder) as entries:
        names = [entry.name for entry in entries if _PROBE.fullmatch(entry.name)]
        paths = [Path(folder, name) for name in names]
        return tuple(_removed_of(path for path in paths if _is_old_and_empty(path, now_s)))
    return ()


def _is_name(text: str) -> bool:
    """Tell whether the system can have a file of the name, which half a character is not."""
    with suppress(ValueError):
        return b"\0" not in os.fsencode(text)
    return False


def _numbered(stem: str, number: int) -> str:
    return stem if number == 1 else f"{stem}-{number}"


def _names(job: Job, stem: str) -> Iterator[Path]:
    for base in _bases(Path(job.folder), stem, job.spec.takes):
        for suffix in _SUFFIXES:
            yield base.with_name(base.name + suffix)
            yield base.with_name(base.name + suffix + PART_SUFFIX)


def _bases(folder: Path, stem: str, takes: int) -> list[Path]:
    return [folder / f"{stem}_{number}" for number in range(1, takes + 1)]


def _leaving(path: str) -> Path:
    return Path(path + PART_SUFFIX)


def _removed_with_sides(audio: Path, leaving: Path, audio_mtime_ns: int) -> bool:
    sides = ((side, _plain(side)) for side in _sides(audio))
    ours = [side for side, fact in sides if fact is not None and fact.st_mtime_ns <= audio_mtime_ns]
    return all(_removed(file) for file in (*ours, leaving))


def _sides(audio: Path) -> list[Path]:
    return [audio.with_suffix(suffix) for suffix in SIDE_SUFFIXES]


def _plain(path: Path) -> os.stat_result | None:
    """Return the facts of a plain file; None for anything else, links among it."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _removed(path: Path) -> bool:
    """Remove a plain file; True if it is not there afterwards."""
    if _plain(path) is None:
        return not os.path.lexists(path)
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _removed_of(paths: Iterator[Path] | list[Path]) -> list[Path]:
    return [path for path in paths if _plain(path) is not None and _removed(path)]


def _is_old_and_empty(path: Path, now_s: float) -> bool:
    found = _plain(path)
    return found is not None and found.st_size == 0 and found.st_mtime < now_s - _PROBE_LIVES_S


def _take_of(base: Path, audio: Path | None, spec_digest: str) -> Take | None:
    """Read the recipe of a take of the spec; None where it is another's or not a recipe."""
    recipe = base.with_name(base.name + ".json")
    found = _plain(recipe)
    if found is None or found.st_size > _MAX_RECIPE_BYTES:
        return None
    try:
        content = parse_json(recipe.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("digest") != spec_digest:
            return None
        take = take_from_dict(content.get("take"))
    except (OSError, ValueError, BadJson, SpecError):
        return None
    return take if audio is None else replace(take, path=str(audio))
