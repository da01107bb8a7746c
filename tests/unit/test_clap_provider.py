from __future__ import annotations

import dataclasses

import pytest
import soxr
import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.models.clap import ClapConfig, ClapProvider, TransformersClap, build_clap_model
from engine.models.clap_features import even_windows
from engine.models.clap_tokenizer import train_tokenizer

LONG_SAMPLES = 491_520


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["a dog barks", "rain on a roof"], vocabulary=300)


@pytest.fixture(scope="module")
def clap(tokenizer: Tokenizer) -> TransformersClap:
    torch.manual_seed(0)
    model = build_clap_model(ClapConfig.debug())
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    return TransformersClap(model.train(), tokenizer)


def noise(samples: int, clips: int = 2) -> Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(3))


def sounds(samples: int) -> Tensor:
    tone = 0.5 * torch.sin(torch.arange(samples) * 0.02)
    return torch.stack([noise(samples)[0], tone])


def test_embeddings_are_rows_of_length_one(clap: ClapProvider) -> None:
    text_BE = clap.embed_text(["a dog barks", "rain", ""])
    audio_BE = clap.embed_audio(noise(48_000), 48_000)
    assert text_BE.shape == (3, clap.embedding_width) and audio_BE.shape == (2, clap.embedding_width)
    torch.testing.assert_close(torch.cat([text_BE, audio_BE]).norm(dim=1), torch.ones(5))


def test_different_inputs_have_different_embeddings(clap: ClapProvider) -> None:
    text_BE = clap.embed_text(["a dog barks", "rain on a roof"])
    audio_BE = clap.embed_audio(sounds(48_000), 48_000)
    assert (text_BE[0] - text_BE[1]).norm() > 1e-2 and (audio_BE[0] - audio_BE[1]).norm() > 1e-2


def test_the_model_comes_from_its_pooled_features(clap: TransformersClap) -> None:
    audio_BS, model = noise(480_000), clap.model
    outputs = model(
        input_ids=torch.tensor([clap._tokenizer.encode("a dog barks").ids] * 2),
        input_features=clap._features(audio_BS),
        attention_mask=torch.ones(2, len(clap._tokenizer.encode("a dog barks").ids), dtype=torch.long),
    )
    torch.testing.assert_close(clap.embed_audio(audio_BS, 48_000), outputs.audio_embeds)
    torch.testing.assert_close(clap.embed_text(["a dog barks"] * 2), outputs.text_embeds)


def test_padding_does_not_change_a_prompt(clap: ClapProvider) -> None:
    alone = clap.embed_text(["rain"])
    beside = clap.embed_text(["rain", "a dog barks and barks and barks on a roof"])
    torch.testing.assert_close(beside[:1], alone, atol=1e-6, rtol=0)


def test_a_prompt_beyond_the_positions_is_cut(clap: ClapProvider) -> None:
    long = "z" * ClapConfig.debug().max_tokens
    assert torch.equal(clap.embed_text([long]), clap.embed_text([long + " and a dog"]))
    assert not torch.equal(clap.embed_text([long]), clap.embed_text([long[:20]]))


def test_the_callers_tokenizer_is_left_alone(tokenizer: Tokenizer, clap: TransformersClap) -> None:
    assert clap.embedding_width == 16
    assert tokenizer.truncation is None and tokenizer.padding is None


def test_the_empty_prompt_is_encoded_once(clap: TransformersClap, tokenizer: Tokenizer) -> None:
    calls: list[int] = []

    class Counting(TransformersClap):
        def _embed_tokens(self, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
            calls.append(len(ids_BL))
            return super()._embed_tokens(ids_BL, mask_BL)

    counting = Counting(clap.model, tokenizer)
    first, again = counting.embed_text([""]), counting.embed_text(["", ""])
    assert calls == [1]
    assert torch.equal(again, first.repeat(2, 1))
    torch.testing.assert_close(counting.embed_text(["", "rain"])[:1], first, atol=1e-6, rtol=0)


def test_writing_into_an_embedding_does_not_spoil_the_next(clap: ClapProvider) -> None:
    before = clap.embed_text([""]).clone()
    clap.embed_text([""]).zero_()
    assert torch.equal(clap.embed_text([""]), before)


def test_a_long_clip_is_the_mean_over_even_windows(clap: ClapProvider) -> None:
    audio_BS = sounds(LONG_SAMPLES)
    rows_BKE = torch.stack([clap.embed_audio(window, 48_000) for window in even_windows(audio_BS)])
    mean_BE = rows_BKE.mean(dim=1)
    expected_BE = mean_BE / mean_BE.norm(dim=1, keepdim=True)
    torch.testing.assert_close(clap.embed_audio(audio_BS, 48_000), expected_BE, atol=1e-6, rtol=0)


def test_a_long_clip_has_the_same_embedding_every_time(clap: ClapProvider) -> None:
    audio_BS = noise(LONG_SAMPLES, clips=1)
    first = clap.embed_audio(audio_BS, 48_000)
    torch.manual_seed(99)
    assert torch.equal(clap.embed_audio(audio_BS, 48_000), first)


def test_other_rates_are_resampled_first(clap: ClapProvider) -> None:
    audio_BS = noise(16_000)
    high_BS = torch.stack(
        [torch.from_numpy(soxr.resample(clip.numpy(), 16_000, 48_000)) for clip in audio_BS]
    )
    torch.testing.assert_close(
        clap.embed_audio(audio_BS, 16_000), clap.embed_audio(high_BS, 48_000), atol=1e-3, rtol=0
    )


def test_embeddings_carry_no_gradient(clap: ClapProvider) -> None:
    assert not clap.embed_text(["rain"]).requires_grad
    assert not clap.embed_audio(noise(4800), 48_000).requires_grad


def test_the_starter_stays_under_six_million_parameters() -> None:
    with torch.device("meta"):
        model = build_clap_model(ClapConfig.starter())
    assert sum(parameter.numel() for parameter in model.parameters()) < 6_000_000


@pytest.mark.parametrize(
    ("change", "match"), [({"heads": (2, 4)}, "same length"), ({"patch_size": 16}, "window")]
)
def test_sizes_that_cannot_fit_are_refused(change: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        dataclasses.replace(ClapConfig(), **change)


def test_gradients_reach_the_samples(clap: ClapProvider) -> None:
    audio_BS = noise(48_000)
    torch.testing.assert_close(clap.hear(audio_BS).detach(), clap.embed_audio(audio_BS, 48_000))
    heard_from = audio_BS.clone().requires_grad_()
    (gradient_BS,) = torch.autograd.grad(clap.hear(heard_from)[:, 0].sum(), heard_from)
    step_BS = gradient_BS * (1e-2 / gradient_BS.norm())
    ahead, behind = (clap.hear(audio_BS + sign * step_BS)[:, 0].sum().item() for sign in (1.0, -1.0))
    slope = (gradient_BS * step_BS).sum().item()
    assert slope == pytest.approx((ahead - behind) / 2, rel=0.05) and slope > 1e-5
