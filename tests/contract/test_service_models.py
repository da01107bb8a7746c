"""Models over the wire: downloaded once for all who ask, with their licence agreed to, stopped, removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daw_bridge.messages.answers import Fail, Progress
from daw_bridge.messages.service import (
    ModelCancel,
    ModelChanged,
    ModelList,
    ModelPull,
    ModelRemove,
    ModelVerify,
)
from engine.types import ErrorCode
from tests.contract.services import Client, Served, new_rid, served, tcp_of
from tests.unit.checkpoints import narrow_bundle, write_diffusers
from tests.unit.fake_hub import FakeHub, serving

NAME, LICENCE = "audioldm-0-full", "CC-BY-NC-SA-4.0"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[Client]:
    with tcp_of(service) as client:
        client.subscribe()
        yield client


def is_changed(reply: object) -> bool:
    return isinstance(reply, ModelChanged)


def test_a_pull_tells_how_far_it_is_and_everybody_that_there_is_a_model(
    service: Served, client: Client
) -> None:
    request = ModelPull(rid=new_rid(), name=NAME, licence=LICENCE)
    assert not isinstance(client.ask(request), Fail)
    steps = [one for one in client.replies if isinstance(one, Progress) and one.rid == request.rid]
    assert [(one.request, one.stage, one.step, one.total) for one in steps] == [
        ("model/pull", "download", 1, 2),
        ("model/pull", "download", 2, 2),
    ]
    assert client.next(is_changed).name == NAME


def test_a_licence_that_nobody_agreed_to_is_refused_before_anything_is_loaded(client: Client) -> None:
    refusal = client.failed(ModelPull(rid="-", name=NAME, licence="MIT"))
    assert refusal.code is ErrorCode.BAD_ARGS
    assert LICENCE in refusal.message
    client.listen(0.1)
    assert not [one for one in client.replies if isinstance(one, Progress | ModelChanged)]


def test_two_who_ask_for_a_model_get_one_download(service: Served, client: Client) -> None:
    service.hold()
    with tcp_of(service) as other:
        requests = [ModelPull(rid=new_rid(), name=NAME, licence=LICENCE) for _ in range(2)]
        client.request(requests[0])
        client.next(lambda one: isinstance(one, Progress))
        other.request(requests[1])
        service.release()
        for one, request in zip((client, other), requests, strict=True):
            assert not isinstance(one.answer(request.rid), Fail)
    downloads = [order for worker in service.workers for order in worker.orders if order.op == "models"]
    # Each was asked for its licence, and one went on to load.
    assert len(downloads) == 3


def test_anybody_may_stop_a_download_and_begin_it_again(service: Served, client: Client) -> None:
    service.hold()
    first = ModelPull(rid=new_rid(), name=NAME, licence=LICENCE)
    client.request(first)
    client.next(lambda one: isinstance(one, Progress))
    with tcp_of(service) as other:
        assert other.done(ModelCancel(rid="-", name="*")).count == 1
        assert other.done(ModelCancel(rid="-", name=NAME)).count == 0
    answer = client.answer(first.rid)
    assert isinstance(answer, Fail)
    assert answer.code is ErrorCode.CANCELLED
    service.release()
    client.done(ModelPull(rid="-", name=NAME, licence=LICENCE))


def test_a_download_outlives_who_asked_for_it_and_not_the_service(service: Served, client: Client) -> None:
    service.hold()
    with tcp_of(service) as other:
        other.request(ModelPull(rid=new_rid(), name=NAME, licence=LICENCE))
        other.next(lambda one: isinstance(one, Progress))
    service.release()
    assert client.next(is_changed).name == NAME
    service.hold()
    client.request(ModelPull(rid=new_rid(), name=NAME, licence=LICENCE))
    client.next(lambda one: isinstance(one, Progress) and one.step == 1)


def test_a_model_comes_from_a_hub_is_compared_with_its_card_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = narrow_bundle()
    folder = write_diffusers(tmp_path / "hub", bundle)
    bundle.tokenizer.model.save(str(folder / "tokenizer"))
    with serving(FakeHub(folder=folder, repo="cvssp/audioldm")) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("DAW_BRIDGE_MODELS", str(tmp_path / "models"))
        with served(tmp_path / "service", has_chores=True) as running, tcp_of(running) as client:
            name = "audioldm-s-full"
            told = client.done(ModelList(rid="-")).models[name]
            assert (told["licence"], told["sample_rate_hz"], told["can_pull"]) == (LICENCE, 16_000, True)
            assert "installed" not in told
            client.done(ModelPull(rid="-", name=name, licence=told["licence"]))
            assert client.done(ModelList(rid="-")).models[name]["installed"]
            checked = client.done(ModelVerify(rid="-", name=name)).details
            assert checked["checksums"][name].keys() >= {"unet.safetensors"}
            client.done(ModelRemove(rid="-", name=name))
            assert client.failed(ModelRemove(rid="-", name=name)).code is ErrorCode.MODEL_MISSING
            assert client.failed(ModelRemove(rid="-", name="starter")).code is ErrorCode.BAD_ARGS
