"""What becomes of jobs, and who is told: events, the queue, live control, takes and the history."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daw_bridge.jobs.queue import REPLACED
from daw_bridge.messages.answers import Progress
from daw_bridge.messages.connection import Notify
from daw_bridge.messages.events import (
    JobDoneEvent,
    JobFailEvent,
    JobPreviewEvent,
    JobProgressEvent,
    JobStateEvent,
    JobTakeEvent,
    TakeAppliedEvent,
)
from daw_bridge.messages.jobs import (
    Cancel,
    Generate,
    JobAck,
    JobInfo,
    JobList,
    JobMove,
    JobRetry,
    JobWatch,
    Submit,
    Transfer,
)
from daw_bridge.messages.live import (
    ParamGet,
    ParamListen,
    ParamSet,
    PresetLoad,
    PresetMorph,
    PresetSave,
    PromptMorph,
)
from daw_bridge.messages.service import EngineEnding, EnginePause, EngineResume, ModelList, ModelLoad
from daw_bridge.messages.takes import (
    HistoryDelete,
    HistorySearch,
    HistoryTidy,
    TakeApply,
    TakeList,
    TakeRate,
    TakeRecall,
)
from daw_bridge.service import app
from daw_bridge.service.applied import APPLIED
from engine.spec_json import spec_to_dict
from engine.types import ErrorCode, ErrorInfo, EventKind, Region, RenderSpec, Task
from tests.contract.services import QUIET_S, Client, Served, client_of, served, tcp_of, udp_of
from tests.contract.stub_worker import AUDIO, MODELS, THREADS

OOM = ErrorInfo(code=ErrorCode.OOM, message="no memory is left", hint="Take less.")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[Client]:
    with tcp_of(service) as connected:
        yield connected


@pytest.fixture(params=["udp", "slip"])
def either(service: Served, request: pytest.FixtureRequest) -> Iterator[Client]:
    with client_of(service, request.param) as connected:
        yield connected


def kinds(events: list[Any]) -> list[str]:
    """Return what happened, without what may be left out."""
    told = (event for event in events if not isinstance(event, JobProgressEvent))
    return [event.state if isinstance(event, JobStateEvent) else type(event).__name__ for event in told]


def held(service: Served, client: Client) -> str:
    """Let a job run and stand still; return its id."""
    service.hold()
    job_id = client.generate("the one that runs")
    client.next(lambda reply: isinstance(reply, JobStateEvent) and reply.state == "running")
    return job_id


def order(service: Served, client: Client, *jobs: str) -> list[str]:
    """Let all jobs run; return the prompts in the order in which they did."""
    service.release()
    for job_id in jobs:
        client.end_of(job_id)
    return service.prompts()


def info(client: Client, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.done(JobInfo(rid="-", job_id=job_id)).job
    return answer


def test_who_submits_is_told_all_without_asking_for_it(either: Client) -> None:
    job_id = either.generate(options={"takes": 2}, preview_every=1)
    either.end_of(job_id)
    previews = ["JobPreviewEvent"] * 4
    takes = ["JobTakeEvent"] * 2
    told = ["queued", "running", *previews, *takes, "finished", "JobDoneEvent"]
    assert kinds(either.events(job_id)) == told


def test_a_subscriber_is_told_of_the_jobs_of_others(either: Client, client: Client) -> None:
    either.subscribe()
    job_id = client.generate()
    either.end_of(job_id)
    assert kinds(either.events(job_id)) == ["queued", "running", "JobTakeEvent", "finished", "JobDoneEvent"]


def test_who_ends_the_subscription_is_told_of_its_own_jobs_alone(either: Client, client: Client) -> None:
    either.subscribe()
    either.done(ParamListen(rid="-", glob="*"))
    either.done(Notify(rid="-", on=False))
    client.done(ParamSet(rid="-", name="steps", value=77))
    theirs, own = client.generate(), either.generate()
    either.end_of(own)
    assert either.events(theirs) == [] and either.values("steps") == []


def test_the_numbers_of_events_have_no_gap(either: Client, service: Served) -> None:
    service.manner.steps = 20
    job_id = either.generate(options={"takes": 3}, preview_every=5)
    either.end_of(job_id)
    thin = JobProgressEvent | JobPreviewEvent
    numbers = [event.seq for event in either.events(job_id) if not isinstance(event, thin)]
    assert numbers == list(range(len(numbers)))
    for before, after in itertools.pairwise(either.events(job_id)):
        assert after.seq == before.seq + (not isinstance(after, thin))


def test_takes_are_told_with_all_that_is_known(client: Client) -> None:
    job_id = client.generate(options={"takes": 2, "seed": 7})
    end = client.end_of(job_id)
    takes = [event for event in client.events(job_id) if isinstance(event, JobTakeEvent)]
    assert [(take.index, take.seed) for take in takes] == [(0, 7), (1, 8)]
    assert all(Path(take.path).is_file() and take.length_samples == 32_000 for take in takes)
    assert isinstance(end, JobDoneEvent) and (end.takes, end.path) == (2, takes[0].path)
    assert json.loads(Path(end.recipe).read_text())["digest"] == takes[0].spec_digest


def test_previews_can_be_heard_while_the_job_runs(client: Client, service: Served) -> None:
    service.manner.steps = 4
    job_id = client.generate(preview_every=2)
    client.end_of(job_id)
    previews = [event for event in client.events(job_id) if isinstance(event, JobPreviewEvent)]
    assert [preview.step for preview in previews] == [2, 4]
    assert all(Path(preview.path).is_file() for preview in previews)


def test_progress_is_told_ten_times_a_second_at_most(either: Client, service: Served) -> None:
    service.manner.steps, service.manner.step_s = 100, 0.01
    begun_s = time.monotonic()
    job_id = either.generate()
    either.end_of(job_id)
    lasted_s = time.monotonic() - begun_s
    told = [event for event in either.events(job_id) if isinstance(event, JobProgressEvent)]
    assert 2 <= len(told) <= 10 * lasted_s + 1
    assert [event.fraction for event in told] == sorted(event.fraction for event in told)


def test_an_end_is_told_again_over_udp_until_it_is_acknowledged(service: Served) -> None:
    with udp_of(service) as lazy, udp_of(service) as polite, tcp_of(service) as safe:
        for client in (lazy, polite, safe):
            client.subscribe()
        job_id = lazy.generate()
        for client in (polite, safe):
            client.end_of(job_id)
            client.done(JobAck(rid="-", job_id=job_id))
        lazy.next(lambda reply: isinstance(reply, JobDoneEvent))
        lazy.next(lambda reply: isinstance(reply, JobDoneEvent))
        for client in (polite, safe):
            client.listen(QUIET_S)
            assert sum(isinstance(reply, JobDoneEvent) for reply in client.replies) == 1


def test_a_job_is_watched_by_whoever_knows_its_id(either: Client, client: Client, service: Served) -> None:
    job_id = held(service, client)
    either.done(JobWatch(rid="-", job_id=job_id))
    service.release()
    either.end_of(job_id)
    assert kinds(either.events(job_id)) == ["running", "JobTakeEvent", "finished", "JobDoneEvent"]


def test_who_watches_too_late_is_told_what_there_was(either: Client, client: Client) -> None:
    job_id = client.generate(options={"takes": 2})
    client.end_of(job_id)
    either.done(JobWatch(rid="-", job_id=job_id))
    assert either.end_of(job_id) == replace(client.end_of(job_id), seq=0)
    takes = [
        [one for one in each.events(job_id) if isinstance(one, JobTakeEvent)] for each in (either, client)
    ]
    assert takes[0] == [replace(take, seq=0) for take in takes[1]]
    assert kinds(either.events(job_id)) == ["finished", "JobTakeEvent", "JobTakeEvent", "JobDoneEvent"]


def test_who_watches_a_failed_job_is_told_why(either: Client, client: Client, service: Served) -> None:
    service.manner.fails_with = OOM
    job_id = client.generate()
    client.end_of(job_id)
    either.done(JobWatch(rid="-", job_id=job_id))
    end = either.end_of(job_id)
    assert isinstance(end, JobFailEvent) and (end.code, end.message) == (OOM.code, OOM.message)
    assert either.failed(JobWatch(rid="-", job_id="nobodys")).code is ErrorCode.NOT_FOUND


def test_parameters_are_told_to_those_who_listen(either: Client, client: Client) -> None:
    assert either.done(ParamListen(rid="-", glob="guidance*")).count == 4
    for name, value in (("steps", 5), ("guidance", 4.5), ("guidance_to", 0.25)):
        client.done(ParamSet(rid="-", name=name, value=value))
    either.next(lambda reply: getattr(reply, "value", None) == 0.25)
    assert either.values("guidance") == [4.5] and either.values("steps") == []
    either.done(ParamListen(rid="-", glob="guidance*", on=False))
    client.done(ParamSet(rid="-", name="guidance", value=9.5))
    either.listen(QUIET_S)
    assert either.values("guidance") == [4.5]


def test_parameters_and_presets_reach_the_next_job(client: Client, service: Served) -> None:
    client.done(ParamSet(rid="-", name="steps", value=11))
    client.done(ParamSet(rid="-", name="negative", value="hiss"))
    client.done(PresetSave(rid="-", name="mine"))
    client.done(ParamSet(rid="-", name="steps", value=99))
    client.done(PresetLoad(rid="-", name="mine"))
    spec = info(client, client.generate())["spec"]
    assert (spec["sampler"]["steps"], spec["negative"]) == (11, "hiss")


def test_presets_are_morphed_and_glide(client: Client) -> None:
    for name, steps in (("few", 10), ("many", 30)):
        client.done(ParamSet(rid="-", name="steps", value=steps))
        client.done(PresetSave(rid="-", name=name))
    client.done(PresetMorph(rid="-", name_a="few", name_b="many", position=0.5))
    assert info(client, client.generate())["spec"]["sampler"]["steps"] == 20
    client.done(ParamListen(rid="-", glob="steps"))
    client.done(PresetMorph(rid="-", name_a="few", name_b="many", position=1.0, glide_s=0.3))
    client.next(lambda reply: getattr(reply, "value", None) == 30)
    values = client.values("steps")
    assert len(values) > 2 and values == sorted(values, key=int)


def test_a_prompt_morph_reaches_the_next_job(client: Client) -> None:
    client.done(PromptMorph(rid="-", prompt_a="rain", prompt_b="wind", position=0.25))
    spec = info(client, client.generate(prompt=""))["spec"]
    assert spec["prompt"] == "rain"
    assert [(one["value"], round(one["weight"], 3)) for one in spec["conditions"]] == [("wind", 0.333)]
    client.done(ParamSet(rid="-", name="morph", value=1.0))
    assert info(client, client.generate(prompt=""))["spec"]["prompt"] == "wind"


def test_jobs_of_a_higher_priority_go_first(client: Client, service: Served) -> None:
    held(service, client)
    jobs = [client.generate(f"p{priority}", priority=priority) for priority in (0, -5, 5, 0)]
    assert order(service, client, *jobs)[1:] == ["p5", "p0", "p0", "p-5"]


def test_a_waiting_job_is_moved(client: Client, service: Served) -> None:
    held(service, client)
    jobs = [client.generate(name) for name in "abc"]
    assert client.done(JobMove(rid="-", job_id=jobs[2], position=0)).position == 0
    moved = [event for event in client.events(jobs[2]) if isinstance(event, JobStateEvent)]
    assert (moved[-1].state, moved[-1].position) == ("queued", 0)
    assert order(service, client, *jobs)[1:] == ["c", "a", "b"]


def test_a_paused_queue_starts_nothing_until_it_is_resumed(client: Client, service: Served) -> None:
    client.done(EnginePause(rid="-"))
    job_id = client.generate()
    client.listen(QUIET_S)
    assert service.worker.orders == [] and info(client, job_id)["state"] == "queued"
    client.done(EngineResume(rid="-"))
    assert isinstance(client.end_of(job_id), JobDoneEvent)


def test_a_job_that_runs_is_cancelled(either: Client, service: Served) -> None:
    job_id = held(service, either)
    assert either.done(Cancel(rid="-", target=job_id)).count == 1
    end = either.end_of(job_id)
    assert isinstance(end, JobFailEvent) and end.code is ErrorCode.CANCELLED
    assert either.states(job_id)[-1] == "cancelled"
    assert list(service.folders.takes.glob("*.wav")) == []
    assert either.done(Cancel(rid="-", target=job_id)).count == 0


@pytest.mark.parametrize(("target", "count"), [("*active", 1), ("*queued", 3), ("*", 4)])
def test_many_jobs_are_cancelled(target: str, count: int, client: Client, service: Served) -> None:
    running = held(service, client)
    waiting = [client.generate(name) for name in "abc"]
    assert client.done(Cancel(rid="-", target=target)).count == count
    stopped = {"*active": [running], "*queued": waiting, "*": [running, *waiting]}[target]
    service.release()
    for job_id in (running, *waiting):
        assert isinstance(client.end_of(job_id), JobFailEvent if job_id in stopped else JobDoneEvent)


def test_a_job_is_cancelled_that_the_worker_has_not_got_yet(client: Client, service: Served) -> None:
    """While a model is loaded, a job may have to wait for the device."""
    held(service, client)
    client.request(ModelLoad(rid="load", name="starter"))
    job_id = client.generate("not wanted")
    client.done(Cancel(rid="-", target=job_id))
    service.release()
    assert isinstance(client.end_of(job_id), JobFailEvent)
    client.answer("load")
    assert [order.op for order in service.worker.orders] == ["render", "load"]


def test_who_waits_for_a_model_is_told_what_for(client: Client, service: Served) -> None:
    held(service, client)
    client.request(ModelLoad(rid="load", name="starter"))
    assert client.next(lambda reply: isinstance(reply, Progress)) == Progress(
        rid="load", request="model/load", stage="waiting"
    )
    service.release()
    assert client.next(lambda reply: isinstance(reply, Progress)).stage == "load"
    assert client.answer("load").request == "model/load"


def test_a_job_done_again_gives_only_new_takes(client: Client) -> None:
    jobs = [client.generate(options={"seed": 40, "takes": 3})]
    for _ in range(2):
        client.end_of(jobs[-1])
        jobs.append(client.done(JobRetry(rid="-", job_id=jobs[-1])).job_id)
    client.end_of(jobs[-1])
    seeds = [take["seed"] for job_id in jobs for take in info(client, job_id)["takes"]]
    assert seeds == list(range(40, 49))


def test_the_same_take_is_calculated_again_with_as_many_threads(client: Client) -> None:
    first = client.generate(options={"seed": 40})
    client.end_of(first)
    told = info(client, first)
    assert told["threads"] == THREADS
    spec = json.dumps(told["spec"])
    once_more = client.done(Submit(rid="-", spec=spec, threads=7)).job_id
    client.end_of(once_more)
    repeated = client.done(JobRetry(rid="-", job_id=once_more, seed_step=0)).job_id
    other = client.done(JobRetry(rid="-", job_id=once_more)).job_id
    client.end_of(other)
    assert [info(client, job_id)["threads"] for job_id in (once_more, repeated, other)] == [7, 7, THREADS]


def test_the_disk_budget_is_kept_after_each_job_but_not_in_folders_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TIDY_PAUSE_S", 0.0)
    with served(tmp_path, disk_budget_bytes=1) as service, tcp_of(service) as client:
        mine = client.generate("mine", folder=str(tmp_path / "mine"))
        first, last = client.generate("a"), client.generate("b")
        client.end_of(last)

        def takes(job_id: str) -> list[str]:
            return [one.file.value for one in service.service.book.history.takes(job_id)]

        service.until(lambda: takes(first) == ["removed"])
        assert service.call(lambda: (takes(mine), takes(last))) == (["present"], ["present"])
        assert client.done(HistoryTidy(rid="-", max_bytes=0)).takes == 0
        assert client.done(HistoryTidy(rid="-", max_bytes=0, everywhere=True)).takes == 1
        assert service.call(lambda: (takes(mine), takes(last))) == (["removed"], ["present"])


def test_the_models_of_a_fresh_installation_fit_a_packet(service: Served) -> None:
    with udp_of(service) as client:
        told = client.done(ModelList(rid="-"))
        assert told.count == len(MODELS) and told.models["starter"]["installed"] is True
        assert list(client.done(ModelList(rid="-", limit=2, offset=6)).models) == ["audioldm-5-full"]


def test_a_job_is_done_again_with_another_seed(client: Client) -> None:
    first = client.generate(options={"seed": 40})
    client.end_of(first)
    again = client.done(JobRetry(rid="-", job_id=first, seed_step=2)).job_id
    client.end_of(again)
    told = info(client, again)
    assert (told["spec"]["seed"], told["parent"]) == (42, first)
    assert told["takes"][0]["path"] != info(client, first)["takes"][0]["path"]


def test_a_job_in_a_slot_replaces_the_one_that_waits_and_its_owner_is_told(service: Served) -> None:
    with udp_of(service) as knob, tcp_of(service) as other:
        held(service, other)
        first = knob.generate("first", slot="pad")
        second = other.generate("second", slot="pad")
        end = knob.end_of(first)
        assert isinstance(end, JobFailEvent) and end.message == REPLACED.message
        assert knob.states(first) == ["queued", "cancelled"]
        assert order(service, other, second)[1:] == ["second"]


def test_a_failed_job_tells_why_and_the_next_one_runs(either: Client, service: Served) -> None:
    service.manner.fails_with = OOM
    job_id = either.generate()
    end = either.end_of(job_id)
    assert isinstance(end, JobFailEvent)
    assert (end.code, end.message, end.hint) == (OOM.code, OOM.message, OOM.hint)
    assert info(either, job_id)["error"]["code"] == "oom"
    service.manner.fails_with = None
    assert isinstance(either.end_of(either.generate()), JobDoneEvent)


def test_a_worker_that_dies_takes_its_job_along_and_no_other(client: Client, service: Served) -> None:
    running = held(service, client)
    waiting = client.generate()
    service.call(lambda: service.worker.kill(ErrorCode.TIMEOUT))
    service.release()
    assert client.end_of(running).code is ErrorCode.TIMEOUT  # type: ignore[union-attr]
    assert isinstance(client.end_of(waiting), JobDoneEvent)


@pytest.mark.expects_log
def test_a_worker_that_talks_nonsense_fails_its_job_and_no_other(client: Client, service: Served) -> None:
    service.hold()
    job_id = client.generate()
    service.until(lambda: len(service.worker.orders) == 1)
    service.call(lambda: service.worker._tell(job_id, EventKind.TAKE, {"path": "/a.wav"}))
    end = client.end_of(job_id)
    assert isinstance(end, JobFailEvent) and end.code is ErrorCode.INTERNAL
    service.release()
    assert isinstance(client.end_of(client.generate()), JobDoneEvent)


def test_jobs_are_listed_newest_first_in_pages(client: Client) -> None:
    jobs = [client.generate(name) for name in "abcde"]
    for job_id in jobs:
        client.end_of(job_id)
    pages = [client.done(JobList(rid="-", limit=2, offset=offset)).jobs["jobs"] for offset in (0, 2, 4, 6)]
    assert [[job["id"] for job in page] for page in pages] == [
        [jobs[4], jobs[3]],
        [jobs[2], jobs[1]],
        [jobs[0]],
        [],
    ]


def test_jobs_of_one_state_are_listed_with_where_they_stand(client: Client, service: Served) -> None:
    first = client.generate("first")
    client.end_of(first)
    running = held(service, client)
    waiting = [client.generate(prompt, priority=priority) for prompt, priority in (("a", 0), ("b", 1))]

    def listed(**which: Any) -> list[dict[str, Any]]:
        return client.done(JobList(rid="-", **which)).jobs["jobs"]

    assert [(one["id"], one["position"]) for one in listed(state="queued")] == [
        (waiting[1], 0),
        (waiting[0], 1),
    ]
    (found,) = listed(state="running")
    assert found["id"] == running and {"eta_s", "fraction"} <= found.keys()
    (ended,) = listed(state="finished")
    assert ended["id"] == first and "position" not in ended
    newest = listed(limit=2)
    assert [one["id"] for one in listed(before=newest[-1]["seq"])] == [running, first]


def test_past_jobs_are_found_by_task_and_favourites(client: Client, service: Served) -> None:
    source = service.folders.state / "loop.wav"
    source.write_bytes(AUDIO)
    edited = transferred(client, source)
    made = client.generate("warm rain")
    for job_id in (edited, made):
        client.end_of(job_id)
    client.done(TakeRate(rid="-", job_id=made, index=0, rating=1))

    def found(**which: Any) -> list[str]:
        return [one["id"] for one in client.done(HistorySearch(rid="-", text="", **which)).jobs["jobs"]]

    assert found(task="transfer") == [edited]
    assert found(favourites=True) == [made]
    assert found(favourites=True, task="transfer") == []


def test_a_job_tells_which_take_it_began_with(client: Client, service: Served) -> None:
    source = service.folders.state / "loop.wav"
    source.write_bytes(AUDIO)
    first = transferred(client, source)
    client.end_of(first)
    (take,) = client.done(TakeList(rid="-", job_id=first)).takes["takes"]
    second = transferred(client, Path(take["path"]))
    client.end_of(second)
    again = client.done(JobRetry(rid="-", job_id=second)).job_id
    client.end_of(again)
    told = {one["id"]: one for one in client.done(HistorySearch(rid="-", text="")).jobs["jobs"]}
    assert [(told[job]["of_job"], told[job]["of_take"]) for job in (first, second, again)] == [
        ("", 0),
        (first, 1),
        (first, 1),
    ]


def test_a_take_that_is_used_is_told_to_those_who_are_told_of_all_jobs(
    either: Client, client: Client, service: Served
) -> None:
    job_id = either.generate("warm rain", options={"takes": 2})
    either.end_of(job_id)
    either.subscribe()
    used = client.done(TakeApply(rid="-", job_id=job_id, index=1, target={"track": "Pads"}))
    told = either.next(lambda reply: isinstance(reply, TakeAppliedEvent))
    assert (told.job_id, told.index, told.path) == (job_id, 1, used.path)
    assert told.target == {"track": "Pads"}
    client.done(TakeApply(rid="-", job_id=job_id, index=0))
    noted = [line.split("\t") for line in (service.folders.errands / APPLIED).read_text().splitlines()]
    assert [(number, job, index) for number, job, index, _ in noted] == [
        ("1", job_id, "1"),
        ("2", job_id, "0"),
    ]
    assert noted[0][3] == used.path
    client.drain()
    assert not any(isinstance(reply, TakeAppliedEvent) for reply in client.replies)


def test_a_job_is_told_of_while_it_waits_runs_and_after(client: Client, service: Served) -> None:
    running = held(service, client)
    waiting = client.generate("later")
    assert info(client, running)["state"] == "running" and info(client, running)["eta_s"] >= 0
    told = info(client, waiting)
    assert (told["state"], told["position"], told["spec"]["prompt"]) == ("queued", 0, "later")
    order(service, client, running, waiting)
    told = info(client, waiting)
    assert told["state"] == "finished" and told["started_s"] <= told["ended_s"] and len(told["takes"]) == 1


def test_past_jobs_are_found_by_words_and_deleted(client: Client) -> None:
    rain, wind = (client.generate(prompt) for prompt in ("warm rain", "cold wind"))
    client.end_of(rain)
    client.end_of(wind)
    found = client.done(HistorySearch(rid="-", text="RAIN warm"))
    assert [job["id"] for job in found.jobs["jobs"]] == [rain]
    path = Path(info(client, rain)["takes"][0]["path"])
    assert client.done(HistoryDelete(rid="-", job_id=rain)).takes == 1
    assert not path.exists() and not path.with_suffix(".json").exists()
    assert client.failed(JobInfo(rid="-", job_id=rain)).code is ErrorCode.NOT_FOUND
    assert client.done(HistorySearch(rid="-", text="rain")).count == 0


def test_a_job_that_waits_is_not_deleted(client: Client, service: Served) -> None:
    job_id = held(service, client)
    assert client.failed(HistoryDelete(rid="-", job_id=job_id)).code is ErrorCode.BAD_ARGS


def test_old_takes_make_room_but_those_that_are_wanted(client: Client) -> None:
    jobs = [client.generate(name) for name in "abcd"]
    for job_id in jobs:
        client.end_of(job_id)
    client.done(TakeRate(rid="-", job_id=jobs[0], index=0, rating=1))
    client.done(TakeApply(rid="-", job_id=jobs[1], index=0, target={"track": "Pads"}))
    assert client.done(HistoryTidy(rid="-", max_bytes=0)).takes == 1
    takes = [client.done(TakeList(rid="-", job_id=job_id)).takes["takes"][0] for job_id in jobs]
    assert [take["file"] for take in takes] == ["present", "present", "removed", "present"]
    assert takes[0]["rating"] == 1 and takes[1]["favourite"]
    gone = client.failed(TakeApply(rid="-", job_id=jobs[2], index=0))
    assert gone.code is ErrorCode.IO_MISSING


def test_a_take_is_recalled_with_all_that_it_was_made_with(client: Client) -> None:
    job_id = client.generate(options={"takes": 3, "seed": 5, "sampler": {"steps": 13}})
    client.end_of(job_id)
    recalled = client.done(TakeRecall(rid="-", job_id=job_id, index=2)).spec
    assert (recalled["seed"], recalled["takes"], recalled["prompt"]) == (7, 1, "warm rain")
    assert client.done(ParamGet(rid="-", name="steps")).value == 13
    again = client.done(Submit(rid="-", spec=json.dumps(recalled))).job_id
    client.end_of(again)
    assert info(client, again)["spec"] == recalled
    no_take = client.failed(TakeRecall(rid="-", job_id=job_id, index=3))
    assert no_take.code is ErrorCode.NOT_FOUND


def test_prompts_of_the_users_list_are_refused_and_a_change_counts_at_once(
    client: Client, service: Served
) -> None:
    job_id = client.generate("an old friend's voice")
    client.end_of(job_id)
    listed = service.folders.refused_prompts
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("# mine\nfriend* voice\nwww\n", encoding="utf-8")
    for prompt in (
        "my FRIEND\N{RIGHT SINGLE QUOTATION MARK}S  voice",
        "fr\N{ZERO WIDTH SPACE}iend_voice",
        "www",
    ):
        refused = client.failed(Generate(rid="-", prompt=prompt, seconds=1.0))
        assert refused.code is ErrorCode.REFUSED and str(listed) in refused.hint
    assert client.failed(JobRetry(rid="-", job_id=job_id)).code is ErrorCode.REFUSED
    client.done(PromptMorph(rid="-", prompt_a="rain", prompt_b="friends voice", position=0.5))
    assert client.failed(Generate(rid="-", prompt="", seconds=1.0)).code is ErrorCode.REFUSED
    client.generate("a friend has a voice")
    listed.write_text("# nothing any more\n", encoding="utf-8")
    client.generate("my friend's voice")


def test_without_a_list_of_the_user_the_programs_own_counts(client: Client) -> None:
    refused = client.failed(Generate(rid="-", prompt="a deepfake of a singer", seconds=1.0))
    assert refused.code is ErrorCode.REFUSED


def test_work_goes_on_where_the_last_service_left_it(tmp_path: Path) -> None:
    with served(tmp_path) as service, tcp_of(service) as client:
        running = held(service, client)
        waiting = [client.generate(name) for name in "ab"]
    with served(tmp_path) as service, tcp_of(service) as client:
        client.subscribe()
        for job_id in (running, *waiting):
            service.until(partial(_has_ended, service, job_id))
        assert service.prompts() == ["the one that runs", "a", "b"]


def _has_ended(service: Served, job_id: str) -> bool:
    return service.service.book.history.state(job_id).is_terminal


def test_a_service_that_ends_on_purpose_tells_who_listens(tmp_path: Path) -> None:
    with served(tmp_path) as service, tcp_of(service) as listener, udp_of(service) as other:
        listener.subscribe()
        other.subscribe()
        held(service, listener)
        listener.generate("the one that waits")
        service.call(lambda: (service.service.end(), service.service.end()))
        for client in (listener, other):
            told = client.next(lambda reply: isinstance(reply, EngineEnding))
            assert told.unfinished == 2
        assert [reply for reply in listener.replies if isinstance(reply, EngineEnding)] == [told]


def transferred(client: Client, path: Path) -> str:
    return str(client.done(Transfer(rid="-", path=str(path), prompt="a harp", strength=0.5)).job_id)


def edit(service: Served, client: Client, path: Path) -> str:
    """Submit an edit of a file behind a job that stands still; return its id."""
    path.write_bytes(b"a loop")
    held(service, client)
    accepted = client.done(Transfer(rid="-", path=str(path), prompt="a harp", strength=0.5))
    return str(accepted.job_id)


@pytest.mark.parametrize("content", [b"another", b"a l00p"], ids=["longer", "of the same length"])
def test_an_input_that_was_exchanged_while_its_job_waited_is_told(
    service: Served, client: Client, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "loop.wav"
    job_id = edit(service, client, path)
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    service.release()
    end = client.end_of(job_id)
    assert isinstance(end, JobFailEvent)
    assert (end.code, end.hint) == (ErrorCode.IO_FORMAT, "Submit it again to use it as it is.")
    assert f"{path} has changed since the job was accepted" in end.message
    assert service.prompts() == ["the one that runs"]
    again = client.done(JobRetry(rid="-", job_id=job_id))
    assert isinstance(client.end_of(again.job_id), JobDoneEvent)


def test_an_input_that_stays_as_it_is_is_used_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    with served(tmp_path) as service, tcp_of(service) as client:
        job_id = edit(service, client, path)
    with served(tmp_path) as service, tcp_of(service) as client:
        while info(client, job_id)["state"] != "finished":
            client.listen(QUIET_S)


def test_a_name_that_neither_osc_nor_a_file_library_can_say_is_refused(client: Client) -> None:
    content = spec_to_dict(
        RenderSpec(task=Task.TRANSFER, prompt="a harp", region=Region(path="/caf\udce9.wav"))
    )
    refused = client.failed(Submit(rid="-", spec=json.dumps(content)))
    assert (refused.code, refused.hint) == (ErrorCode.PATH_DENIED, "Rename it.")
    assert "is not UTF-8 text" in refused.message
