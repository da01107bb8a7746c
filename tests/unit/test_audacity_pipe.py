"""Audacity's pipe against an Audacity that misbehaves: real FIFOs, and a thread at their other end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from daw_bridge.daws.audacity.control import Audacity
from daw_bridge.daws.audacity.pipe import MAX_COMMAND_BYTES, Conversation, PipePaths, quoted
from daw_bridge.errors import AudacityBusy, AudacityClosed, AudacityRefused
from engine.errors import SpecError

GREETING = "Help: Command=Message"
OK = b"BatchCommand finished: OK\n\n"
# Long enough for a busy machine, where an answer comes; short, where none does.
LONG_S, SHORT_S = 30.0, 0.2
Play = Callable[[str, int], None]


@pytest.fixture
def paths(tmp_path: Path) -> PipePaths:
    found = PipePaths(to=str(tmp_path / "to"), back=str(tmp_path / "from"))
    os.mkfifo(found.to)
    os.mkfifo(found.back)
    return found


@contextmanager
def audacity(paths: PipePaths, play: Play, times: int = 1) -> Iterator[list[str]]:
    """Play Audacity's side: take lines one by one, and let play answer into the number of an open file."""
    heard: list[str] = []

    def serve() -> None:
        for _ in range(times):
            with (
                Path(paths.to).open(encoding="utf-8") as to,
                Path(paths.back).open("wb", buffering=0) as back,
            ):
                with suppress(EOFError):
                    for line in to:
                        heard.append(line.rstrip("\n"))
                        play(heard[-1], back.fileno())
                # In Audacity's order, which makes both anew for each client.
                to.close()
                for name in (paths.to, paths.back):
                    Path(name).unlink()
                    os.mkfifo(name)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heard
    finally:
        thread.join(LONG_S)
        assert not thread.is_alive()


def say(*pieces: bytes) -> Play:
    def play(_command: str, back: int) -> None:
        for piece in pieces:
            os.write(back, piece)
            time.sleep(0.01)

    return play


def test_an_answer_is_read_to_its_end(paths: PipePaths) -> None:
    with audacity(paths, say(b"[ 1,\n\n2 ]\n" + OK)) as heard, Conversation(paths) as talk:
        answer = talk.ask("GetInfo: Type=Tracks", LONG_S)
    assert (answer.is_ok, answer.text, heard) == (True, "[ 1,\n\n2 ]", ["GetInfo: Type=Tracks"])


def test_an_answer_may_come_in_pieces_that_cut_a_letter(paths: PipePaths) -> None:
    whole = '{ "name":"Flöte" }\n'.encode() + b"BatchCommand finished: Failed!\n\n"
    pieces = [whole[index : index + 1] for index in range(len(whole))]
    with audacity(paths, say(*pieces)), Conversation(paths) as talk:
        answer = talk.ask("GetInfo: Type=Tracks", LONG_S)
    assert (answer.is_ok, answer.text) == (False, '{ "name":"Flöte" }')


def test_nobody_at_the_other_end_is_told_at_once(paths: PipePaths) -> None:
    with pytest.raises(AudacityClosed, match="does not answer"):
        Conversation(paths, open_s=SHORT_S)


def test_no_pipe_at_all_is_told(tmp_path: Path) -> None:
    nowhere = PipePaths(to=str(tmp_path / "to"), back=str(tmp_path / "from"))
    with pytest.raises(AudacityClosed):
        Conversation(nowhere, open_s=SHORT_S)


def test_an_answer_that_is_late_is_had_later(paths: PipePaths) -> None:
    closed = threading.Event()

    def play(_command: str, back: int) -> None:
        closed.wait(LONG_S)
        os.write(back, b"done\n" + OK)

    with audacity(paths, play), Conversation(paths) as talk:
        with pytest.raises(AudacityBusy, match="Import2") as caught:
            talk.ask('Import2: Filename="a.wav"', SHORT_S)
        assert "dialog" in caught.value.hint
        assert talk.owed
        closed.set()
        assert talk.late(LONG_S).text == "done"
        assert not talk.owed


def test_an_audacity_that_ends_instead_of_answering_is_told(paths: PipePaths) -> None:
    def play(_command: str, _back: int) -> None:
        raise EOFError

    with audacity(paths, play), Conversation(paths) as talk, pytest.raises(AudacityClosed):
        talk.ask("GetInfo: Type=Tracks", LONG_S)


def test_several_clients_one_after_the_other(paths: PipePaths, tmp_path: Path) -> None:
    client = Audacity(tmp_path, paths, answer_s=LONG_S)
    play = say(b'[ { "name":"Guitar" } ]\n' + OK)
    with audacity(paths, play) as first:
        assert client.tracks() == [{"name": "Guitar"}]
    with audacity(paths, play) as second:
        assert Audacity(tmp_path, paths, answer_s=LONG_S).clips() == [{"name": "Guitar"}]
    assert first == [GREETING, "GetInfo: Type=Tracks Format=JSON"]
    assert second == [GREETING, "GetInfo: Type=Clips Format=JSON"]


def test_a_conversation_that_ends_at_once_is_begun_again(paths: PipePaths, tmp_path: Path) -> None:
    answers = iter([None, b"[]\n" + OK, b"[]\n" + OK])

    def play(_command: str, back: int) -> None:
        if (answer := next(answers)) is None:
            raise EOFError
        os.write(back, answer)

    with audacity(paths, play, times=2) as heard:
        assert Audacity(tmp_path, paths, answer_s=LONG_S).tracks() == []
    assert heard == [GREETING, GREETING, "GetInfo: Type=Tracks Format=JSON"]


def test_an_import_that_fails_is_told_with_what_audacity_says(paths: PipePaths, tmp_path: Path) -> None:
    client = Audacity(tmp_path, paths, answer_s=LONG_S)

    def play(command: str, back: int) -> None:
        os.write(back, OK if command == GREETING else b"no such file\nBatchCommand finished: Failed!\n\n")

    with audacity(paths, play), pytest.raises(AudacityRefused, match="Import2: no such file"):
        client.import_file(tmp_path / "takes.aup")


def test_while_one_client_waits_another_is_turned_away(paths: PipePaths, tmp_path: Path) -> None:
    client = Audacity(tmp_path, paths, answer_s=SHORT_S)
    other = Audacity(tmp_path, paths, answer_s=SHORT_S)
    released = threading.Event()

    def play(command: str, back: int) -> None:
        if command != GREETING:
            released.wait(LONG_S)
        os.write(back, b"[]\n" + OK)

    with audacity(paths, play) as heard:
        with pytest.raises(AudacityBusy, match="has not answered"):
            client.tracks()
        with pytest.raises(AudacityBusy, match="another program"):
            other.tracks()
        released.set()
        client._answer_s = LONG_S
        assert client.tracks() == []
    # What was owed is not asked for again.
    assert heard == [GREETING, "GetInfo: Type=Tracks Format=JSON"]


def test_a_command_that_audacity_would_cut_is_refused(paths: PipePaths) -> None:
    with audacity(paths, say(OK)), Conversation(paths) as talk:
        with pytest.raises(SpecError, match=f"at most {MAX_COMMAND_BYTES} bytes"):
            talk.ask("x" * (MAX_COMMAND_BYTES + 1), LONG_S)
        assert talk.ask("x" * MAX_COMMAND_BYTES, LONG_S).is_ok


def test_line_breaks_make_no_second_command(paths: PipePaths) -> None:
    with audacity(paths, say(OK)) as heard, Conversation(paths) as talk:
        talk.ask("DawBridgeChange: prompt=a\nRemoveTracks:", LONG_S)
    assert heard == ["DawBridgeChange: prompt=a RemoveTracks:"]


@pytest.mark.parametrize(("value", "written"), [("a", '"a"'), ('a "b"', '"a \\"b\\""'), ("a\\", '"a\\\\"')])
def test_values_are_quoted(value: str, written: str) -> None:
    assert quoted(value) == written


@pytest.mark.parametrize(
    "name", ["back\\slash", "end\\", "a\tb\nc", 'a "bell"', '\\"x\\', '", "focused":1', "Flöte 🎸"]
)
def test_tracks_have_whatever_name_a_musician_gave_them(paths: PipePaths, tmp_path: Path, name: str) -> None:
    # As Audacity 3.2.4 tells it, which is not always JSON.
    told = name.replace('"', '\\"')
    text = f'[ \n  {{ "name":"{told}", "focused":1, "selected":0 }},\n  {{ "name":"Two", "focused":0 }} ]\n'
    with audacity(paths, say(text.encode() + OK)):
        tracks = Audacity(tmp_path, paths, answer_s=LONG_S).tracks()
    assert [track["name"] for track in tracks] == [name, "Two"]
    assert tracks[0]["focused"] == 1
