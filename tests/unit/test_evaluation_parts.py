"""The figures of one network: where it loses nothing those of the clips themselves, else its own errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.evaluation.classifier import ClassifierRecipe, ConceptClassifier, single_concepts
from engine.evaluation.parts import measure_vae, measure_vocoder
from engine.models.bundle import debug_bundle
from engine.training.store import ClipStore, StoreConfig, render_store
from tests.unit import training_setups as setups

pytestmark = pytest.mark.usefixtures("one_thread")

CLIPS = StoreConfig(concepts=("sub bass", "rain"), singles=16, mixtures=0, duration_s=0.64)


class Playback(nn.Module):
    """A vocoder that knows which audio each mel came from."""

    hop_samples = 160

    def __init__(self, judge: ConceptClassifier, audio_BS: Tensor) -> None:
        super().__init__()
        self._audio_BS = audio_BS / audio_BS.abs().amax(dim=1, keepdim=True) * 0.5
        self._mel_BTM = judge.mel(self._audio_BS)

    def forward(self, mel_BTM: Tensor) -> Tensor:
        distance_BB = (mel_BTM[:, None] - self._mel_BTM[None]).abs().mean(dim=(2, 3))
        return self._audio_BS[distance_BB.argmin(dim=1)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return render_store(tmp_path_factory.mktemp("clips"), CLIPS, processes=1)


@pytest.fixture(scope="module")
def judge(clips: ClipStore) -> ConceptClassifier:
    recipe = ClassifierRecipe(setups.classifier_config(batch=8), clips)
    for step in range(40):
        recipe.train_step(step)
    return recipe.network.eval()


def test_a_perfect_vocoder_loses_nothing(judge: ConceptClassifier, clips: ClipStore) -> None:
    audio_BS = torch.from_numpy(clips.audio(np.arange(16)))
    figures = measure_vocoder(Playback(judge, audio_BS), judge, clips, 16)
    assert figures.log_mel_l1 < 1e-4
    assert figures.recognised == figures.recognised_before >= 0.9
    assert figures.clips == 16 and figures.parameters == 0 and figures.seconds_per_10_s > 0


def test_an_untrained_vae_is_as_far_off_as_its_mels(judge: ConceptClassifier, clips: ClipStore) -> None:
    vae = debug_bundle().vae
    figures = measure_vae(vae, judge, clips, 8)
    audio_BS = torch.from_numpy(clips.audio(np.arange(8)))
    mel_BTM = judge.mel(0.5 * audio_BS / audio_BS.abs().amax(dim=1, keepdim=True))
    with torch.no_grad():
        rebuilt_BTM = vae.decode(vae.encode(mel_BTM).mode())
        named = judge(rebuilt_BTM).argmax(dim=1) == single_concepts(clips, np.arange(8))
    assert figures.log_mel_l1 == pytest.approx((rebuilt_BTM - mel_BTM).abs().mean().item(), rel=1e-4)
    assert figures.recognised == pytest.approx(named.float().mean().item())
    assert figures.parameters == sum(parameter.numel() for parameter in vae.parameters())
