from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadJson, SpecError, UnsupportedVersion
from engine.spec_json import (
    digest,
    mask_from_json,
    mask_to_dict,
    parse_json,
    spec_from_dict,
    spec_from_json,
    spec_of_take,
    spec_to_dict,
    spec_to_json,
)
from engine.types import (
    Anchor,
    BrushShape,
    Condition,
    ConditionKind,
    ErrorCode,
    Mask,
    MaskOp,
    PolygonShape,
    RectShape,
    Region,
    RenderSpec,
    SamplerName,
    SamplerSpec,
    Take,
    Task,
    TimeSpan,
)

numbers = st.floats(0.0, 1e4, allow_nan=False)
span_starts = st.tuples(st.floats(0, 100), st.floats(0.001, 100))
time_spans = st.builds(lambda pair: TimeSpan(start_s=pair[0], end_s=pair[0] + pair[1]), span_starts)
outlines = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=5).map(tuple)
shapes = st.one_of(
    st.builds(RectShape, span=time_spans, low_hz=st.floats(0, 10), high_hz=st.none() | st.floats(20, 30)),
    st.builds(PolygonShape, points=outlines),
    st.builds(
        BrushShape,
        points=outlines,
        radius_s=st.floats(0.01, 1),
        radius_hz=st.floats(1, 100),
        op=st.just(MaskOp.ADD),
    ),
)
masks = st.builds(
    Mask, shapes=st.lists(shapes, min_size=1, max_size=3).map(tuple), feather_s=numbers, feather_hz=numbers
)
regions = st.builds(
    Region,
    path=st.text(max_size=20),
    span=st.none() | time_spans,
    anchor=st.none() | st.builds(Anchor, track=st.text(max_size=5), tempo_bpm=st.none() | numbers),
)
conditions = st.builds(
    Condition, kind=st.sampled_from(ConditionKind), value=st.text(max_size=9), weight=st.floats(0.1, 9)
)
samplers = st.builds(
    SamplerSpec,
    name=st.sampled_from(SamplerName),
    steps=st.integers(1, 1000),
    guidance=st.floats(0, 30),
    strength=st.floats(0, 1),
)
specs = st.builds(
    RenderSpec,
    task=st.just(Task.INPAINT),
    prompt=st.text(min_size=1, max_size=30).map(lambda text: "x" + text),
    negative=st.text(max_size=30),
    conditions=st.lists(conditions, max_size=2).map(tuple),
    region=regions,
    mask=masks,
    sampler=samplers,
    seed=st.integers(0, 2**63 - 1),
    takes=st.integers(1, 16),
    match_level=st.booleans(),
    variation=st.floats(0, 1),
    variation_seed=st.integers(0, 2**63 - 1),
)
sweeps = st.builds(
    RenderSpec,
    task=st.just(Task.TRANSFER),
    prompt=st.just("rain"),
    region=regions,
    seed=st.integers(0, 2**63 - 1),
    sweep=st.sets(st.floats(0, 1), min_size=1, max_size=16).map(lambda found: tuple(sorted(found))),
    variation=st.floats(0, 1),
)
SPEC = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=2.5)


@settings(max_examples=80, deadline=None)
@given(specs | sweeps)
def test_a_spec_survives_json(spec: RenderSpec) -> None:
    assert spec_from_json(spec_to_json(spec)) == spec
    assert digest(spec_from_json(json.dumps(spec_to_dict(spec), indent=3))) == digest(spec)


def test_the_digest_is_the_sha256_of_sorted_json_without_spaces() -> None:
    canonical = json.dumps(spec_to_dict(SPEC), sort_keys=True, separators=(",", ":"))
    assert digest(SPEC) == hashlib.sha256(canonical.encode()).hexdigest()


def test_the_digest_tells_specs_apart_but_not_spellings() -> None:
    assert digest(replace(SPEC, seed=1)) != digest(SPEC)
    assert digest(replace(SPEC, duration_s=3)) == digest(replace(SPEC, duration_s=3.0))


def test_absent_keys_take_their_defaults() -> None:
    assert spec_from_json('{"task": "generate", "prompt": "rain", "duration_s": 2.5}') == SPEC


@given(specs | sweeps)
def test_each_take_has_a_spec_that_gives_it_alone(spec: RenderSpec) -> None:
    each = [spec.alone(index) for index in range(spec.takes)]
    assert len({digest(own) for own in each}) == spec.takes
    for own in each:
        assert (own.takes, own.sweep) == (1, ())
        assert own.alone(0) == own
        assert [own.beside(row).row for row in range(own.batch)] == list(range(own.batch))
        assert own.beside(own.row) == own
        assert own.unbatched().batch == 1
        told = Take(
            path="x.wav", seed=own.seed, clap_score=0, peak_db=0, rms_db=0, length_samples=1,
            spec_digest=digest(own),
        )  # fmt: skip
        assert spec_of_take(spec, told) == own


@given(sweeps)
def test_a_sweep_changes_nothing_but_the_strength(spec: RenderSpec) -> None:
    assert spec.takes == len(spec.sweep)
    each = [spec.alone(index) for index in range(spec.takes)]
    assert [own.sampler.strength for own in each] == list(spec.sweep)
    for own in each:
        assert replace(own, sampler=spec.sampler, sweep=spec.sweep) == spec


def test_takes_count_on_from_the_seed_or_from_that_of_the_variation() -> None:
    seeds = [(own.seed, own.variation_seed) for own in map(replace(SPEC, seed=5, takes=3).alone, range(3))]
    assert seeds == [(5, 0), (6, 0), (7, 0)]
    spec = replace(SPEC, seed=5, takes=3, variation=0.3, variation_seed=2**63 - 2)
    seeds = [(own.seed, own.variation_seed) for own in map(spec.alone, range(3))]
    assert seeds == [(5, 2**63 - 2), (5, 2**63 - 1), (5, 0)]


def test_a_take_of_an_older_version_is_told_by_its_seed() -> None:
    spec = replace(SPEC, seed=5, takes=3)
    old = Take(
        path="x.wav", seed=7, clap_score=0.0, peak_db=0.0, rms_db=0.0, length_samples=1, spec_digest="0" * 64
    )
    assert spec_of_take(spec, old) == replace(spec, seed=7, takes=1)


@pytest.mark.parametrize(
    ("task", "sweep", "says"),
    [
        ("generate", [0.5], "only transfer has strengths to sweep, not generate"),
        ("transfer", [0.5, 0.5], "must rise"),
        ("transfer", [0.5, 0.2], "must rise"),
        ("transfer", [-0.1, 0.2], "a sweep's strength must be from 0.0 to 1.0"),
        ("transfer", [0.2, 1.1], "a sweep's strength must be from 0.0 to 1.0"),
        ("transfer", [index / 20 for index in range(17)], "must be from 1 to 16, got 17"),
    ],
)
def test_a_sweep_is_of_a_transfer_and_rises(task: str, sweep: list[float], says: str) -> None:
    content = {"task": task, "prompt": "rain", "duration_s": 1.0, "region": {"path": "a.wav"}, "sweep": sweep}
    with pytest.raises(SpecError, match=says):
        spec_from_dict(content)


@pytest.mark.parametrize(
    "wrong", [{"variation": 1.01}, {"variation": -0.1}, {"variation_seed": -1}, {"variation_seed": 2**63}]
)
def test_variations_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SpecError, match="variation"):
        spec_from_dict({**spec_to_dict(SPEC), **wrong})


def changed(path: str, value: object) -> str:
    """Return the JSON of an inpainting with one value replaced or added."""
    spec = replace(
        SPEC,
        task=Task.INPAINT,
        region=Region(path="a.wav", span=TimeSpan(start_s=0.0, end_s=1.0)),
        mask=Mask(shapes=(RectShape(span=TimeSpan(start_s=0.0, end_s=0.5)),)),
        conditions=(Condition(kind=ConditionKind.TEXT, value="wind"),),
    )
    content = json.loads(spec_to_json(spec))
    target, keys = content, path.split(".")
    for key in keys[:-1]:
        target = target[int(key)] if isinstance(target, list) else target[key]
    target[keys[-1]] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("promt", "rain", "spec.promt is not a known key"),
        ("region.tempo", 1, "spec.region.tempo is not a known key"),
        ("sampler.steps", "20", "spec.sampler.steps must be a whole number, got a text"),
        ("sampler.steps", 20.0, "spec.sampler.steps must be a whole number, got a number"),
        ("sampler.steps", True, "spec.sampler.steps must be a whole number, got true/false"),
        ("sampler.name", "euler", "spec.sampler.name is 'euler', not one of ddpm, ddim"),
        ("sampler.eta", None, "spec.sampler.eta must be a number, got null"),
        ("prompt", 3, "spec.prompt must be a text"),
        ("match_level", 1, "spec.match_level must be true or false"),
        ("region", [], "spec.region must be an object"),
        ("region.span", {"start_s": 0}, "spec.region.span.end_s is missing"),
        ("mask.shapes", {}, "spec.mask.shapes must be a list"),
        ("mask.shapes.0.shape", "circle", "spec.mask.shapes[0].shape is 'circle'"),
        ("mask.shapes.0.span.end_s", "1", "spec.mask.shapes[0].span.end_s must be a number"),
        ("mask.shapes.0.radius_s", 1, "spec.mask.shapes[0].radius_s is not a known key"),
        ("conditions.0.kind", "smell", "spec.conditions[0].kind is 'smell', not one of text, audio"),
        ("duration_s", 10**400, "spec.duration_s is too large"),
    ],
)
def test_what_is_not_the_schema_is_named(path: str, value: object, named: str) -> None:
    with pytest.raises(BadJson) as caught:
        spec_from_json(changed(path, value))
    assert named in caught.value.message
    assert caught.value.code is ErrorCode.BAD_JSON


@pytest.mark.parametrize("version", [2, True, "1", None])
def test_a_spec_of_another_schema_is_told_apart_from_a_wrong_one(version: object) -> None:
    with pytest.raises(UnsupportedVersion, match="spec.schema_version is .*, this version reads 1") as caught:
        spec_from_json(changed("schema_version", version))
    assert caught.value.code is ErrorCode.UNSUPPORTED_VERSION


def test_a_shape_needs_its_kind() -> None:
    with pytest.raises(BadJson, match=r"mask.shapes\[0\].shape is missing"):
        mask_from_json('{"shapes": [{"span": {"start_s": 0, "end_s": 1}}]}')
    with pytest.raises(BadJson, match=r"mask.shapes\[0\].points\[1\] must have 2 entries, got 3"):
        mask_from_json('{"shapes": [{"shape": "polygon", "points": [[0, 1], [1, 2, 3], [2, 2]]}]}')


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("prompt", "x" * 10_000, "at most 2000 characters"),
        ("takes", 17, "takes must be from 1 to 16"),
        ("sampler.strength", 1.5, "spec.sampler: strength must be from 0.0 to 1.0"),
        ("mask", None, "inpaint needs a mask"),
        ("region.span.end_s", 0, "spec.region.span: span must have"),
        ("mask.shapes", [], "at least one shape"),
    ],
)
def test_values_out_of_range_are_wrong_arguments(path: str, value: object, says: str) -> None:
    with pytest.raises(SpecError, match=says) as caught:
        spec_from_json(changed(path, value))
    assert caught.value.code is ErrorCode.BAD_ARGS


def test_an_empty_prompt_is_a_wrong_argument() -> None:
    with pytest.raises(SpecError, match="prompt is empty") as caught:
        spec_from_json('{"task": "generate", "prompt": "  ", "duration_s": 2.5}')
    assert caught.value.code is ErrorCode.BAD_ARGS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("{", "line 1, column 2"),
        ("[" * 100_000, "nesting too deep"),
        ("[" + "9" * 5000 + "]", "too long"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "-Infinity"),
        ('{"a": 1, "a": 2}', "'a' appears twice"),
        (" " * 1_000_001, "more than 1000000 characters"),
    ],
)
def test_what_is_not_plain_json_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadJson, match=says):
        parse_json(text)


@pytest.mark.parametrize("value", [None, 3, "text", [], True])
def test_a_spec_is_an_object(value: object) -> None:
    with pytest.raises(BadJson, match="spec must be an object"):
        spec_from_dict(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["task", "mask", "span", "shapes", "seed"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(json_values)
def test_no_json_value_raises_anything_else(value: object) -> None:
    with pytest.raises(SpecError):
        spec_from_dict(value)


@given(masks)
def test_masks_survive_json(mask: Mask) -> None:
    assert mask_from_json(json.dumps(mask_to_dict(mask))) == mask


def test_infinite_values_in_a_spec_cannot_be_written() -> None:
    mask = Mask(shapes=(PolygonShape(points=((0.0, math.inf), (1.0, 1.0), (2.0, 2.0))),))
    with pytest.raises(BadJson, match="too large"):
        spec_to_json(replace(SPEC, task=Task.INPAINT, region=Region(path="a"), mask=mask))


def test_it_needs_only_the_standard_library() -> None:
    code = "import sys, engine.spec_json; print({'numpy', 'torch', 'soundfile'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
