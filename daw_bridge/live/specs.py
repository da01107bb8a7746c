"""Requests to specs: the arguments of a message first, then its options, then what the board says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.morph import Preset, Prompts
from daw_bridge.live.parameters import SAMPLER_KEYS, SPEC_KEYS, values_of
from daw_bridge.messages.jobs import Generate, Inpaint, Submit, Superres, Transfer
from engine.errors import BadJson, SpecError
from engine.spec_json import parse_json, spec_from_dict
from engine.types import Condition, ConditionKind, RenderSpec, Task

RenderRequest = Generate | Transfer | Inpaint | Superres | Submit
ReadText = Callable[[str], str]
ResolveDelivery = Callable[[object, object], object]

_OF_TRANSFERS = {"editor", "source_prompt", "keep_pitch", "keep_rhythm", "keep_level"}
_DELIVERY_PARAMETERS = {"delivery": "render_preset", "chain": "chain"}
_TASKS = {
    Generate: Task.GENERATE,
    Transfer: Task.TRANSFER,
    Inpaint: Task.INPAINT,
    Superres: Task.SUPERRES,
}


def spec_of(
    request: RenderRequest, board: ParameterBoard, read_text: ReadText, resolved: ResolveDelivery
) -> RenderSpec:
    """Return what a request asks for; read_text returns the text of a file that it names.

    A submitted spec is whole: of the board it takes but the seed, where it has none or a negative one.
    Superres takes no prompt of the board, since without one it goes by the sound of the region. delivery may
    be the name of a render preset, and chain, beside it or in it, that of a chain: resolved puts these in
    full.

    Raises:
        BadJson: not JSON, or a missing, unknown or mistyped key, which is named.
        UnsupportedVersion: a spec of another schema.
        SpecError: a value out of its range, an empty prompt, or options for another task.
    """
    if isinstance(request, Submit):
        return spec_from_dict(_delivered(_submitted(_json(request.spec, read_text), board), resolved))
    return spec_from_dict(_delivered(_filled(_given(request, read_text), board), resolved))


def preset_of(spec: RenderSpec) -> Preset:
    """Return the parameters with which the board gives the spec again, as far as it can.

    What has no parameter is left out: region, mask, cutoff, and conditions other than the second prompt of a
    prompt morph.

    Raises:
        SpecError: a value that the parameter does not take, as a prompt with NUL characters.
    """
    values = values_of(spec)
    match spec.conditions:
        case (Condition(kind=ConditionKind.TEXT, curve=()) as other,) if (
            spec.prompt.strip() and not spec.prompt_curve
        ):
            values["morph"] = other.weight / (1.0 + other.weight)
            return Preset(values=values, prompt_b=other.value)
    return Preset(values=values)


def _submitted(content: object, board: ParameterBoard) -> object:
    if isinstance(content, dict) and "task" not in content and "spec" in content:
        # The file beside a take has the spec among other things.
        content = content["spec"]
    return {"seed": board.get("seed"), **_seeded(content)} if isinstance(content, dict) else content


def _given(request: Generate | Transfer | Inpaint | Superres, read_text: ReadText) -> dict[str, Any]:
    """Return the keys of the spec that the request itself sets."""
    given = {"task": _TASKS[type(request)].value, **_seeded(request.options)}
    if given["task"] != _TASKS[type(request)].value:
        raise SpecError(f"options.task is {given['task']!r:.60}, not {_TASKS[type(request)].value}")
    match request:
        case Generate():
            given["duration_s"] = request.seconds
        case Transfer():
            given["sampler"] = _with(given.get("sampler"), strength=request.strength)
        case Inpaint():
            given["mask"] = _json(request.mask, read_text)
    if not isinstance(request, Generate):
        given["region"] = _with(given.get("region"), path=request.path)
    if not isinstance(request, Superres) and request.prompt.strip():
        given["prompt"] = request.prompt
    return given


def _filled(given: dict[str, Any], board: ParameterBoard) -> dict[str, object]:
    """Return a whole spec; what is of the wrong type stays, to be refused when it is read."""
    left_out = {"prompt"} if given["task"] == Task.GENERATE.value else {"prompt", "seconds"}
    if given["task"] != Task.TRANSFER.value:
        left_out |= _OF_TRANSFERS
    own = {key: board.get(name) for name, key in SPEC_KEYS.items() if name not in left_out}
    # Who says how takes come back says all of it.
    is_delivered = "delivery" in given or "chain" in given
    delivered = {} if is_delivered else {name: board.get(key) for name, key in _DELIVERY_PARAMETERS.items()}
    spec = {**own, **delivered, **given, "sampler": _sampler(given.get("sampler"), board)}
    is_open = _is_blank(spec.get("prompt")) and not spec.get("conditions")
    if is_open and spec["task"] != Task.SUPERRES.value:
        spec.update(_prompt_keys(board.prompts))
    return spec


def _delivered(spec: object, resolved: ResolveDelivery) -> object:
    """Return the spec with its delivery in full."""
    if not isinstance(spec, dict):
        return spec
    rest = {key: value for key, value in spec.items() if key not in ("delivery", "chain")}
    delivery = resolved(spec.get("delivery"), spec.get("chain"))
    return rest if delivery is None else {**rest, "delivery": delivery}


def _prompt_keys(prompts: Prompts) -> dict[str, object]:
    (prompt, _), *others = prompts.weighted()
    kind = ConditionKind.TEXT.value
    conditions = [{"kind": kind, "value": text, "weight": weight} for text, weight in others]
    return {"prompt": prompt, "conditions": conditions}


def _sampler(given: object, board: ParameterBoard) -> object:
    if not isinstance(given, Mapping | None):
        return given
    own = {key: board.get(name) for name, key in SAMPLER_KEYS.items()}
    return {**own, **_interval(given or {}, board), **(given or {})}


def _interval(given: Mapping[str, object], board: ParameterBoard) -> dict[str, float]:
    """Return the board's guidance interval, made to go with the end of it that the request sets.

    Its two knobs may stand either way round: on the way from one place to another they cross.
    """
    low, high = sorted((float(board.get("guidance_from")), float(board.get("guidance_to"))))
    match given:
        case {"guidance_from": float() | int() as from_}:
            low = min(low, from_)
        case {"guidance_to": float() | int() as to}:
            high = max(high, to)
    return {"guidance_from": high, "guidance_to": low}


def _seeded(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys without a negative seed, which stands for none."""
    seed = content.get("seed")
    return {key: value for key, value in content.items() if key != "seed" or not _is_negative(seed)}


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_negative(value: object) -> bool:
    return isinstance(value, int) and value < 0


def _with(given: object, **more: object) -> object:
    """Return an object with these keys; what is none stays, to be refused when it is read."""
    return {**(given or {}), **more} if isinstance(given, Mapping | None) else given


def _json(text_or_path: str, read_text: ReadText) -> object:
    if text_or_path.lstrip().startswith("{"):
        return parse_json(text_or_path)
    try:
        return parse_json(read_text(text_or_path))
    except BadJson as error:
        raise BadJson(f"{text_or_path:.200}: {error.message}", error.hint) from error
