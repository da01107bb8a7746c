"""Words, and a chain that somebody made: which of its parameters are searched, with plug-ins real and bad.

N channels, S samples.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.chain_finding import find_chain
from engine.chain_json import chain_from_dict, chain_to_dict
from engine.chains import MAX_EFFECTS, Chain, Effect, Tail
from engine.errors import BadJson, Cancelled, PluginCrash, PluginTimeout, SpecError
from engine.fx.child import HostLimits
from engine.fx.host import ChainHost, inspect_plugin
from engine.fx.text_to_effect.finding import EffectSearch, Method, find_effects
from engine.fx.text_to_effect.given import template_from
from engine.fx.text_to_effect.hosted import MOST_HANGS, HostedRenderer
from engine.fx.text_to_effect.judge import heard
from engine.fx.values import PluginFacts, PluginParameter, PluginReport, Timing
from engine.models.bundle import Bundle
from tests.unit.odd_plugins import ZAM, OddPlugins

pytestmark = pytest.mark.usefixtures("one_thread_throughout")

RATE_HZ = 16_000
EQUALISER = Effect(plugin=str(ZAM / "ZamEQ2.vst3"), parameters={"boost_cut_h_db": 6.0})
REVERB = Effect(effect="reverb", parameters={"room_size": 0.8, "wet_level": 0.9}, mix=0.5)
FEW = {"evaluations": 40, "seed": 1}


@pytest.fixture
def file(tmp_path: Path, groove_NS: np.ndarray) -> Path:
    soundfile.write(tmp_path / "groove.wav", groove_NS.T, RATE_HZ, subtype="FLOAT")
    return tmp_path / "groove.wav"


def report(*parameters: PluginParameter) -> PluginReport:
    facts = PluginFacts(
        path="x", name="x", version="", manufacturer="", category="Fx", is_instrument=False, latency_samples=0
    )
    timing = Timing(extra_samples=0, block_difference_db=-200.0, is_repeatable=True)
    return PluginReport(facts=facts, parameters=parameters, raw_state="", layouts=(2,), timing=timing)


def number(name: str, value: float = 1.0, **changes: Any) -> PluginParameter:
    made = PluginParameter(name=name, title=name, unit="", value=value, raw=0.5, low=0.5, high=2.0)
    return replace(made, **changes)


def found_for(given: Chain, file: Path, bundle: Bundle, **others: Any) -> tuple[Chain, dict[str, Any]]:
    request = {"path": str(file), "prompt": "dark", "options": FEW, "chain": chain_to_dict(given)} | others
    answer = find_chain(request, bundle, lambda _: None, lambda: False)
    content: Any = answer["chain"]
    return chain_from_dict(content), answer


def test_of_a_real_plugin_only_what_sounds_is_searched() -> None:
    template = template_from(Chain(effects=(EQUALISER,)), {0: inspect_plugin(EQUALISER)})
    (searched,) = template.effects
    assert set(searched.ranges) == {
        *("boost_cut_1_db", "bandwidth_1", "frequency_1_hz", "boost_cut_2_db", "bandwidth_2"),
        *("frequency_2_hz", "boost_cut_l_db", "frequency_l_hz", "boost_cut_h_db", "frequency_h_hz"),
        "master_gain_db",
    }
    assert searched.ranges["boost_cut_h_db"].neutral == pytest.approx(6.0, abs=0.1)
    assert searched.ranges["frequency_1_hz"].is_log and not searched.ranges["bandwidth_1"].is_log


def test_a_plugin_gets_no_frequency_that_a_sound_does_not_have() -> None:
    """At half the rate, this one gives samples that are not numbers."""
    template = template_from(Chain(effects=(EQUALISER,)), {0: inspect_plugin(EQUALISER)}).for_rate(16_000)
    highs = [one.high for name, one in template.effects[0].ranges.items() if name.endswith("_hz")]
    assert highs == [7200.0] * 4
    at_start = template.chain_at(template.neutral_P).effects[0].parameters
    assert (at_start["frequency_h_hz"], at_start["frequency_1_hz"]) == (7200.0, 500.0)


def test_what_is_no_number_to_be_moved_stays_as_it_is() -> None:
    fixed = [
        number("buffer_size_frames"),
        number("current_program"),
        number("midi_cc_1"),
        number("gain_reduction_db", is_automatable=False),
        number("sidechain", positions=2),
        PluginParameter(name="model", title="", unit="", value="A", raw=0.0, choices=("A", "B")),
        PluginParameter(name="on", title="", unit="", value=True, raw=1.0),
    ]
    effect = Effect(plugin="/x.vst3")
    template = template_from(Chain(effects=(effect,)), {0: report(*fixed, number("drive", positions=12))})
    assert list(template.effects[0].ranges) == ["drive"]
    with pytest.raises(SpecError, match="the chain 'still' has nothing that words can set"):
        template_from(Chain(name="still", effects=(effect,)), {0: report(*fixed)})


def test_a_search_begins_at_the_chain_as_it_is_set() -> None:
    effects = (REVERB, Effect(effect="chorus"), replace(REVERB, bypass=True), replace(REVERB, mix=0.0))
    given = Chain(name="own", effects=effects, tail=Tail.RING, tail_s=2.0)
    template = template_from(given, {})
    at_start = template.chain_at(template.neutral_P)
    assert (at_start.tail, at_start.tail_s) == (Tail.RING, 2.0)
    assert at_start.effects[1:] == effects[1:]
    parameters = at_start.effects[0].parameters
    assert (parameters["room_size"], parameters["wet_level"]) == pytest.approx((0.8, 0.9))
    assert at_start.effects[0].mix == 0.5
    assert template.effects[0].ranges["wet_level"].high == 0.9, "beyond what words set by themselves"


def test_a_full_chain_has_no_room_for_the_gain_at_its_end() -> None:
    with pytest.raises(SpecError, match="is full"):
        template_from(Chain(effects=(REVERB,) * MAX_EFFECTS), {})


def test_words_find_parameters_of_a_real_plugin(file: Path, starter: Bundle, groove_NS: np.ndarray) -> None:
    given = Chain(name="own", effects=(EQUALISER, Effect(effect="chorus", bypass=True)))
    chain, answer = found_for(given, file, starter)
    equaliser, chorus, gain = chain.effects
    assert (equaliser.plugin, gain.effect) == (EQUALISER.plugin, "gain")
    assert chorus == given.effects[1]
    assert answer["similarity_after"] > answer["similarity_before"] + 0.05
    assert answer["similarity_after"] > answer["similarity_as_set"] + 0.05
    assert abs(answer["loudness_change_lu"]) <= 1.0

    with ChainHost(chain) as host:
        wet_NS = host.process(groove_NS, RATE_HZ).audio_NS
    wanted_E = starter.clap.embed_text(["dark"])[0]
    similarity = float((heard(wet_NS, RATE_HZ, starter.clap) * wanted_E).sum())
    assert answer["similarity_after"] == pytest.approx(similarity, abs=1e-4), "what chain apply gives"
    assert found_for(given, file, starter)[0] == chain, "the same seed finds the same chain"


def test_a_chain_without_plugins_is_searched_by_gradients(file: Path, starter: Bundle) -> None:
    shelf = Effect(effect="high_shelf_filter", parameters={"gain_db": 3.0})
    chain, answer = found_for(Chain(effects=(shelf,)), file, starter)
    assert chain.effects[0].effect == "high_shelf_filter"
    assert float(chain.effects[0].parameters["gain_db"]) < -3.0
    assert answer["similarity_after"] > answer["similarity_before"]


def test_a_search_in_a_chain_can_be_cancelled(file: Path, starter: Bundle) -> None:
    told: list[dict[str, object]] = []
    request = {"path": str(file), "prompt": "dark", "options": FEW}
    request["chain"] = chain_to_dict(Chain(effects=(EQUALISER,)))
    with pytest.raises(Cancelled):
        find_chain(request, starter, told.append, lambda: len(told) == 5)
    assert [one["step"] for one in told] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"chain": {"effects": [{"effect": "reverb", "parameters": {"size": 1.0}}]}}, "no parameter 'size'"),
        ({"chain": {"effects": [], "name": "empty"}}, "'empty' has nothing that words can set"),
        ({"limits": {"load_s": -1}}, "load_s or process_s"),
    ],
)
def test_what_cannot_be_searched_is_said_in_a_sentence(
    file: Path, starter: Bundle, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises((SpecError, BadJson), match=says):
        found_for(Chain(effects=(REVERB,)), file, starter, **changes)


def test_a_plugin_that_cannot_be_loaded_ends_the_search_at_once(
    file: Path, starter: Bundle, odd_plugins: OddPlugins
) -> None:
    with pytest.raises(PluginCrash, match="AbortFactory gave up"):
        found_for(odd_plugins.chain("AbortFactory"), file, starter)


def test_settings_at_which_nothing_is_heard_are_passed_over(
    file: Path, starter: Bundle, odd_plugins: OddPlugins
) -> None:
    chain, answer = found_for(odd_plugins.chain("Silent"), file, starter)
    assert chain.effects == () and answer["similarity_after"] == answer["similarity_before"]


def test_crashes_of_a_search_are_nothing_heard_until_they_are_too_many(odd_plugins: OddPlugins) -> None:
    loud_NS = np.full((1, 2_000), 1.2, np.float32)
    crashing, fine = odd_plugins.chain("SegfaultMusic"), odd_plugins.chain("Gain")
    with HostedRenderer(HostLimits(), lambda: False, most_crashes=3) as render:
        for _ in range(2):
            assert not render(crashing, loud_NS, RATE_HZ).any()
        np.testing.assert_allclose(render(fine, loud_NS, RATE_HZ), loud_NS, atol=1e-6)
        with pytest.raises(PluginCrash, match="SegfaultMusic crashed.* happened 3 times"):
            render(crashing, loud_NS, RATE_HZ)


def test_what_hangs_is_tried_less_often(odd_plugins: OddPlugins) -> None:
    loud_NS = np.full((1, 2_000), 1.2, np.float32)
    limits = HostLimits(process_s=0.3, process_ratio=0.0)
    with HostedRenderer(limits, lambda: False) as render:
        for _ in range(MOST_HANGS - 1):
            assert not render(odd_plugins.chain("LoopMusic"), loud_NS, RATE_HZ).any()
        with pytest.raises(PluginTimeout, match=f"in 0.3 s; that happened {MOST_HANGS} times"):
            render(odd_plugins.chain("LoopMusic"), loud_NS, RATE_HZ)


def test_a_search_goes_on_after_a_crash(
    starter: Bundle, odd_plugins: OddPlugins, groove_NS: np.ndarray
) -> None:
    """A tenth of all sounds end this plug-in's process."""
    given = Chain(effects=(*odd_plugins.chain("Dice").effects, Effect(effect="high_shelf_filter")))
    sound_NS = groove_NS.copy()
    sound_NS[:, 5_000] = 1.2
    reports = {0: inspect_plugin(given.effects[0])}
    search = EffectSearch(method=Method.EVOLUTION, evaluations=40)
    with HostedRenderer(HostLimits(), lambda: False) as render:
        found = find_effects(
            sound_NS, RATE_HZ, "dark", starter,
            template=template_from(given, reports), search=search, render=render,
        )  # fmt: skip
    assert found.evaluations > 30
    assert found.similarity_after > found.similarity_before
