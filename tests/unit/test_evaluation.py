"""The figures of the card: perfect systems score perfectly, and the debug bundle goes through.

N clips, K concepts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.diffusion.noise import SeededNoise
from engine.evaluation import sampling as sampling_module
from engine.evaluation import starter
from engine.evaluation.classifier import ClassifierRecipe, ConceptClassifier, single_concepts
from engine.evaluation.sampling import SamplingConfig, decode, encode, generate, render_chunk
from engine.models.bundle import Bundle, debug_bundle
from engine.models.vae import Posterior
from engine.training.store import ClipStore, StoreConfig, render_store
from tests.unit import training_setups as setups

pytestmark = pytest.mark.usefixtures("one_thread")

FAST = SamplingConfig(steps=2, seed=5)
TWO = ("sub bass", "rain")
CLIPS = StoreConfig(concepts=TWO, singles=16, mixtures=0, duration_s=0.64)


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return render_store(tmp_path_factory.mktemp("held_out"), replace(CLIPS, held_out=True), processes=1)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> ConceptClassifier:
    clips = render_store(tmp_path_factory.mktemp("clips"), CLIPS, processes=1)
    recipe = ClassifierRecipe(setups.classifier_config(batch=8), clips)
    for step in range(40):
        recipe.train_step(step)
    return recipe.network.eval()


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return debug_bundle()


def _audio(clips: ClipStore) -> tuple[Tensor, Tensor]:
    indices = np.arange(len(clips))
    return torch.from_numpy(clips.audio(indices)), single_concepts(clips, indices)


def test_the_judge_learns_two_concepts_and_knows_clips_it_never_saw(
    judge: ConceptClassifier, held_out: ClipStore
) -> None:
    audio, concepts = _audio(held_out)
    assert set(concepts.tolist()) == {0, 1}
    assert (judge.name(audio) == concepts).float().mean() >= 0.9


def test_clips_are_judged_at_one_level(judge: ConceptClassifier, held_out: ClipStore) -> None:
    audio, _ = _audio(held_out)
    assert torch.allclose(starter.judged(judge, audio), starter.judged(judge, 0.01 * audio), atol=1e-3)


def test_recognition_of_real_clips_is_that_of_real_clips(
    judge: ConceptClassifier, held_out: ClipStore, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio, concepts = _audio(held_out)
    asked: list[str] = []

    def real(_: Bundle, prompts: list[str], frames: int, config: SamplingConfig) -> Tensor:
        asked.extend(prompts)
        assert frames == 64
        return torch.cat([audio[concepts == 0], audio[concepts == 1]])

    monkeypatch.setattr(starter, "generate", real)
    found = starter.recognition(bundle, judge, held_out, 8, FAST)
    assert asked == [TWO[0]] * 8 + [TWO[1]] * 8
    assert found.generated == found.real_held_out >= 0.9
    assert found.generated_top5 == 1.0
    assert 0.1 < found.shuffled_prompts < 0.9
    assert np.mean(list(found.by_concept.values())) == pytest.approx(found.generated, abs=1e-3)
    assert (found.concepts, found.clips) == (2, 16)


def test_shuffled_prompts_are_near_chance_over_many_seeds(
    judge: ConceptClassifier, held_out: ClipStore, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio, concepts = _audio(held_out)
    ordered = torch.cat([audio[concepts == 0], audio[concepts == 1]])
    monkeypatch.setattr(starter, "generate", lambda *_: ordered)
    monkeypatch.setattr(starter, "decode", lambda *_: ordered)
    seeds = [replace(FAST, seed=seed) for seed in range(8)]
    shares = [starter.recognition(bundle, judge, held_out, 8, seed).shuffled_prompts for seed in seeds]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.15)


def test_a_perfect_fill_has_no_distance(
    judge: ConceptClassifier, held_out: ClipStore, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "_inpainted", lambda bundle, real, prompts, config: real)
    distance = starter.inpaint_distance(bundle, judge, held_out, 10, FAST)
    assert distance.inpainted == 0.0
    assert distance.silence > 0.0 and distance.noise > 0.0
    assert distance.clips == 10


def test_only_the_middle_half_of_a_fill_counts(judge: ConceptClassifier, held_out: ClipStore) -> None:
    real, _ = _audio(held_out)
    fill = real.clone()
    fill[:, : real.shape[1] // 4] = 0.0
    fill[:, -(real.shape[1] // 4) :] = 0.0
    assert starter._fill_distance(judge, real, fill, starter._middle(real.shape[1])) == 0.0


def test_inpainting_keeps_the_latents_around_the_middle(held_out: ClipStore, bundle: Bundle) -> None:
    source = encode(bundle, _audio(held_out)[0][:2])
    keep = torch.ones_like(source)
    keep[:, :, starter._middle(source.shape[2])] = 0.0
    kept: list[Tensor] = []
    listening = replace(bundle, vae=_Listening(bundle, kept))
    noise = SeededNoise(0, tuple(source.shape))
    render_chunk(listening, bundle.clap.embed_text(["rain", "rain"]), noise, FAST, source, keep_BCHW=keep)
    changed = (kept[0] != source).any(dim=3).any(dim=1)
    quarter = source.shape[2] // 4
    assert not changed[:, :quarter].any() and not changed[:, -quarter:].any()
    assert changed[:, quarter:-quarter].all()


def test_transfer_starts_at_the_reconstructed_source(held_out: ClipStore, bundle: Bundle) -> None:
    curve = starter.transfer_curve(bundle, held_out, 3, FAST)
    source_N = np.random.default_rng(FAST.seed).permutation(16)[:3]
    audio = torch.from_numpy(held_out.audio(source_N))
    rebuilt = decode(bundle, encode(bundle, audio))
    heard, again = (bundle.clap.embed_audio(each, 16_000) for each in (audio, rebuilt))
    assert curve.to_source_audio[0] == pytest.approx(
        F.cosine_similarity(heard, again).mean().item(), abs=1e-5
    )
    assert curve.strengths[0] == 0.0 and curve.strengths[-1] == 1.0
    assert len(curve.to_target_prompt) == len(curve.to_source_audio) == len(curve.strengths)


def test_at_full_strength_nothing_of_the_source_is_left(held_out: ClipStore, bundle: Bundle) -> None:
    source = encode(bundle, _audio(held_out)[0][:2])
    condition = bundle.clap.embed_text(["rain", "wind"])
    noise = SeededNoise(FAST.seed, tuple(source.shape))
    transferred = render_chunk(bundle, condition, noise, FAST, source, strength=1.0)
    assert torch.equal(transferred, generate(bundle, ["rain", "wind"], 64, FAST))


def test_reconstruction_by_perfect_networks_is_without_error(held_out: ClipStore, bundle: Bundle) -> None:
    perfect = replace(bundle, vae=_Identity(), vocoder=_Playback(_audio(held_out)[0]))
    errors = starter.reconstruction(perfect, held_out, 16)
    assert errors == starter.Reconstruction(
        vae_log_mel_l1=0.0, vae_vocoder_log_mel_l1=0.0, vocoder_log_mel_l1=0.0
    )


def test_reconstruction_of_the_debug_bundle_has_errors(held_out: ClipStore, bundle: Bundle) -> None:
    audio, _ = _audio(held_out)
    errors = starter.reconstruction(bundle, held_out, 16)
    with torch.no_grad():
        mel = bundle.mel(audio)
        coded = bundle.vae.decode(bundle.vae.encode(mel).mean_BCHW)
    assert errors.vae_log_mel_l1 == pytest.approx((coded - mel).abs().mean().item(), rel=1e-4)
    assert errors.vocoder_log_mel_l1 > 0


@pytest.mark.parametrize(
    ("mistaken", "clip_to_name", "name_to_clip"),
    [((), 1.0, 1.0), ((15,), 15 / 16, 1.0), (range(16), 0.0, 0.0)],
)
def test_retrieval_counts_what_is_nearest(
    held_out: ClipStore, bundle: Bundle, mistaken: Iterable[int], clip_to_name: float, name_to_clip: float
) -> None:
    _, concept_N = _audio(held_out)
    heard_N = concept_N.clone()
    heard_N[list(mistaken)] = 1 - heard_N[list(mistaken)]
    found = starter.retrieval(replace(bundle, clap=_Ears(heard_N)), held_out)  # type: ignore[arg-type]
    assert (found.clip_to_name, found.name_to_clip) == (clip_to_name, name_to_clip)
    assert (found.clips, found.concepts) == (16, 2)


def test_clips_do_not_depend_on_the_batch(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = ["rain", "wind", "surf"]
    together = generate(bundle, prompts, 32, FAST)
    monkeypatch.setattr(sampling_module, "BATCH", 2)
    assert torch.allclose(generate(bundle, prompts, 32, FAST), together, atol=1e-5)
    assert together.shape == (3, 32 * 160)


def test_latents_are_scaled_on_the_way_in_and_out(held_out: ClipStore, bundle: Bundle) -> None:
    audio, _ = _audio(held_out)
    doubled = replace(bundle, scale_factor=2 * bundle.scale_factor)
    assert torch.equal(encode(doubled, audio), 2 * encode(bundle, audio))
    assert torch.allclose(decode(doubled, encode(doubled, audio)), decode(bundle, encode(bundle, audio)))


def test_the_report_is_plain_data_and_repeatable(
    judge: ConceptClassifier, held_out: ClipStore, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRANSFER_PAIRS", "INPAINTED_CLIPS", "RECONSTRUCTED_CLIPS"):
        monkeypatch.setattr(starter, name, 2)
    first, second = (starter.report(bundle, judge, held_out, 1, FAST) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    assert first.keys() == {
        "recognition",
        "retrieval",
        "transfer",
        "inpainting",
        "reconstruction",
        "sampling",
    }


class _Listening:
    """A VAE that notes the latents it is asked to decode."""

    def __init__(self, bundle: Bundle, heard: list[Tensor]) -> None:
        self._bundle, self._heard = bundle, heard
        self.config = bundle.vae.config

    def decode(self, z_BCHW: Tensor) -> Tensor:
        self._heard.append(z_BCHW * self._bundle.scale_factor)
        return self._bundle.vae.decode(z_BCHW)


class _Ears:
    """Hears one of two concepts in each clip, in order, and knows their names."""

    def __init__(self, heard_N: Tensor) -> None:
        self._heard = iter(heard_N)

    def embed_audio(self, audio_BS: Tensor, sample_rate_hz: int) -> Tensor:
        return torch.stack([torch.eye(2)[next(self._heard)] for _ in audio_BS])

    def embed_text(self, prompts: Sequence[str]) -> Tensor:
        return torch.stack([torch.eye(2)[TWO.index(prompt)] for prompt in prompts])


class _Identity:
    """A VAE whose latents are the mel itself."""

    def encode(self, mel_BTM: Tensor) -> Posterior:
        return Posterior(mean_BCHW=mel_BTM[:, None], logvar_BCHW=torch.zeros_like(mel_BTM[:, None]))

    def decode(self, z_BCHW: Tensor) -> Tensor:
        return z_BCHW[:, 0]


class _Playback:
    """A vocoder that returns what it is known to have been made from."""

    hop_samples = 160

    def __init__(self, audio_NS: Tensor) -> None:
        self._audio_NS = audio_NS

    def __call__(self, mel_BTM: Tensor) -> Tensor:
        assert len(mel_BTM) == len(self._audio_NS)
        return self._audio_NS
