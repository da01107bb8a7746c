"""The files that a job reads: noted when it is accepted, so that another file in their place is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from daw_bridge.errors import InputChanged
from daw_bridge.jobs.state import InputFile, Job
from engine.types import ConditionKind, RenderSpec


def input_paths(spec: RenderSpec) -> Iterator[str]:
    """Yield the files that a spec reads, one perhaps more than once."""
    if spec.region is not None:
        yield spec.region.path
    yield from (one.value for one in spec.conditions if one.kind is ConditionKind.AUDIO)


def inputs_of(spec: RenderSpec) -> tuple[InputFile, ...]:
    """Return the facts of the files that a spec reads, without those that are not there."""
    found = (_facts(path) for path in sorted(set(input_paths(spec))))
    return tuple(one for one in found if one is not None)


def require_unchanged(job: Job) -> None:
    """Raise InputChanged where a file has another size or time than when the job was accepted.

    One that is gone is not told here: the engine says so as of any.
    """
    for noted in job.inputs:
        now = _facts(noted.path)
        if now is not None and now != noted:
            raise InputChanged(
                f"{noted.path} has changed since the job was accepted", "Submit it again to use it as it is."
            )


def _facts(path: str) -> InputFile | None:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return InputFile(path=path, size_bytes=found.st_size, mtime_ns=found.st_mtime_ns)
