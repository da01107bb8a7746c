"""Where a spec has each parameter, and what each parameter is before anybody sets it."""

from __future__ import annotations

from typing import Any

from daw_bridge.messages.arguments import ParameterValue
from daw_bridge.messages.parameters import PARAMETERS
from engine.delivery import Delivery
from engine.errors import SpecError
from engine.spec_json import spec_to_dict
from engine.types import DEFAULT_EDITOR, Region, RenderSpec, Task

DEFAULT_SECONDS = 2.5

SPEC_KEYS = {
    "prompt": "prompt",
    "negative": "negative",
    "seconds": "duration_s",
    "editor": "editor",
    "keep_pitch": "keep_pitch",
    "keep_rhythm": "keep_rhythm",
    "keep_level": "keep_level",
    "source_prompt": "source_prompt",
    "seed": "seed",
    "takes": "takes",
    "model": "model",
    "match_level": "match_level",
    "highs": "highs",
    "highs_model": "highs_model",
    "stereo": "stereo",
    "variation": "variation",
    "variation_seed": "variation_seed",
}
SAMPLER_KEYS = {
    "strength": "strength",
    "sampler": "name",
    "steps": "steps",
    "guidance": "guidance",
    "guidance_from": "guidance_from",
    "guidance_to": "guidance_to",
    "guidance_rescale": "guidance_rescale",
    "eta": "eta",
}


def values_of(spec: RenderSpec) -> dict[str, ParameterValue]:
    """Return the parameters that a spec gives a value to.

    Raises:
        SpecError: a value that the parameter does not take, as a prompt with NUL characters.
    """
    content: Any = spec_to_dict(spec)
    found = {name: content[key] for name, key in SPEC_KEYS.items()}
    found |= {name: content["sampler"][key] for name, key in SAMPLER_KEYS.items()}
    found |= _delivery_names(spec.delivery)
    return {name: checked(name, value) for name, value in found.items() if value is not None}


def _delivery_names(delivery: Delivery | None) -> dict[str, str]:
    """Return by which names a delivery may be found again; a preset's own chain needs none."""
    if delivery is None:
        return {"render_preset": "", "chain": ""}
    chain = "" if delivery.chain is None or delivery.name else delivery.chain.name
    return {"render_preset": delivery.name, "chain": chain}


def checked(name: str, value: object) -> ParameterValue:
    """Return a value as the parameter has it.

    Raises:
        SpecError: one that it does not take, or no such parameter.
    """
    kind = PARAMETERS.get(name)
    if kind is None:
        raise SpecError(f"{name:.60} is not a parameter", f"There are {', '.join(PARAMETERS)}.")
    try:
        read: ParameterValue = kind.read(value)
    except ValueError as error:
        raise SpecError(f"{name} {error}") from error
    return read


def _defaults() -> dict[str, ParameterValue]:
    # Of all specs, this one says least.
    least = RenderSpec(task=Task.SUPERRES, region=Region(path=""), editor=DEFAULT_EDITOR)
    known = values_of(least) | {"seconds": DEFAULT_SECONDS, "morph": 0.0}
    return {name: known[name] for name in PARAMETERS}


DEFAULTS = _defaults()
