"""Draws of clips: balanced, mixed, the same for whoever asks.

N clips, B batch, S samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SpecError
from engine.training.batches import BatchSampler
from engine.training.clap_features import cached_clap_features
from engine.training.clips import ClipInfo
from engine.training.data.draws import DrawConfig, DrawnClips, balancing_weights
from engine.training.data.prepared import ClipsShape
from engine.training.store import StoreConfig, render_store

MIXED = DrawConfig(passes=3, mixed=0.5, seed=4)


class Noises:
    """Clips in memory: noises of different levels, each of the labels that it is given."""

    folder = Path()

    def __init__(self, infos: Sequence[ClipInfo]) -> None:
        self.infos = infos
        levels_N1 = np.linspace(0.05, 0.9, len(infos))[:, None]
        noise_NS = np.random.default_rng(0).uniform(-1, 1, (len(infos), 400))
        self._audio_NS = (levels_N1 * noise_NS).astype(np.float32)
        self.config = ClipsShape(sample_rate_hz=16_000, clip_samples=400, catalogue=(), singles=0)

    def __len__(self) -> int:
        return len(self.infos)

    def audio(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        return self._audio_NS[np.asarray(indices)]

    def captions(self, indices: Sequence[int] | np.ndarray) -> list[str]:
        return [self.infos[int(index)].caption for index in indices]

    def describe(self) -> dict[str, object]:
        return {}


def _noises(*labels: str) -> Noises:
    return Noises([ClipInfo(caption=f"{label}!", concepts=(label,)) for label in labels])


@given(labels=st.lists(st.sampled_from("abcde"), min_size=1, max_size=60))
def test_balanced_labels_have_equal_shares(labels: list[str]) -> None:
    weights_N = balancing_weights([ClipInfo(caption="", concepts=(label,)) for label in labels])
    shares = Counter[str]()
    for label, weight in zip(labels, weights_N, strict=True):
        shares[label] += weight
    assert all(share == pytest.approx(1.0) for share in shares.values())


def test_rare_labels_count_for_each_clip_that_has_them() -> None:
    infos = [ClipInfo(caption="", concepts=concepts) for concepts in (("a",), ("a", "b"), (), ())]
    assert balancing_weights(infos).tolist() == [0.5, 1.5, 0.5, 0.5]


def test_balanced_draws_name_each_label_as_often() -> None:
    clips = DrawnClips(_noises(*"a" * 40, *"b" * 8, *"c" * 2), DrawConfig(passes=60, balanced=True))
    counts = Counter(info.concepts[0] for info in clips.infos)
    assert set(counts) == set("abc")
    # 3000 draws: one standard deviation is 26.
    assert all(abs(count - 1000) < 110 for count in counts.values())


def test_draws_without_balance_take_each_clip_once_a_pass() -> None:
    clips = DrawnClips(_noises(*"abcdefg"), MIXED)
    assert Counter(clips.draw(index).first for index in range(len(clips))) == dict.fromkeys(range(7), 3)


def test_a_mixture_is_two_clips_of_equal_energy_by_a_beta_weight() -> None:
    noises = _noises(*"abcdefgh")
    clips = DrawnClips(noises, DrawConfig(passes=100, mixed=1.0))
    weights = []
    for index in range(0, len(clips), 16):
        draw, mixed_S = clips.draw(index), clips.audio([index])[0]
        if draw.second is None:
            assert np.array_equal(mixed_S, noises.audio([draw.first])[0])
            continue
        sources_SB = noises.audio([draw.first, draw.second]).T.astype(np.float64)
        equal_SB = sources_SB / np.sqrt((sources_SB**2).mean(axis=0))
        shares, *_ = np.linalg.lstsq(equal_SB, mixed_S, rcond=None)
        assert np.abs(equal_SB @ shares - mixed_S).max() < 1e-5
        assert shares[0] / shares.sum() == pytest.approx(draw.weight, abs=1e-4)
        assert np.abs(mixed_S).max() == pytest.approx(0.5, abs=1e-5)
        assert clips.captions([index]) == [f"{'abcdefgh'[draw.first]}! and {'abcdefgh'[draw.second]}!"]
        weights.append(draw.weight)
    # Beta(5, 5) has a mean of 1/2 and a deviation of 0.151.
    assert np.mean(weights) == pytest.approx(0.5, abs=0.08)
    assert np.std(weights) == pytest.approx(0.151, abs=0.05)


def test_labels_of_a_mixture_are_those_of_either() -> None:
    infos = [ClipInfo(caption="", concepts=("a", "b")), ClipInfo(caption="x", concepts=("b", "c"))]
    mixtures = DrawnClips(Noises(infos), DrawConfig(passes=9, mixed=1.0)).infos
    assert {info.concepts for info in mixtures} >= {("a", "b", "c"), ("b", "c", "a")}
    assert {info.caption for info in mixtures} == {"", "x"}


def test_about_the_share_that_was_asked_for_is_mixed() -> None:
    clips = DrawnClips(_noises(*map(str, range(100))), DrawConfig(passes=10, mixed=0.3))
    mixed = sum(clips.draw(index).second is not None for index in range(1000))
    assert 240 < mixed < 360


def test_each_caption_of_a_sound_is_said_at_times() -> None:
    info = ClipInfo(caption="one", concepts=(), others=("two", "three"))
    clips = DrawnClips(Noises([info]), DrawConfig(passes=40))
    assert set(clips.captions(range(40))) == {"one", "two", "three"}


@given(seed=st.integers(0, 99), step=st.integers(0, 500), batch=st.integers(1, 9))
def test_a_batch_depends_on_seed_and_step_alone(seed: int, step: int, batch: int) -> None:
    """Whoever comes from the steps before, and whoever begins with this one, reads the same."""
    config = DrawConfig(passes=4, mixed=0.5, balanced=bool(seed % 2), seed=seed)
    one, other = (DrawnClips(_noises(*"aaabbc"), config) for _ in range(2))
    order = BatchSampler(len(one), batch, seed)
    for before in range(max(0, step - 3), step):
        one.audio(order.indices(before))
    indices = BatchSampler(len(other), batch, seed).indices(step)
    assert np.array_equal(order.indices(step), indices)
    assert np.array_equal(one.audio(indices), other.audio(indices))
    assert one.captions(indices) == other.captions(indices)


@pytest.mark.parametrize("fields", [{"passes": 0}, {"mixed": 1.1}, {"mixed": -0.1}, {"seed": -1}])
def test_draws_that_cannot_be_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(SpecError):
        DrawConfig(**fields)


def test_what_is_computed_from_draws_lies_apart_and_goes_with_the_store(tmp_path: Path) -> None:
    config = StoreConfig(singles=2, mixtures=0, duration_s=0.1)
    store = render_store(tmp_path, config, processes=1)
    drawn, others = (DrawnClips(store, DrawConfig(mixed=share, passes=2)) for share in (0.5, 0.9))
    assert len({store.folder, drawn.folder, others.folder}) == 3
    assert len(cached_clap_features(store, 48_000)) == 2
    assert len(cached_clap_features(drawn, 48_000)) == 4
    render_store(tmp_path, StoreConfig(singles=3, mixtures=0, duration_s=0.1), processes=1)
    assert not list(tmp_path.rglob("clap_features*"))
