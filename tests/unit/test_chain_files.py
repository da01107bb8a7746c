"""Chains in TOML files: read with clear errors, written whole, a user's comments kept."""

from __future__ import annotations

import string
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.chain_files import list_chains, read_chain, write_chain
from engine.chains import Chain, Effect, Tail
from engine.effects import EFFECTS, Parameter, checked
from engine.errors import EngineError, NotFound, OutputError, SpecError

SHIPPED = Path(__file__).parents[2] / "presets" / "fx"
COMMENTED = """\
# my favourite
name = "mine"  # not yours
tail_s = 5

[[effects]]
effect = "gain"  # as the mixer had it
# a little more
[effects.parameters]
gain_db = 3  # whole

# the room
[[effects]]
plugin = "plugins/Room.vst3"
mix = 0.25
"""

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
names = st.text(string.ascii_lowercase + "_", min_size=1, max_size=8)
fractions = st.floats(0.0, 1.0)


def values_of(parameter: Parameter) -> st.SearchStrategy[float | bool | str]:
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if parameter.is_file:
        return names.map(lambda name: f"/sounds/{name}.wav")
    if isinstance(parameter.default, bool):
        return st.booleans()
    return st.floats(parameter.low, parameter.high)


@st.composite
def built_ins(draw: st.DrawFn) -> Effect:
    built_in = draw(st.sampled_from(list(EFFECTS.values())))
    chosen = [one for one in built_in.parameters.values() if one.default is None or draw(st.booleans())]
    parameters = {one.name: draw(values_of(one)) for one in chosen}
    return Effect(
        effect=built_in.name, parameters=parameters, mix=draw(fractions), bypass=draw(st.booleans())
    )


plugins = st.builds(
    Effect,
    plugin=names.map(lambda name: f"/plugins/{name}.vst3"),
    name=texts,
    raw_state=st.binary(max_size=9).map(lambda state: state.hex()),
    parameters=st.dictionaries(names, st.floats(-1e6, 1e6) | st.booleans() | texts, max_size=3),
    mix=fractions,
    bypass=st.booleans(),
)
chains = st.builds(
    Chain,
    effects=st.lists(built_ins() | plugins, max_size=5).map(tuple),
    name=texts.filter(bool),
    description=texts,
    tail=st.sampled_from(Tail),
    tail_s=st.floats(0.0, 30.0),
)


@given(chains, chains)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_what_is_written_is_read(tmp_path: Path, first: Chain, second: Chain) -> None:
    path = tmp_path / "chain.toml"
    path.unlink(missing_ok=True)
    for chain in (first, second, first):
        write_chain(path, chain)
        assert read_chain(path) == chain
    assert list(tmp_path.iterdir()) == [path]


def test_an_edit_keeps_comments_and_spelling(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(COMMENTED)
    chain = read_chain(path)
    write_chain(path, chain)
    assert path.read_text() == COMMENTED
    gain, room = chain.effects
    write_chain(
        path, replace(chain, effects=(replace(gain, parameters={"gain_db": 4.5}), replace(room, mix=0.5)))
    )
    assert path.read_text() == COMMENTED.replace("gain_db = 3 ", "gain_db = 4.5 ").replace("0.25", "0.5")


def test_steps_keep_their_comments_when_another_goes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(COMMENTED)
    chain = read_chain(path)
    write_chain(path, replace(chain, effects=(*chain.effects[1:], Effect(effect="reverb"))))
    text = path.read_text()
    assert "gain" not in text
    assert "# my favourite" in text
    assert [next(iter(one.values())) for one in tomllib.loads(text)["effects"]] == [
        "plugins/Room.vst3",
        "reverb",
    ]


def test_paths_are_those_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        COMMENTED
        + '[[effects]]\neffect = "convolution"\n'
        + '[effects.parameters]\nimpulse_response_filename = "../a.wav"\n'
    )
    chain = read_chain(path)
    assert chain.effects[1].plugin == str(tmp_path / "plugins" / "Room.vst3")
    assert chain.effects[2].parameters["impulse_response_filename"] == str(tmp_path.parent / "a.wav")


def test_a_file_without_a_name_has_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "big room.toml"
    path.write_text('[[effects]]\neffect = "reverb"\n')
    assert read_chain(path).name == "big room"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("effects = [", "is not valid TOML"),
        ('name = "x"', "chain.effects is missing"),
        ("effects = 3", "chain.effects must be a list"),
        ("effects = [3]", "chain.effects[0] must be an object"),
        ('[[effects]]\neffekt = "gain"', "chain.effects[0].effekt is not a known key"),
        ('[[effects]]\neffect = "gain"\nmix = 2.0', "chain.effects[0]: mix must be from 0 to 1, got 2.0"),
        ('[[effects]]\neffect = "gain"\nplugin = "a.vst3"', "either an effect or a plugin"),
        ("[[effects]]\nplugin = 3", "chain.effects[0].plugin must be a text"),
        ('[[effects]]\neffect = "gain"\nmix = nan', "chain.effects[0].mix is too large a number"),
        ('[[effects]]\neffect = "gain"\nmix = 2020-01-01', "chain.effects[0].mix must be a number"),
        ('tail = "long"\neffects = []', "chain.tail is 'long', not one of cut, ring"),
        ('[[effects]]\neffect = "gain"\n[effects.parameters]\ngain_dB = 3.0', "no parameter 'gain_dB'"),
    ],
)
def test_what_is_no_chain_names_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        read_chain(path)
    assert caught.value.message.startswith(str(path))
    assert words in caught.value.message
    assert caught.value.hint


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_the_answer_is_an_error_of_ours(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    with pytest.raises(EngineError):
        read_chain(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_chain(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="is not a file"):
        read_chain(tmp_path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_chain(tmp_path / "file" / "chain.toml", Chain(effects=()))


def test_a_chain_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "chain.toml"
    with pytest.raises(SpecError):
        write_chain(path, Chain(effects=(Effect(effect="nothing"),)))
    assert not path.exists()


@pytest.mark.parametrize("name", list_chains(SHIPPED))
def test_the_shipped_chains_are_chains(name: str) -> None:
    chain = read_chain(SHIPPED / f"{name}.toml")
    assert (chain.name, checked(chain)) == (name, chain)
    assert chain.description
    assert chain.effects


def test_chains_are_listed_by_name(tmp_path: Path) -> None:
    assert list_chains(tmp_path / "none") == ()
    assert {
        "old radio",
        "small room",
        "wide hall",
        "tape warmth",
        "telephone",
        "lo-fi sampler",
        "glue",
    } <= set(list_chains(SHIPPED))
