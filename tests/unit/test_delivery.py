"""What is done to finished takes: effects, loudness, fades, formats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.io import AudioClip, encode
from engine.chains import Chain, Effect, Tail
from engine.delivery import Delivery, FileFormat, SampleBits
from engine.edit.loudness import loudness_lufs, true_peak_db
from engine.errors import AudioMissing, Cancelled, SpecError
from engine.finishing import Finished, Finisher, note_of
from engine.fx.child import HostLimits
from engine.spec_json import spec_from_json, spec_to_json
from engine.types import ErrorCode, RenderSpec, Task
from tests.unit.odd_plugins import ZAM, OddPlugins

RATE_HZ = 48_000
HALF = Chain(name="half", effects=(Effect(effect="gain", parameters={"gain_db": -6.0205999}),))
ECHO = Chain(
    effects=(Effect(effect="delay", parameters={"delay_seconds": 0.1, "feedback": 0.0, "mix": 0.5}),),
    tail=Tail.RING,
    tail_s=1.0,
)
COMPRESSOR = Effect(plugin=str(ZAM / "ZamComp.vst3"), parameters={"threshold_db": -30.0})
BROKEN = Chain(effects=(Effect(plugin="/nowhere/Missing.vst3"),))


def clip(seconds: float = 0.5, channels: int = 2, amplitude: float = 0.1, **changes: object) -> AudioClip:
    generator = np.random.default_rng(0)
    audio_NS = generator.uniform(-amplitude, amplitude, (channels, round(seconds * RATE_HZ)))
    made = AudioClip(audio_NS=audio_NS.astype(np.float32), sample_rate_hz=RATE_HZ, subtype="FLOAT")
    return replace(made, **changes)  # type: ignore[arg-type]


def spec(delivery: Delivery | None) -> RenderSpec:
    return RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=0.5, seed=3, delivery=delivery)


def finished(
    delivery: Delivery | None, sound: AudioClip, new_samples: tuple[tuple[int, int], ...] | None = None
) -> Finished:
    finisher = Finisher()
    try:
        stretches = ((0, sound.length_samples),) if new_samples is None else new_samples
        return finisher.finished(spec(delivery), sound, stretches, lambda: False)
    finally:
        finisher.close()


def test_without_a_delivery_a_take_stays_as_it_was_made() -> None:
    sound = clip()
    for delivery in (None, Delivery()):
        done = finished(delivery, sound)
        assert done.is_as_made and done.clip.audio_NS is sound.audio_NS and note_of(done) == ""


def test_a_chain_is_heard_in_a_whole_take() -> None:
    sound = clip()
    done = finished(Delivery(chain=HALF), sound)
    assert done.dry is None and not done.is_as_made
    assert np.abs(done.clip.audio_NS - sound.audio_NS / 2).max() < 1e-6
    assert done.report is not None and (done.report["chain"], done.report["is_wet"]) == ("half", True)


def test_a_ringing_chain_makes_a_longer_take() -> None:
    sound = clip()
    done = finished(Delivery(chain=ECHO), sound)
    late = round(0.1 * RATE_HZ)
    assert done.clip.length_samples == sound.length_samples + late
    assert np.abs(done.clip.audio_NS[:, -late:] - sound.audio_NS[:, -late:] / 2).max() < 1e-6


@settings(deadline=None, max_examples=10)
@given(
    start=st.integers(0, 20_000), length=st.integers(1, 4_000), subtype=st.sampled_from(["PCM_16", "FLOAT"])
)
def test_of_a_masked_take_the_chain_is_heard_in_the_new_part_alone(
    start: int, length: int, subtype: str
) -> None:
    sound = clip(subtype=subtype)
    finisher = Finisher()
    try:
        new = ((start, start + length),)
        done = finisher.finished(spec(Delivery(chain=HALF)), sound, new, lambda: False).clip.audio_NS
    finally:
        finisher.close()
    outside = np.ones(sound.length_samples, dtype=bool)
    outside[start : start + length] = False
    assert np.array_equal(done[:, outside], sound.audio_NS[:, outside])
    inside = done[:, start : start + length]
    fade = round(0.005 * RATE_HZ)
    wet_NS = sound.audio_NS[:, start : start + length] / 2
    assert np.abs(inside[:, fade:-fade] - wet_NS[:, fade:-fade]).max(initial=0.0) < 1e-6
    assert np.abs(np.diff(done - sound.audio_NS)).max() < 0.1


def test_loudness_and_fades_are_not_for_what_keeps_a_part_of_its_source() -> None:
    sound = clip()
    done = finished(Delivery(loudness_lufs=-23.0, fade_out_s=0.1), sound, ((1_000, 2_000),))
    assert np.array_equal(done.clip.audio_NS, sound.audio_NS)
    assert "loudness and fades were left as they are" in note_of(done)


@settings(deadline=None, max_examples=15)
@given(target_lufs=st.floats(-40, -12), amplitude=st.floats(0.01, 1.0), channels=st.integers(1, 5))
def test_a_take_comes_to_its_loudness(target_lufs: float, amplitude: float, channels: int) -> None:
    # More channels of noise have less room below the ceiling.
    done = finished(Delivery(loudness_lufs=target_lufs), clip(2.0, channels, amplitude))
    assert loudness_lufs(done.clip.audio_NS, RATE_HZ) == pytest.approx(target_lufs, abs=0.1)
    assert true_peak_db(done.clip.audio_NS) <= -0.99


def test_what_is_too_loud_for_its_peaks_is_limited() -> None:
    done = finished(Delivery(loudness_lufs=-3.0, peak_dbtp=-2.0), clip(1.0))
    assert true_peak_db(done.clip.audio_NS) == pytest.approx(-2.0, abs=0.05)


def test_silence_has_no_loudness_to_be_brought_to() -> None:
    silent = replace(clip(), audio_NS=np.zeros((1, 9_000), np.float32))
    done = finished(Delivery(loudness_lufs=-16.0), silent)
    assert not done.clip.audio_NS.any() and done.report is not None and done.report["loudness_lufs"] is None


@given(fade_in_s=st.floats(0, 1), fade_out_s=st.floats(0, 1))
def test_fades_begin_and_end_in_silence_and_touch_nothing_else(fade_in_s: float, fade_out_s: float) -> None:
    sound = clip(amplitude=0.5)
    ones = replace(sound, audio_NS=np.full((1, 24_000), 0.5, np.float32))
    faded_S = finished(Delivery(fade_in_s=fade_in_s, fade_out_s=fade_out_s), ones).clip.audio_NS[0]
    rise, fall = (min(24_000, round(fade_s * RATE_HZ)) for fade_s in (fade_in_s, fade_out_s))
    assert rise == 0 or faded_S[0] == 0.0
    assert fall == 0 or abs(faded_S[-1]) < 1e-6
    assert np.array_equal(faded_S[rise : 24_000 - fall], ones.audio_NS[0, rise : 24_000 - fall])
    assert np.diff(faded_S[: 24_000 - fall]).min(initial=0.0) > -1e-6


@pytest.mark.parametrize(
    ("container", "subtype", "delivery", "expected"),
    [
        ("WAV", "FLOAT", Delivery(bits=SampleBits.PCM_16), ("WAV", "PCM_16", "")),
        ("FLAC", "PCM_24", Delivery(format=FileFormat.WAV), ("WAV", "PCM_24", "")),
        ("WAVEX", "PCM_24", Delivery(format=FileFormat.WAV), ("WAVEX", "PCM_24", "")),
        ("AIFF", "PCM_S8", Delivery(format=FileFormat.WAV), ("WAV", "PCM_24", "does not hold PCM_S8")),
        ("WAV", "DOUBLE", Delivery(format=FileFormat.FLAC), ("FLAC", "PCM_24", "does not hold DOUBLE")),
        ("FLAC", "PCM_16", Delivery(bits=SampleBits.FLOAT), ("WAV", "FLOAT", "written as WAV")),
        ("WAV", "PCM_24", Delivery(format=FileFormat.AIFF, bits=SampleBits.FLOAT), ("AIFF", "FLOAT", "")),
    ],
)
def test_a_take_gets_the_format_asked_for_or_the_next_that_there_is(
    container: str, subtype: str, delivery: Delivery, expected: tuple[str, str, str]
) -> None:
    done = finished(delivery, clip(container=container, subtype=subtype))
    assert (done.clip.container, done.clip.subtype) == expected[:2]
    assert expected[2] in note_of(done)
    assert encode(done.clip)


def test_dither_makes_the_error_of_sixteen_bits_noise_and_is_the_same_each_time() -> None:
    times_s = np.arange(RATE_HZ) / RATE_HZ
    step = 2.0**-15
    faint_1S = (0.4 * step * np.sin(2 * np.pi * 997 * times_s))[None].astype(np.float32)
    faint = replace(clip(), audio_NS=faint_1S)

    def tone(delivery: Delivery) -> float:
        written_1S = np.rint(finished(delivery, faint).clip.audio_NS / step) * step
        return float(2 * np.abs(np.mean(written_1S[0] * np.exp(-2j * np.pi * 997 * times_s))))

    assert tone(Delivery(bits=SampleBits.PCM_16, dither=False)) == 0.0
    assert tone(Delivery(bits=SampleBits.PCM_16)) == pytest.approx(0.4 * step, rel=0.05)
    first, again = (finished(Delivery(bits=SampleBits.PCM_16), faint).clip.audio_NS for _ in range(2))
    assert np.array_equal(first, again)
    assert np.abs(first - faint_1S).max() < step


def test_dither_leaves_what_is_kept_of_a_source_of_no_more_bits() -> None:
    exact_NS = np.rint(clip().audio_NS * 2**15) / 2**15
    kept = clip(audio_NS=exact_NS.astype(np.float32), subtype="PCM_16")
    done = finished(Delivery(bits=SampleBits.PCM_16), kept, ((100, 200),)).clip.audio_NS
    assert np.array_equal(done[:, :100], kept.audio_NS[:, :100])
    assert np.array_equal(done[:, 200:], kept.audio_NS[:, 200:])
    assert not np.array_equal(done[:, 100:200], kept.audio_NS[:, 100:200])


@pytest.mark.parametrize(
    ("subtype", "delivery"),
    [
        ("FLOAT", Delivery(bits=SampleBits.PCM_16)),
        ("FLOAT", Delivery(format=FileFormat.FLAC)),
        ("PCM_32", Delivery(bits=SampleBits.FLOAT)),
        ("DOUBLE", Delivery(bits=SampleBits.FLOAT)),
    ],
)
def test_what_is_kept_of_a_source_loses_no_bits(subtype: str, delivery: Delivery) -> None:
    sound = clip(subtype=subtype)
    done = finished(delivery, sound, ((100, 200),))
    assert (done.clip.container, done.clip.subtype) == ("WAV", subtype)
    assert np.array_equal(done.clip.audio_NS, sound.audio_NS)
    assert "format and bits were left as they are" in note_of(done)


@pytest.mark.parametrize(
    ("container", "subtype", "delivery", "expected"),
    [
        ("WAV", "PCM_16", Delivery(bits=SampleBits.FLOAT), ("WAV", "FLOAT")),
        ("WAVEX", "PCM_24", Delivery(format=FileFormat.FLAC), ("FLAC", "PCM_24")),
        ("FLAC", "PCM_16", Delivery(bits=SampleBits.FLOAT), ("WAV", "FLOAT")),
        ("AIFF", "PCM_S8", Delivery(format=FileFormat.WAV), ("WAV", "PCM_24")),
    ],
)
def test_a_part_of_a_source_changes_its_format_where_nothing_is_lost(
    container: str, subtype: str, delivery: Delivery, expected: tuple[str, str]
) -> None:
    done = finished(delivery, clip(container=container, subtype=subtype), ((100, 200),))
    assert (done.clip.container, done.clip.subtype) == expected
    assert "were left as they are" not in note_of(done)


def test_what_fails_leaves_the_take_dry_and_says_why() -> None:
    sound = clip()
    done = finished(Delivery(chain=BROKEN), sound)
    assert done.is_as_made and np.array_equal(done.clip.audio_NS, sound.audio_NS)
    assert done.dry is not None and done.dry.code.value == "plugin_crash"
    assert "delivered dry: " in note_of(done) and "Missing" in note_of(done)


def test_a_parameter_that_no_effect_has_is_refused_before_anything_is_rendered() -> None:
    wrong = Chain(effects=(Effect(effect="gain", parameters={"gian_db": 1.0}),))
    text = spec_to_json(spec(Delivery(chain=HALF))).replace("gain_db", "gian_db")
    with pytest.raises(SpecError, match="the effect gain has no parameter 'gian_db'"):
        spec_from_json(text)
    with pytest.raises(SpecError, match="no parameter 'gian_db'"):
        finished(Delivery(chain=wrong), clip())


def begun(chain: Chain, limits: HostLimits | None = None) -> Finisher:
    finisher = Finisher(limits)
    try:
        finisher.begin(Delivery(chain=chain), 2, RATE_HZ, lambda: False)
    except BaseException:
        finisher.close()
        raise
    return finisher


@pytest.mark.parametrize(
    ("effect", "error", "says"),
    [
        (replace(COMPRESSOR, parameters={"treshold": 1.0}), SpecError, "no parameter 'treshold'"),
        (replace(COMPRESSOR, parameters={"threshold_db": 99.0}), SpecError, "not a number from -80 to 0 dB"),
        (
            Effect(effect="convolution", parameters={"impulse_response_filename": "/nowhere.wav"}),
            AudioMissing,
            "no file /nowhere.wav",
        ),
    ],
    ids=["parameter", "value", "impulse"],
)
def test_what_a_chain_has_wrong_is_refused_before_a_take_is_there(
    effect: Effect, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        begun(Chain(effects=(effect,)))


def test_a_chain_that_was_tried_gives_the_takes_that_it_gives_untried() -> None:
    sound = clip()
    chain = Chain(effects=(COMPRESSOR, Effect(effect="reverb")))
    finisher = begun(chain)
    try:
        tried = finisher.finished(
            spec(Delivery(chain=chain)), sound, ((0, sound.length_samples),), lambda: False
        )
    finally:
        finisher.close()
    untried = finished(Delivery(chain=chain), sound)
    assert tried.dry is None
    np.testing.assert_array_equal(tried.clip.audio_NS, untried.clip.audio_NS)


@pytest.mark.parametrize("kind", ["AbortFactory", "SegfaultProcess"])
def test_a_chain_that_crashes_when_it_is_tried_gives_dry_takes(odd_plugins: OddPlugins, kind: str) -> None:
    chain = odd_plugins.chain(kind)
    finisher = begun(chain)
    try:
        done = finisher.finished(spec(Delivery(chain=chain)), clip(), ((0, 24_000),), lambda: False)
    finally:
        finisher.close()
    assert done.dry is not None and done.dry.code is ErrorCode.PLUGIN_CRASH
    assert "delivered dry: " in note_of(done) and kind in note_of(done)


def test_a_plugin_that_hangs_costs_its_time_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(effects=(Effect(plugin=str(ZAM / "ZamVerb.vst3")),))
    finisher = begun(chain, HostLimits(load_s=1.0))
    try:
        monkeypatch.setattr("engine.fx.host.Child", None)  # nothing is started again
        for _ in range(2):
            done = finisher.finished(spec(Delivery(chain=chain)), clip(), ((0, 24_000),), lambda: False)
            assert done.dry is not None and done.dry.code is ErrorCode.PLUGIN_TIMEOUT
            assert "delivered dry: the plug-in ZamVerb did not finish loading in 1 s" in note_of(done)
    finally:
        finisher.close()


def test_a_cancelled_job_stops_in_its_effects() -> None:
    finisher = Finisher()
    try:
        with pytest.raises(Cancelled):
            finisher.finished(spec(Delivery(chain=HALF)), clip(), ((0, 24_000),), lambda: True)
    finally:
        finisher.close()


def test_a_delivery_survives_json() -> None:
    delivery = Delivery(chain=ECHO, loudness_lufs=-16.0, bits=SampleBits.PCM_24, naming="{source} {chain}")
    assert spec_from_json(spec_to_json(spec(delivery))) == spec(delivery)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"loudness_lufs": 3.0}, "loudness_lufs must be from -70 to 0, got 3"),
        ({"fade_in_s": -1.0}, "fade_in_s must be from 0 to 60"),
        ({"format": FileFormat.FLAC, "bits": SampleBits.FLOAT}, "flac holds 16 or 24 bits"),
        ({"naming": "{artist}"}, "may only hold {source}, {task}"),
        ({"naming": "{seed:d}"}, "may only hold"),
        ({"naming": "{source"}, "is no pattern"),
    ],
)
def test_a_delivery_that_cannot_be_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(Delivery(), **changes)  # type: ignore[arg-type]
