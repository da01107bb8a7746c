"""Clients of other machines: none is let in without the token, and none gets at what is not meant for it."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from daw_bridge.errors import NotAuthorised
from daw_bridge.messages.arguments import MAX_BLOB_BYTES
from daw_bridge.messages.base import ROOT
from daw_bridge.messages.connection import Hello, Notify, Ping
from daw_bridge.messages.events import JobDoneEvent
from daw_bridge.messages.jobs import Generate, Inpaint, JobRetry, Submit, Superres, Transfer
from daw_bridge.messages.service import (
    AudioProbe,
    AudioRecall,
    BlobGet,
    BlobPut,
    EnginePause,
    EngineResume,
)
from daw_bridge.service import app
from daw_bridge.service.blobs import MAX_OPEN_OF_CLIENT
from daw_bridge.service.desks import connection
from daw_bridge.service.doors import tcp
from engine.types import ErrorCode
from tests.contract.services import QUIET_S, Client, Served, client_of, served, tcp_of, udp_of

TOKEN = "correct-horse"  # noqa: S105


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, token=TOKEN) as running:
        yield running


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Return a service to which every client is one of another machine."""
    monkeypatch.setattr(app, "is_loopback", lambda _: False)
    # A test must not speak to the network.
    monkeypatch.setattr(app, "announced", lambda _: AsyncExitStack())
    with served(tmp_path, token=TOKEN) as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[Client]:
    with tcp_of(service) as connected:
        connected.hello("remote", TOKEN)
        yield connected


@pytest.mark.parametrize("link", ["udp", "slip", "length"])
def test_without_the_token_nothing_is_answered_but_that(guarded: Served, link: str) -> None:
    with client_of(guarded, link) as stranger, tcp_of(guarded) as friend:
        friend.hello("friend", TOKEN)
        for request in (Ping(rid="-"), Notify(rid="-", on=True), Generate(rid="-", prompt="a", seconds=1.0)):
            assert stranger.failed(request).code is ErrorCode.AUTH
        stranger.send(f"{ROOT}param/steps", 33)
        friend.end_of(friend.generate())
        stranger.listen(QUIET_S)
        assert {getattr(reply, "code", None) for reply in stranger.replies} == {ErrorCode.AUTH}
        assert guarded.call(lambda: guarded.service.board.get("steps")) != 33


@pytest.mark.parametrize("link", ["udp", "slip", "length"])
@pytest.mark.parametrize("token", ["", "correct-hors", "correct-horse ", "\N{SNOWMAN}" * 13])
def test_a_wrong_token_is_refused(guarded: Served, link: str, token: str) -> None:
    with client_of(guarded, link) as client:
        assert client.hello("me", token).code is ErrorCode.AUTH
        assert client.failed(Ping(rid="-")).code is ErrorCode.AUTH


@pytest.mark.parametrize("link", ["udp", "slip", "length"])
def test_the_right_token_lets_in_whoever_sent_it(guarded: Served, link: str) -> None:
    with client_of(guarded, link) as client, client_of(guarded, link) as other:
        assert client.hello("me", TOKEN).protocol == 1
        assert client.done(Ping(rid="-"))
        assert other.failed(Ping(rid="-")).code is ErrorCode.AUTH


def test_tokens_are_compared_in_constant_time(guarded: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def noted(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return compare(a, b)

    monkeypatch.setattr(connection.hmac, "compare_digest", noted)
    with tcp_of(guarded) as client:
        client.ask(Hello(rid="R", client="me", protocol=1, token="wrong"))
    assert compared == [(b"wrong", TOKEN.encode())]


def test_a_connection_that_never_says_who_it_is_is_closed(
    guarded: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "HELLO_S", 0.1)
    with tcp_of(guarded) as silent, tcp_of(guarded) as client:
        client.hello("me", TOKEN)
        silent.wait_for_end()
        client.listen(QUIET_S)
        assert client.done(Ping(rid="-"))


def test_nothing_listens_beyond_this_machine(tmp_path: Path) -> None:
    before = _listening()
    with served(tmp_path) as service:
        found = _listening() - before
        info = service.info
        assert {port for _, port in found} >= {info.udp_port, info.tcp_port, info.http_port}
        assert {host for host, _ in found} == {"127.0.0.1"}


def test_a_service_for_others_needs_a_token(tmp_path: Path) -> None:
    before = _listening()
    with pytest.raises(NotAuthorised, match="needs a token"), served(tmp_path, host="0.0.0.0"):  # noqa: S104
        pass
    assert _listening() <= before


def test_a_file_is_sent_used_and_fetched(client: Client, service: Served) -> None:
    content = os.urandom(2 * MAX_BLOB_BYTES + 5)
    path = put(client, content, order=(2, 0, 1))
    assert Path(path).read_bytes() == content and Path(path).parent == service.folders.uploads
    job = client.done(Transfer(rid="-", path=path, prompt="rain", strength=0.5))
    end = client.end_of(job.job_id)
    assert fetched(client, end.path) == Path(end.path).read_bytes()  # type: ignore[union-attr]
    assert fetched(client, path) == content


def test_a_recipe_tells_a_client_of_another_machine_nothing_of_this_ones_files(client: Client) -> None:
    found = client.done(AudioRecall(rid="-", path=put(client, b"RIFF with a recipe")))
    assert (found.spec, found.model) == ({"task": "generate", "prompt": "rain", "duration_s": 1.0}, "same")
    assert found.source == "none", "the worker said that the source is there"


def test_a_chunk_that_comes_twice_counts_once(client: Client) -> None:
    chunks = chunks_of(bytes(MAX_BLOB_BYTES + 1))
    assert [client.done(chunk).received for chunk in (chunks[0], chunks[0], chunks[1])] == [1, 1, 2]


def test_a_file_that_is_not_what_was_promised_is_refused_and_may_be_sent_again(client: Client) -> None:
    chunks = chunks_of(b"RIFF", sha256=hashlib.sha256(b"other").hexdigest())
    assert client.failed(chunks[0]).code is ErrorCode.BAD_ARGS
    assert put(client, b"RIFF")


@pytest.mark.parametrize(
    "changes", [{"count": 3}, {"sha256": "f" * 64}, {"data": b"short", "index": 0}, {"index": 2}]
)
def test_chunks_that_do_not_agree_are_refused(changes: dict[str, Any], client: Client) -> None:
    first, second = chunks_of(bytes(MAX_BLOB_BYTES + 1))
    client.done(first)
    fields = {"transfer_id": "t", "index": 1, "count": 2, "sha256": first.sha256, "data": second.data}
    args = {**fields, **changes}
    client.send(f"{ROOT}blob/put", "R", *args.values())
    assert client.answer("R").code is ErrorCode.BAD_ARGS
    assert client.done(second).path


def test_what_is_too_large_is_refused(client: Client) -> None:
    sha256 = hashlib.sha256(b"").hexdigest()
    client.send(f"{ROOT}blob/put", "R", "t", 0, 1025, sha256, bytes(8))
    assert client.answer("R").code is ErrorCode.BAD_ARGS
    client.send(f"{ROOT}blob/put", "S", "t", 0, 2, sha256, bytes(MAX_BLOB_BYTES + 1))
    assert client.answer("S").code is ErrorCode.BAD_ARGS


def test_transfers_that_nobody_ends_do_not_shut_others_out(client: Client, service: Served) -> None:
    for number in range(MAX_OPEN_OF_CLIENT):
        client.done(chunks_of(bytes(MAX_BLOB_BYTES + 1), name=f"t{number}")[0])
    one_more = chunks_of(bytes(MAX_BLOB_BYTES + 1), name="more")[0]
    assert client.failed(one_more).code is ErrorCode.TOO_LARGE
    with tcp_of(service) as other:
        other.hello("other", TOKEN)
        assert put(other, b"RIFF")
    client.close()
    service.until(lambda: not list(service.folders.uploads.glob("*.part")))


def test_what_was_sent_in_part_is_gone_with_the_service(tmp_path: Path) -> None:
    with served(tmp_path) as service, tcp_of(service) as client:
        put(client, b"RIFF")
        part = service.folders.uploads / "77.part"
        part.write_bytes(b"of a service that was killed")
    with served(tmp_path) as service:
        assert [path.name for path in service.folders.uploads.iterdir()] == [sha256_of(b"RIFF")]


def test_a_job_on_a_file_that_was_sent_is_done_by_the_next_service(tmp_path: Path) -> None:
    with served(tmp_path) as service, tcp_of(service) as client:
        client.done(EnginePause(rid="-"))
        path = put(client, b"RIFF")
        job = client.done(Transfer(rid="-", path=path, prompt="rain", strength=0.5))
        os.utime(path, ns=(10**18, Path(path).stat().st_mtime_ns))
    with served(tmp_path) as service, tcp_of(service) as client:
        client.subscribe()
        client.done(EngineResume(rid="-"))
        assert isinstance(client.end_of(job.job_id), JobDoneEvent)
        assert Path(path).read_bytes() == b"RIFF"
        again = client.done(JobRetry(rid="-", job_id=job.job_id))
        assert isinstance(client.end_of(again.job_id), JobDoneEvent)


def test_files_are_not_sent_over_a_link_that_loses_packets(service: Served, client: Client) -> None:
    path = put(client, b"RIFF")
    with udp_of(service) as other:
        other.hello("other", TOKEN)
        for request in (chunks_of(b"RIFX")[0], BlobGet(rid="-", path=path, index=0)):
            told = other.failed(request)
            assert told.code is ErrorCode.BAD_ARGS and "over TCP only" in told.message


def test_paths_beyond_the_folders_for_it_are_denied(client: Client, service: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"RIFF")
    put(client, b"RIFF")
    uploads = service.folders.uploads
    link, inner = uploads / "link.wav", uploads / "inner"
    link.symlink_to(secret)
    inner.symlink_to(tmp_path)
    paths = [
        str(secret),
        f"{uploads}/../../secret.wav",
        f"{uploads}/../uploads/../../secret.wav",
        str(link),
        str(inner / "secret.wav"),
        f"{uploads}x/secret.wav",
        "/etc/passwd",
        "/proc/self/environ",
        "secret.wav",
    ]
    for path in paths:
        for request in (
            Transfer(rid="-", path=path, prompt="rain", strength=0.5),
            Superres(rid="-", path=path),
            AudioProbe(rid="-", path=path),
            AudioRecall(rid="-", path=path),
            BlobGet(rid="-", path=path, index=0),
            Submit(rid="-", spec=path),
            Inpaint(
                rid="-", path=path, prompt="rain", mask='{"shapes": [{"shape": "rect", "span": [0, 1]}]}'
            ),
        ):
            assert client.failed(request).code in (ErrorCode.PATH_DENIED, ErrorCode.BAD_JSON), request
        chain = {"chain": {"effects": [{"plugin": path}]}}
        denied = client.failed(Generate(rid="-", prompt="rain", seconds=1.0, options=chain))
        assert denied.code is (ErrorCode.PATH_DENIED if Path(path).is_absolute() else ErrorCode.BAD_ARGS)
        condition = {"conditions": [{"kind": "audio", "value": path}]}
        denied = client.failed(Generate(rid="-", prompt="rain", seconds=1.0, options=condition))
        assert denied.code is ErrorCode.PATH_DENIED
    assert service.worker.orders == []


@pytest.mark.parametrize("folder", ["{root}/elsewhere", "{takes}/../elsewhere", "elsewhere", "{takes}/link"])
def test_takes_are_written_into_the_folders_for_it_alone(
    folder: str, client: Client, service: Served, tmp_path: Path
) -> None:
    takes = service.folders.takes
    takes.mkdir()
    (takes / "link").symlink_to(tmp_path)
    wanted = folder.format(root=tmp_path, takes=takes)
    request = Generate(rid="-", prompt="rain", seconds=1.0, folder=wanted)
    assert client.failed(request).code is ErrorCode.PATH_DENIED


def test_a_folder_below_the_one_for_takes_will_do(client: Client, service: Served) -> None:
    end = client.end_of(client.generate(folder=str(service.folders.takes / "mine")))
    assert Path(end.path).parent == service.folders.takes / "mine"  # type: ignore[union-attr]


def test_clients_of_this_machine_use_any_file_but_fetch_only_the_services_own(tmp_path: Path) -> None:
    clip = tmp_path / "loop.wav"
    clip.write_bytes(b"RIFF")
    with served(tmp_path) as service, tcp_of(service) as client:
        request = Transfer(
            rid="-", path=str(clip), prompt="rain", strength=0.5, folder=str(tmp_path / "mine")
        )
        client.end_of(client.done(request).job_id)
        assert client.failed(BlobGet(rid="-", path=str(clip), index=0)).code is ErrorCode.PATH_DENIED


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(client: Client, content: bytes, order: tuple[int, ...] = (0,)) -> str:
    """Send a file and return where it lies."""
    chunks = chunks_of(content)
    answers = [client.done(chunks[index]) for index in order]
    assert [answer.path for answer in answers[:-1]] == [""] * (len(chunks) - 1)
    return str(answers[-1].path)


def chunks_of(content: bytes, sha256: str = "", name: str = "t") -> list[BlobPut]:
    starts = range(0, len(content), MAX_BLOB_BYTES)
    sha256 = sha256 or hashlib.sha256(content).hexdigest()
    return [
        BlobPut(
            rid="-",
            transfer_id=name,
            index=index,
            count=len(starts),
            sha256=sha256,
            data=content[start : start + MAX_BLOB_BYTES],
        )
        for index, start in enumerate(starts)
    ]


def fetched(client: Client, path: str) -> bytes:
    """Fetch a file chunk by chunk."""
    first = client.done(BlobGet(rid="-", path=path, index=0))
    rest = [client.done(BlobGet(rid="-", path=path, index=index)) for index in range(1, first.count)]
    content: bytes = b"".join(chunk.data for chunk in (first, *rest))
    assert hashlib.sha256(content).hexdigest() == first.sha256
    beyond = client.failed(BlobGet(rid="-", path=path, index=first.count))
    assert beyond.code is ErrorCode.NOT_FOUND
    return content


def _listening() -> set[tuple[str, int]]:
    """Return where this process listens, for connections or for packets."""
    sockets = psutil.Process().net_connections("inet")
    return {(one.laddr.ip, one.laddr.port) for one in sockets if one.status in ("LISTEN", "NONE")}
