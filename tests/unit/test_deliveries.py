"""Render presets by name: files, chains in them, and what requests and specs make of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.chains import ChainStore
from daw_bridge.live.deliveries import Deliveries
from daw_bridge.live.parameters import values_of
from daw_bridge.live.specs import spec_of
from daw_bridge.messages.jobs import Generate, Submit
from daw_bridge.spec_options import stem_of
from engine.chain_json import chain_to_dict, delivery_to_dict
from engine.chains import Chain, Effect
from engine.delivery import Delivery, FileFormat, SampleBits
from engine.errors import BadJson, NotFound, SpecError
from engine.spec_json import spec_to_json
from engine.types import Region, RenderSpec, SamplerSpec, Task

QUIET = Chain(name="quiet", effects=(Effect(effect="gain", parameters={"gain_db": -20.0}),))
GENERATE = Generate(rid="r", prompt="rain", seconds=3.0)


@pytest.fixture
def deliveries(tmp_path: Path) -> Deliveries:
    chains = ChainStore(tmp_path / "chains")
    chains.save("quiet", QUIET)
    folder = tmp_path / "render"
    folder.mkdir()
    (folder / "mine.toml").write_text('chain = "quiet"\nbits = "24"\nnaming = "{prompt} {preset}"\n')
    return Deliveries(folder, chains)


def made(request: Generate | Submit, deliveries: Deliveries, **board_values: str) -> RenderSpec:
    board = ParameterBoard()
    for name, value in board_values.items():
        board.set(name, value)
    return spec_of(request, board, lambda path: path, deliveries.resolved)


def test_the_programs_presets_can_all_be_read(deliveries: Deliveries) -> None:
    found = deliveries.list()
    assert found.damaged == {}
    assert {"dry", "master", "sampler", "film effects", "mine"} <= set(found.presets)
    master = found.presets["master"]
    assert master.chain is not None and master.chain.name == "glue"
    assert (master.loudness_lufs, master.bits) == (-14.0, SampleBits.PCM_24)
    assert found.presets["sampler"].format is FileFormat.WAV


def test_a_preset_names_its_chain_or_its_file(deliveries: Deliveries, tmp_path: Path) -> None:
    assert deliveries.named("mine") == Delivery(
        name="mine", chain=QUIET, bits=SampleBits.PCM_24, naming="{prompt} {preset}"
    )
    (tmp_path / "own.toml").write_text(
        '[[effects]]\neffect = "gain"\n[effects.parameters]\ngain_db = -20.0\n'
    )
    (tmp_path / "other.toml").write_text('name = "beside"\nchain = "own.toml"\n')
    found = deliveries.named("other.toml", tmp_path)
    assert found.name == "beside" and found.chain == replace(QUIET, name="own")
    assert deliveries.chain_named("own.toml", tmp_path) == found.chain


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bits = 24", "delivery.bits is 24, not one of 16, 24, float"),
        ("loudness_lufs = 9.0", "loudness_lufs must be from -70 to 0"),
        ("colour = 1", "delivery.colour is not a known key"),
        ('chain = "nowhere"', "no chain 'nowhere'"),
        ("bits =", "is not valid TOML"),
        ("a" + ".a" * 5_000 + " = 1", "a key of more than 32 parts"),
        ("a = " + "[" * 50_000, "nested too deeply"),
    ],
)
def test_a_damaged_preset_says_where_and_what(
    deliveries: Deliveries, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "render" / "bad.toml").write_text(text)
    with pytest.raises((SpecError, NotFound), match=says):
        deliveries.named("bad")
    assert list(deliveries.list().damaged) == ["bad.toml"]


def test_what_nobody_saved_is_not_found(deliveries: Deliveries) -> None:
    with pytest.raises(NotFound, match="no render preset 'nothing'"):
        deliveries.named("nothing")


def test_a_request_has_the_boards_delivery_and_its_own_goes_before(deliveries: Deliveries) -> None:
    assert made(GENERATE, deliveries).delivery is None
    assert made(GENERATE, deliveries, chain="quiet").delivery == Delivery(chain=QUIET)
    mine = deliveries.named("mine")
    assert made(GENERATE, deliveries, render_preset="mine").delivery == mine
    named = replace(GENERATE, options={"delivery": "mine"})
    assert made(named, deliveries, chain="old radio").delivery == mine
    both = replace(GENERATE, options={"delivery": "mine", "chain": "old radio"})
    assert made(both, deliveries).delivery == replace(mine, chain=deliveries.chain_named("old radio"))
    for nothing in ({"delivery": None}, {"delivery": ""}, {"chain": ""}):
        plain = replace(GENERATE, options=nothing)
        assert made(plain, deliveries, chain="old radio", render_preset="mine").delivery is None
    own = replace(GENERATE, options={"delivery": {"fade_out_s": 0.1}, "chain": chain_to_dict(QUIET)})
    assert made(own, deliveries, render_preset="mine").delivery == Delivery(fade_out_s=0.1, chain=QUIET)
    inside = replace(GENERATE, options={"delivery": {"chain": "quiet"}})
    assert made(inside, deliveries).delivery == Delivery(chain=QUIET)


def test_a_submitted_spec_is_whole_and_may_name_them_too(deliveries: Deliveries) -> None:
    delivery = deliveries.named("mine")
    spec = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=1.0, delivery=delivery)
    assert made(Submit(rid="r", spec=spec_to_json(spec)), deliveries, chain="old radio") == spec
    text = '{"task": "generate", "prompt": "rain", "duration_s": 1.0, "delivery": "mine"}'
    assert made(Submit(rid="r", spec=text), deliveries).delivery == delivery


@pytest.mark.parametrize("options", [{"delivery": 3}, {"chain": 3}, {"delivery": {"chain": {"effects": 1}}}])
def test_what_is_no_delivery_is_refused(deliveries: Deliveries, options: dict[str, object]) -> None:
    with pytest.raises(BadJson, match="delivery"):
        made(replace(GENERATE, options=options), deliveries)


def test_the_board_gets_back_the_names_of_a_takes_delivery(deliveries: Deliveries) -> None:
    spec = made(GENERATE, deliveries, render_preset="mine")
    assert {name: values_of(spec)[name] for name in ("render_preset", "chain")} == {
        "render_preset": "mine",
        "chain": "",
    }
    spec = made(GENERATE, deliveries, chain="quiet")
    assert {name: values_of(spec)[name] for name in ("render_preset", "chain")} == {
        "render_preset": "",
        "chain": "quiet",
    }


def test_files_are_named_as_the_delivery_says() -> None:
    spec = RenderSpec(
        task=Task.TRANSFER, prompt="A Church Bell!", region=Region(path="/x/My Loop.wav"), seed=7,
        sampler=SamplerSpec(), delivery=Delivery(name="m", naming="{prompt}_{seed} {preset} {source}"),
    )  # fmt: skip
    assert stem_of(spec) == "a-church-bell-7-m-my-loop"
    assert stem_of(replace(spec, delivery=Delivery(chain=QUIET, naming="{chain}"))) == "quiet"
    assert stem_of(replace(spec, delivery=Delivery(naming="{chain}"))) == "my-loop-transfer-a-church-bell"


def test_a_delivery_as_json_is_whole() -> None:
    assert delivery_to_dict(Delivery(chain=QUIET))["chain"] == chain_to_dict(QUIET)
