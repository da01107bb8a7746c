"""Chains over the wire: kept, changed by faders, used on files, with plug-ins that are real or hang."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from daw_bridge.messages.answers import Fail, Progress
from daw_bridge.messages.base import Answer
from daw_bridge.messages.chains import (
    ChainAdd,
    ChainApply,
    ChainCancel,
    ChainChanged,
    ChainDelete,
    ChainEffects,
    ChainFind,
    ChainInspect,
    ChainList,
    ChainLoad,
    ChainMove,
    ChainRemove,
    ChainSave,
    ChainScan,
    ChainSet,
    ChainWindow,
)
from daw_bridge.messages.connection import Ping, Pong
from daw_bridge.messages.live import ParamGet, ParamSet
from daw_bridge.service import app
from engine.types import ErrorCode
from tests.contract.services import Client, Served, client_of, new_rid, served, tcp_of
from tests.unit.odd_plugins import ZAM

GROOVE = Path(__file__).parents[2] / "presets" / "examples" / "groove.flac"
ROOT = "/ldm/1/"
FINDING_S = 180.0
COMPRESSOR, REVERB = str(ZAM / "ZamComp.vst3"), str(ZAM / "ZamVerb.vst3")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a service with processes of the engine, which allows plug-ins little time to load."""
    folder = tmp_path_factory.mktemp("engine")
    with served(folder, has_chores=True, has_worker=True, plugin_load_s=2.0) as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[Client]:
    with tcp_of(service) as connected:
        yield connected


@pytest.fixture
def user(engine: Served) -> Iterator[Client]:
    with tcp_of(engine) as connected:
        yield connected


def effects_of(client: Client, name: str) -> list[dict[str, Any]]:
    effects: list[dict[str, Any]] = client.done(ChainLoad(rid="-", name=name)).chain["effects"]
    return effects


def test_the_chains_are_listed(client: Client) -> None:
    answer = client.done(ChainList(rid="-"))
    glue = answer.chains["chains"]["glue"]
    assert answer.count == len(answer.chains["chains"]) > 5
    assert glue["effects"] == ["compressor", "gain", "brickwall_limiter"] and glue["shipped"]


def test_a_chain_is_made_changed_and_deleted(client: Client, service: Served) -> None:
    client.done(ChainSave(rid="-", name="My Room", chain='{"effects": [{"effect": "reverb"}]}'))
    assert client.done(ChainAdd(rid="-", name="My Room", effect="gain", place=0)).effect == 0
    assert client.done(ChainAdd(rid="-", name="My Room", effect="invert")).effect == 2
    client.done(ChainSet(rid="-", name="My Room", effect=1, parameter="room_size", value=0.3))
    client.done(ChainMove(rid="-", name="My Room", effect=0, place=1))
    client.done(ChainRemove(rid="-", name="My Room", effect=2))
    reverb, gain = effects_of(client, "My Room")
    assert (reverb["effect"], gain["effect"]) == ("reverb", "gain")
    assert reverb["parameters"] == {"room_size": 0.3}, "the wire's 32 bits are not what the user meant"
    client.done(ChainDelete(rid="-", name="My Room"))
    assert client.failed(ChainLoad(rid="-", name="My Room")).code is ErrorCode.NOT_FOUND
    assert list(service.folders.chains.iterdir()) == []


@pytest.mark.parametrize(("parameter", "name"), [("chain", "glue"), ("render_preset", "master")])
def test_a_parameter_takes_only_the_name_of_what_there_is(client: Client, parameter: str, name: str) -> None:
    client.done(ParamSet(rid="-", name=parameter, value=name))
    failed = client.failed(ParamSet(rid="-", name=parameter, value="nobody's"))
    assert failed.code is ErrorCode.NOT_FOUND and "nobody's" in failed.message
    assert client.done(ParamGet(rid="-", name=parameter)).value == name
    client.done(ParamSet(rid="-", name=parameter, value=""))


@pytest.mark.parametrize("link", ["udp", "slip"])
def test_a_fader_needs_one_rid_and_no_answer(service: Served, link: str) -> None:
    with client_of(service, link) as fader:
        for step in (0, 50, 100, 50):
            fader.send(f"{ROOT}chain/set", "fader", "glue", 0, "mix", step / 100)
        assert effects_of(fader, "glue")[0]["mix"] == 0.5


def test_a_change_is_written_soon_and_told(client: Client, service: Served) -> None:
    client.subscribe()
    for step in range(20):
        client.done(ChainSet(rid="-", name="tape warmth", effect=0, parameter="gain_db", value=step / 10))
    assert client.next(lambda reply: isinstance(reply, ChainChanged)).name == "tape warmth"
    assert "gain_db = 1.9" in (service.folders.chains / "tape warmth.toml").read_text()


def test_what_was_changed_last_is_written_by_the_end(tmp_path: Path) -> None:
    with served(tmp_path) as running, tcp_of(running) as client:
        client.done(ChainSet(rid="-", name="glue", effect=1, parameter="gain_db", value=-1))
    assert "gain_db = -1.0" in (running.folders.chains / "glue.toml").read_text()


@pytest.mark.expects_log
def test_a_change_that_cannot_be_written_is_told(client: Client, service: Served) -> None:
    in_the_way = service.folders.chains / "glue.toml.part"
    in_the_way.mkdir(parents=True)
    request = ChainSet(rid="-", name="glue", effect=0, parameter="mix", value=0.1)
    client.done(request)
    service.until(lambda: service.service._keeper._unwritten is not None)
    in_the_way.rmdir()
    assert client.failed(request).code is ErrorCode.PATH_DENIED
    service.until(lambda: service.service._keeper._unwritten is None)
    client.done(request)


def test_all_effects_are_told_with_units_and_ranges(client: Client) -> None:
    every = client.done(ChainEffects(rid="-"))
    assert every.count == len(every.effects) > 20
    one = client.done(ChainEffects(rid="-", name="compressor")).effects["compressor"]
    assert one["parameters"]["threshold_db"] == {"default": 0.0, "unit": "dB", "low": -100.0, "high": 24.0}


WRONG: tuple[tuple[str, tuple[Any, ...], ErrorCode], ...] = (
    ("chain/set", ("nobody", 0, "mix", 0.5), ErrorCode.NOT_FOUND),
    ("chain/set", ("glue", 9, "mix", 0.5), ErrorCode.NOT_FOUND),
    ("chain/set", ("glue", 16, "mix", 0.5), ErrorCode.BAD_ARGS),
    ("chain/set", ("glue", 0, "mix", 5.0), ErrorCode.BAD_ARGS),
    ("chain/set", ("glue", 0, "loudness", 5.0), ErrorCode.BAD_ARGS),
    ("chain/set", ("glue", 0, "ratio", "much"), ErrorCode.BAD_ARGS),
    ("chain/set", ("glue", 0, "ratio", float("nan")), ErrorCode.BAD_ARGS),
    ("chain/save", ("glue", "{"), ErrorCode.BAD_JSON),
    ("chain/save", ("glue", '{"effects": [{"effect": "gian"}]}'), ErrorCode.BAD_ARGS),
    ("chain/save", ("glue", '{"effects": [{"plugin": "Tape.vst3"}]}'), ErrorCode.BAD_ARGS),
    ("chain/save", ("glue", "/no/such.toml"), ErrorCode.IO_MISSING),
    ("chain/save", ("../glue", '{"effects": []}'), ErrorCode.BAD_ARGS),
    ("chain/add", ("glue", "gian"), ErrorCode.BAD_ARGS),
    ("chain/add", ("glue", "/no/such.vst3"), ErrorCode.NOT_FOUND),
    ("chain/add", ("glue", "convolution"), ErrorCode.BAD_ARGS),
    ("chain/remove", ("glue", 3), ErrorCode.NOT_FOUND),
    ("chain/move", ("glue", 3, 0), ErrorCode.NOT_FOUND),
    ("chain/delete", ("glue",), ErrorCode.PATH_DENIED),
    ("chain/effects", ("gian",), ErrorCode.NOT_FOUND),
    ("chain/window", ("glue", 0), ErrorCode.BAD_ARGS),
    ("chain/inspect", ("/no/such.vst3",), ErrorCode.NOT_FOUND),
    ("chain/apply", ("/no/such.wav", "glue"), ErrorCode.IO_MISSING),
    ("chain/apply", (str(GROOVE), "nobody"), ErrorCode.NOT_FOUND),
    ("chain/apply", (str(GROOVE), "/no/such.toml"), ErrorCode.IO_MISSING),
)


def test_what_cannot_be_done_fails_with_a_code_and_changes_nothing(client: Client, service: Served) -> None:
    before = client.done(ChainList(rid="-")).chains
    for address, args, code in WRONG:
        rid = new_rid()
        client.send(f"{ROOT}{address}", rid, *args)
        answer = client.answer(rid)
        assert isinstance(answer, Fail) and answer.code is code, (address, args, answer)
    assert client.done(ChainList(rid="-")).chains == before
    assert not service.folders.chains.exists()


def test_strangers_use_no_plugins_and_files_of_this_machine(
    service: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = json.dumps({"effects": [{"plugin": COMPRESSOR}]})
    impulse = json.dumps(
        {"effects": [{"effect": "convolution", "parameters": {"impulse_response_filename": str(GROOVE)}}]}
    )
    client.done(Ping(rid="-"))
    # Whoever connects from now on is taken for somebody of another machine.
    monkeypatch.setattr(app, "is_loopback", lambda _: False)
    with client_of(service, "slip") as stranger:
        for chain in (plugin, impulse, str(GROOVE)):
            assert stranger.failed(ChainSave(rid="-", name="x", chain=chain)).code is ErrorCode.PATH_DENIED
        for request in (
            ChainAdd(rid="-", name="glue", effect=COMPRESSOR),
            ChainInspect(rid="-", path=COMPRESSOR),
            ChainApply(rid="-", path=str(GROOVE), chain="glue"),
        ):
            assert stranger.failed(request).code is ErrorCode.PATH_DENIED
        client.done(ChainSave(rid="-", name="mine", chain=plugin))
        stranger.done(ChainAdd(rid="-", name="mine", effect=COMPRESSOR))


def heard(path: str | Path) -> tuple[np.ndarray, int]:
    audio_SN, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    return audio_SN.T, rate_hz


def test_a_file_goes_through_a_chain(user: Client, engine: Served) -> None:
    user.done(ChainSave(rid="-", name="half", chain='{"effects": [{"effect": "gain", "mix": 1}]}'))
    user.done(ChainSet(rid="-", name="half", effect=0, parameter="gain_db", value=-6))
    done = user.done(ChainApply(rid="-", path=str(GROOVE), chain="half"))
    assert Path(done.path) == engine.folders.takes / "groove-half.flac"
    (before_NS, rate_hz), (after_NS, after_hz) = heard(GROOVE), heard(done.path)
    assert (after_hz, after_NS.shape) == (rate_hz, before_NS.shape) and done.length_samples == 288_000
    assert soundfile.info(done.path).subtype == soundfile.info(GROOVE).subtype
    np.testing.assert_allclose(after_NS, before_NS * 10 ** (-6 / 20), atol=2**-22)
    recipe = json.loads(Path(done.recipe).read_text())
    assert recipe["chain"]["effects"][0]["parameters"] == {"gain_db": -6.0}
    assert recipe["source"]["path"] == str(GROOVE) and recipe["ai_generated"] is False


def test_a_repeated_request_makes_no_second_file(user: Client, engine: Served) -> None:
    request = ChainApply(rid=new_rid(), path=str(GROOVE), chain="glue", stem="once")
    first = user.ask(request)
    assert user.ask(request) == first
    assert [path.name for path in engine.folders.takes.glob("once*.flac")] == ["once.flac"]
    again = user.done(ChainApply(rid="-", path=str(GROOVE), chain="glue", stem="once"))
    assert Path(again.path).name == "once-2.flac"


def test_a_real_plugin_is_looked_at_and_used(user: Client) -> None:
    report = user.done(ChainInspect(rid="-", path=COMPRESSOR)).plugin
    threshold = next(one for one in report["parameters"] if one["name"] == "threshold_db")
    assert (report["facts"]["name"], threshold["unit"], threshold["low"]) == ("ZamComp", "dB", -80.0)
    user.done(ChainSave(rid="-", name="zam", chain='{"effects": []}'))
    user.done(ChainAdd(rid="-", name="zam", effect=COMPRESSOR))
    user.done(ChainSet(rid="-", name="zam", effect=0, parameter="threshold_db", value=-40))
    user.done(ChainSet(rid="-", name="zam", effect=0, parameter="makeup_db", value=0))
    done = user.done(ChainApply(rid="-", path=str(GROOVE), chain="zam"))
    assert np.square(heard(done.path)[0]).mean() < 0.5 * np.square(heard(GROOVE)[0]).mean()
    assert "ZamComp" in done.notes, "one channel at a time is to be told"


def test_a_page_of_parameters_is_followed_by_the_next(user: Client) -> None:
    names: list[str] = []
    for offset in (0, 5):
        page = user.done(ChainInspect(rid="-", path=COMPRESSOR, limit=5, offset=offset)).plugin
        assert page["more"] is True
        names += [one["name"] for one in page["parameters"]]
    assert len(set(names)) == 10


def test_a_plugin_that_hangs_is_named_and_holds_up_nobody(user: Client, engine: Served) -> None:
    user.done(ChainSave(rid="-", name="stuck", chain=json.dumps({"effects": [{"plugin": REVERB}]})))
    user.request(ChainApply(rid="hangs", path=str(GROOVE), chain="stuck"))
    with client_of(engine, "udp") as other:
        answer = None
        while answer is None:
            assert isinstance(other.ask(Ping(rid=new_rid())), Pong)
            answer = user.find(lambda reply: getattr(reply, "rid", "") == "hangs", 0.02)
            assert other.done(ChainApply(rid="-", path=str(GROOVE), chain="glue", stem="meanwhile"))
    assert answer.code is ErrorCode.PLUGIN_TIMEOUT
    assert "ZamVerb did not finish loading in 2 s" in answer.message
    assert not list(engine.folders.takes.glob("groove-stuck*"))


def test_what_takes_long_can_be_stopped_by_who_asked(user: Client, engine: Served) -> None:
    user.done(ChainSave(rid="-", name="stuck", chain=json.dumps({"effects": [{"plugin": REVERB}]})))
    user.request(ChainApply(rid="hangs", path=str(GROOVE), chain="stuck"))
    with client_of(engine, "slip") as other:
        assert other.done(ChainCancel(rid="-", target="hangs")).count == 0
    assert user.done(ChainCancel(rid="-", target="other")).count == 0
    assert user.done(ChainCancel(rid="-", target="*")).count == 1
    assert user.answer("hangs").code is ErrorCode.CANCELLED
    assert user.done(ChainInspect(rid="-", path=COMPRESSOR)).count > 5


def test_a_scan_tells_how_far_it_is_and_tries_what_hung_only_when_asked(
    engine: Served, user: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user.done(ChainScan(rid="-")).count >= 17
    told = [reply for reply in user.replies if isinstance(reply, Progress)]
    assert [one.step for one in told] == list(range(1, len(told) + 1))
    assert {one.total for one in told} == {len(told)} and "ZamComp" in {one.item for one in told}
    user.forget()
    known = user.done(ChainScan(rid="-")).plugins["plugins"]
    assert not [reply for reply in user.replies if isinstance(reply, Progress)]
    assert known[COMPRESSOR]["holds"][0]["name"] == "ZamComp" and "error" not in known[COMPRESSOR]
    assert known[REVERB]["blocked"] and "did not finish loading in 2 s" in known[REVERB]["error"]
    again = user.done(ChainScan(rid="-", again=True))
    assert [one.item for one in user.replies if isinstance(one, Progress)] == ["ZamVerb"]
    assert again.plugins["plugins"][REVERB]["blocked"]


def test_a_window_needs_a_screen(user: Client) -> None:
    user.done(ChainSave(rid="-", name="zam", chain=json.dumps({"effects": [{"plugin": COMPRESSOR}]})))
    failed = user.failed(ChainWindow(rid="-", name="zam", effect=0))
    assert failed.code is ErrorCode.NOT_FOUND and "screen" in failed.message
    assert user.failed(ChainWindow(rid="-", name="zam", effect=0, on=False)).code is ErrorCode.NOT_FOUND


def a_window_is_there() -> bool:
    search = ["xdotool", "search", "--onlyvisible", "--name", "^Pedalboard$"]
    return bool(subprocess.run(search, capture_output=True, text=True, check=False).stdout)


@pytest.mark.usefixtures("screen")
def test_a_window_is_open_until_it_is_closed_and_its_state_is_kept(tmp_path: Path) -> None:
    with served(tmp_path, has_chores=True) as running, tcp_of(running) as user:
        effects = json.dumps({"effects": [{"effect": "gain"}, {"plugin": COMPRESSOR, "mix": 0.5}]})
        user.done(ChainSave(rid="-", name="zam", chain=effects))
        user.request(ChainWindow(rid="opens", name="zam", effect=1))
        while not a_window_is_there():
            assert user.find(lambda reply: getattr(reply, "rid", "") == "opens", 0.1) is None
        assert user.failed(ChainWindow(rid="-", name="zam", effect=1)).code is ErrorCode.BAD_ARGS
        # Whoever edits the chain meanwhile does not lose it, nor what is turned in the window.
        user.done(ChainMove(rid="-", name="zam", effect=1, place=0))
        user.done(ChainSet(rid="-", name="zam", effect=0, parameter="mix", value=0.75))
        user.done(ChainWindow(rid="-", name="zam", effect=1, on=False))
        assert not isinstance(user.answer("opens"), Fail)
        assert not a_window_is_there()
        plugin, gain = effects_of(user, "zam")
        assert plugin["raw_state"] and plugin["mix"] == 0.75 and gain["effect"] == "gain"


def test_words_find_a_chain_that_can_be_used(user: Client, tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    soundfile.write(tmp_path / "noise.wav", generator.normal(0, 0.1, 24_000), 24_000)
    path, options = str(tmp_path / "noise.wav"), {"model": "debug", "evaluations": 40, "seed": 1}
    request = ChainFind(rid="-", path=path, prompt="dark", name="darker", options=options)
    user.request(replace(request, rid="finds"))
    # The worker steps back behind everything else that the machine does.
    done = user.next(lambda reply: isinstance(reply, Answer) and reply.rid == "finds", FINDING_S)
    assert not isinstance(done, Fail), done
    found = done.found
    told = [reply for reply in user.replies if isinstance(reply, Progress)]
    assert found["similarity_after"] >= found["similarity_before"] - 1e-6
    assert told and told[-1].total == 40 and told[-1].request == "chain/find"
    assert user.done(ChainLoad(rid="-", name="darker")).chain == found["chain"] | {"name": "darker"}
    assert user.done(ChainApply(rid="-", path=path, chain="darker")).length_samples == 24_000
    for wrong in ({"evaluation": 40, "replace": True}, {"replace": "yes"}):
        asked = replace(request, options={"model": "debug", **wrong})
        assert user.failed(asked).code is ErrorCode.BAD_JSON
    for taken in ("darker", "wide hall"):
        refused = user.failed(replace(request, name=taken))
        assert refused.code is ErrorCode.BAD_ARGS
        assert "already" in refused.message
    assert user.done(ChainLoad(rid="-", name="darker")).chain == found["chain"] | {"name": "darker"}
