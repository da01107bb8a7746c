"""Each recipe's step against its loss written out again, and its run against itself, cut in two.

B batch, K concepts.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.audio.mel import MelFrontEnd
from engine.audio.mel_scale import MelConfig
from engine.errors import SpecError
from engine.models.clap import to_clap_rate
from engine.models.clap_features import ClapFeatures
from engine.models.hifigan import HifiGan
from engine.models.vae import Vae, VaeConfig
from engine.training.batches import BatchSampler, step_generator
from engine.training.draws import Draws
from engine.training.latents import LatentStore
from engine.training.loop import LoopConfig, Metrics, Recipe, train
from engine.training.precision import Precision
from engine.training.project import averaged
from engine.training.recipes.clap import ClapRecipe, encode_captions
from engine.training.recipes.coded_mels import CodedMels
from engine.training.recipes.vocoder import fold_weight_norm
from engine.training.store import ClipStore
from engine.training.synthesis.catalogue import CONCEPTS
from tests.unit import training_setups as setups

pytestmark = pytest.mark.usefixtures("one_thread")

STEP = 3
MEL = MelFrontEnd(MelConfig())


@pytest.fixture(scope="module")
def latents(tmp_path_factory: pytest.TempPathFactory) -> LatentStore:
    return setups.random_latents(tmp_path_factory.mktemp("latents"))


def _clips(clips: ClipStore, batch: int, seed: int = 0, of: int | None = None) -> tuple[np.ndarray, Tensor]:
    indices = BatchSampler(of or len(clips), batch, seed).indices(STEP)
    return indices, torch.from_numpy(clips.audio_NS[indices] / np.float32(32767))


def _draws(batch: int, seed: int = 0) -> Draws:
    return Draws(seed, STEP, slice(0, batch))


def _over_floor_noise(audio: Tensor, draws: Draws) -> Tensor:
    """Add white noise of -75 to -45 dB under each clip's RMS, to three fifths of the clips."""
    level = torch.exp(math.log(10) / 20 * (-75 + 30 * draws.uniform(1)))
    level = level.masked_fill(draws.uniform(1) >= 0.6, 0.0)
    rms = audio.square().mean(dim=1, keepdim=True).sqrt()
    return audio + level * rms * draws.normal(audio.shape[1])


def _gradient_norm(loss: Tensor, network: nn.Module) -> float:
    gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return math.sqrt(sum(g.double().pow(2).sum().item() for g in gradients if g is not None))


def _autoencoded(network: nn.Module, clips: ClipStore) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the VAE's step 3 hears, what it answers, and its KL."""
    generator = step_generator(0, STEP)
    mel = MEL(_clips(clips, batch=3)[1])
    start = int(torch.randint(64 - 32 + 1, (), generator=generator))
    heard = mel[:, start : start + 32]
    posterior = network.encode(heard)
    mean, deviation = posterior.mean_BCHW, torch.exp(posterior.logvar_BCHW / 2)
    answer = network.decode(mean + deviation * _draws(3).normal(*mean.shape[1:]))
    normal = torch.distributions.Normal
    divergence = torch.distributions.kl_divergence(normal(mean, deviation), normal(0.0, 1.0))
    return heard, answer, divergence.mean()


def test_a_vae_step_is_l1_and_weighted_kl(tiny_clips: ClipStore) -> None:
    recipe = setups.vae(tiny_clips, kl_weight=0.3)
    network = copy.deepcopy(recipe.network)
    heard, answer, kl = _autoencoded(network, tiny_clips)
    l1 = (answer - heard).abs().mean()
    metrics = recipe.train_step(STEP)
    assert metrics["l1"] == pytest.approx(l1.item(), rel=1e-5)
    assert metrics["kl"] == pytest.approx(kl.item(), rel=1e-5)
    assert metrics["grad"] == pytest.approx(_gradient_norm(l1 + 0.3 * kl, network), rel=1e-4)
    assert "judge" not in metrics


def test_an_adversarial_vae_step_trains_the_judge_first_and_balances_gradients(tiny_clips: ClipStore) -> None:
    recipe = setups.vae(tiny_clips, adversarial_from=STEP, adversarial_weight=0.7)
    network, judge = copy.deepcopy(recipe.network), copy.deepcopy(recipe.judge)
    heard, answer, kl = _autoencoded(network, tiny_clips)
    margins = (1 - judge(heard)).clamp(min=0).mean() + (1 + judge(answer)).clamp(min=0).mean()
    metrics = recipe.train_step(STEP)
    assert metrics["judge"] == pytest.approx(margins.item() / 2, rel=1e-5)
    l1, praise = (answer - heard).abs().mean(), -recipe.judge(answer).mean()
    last = network.decoder.conv_out.weight
    norms = [torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (l1, praise)]
    loss = l1 + recipe.config.kl_weight * kl + 0.7 * norms[0] / (norms[1] + 1e-4) * praise
    assert metrics["grad"] == pytest.approx(_gradient_norm(loss, network), rel=1e-4)


def _spoken(network: nn.Module, clips: ClipStore) -> tuple[Tensor, Tensor]:
    """Return the segment that the vocoder's step 3 imitates, and its imitation."""
    generator = step_generator(0, STEP)
    audio = _over_floor_noise(_clips(clips, batch=3)[1], _draws(3))
    start = int(torch.randint(64 - 16 + 1, (), generator=generator))
    mel = MEL(audio)[:, start : start + 16]
    return audio[:, 160 * start : 160 * (start + 16)], network(mel)


def _spectral(real: Tensor, fake: Tensor) -> Tensor:
    window = torch.hann_window(256)
    frames = [torch.stft(a, 256, 64, window=window, return_complex=True).abs() for a in (real, fake)]
    convergence = torch.sqrt(((frames[1] - frames[0]) ** 2).sum()) / torch.sqrt((frames[0] ** 2).sum())
    logs = [each.clamp(min=1e-4).log() for each in frames]
    return convergence + (logs[1] - logs[0]).abs().mean()


def test_a_vocoder_step_is_mel_and_spectral_distance(tiny_clips: ClipStore) -> None:
    recipe = setups.vocoder(tiny_clips)
    network = copy.deepcopy(recipe.network)
    real, fake = _spoken(network, tiny_clips)
    mel = (MEL(fake) - MEL(real)).abs().mean()
    metrics = recipe.train_step(STEP)
    assert metrics["mel"] == pytest.approx(mel.item(), rel=1e-5)
    expected = _gradient_norm(45 * mel + _spectral(real, fake), network)
    assert metrics["grad"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_a_vocoder_learns_from_mels_that_the_vae_gave_back(tiny_clips: ClipStore, probability: float) -> None:
    coder = setups.vae(tiny_clips).network.eval()
    recipe = setups.vocoder(tiny_clips, coder, coded_probability=probability)
    network, draws = copy.deepcopy(recipe.network), _draws(3)
    audio = _over_floor_noise(_clips(tiny_clips, batch=3)[1], draws)
    start = int(torch.randint(64 - 16 + 1, (), generator=step_generator(0, STEP)))
    seen, real = MEL(audio), audio[:, 160 * start : 160 * (start + 16)]
    first, last = max(0, start - 32) // 2 * 2, -(-(start + 16 + 32) // 2) * 2
    with torch.no_grad():
        for row in torch.nonzero(draws.uniform(1)[:, 0] < probability)[:, 0]:
            decoded = coder.decode(coder.encode(seen[row : row + 1, first:last]).mean_BCHW)
            seen[row, first:last] = decoded[0]
    fake = network(seen[:, start : start + 16])
    expected = 45 * (MEL(fake) - MEL(real)).abs().mean() + _spectral(real, fake)
    assert recipe.train_step(STEP)["grad"] == pytest.approx(_gradient_norm(expected, network), rel=1e-4)


def test_clips_that_the_vae_cannot_code_whole_are_refused() -> None:
    with pytest.raises(SpecError, match="multiple of 4 mel frames"):
        CodedMels(Vae(VaeConfig(base_channels=8, latent_channels=2)), 0.5, clip_frames=66)


def test_an_adversarial_vocoder_step_is_hifigans(tiny_clips: ClipStore) -> None:
    # Without the spectrally normalised scale, whose weights move a little at every look at them.
    judges = setups.WaveDiscriminatorConfig(width=2, periods=(2, 3), scales=0)
    recipe = setups.vocoder(tiny_clips, adversarial_from=STEP, discriminators=judges, extra_resolutions=())
    network, before = copy.deepcopy(recipe.network), copy.deepcopy(recipe.judges)
    real, fake = _spoken(network, tiny_clips)
    verdicts = zip(before(real)[0], before(fake.detach())[0], strict=True)
    least_squares = sum(((1 - r) ** 2).mean() + (f**2).mean() for r, f in verdicts)
    metrics = recipe.train_step(STEP)
    assert metrics["judges"] == pytest.approx(least_squares.item(), rel=1e-5)
    (_, real_maps), (logits, fake_maps) = recipe.judges(real), recipe.judges(fake)
    layers = [zip(*pair, strict=True) for pair in zip(real_maps, fake_maps, strict=True)]
    features = sum((r.detach() - f).abs().mean() for pairs in layers for r, f in pairs)
    mel = (MEL(fake) - MEL(real)).abs().mean()
    loss = sum(((1 - f) ** 2).mean() for f in logits) + 2 * features + 45 * mel
    assert metrics["grad"] == pytest.approx(_gradient_norm(loss, network), rel=1e-4)


def test_a_clap_step_is_symmetric_cross_entropy(tiny_clips: ClipStore) -> None:
    recipe = setups.clap(tiny_clips, dropout=0.0)
    network = copy.deepcopy(recipe.network)
    indices, audio = _clips(tiny_clips, batch=4)
    shift_db = (2 * _draws(4).uniform() - 1) * 6.0
    features = ClapFeatures()(to_clap_rate(audio, 16_000)).half().float() + shift_db[:, None, None, None]
    tokenizer = setups.tokenizer(tiny_clips)
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>")
    tokens = tokenizer.encode_batch(tiny_clips.captions(indices))
    logits = network(
        input_ids=torch.tensor([each.ids for each in tokens]),
        attention_mask=torch.tensor([each.attention_mask for each in tokens]),
        input_features=features,
    ).logits_per_audio
    loss = -(logits.log_softmax(0).diagonal() + logits.log_softmax(1).diagonal()).mean() / 2
    metrics = recipe.train_step(STEP)
    assert metrics["loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert metrics["grad"] == pytest.approx(_gradient_norm(loss, network), rel=1e-3)
    assert recipe.network.logit_scale_a.item() != network.logit_scale_a.item()


def test_naming_adds_the_error_of_naming_concepts_from_sound_and_text(tiny_clips: ClipStore) -> None:
    plain = setups.clap(tiny_clips, dropout=0.0)
    naming = setups.clap(tiny_clips, dropout=0.0, concept_weight=0.5)
    network, rows = copy.deepcopy(naming.network), naming.namer.rows_NE.detach().clone()
    indices, audio = _clips(tiny_clips, batch=4)
    shift_db = (2 * _draws(4).uniform() - 1) * 6.0
    features = ClapFeatures()(to_clap_rate(audio, 16_000)).half().float() + shift_db[:, None, None, None]
    tokenizer = setups.tokenizer(tiny_clips)
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>")
    tokens = tokenizer.encode_batch(tiny_clips.captions(indices))
    embeddings = network(
        input_ids=torch.tensor([each.ids for each in tokens]),
        attention_mask=torch.tensor([each.attention_mask for each in tokens]),
        input_features=features,
    )
    names = [concept.name for concept in CONCEPTS]
    shares = [[tiny_clips.infos[i].concepts.count(name) for name in names] for i in indices.tolist()]
    wanted = torch.tensor(shares) / torch.tensor(shares).sum(dim=1, keepdim=True)
    errors = [
        -(wanted * (20 * rows_BE @ (rows / rows.norm(dim=1, keepdim=True)).T).log_softmax(1)).sum(1).mean()
        for rows_BE in (embeddings.audio_embeds, embeddings.text_embeds)
    ]
    added = naming.train_step(STEP)["loss"] - plain.train_step(STEP)["loss"]
    assert added == pytest.approx(0.5 * sum(errors).item() / 2, rel=1e-3)


def test_extra_texts_are_wrong_answers_for_every_sound(tiny_clips: ClipStore) -> None:
    few = setups.clap(tiny_clips, dropout=0.0).train_step(STEP)["loss"]
    many = setups.clap(tiny_clips, dropout=0.0, extra_texts=40).train_step(STEP)["loss"]
    assert many > few + 0.1


def test_long_captions_are_cut_to_what_the_text_tower_holds(tiny_clips: ClipStore) -> None:
    recipe = setups.clap(tiny_clips)
    ids, mask = encode_captions(recipe._tokenizer, ["rain " * 500, "rain"])
    assert ids.shape == mask.shape == (2, recipe.config.network.max_tokens)


def test_an_ldm_step_is_the_weighted_noise_error(latents: LatentStore) -> None:
    recipe = setups.ldm(latents, text_probability=0.5, drop_probability=0.3)
    network, draws = copy.deepcopy(recipe.network), _draws(8)
    indices = BatchSampler(len(latents), 8, 0).indices(STEP)
    z = latents.sample(indices, draws)
    texts, dropped = (draws.uniform(1) < share for share in (0.5, 0.3))
    condition = torch.where(texts, latents.text_embeddings(indices), latents.audio_embeddings(indices))
    condition = torch.where(dropped, latents.empty_E, condition)
    noise = draws.normal(*z.shape[1:])
    t = draws.integers(1000)
    betas = np.linspace(0.0015**0.5, 0.0195**0.5, 1000) ** 2
    kept = torch.from_numpy(np.cumprod(1 - betas)).float()[t]
    noisy = kept.sqrt()[:, None, None, None] * z + (1 - kept).sqrt()[:, None, None, None] * noise
    errors = (network(noisy, t, condition) - noise).pow(2).flatten(1).mean(dim=1)
    weights = torch.minimum(torch.ones(8), 5.0 * (1 - kept) / kept)
    metrics = recipe.train_step(STEP)
    assert metrics["loss"] == pytest.approx(errors.mean().item(), rel=1e-4)
    assert metrics["weighted"] == pytest.approx((weights * errors).mean().item(), rel=1e-4)
    assert metrics["grad"] == pytest.approx(_gradient_norm((weights * errors).mean(), network), rel=1e-3)
    assert texts.any() and not texts.all() and dropped.any() and not dropped.all()


@pytest.mark.parametrize(("text", "dropped"), [(0.0, 0.1), (0.69, 0.1), (0.5, 0.5)])
def test_conditions_have_their_shares(latents: LatentStore, text: float, dropped: float) -> None:
    recipe = setups.ldm(latents, batch=40, text_probability=text, drop_probability=dropped)
    rows = []
    for step in range(100):
        indices = BatchSampler(len(latents), 40, 0).indices(step)
        _, condition = recipe._batch(indices, Draws(0, step, slice(0, 40)))
        matches = [latents.audio_embeddings(indices), latents.text_embeddings(indices), latents.empty_E]
        rows.append(torch.stack([(condition == match).all(dim=1) for match in matches], dim=1))
    kinds = torch.cat(rows)
    assert (kinds.sum(dim=1) == 1).all()
    expected = torch.tensor([(1 - dropped) * (1 - text), (1 - dropped) * text, dropped])
    # Four standard deviations of a share of 4000 independent clips.
    assert (
        (kinds.float().mean(dim=0) - expected).abs() <= 4 * (expected * (1 - expected) / 4000).sqrt()
    ).all()


def test_a_classifier_step_is_smoothed_cross_entropy(tiny_clips: ClipStore) -> None:
    recipe = setups.classifier(tiny_clips, gain_spread=0.5, noise_spread=0.2)
    network, draws = copy.deepcopy(recipe.network).train(), _draws(6, seed=1)
    indices, audio = _clips(tiny_clips, batch=6, seed=1, of=24)
    mel = MEL(_over_floor_noise(audio, draws))
    mel = mel + 0.5 * draws.normal(1, 1) + 0.3 * draws.normal(1, 64) + 0.2 * draws.normal(*mel.shape[1:])
    logs = network(mel.clamp(min=-11.5129)).log_softmax(dim=1)
    # The first 24 clips are the first 24 concepts.
    target = torch.from_numpy(indices)
    loss = -(0.95 * logs[torch.arange(6), target] + 0.05 * logs.mean(dim=1)).mean()
    assert recipe.train_step(STEP)["loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert len(CONCEPTS) == logs.shape[1]


def test_shards_of_a_batch_change_no_more_than_the_order_of_a_sum(tmp_path: Path) -> None:
    latents = setups.random_latents(tmp_path)
    whole, halves = setups.ldm(latents), setups.ldm(latents, shards=2)
    for step in range(3):
        one, two = whole.train_step(step), halves.train_step(step)
        assert two == pytest.approx(one, rel=1e-4)


Build = Callable[[ClipStore, LatentStore, Precision], Recipe]
RECIPES: dict[str, Build] = {
    "vae": lambda clips, _, precision: setups.vae(clips, precision=precision, adversarial_from=2),
    "istft": lambda clips, _, precision: setups.vocoder(clips, precision=precision, adversarial_from=2),
    "hifigan": lambda clips, _, precision: setups.vocoder(clips, precision=precision, network=setups.HIFIGAN),
    "clap": lambda clips, _, precision: setups.clap(clips, precision=precision),
    "roberta": lambda clips, _, precision: setups.roberta(clips, precision=precision),
    "ldm": lambda _, latents, precision: setups.ldm(latents, precision=precision, text_probability=0.3),
    "ldm in shards": lambda _, latents, precision: setups.ldm(latents, precision=precision, shards=3),
    "classifier": lambda clips, _, precision: setups.classifier(clips, precision=precision),
}


class _Killed:
    """A recipe whose process ends in the middle of a step."""

    def __init__(self, recipe: Recipe, at_step: int) -> None:
        self._recipe, self._at_step, self.device = recipe, at_step, recipe.device
        self.state_dict, self.load_state_dict = recipe.state_dict, recipe.load_state_dict

    def train_step(self, step: int) -> Metrics:
        metrics = self._recipe.train_step(step)
        if step == self._at_step:
            raise KeyboardInterrupt
        return metrics


def _same(ours: Any, other: Any) -> bool:
    if isinstance(ours, Tensor):
        return torch.equal(ours, other)
    if isinstance(ours, dict):
        return ours.keys() == other.keys() and all(_same(ours[key], other[key]) for key in ours)
    if isinstance(ours, list | tuple):
        return len(ours) == len(other) and all(map(_same, ours, other))
    return ours == other


# The CPU's convolutions take long in float16, so that not every recipe does all in it.
FLOAT16: dict[str, Build] = {
    "vae in float16": lambda clips, _, half: setups.vae(
        clips, precision=half, adversarial_from=2, batch=2, accumulate=2
    ),
    "clap": RECIPES["clap"],
    "ldm in shards": RECIPES["ldm in shards"],
}
RESUMED = [
    *((name, precision) for name in RECIPES for precision in (Precision.FLOAT32, Precision.BFLOAT16)),
    *((name, Precision.FLOAT16) for name in FLOAT16),
]


@pytest.mark.parametrize(("name", "precision"), RESUMED)
def test_killed_and_resumed_equals_uninterrupted(
    name: str, precision: Precision, tiny_clips: ClipStore, latents: LatentStore, tmp_path: Path
) -> None:
    def build() -> Recipe:
        return (RECIPES | FLOAT16)[name](tiny_clips, latents, precision)

    whole, killed, resumed = build(), build(), build()
    train(whole, tmp_path / "whole", LoopConfig(steps=4))
    with pytest.raises(KeyboardInterrupt):
        train(_Killed(killed, at_step=3), tmp_path / "cut", LoopConfig(steps=4, save_minutes=0.0))
    assert train(resumed, tmp_path / "cut", LoopConfig(steps=4)) == 4
    assert _same(whole.state_dict(), resumed.state_dict())


FAST = replace(setups.OPTIMISER, learning_rate=1e-2)
# Adam makes a whole step of a gradient that is nothing but rounding, unless it is below epsilon.
GENTLE = replace(setups.OPTIMISER, epsilon=1e-4)
# The metric, and what share of it may be left. Of the classifier's loss label smoothing leaves a tenth.
LEARNERS: dict[str, tuple[str, float, Build]] = {
    "vae": (
        "l1",
        0.5,
        lambda clips, _, half: setups.vae(clips, precision=half, optimiser=FAST, batch=2, crop_frames=16),
    ),
    "vocoder": ("mel", 0.5, lambda clips, _, half: setups.vocoder(clips, precision=half, optimiser=FAST)),
    "clap": (
        "loss",
        0.1,
        lambda clips, _, half: setups.clap(clips, precision=half, dropout=0.0, gain_db=0.0, batch=3),
    ),
    "ldm": (
        "weighted",
        0.1,
        lambda _, latents, half: setups.ldm(latents, precision=half, optimiser=FAST, batch=4),
    ),
    "classifier": (
        "loss",
        0.2,
        lambda clips, _, half: setups.classifier(clips, precision=half, optimiser=FAST, batch=4),
    ),
}


@pytest.mark.parametrize(
    ("name", "precision"), [*((name, Precision.FLOAT32) for name in LEARNERS), ("vocoder", Precision.FLOAT16)]
)
def test_two_hundred_steps_learn_a_few_samples_by_heart(
    name: str, precision: Precision, tiny_clips: ClipStore, latents: LatentStore
) -> None:
    metric, left, build = LEARNERS[name]
    recipe = build(tiny_clips, latents, precision)
    # Always the same four batches: the first and the last round differ in the weights alone.
    values = [recipe.train_step(step % 4)[metric] for step in range(200)]
    assert sum(values[-4:]) < left * sum(values[:4])


# What a micro-batch sees of its own is left out: see the recipes' docstrings.
ACCUMULATING: dict[str, Callable[[ClipStore, LatentStore, int], Recipe]] = {
    "vae": lambda clips, _, k: setups.vae(clips, optimiser=GENTLE, adversarial_from=1, accumulate=k),
    "vocoder": lambda clips, _, k: setups.vocoder(
        clips,
        optimiser=GENTLE,
        adversarial_from=1,
        extra_resolutions=(),
        discriminators=setups.WaveDiscriminatorConfig(width=2, periods=(2, 3), scales=0),
        accumulate=k,
    ),
    "clap": lambda clips, _, k: _without_batch_norm(
        setups.clap(clips, optimiser=GENTLE, dropout=0.3, extra_texts=3, concept_weight=0.5, accumulate=k)
    ),
    "ldm": lambda _, latents, k: setups.ldm(latents, optimiser=GENTLE, accumulate=k),
}


def _without_batch_norm(recipe: ClapRecipe) -> ClapRecipe:
    recipe.network.audio_model.audio_encoder.batch_norm.eval()
    return recipe


@pytest.mark.parametrize("name", ACCUMULATING)
def test_accumulated_pieces_are_one_batch(name: str, tiny_clips: ClipStore, latents: LatentStore) -> None:
    whole, pieces = (ACCUMULATING[name](tiny_clips, latents, k) for k in (1, 3))
    for step in range(3):
        assert pieces.train_step(step) == pytest.approx(whole.train_step(step), rel=1e-3, abs=1e-6)
    # Three steps move a weight by up to 9e-3; the order of a sum moves it by far less.
    for name_, value in whole.network.state_dict().items():
        assert torch.allclose(pieces.network.state_dict()[name_], value, atol=5e-5), name_


def test_folded_hifigan_says_the_same_under_the_released_names(tiny_clips: ClipStore) -> None:
    recipe = setups.vocoder(tiny_clips, network=setups.HIFIGAN)
    recipe.train_step(0)
    network, mel = averaged(recipe), torch.randn(1, 8, 64)
    trained = network(mel)
    fold_weight_norm(network.requires_grad_(False))
    assert {name for name, _ in network.named_parameters()} == network.state_dict().keys()
    assert network.state_dict().keys() == HifiGan(setups.HIFIGAN).state_dict().keys()
    assert torch.allclose(network(mel), trained, atol=1e-6)


def testaveraged_weights_are_the_moving_average(latents: LatentStore) -> None:
    recipe = setups.ldm(latents)
    for step in range(3):
        recipe.train_step(step)
    average = recipe.ema.shadow["input_blocks.0.0.weight"].clone()
    live = recipe.network.input_blocks[0][0].weight.detach().clone()
    network = averaged(recipe)
    assert torch.equal(network.input_blocks[0][0].weight, average)
    assert not torch.equal(live, average)
    assert not network.training and not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("fields", [{"crop_frames": 80}, {"crop_frames": 31}])
def test_a_crop_that_no_clip_has_is_refused(fields: dict[str, int], tiny_clips: ClipStore) -> None:
    with pytest.raises(SpecError, match="crop_frames"):
        setups.vae(tiny_clips, **fields)


def test_a_segment_longer_than_the_clips_is_refused(tiny_clips: ClipStore) -> None:
    with pytest.raises(SpecError, match="segment_frames 65 exceeds the 64 frames"):
        setups.vocoder(tiny_clips, segment_frames=65)
