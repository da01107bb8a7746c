"""Highs that a second model makes, above the band of the first."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import butter, sosfiltfilt
from scipy.signal.windows import blackmanharris

from engine.audio.io import AudioClip, encode
from engine.audio.mel_scale import MelConfig
from engine.errors import Cancelled, SpecError
from engine.jobs import Jobs
from engine.models.bundle import DEBUG_CONFIGS, Bundle, debug_bundle, save_bundle
from engine.models.card import settings_digest
from engine.models.istft_vocoder import IstftVocoderConfig
from engine.recall import recall
from engine.render import Progress, RenderedTake, Stage, render
from engine.spec_json import spec_to_dict
from engine.types import Highs, Mask, RectShape, Region, RenderSpec, SamplerSpec, Task, TimeSpan

RATE_HZ = 48_000
MASK = Mask(shapes=(RectShape(span=TimeSpan(start_s=0.4, end_s=0.9)),))
INPAINT = RenderSpec(
    task=Task.INPAINT, prompt="a dog barks", region=Region(path="unread"), mask=MASK, model="debug",
    sampler=SamplerSpec(steps=2), highs=Highs.MODEL, highs_model="wide", seed=3,
)  # fmt: skip


@cache
def narrow() -> Bundle:
    return debug_bundle()


@cache
def wide() -> Bundle:
    mel = MelConfig(
        sample_rate_hz=48_000, n_fft=2048, hop_samples=480, mel_bins=32, low_hz=20.0, high_hz=24_000.0
    )
    vocoder = IstftVocoderConfig(mel_bins=32, width=16, blocks=1, n_fft=1920, hop_samples=480)
    return debug_bundle(1, replace(DEBUG_CONFIGS, mel=mel, vocoder=vocoder))


@cache
def song() -> AudioClip:
    audio_NS = np.random.default_rng(0).normal(0, 0.1, (2, int(1.5 * RATE_HZ))).astype(np.float32)
    return AudioClip(audio_NS=audio_NS, sample_rate_hz=RATE_HZ, subtype="FLOAT")


def rendered(spec: RenderSpec = INPAINT, clip: AudioClip | None = None) -> RenderedTake:
    (take,) = render(spec, narrow(), clip or song(), lambda _: None, lambda: False, highs_bundle=wide())
    return take


@cache
def usual() -> RenderedTake:
    return rendered()


@cache
def followed() -> RenderedTake:
    return rendered(replace(INPAINT, highs=Highs.FOLLOW))


def level(audio_NS: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Return the rms of a band, seen through a window that lets nothing leak from others."""
    samples = audio_NS.shape[1]
    spectra_NF = np.fft.rfft(audio_NS.astype(np.float64) * blackmanharris(samples), axis=1)
    freqs_hz = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    inside_F = (freqs_hz >= low_hz) & (freqs_hz < high_hz)
    return float(np.sqrt(2 * np.square(np.abs(spectra_NF[:, inside_F])).sum()) / samples)


def test_new_highs_are_all_that_differs_from_those_that_follow() -> None:
    made = usual()
    difference_NS = made.clip.audio_NS.astype(np.float64) - followed().clip.audio_NS
    assert level(difference_NS, 0, 7100) < 1e-5 * level(difference_NS, 8000, 24_000)
    start, stop = int(0.4 * RATE_HZ), int(0.9 * RATE_HZ)
    assert np.array_equal(made.clip.audio_NS[:, :start], song().audio_NS[:, :start])
    assert np.array_equal(made.clip.audio_NS[:, stop:], song().audio_NS[:, stop:])
    assert made.contract is not None and made.contract.changed_outside == 0
    assert made.contract.true_peak_dbtp < -0.99


def test_what_had_no_highs_gets_some() -> None:
    sections = butter(12, 5000, fs=RATE_HZ, output="sos")
    dull = replace(song(), audio_NS=sosfiltfilt(sections, song().audio_NS, axis=1).astype(np.float32))
    inside = slice(int(0.5 * RATE_HZ), int(0.8 * RATE_HZ))
    made_NS, followed_NS = (
        rendered(replace(INPAINT, highs=highs), dull).clip.audio_NS[:, inside]
        for highs in (Highs.MODEL, Highs.FOLLOW)
    )
    assert level(made_NS, 9000, 24_000) > 100 * level(followed_NS, 9000, 24_000)


def test_the_same_spec_gives_the_same_highs_and_another_seed_others() -> None:
    again, other = rendered(), rendered(replace(INPAINT, seed=4))
    assert np.array_equal(usual().clip.audio_NS, again.clip.audio_NS)
    assert not np.array_equal(usual().clip.audio_NS, other.clip.audio_NS)


def test_a_take_of_several_comes_out_the_same_alone() -> None:
    spec = replace(INPAINT, takes=2)
    takes = render(spec, narrow(), song(), lambda _: None, lambda: False, highs_bundle=wide())
    assert np.array_equal(rendered(takes[1].spec).clip.audio_NS, takes[1].clip.audio_NS)


@pytest.mark.parametrize(
    "changes",
    [
        {"mask": Mask(shapes=(RectShape(span=TimeSpan(start_s=0.4, end_s=0.9), high_hz=4000.0),))},
        {"task": Task.TRANSFER, "mask": None, "sampler": SamplerSpec(steps=2, strength=0.0)},
    ],
    ids=["a mask below them", "an edit that changes nothing"],
)
def test_where_there_are_no_new_highs_the_second_model_does_nothing(changes: dict[str, object]) -> None:
    spec = replace(INPAINT, **changes)  # type: ignore[arg-type]
    without = rendered(replace(spec, highs=Highs.FOLLOW))
    assert np.array_equal(rendered(spec).clip.audio_NS, without.clip.audio_NS)


def test_a_session_without_highs_needs_no_second_model() -> None:
    clip = replace(song(), sample_rate_hz=16_000)
    takes = render(INPAINT, narrow(), clip, lambda _: None, lambda: False)
    assert takes[0].clip.sample_rate_hz == 16_000


def test_a_model_that_makes_no_more_than_the_first_is_refused() -> None:
    with pytest.raises(SpecError, match="debug makes sound up to 8000 Hz, debug itself up to 8000 Hz"):
        render(INPAINT, narrow(), song(), lambda _: None, lambda: False, highs_bundle=narrow())
    card = replace(wide().card, tasks=(Task.GENERATE,))
    deaf = replace(wide(), card=card)
    with pytest.raises(SpecError, match="cannot make highs for others"):
        render(INPAINT, narrow(), song(), lambda _: None, lambda: False, highs_bundle=deaf)


def test_highs_from_a_model_need_its_name() -> None:
    with pytest.raises(ValueError, match="need the name of that model, highs_model"):
        replace(INPAINT, highs_model="")


def test_it_is_told_and_may_be_cancelled_while_highs_are_made() -> None:
    seen: list[Progress] = []

    def on_event(event: object) -> None:
        assert isinstance(event, Progress)
        seen.append(event)

    def cancelled() -> bool:
        return bool(seen) and seen[-1].stage is Stage.DECODE and seen[-1].step == 2

    with pytest.raises(Cancelled):
        render(INPAINT, narrow(), song(), on_event, cancelled, highs_bundle=wide())
    assert [event.step for event in seen if event.stage is Stage.DECODE] == [0, 1, 2]


def test_a_recipe_tells_of_both_models_and_recall_looks_for_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAW_BRIDGE_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "models" / "wide"
    folder.parent.mkdir()
    card = save_bundle(folder, wide(), dtype=torch.float32)
    source = tmp_path / "song.wav"
    source.write_bytes(encode(song()))
    spec = replace(INPAINT, region=Region(path=str(source)))
    told: list[dict[str, object]] = []
    done = Jobs().render(
        spec_to_dict(spec),
        {"folder": str(tmp_path), "stem": "new"},
        lambda _kind, payload: told.append(payload),
        lambda: False,
    )
    path = Path(done["takes"][0]["path"])  # type: ignore[index]
    assert [payload["step"] for payload in told if payload.get("stage") == "load"] == [0, 1, 0, 1]
    found = recall(path)
    facts = {"licence": card.licence, "files": card.files, "settings": settings_digest(card)}
    assert found.details["highs_model"] == {"name": "debug", **facts}
    assert found.model == "same"
    written_NS, _ = soundfile.read(path, dtype="float32")
    assert np.abs(written_NS.T - usual().clip.audio_NS).max() < 1e-6
    shutil.rmtree(folder)
    assert recall(path).model == "missing"
