from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.batches import calls, groups
from engine.diffusion.noise import SeededNoise, StackedNoise
from engine.types import BATCH_TAKES, MAX_TAKES, Region, RenderSpec, Task

SPEC = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=1.0, seed=2**63 - 3)


@given(
    takes=st.integers(1, MAX_TAKES), most=st.integers(1, BATCH_TAKES), variation=st.sampled_from([0.0, 0.5])
)
def test_every_take_is_sampled_once_and_in_the_same_call_as_alone(
    takes: int, most: int, variation: float
) -> None:
    spec, seen = replace(SPEC, takes=takes, variation=variation), []
    for group in groups(spec):
        for call in calls(group.takes, most):
            assert len(call.rows) <= most
            for index, row in call.wanted:
                own = group.takes[index]
                assert own == spec.alone(group.first + index) == call.rows[row]
                (alone,) = calls([own], most)
                assert alone.rows == call.rows and alone.wanted == ((0, row),)
                seen.append(group.first + index)
    assert seen == list(range(takes))


def test_takes_of_a_sweep_have_calls_of_their_own() -> None:
    spec = replace(SPEC, task=Task.TRANSFER, region=Region(path="x.wav"), sweep=(0.1, 0.5, 0.9))
    found = list(groups(spec))
    assert [group.first for group in found] == [0, 1, 2]
    assert [calls(group.takes, 8)[0].rows for group in found] == [(spec.alone(index),) for index in range(3)]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"batch": 9}, "batch must be from 1 to 8, got 9"),
        ({"batch": 2, "row": 2}, "row must be from 0 to 1, got 2"),
        ({"batch": 2, "takes": 2}, "not for several takes"),
    ],
)
def test_a_row_outside_its_batch_is_refused(changes: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(SPEC, **changes)


def test_stacked_noise_is_that_of_each_source() -> None:
    shape = (2, 4, 8, 2)
    stacked = StackedNoise([SeededNoise(seed, shape, shared=True) for seed in (3, 4)])
    alone = [SeededNoise(seed, shape, shared=True) for seed in (3, 4)]
    for _ in range(2):
        assert torch.equal(stacked.initial(), torch.cat([one.initial() for one in alone]))
        assert torch.equal(stacked.step(), torch.cat([one.step() for one in alone]))
