"""Which parameters count for which task: what is of no use to one is not shown there."""

from __future__ import annotations

from engine.types import Task

_EVERYWHERE = frozenset(
    {
        "prompt",
        "negative",
        "steps",
        "sampler",
        "guidance",
        "guidance_rescale",
        "eta",
        "seed",
        "takes",
        "model",
    }
)
_OF_REGIONS = frozenset({"match_level", "stereo", "highs", "highs_model"})
_OF_TASK = {
    Task.TRANSFER: _OF_REGIONS
    | {"source_prompt", "strength", "sweep", "editor", "keep_pitch", "keep_rhythm", "keep_level"},
    Task.INPAINT: _OF_REGIONS | {"mask"},
    Task.GENERATE: frozenset({"seconds"}),
    Task.SUPERRES: _OF_REGIONS | {"cutoff"},
}


def fields_of(task: Task) -> frozenset[str]:
    """Return the names of parameters that a task goes by, and mask, sweep and cutoff, which are none."""
    return _EVERYWHERE | _OF_TASK[task]
