"""Plug-ins in a chain: three real ones measured, and those that tell wrong things of themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.chains import Chain, Effect, ParameterValue
from engine.fx.host import ChainHost, Processed
from engine.fx.values import NoteKind
from tests.unit.odd_plugins import ZAM, OddPlugins
from tests.unit.sounds import RATE_HZ, db, impulse, noise, response_db, square, sweep

FREQUENCIES_HZ = np.geomspace(60.0, 12_000.0, 20)


def through(
    plugin: str | Path, audio_NS: np.ndarray, mix: float = 1.0, **parameters: ParameterValue
) -> Processed:
    effect = Effect(plugin=str(plugin), parameters=parameters, mix=mix)
    with ChainHost(Chain(effects=(effect,))) as host:
        return host.process(audio_NS, RATE_HZ)


def stereo(audio_NS: np.ndarray) -> np.ndarray:
    return np.repeat(audio_NS, 2, axis=0)


@pytest.mark.parametrize("name", ["ZamGEQ31", "ZamCompX2", "ZaMaximX2"])
def test_an_impulse_comes_out_of_a_real_plugin_when_it_went_in(name: str) -> None:
    processed = through(ZAM / f"{name}.vst3", stereo(impulse(12_345, amplitude=0.05)))
    assert processed.audio_NS.shape == (2, RATE_HZ)
    assert [int(np.abs(one_S).argmax()) for one_S in processed.audio_NS] == [12_345, 12_345]
    assert processed.latency_samples == (480 if name == "ZaMaximX2" else 0)
    assert not [note for note in processed.notes if note.kind is NoteKind.LATENCY]


@pytest.mark.parametrize(
    ("name", "parameters", "gain_db"),
    [
        ("ZamGEQ31", {"master_gain_db": 6.0}, 6.0),
        ("ZamCompX2", {"makeup_db": 3.0}, 3.0),
        ("ZaMaximX2", {"threshold_db": 0.0, "output_ceiling_db": 0.0}, 0.0),
    ],
)
def test_a_sweep_through_a_real_plugin_has_its_gain(
    name: str, parameters: dict[str, ParameterValue], gain_db: float
) -> None:
    dry_NS = stereo(sweep())
    processed = through(ZAM / f"{name}.vst3", dry_NS, **parameters)
    for channel in range(2):
        one = slice(channel, channel + 1)
        found_db = response_db(dry_NS[one], processed.audio_NS[one], FREQUENCIES_HZ)
        np.testing.assert_allclose(found_db, gain_db, atol=0.1)


def test_a_real_compressor_has_its_static_curve() -> None:
    loud_NS = stereo(square(10 ** (-10 / 20), 2.0))
    parameters = {"threshold_db": -30.0, "ratio": 4.0, "knee_db": 0.0, "slew": 1.0}
    processed = through(ZAM / "ZamCompX2.vst3", loud_NS, **parameters)
    level_db = db(float(np.abs(processed.audio_NS[:, -20_000:-5_000]).mean()))
    assert level_db == pytest.approx(-30.0 + 20.0 / 4.0, abs=0.5)


@pytest.mark.parametrize("kind", ["LateTold", "LateUntold", "EarlyTold"])
@pytest.mark.parametrize("mix", [1.0, 0.5])
def test_latency_is_taken_away_however_it_is_told(odd_plugins: OddPlugins, kind: str, mix: float) -> None:
    """At both mixes the sound itself: a sample aside, and half of it would be a comb."""
    audio_NS = noise(2, 0.7)
    processed = through(odd_plugins.path(kind), audio_NS, mix)
    np.testing.assert_allclose(processed.audio_NS, audio_NS, atol=1e-6)
    told = [note.text for note in processed.notes if note.kind is NoteKind.LATENCY]
    assert (
        told
        == {
            "LateTold": [],
            "LateUntold": [
                "it tells a latency of 0 samples, but sounds 300 samples (6.2 ms) later; that was compensated"
            ],
            "EarlyTold": [
                (
                    "it tells a latency of 512 samples, but sounds 512 samples (10.7 ms) earlier; "
                    "that was compensated"
                )
            ],
        }[kind]
    )


def test_what_may_be_an_echo_is_left_and_said(odd_plugins: OddPlugins) -> None:
    processed = through(odd_plugins.path("LateEffect"), impulse(5_000, channels=2))
    assert int(np.abs(processed.audio_NS[0]).argmax()) == 5_300
    assert processed.notes[0].text.endswith("that was left, since it may be meant")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Resets", "level was set to 35.0, but the plug-in made it 50.0"),
        ("Snaps", "level was set to 35.0, but the plug-in made it 25.0"),
    ],
)
def test_parameters_that_a_plugin_changes_are_told(odd_plugins: OddPlugins, kind: str, text: str) -> None:
    with ChainHost(odd_plugins.chain(kind, level=35.0)) as host:
        for _ in range(2):
            notes = host.process(noise(2, 0.1), RATE_HZ).notes
            assert (NoteKind.PARAMETER, text) in [(note.kind, note.text) for note in notes]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Blocky", "its sound depends on the block size: differences are "),
        ("Noisy", "it gives something else each time"),
    ],
)
def test_what_is_not_the_same_is_told(odd_plugins: OddPlugins, kind: str, text: str) -> None:
    notes = through(odd_plugins.path(kind), noise(2, 0.1)).notes
    assert [note.text.startswith(text) for note in notes if note.kind is NoteKind.BLOCKS] == [True]


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("kind", ["Mono", "Stereo", "Gain"])
def test_any_number_of_channels_goes_through_a_plugin(
    odd_plugins: OddPlugins, kind: str, channels: int
) -> None:
    audio_NS = noise(channels, 0.1)
    processed = through(odd_plugins.path(kind), audio_NS, level=25.0)
    np.testing.assert_allclose(processed.audio_NS, 0.5 * audio_NS, atol=1e-6)
    adapted = [note.text for note in processed.notes if note.kind is NoteKind.LAYOUT]
    doubled = "it takes stereo only: it got mono on both sides, and gave their mean"
    runs = {"Mono": channels, "Stereo": (channels + 1) // 2, "Gain": 1}[kind]
    expected = [f"it ran {runs} times for the {channels} channels; they do not hear each other"] * (runs > 1)
    assert adapted == expected + [doubled] * (kind == "Stereo" and channels % 2 == 1)
