"""Surfaces that send a number or nothing: what each press does, and what they are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daw_bridge.jobs.state import Job, JobState
from daw_bridge.live.knobs import value_at
from daw_bridge.messages.answers import Accepted, Done, Fail
from daw_bridge.messages.arguments import OscValue
from daw_bridge.messages.base import ANEW
from daw_bridge.messages.jobs import Generate
from daw_bridge.messages.live import ParamSet, ParamValue, PresetLoad, PresetSave
from daw_bridge.messages.parameters import KNOBS, PARAMETERS
from daw_bridge.messages.surfaces import KnobPosition, NowProgress, NowText
from engine.types import ErrorCode
from tests.contract.services import QUIET_S, Client, Served, UdpClient, served, udp_of


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


@pytest.fixture
def surface(service: Served) -> Iterator[UdpClient]:
    with udp_of(service) as connected:
        connected.done(ParamSet(rid="-", name="prompt", value="warm rain"))
        connected.done(ParamSet(rid="-", name="takes", value=3))
        yield connected


def press(surface: Client, action: str, *args: OscValue) -> str:
    """Press and return what the label shows then."""
    surface.send(f"/ldm/1/press/{action}", *args)
    answer = surface.next(lambda reply: isinstance(reply, NowText | Fail))
    assert isinstance(answer, NowText), answer
    return answer.text


def refused(surface: Client, action: str) -> Fail:
    surface.send(f"/ldm/1/press/{action}")
    answer = surface.next(lambda reply: isinstance(reply, NowText | Fail))
    assert isinstance(answer, Fail), answer
    return answer


def finished(service: Served, count: int) -> None:
    """Wait until so many jobs are done."""
    history = service.service.book.history
    service.until(lambda: len(history.entries(state=JobState.FINISHED)) == count)


def jobs_of(service: Served) -> list[Job]:
    """Return all jobs, the newest first."""
    history = service.service.book.history
    return service.call(lambda: [history.job(entry.id) for entry in history.entries()])


def made(service: Served, surface: Client) -> None:
    """Let one job be done by a press."""
    press(surface, "generate")
    finished(service, 1)


def test_each_press_makes_a_sound_and_letting_go_makes_none(service: Served, surface: UdpClient) -> None:
    for pressed in ((), (1.0,), (1,), (127,)):
        assert press(surface, "generate", *pressed) == "queued: warm rain"
        surface.send("/ldm/1/press/generate", 0.0)
    finished(service, 4)
    assert service.prompts() == ["warm rain"] * 4
    surface.listen(QUIET_S)
    assert not [reply for reply in surface.replies if isinstance(reply, Fail)]


def test_takes_are_stepped_through_and_end_where_they_began(service: Served, surface: UdpClient) -> None:
    made(service, surface)
    told = [press(surface, "next") for _ in range(3)]
    assert told == [f"take {number} of 3: warm rain" for number in (2, 3, 1)]
    assert press(surface, "previous") == "take 3 of 3: warm rain"


def test_a_job_that_is_done_brings_its_best_take(service: Served, surface: UdpClient) -> None:
    made(service, surface)
    press(surface, "next")
    press(surface, "again")
    finished(service, 2)
    assert press(surface, "next") == "take 2 of 3: warm rain"


def test_again_takes_other_seeds(service: Served, surface: UdpClient) -> None:
    made(service, surface)
    assert press(surface, "again") == "queued: warm rain"
    finished(service, 2)
    again, first = jobs_of(service)
    assert again.spec.seed == first.spec.seed + 3


def test_the_current_take_is_made_into_something_else(service: Served, surface: UdpClient) -> None:
    made(service, surface)
    press(surface, "next")
    surface.done(ParamSet(rid="-", name="strength", value=0.25))
    press(surface, "transfer", 1.0)
    finished(service, 2)
    transfer, first = jobs_of(service)
    assert transfer.spec.region is not None
    assert transfer.spec.region.path == first.takes[1].path
    assert transfer.spec.sampler.strength == 0.25


def test_takes_are_kept_and_dropped(service: Served, surface: UdpClient) -> None:
    made(service, surface)
    assert press(surface, "keep") == "kept: take 1 of 3: warm rain"
    press(surface, "next")
    assert press(surface, "drop") == "dropped: take 2 of 3: warm rain"
    (job,) = jobs_of(service)
    takes = service.call(lambda: service.service.book.history.takes(job.id))
    assert [(take.rating, take.is_favourite) for take in takes] == [(1, True), (-1, False), (0, False)]


def test_recall_brings_the_parameters_of_the_take_back(service: Served, surface: UdpClient) -> None:
    made(service, surface)
    surface.done(ParamSet(rid="-", name="prompt", value="a bell"))
    press(surface, "recall")
    assert service.call(lambda: service.service.board.get("prompt")) == "warm rain"


def test_cancel_stops_all_jobs(service: Served, surface: UdpClient) -> None:
    service.hold()
    press(surface, "generate")
    press(surface, "generate")
    assert press(surface, "cancel") == "cancelled: 2"
    service.release()
    service.until(lambda: not service.service.book.queue.active)


@pytest.mark.parametrize(
    "action", ["transfer", "again", "play", "next", "keep", "recall", "source", "take", "difference"]
)
def test_before_the_first_take_a_press_says_what_to_do(surface: UdpClient, action: str) -> None:
    fail = refused(surface, action)
    assert (fail.rid, fail.code) == ("", ErrorCode.NOT_FOUND)
    assert "press/generate" in fail.hint


@pytest.mark.parametrize("action", ["source", "take", "difference"])
def test_what_was_made_from_words_has_no_source(service: Served, surface: UdpClient, action: str) -> None:
    made(service, surface)
    assert "made from words alone" in refused(surface, action).message


def test_a_knob_turns_a_parameter_between_its_ends(service: Served, surface: UdpClient) -> None:
    for name, position, value in (("guidance", 0.25, 2.5), ("steps", 1.0, 100), ("editor", 0.5, "invert")):
        surface.send(f"/ldm/1/knob/{name}", position)
        told = surface.next(lambda reply: isinstance(reply, KnobPosition))
        assert told.name == name
        assert value_at(name, told.position) == value
        assert service.call(lambda name=name: service.service.board.get(name)) == value  # type: ignore[misc]


def test_a_knob_of_a_parameter_that_has_none_is_refused(surface: UdpClient) -> None:
    surface.send("/ldm/1/knob/prompt", 0.5)
    assert surface.next(lambda reply: isinstance(reply, Fail)).code is ErrorCode.BAD_ARGS


def test_who_follows_is_told_all_parameters_and_what_goes_on(service: Served, surface: UdpClient) -> None:
    with udp_of(service) as display:
        surface.send("/ldm/1/follow", display.port)
        display.next(lambda reply: isinstance(reply, NowText) and reply.text == "no takes yet")
        assert {one.name for one in display.replies if isinstance(one, ParamValue)} == set(PARAMETERS)
        assert {one.name for one in display.replies if isinstance(one, KnobPosition)} == set(KNOBS)
        display.forget()
        surface.send("/ldm/1/param/strength", 0.125)
        changed = display.next(lambda reply: isinstance(reply, ParamValue))
        assert (changed.name, changed.value) == ("strength", 0.125)
        turned = display.next(lambda reply: isinstance(reply, KnobPosition))
        assert (turned.name, turned.position) == ("strength", 0.125)
        surface.send("/ldm/1/press/generate", 1.0)
        texts = [told_text(display) for _ in range(4)]
        assert sorted(texts) == sorted(
            ["queued: warm rain"] * 2 + ["running: warm rain", "take 1 of 3: warm rain"]
        )
        progress = [reply.fraction for reply in display.replies if isinstance(reply, NowProgress)]
        assert progress == sorted(progress)
        assert progress[-1] == 1.0


def told_text(display: Client) -> str:
    told: NowText = display.next(lambda reply: isinstance(reply, NowText))
    return told.text


@pytest.mark.parametrize("port", [(), (0,), (1,), (1.0,)])
def test_a_plain_button_follows_at_the_port_that_it_sends_from(
    surface: UdpClient, port: tuple[OscValue, ...]
) -> None:
    surface.send("/ldm/1/follow", *port)
    assert surface.next(lambda reply: isinstance(reply, NowText)).text == "no takes yet"


def test_those_who_do_not_follow_are_told_nothing_more_than_before(
    service: Served, surface: UdpClient
) -> None:
    with udp_of(service) as other:
        other.subscribe()
        made(service, surface)
        other.listen(QUIET_S)
        assert not [reply for reply in other.replies if isinstance(reply, NowText | NowProgress)]


def test_a_controller_with_one_rid_is_obeyed_each_time(service: Served, surface: UdpClient) -> None:
    surface.done(PresetSave(rid="-", name="soft"))
    for value in (0.9, 0.8):
        surface.send("/ldm/1/param/strength", value)
        assert isinstance(surface.ask(PresetLoad(rid=ANEW, name="soft")), Done)
    assert service.call(lambda: service.service.board.get("strength")) != pytest.approx(0.8)
    jobs = [surface.ask(Generate(rid=ANEW, prompt="", seconds=1.0)) for _ in range(2)]
    assert all(isinstance(answer, Accepted) for answer in jobs)
    assert jobs[0].job_id != jobs[1].job_id


def test_a_surface_elsewhere_says_the_token_once(tmp_path: Path) -> None:
    with served(tmp_path, token="open sesame") as service, udp_of(service) as surface:
        surface.send("/ldm/1/press/generate", 1.0)
        assert surface.next(lambda reply: isinstance(reply, Fail)).code is ErrorCode.AUTH
        surface.send("/ldm/1/hello", ANEW, "touchosc", 1, "open sesame")
        surface.send("/ldm/1/follow", 1.0)
        assert surface.next(lambda reply: isinstance(reply, NowText)).text == "no takes yet"
