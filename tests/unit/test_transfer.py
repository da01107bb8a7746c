"""Transfers by each editor, through the whole pipeline."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.audio.grid import LatentGrid
from engine.audio.io import AudioClip, encode, read_clip
from engine.conditioning import conditioning
from engine.diffusion.editors import starting_strength
from engine.edit.edit import edit_of
from engine.latents import encoded_part, sampled
from engine.models.bundle import Bundle
from engine.render import Progress, Stage, render
from engine.types import (
    Condition,
    ConditionKind,
    Editor,
    Mask,
    RectShape,
    Region,
    RenderSpec,
    SamplerSpec,
    Task,
    TimeSpan,
)
from tests.unit.bundles import debug, starter

GROOVE = Path(__file__).parents[2] / "presets/examples/groove.flac"
REGION = Region(path=str(GROOVE), span=TimeSpan(start_s=0.0, end_s=0.6))
QUICK = SamplerSpec(steps=4, strength=0.8)
TRANSFER = RenderSpec(task=Task.TRANSFER, prompt="church bell", region=REGION, sampler=QUICK, model="debug")
MIDDLE = Mask(shapes=(RectShape(span=TimeSpan(start_s=0.2, end_s=0.4), low_hz=300.0, high_hz=4000.0),))
DIFFERENCES = [Editor.INVERT, Editor.DIRECT]


@cache
def groove() -> AudioClip:
    return read_clip(REGION.path, REGION.span)


def takes_of(spec: RenderSpec, bundle: Bundle, clip: AudioClip | None = None) -> list[AudioClip]:
    made = render(spec, bundle, clip or groove(), lambda _: None, lambda: False)
    return [take.clip for take in sorted(made, key=lambda take: take.seed)]


@pytest.mark.parametrize("editor", DIFFERENCES)
def test_the_source_for_a_target_and_no_guidance_give_the_latent_back(editor: Editor, tmp_path: Path) -> None:
    """The target is the region's own file as a reference sound: exactly what the source condition is."""
    bundle = starter()
    file = tmp_path / "loop.wav"
    file.write_bytes(encode(groove()))
    itself = Condition(kind=ConditionKind.AUDIO, value=str(file))
    spec = replace(
        TRANSFER,
        prompt="",
        conditions=(itself,),
        region=Region(path=str(file)),
        editor=editor,
        sampler=SamplerSpec(steps=8, strength=0.9, guidance=1.0),
    )
    clip = read_clip(file)
    grid = LatentGrid.of(bundle.mel.config, bundle.vae.config.ratio)
    with torch.inference_mode():
        edit = edit_of(spec, clip, None, grid, bundle.card.canvas_s)
        part = encoded_part(bundle, edit.canvases[0], None, grid)
        wanted = conditioning(spec, bundle, clip)
        latent_BCHW = sampled([spec], bundle, part, wanted, on_step=lambda _: None, check=lambda: None)
    assert part.source_BCHW is not None
    torch.testing.assert_close(wanted.source_1E, wanted.course.rows_KE, rtol=0, atol=1e-6)
    error = float((latent_BCHW - part.source_BCHW).norm() / part.source_BCHW.norm())
    assert error < 1e-4


@pytest.mark.parametrize("editor", Editor)
def test_outside_a_mask_no_bit_changes_and_inside_something_does(editor: Editor) -> None:
    (take,) = takes_of(replace(TRANSFER, editor=editor, mask=MIDDLE), debug())
    start, stop = round(0.2 * take.sample_rate_hz), round(0.4 * take.sample_rate_hz)
    before_NS = groove().audio_NS
    assert take.audio_NS.shape == before_NS.shape
    assert np.array_equal(take.audio_NS[:, :start], before_NS[:, :start])
    assert np.array_equal(take.audio_NS[:, stop:], before_NS[:, stop:])
    assert not np.array_equal(take.audio_NS[:, start:stop], before_NS[:, start:stop])


@pytest.mark.parametrize("editor", Editor)
def test_each_take_of_several_is_that_of_its_own_spec(editor: Editor) -> None:
    spec = replace(TRANSFER, editor=editor, takes=2)
    together = takes_of(spec, debug())
    for index, take in enumerate(together):
        (alone,) = takes_of(spec.alone(index), debug())
        assert np.array_equal(alone.audio_NS, take.audio_NS)
    assert not np.array_equal(together[0].audio_NS, together[1].audio_NS)


@pytest.mark.parametrize("editor", DIFFERENCES)
def test_a_region_of_several_windows_is_edited_as_one(editor: Editor) -> None:
    """It is longer than the 10.24 s that a network sees at once."""
    clip = groove()
    long = replace(clip, audio_NS=np.tile(clip.audio_NS[:1], 19))
    steps: list[Progress] = []

    def on_event(event: object) -> None:
        if isinstance(event, Progress) and event.stage is Stage.SAMPLE:
            steps.append(event)

    spec = replace(TRANSFER, editor=editor, sampler=SamplerSpec(steps=2, strength=0.5))
    (take,) = render(spec, debug(), long, on_event, lambda: False)
    assert take.clip.audio_NS.shape == long.audio_NS.shape
    assert [step.step for step in steps] == list(range(1, steps[-1].total + 1))


@pytest.mark.parametrize("editor", DIFFERENCES)
def test_a_description_of_the_source_takes_the_place_of_its_sound(editor: Editor) -> None:
    spec = replace(TRANSFER, editor=editor)
    (by_sound,), (by_words,) = (
        takes_of(each, debug()) for each in (spec, replace(spec, source_prompt="a drum loop"))
    )
    assert not np.array_equal(by_sound.audio_NS, by_words.audio_NS)
    wanted = conditioning(replace(spec, source_prompt="a drum loop"), debug(), groove())
    assert torch.equal(wanted.source_1E, debug().clap.embed_text(["a drum loop"]))


def test_renoising_asks_for_no_description_of_the_source() -> None:
    spec = replace(TRANSFER, editor=Editor.RENOISE)
    assert conditioning(spec, debug(), groove()).source_1E is None


@pytest.mark.parametrize("editor", Editor)
def test_more_strength_never_starts_lower(editor: Editor) -> None:
    starts = [starting_strength(editor, step / 50) for step in range(51)]
    assert starts[0] == 0.0
    assert starts[-1] == 1.0
    assert starts == sorted(set(starts))


def test_direct_editing_keeps_the_beat_that_renoising_loses() -> None:
    """At the same strength, the starter's bell follows the level of the loop more closely."""
    clip = read_clip(GROOVE, TimeSpan(start_s=0.0, end_s=1.28))
    spec = replace(TRANSFER, sampler=SamplerSpec(strength=0.7, steps=10), seed=5, takes=2, model="starter")
    kept = {
        editor: np.mean(
            [_level_kept(take, clip) for take in takes_of(replace(spec, editor=editor), starter(), clip)]
        )
        for editor in (Editor.RENOISE, Editor.DIRECT)
    }
    assert kept[Editor.DIRECT] > kept[Editor.RENOISE] + 0.1


def _level_kept(take: AudioClip, source: AudioClip) -> float:
    """Return the correlation of the take's level with the source's, from moment to moment."""
    levels = [_levels_db(clip.audio_NS, clip.sample_rate_hz) for clip in (take, source)]
    return float(np.corrcoef(*levels)[0, 1])


def _levels_db(audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
    hop = rate_hz // 50
    frames = audio_NS.mean(0)[: audio_NS.shape[1] // hop * hop].reshape(-1, hop)
    return np.asarray(10 * np.log10((frames.astype(np.float64) ** 2).mean(1) + 1e-6))
