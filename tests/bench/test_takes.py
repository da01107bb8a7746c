"""What takes cost together, beside the same takes one after the other: generations of the starter."""

from __future__ import annotations

import pytest

from engine.models.bundle import load_bundle
from engine.models.store import model_folder
from engine.render import render
from engine.types import RenderSpec, SamplerSpec, Task
from tests.bench.conftest import BenchConfig
from tests.bench.report import Report, Row
from tests.bench.timing import in_turn

TAKES = 4


@pytest.mark.parametrize("seconds", [2.5, 10.0])
def test_four_takes(seconds: float, config: BenchConfig, report: Report) -> None:
    starter = load_bundle(model_folder("starter"), verify=False)
    sampler = SamplerSpec(steps=20)
    spec = RenderSpec(
        task=Task.GENERATE, prompt="church bell", duration_s=seconds, sampler=sampler, takes=TAKES
    )

    def rendered(*specs: RenderSpec) -> None:
        for one in specs:
            render(one, starter, None, lambda _: None, lambda: False)

    alone = [spec.alone(index).unbatched() for index in range(TAKES)]
    pair = in_turn(lambda: rendered(spec), lambda: rendered(*alone), max(1, config.rounds // 2))
    what = f"{TAKES} takes of {seconds:g} s in one batch, whole render; beside them, one by one"
    report.add(Row(what=what, ours=pair.ours_s, theirs=pair.theirs_s, unit="s", ratio=pair.ratio, goal=0.9))
