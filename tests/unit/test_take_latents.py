"""Latents that travel with a take: its next edit begins there, and the losses of VAE and vocoder end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.audio.grid import LatentGrid
from engine.audio.io import AudioClip, read_clip
from engine.audio.level import ModelLevel
from engine.audio.own_part import LATENTS, read_bound
from engine.edit.edit import Edit, edit_of
from engine.edit.take_latents import LatentStretch, from_bytes, stretch_of, to_bytes
from engine.jobs import Jobs
from engine.latents import encoded_part
from engine.models.bundle import Bundle, debug_bundle
from engine.recall import recall
from engine.render import _latent_space, render
from engine.spec_json import spec_from_dict
from engine.types import Region, RenderSpec, SamplerSpec, Stereo, Task, TimeSpan

RATE_HZ = 48_000
SONG = Path(__file__).parents[2] / "presets" / "examples" / "groove.flac"
Spec = dict[str, Any]


@pytest.fixture(scope="module")
def jobs() -> Jobs:
    return Jobs(clock=lambda: datetime(2026, 11, 21, tzinfo=UTC))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return debug_bundle()


def source(path: Path, seconds: float = 2.0, channels: int = 1, seed: int = 0) -> Path:
    samples = np.random.default_rng(seed).normal(0, 0.1, (round(RATE_HZ * seconds), channels))
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_24")
    return path


def transfer(path: Path, **changes: object) -> Spec:
    common = {"task": "transfer", "prompt": "rain", "model": "debug", "seed": 5}
    return common | {"region": {"path": str(path)}, "sampler": {"steps": 1, "strength": 0.5}} | changes


def inpainting(path: Path, start_s: float, end_s: float, **changes: object) -> Spec:
    shape = {"shape": "rect", "span": {"start_s": start_s, "end_s": end_s}}
    return transfer(path, task="inpaint", mask={"shapes": [shape]}, sampler={"steps": 1}) | changes


def do(jobs: Jobs, spec: Spec, folder: Path) -> Path:
    done: Any = jobs.render(spec, {"folder": str(folder), "stem": "take"}, lambda *_: None, lambda: False)
    return Path(done["takes"][0]["path"])


def kept(path: Path, bundle: Bundle) -> tuple[LatentStretch, ...]:
    return from_bytes(read_bound(path, LATENTS), _latent_space(bundle))


def edit_again(path: Path, bundle: Bundle, **changes: object) -> Edit:
    """Prepare an edit of a take as a render does."""
    spec = spec_from_dict(transfer(path, **changes))
    assert spec.region is not None
    clip = read_clip(path, spec.region.span, context_s=bundle.card.canvas_s)
    grid = LatentGrid.of(bundle.mel.config, bundle.vae.config.ratio)
    return edit_of(spec, clip, spec.mask, grid, bundle.card.canvas_s, kept(path, bundle))


def known_cells(edit: Edit) -> int:
    return sum(known.latent_CHW.shape[1] for canvas in edit.canvases for known in canvas.known)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff"])
def test_an_edit_of_a_take_begins_at_its_latents(
    jobs: Jobs, bundle: Bundle, tmp_path: Path, suffix: str
) -> None:
    take = do(jobs, transfer(source(tmp_path / f"in{suffix}")), tmp_path)
    assert take.suffix == suffix
    (stretch,) = kept(take, bundle)
    edit = edit_again(take, bundle)
    (canvas,) = edit.canvases
    (known,) = canvas.known
    # All but what is faded into the source at both ends.
    cell_s = canvas.cell_samples / edit.grid.sample_rate_hz
    assert known.latent_CHW.shape[1] >= 2.0 / cell_s - 2 * (0.04 / cell_s + 1)
    with torch.inference_mode():
        source_BCHW = encoded_part(bundle, canvas, None, edit.grid).source_BCHW
    assert source_BCHW is not None
    cells = slice(known.first_cell, known.first_cell + known.latent_CHW.shape[1])
    assert np.array_equal(source_BCHW[0, :, cells].numpy(), stretch.latent_CHW)


def test_what_a_generation_made_is_kept_too(jobs: Jobs, bundle: Bundle, tmp_path: Path) -> None:
    spec = {
        "task": "generate",
        "prompt": "rain",
        "duration_s": 2.0,
        "model": "debug",
        "sampler": {"steps": 1},
    }
    take = do(jobs, spec, tmp_path)
    (stretch,) = kept(take, bundle)
    assert stretch.place.first_sample == 0
    assert known_cells(edit_again(take, bundle)) == stretch.place.cells


def test_the_level_of_a_voice_is_that_of_its_latents(jobs: Jobs, bundle: Bundle, tmp_path: Path) -> None:
    path = source(tmp_path / "in.wav")
    samples, rate_hz = soundfile.read(path)
    soundfile.write(path, 0.05 * samples + 0.01, rate_hz, subtype="FLOAT")
    take = do(jobs, transfer(path), tmp_path)
    (stretch,) = kept(take, bundle)
    (canvas,) = edit_again(take, bundle).canvases
    assert canvas.levels == (stretch.place.level,)
    with torch.inference_mode():
        whole = LatentGrid.of(bundle.mel.config, bundle.vae.config.ratio)
        latent_BCHW = torch.from_numpy(stretch.latent_CHW)[None] / bundle.scale_factor
        made_S = bundle.vocoder(bundle.vae.decode(latent_BCHW))[0].numpy()
    # Far from the ends, where the stretch alone sounds as it did among its neighbours.
    inner = slice(len(made_S) // 4, len(made_S) // 2)
    start = stretch.place.first_sample - canvas.first_sample
    heard_S = canvas.audio_VS[0, start:][inner]
    assert whole.cell_samples == canvas.cell_samples
    likeness = np.corrcoef(made_S[inner], heard_S)[0, 1]
    assert likeness > 0.95
    assert np.std(heard_S) / np.std(made_S[inner]) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("start_s", [0.0, 0.1, 0.5, 0.713])
def test_a_part_of_a_take_is_on_the_grid_of_the_take(
    jobs: Jobs, bundle: Bundle, tmp_path: Path, start_s: float
) -> None:
    take = do(jobs, transfer(source(tmp_path / "in.wav")), tmp_path)
    (stretch,) = kept(take, bundle)
    span = {"start_s": start_s, "end_s": 1.5}
    edit = edit_again(take, bundle, region={"path": str(take), "span": span})
    (canvas,) = edit.canvases
    (known,) = canvas.known
    assert -canvas.cell_samples < canvas.patch.origin_samples <= 0
    in_take = canvas.first_sample + round(start_s * edit.grid.sample_rate_hz)
    first = (in_take - stretch.place.first_sample) // canvas.cell_samples + known.first_cell
    cells = known.latent_CHW.shape[1]
    assert np.array_equal(known.latent_CHW, stretch.latent_CHW[:, first : first + cells])


@pytest.mark.parametrize(("stereo", "voices"), [("mid", 1), ("mid_side", 1), ("channels", 2)])
def test_of_voices_that_were_mixed_none_is_kept(
    jobs: Jobs, bundle: Bundle, tmp_path: Path, stereo: str, voices: int
) -> None:
    path = source(tmp_path / "in.wav", channels=2)
    take = do(jobs, transfer(path, stereo=stereo), tmp_path)
    edit = edit_again(take, bundle, stereo=stereo)
    assert {known.voice for canvas in edit.canvases for known in canvas.known} == set(range(voices))


def test_an_edit_elsewhere_carries_along_what_it_leaves_alone(
    jobs: Jobs, bundle: Bundle, tmp_path: Path
) -> None:
    first = do(jobs, transfer(source(tmp_path / "in.wav", 4.0)), tmp_path / "one")
    (before,) = kept(first, bundle)
    second = do(jobs, inpainting(first, 1.0, 2.0), tmp_path / "two")
    stretches = kept(second, bundle)
    assert len(stretches) == 3
    ends = [(one.place.first_sample, one.place.cells) for one in stretches]
    cell = LatentGrid.of(bundle.mel.config, bundle.vae.config.ratio).cell_samples
    head = next(one for one in stretches if one.place.first_sample == before.place.first_sample)
    assert head.place.first_sample + head.place.cells * cell <= bundle.card.sample_rate_hz, ends
    assert np.array_equal(head.latent_CHW, before.latent_CHW[:, : head.place.cells])
    assert sum(cells for _, cells in ends) >= before.place.cells - 6


def test_other_audio_takes_nothing_from_what_was_kept(jobs: Jobs, bundle: Bundle, tmp_path: Path) -> None:
    take = do(jobs, transfer(source(tmp_path / "in.wav")), tmp_path)
    content = bytearray(take.read_bytes())
    content[-1] ^= 1
    take.write_bytes(content)
    assert read_bound(take, LATENTS) == b""
    assert known_cells(edit_again(take, bundle)) == 0


def test_a_take_without_its_latents_is_another_source(jobs: Jobs, tmp_path: Path) -> None:
    first = do(jobs, transfer(source(tmp_path / "in.wav")), tmp_path / "one")
    second = do(jobs, transfer(first, seed=6), tmp_path / "two")
    assert recall(second).source == "same"
    again = do(jobs, recall(second).spec, tmp_path / "three")
    assert np.array_equal(*(soundfile.read(path, dtype="int32")[0] for path in (second, again)))
    samples, rate_hz = soundfile.read(first, dtype="int32")
    soundfile.write(first, samples, rate_hz, subtype="PCM_24")
    assert recall(second).source == "changed"


STRETCHES = st.lists(
    st.builds(
        lambda cells, first, gain, seed: stretch_of(
            np.random.default_rng(seed).normal(size=(3, cells, 2)).astype("<f2").astype(np.float32),
            (0.5, 0.5),
            ModelLevel(mean=0.0, gain=gain),
            first,
        ),
        st.integers(1, 20),
        st.integers(-1000, 10**9),
        st.floats(1e-3, 1e3),
        st.integers(0, 100),
    ),
    min_size=1,
    max_size=4,
)


@given(STRETCHES)
def test_stretches_come_back_as_they_were(stretches: list[LatentStretch]) -> None:
    back = from_bytes(to_bytes(stretches, "m"), "m")
    assert [one.place for one in back] == [one.place for one in stretches]
    assert all(np.array_equal(a.latent_CHW, b.latent_CHW) for a, b in zip(back, stretches, strict=True))
    assert from_bytes(to_bytes(stretches, "m"), "another") == ()


def test_a_header_of_no_stretches_is_none() -> None:
    content = b'{"version": 1, "model": "m", "channels": 3, "width": 2, "places": []}\n'
    assert from_bytes(content, "m") == ()


@given(STRETCHES, st.data())
def test_damaged_stretches_are_none_or_finite(stretches: list[LatentStretch], data: st.DataObject) -> None:
    content = bytearray(to_bytes(stretches, "m"))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for one in (*from_bytes(bytes(content), "m"), *from_bytes(bytes(content[:cut]), "m")):
        assert one.latent_CHW.shape[1] == one.place.cells > 0
        assert np.isfinite(one.latent_CHW).all()
        assert one.place.gain > 0


def test_edits_of_edits_lose_less(starter: Bundle) -> None:
    """Transfer by one step of least strength, again and again: what comes back should be what went in."""
    sampler = SamplerSpec(steps=1, strength=0.001)
    span = TimeSpan(start_s=0.0, end_s=2.4)
    spec = RenderSpec(
        task=Task.TRANSFER,
        prompt="drums",
        region=Region(path=str(SONG), span=span),
        sampler=sampler,
        stereo=Stereo.MID,
    )
    song = read_clip(SONG, span)

    def chain(*, keeps: bool) -> list[AudioClip]:
        clips = [song]
        for _ in range(4):
            (take,) = render(spec, starter, clips[-1], lambda _: None, lambda: False)
            clips.append(replace(take.clip, latents=take.latents if keeps else b""))
        return clips

    def likeness(clip: AudioClip) -> float:
        heard_BE, song_BE = (
            starter.clap.embed_audio(
                torch.from_numpy(one.audio_NS.mean(axis=0)).float()[None], one.sample_rate_hz
            )
            for one in (clip, song)
        )
        return torch.cosine_similarity(heard_BE, song_BE).item()

    kept, forgotten = ([likeness(clip) for clip in chain(keeps=keeps)[1:]] for keeps in (True, False))
    assert min(kept) > kept[0] - 0.01 and kept[-1] > forgotten[-1] + 0.05, (kept, forgotten)
    assert all(later < earlier for earlier, later in pairwise(forgotten)), forgotten


def test_a_mask_in_some_bands_still_changes_only_them(jobs: Jobs, tmp_path: Path) -> None:
    """The contract holds for edits that begin at latents."""
    first = do(jobs, transfer(source(tmp_path / "in.wav")), tmp_path / "one")
    shape = {"shape": "rect", "span": {"start_s": 0.5, "end_s": 1.5}, "low_hz": 1000.0, "high_hz": 3000.0}
    second = do(jobs, inpainting(first, 0.0, 1.0, mask={"shapes": [shape]}), tmp_path / "two")
    before, after = (soundfile.read(path)[0] for path in (first, second))
    assert np.array_equal(before[: RATE_HZ // 2], after[: RATE_HZ // 2])
    assert np.array_equal(before[3 * RATE_HZ // 2 :], after[3 * RATE_HZ // 2 :])
    assert not np.array_equal(before, after)
