"""What is measured of words turned into effects, and the page that tells it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from engine.chains import Chain, Effect
from engine.evaluation import text_to_effect
from engine.evaluation.effect_clips import centroid_hz, late_db
from engine.evaluation.effect_rows import (
    EVOLUTION,
    GROUPS,
    RANDOM,
    RANDOM_TIME,
    SEARCHES,
    SIMILARITY,
    Row,
    rows_of,
)
from engine.evaluation.effect_tables import page
from engine.models.bundle import Bundle

RATE_HZ = 16_000


def row(clip: str, prompt: str, way: str, after: float) -> Row:
    return Row(
        clip=clip, prompt=prompt, way=way, before=0.1, after=after, disturbed_before=0.1, disturbed_after=0.2,
        likeness=0.5, loudness_change_lu=-0.25, octaves=1.0, late_db=-10.0, effects=3, evaluations=120,
        seconds=2.0,
    )  # fmt: skip


def rows() -> list[Row]:
    ways = {SIMILARITY: 0.6, EVOLUTION: 0.5, RANDOM: 0.3, RANDOM_TIME: 0.4}
    return [
        row(clip, prompt, way, after)
        for clip in ("one", "two")
        for prompt in ("bright", "distant", "warm")
        for way, after in ways.items()
    ]


def test_twenty_prompts_are_asked() -> None:
    prompts = [prompt for group in GROUPS.values() for prompt in group]
    assert len(set(prompts)) == len(prompts) == 20


def test_the_page_has_means_and_wins() -> None:
    text = page(rows())
    assert "| gradient | 0.10 | 0.60 | 0.50 |" in text
    assert "| gradient - random, equal time | 0.20 | 6 of 6 |" in text
    assert "greatest of all is 0.25 LU" in text
    assert "| gradient | 0.50 | 0.50 | 1.00 | 2 of 2 |" in text


def test_an_interval_is_that_of_students_t() -> None:
    spread = [row(f"clip {index}", "bright", SIMILARITY, 0.1 * index) for index in range(5)]
    # 2.776 is Student's t for four degrees of freedom at 95 %; the deviation is 0.1581.
    assert "| 0.10 | 0.20 ± 0.20 |" in page(spread)


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert rows_of(path) == []
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in rows()))
    assert rows_of(path) == rows()


@pytest.mark.parametrize("hz", [500.0, 3000.0])
def test_the_centroid_of_a_tone_is_its_frequency(hz: float) -> None:
    tone_NS = np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)[None].astype(np.float32)
    assert centroid_hz(tone_NS, RATE_HZ) == pytest.approx(hz, rel=0.05)


def test_reverberation_is_late() -> None:
    wet = Effect(effect="reverb", parameters={"wet_level": 0.5, "room_size": 0.9})
    delay = Effect(effect="delay", parameters={"delay_seconds": 0.5, "mix": 0.5, "feedback": 0.0})
    assert late_db(Chain(effects=()), RATE_HZ) < -100.0
    assert late_db(Chain(effects=(wet,)), RATE_HZ) > -10.0
    assert late_db(Chain(effects=(delay,)), RATE_HZ) == pytest.approx(-3.0, abs=0.1)


def test_measuring_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None, starter: Bundle
) -> None:
    quick = {way: replace(search, evaluations=40) for way, search in SEARCHES.items()}
    monkeypatch.setattr(text_to_effect, "SEARCHES", quick)
    monkeypatch.setattr(text_to_effect, "GROUPS", {"not taught": ("warm",)})
    rng = np.random.default_rng(0)
    clips = {"noise": ((0.1 * rng.standard_normal((1, RATE_HZ // 2))).astype(np.float32), RATE_HZ)}
    path = tmp_path / "rows.jsonl"
    text_to_effect.measure(starter, clips, path, [])
    measured = path.read_text()
    assert [one.way for one in rows_of(path)] == [SIMILARITY, EVOLUTION, RANDOM, RANDOM_TIME]
    assert all(one.loudness_change_lu == pytest.approx(0.0, abs=1.0) for one in rows_of(path))
    without_evolution = [line for line in measured.splitlines(keepends=True) if EVOLUTION not in line]
    path.write_text("".join(without_evolution))
    text_to_effect.measure(starter, clips, path, [])
    assert [one.way for one in rows_of(path)] == [SIMILARITY, RANDOM, RANDOM_TIME, EVOLUTION]
