"""Stores of clips and latents: the same whatever rendered them, whole or absent, never leaking.

N clips, S samples.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NotFound, SpecError
from engine.models.bundle import Bundle, debug_bundle
from engine.training import latents as latents_module
from engine.training import store as store_module
from engine.training.clap_features import cached_clap_features
from engine.training.draws import Draws
from engine.training.latents import LatentStore, cache_latents
from engine.training.store import ClipStore, StoreConfig, render_store
from engine.training.synthesis.catalogue import CONCEPTS, render_clip
from tests.unit.conftest import TINY_STORE

SMALL = StoreConfig(singles=6, mixtures=1, duration_s=0.2)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return debug_bundle()


@pytest.fixture(scope="module")
def few_clips(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return render_store(tmp_path_factory.mktemp("few_clips"), SMALL, processes=1)


@pytest.fixture(scope="module")
def latents(few_clips: ClipStore, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> LatentStore:
    return cache_latents(few_clips, tmp_path_factory.mktemp("latents"), bundle.vae, bundle.mel, bundle.clap)


@pytest.mark.parametrize(("shard_clips", "processes"), [(2, 1), (3, 2)])
def test_shards_and_processes_leave_clips_as_they_are(
    shard_clips: int, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = render_store(tmp_path / "whole", SMALL, processes=1)
    monkeypatch.setattr(store_module, "SHARD_CLIPS", shard_clips)
    sharded = render_store(tmp_path / "sharded", SMALL, processes)
    assert np.array_equal(whole.audio_NS, sharded.audio_NS)
    assert whole.infos == sharded.infos


def test_a_single_clip_is_its_concept_rendered_alone(tiny_clips: ClipStore) -> None:
    alone = render_clip(CONCEPTS[3], seed=3, duration_s=0.64)
    assert np.abs(tiny_clips.audio([3])[0] - alone.audio_S).max() <= 0.5001 / 32767
    assert tiny_clips.captions([3]) == [alone.caption]
    assert tiny_clips.infos[3].concepts == (alone.concept_name,)


def test_a_mixture_is_a_weighted_sum_of_its_two_concepts(tiny_clips: ClipStore) -> None:
    by_name = {concept.name: concept for concept in CONCEPTS}
    for index in range(TINY_STORE.singles, TINY_STORE.clips):
        info, mixed_S = tiny_clips.infos[index], tiny_clips.audio([index])[0]
        parts = [render_clip(by_name[name], index, 0.64) for name in info.concepts]
        sources = np.stack([part.audio_S for part in parts], axis=1)
        weights, *_ = np.linalg.lstsq(sources, mixed_S, rcond=None)
        assert (weights > 0).all()
        assert np.abs(sources @ weights - mixed_S).max() < 1e-4
        assert np.abs(mixed_S).max() == pytest.approx(0.5, abs=1e-4)
        assert info.caption == " and ".join(part.caption for part in parts)


def test_a_finished_store_is_not_rendered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render_store(tmp_path, SMALL, processes=1)
    monkeypatch.setattr(store_module, "_render_shard", None)
    assert render_store(tmp_path, SMALL, processes=1).infos == rendered.infos


def test_an_interrupted_rendering_leaves_nothing_under_the_final_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _interrupt_second_shard(patch)
        with pytest.raises(KeyboardInterrupt):
            render_store(tmp_path, SMALL, processes=1)
    assert [path.name for path in tmp_path.iterdir()] == ["audio.npy.part"]
    with pytest.raises(NotFound, match="no finished clip store"):
        ClipStore(tmp_path)
    assert len(render_store(tmp_path, SMALL, processes=1)) == SMALL.clips
    assert not list(tmp_path.glob("*.part"))


def test_a_store_being_replaced_is_not_taken_for_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = render_store(tmp_path, StoreConfig(singles=2, mixtures=0, duration_s=0.1), processes=1)
    cached_clap_features(old, window_samples=48_000)
    assert list(tmp_path.glob("clap_features*"))
    _interrupt_second_shard(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        render_store(tmp_path, SMALL, processes=1)
    with pytest.raises(NotFound):
        ClipStore(tmp_path)
    assert not list(tmp_path.glob("clap_features*"))


def _interrupt_second_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    render = store_module._render_shard

    def interrupted(job: tuple[StoreConfig, int, int]) -> object:
        if job[1] > 0:
            raise KeyboardInterrupt
        return render(job)

    monkeypatch.setattr(store_module, "SHARD_CLIPS", 2)
    monkeypatch.setattr(store_module, "_render_shard", interrupted)


SEEDS, COUNTS = st.integers(0, 99), st.integers(1, 10_000_000)


@given(seed=SEEDS, count=COUNTS, held_seed=SEEDS, held_count=COUNTS)
def test_held_out_seeds_never_meet_training_seeds(
    seed: int, count: int, held_seed: int, held_count: int
) -> None:
    training = StoreConfig(singles=count, mixtures=0, seed=seed)
    held_out = StoreConfig(singles=held_count, mixtures=0, seed=held_seed, held_out=True)
    assert training.first_seed + training.clips <= held_out.first_seed


@given(seeds=st.lists(SEEDS, min_size=2, max_size=2, unique=True), count=COUNTS, held_out=st.booleans())
def test_stores_of_different_seeds_share_no_clip(seeds: list[int], count: int, held_out: bool) -> None:
    configs = [StoreConfig(singles=count, mixtures=0, seed=seed, held_out=held_out) for seed in seeds]
    first, second = sorted(
        (range(config.first_seed, config.first_seed + count) for config in configs),
        key=lambda seeds: seeds.start,
    )
    assert first.stop <= second.start


@pytest.mark.parametrize(
    "fields",
    [
        {"singles": 0},
        {"mixtures": -1},
        {"seed": 100},
        {"seed": -1},
        {"singles": 10**7 + 1},
        {"duration_s": 0.0},
    ],
)
def test_a_store_that_cannot_be_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(SpecError):
        StoreConfig(**{"mixtures": 0, **fields})


def test_sampled_latents_have_unit_deviation(latents: LatentStore) -> None:
    indices = np.arange(len(latents))
    draws = [latents.sample(indices, Draws(seed, 0, slice(0, len(indices)))) for seed in range(20)]
    assert torch.stack(draws).std().item() == pytest.approx(1.0, abs=0.01)


def test_latents_are_drawn_from_the_posterior(
    latents: LatentStore, few_clips: ClipStore, bundle: Bundle
) -> None:
    with torch.no_grad():
        posterior = bundle.vae.encode(bundle.mel(torch.from_numpy(few_clips.audio([5]))))
    draws = latents.sample(np.full(2000, 5), Draws(0, 0, slice(0, 2000))) / latents.scale_factor
    deviation = torch.exp(0.5 * posterior.logvar_BCHW[0])
    assert (draws.mean(dim=0) - posterior.mean_BCHW[0]).abs().max() < 5 * deviation.max() / 2000**0.5
    assert torch.allclose(draws.std(dim=0), deviation, rtol=0.12)


def test_embeddings_are_the_providers_own(latents: LatentStore, few_clips: ClipStore, bundle: Bundle) -> None:
    indices = np.array([4, 2, 6])
    audio_BE = bundle.clap.embed_audio(torch.from_numpy(few_clips.audio(indices)), 16_000)
    text_BE = bundle.clap.embed_text(few_clips.captions(indices))
    # The features are cached in 16 bit.
    assert (latents.audio_embeddings(indices) * audio_BE).sum(dim=1).min() > 0.999
    assert torch.allclose(latents.text_embeddings(indices), text_BE, atol=1e-3)
    assert torch.equal(latents.empty_E, bundle.clap.embed_text([""])[0])


def test_interrupted_latents_are_not_read(
    few_clips: ClipStore, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "latents.json").write_text(json.dumps({"scale_factor": 1.0}))
    monkeypatch.setattr(latents_module, "_encode", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache_latents(few_clips, tmp_path, bundle.vae, bundle.mel, bundle.clap)
    with pytest.raises(NotFound, match="no finished latents"):
        LatentStore(tmp_path)


def _interrupted(*_: object) -> dict[str, torch.Tensor]:
    raise KeyboardInterrupt


def test_a_store_may_hold_some_of_the_concepts(tmp_path: Path) -> None:
    chosen = StoreConfig(concepts=("rain", "kick drum"), singles=4, mixtures=1, duration_s=0.64)
    store = render_store(tmp_path, chosen, processes=1)
    assert [concept.name for concept in store.config.catalogue] == ["kick drum", "rain"]
    assert [info.concepts for info in store.infos[:4]] == [("kick drum",), ("rain",)] * 2
    assert set(store.infos[4].concepts) == {"kick drum", "rain"}
    assert ClipStore(tmp_path).config == chosen


@pytest.mark.parametrize(
    ("names", "says"), [(("rain", "kazoo choir"), "no kazoo choir"), (("rain",), "two concepts")]
)
def test_a_store_of_unknown_or_too_few_concepts_is_refused(names: tuple[str, ...], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        StoreConfig(concepts=names)
