"""What it costs to run effects in a process of their own, and that a thousand bad takes leave nothing.

`make bench ARGS="tests/bench/test_fx_costs.py"`; the thousand take minutes.
"""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import psutil
import pytest

from engine.audio.io import AudioClip
from engine.chain_files import read_chain
from engine.chains import Chain, Effect
from engine.delivery import Delivery
from engine.finishing import Finisher
from engine.fx.host import ChainHost
from engine.fx.processing import Rack
from engine.fx.values import extra_samples
from engine.types import RenderSpec, Task
from tests.bench.report import Report, Row
from tests.bench.timing import in_turn
from tests.unit.odd_plugins import ZAM, OddPlugins
from tests.unit.sounds import RATE_HZ, noise

PRESETS = Path(__file__).parents[2] / "presets" / "fx"
ROUNDS, TAKES = 41, 1_000
CHAINS = {
    "old radio": read_chain(PRESETS / "old radio.toml"),
    "a room and a real plug-in": Chain(
        effects=(Effect(effect="reverb"), Effect(plugin=str(ZAM / "ZamCompX2.vst3")))
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_child_costs_at_most_a_fifth(report: Report, name: str) -> None:
    """Of 10 s of stereo through a chain that is loaded, as it is for every sound but the first."""
    chain, audio_NS = CHAINS[name], noise(2, 10.0)
    rack = Rack(chain)

    def in_process() -> None:
        room_NS = np.zeros((2, audio_NS.shape[1] + extra_samples(chain, RATE_HZ)), np.float32)
        room_NS[:, : audio_NS.shape[1]] = audio_NS
        result = rack.process(room_NS, audio_NS.shape[1], RATE_HZ)
        room_NS[:, : result.samples].copy()

    with ChainHost(chain) as host:
        pair = in_turn(lambda: host.process(audio_NS, RATE_HZ), in_process, ROUNDS)
    what = f"10 s through {name}, in a process of its own and in this one"
    row = Row(what=what, ours=pair.ours_s, theirs=pair.theirs_s, unit="s", ratio=pair.ratio, goal=1.2)
    report.add(row)


def test_a_thousand_takes_through_a_chain_that_crashes_in_a_fifth_of_them(
    report: Report, tmp_path: Path
) -> None:
    delivery = Delivery(chain=OddPlugins(tmp_path).chain("Dice"))
    spec = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=0.5, delivery=delivery)
    sound_NS = noise(2, 0.5)
    sound_NS[:, 10_000] = 1.2
    clip = AudioClip(audio_NS=sound_NS, sample_rate_hz=RATE_HZ, subtype="FLOAT")
    wet, dry, before, finisher = 0, 0, _state(), Finisher()
    for count in range(TAKES):
        finisher.begin(delivery, 2, RATE_HZ, lambda: False)
        take = finisher.finished(spec, clip, ((0, clip.length_samples),), lambda: False)
        assert take.clip.audio_NS.shape == sound_NS.shape
        wet, dry = wet + (take.dry is None), dry + (take.dry is not None)
        if count == TAKES // 10:
            early_bytes = psutil.Process().memory_info().rss
    late_bytes = psutil.Process().memory_info().rss
    finisher.close()
    assert wet + dry == TAKES
    assert TAKES / 8 < dry < TAKES / 3
    assert _state() == before
    report.add(Row(what="takes delivered with effects", ours=wet, unit="", note=f"{dry} dry, which say so"))
    grown_mb = (late_bytes - early_bytes) / 1e6
    report.add(Row(what="memory grown in 900 takes", ours=grown_mb, unit="MB", goal=10.0))


def _state() -> tuple[int, int, list[str]]:
    """Return how many children and descriptors this process has, and what lies where memory has names."""
    gc.collect()
    children = len(psutil.Process().children(recursive=True))
    shared = sorted(path.name for path in Path("/dev/shm").glob("*"))  # noqa: S108
    return children, psutil.Process().num_fds(), shared
