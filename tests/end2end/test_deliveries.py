"""Takes that come back through effects: what goes wrong in a plug-in ends no more than its own process."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import soundfile

from daw_bridge.client.finding import find_or_start
from daw_bridge.client.jobs import Client
from daw_bridge.history.history import History
from daw_bridge.jobs.state import Job, JobState
from daw_bridge.messages.connection import Ping
from daw_bridge.messages.jobs import Submit
from engine.chains import Chain, Effect
from engine.delivery import Delivery
from engine.spec_json import spec_to_json
from engine.types import RenderSpec, SamplerSpec, Task
from tests.end2end.homes import Home, kill, unfinished_files, wait_until
from tests.unit.odd_plugins import OddPlugins

QUIETER = Chain(name="quieter", effects=(Effect(effect="gain", parameters={"gain_db": -20.0}),))
SPEC = RenderSpec(
    task=Task.GENERATE, prompt="rain", duration_s=0.5, model="debug", sampler=SamplerSpec(steps=2), seed=3
)
PING_EVERY_S = 0.02


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> OddPlugins:
    return OddPlugins(tmp_path_factory.mktemp("plugins"))


@pytest.fixture
def served(home: Home) -> Home:
    find_or_start(home.folders)
    return home


class Pings:
    """Asks the service again and again whether it is there, from a thread of its own."""

    def __init__(self, home: Home) -> None:
        self.answered = 0
        self.failures: list[BaseException] = []
        self._client = Client(home.folders)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._client as client:
                while not self._ending.is_set():
                    client.ask(Ping(rid="-"))
                    self.answered += 1
                    time.sleep(PING_EVERY_S)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            self.failures.append(error)


def rendered(home: Home, client: Client, folder: Path, chain: Chain) -> Job:
    spec = replace(SPEC, delivery=Delivery(chain=chain))
    accepted = client.ask(Submit(rid="-", spec=spec_to_json(spec), folder=str(folder), stem="job"))

    def found() -> Job:
        with History.reader(home.folders.history) as history:
            return history.job(accepted.job_id)

    wait_until(lambda: found().state.is_terminal, "the end of a job")
    return found()


def test_whatever_a_plugin_does_the_take_comes_dry_and_the_next_one_wet(
    served: Home, plugins: OddPlugins, tmp_path: Path
) -> None:
    with Client(served.folders) as client, Pings(served) as pings:
        for kind in ("SegfaultProcess", "Truncated", "Silent"):
            job = rendered(served, client, tmp_path / "out", plugins.chain(kind))
            (take,) = job.takes
            assert (job.state, take.dry) == (JobState.FINISHED, "plugin_crash"), kind
            assert "delivered dry" in take.note and kind in take.note
            told = json.loads(Path(take.path).with_suffix(".json").read_text())["delivery"]
            assert not told["is_wet"] and told["dry_because"]["code"] == "plugin_crash"
        (good,) = rendered(served, client, tmp_path / "out", QUIETER).takes
    assert pings.failures == [] and pings.answered > 10
    assert (good.dry, good.note) == ("", "")
    dry_SN, wet_SN = (soundfile.read(path)[0] for path in (take.path, good.path))
    assert np.abs(wet_SN - dry_SN / 10).max() < 2.0**-15
    assert unfinished_files(tmp_path / "out") == []
    # The process of the last chain stays for the next take; nothing of the crashed ones does.
    hosts = [one for one in served.processes() if "host_process" in " ".join(one.cmdline())]
    assert len(hosts) <= 1
    kill(served.services()[0])
    served.wait_for_quiet()
