"""Fixtures that several files share because they take a second to make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.audio.io import read_excerpt
from engine.audio.resample import resample
from engine.models.bundle import Bundle
from engine.training.store import ClipStore, StoreConfig, render_store
from tests.unit import bundles
from tests.unit.odd_plugins import OddPlugins

TINY_STORE = StoreConfig(singles=24, mixtures=4, duration_s=0.64)


@pytest.fixture(scope="session")
def tiny_clips(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    """Return 28 rendered clips of 0.64 s, one concept each but for four mixtures; not to be changed."""
    folder: Path = tmp_path_factory.mktemp("tiny_clips")
    return render_store(folder, TINY_STORE, processes=1)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let sums of floats have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def one_thread_throughout() -> Iterator[None]:
    """Let sums of floats have one order in what a module makes once for all of its tests, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def starter() -> Bundle:
    """Return the embedded model; not to be changed."""
    return bundles.starter()


@pytest.fixture(scope="session")
def groove_NS() -> np.ndarray:
    """Return a second of a groove, stereo at 16 kHz (N channels, S samples); not to be changed."""
    clip = read_excerpt("presets/examples/groove.flac")
    return resample(clip.audio_NS[:, : clip.sample_rate_hz], clip.sample_rate_hz, 16_000).astype(np.float32)


@pytest.fixture(scope="session")
def odd_plugins(tmp_path_factory: pytest.TempPathFactory) -> OddPlugins:
    """Return plug-ins that go wrong in one way each."""
    return OddPlugins(tmp_path_factory.mktemp("odd_plugins"))
