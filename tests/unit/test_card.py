"""Cards survive JSON, and refuse whatever is not theirs by naming file and key."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.mel_scale import MelConfig
from engine.errors import ModelCorrupt, ModelMissing
from engine.models.card import (
    CARD_FILE,
    ModelCard,
    ModelConfigs,
    card_from_json,
    card_to_json,
    read_card,
    require_plain_name,
    settings_digest,
)
from engine.models.clap import ClapConfig
from engine.models.hifigan import HifiGanConfig
from engine.models.istft_vocoder import IstftVocoderConfig
from engine.models.mel_matching import MelMatchingConfig
from engine.models.unet import UNetConfig
from engine.models.vae import VaeConfig
from engine.types import Task

DIGEST = "0" * 64
CARDS = [
    ModelCard(name="small", licence="CC-BY-NC-SA-4.0", scale_factor=0.9227914214134216, canvas_s=10.24),
    ModelCard(
        name="starter",
        licence="CC0-1.0",
        scale_factor=1.0,
        canvas_s=2.56,
        tasks=(Task.GENERATE, Task.INPAINT),
        configs=ModelConfigs(
            vae=VaeConfig(base_channels=32, channel_mult=(1, 2, 2, 4), latent_channels=16),
            unet=UNetConfig(in_channels=16, out_channels=16, base_channels=32, heads=8),
            vocoder=IstftVocoderConfig(),
            clap=ClapConfig.starter(),
        ),
        files={"unet-01.safetensors": DIGEST},
        clap_hears=False,
        training={"steps": 10, "hours": 0.5, "recipe": ["a", None, True]},
    ),
    ModelCard(
        name="wide.48k",
        licence="unknown",
        scale_factor=0.4,
        canvas_s=10.24,
        sample_rate_hz=48_000,
        configs=ModelConfigs(mel=MelConfig.released_48k(), vocoder=HifiGanConfig.released_48k()),
    ),
]


def changed(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Return a change that sets what a dotted path names; None as value removes it."""

    def change(card: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            card = card[key]
        if value is None:
            del card[last]
        else:
            card[last] = value

    return change


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_survives_json(card: ModelCard) -> None:
    assert card_from_json(card_to_json(card), "card") == card


def test_the_vocoders_architecture_is_in_the_json() -> None:
    architectures = [json.loads(card_to_json(card))["configs"]["vocoder"]["architecture"] for card in CARDS]
    assert architectures == ["hifigan", "istft", "hifigan"]


@settings(deadline=None, max_examples=25)
@given(
    st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
)
def test_free_entries_are_kept_whatever_they_hold(training: dict[str, object]) -> None:
    card = ModelCard(name="a", licence="b", scale_factor=1.0, canvas_s=1.0, training=training)
    assert card_from_json(card_to_json(card), "card").training == training


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed("name", None), ["name", "missing"]),
        (changed("licence", None), ["licence", "missing"]),
        (changed("scale_factor", None), ["scale_factor", "missing"]),
        (changed("surprise", 1), ["surprise", "known"]),
        (changed("configs.unet.surprise", 1), ["configs.unet.surprise", "known"]),
        (changed("configs.unet.base_channels", "128"), ["configs.unet.base_channels", "whole number"]),
        (changed("configs.unet.base_channels", 128.0), ["configs.unet.base_channels", "whole number"]),
        (changed("configs.unet.base_channels", True), ["configs.unet.base_channels", "whole number"]),
        (changed("configs.unet.channel_mult", [1, "2"]), ["configs.unet.channel_mult[1]"]),
        (changed("configs.unet.channel_mult", []), ["configs.unet", "level"]),
        (changed("configs.unet.channel_mult", 5), ["configs.unet.channel_mult", "list"]),
        (changed("configs.unet.in_channels", 4), ["configs", "latent_channels"]),
        (changed("configs.unet.condition_width", 64), ["configs", "condition_width"]),
        (changed("configs.mel.padding", "none"), ["configs.mel.padding", "training"]),
        (changed("configs.mel.padding", ["training"]), ["configs.mel.padding"]),
        (changed("configs.mel.mel_bins", 80), ["configs", "mel_bins"]),
        (changed("configs.vocoder.architecture", None), ["configs.vocoder.architecture", "hifigan"]),
        (changed("configs.vocoder.architecture", "wavenet"), ["configs.vocoder.architecture", "wavenet"]),
        (changed("configs.vocoder.architecture", {}), ["configs.vocoder.architecture"]),
        (changed("configs.vocoder", []), ["configs.vocoder", "object"]),
        (changed("configs.schedule.end", 2.0), ["configs.schedule"]),
        (changed("scale_factor", float("nan")), ["NaN is not a number"]),
        (changed("scale_factor", 0), ["scale_factor", "above zero"]),
        (changed("canvas_s", -1.0), ["canvas_s"]),
        (changed("canvas_s", "10"), ["canvas_s", "number"]),
        (changed("tasks", ["sing"]), ["tasks[0]", "sing"]),
        (changed("tasks", []), ["tasks"]),
        (changed("sample_rate_hz", 44_100), ["sample_rate_hz"]),
        (changed("files", {"../unet": DIGEST}), ["files", "../unet"]),
        (changed("files", {"unet": "12"}), ["files.unet", "SHA-256"]),
        (changed("files", {"unet": 12}), ["files.unet", "text"]),
        (changed("tokenizer", "/etc/passwd"), ["tokenizer", "plain name"]),
        (changed("training", []), ["training", "object"]),
        (changed("schema_version", 2), ["schema_version", "newer"]),
        (changed("schema_version", "1"), ["schema_version"]),
    ],
)
def test_a_wrong_card_is_refused_by_file_and_key(
    change: Callable[[dict[str, Any]], None], words: list[str]
) -> None:
    values = json.loads(card_to_json(CARDS[0]))
    change(values)
    with pytest.raises(ModelCorrupt) as refusal:
        card_from_json(json.dumps(values), "some/card.json")
    assert all(word in refusal.value.message for word in ["some/card.json", *words]), refusal.value.message


def test_what_a_newer_component_adds_may_be_absent_from_an_older_card() -> None:
    values = json.loads(card_to_json(CARDS[0]))
    del values["configs"]["unet"]["heads"]
    assert card_from_json(json.dumps(values), "card") == CARDS[0]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"name": 1e999}', b"[" * 100_000, b"1" * 9_000]
)
def test_a_damaged_card_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CARD_FILE).write_bytes(content)
    with pytest.raises(ModelCorrupt, match=CARD_FILE):
        read_card(tmp_path)


def test_a_folder_without_a_card_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=CARD_FILE):
        read_card(tmp_path)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", ".hidden", "a b", "a\x00", "x" * 101, "a.", "ü", "a:b"]
)
def test_names_that_could_leave_a_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="plain name"):
        require_plain_name(name, "name")


def test_settings_are_told_apart_by_what_a_render_hears_alone() -> None:
    card = CARDS[1]
    heard = [
        card,
        replace(card, scale_factor=0.5),
        replace(card, canvas_s=5.12),
        replace(card, configs=replace(card.configs, mel_matching=MelMatchingConfig(passes=1))),
        replace(card, configs=replace(card.configs, vocoder=replace(card.configs.vocoder, n_fft=320))),
    ]
    assert len({settings_digest(one) for one in heard}) == len(heard)
    unheard = replace(card, name="other", licence="unknown", files={}, metrics={"fd": 1.0}, tasks=tuple(Task))
    assert settings_digest(unheard) == settings_digest(card)


def test_settings_that_are_as_by_default_do_not_count() -> None:
    """A key that cards learn later must leave the recipes of before as they are."""
    assert settings_digest(CARDS[0]) == "f94a050bdbd890338f27b9ee949a825c175af3f44c9004d9e99df530e4dd2183"
