"""Requests to specs: what the request says, then the board; and the way back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.morph import Preset, Prompts
from daw_bridge.live.specs import RenderRequest, preset_of, spec_of
from daw_bridge.messages.jobs import Generate, Inpaint, Submit, Superres, Transfer
from daw_bridge.messages.parameters import PARAMETERS
from engine.errors import BadJson, EngineError, NotFound, SpecError, UnsupportedVersion
from engine.spec_json import mask_to_dict, spec_from_json, spec_to_dict, spec_to_json
from engine.types import (
    DEFAULT_EDITOR,
    Condition,
    ConditionKind,
    Editor,
    Mask,
    RectShape,
    Region,
    RenderSpec,
    SamplerName,
    SamplerSpec,
    Task,
    TimeSpan,
)
from tests.unit.osc_values import values

MASK = Mask(shapes=(RectShape(span=TimeSpan(start_s=0.5, end_s=1.0), low_hz=200.0),))
MASK_JSON = json.dumps(mask_to_dict(MASK))
SPAN = {"start_s": 1.0, "end_s": 2.0}
GENERATE = Generate(rid="r", prompt="rain", seconds=3.0)
TRANSFER = Transfer(rid="r", path="loop.wav", prompt="bells", strength=0.25)
INPAINT = Inpaint(rid="r", path="loop.wav", prompt="bells", mask=MASK_JSON)
SUPERRES = Superres(rid="r", path="loop.wav")
WITH_OPTIONS = (GENERATE, TRANSFER, INPAINT, SUPERRES)
FILES = {"mask.json": MASK_JSON, "broken.json": "{", "list.json": "[1]"}

board_values = st.fixed_dictionaries(
    {name: values(kind) for name, kind in PARAMETERS.items()}
    | {"prompt": st.text("ab ", min_size=1, max_size=5).map("x".__add__)}
).filter(lambda found: found["highs"] != "model" or found["highs_model"])


def read_text(path: str) -> str:
    if path not in FILES:
        raise NotFound(f"no {path}")
    return FILES[path]


def unnamed(delivery: object, chain: object) -> object:
    """Return no delivery, whatever names the board has; what is in full stays as it is."""
    return delivery if not isinstance(delivery, str) else None


def made(request: RenderRequest, board: ParameterBoard | None = None) -> RenderSpec:
    return spec_of(request, board or ParameterBoard(), read_text, unnamed)


def board_with(**board_values: Any) -> ParameterBoard:
    board = ParameterBoard()
    for name, value in board_values.items():
        board.set(name, value)
    return board


def with_options(request: RenderRequest, **options: Any) -> RenderRequest:
    return replace(request, options=options)  # type: ignore[call-arg]


def submitted(content: object) -> Submit:
    return Submit(rid="r", spec=json.dumps(content))


def test_a_request_alone_makes_the_spec_that_it_says() -> None:
    region = Region(path="loop.wav")
    assert made(GENERATE) == RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=3.0)
    assert made(TRANSFER) == RenderSpec(
        task=Task.TRANSFER,
        prompt="bells",
        region=region,
        sampler=SamplerSpec(strength=0.25),
        editor=DEFAULT_EDITOR,
    )
    assert made(INPAINT) == RenderSpec(task=Task.INPAINT, prompt="bells", region=region, mask=MASK)
    assert made(SUPERRES) == RenderSpec(task=Task.SUPERRES, region=region)


def test_the_board_fills_what_the_request_leaves_open() -> None:
    board = board_with(
        steps=7,
        sampler="ddim",
        strength=0.9,
        seed=5,
        takes=3,
        model="large",
        match_level=False,
        negative="hum",
    )
    spec = made(TRANSFER, board)
    assert spec.sampler == SamplerSpec(name=SamplerName.DDIM, steps=7, strength=0.25)
    assert (spec.seed, spec.takes, spec.model, spec.match_level, spec.negative) == (
        5,
        3,
        "large",
        False,
        "hum",
    )
    assert made(INPAINT, board).sampler.strength == 0.9


def test_options_come_before_the_board_and_arguments_before_options() -> None:
    board = board_with(steps=7, eta=0.5, seed=5)
    sampler = {"steps": 9, "strength": 1.0}
    request = with_options(
        TRANSFER, seed=6, sampler=sampler, prompt="a choir", region={"path": "other.wav", "span": SPAN}
    )
    spec = made(request, board)
    assert spec.sampler == SamplerSpec(steps=9, eta=0.5, strength=0.25)
    assert spec.seed == 6 and spec.prompt == "bells"
    assert spec.region == Region(path="loop.wav", span=TimeSpan(start_s=1.0, end_s=2.0))


@pytest.mark.parametrize("request_", WITH_OPTIONS, ids=lambda request: type(request).__name__)
def test_the_spec_beside_a_take_may_be_handed_back_as_options(request_: RenderRequest) -> None:
    spec = made(with_options(request_, seed=77, takes=2))
    board = board_with(seed=1, steps=3, guidance=9.0, negative="hum")
    assert made(with_options(request_, **spec_to_dict(spec)), board) == spec


@pytest.mark.parametrize("request_", WITH_OPTIONS, ids=lambda request: type(request).__name__)
@given(board_values)
def test_whatever_the_board_says_the_spec_is_valid(request_: RenderRequest, found: dict[str, Any]) -> None:
    board = ParameterBoard()
    board.load(Preset(values=found))
    spec = made(request_, board)
    assert spec_from_json(spec_to_json(spec)) == spec


@given(board_values, st.text("cd", min_size=1, max_size=3))
def test_a_spec_gives_back_the_board_that_made_it(found: dict[str, Any], prompt_b: str) -> None:
    board, other = ParameterBoard(), ParameterBoard()
    board.load(Preset(values=found, prompt_b=prompt_b))
    request = Generate(rid="r", prompt="", seconds=3.0)
    spec = made(request, board)
    other.load(preset_of(spec))
    again = made(request, other)
    assert parts(again) == pytest.approx(parts(spec), abs=1e-9)
    assert replace(again, prompt="x", conditions=()) == replace(spec, prompt="x", conditions=())


def parts(spec: RenderSpec) -> dict[str, float]:
    """Return how much of the whole each text is; of almost nothing, nothing."""
    weights = {spec.prompt: 1.0} | {each.value: each.weight for each in spec.conditions}
    return {text: weight / sum(weights.values()) for text, weight in weights.items() if weight > 1e-12}


def test_an_empty_prompt_takes_that_of_the_board() -> None:
    request = Generate(rid="r", prompt=" ", seconds=3.0)
    assert made(request, board_with(prompt="rain")).prompt == "rain"
    assert made(with_options(request, prompt="birds"), board_with(prompt="rain")).prompt == "birds"


def test_an_empty_prompt_takes_the_prompt_morph_of_the_board() -> None:
    board = ParameterBoard()
    board.morph_prompts("rain", "a large hall", 0.8)
    spec = made(Transfer(rid="r", path="loop.wav", prompt="", strength=0.5), board)
    (other,) = spec.conditions
    assert spec.prompt == "a large hall" and other.kind is ConditionKind.TEXT and other.value == "rain"
    assert other.weight == pytest.approx(0.25)
    board.set("morph", 0.0)
    again = made(Transfer(rid="r", path="loop.wav", prompt="", strength=0.5), board)
    assert again.prompt == "rain" and again.conditions == ()


def test_conditions_alone_are_a_request_of_their_own() -> None:
    like = {"kind": "audio", "value": "like.wav"}
    request = with_options(Generate(rid="r", prompt="", seconds=3.0), conditions=[like])
    spec = made(request, board_with(prompt="rain"))
    assert spec.prompt == "" and spec.conditions == (Condition(kind=ConditionKind.AUDIO, value="like.wav"),)


def test_superres_goes_by_the_sound_unless_it_is_told() -> None:
    board = board_with(prompt="rain")
    assert made(SUPERRES, board).prompt == ""
    assert made(with_options(SUPERRES, prompt="birds"), board).prompt == "birds"


def test_nothing_to_hear_is_refused() -> None:
    with pytest.raises(SpecError, match="the prompt is empty"):
        made(Generate(rid="r", prompt="", seconds=3.0))


@pytest.mark.parametrize("seed", [-1, -(2**40)])
def test_a_negative_seed_is_that_of_the_board(seed: int) -> None:
    board = board_with(seed=5)
    assert made(with_options(GENERATE, seed=seed), board).seed == 5
    assert made(submitted(spec_to_dict(made(GENERATE)) | {"seed": seed}), board).seed == 5


@pytest.mark.parametrize(
    ("board_from", "board_to", "given_", "expected"),
    [
        (0.8, 0.2, {}, (0.8, 0.2)),
        (0.2, 0.8, {}, (0.8, 0.2)),
        (0.8, 0.5, {"guidance_from": 0.3}, (0.3, 0.3)),
        (0.5, 0.2, {"guidance_to": 0.7}, (0.7, 0.7)),
        (0.5, 0.2, {"guidance_from": 0.9, "guidance_to": 0.6}, (0.9, 0.6)),
    ],
)
def test_the_ends_of_the_guidance_interval_always_go_together(
    board_from: float, board_to: float, given_: dict[str, float], expected: tuple[float, float]
) -> None:
    board = board_with(guidance_from=board_from, guidance_to=board_to)
    sampler = made(with_options(GENERATE, sampler=given_), board).sampler
    assert (sampler.guidance_from, sampler.guidance_to) == expected


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"stepz": 3}, BadJson, r"spec\.stepz is not a known key"),
        ({"sampler": {"stepz": 3}}, BadJson, r"spec\.sampler\.stepz is not a known key"),
        ({"sampler": {"steps": "many"}}, BadJson, r"spec\.sampler\.steps must be a whole number"),
        ({"sampler": {"steps": 0}}, SpecError, "steps must be from 1 to 1000"),
        ({"sampler": {"guidance_from": "x"}}, BadJson, r"spec\.sampler\.guidance_from must be a number"),
        ({"sampler": {"guidance_from": 0.2, "guidance_to": 0.4}}, SpecError, "guidance interval"),
        ({"sampler": 3}, BadJson, r"spec\.sampler must be an object"),
        ({"region": "loop.wav"}, BadJson, r"spec\.region must be an object"),
        ({"seed": "7"}, BadJson, r"spec\.seed must be a whole number"),
        ({"task": "generate"}, SpecError, r"options\.task is 'generate', not transfer"),
        ({"schema_version": 2}, UnsupportedVersion, "schema_version is 2"),
    ],
)
def test_options_are_read_as_strictly_as_any_spec(
    options: dict[str, Any], error: type[EngineError], told: str
) -> None:
    with pytest.raises(error, match=told):
        made(with_options(TRANSFER, **options))


def test_masks_and_specs_may_be_files_that_the_service_reads() -> None:
    assert made(replace(INPAINT, mask="mask.json")).mask == MASK
    with pytest.raises(NotFound, match=r"nowhere\.json"):
        made(replace(INPAINT, mask="nowhere.json"))
    with pytest.raises(BadJson, match=r"^broken\.json: not valid JSON"):
        made(replace(INPAINT, mask="broken.json"))
    with pytest.raises(BadJson, match=r"spec\.mask must be an object"):
        made(replace(INPAINT, mask="list.json"))
    with pytest.raises(BadJson, match="spec must be an object"):
        made(Submit(rid="r", spec="list.json"))


def test_a_submitted_spec_is_whole_and_the_board_leaves_it_alone() -> None:
    spec = replace(made(TRANSFER), seed=3)
    board = board_with(steps=3, seed=9, prompt="rain", guidance=9.0, takes=5)
    assert made(submitted(spec_to_dict(spec)), board) == spec
    least: dict[str, object] = {"task": "superres", "region": {"path": "loop.wav"}}
    assert made(submitted(least), board) == replace(made(SUPERRES), seed=9)
    of_before = least | {"task": "transfer", "prompt": "bells"}
    assert made(submitted(of_before), board).editor is Editor.RENOISE


def test_what_only_a_transfer_has_is_not_in_other_specs() -> None:
    board = board_with(editor="invert", source_prompt="a drum loop", keep_rhythm=True)
    edited = made(TRANSFER, board)
    assert (edited.editor, edited.source_prompt, edited.keep_rhythm) == (Editor.INVERT, "a drum loop", True)
    for request in (GENERATE, INPAINT, SUPERRES):
        assert made(request, board) == made(request)


def test_the_file_beside_a_take_may_be_submitted_as_it_is() -> None:
    spec = made(TRANSFER)
    assert made(submitted({"schema_version": 1, "spec": spec_to_dict(spec), "take": {}})) == spec


def test_a_submitted_spec_is_read_strictly() -> None:
    with pytest.raises(BadJson, match=r"spec\.prompts is not a known key"):
        made(submitted(spec_to_dict(made(GENERATE)) | {"prompts": []}))


def test_a_recalled_spec_sets_the_second_prompt_too() -> None:
    like = Condition(kind=ConditionKind.TEXT, value="a large hall", weight=0.25)
    preset = preset_of(replace(made(GENERATE), conditions=(like,)))
    assert preset.prompts == Prompts(first="rain", second="a large hall", position=0.2)
    assert preset_of(replace(made(GENERATE), conditions=(like, like))).prompt_b is None


def test_a_recalled_spec_with_what_no_parameter_takes_is_refused() -> None:
    with pytest.raises(SpecError, match="prompt must be a text without NUL"):
        preset_of(replace(made(GENERATE), prompt="a\0b"))
