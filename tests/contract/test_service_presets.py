"""Presets and chains over the wire: kept from given values, and told apart by where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daw_bridge.messages.chains import ChainDelete, ChainList, ChainSave, ChainSet
from daw_bridge.messages.live import ParamGet, ParamSet, PresetDelete, PresetList, PresetLoad, PresetSave
from daw_bridge.messages.takes import HistorySearch
from engine.types import ErrorCode
from tests.contract.services import Client, served, tcp_of


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with served(tmp_path) as running, tcp_of(running) as client:
        yield client


def test_a_preset_is_kept_from_values_that_are_given(client: Client) -> None:
    client.done(ParamSet(rid="-", name="steps", value=77))
    values = {"guidance": 4.5, "prompt": "rain", "morph": 0.25, "prompt_b": "a hall"}
    client.done(PresetSave(rid="-", name="mine", values=values))
    assert client.done(PresetList(rid="-")).presets["presets"]["mine"] == values
    client.done(PresetLoad(rid="-", name="mine"))
    assert client.done(ParamGet(rid="-", name="guidance")).value == 4.5
    assert client.done(ParamGet(rid="-", name="steps")).value == 77
    client.done(PresetSave(rid="-", name="all"))
    assert client.done(PresetList(rid="-")).presets["presets"]["all"]["steps"] == 77


@pytest.mark.parametrize("values", [{"steps": 0}, {"nonsense": 1}, {"prompt_b": 3}])
def test_values_that_no_parameter_takes_are_refused_and_nothing_is_kept(
    client: Client, values: dict[str, object]
) -> None:
    refusal = client.failed(PresetSave(rid="-", name="mine", values=values))
    assert refusal.code in (ErrorCode.BAD_ARGS, ErrorCode.BAD_JSON)
    assert next(iter(values)) in refusal.message
    assert "mine" not in client.done(PresetList(rid="-")).presets["presets"]


def test_presets_tell_whose_they_are_and_deleting_brings_the_programs_back(client: Client) -> None:
    listed = client.done(PresetList(rid="-")).presets
    assert set(listed["shipped"]) == set(listed["presets"])
    assert listed["changed"] == []
    for name in ("draft", "own"):
        client.done(PresetSave(rid="-", name=name, values={"steps": 3}))
    changed = client.done(PresetList(rid="-")).presets
    assert changed["changed"] == ["draft"]
    assert set(changed["presets"]) - set(changed["shipped"]) == {"draft", "own"}
    client.done(PresetDelete(rid="-", name="draft"))
    client.done(PresetDelete(rid="-", name="own"))
    assert client.done(PresetList(rid="-")).presets == listed


def test_chains_tell_whose_they_are_also_before_they_are_written(client: Client) -> None:
    client.done(ChainSet(rid="-", name="glue", effect=0, parameter="mix", value=0.5))
    client.done(ChainSave(rid="-", name="own", chain='{"effects": []}'))
    chains = client.done(ChainList(rid="-")).chains["chains"]
    assert chains["glue"]["changed"] and "shipped" not in chains["glue"]
    assert not {"changed", "shipped"} & chains["own"].keys()
    assert chains["telephone"]["shipped"]
    client.done(ChainDelete(rid="-", name="glue"))
    assert client.done(ChainList(rid="-")).chains["chains"]["glue"]["shipped"]


def test_the_history_tells_the_score_of_the_best_take(client: Client) -> None:
    client.subscribe()
    job_id = client.generate("rain", options={"takes": 3})
    client.end_of(job_id)
    (job,) = client.done(HistorySearch(rid="-", text="rain")).jobs["jobs"]
    scores = [one.score for one in client.events(job_id) if hasattr(one, "score")]
    assert len(scores) == 3
    assert job["best_score"] == pytest.approx(max(scores), abs=1e-6)
