"""Chains of built-in effects: nothing is late, nothing is lost, gains are what the textbooks say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pedalboard
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chain_files import list_chains, read_chain
from engine.chains import Chain, Effect, ParameterValue, Tail
from engine.effects import EFFECTS
from engine.errors import AudioMissing, Cancelled, PluginCrash, SpecError
from engine.fx.measuring import block_difference
from engine.fx.processing import Rack, apply_chain
from engine.fx.streaming import Passage, send
from engine.fx.values import NO_DIFFERENCE_DB, ChainResult, NoteKind, extra_samples
from tests.unit.sounds import RATE_HZ, db, impulse, noise, response_db, sine, square, sweep

SHIPPED = Path(__file__).parents[2] / "presets" / "fx"
FREQUENCIES_HZ = np.geomspace(40.0, 16_000.0, 25)
# What the codecs make of an impulse is spread over a frame, that of a pitch shift over its window.
SMEARED = {"gsm_full_rate_compressor", "pitch_shift"}
# Settings that do something, where the defaults do not.
AUDIBLE: dict[str, dict[str, ParameterValue]] = {
    "compressor": {"threshold_db": -30.0, "ratio": 4.0},
    "high_shelf_filter": {"gain_db": 6.0},
    "low_shelf_filter": {"gain_db": 6.0},
    "noise_gate": {"threshold_db": -20.0},
    "peak_filter": {"gain_db": 6.0},
    "pitch_shift": {"semitones": 3.0},
    "brickwall_limiter": {"ceiling_db": -20.0, "true_peak": True},
    "clipping": {"threshold_db": -20.0},
}
# Of noise at blocks of 64 to 8192 samples, beside the loudest sample. What is not named has none at all.
BLOCK_DIFFERENCES_DB = {"convolution": -110.0, "gsm_full_rate_compressor": 6.0}


@pytest.fixture(scope="module")
def impulse_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("impulse") / "impulse.wav"
    impulse_S = np.zeros(2_000, np.float32)
    impulse_S[0], impulse_S[100] = 0.5, 0.25
    soundfile.write(path, impulse_S, RATE_HZ, subtype="FLOAT")
    return str(path)


def effect(name: str, impulse_path: str = "", *, share: float = 1.0, **parameters: ParameterValue) -> Effect:
    needed = {one.name: impulse_path for one in EFFECTS[name].parameters.values() if one.is_file}
    return Effect(effect=name, parameters={**needed, **AUDIBLE.get(name, {}), **parameters}, mix=share)


def through(
    one: Effect, audio_NS: np.ndarray, rate_hz: int = RATE_HZ, tail: Tail = Tail.CUT, tail_s: float = 5.0
) -> tuple[np.ndarray, ChainResult]:
    return apply_chain(Chain(effects=(one,), tail=tail, tail_s=tail_s), audio_NS, rate_hz)


def kinds(result: ChainResult) -> list[NoteKind]:
    return [note.kind for note in result.notes]


@pytest.mark.parametrize("name", EFFECTS)
def test_an_impulse_comes_out_when_it_went_in(name: str, impulse_path: str) -> None:
    start = 12_345
    wet_NS, result = through(effect(name, impulse_path), impulse(start), tail=Tail.RING, tail_s=0.2)
    assert wet_NS.shape[1] >= RATE_HZ
    heard_S = np.abs(wet_NS[0])
    if name in SMEARED:
        heard_S = np.where(np.abs(np.arange(heard_S.size) - start) < 0.1 * RATE_HZ, heard_S, 0.0)
        centre = np.average(np.arange(heard_S.size), weights=heard_S**2)
        assert abs(centre - start) < 0.005 * RATE_HZ
    else:
        assert abs(int(heard_S.argmax()) - start) <= 37  # of the slowest filter, LPF12 at 200 Hz
        assert heard_S[: start - 200].max(initial=0.0) < 1e-3 * heard_S.max()
    assert not [note for note in result.notes if note.kind is not NoteKind.TAIL]


@pytest.mark.parametrize("name", EFFECTS)
def test_what_comes_out_is_what_pedalboard_makes_of_it(name: str, impulse_path: str) -> None:
    """In pieces and in place, through mono or stereo, as in one go."""
    one, audio_NS = effect(name, impulse_path), noise(1 if EFFECTS[name].layouts == (1,) else 2, 2.0)
    wet_NS, _ = through(one, audio_NS, tail=Tail.RING, tail_s=0.0)
    rack = Rack(Chain(effects=(one,)))
    plugin = rack._device(0, one).plugin
    ahead = -rack._extra(0, 2, RATE_HZ)
    padded_NS = np.pad(audio_NS, ((0, 0), (ahead, extra_samples(rack.chain, RATE_HZ))))
    expected_NS = plugin.process(padded_NS, RATE_HZ, buffer_size=1_024)[:, : audio_NS.shape[1]]
    keep = audio_NS.shape[1] - 2_000 if name == "gsm_full_rate_compressor" else wet_NS.shape[1]
    np.testing.assert_array_equal(wet_NS[:, :keep], expected_NS[:, :keep])


@pytest.mark.parametrize("name", EFFECTS)
def test_the_block_size_changes_nothing_or_is_known_to(name: str, impulse_path: str) -> None:
    one = effect(name, impulse_path)
    device = Rack(Chain(effects=(one,)))._device(0, one)
    blocks = (64, 100, 128, 256, 512, 2_048, 4_096, 8_192)
    difference_db, is_repeatable = block_difference(
        device.plugin, 1, RATE_HZ, name, blocks, streams=device.streams
    )
    assert is_repeatable
    assert difference_db <= BLOCK_DIFFERENCES_DB.get(name, NO_DIFFERENCE_DB)


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("name", ["reverb", "pitch_shift", "mp3_compressor", "compressor"])
def test_any_number_of_channels_goes_through(name: str, channels: int) -> None:
    """As pairs and a single one, where an effect takes no more: each as it would be alone."""
    audio_NS = noise(channels, 0.5)
    wet_NS, result = through(effect(name), audio_NS)
    assert wet_NS.shape == audio_NS.shape
    pairs = EFFECTS[name].layouts == (1, 2)
    assert (NoteKind.LAYOUT in kinds(result)) == (pairs and channels > 2)
    last = channels - (2 if pairs and channels % 2 == 0 else 1)
    alone_NS, _ = through(effect(name), audio_NS[last:])
    np.testing.assert_array_equal(wet_NS[last:], alone_NS)


def test_a_mono_effect_runs_once_for_each_channel() -> None:
    audio_NS = noise(2, 1.0)
    wet_NS, result = through(effect("gsm_full_rate_compressor"), audio_NS)
    assert result.notes[0].text == "it ran 2 times for the 2 channels; they do not hear each other"
    for channel in range(2):
        alone_NS, _ = through(effect("gsm_full_rate_compressor"), audio_NS[channel : channel + 1])
        np.testing.assert_array_equal(wet_NS[channel : channel + 1], alone_NS)


@pytest.mark.parametrize(("rate_hz", "taken_hz"), [(96_000, 48_000), (88_200, 44_100), (50_000, 48_000)])
def test_a_rate_that_an_effect_does_not_take_is_adapted(rate_hz: int, taken_hz: int) -> None:
    time_S = np.arange(rate_hz) / rate_hz
    audio_NS = (0.3 * np.sin(2 * np.pi * 1_000 * time_S) * np.hanning(rate_hz))[None].astype(np.float32)
    wet_NS, result = through(effect("mp3_compressor", vbr_quality=0.0), audio_NS, rate_hz)
    assert (NoteKind.RATE, f"it does not take {rate_hz} Hz and ran at {taken_hz} Hz") in [
        (note.kind, note.text) for note in result.notes
    ]
    assert wet_NS.shape == audio_NS.shape
    assert np.abs(wet_NS - audio_NS).max() < 0.02


@pytest.mark.parametrize("mix", [0.0, 0.25, 0.5, 0.999])
@pytest.mark.parametrize("name", ["brickwall_limiter", "mp3_compressor", "resample"])
def test_the_dry_share_lies_exactly_under_the_wet_one(name: str, mix: float) -> None:
    audio_NS = noise(2, 1.0)
    wet_NS, _ = through(effect(name), audio_NS, tail=Tail.RING, tail_s=0.0)
    mixed_NS, _ = through(effect(name, share=mix), audio_NS, tail=Tail.RING, tail_s=0.0)
    np.testing.assert_allclose(mixed_NS, mix * wet_NS + (1 - mix) * audio_NS, atol=1e-6)


def first_order(kind: str, cutoff_hz: float) -> np.ndarray:
    b, a = scipy.signal.butter(1, cutoff_hz, kind, fs=RATE_HZ)
    return np.abs(scipy.signal.freqz(b, a, FREQUENCIES_HZ, fs=RATE_HZ)[1])


def cookbook(kind: str, cutoff_hz: float, gain_db: float, q: float) -> np.ndarray:
    """Return the response of a shelf or peak by R. Bristow-Johnson's audio EQ cookbook."""
    a, w = 10 ** (gain_db / 40), 2 * np.pi * cutoff_hz / RATE_HZ
    alpha, cos = np.sin(w) / (2 * q), np.cos(w)
    if kind == "peak":
        zeros, poles = [1 + alpha * a, -2 * cos, 1 - alpha * a], [1 + alpha / a, -2 * cos, 1 - alpha / a]
    else:
        sign = 1.0 if kind == "low" else -1.0
        root = 2 * np.sqrt(a) * alpha
        zeros = [
            a * ((a + 1) - sign * (a - 1) * cos + root),
            sign * 2 * a * ((a - 1) - sign * (a + 1) * cos),
            a * ((a + 1) - sign * (a - 1) * cos - root),
        ]
        poles = [
            (a + 1) + sign * (a - 1) * cos + root,
            -sign * 2 * ((a - 1) + sign * (a + 1) * cos),
            (a + 1) + sign * (a - 1) * cos - root,
        ]
    return np.abs(scipy.signal.freqz(zeros, poles, FREQUENCIES_HZ, fs=RATE_HZ)[1])


CURVES = [
    ("highpass_filter", {"cutoff_frequency_hz": 300.0}, first_order("highpass", 300.0)),
    ("lowpass_filter", {"cutoff_frequency_hz": 2_000.0}, first_order("lowpass", 2_000.0)),
    ("peak_filter", {"cutoff_frequency_hz": 900.0, "gain_db": 9.0, "q": 2.0}, cookbook("peak", 900, 9, 2)),
    ("low_shelf_filter", {"cutoff_frequency_hz": 200.0, "gain_db": -7.0}, cookbook("low", 200, -7, 0.5**0.5)),
    ("high_shelf_filter", {"cutoff_frequency_hz": 5e3, "gain_db": 6.0}, cookbook("high", 5e3, 6, 0.5**0.5)),
    ("gain", {"gain_db": -6.0}, np.full(25, 10 ** (-6 / 20))),
    ("invert", {}, np.ones(25)),
    ("reverb", {"wet_level": 0.0, "dry_level": 0.5}, np.ones(25)),
    ("chorus", {"mix": 0.0}, np.ones(25)),
    ("phaser", {"mix": 0.0}, np.ones(25)),
    ("delay", {"mix": 0.0}, np.ones(25)),
    ("bitcrush", {"bit_depth": 24.0}, np.ones(25)),
    ("pitch_shift", {"semitones": 0.0}, np.ones(25)),
    ("resample", {"target_sample_rate": 96_000.0}, np.ones(25)),
    ("brickwall_limiter", {"ceiling_db": -1.0}, np.ones(25)),
    ("noise_gate", {"threshold_db": -100.0}, np.ones(25)),
]


@pytest.mark.parametrize(("name", "parameters", "expected"), CURVES, ids=[one[0] for one in CURVES])
def test_a_sweep_has_the_gain_of_the_textbook(
    name: str, parameters: dict[str, ParameterValue], expected: np.ndarray
) -> None:
    dry_NS = sweep()
    wet_NS, _ = through(Effect(effect=name, parameters=parameters), dry_NS)
    found_db = response_db(dry_NS, wet_NS, FREQUENCIES_HZ)
    np.testing.assert_allclose(found_db, 20 * np.log10(expected), atol=0.1)


def steady_db(name: str, level_db: float, **parameters: ParameterValue) -> float:
    wet_NS, _ = through(Effect(effect=name, parameters=parameters), square(10 ** (level_db / 20)))
    return db(float(np.abs(wet_NS[0, 24_000:30_000]).mean()))


@pytest.mark.parametrize("level_db", [-40.0, -19.0, -10.0, -3.0])
def test_dynamics_have_their_static_curves(level_db: float) -> None:
    compressed_db = steady_db("compressor", level_db, threshold_db=-20.0, ratio=4.0)
    assert compressed_db == pytest.approx(min(level_db, -20.0 + (level_db + 20.0) / 4.0), abs=0.1)
    gated_db = steady_db("noise_gate", level_db, threshold_db=-20.0, ratio=2.0)
    assert gated_db == pytest.approx(max(level_db, -100.0) if level_db > -20 else 2 * level_db + 20, abs=0.1)
    assert steady_db("brickwall_limiter", level_db, ceiling_db=-6.0) == pytest.approx(
        min(level_db, -6.0), abs=0.1
    )
    # JUCE's limiter: 4 to 1 above -10 dB, raised by 7.5 dB for it and 6.25 dB for room, a wall at full scale.
    raised_db = min(level_db, -10.0 + (level_db + 10.0) / 4.0) + 13.75
    assert steady_db("limiter", level_db, threshold_db=-10.0) == pytest.approx(min(0.0, raised_db), abs=0.1)


def test_curves_that_bend_each_sample_do_so_exactly() -> None:
    audio_NS = 4 * noise(2, 0.5)
    clipped_NS, _ = through(effect("clipping", threshold_db=-9.0), audio_NS)
    ceiling = 10 ** (-9 / 20)
    np.testing.assert_allclose(clipped_NS, np.clip(audio_NS, -ceiling, ceiling), atol=1e-6)
    driven_NS, _ = through(effect("distortion", drive_db=12.0), audio_NS)
    np.testing.assert_allclose(driven_NS, np.tanh(audio_NS * 10 ** (12 / 20)), atol=1e-5)


def test_a_convolution_is_one_at_an_even_level(impulse_path: str) -> None:
    audio_NS = noise(2, 1.0)
    wet_NS, _ = through(effect("convolution", impulse_path), audio_NS, tail=Tail.RING, tail_s=0.5)
    expected_NS = 0.5 * audio_NS
    expected_NS[:, 100:] += 0.25 * audio_NS[:, :-100]
    expected_NS *= 0.125 / np.hypot(0.5, 0.25)  # JUCE brings each impulse to one energy
    np.testing.assert_allclose(wet_NS[:, : audio_NS.shape[1]], expected_NS, atol=1e-6)


def test_echoes_are_where_they_belong() -> None:
    echo = effect("delay", delay_seconds=0.25, feedback=0.5, mix=0.5)
    wet_NS, _ = through(echo, impulse(1_000), tail=Tail.RING, tail_s=2.0)
    places = np.flatnonzero(np.abs(wet_NS[0]) > 1e-3)
    np.testing.assert_array_equal(np.diff(places), 12_000)
    np.testing.assert_allclose(wet_NS[0, places[:4]], [0.25, 0.25, 0.125, 0.0625], atol=1e-5)


@pytest.mark.parametrize("semitones", [-12.0, -3.0, 3.0, 12.0])
def test_a_pitch_shift_is_as_high_as_asked_and_on_time(semitones: float) -> None:
    """Rubber Band's own place depends on the sound, by up to 15 ms; with noise the mean is compensated."""
    wet_NS, _ = through(effect("pitch_shift", semitones=semitones), sine(1_000.0))
    spectrum = np.abs(np.fft.rfft(wet_NS[0, 12_000:36_000] * np.hanning(24_000)))
    assert 2.0 * spectrum.argmax() == pytest.approx(1_000.0 * 2 ** (semitones / 12), rel=0.01)
    shifts = []
    for seed in range(4):
        burst_NS = np.zeros((1, RATE_HZ), np.float32)
        burst_NS[:, 20_000:24_000] = noise(1, 4_000 / RATE_HZ, seed=seed) * np.hanning(4_000)
        heard_NS, _ = through(effect("pitch_shift", semitones=semitones), burst_NS)
        weights = heard_NS[0].astype(float) ** 2, burst_NS[0].astype(float) ** 2
        shifts.append(np.subtract(*(np.average(np.arange(RATE_HZ), weights=one) for one in weights)))
    assert abs(np.mean(shifts)) < 0.003 * RATE_HZ


def test_a_cut_tail_ends_in_silence_and_a_short_one_is_left_alone() -> None:
    audio_NS = noise(2, 1.0)
    wet_NS, result = through(effect("reverb"), audio_NS)
    assert wet_NS.shape == audio_NS.shape
    assert kinds(result) == [NoteKind.TAIL]
    assert np.abs(wet_NS[:, -1]).max() == 0.0
    dry_NS, result = through(effect("gain", gain_db=0.0), audio_NS)
    np.testing.assert_array_equal(dry_NS, audio_NS)
    assert not result.notes


def test_a_tail_rings_until_it_is_silent() -> None:
    audio_NS = noise(2, 1.0)
    room = effect("reverb", room_size=0.1)
    long_NS, result = through(room, audio_NS, tail=Tail.RING, tail_s=10.0)
    assert RATE_HZ < long_NS.shape[1] < 6 * RATE_HZ
    assert not result.notes
    assert np.abs(long_NS[:, -1]).max() > 1e-4 > np.abs(long_NS[:, -1]).max() / 10
    short_NS, result = through(room, audio_NS, tail=Tail.RING, tail_s=0.3)
    assert short_NS.shape[1] == round(1.3 * RATE_HZ)
    assert result.notes[0].text.startswith("it still sounded 0.3 s after the end")
    assert np.abs(short_NS[:, -1]).max() == 0.0
    same = slice(0, round(1.1 * RATE_HZ))
    np.testing.assert_array_equal(short_NS[:, same], long_NS[:, same])


@given(st.integers(1, 3_000), st.integers(1, 8), st.sampled_from(["gain", "resample", "brickwall_limiter"]))
@settings(max_examples=25)
def test_any_length_comes_back(samples: int, channels: int, name: str) -> None:
    audio_NS = noise(channels, samples / RATE_HZ)
    wet_NS, _ = through(effect(name), audio_NS)
    assert wet_NS.shape == audio_NS.shape
    assert np.isfinite(wet_NS).all()


def test_bypassed_and_unmixed_effects_change_nothing() -> None:
    audio_NS = noise()
    chain = Chain(
        effects=(
            Effect(effect="distortion", bypass=True),
            Effect(plugin="none.vst3", bypass=True),
            effect("reverb", share=0.0),
        )
    )
    wet_NS, result = apply_chain(chain, audio_NS, RATE_HZ)
    np.testing.assert_array_equal(wet_NS, audio_NS)
    assert result.notes == ()


def test_effects_run_in_their_order() -> None:
    louder, clip = effect("gain", gain_db=20.0), effect("clipping", threshold_db=-20.0)
    audio_NS = noise()
    first_NS, _ = apply_chain(Chain(effects=(louder, clip)), audio_NS, RATE_HZ)
    second_NS, _ = apply_chain(Chain(effects=(clip, louder)), audio_NS, RATE_HZ)
    assert np.abs(first_NS).max() == pytest.approx(0.1, rel=1e-4)
    assert np.abs(second_NS).max() == pytest.approx(1.0, rel=1e-4)


def test_a_rack_gives_the_same_again() -> None:
    chain = read_chain(SHIPPED / "old radio.toml")
    rack, audio_NS, results = Rack(chain), noise(), []
    for _ in range(3):
        room_NS = np.pad(audio_NS, ((0, 0), (0, extra_samples(chain, RATE_HZ))))
        rack.process(room_NS, audio_NS.shape[1], RATE_HZ)
        results.append(room_NS)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("name", list_chains(SHIPPED))
def test_the_shipped_chains_keep_a_sane_level(name: str) -> None:
    """Of a drum loop: within 12 dB of its level, since a telephone has no kick drum, and below full scale."""
    groove = SHIPPED.parent / "examples" / "groove.flac"
    audio_SN, rate_hz = soundfile.read(groove, dtype="float32", always_2d=True)
    audio_NS = audio_SN.T[:, : 3 * rate_hz]
    wet_NS, _ = apply_chain(read_chain(SHIPPED / f"{name}.toml"), audio_NS, rate_hz)
    same_NS = wet_NS[:, : audio_NS.shape[1]]
    assert np.abs(wet_NS).max() <= max(1.0, np.abs(audio_NS).max())
    assert abs(db(float(same_NS.std() / audio_NS.std()))) < 12.0
    assert np.abs(same_NS - audio_NS).max() > 1e-3


def test_a_filter_above_the_band_is_lowered_and_said() -> None:
    audio_NS = noise(1, 1.0, rate_hz=8_000)
    one = effect("lowpass_filter", cutoff_frequency_hz=20_000.0)
    wet_NS, result = through(one, audio_NS, 8_000)
    assert np.isfinite(wet_NS).all()
    assert (
        result.notes[0].text == "cutoff_frequency_hz of 20000 Hz is too high for 8000 Hz; 3920 Hz was taken"
    )


def test_silence_of_a_sounding_input_is_a_failure() -> None:
    with pytest.raises(PluginCrash, match="the effect gain gave silence"):
        through(effect("gain", gain_db=-96.0), 0.01 * noise())


def test_silence_may_stay_silence() -> None:
    silent_NS = np.zeros((2, 1_000), np.float32)
    wet_NS, result = through(effect("reverb"), silent_NS)
    np.testing.assert_array_equal(wet_NS, silent_NS)
    assert result.notes == ()


def test_a_missing_impulse_response_is_named() -> None:
    with pytest.raises(AudioMissing, match=r"there is no file /nowhere/hall\.wav for the effect convolution"):
        through(effect("convolution", "/nowhere/hall.wav"), noise())


def test_nine_channels_are_refused() -> None:
    with pytest.raises(SpecError, match="1 to 8 channels, got 9"):
        through(effect("gain"), noise(9, 0.1))


def test_a_cancel_is_noticed_between_two_pieces() -> None:
    calls = iter([False, False, True])
    with pytest.raises(Cancelled):
        send(pedalboard.Gain(), noise(1, 10.0), Passage(title="gain", rate_hz=RATE_HZ), lambda: next(calls))
