from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.audio.io import AudioClip, encode
from engine.audio.level import rms
from engine.conditioning import conditioning, similarity
from engine.errors import Cancelled, NanOutput, OutOfMemory, SilentOutput, SpecError
from engine.models.bundle import Bundle, debug_bundle
from engine.render import Preview, Progress, RenderedTake, Stage, TakeDropped, render
from engine.types import (
    Condition,
    ConditionKind,
    Editor,
    ErrorCode,
    Highs,
    Mask,
    RectShape,
    Region,
    RenderSpec,
    SamplerName,
    SamplerSpec,
    Stereo,
    Task,
    TimeSpan,
)

RATE_HZ = 22_050
QUICK = SamplerSpec(steps=2)
GENERATE = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=0.5, sampler=QUICK, model="debug")
TRANSFER = RenderSpec(
    task=Task.TRANSFER, prompt="a dog barks", region=Region(path="unread"), sampler=QUICK, model="debug"
)
BAND = Mask(
    shapes=(RectShape(span=TimeSpan(start_s=0.2, end_s=0.4), low_hz=400, high_hz=2000),), feather_s=0.005
)
INPAINT = replace(TRANSFER, task=Task.INPAINT, mask=BAND)
SUPERRES = replace(TRANSFER, task=Task.SUPERRES, prompt="", cutoff_hz=3000.0)
Event = Progress | TakeDropped


@cache
def cached_bundle() -> Bundle:
    return debug_bundle()


@pytest.fixture
def bundle() -> Bundle:
    return cached_bundle()


def sound(length: int, channels: int = 2, rate_hz: int = RATE_HZ, seed: int = 0) -> AudioClip:
    generator = np.random.default_rng(seed)
    pitches_hz = generator.uniform(200, 900, (channels, 1))
    times_s = np.arange(length) / rate_hz
    audio_NS = 0.3 * np.sin(2 * np.pi * pitches_hz * times_s) + generator.normal(0, 0.02, (channels, length))
    return AudioClip(audio_NS=audio_NS.astype(np.float32), sample_rate_hz=rate_hz, subtype="FLOAT")


def run(
    spec: RenderSpec,
    bundle: Bundle,
    clip: AudioClip | None = None,
    on_event: Callable[[Event], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[RenderedTake]:
    return render(spec, bundle, clip, on_event or (lambda _: None), cancelled)


def audio_of(take: RenderedTake) -> np.ndarray:
    return take.clip.audio_NS


@settings(max_examples=8, deadline=None)
@given(
    spec=st.sampled_from([TRANSFER, INPAINT, SUPERRES]),
    rate_hz=st.sampled_from([8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000]),
    channels=st.sampled_from([1, 2, 8]),
    seconds=st.floats(0.45, 1.2),
    double=st.booleans(),
)
def test_an_edit_keeps_length_rate_channels_and_type(
    *, spec: RenderSpec, rate_hz: int, channels: int, seconds: float, double: bool
) -> None:
    clip = sound(int(seconds * rate_hz), channels, rate_hz)
    if double:
        clip = replace(clip, audio_NS=clip.audio_NS.astype(np.float64), subtype="DOUBLE")
    (take,) = run(spec, cached_bundle(), clip)
    assert audio_of(take).shape == clip.audio_NS.shape
    assert audio_of(take).dtype == clip.audio_NS.dtype
    assert (take.clip.sample_rate_hz, take.clip.subtype) == (rate_hz, clip.subtype)
    assert not np.array_equal(audio_of(take), clip.audio_NS)
    if spec is INPAINT:
        start, stop = round(0.2 * rate_hz), round(0.4 * rate_hz)
        assert np.array_equal(audio_of(take)[:, :start], clip.audio_NS[:, :start])
        assert np.array_equal(audio_of(take)[:, stop:], clip.audio_NS[:, stop:])


@pytest.mark.parametrize("seconds", [0.2, 0.333, 2.56, 2.57, 10.24])
def test_a_generation_has_exactly_the_length_asked_for(bundle: Bundle, seconds: float) -> None:
    (take,) = run(replace(GENERATE, duration_s=seconds, sampler=SamplerSpec(steps=1)), bundle)
    assert audio_of(take).shape == (1, round(seconds * 16_000))
    assert take.clip.sample_rate_hz == 16_000
    assert audio_of(take)[0, -1] == 0.0


@pytest.mark.parametrize("length", [221, 4_410, 225_792])
def test_the_shortest_and_the_longest_region(bundle: Bundle, length: int) -> None:
    clip = sound(length)
    (take,) = run(replace(TRANSFER, sampler=SamplerSpec(steps=1)), bundle, clip)
    assert audio_of(take).shape == (2, length)


@pytest.mark.parametrize("name", list(SamplerName))
def test_each_take_comes_out_the_same_alone(bundle: Bundle, name: SamplerName) -> None:
    spec = replace(INPAINT, sampler=SamplerSpec(name=name, steps=2, eta=1.0), seed=5, takes=2)
    clip = sound(12_000)
    together = {take.seed: take for take in run(spec, bundle, clip)}
    assert set(together) == {5, 6}
    for seed, take in together.items():
        (alone,) = run(take.spec, bundle, clip)
        assert np.array_equal(audio_of(alone), audio_of(take))
        (unbatched,) = run(replace(spec, seed=seed, takes=1), bundle, clip)
        assert np.abs(audio_of(unbatched) - audio_of(take)).max() < 1e-5
    assert not np.array_equal(audio_of(together[5]), audio_of(together[6]))


@pytest.mark.parametrize("together", [1, 2, 8])
def test_the_takes_of_a_real_model_come_out_the_same_in_the_batch_that_their_specs_tell(
    starter: Bundle, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.render.takes_per_call", lambda _bundle, _part: together)
    spec = replace(GENERATE, model="starter", takes=3, sampler=SamplerSpec(steps=6))
    takes = run(spec, starter)
    assert [take.spec.batch for take in takes] == [3, 3, 3]
    last = next(take for take in takes if take.spec.row == 2)
    (alone,) = run(last.spec, starter)
    assert np.array_equal(audio_of(alone), audio_of(last))
    (unbatched,) = run(last.spec.unbatched(), starter)
    # A hundred times less than what 16 bits can tell apart.
    assert np.abs(audio_of(unbatched) - audio_of(last)).max() < 3e-4 * np.abs(audio_of(last)).max()


def test_takes_are_ranked_by_score_and_ties_by_seed(bundle: Bundle) -> None:
    takes = run(replace(GENERATE, takes=4), bundle)
    scores = [take.ranking.total for take in takes]
    assert scores == sorted(scores, reverse=True)
    target_BE = bundle.clap.embed_text(["rain"])
    for take in takes:
        assert take.ranking.prompt_score == pytest.approx(similarity(take.clip, bundle, target_BE))
    deaf = replace(bundle, card=replace(bundle.card, clap_hears=False))
    unheard = run(replace(GENERATE, takes=3, seed=8), deaf)
    ranks = [(-take.ranking.total, take.seed) for take in unheard]
    assert ranks == sorted(ranks)
    assert {take.ranking.prompt_score for take in unheard} == {0.0}


def test_strength_zero_changes_nothing_and_one_forgets_the_source(bundle: Bundle) -> None:
    first, second = sound(8_000, seed=1), sound(8_000, seed=2)

    def at(strength: float, clip: AudioClip, seed: int = 0) -> np.ndarray:
        spec = replace(TRANSFER, sampler=replace(QUICK, strength=strength), seed=seed)
        return audio_of(run(replace(spec, stereo=Stereo.MID, highs=Highs.DROP), bundle, clip)[0])

    assert np.array_equal(at(0.0, first), first.audio_NS)
    assert not np.array_equal(at(0.5, first, seed=1), at(0.5, first, seed=2))
    inner = slice(500, -500)

    def likeness(strength: float) -> float:
        middles = [at(strength, clip)[:, inner].mean(axis=0) for clip in (first, second)]
        return float(np.corrcoef(*middles)[0, 1])

    # What is left of the source is the crossover's slope.
    assert likeness(1.0) > 0.95
    assert likeness(0.2) < likeness(1.0)


def test_a_transfer_keeps_loudness_and_panning(bundle: Bundle) -> None:
    clip = sound(20_000)
    clip = replace(clip, audio_NS=clip.audio_NS * np.array([[1.0], [0.1]], dtype=np.float32))
    (take,) = run(TRANSFER, bundle, clip)
    assert take.contract is not None
    assert take.contract.loudness_after_lufs == pytest.approx(take.contract.loudness_before_lufs, abs=0.5)
    balances_db = [20 * np.log10(rms(both[1]) / rms(both[0])) for both in (clip.audio_NS, audio_of(take))]
    assert balances_db[1] == pytest.approx(balances_db[0], abs=0.5)


def test_an_inpainting_has_the_loudness_of_what_it_replaces(bundle: Bundle) -> None:
    clip = replace(sound(20_000), audio_NS=np.random.default_rng(0).normal(0, 0.1, (2, 20_000)))
    mask = Mask(shapes=(RectShape(span=TimeSpan(start_s=0.2, end_s=0.8)),))
    (take,) = run(replace(INPAINT, mask=mask), bundle, clip)
    assert take.contract is not None
    # The part above the model's band is matched by following, not by measuring.
    assert take.contract.loudness_after_lufs == pytest.approx(take.contract.loudness_before_lufs, abs=1.0)


def test_superresolution_leaves_what_lies_below_the_cutoff(bundle: Bundle) -> None:
    clip = sound(RATE_HZ, rate_hz=RATE_HZ)
    (take,) = run(SUPERRES, bundle, clip)
    change = np.abs(np.fft.rfft((audio_of(take) - clip.audio_NS)[0] * np.hanning(RATE_HZ)))
    assert change[:2500].max() < 1e-3 * change[3500:8000].max()


def test_a_sweep_gives_the_takes_of_its_strengths_in_their_order(bundle: Bundle) -> None:
    clip = sound(12_000)
    spec = replace(TRANSFER, sweep=(0.0, 0.3, 0.6, 1.0), seed=4, sampler=SamplerSpec(steps=4))
    takes = run(spec, bundle, clip)
    assert [take.spec.sampler.strength for take in takes] == [0.0, 0.3, 0.6, 1.0]
    assert {take.seed for take in takes} == {4}
    assert np.array_equal(audio_of(takes[0]), clip.audio_NS)
    for take in takes:
        sampler = replace(spec.sampler, strength=take.spec.sampler.strength)
        (alone,) = run(replace(spec, sweep=(), sampler=sampler, takes=1), bundle, clip)
        assert np.array_equal(audio_of(alone), audio_of(take))
        assert alone.ranking == take.ranking


def test_a_sweep_of_strength_zero_alone_needs_no_model(bundle: Bundle) -> None:
    clip = sound(8_000)
    (take,) = run(replace(TRANSFER, sweep=(0.0,)), replace(bundle, vocoder=Replaced()), clip)
    assert np.array_equal(audio_of(take), clip.audio_NS)


@pytest.mark.parametrize("name", [SamplerName.DDPM, SamplerName.DPMPP_2M])
def test_a_variation_lies_between_its_take_and_another(bundle: Bundle, name: SamplerName) -> None:
    spec = replace(GENERATE, seed=3, sampler=SamplerSpec(name=name, steps=2))

    def at(variation: float, seed: int = 3) -> np.ndarray:
        (take,) = run(replace(spec, seed=seed, variation=variation, variation_seed=9), bundle)
        return audio_of(take)

    assert np.array_equal(at(0.0), audio_of(run(spec, bundle)[0]))
    assert np.array_equal(at(1.0), at(0.0, seed=9))
    assert not np.array_equal(at(0.5), at(0.0))
    assert np.abs(at(0.02) - at(0.0)).mean() < np.abs(at(0.5) - at(0.0)).mean()


def test_variations_keep_the_seed_and_come_out_the_same_alone(bundle: Bundle) -> None:
    clip = sound(12_000)
    spec = replace(TRANSFER, seed=3, variation=0.4, variation_seed=7, takes=3)
    takes = run(spec, bundle, clip)
    assert {take.seed for take in takes} == {3}
    assert sorted(take.spec.variation_seed for take in takes) == [7, 8, 9]
    totals = [take.ranking.total for take in takes]
    assert totals == sorted(totals, reverse=True)
    (alone,) = run(takes[0].spec, bundle, clip)
    assert np.array_equal(audio_of(alone), audio_of(takes[0]))


def test_progress_counts_every_step_of_every_take(bundle: Bundle) -> None:
    events: list[Event] = []
    run(
        replace(TRANSFER, takes=2, sampler=SamplerSpec(steps=4, strength=1.0)),
        bundle,
        sound(8_000),
        events.append,
    )
    seen = [
        (event.stage, event.take, event.step, event.total) for event in events if isinstance(event, Progress)
    ]
    one_take = [(Stage.DECODE, 0, 1), (Stage.DECODE, 1, 1), (Stage.RANK, 1, 1)]
    expected = [(Stage.ENCODE, 1, 1, 1), *((Stage.SAMPLE, 1, step, 4) for step in (1, 2, 3, 4))]
    expected += [(stage, take, step, total) for take in (1, 2) for stage, step, total in one_take]
    assert seen == expected


@pytest.mark.parametrize(
    ("spec", "strength", "steps", "counted"),
    [(GENERATE, 1.0, 8, 8), (INPAINT, 1.0, 8, 8), (TRANSFER, 1.0, 8, 8), (TRANSFER, 0.6, 5, 3)],
)
def test_steps_are_counted_as_they_were_chosen(
    bundle: Bundle, spec: RenderSpec, strength: float, steps: int, counted: int
) -> None:
    """A mask goes through some steps again, and each voice through all of them: nobody chose that many."""
    chosen = replace(
        spec, editor=Editor.RENOISE, sampler=replace(spec.sampler, steps=steps, strength=strength)
    )
    events: list[Event | Preview] = []
    clip = sound(12_000) if spec.task.needs_region else None
    render(chosen, bundle, clip, events.append, lambda: False, preview_every=2)
    sampled = [one for one in events if isinstance(one, Progress) and one.stage is Stage.SAMPLE]
    told = [one.step for one in sampled]
    assert {one.total for one in sampled} == {counted}
    assert told == sorted(told) and told[-1] == counted and set(told) >= set(range(1, counted + 1))
    heard = [one.step for one in events if isinstance(one, Preview)]
    assert heard == list(range(2, counted, 2))


@pytest.mark.parametrize("spec", [TRANSFER, INPAINT, GENERATE])
def test_a_render_stops_at_whatever_event_it_is_cancelled(bundle: Bundle, spec: RenderSpec) -> None:
    clip = sound(8_000 if spec is TRANSFER else 12_000) if spec.task.needs_region else None
    total: list[Event] = []
    run(spec, bundle, clip, total.append)
    for stop_after in range(len(total)):
        assert events_until_cancelled(spec, bundle, clip, stop_after) == total[:stop_after]


def events_until_cancelled(
    spec: RenderSpec, bundle: Bundle, clip: AudioClip | None, stop_after: int
) -> list[Event]:
    events: list[Event] = []
    with pytest.raises(Cancelled):
        run(spec, bundle, clip, events.append, lambda: len(events) >= stop_after)
    return events


class Replaced:
    """A vocoder that gives what it is told, once for each take."""

    hop_samples = 160

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def __call__(self, mel_BTM: Tensor) -> Tensor:
        return torch.full((1, mel_BTM.shape[1] * 160), self.values.pop(0))


@pytest.mark.parametrize(
    ("value", "kind", "code"),
    [
        (float("nan"), NanOutput, ErrorCode.NAN_OUTPUT),
        (float("inf"), NanOutput, ErrorCode.NAN_OUTPUT),
        (0.0, SilentOutput, ErrorCode.SILENT_OUTPUT),
    ],
)
def test_a_take_without_sound_is_an_error(
    bundle: Bundle, value: float, kind: type[Exception], code: ErrorCode
) -> None:
    broken = replace(bundle, vocoder=Replaced(value))
    with pytest.raises(kind) as caught:
        run(GENERATE, broken)
    assert caught.value.code is code


def test_one_bad_take_does_not_take_the_others_with_it(bundle: Bundle) -> None:
    events: list[Event] = []
    takes = run(
        replace(GENERATE, takes=3),
        replace(bundle, vocoder=Replaced(0.1, float("nan"), 0.2)),
        None,
        events.append,
    )
    assert sorted(take.seed for take in takes) == [0, 2]
    (dropped,) = (event for event in events if isinstance(event, TakeDropped))
    assert (dropped.seed, dropped.error.code) == (1, ErrorCode.NAN_OUTPUT)


def test_lack_of_memory_has_its_own_error(bundle: Bundle) -> None:
    class Greedy(Replaced):
        def __call__(self, mel_BTM: Tensor) -> Tensor:
            raise RuntimeError(
                f"DefaultCPUAllocator: not enough memory: you tried to allocate {mel_BTM.shape}"
            )

    with pytest.raises(OutOfMemory):
        run(GENERATE, replace(bundle, vocoder=Greedy()))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (replace(INPAINT, mask=Mask(shapes=(RectShape(span=TimeSpan(start_s=0.9, end_s=1.1)),))), "1 s long"),
        (
            replace(INPAINT, mask=Mask(shapes=(RectShape(span=TimeSpan(start_s=0, end_s=1), low_hz=8000),))),
            "8000 Hz",
        ),
        (
            replace(INPAINT, mask=Mask(shapes=(RectShape(span=TimeSpan(start_s=0.5, end_s=0.500001)),))),
            "less than one sample",
        ),
        (replace(SUPERRES, cutoff_hz=8000.0), "cutoff of 8000 Hz"),
        (replace(SUPERRES, cutoff_hz=-1.0), "cutoff of -1 Hz"),
    ],
)
def test_what_does_not_fit_the_clip_is_a_wrong_argument(bundle: Bundle, spec: RenderSpec, says: str) -> None:
    with pytest.raises(SpecError, match=says) as caught:
        run(spec, bundle, sound(RATE_HZ))
    assert caught.value.code is ErrorCode.BAD_ARGS


def test_what_the_model_cannot_do_is_a_wrong_argument(bundle: Bundle) -> None:
    only_edits = replace(bundle, card=replace(bundle.card, tasks=(Task.TRANSFER,)))
    with pytest.raises(SpecError, match="cannot generate; it can: transfer"):
        run(GENERATE, only_edits)


def test_conditions_are_mixed_on_the_sphere(bundle: Bundle, tmp_path: Path) -> None:
    clip = sound(20_000)
    path = tmp_path / "like.wav"
    path.write_bytes(encode(clip))
    both = (
        Condition(kind=ConditionKind.TEXT, value="rain", weight=3.0),
        Condition(kind=ConditionKind.AUDIO, value=str(path), weight=1.0),
    )
    mixed = conditioning(replace(GENERATE, prompt="", conditions=both), bundle, None)
    text_E = bundle.clap.embed_text(["rain"])[0]
    audio_E = conditioning(replace(GENERATE, prompt="", conditions=both[1:]), bundle, None).course.rows_KE[0]
    angle = torch.arccos(text_E @ audio_E)
    assert torch.arccos(mixed.course.rows_KE[0] @ text_E) == pytest.approx(float(angle / 4), abs=1e-3)
    assert torch.equal(mixed.negative_1E, bundle.clap.embed_text([""]))


def test_the_context_of_a_short_region_reaches_the_model(bundle: Bundle) -> None:
    file = sound(RATE_HZ * 3)
    cut = replace(file, audio_NS=file.audio_NS[:, 30_000:34_000])
    with_context = replace(cut, before_NS=file.audio_NS[:, :30_000], after_NS=file.audio_NS[:, 34_000:])
    alone, inside = (audio_of(run(TRANSFER, bundle, clip)[0]) for clip in (cut, with_context))
    assert alone.shape == inside.shape
    assert not np.allclose(alone, inside, atol=1e-4)


def test_superresolution_starts_where_the_highs_end_and_says_when_nothing_is_missing(bundle: Bundle) -> None:
    full = replace(sound(RATE_HZ), audio_NS=np.random.default_rng(0).normal(0, 0.1, (1, RATE_HZ)))
    with pytest.raises(SpecError, match="nothing is missing"):
        run(replace(SUPERRES, cutoff_hz=None), bundle, full)
    spectrum = np.fft.rfft(full.audio_NS)
    spectrum[:, 5_000:] = 0
    dull = replace(full, audio_NS=np.fft.irfft(spectrum, RATE_HZ))
    (take,) = run(replace(SUPERRES, cutoff_hz=None), bundle, dull)
    change = np.abs(np.fft.rfft((audio_of(take) - dull.audio_NS)[0] * np.hanning(RATE_HZ)))
    assert change[:4_500].max() < 1e-3 * change[5_500:7_000].max()


def test_stereo_voices_share_their_noise(bundle: Bundle) -> None:
    """From pure noise both channels of a region come out as one sound."""
    spec = replace(TRANSFER, stereo=Stereo.CHANNELS, highs=Highs.DROP, sampler=replace(QUICK, strength=1.0))
    (take,) = run(spec, bundle, sound(20_000))
    left_S, right_S = audio_of(take)[:, 500:-500]
    assert np.corrcoef(left_S, right_S)[0, 1] > 0.95
