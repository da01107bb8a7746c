"""Words, or the sound of something, turned into a chain of effects with the starter's CLAP.

N channels, S samples, P parameters, E embedding.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.chain_json import chain_from_dict, chain_to_dict
from engine.chains import Chain, Effect
from engine.edit.loudness import loudness_lufs, true_peak_db
from engine.errors import Cancelled, ModelMissing, SpecError
from engine.fx.text_to_effect.finding import EffectSearch, FoundEffects, Method, find_effects
from engine.fx.text_to_effect.judge import heard
from engine.fx.text_to_effect.rendering import Renderer, render_here
from engine.fx.text_to_effect.space import ParameterRange, SearchedEffect, Template
from engine.fx.text_to_effect.templates import DEFAULT_ORDER, SEARCHED, template_of
from engine.fx.text_to_effect.wish import Aim, Wish
from engine.models.bundle import Bundle

pytestmark = pytest.mark.usefixtures("one_thread_throughout")

RATE_HZ = 16_000
FEW = EffectSearch(evaluations=45)
# Only what is audible of a few searches, and those are quick on one clip of a second.
SHELVES = template_of(("low_shelf_filter", "high_shelf_filter"))


@pytest.fixture(scope="module")
def dark(starter: Bundle, groove_NS: np.ndarray) -> FoundEffects:
    return find_effects(groove_NS, RATE_HZ, "dark", starter, search=FEW)


def similarity(audio_NS: np.ndarray, prompt: str, bundle: Bundle) -> float:
    return float((heard(audio_NS, RATE_HZ, bundle.clap) * bundle.clap.embed_text([prompt])[0]).sum())


def high_share(audio_NS: np.ndarray) -> float:
    power_NF = np.abs(np.fft.rfft(audio_NS)) ** 2
    return float(power_NF[:, power_NF.shape[1] // 4 :].sum() / power_NF.sum())


def test_what_was_found_is_nearer_the_prompt(
    dark: FoundEffects, starter: Bundle, groove_NS: np.ndarray
) -> None:
    made_NS = render_here(dark.chain, groove_NS, RATE_HZ)
    assert dark.similarity_before == pytest.approx(similarity(groove_NS, "dark", starter), abs=1e-6)
    assert dark.similarity_after == pytest.approx(similarity(made_NS, "dark", starter), abs=1e-6)
    assert dark.similarity_after > dark.similarity_before + 0.2


def test_dark_is_darker(dark: FoundEffects, groove_NS: np.ndarray) -> None:
    made_NS = render_here(dark.chain, groove_NS, RATE_HZ)
    assert high_share(made_NS) < 0.5 * high_share(groove_NS)


def test_a_found_chain_is_an_ordinary_one(dark: FoundEffects) -> None:
    assert dark.chain.name == "dark"
    assert chain_from_dict(chain_to_dict(dark.chain)) == dark.chain
    assert dark.chain.effects[-1].effect == "gain"
    order = [DEFAULT_ORDER.index(effect.effect) for effect in dark.chain.effects[:-1]]
    assert order == sorted(order)


def test_the_loudness_stays_and_nothing_clips(dark: FoundEffects, groove_NS: np.ndarray) -> None:
    made_NS = render_here(dark.chain, groove_NS, RATE_HZ)
    change_lu = loudness_lufs(made_NS, RATE_HZ) - loudness_lufs(groove_NS, RATE_HZ)
    assert dark.loudness_change_lu == pytest.approx(change_lu, abs=1e-6)
    assert abs(change_lu) <= 1.0
    assert dark.true_peak_dbtp <= max(-1.0, true_peak_db(groove_NS))


def test_a_sound_at_full_scale_stays_below_its_own_peak(starter: Bundle, groove_NS: np.ndarray) -> None:
    loud_NS = groove_NS / np.abs(groove_NS).max()
    found = find_effects(loud_NS, RATE_HZ, "bright", starter, search=FEW)
    assert abs(found.loudness_change_lu) <= 1.0
    assert found.true_peak_dbtp <= true_peak_db(loud_NS) + 0.01


def test_all_evaluations_are_counted(dark: FoundEffects) -> None:
    assert FEW.evaluations - 15 <= dark.evaluations == len(dark.history) <= FEW.evaluations
    assert list(dark.history) == sorted(dark.history)
    assert dark.history[0] == pytest.approx(dark.similarity_before, abs=1e-6)


@pytest.mark.parametrize("method", [Method.GRADIENT, Method.EVOLUTION, Method.RANDOM])
def test_the_same_seed_finds_the_same_chain(starter: Bundle, groove_NS: np.ndarray, method: Method) -> None:
    search = EffectSearch(method=method, evaluations=40, seed=3)
    state_before = np.random.get_state()[1].tolist()  # noqa: NPY002 - to see that nobody drew from it
    first, again = (find_effects(groove_NS, RATE_HZ, "crisp", starter, search=search) for _ in range(2))
    assert first == again
    assert np.random.get_state()[1].tolist() == state_before  # noqa: NPY002


def test_other_seeds_search_elsewhere(starter: Bundle, groove_NS: np.ndarray) -> None:
    searches = (EffectSearch(method=Method.RANDOM, evaluations=40, seed=seed) for seed in (1, 2))
    first, other = (find_effects(groove_NS, RATE_HZ, "dull", starter, search=one) for one in searches)
    assert first.history != other.history


def test_gradients_beat_random_search(dark: FoundEffects, starter: Bundle, groove_NS: np.ndarray) -> None:
    search = replace(FEW, method=Method.RANDOM)
    drawn = find_effects(groove_NS, RATE_HZ, "dark", starter, search=search)
    assert dark.similarity_after > drawn.similarity_after + 0.05


@pytest.mark.parametrize("method", [Method.GRADIENT, Method.EVOLUTION])
def test_the_sound_of_a_known_equaliser_is_found_again(
    starter: Bundle, groove_NS: np.ndarray, method: Method
) -> None:
    gains_db = (-8.0, 9.0)
    names = ("low_shelf_filter", "high_shelf_filter")
    corners_hz = (200.0, 3000.0)
    bases = [
        Effect(effect=name, parameters={"cutoff_frequency_hz": corner_hz, "q": 0.7071})
        for name, corner_hz in zip(names, corners_hz, strict=True)
    ]
    template = Template(
        effects=tuple(
            SearchedEffect(base=base, ranges={"gain_db": SEARCHED[base.effect].ranges["gain_db"]})
            for base in bases
        )
    )
    known = template.chain_at(np.array([(gain_db + 15.0) / 30.0 for gain_db in gains_db]))
    finished = Renderer.of(render_here, groove_NS, RATE_HZ).finished(known)
    assert finished is not None
    wanted_E = heard(finished.audio_NS, RATE_HZ, starter.clap)
    search = EffectSearch(method=method, evaluations=80, gentleness=0.0)
    found = find_effects(groove_NS, RATE_HZ, wanted_E, starter, template=template, search=search)
    assert found.similarity_after > 0.98
    found_db = [effect.parameters["gain_db"] for effect in found.chain.effects[:2]]
    assert found_db == pytest.approx(gains_db, abs=2.0)


def test_a_plain_callable_is_enough_for_evolution(starter: Bundle, groove_NS: np.ndarray) -> None:
    """A plug-in has no twin: all that is known of it is what it renders."""
    tilt = SearchedEffect(
        base=Effect(plugin="tilt.vst3"),
        ranges={"tilt": ParameterRange(low=-1.0, high=1.0, neutral=0.0, is_amount=True)},
    )

    def render(chain: Chain, audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
        for effect in chain.effects:
            if effect.plugin:
                tilted_NS = np.diff(audio_NS, axis=1, prepend=0.0)
                audio_NS = (audio_NS + float(effect.parameters["tilt"]) * tilted_NS).astype(np.float32)
            else:
                audio_NS = render_here(Chain(effects=(effect,)), audio_NS, rate_hz)
        return audio_NS

    template = Template(effects=(tilt,))
    found = find_effects(groove_NS, RATE_HZ, "dark", starter, template=template, search=FEW, render=render)
    (effect, gain) = found.chain.effects
    assert (effect.plugin, gain.effect) == ("tilt.vst3", "gain")
    assert float(effect.parameters["tilt"]) < -0.3
    climb = replace(FEW, method=Method.GRADIENT)
    with pytest.raises(SpecError, match=r"tilt.vst3.*gradients"):
        find_effects(groove_NS, RATE_HZ, "dark", starter, template=template, search=climb, render=render)


@pytest.mark.parametrize("bad", [np.nan, 0.0])
def test_chains_without_sound_are_passed_over(starter: Bundle, groove_NS: np.ndarray, bad: float) -> None:
    def render(chain: Chain, audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
        made_NS = render_here(chain, audio_NS, rate_hz)
        is_bad = any(effect.effect == "high_shelf_filter" for effect in chain.effects)
        return np.full_like(made_NS, bad) if is_bad else made_NS

    search = EffectSearch(method=Method.EVOLUTION, evaluations=40)
    found = find_effects(
        groove_NS, RATE_HZ, "bright", starter, template=SHELVES, search=search, render=render
    )
    assert all(effect.effect != "high_shelf_filter" for effect in found.chain.effects)
    assert found.similarity_after >= found.similarity_before


def test_what_is_there_already_needs_no_effects(starter: Bundle, groove_NS: np.ndarray) -> None:
    own_E = heard(groove_NS, RATE_HZ, starter.clap)
    found = find_effects(groove_NS, RATE_HZ, own_E, starter, search=FEW)
    assert found.chain.effects == ()
    assert found.similarity_after == pytest.approx(1.0, abs=1e-5)


def test_limits_are_kept(starter: Bundle, groove_NS: np.ndarray) -> None:
    limits = {"reverb.wet_level": (0.0, 0.1), "high_shelf_filter.gain_db": (-3.0, 2.0)}
    found = find_effects(groove_NS, RATE_HZ, "in a huge hall", starter, limits=limits, search=FEW)
    for effect in found.chain.effects[:-1]:
        for name, (low, high) in limits.items():
            kind, parameter = name.split(".")
            if effect.effect == kind:
                assert low <= float(effect.parameters[parameter]) <= high


def test_progress_is_told_and_the_search_can_be_cancelled(starter: Bundle, groove_NS: np.ndarray) -> None:
    told: list[tuple[int, int, float]] = []

    def on_progress(spent: int, of: int, best: float) -> None:
        told.append((spent, of, best))

    with pytest.raises(Cancelled):
        find_effects(
            groove_NS, RATE_HZ, "dark", starter, search=FEW,
            on_progress=on_progress, cancelled=lambda: len(told) == 20,
        )  # fmt: skip
    assert [spent for spent, _, _ in told] == list(range(1, 21))
    assert {of for _, of, _ in told} == {FEW.evaluations}


def test_a_gentle_search_changes_less(dark: FoundEffects, starter: Bundle, groove_NS: np.ndarray) -> None:
    before_E = heard(groove_NS, RATE_HZ, starter.clap)
    gentle = find_effects(groove_NS, RATE_HZ, "dark", starter, search=replace(FEW, gentleness=1.0))
    likeness = [
        float((heard(render_here(found.chain, groove_NS, RATE_HZ), RATE_HZ, starter.clap) * before_E).sum())
        for found in (dark, gentle)
    ]
    assert likeness[1] > likeness[0] + 0.05


def test_long_sounds_are_judged_as_a_whole(starter: Bundle, groove_NS: np.ndarray) -> None:
    long_NS = np.concatenate([0.1 * groove_NS, groove_NS, 0.1 * groove_NS], axis=1)
    found = find_effects(long_NS, RATE_HZ, "dark", starter, search=replace(FEW, heard_s=1.0))
    made_NS = render_here(found.chain, long_NS, RATE_HZ)
    assert found.similarity_after == pytest.approx(similarity(made_NS, "dark", starter), abs=1e-6)
    assert found.loudness_change_lu == pytest.approx(
        loudness_lufs(made_NS, RATE_HZ) - loudness_lufs(long_NS, RATE_HZ), abs=1e-6
    )
    assert abs(found.loudness_change_lu) <= 1.0


def test_directions_are_those_of_the_words() -> None:
    class Words:
        def embed_text(self, prompts: list[str]) -> Tensor:
            rows = {"": [1.0, 0.0, 0.0], "old": [0.0, 1.0, 0.0]}
            return torch.tensor([rows[prompt] for prompt in prompts])

    source_E = torch.tensor([0.6, 0.0, 0.8])
    heard_E = torch.tensor([0.0, 0.6, 0.8])
    wishes = {aim: Wish.of("old", source_E, Words(), aim) for aim in Aim}  # type: ignore[arg-type]
    assert float(wishes[Aim.SIMILARITY].score(heard_E)) == pytest.approx(0.6)
    assert float(wishes[Aim.DIRECTION].score(heard_E)) == pytest.approx(1.0)
    assert float(wishes[Aim.BOTH].score(heard_E)) == pytest.approx(0.8)
    assert float(wishes[Aim.DIRECTION].score(source_E)) == 0.0


def test_the_direction_to_a_sound_begins_at_the_sound_before(starter: Bundle) -> None:
    source_E, wanted_E = torch.eye(4)[0], torch.eye(4)[1]
    wish = Wish.of(wanted_E, source_E, starter.clap, Aim.DIRECTION, "ignored")
    assert float(wish.score(wanted_E)) == pytest.approx(1.0)


def stereo(seconds: float, channels: int = 2) -> np.ndarray:
    return np.full((channels, round(seconds * RATE_HZ)), 0.1, dtype=np.float32)


BAD = {
    "empty": (stereo(1), RATE_HZ, " ", {}, "the prompt is empty"),
    "too long": (stereo(1), RATE_HZ, "x" * 2001, {}, "at most 2000 characters"),
    "surround": (stereo(1, 6), RATE_HZ, "dark", {}, "6 channels"),
    "short": (stereo(0.1), RATE_HZ, "dark", {}, "shorter than 0.2 s"),
    "slow": (stereo(1), 4000, "dark", {}, "4000 Hz"),
    "silent": (0.0 * stereo(1), RATE_HZ, "dark", {}, "silent"),
    "not finite": (np.nan * stereo(1), RATE_HZ, "dark", {}, "not finite"),
    "unknown limit": (stereo(1), RATE_HZ, "dark", {"reverb.wetness": (0, 1)}, "reverb.wetness is not"),
    "limit outside": (stereo(1), RATE_HZ, "dark", {"reverb.wet_level": (2, 3)}, "leave nothing of reverb"),
    "limits turned": (
        stereo(1),
        RATE_HZ,
        "dark",
        {"reverb.wet_level": (0.3, 0.1)},
        "leave nothing of reverb",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_said_in_a_sentence(starter: Bundle, case: str) -> None:
    audio_NS, rate_hz, prompt, limits, message = BAD[case]
    with pytest.raises(SpecError, match=message) as caught:
        find_effects(audio_NS, rate_hz, prompt, starter, limits=limits)  # type: ignore[arg-type]
    assert not caught.value.message[0].isupper()
    assert not caught.value.message.endswith(".")


def test_a_model_that_cannot_hear_says_so(starter: Bundle, groove_NS: np.ndarray) -> None:
    deaf = replace(starter, card=replace(starter.card, clap_hears=False))
    with pytest.raises(ModelMissing, match="has no CLAP audio tower"):
        find_effects(groove_NS, RATE_HZ, "dark", deaf)


@pytest.mark.parametrize("names", [(), ("peak_filter",) * 16, ("Peakfilter",)])
def test_templates_that_cannot_be_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(SpecError) as caught:
        template_of(names)
    assert "peak_filter" in caught.value.hint


@pytest.mark.parametrize(
    "values", [{"evaluations": 39}, {"heard_s": 0.5}, {"gentleness": 1.1}, {"seed": -1}], ids=str
)
def test_searches_that_cannot_be_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        EffectSearch(**values)  # type: ignore[arg-type]


@given(low=st.floats(0.01, 10.0), span=st.floats(0.1, 100.0), share=st.floats(0.0, 1.0), is_log=st.booleans())
def test_a_share_of_a_range_is_found_again(low: float, span: float, share: float, is_log: bool) -> None:
    found = ParameterRange(low=low, high=low + span, neutral=low, is_log=is_log)
    assert found.share_of(found.at(share)) == pytest.approx(share, abs=1e-6)
    assert low * (1 - 1e-9) <= found.at(share) <= (low + span) * (1 + 1e-9)


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100])
def test_no_frequency_is_beyond_what_a_rate_has(rate_hz: int) -> None:
    template = template_of().for_rate(rate_hz)
    assert np.all((template.neutral_P >= 0.0) & (template.neutral_P <= 1.0))
    for effect in template.chain_at(np.ones(len(template.ranges))).effects:
        corner_hz = float(effect.parameters.get("cutoff_frequency_hz", 0.0))
        assert corner_hz < rate_hz / 2
    assert math.isclose(template.ranges[0].low, 20.0)
