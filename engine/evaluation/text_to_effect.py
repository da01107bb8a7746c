"""Words to effects, measured: how much nearer chains bring clips to prompts, beside random search.

`python -m engine.evaluation.text_to_effect rows.jsonl docs/results/text_to_effect.md` goes on where it
stopped, and takes about an hour on one core. N channels, S samples.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import numpy as np

from engine.evaluation.effect_clips import Clips, centroid_hz, clips_for_effects, late_db
from engine.evaluation.effect_rows import (
    BOTH,
    DESCRIBED,
    DIRECTION,
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
from engine.fx.text_to_effect.finding import EffectSearch, FoundEffects, Method, find_effects
from engine.fx.text_to_effect.judge import heard
from engine.fx.text_to_effect.rendering import render_here
from engine.fx.text_to_effect.wish import Aim
from engine.models.bundle import Bundle, load_bundle
from engine.models.store import STARTER, model_folder

_OTHER_LEVEL, _SHIFT_S = 0.5, 0.13


def measure(bundle: Bundle, clips: Clips, rows_path: Path, only: Sequence[str]) -> None:
    """Append the rows that are not there yet."""
    done = {(row.clip, row.prompt, row.way): row for row in rows_of(rows_path)}
    for clip in only or clips:
        for prompt in chain.from_iterable(GROUPS.values()):
            for way in _ways(prompt):
                if (clip, prompt, way) not in done:
                    search = _search(way, done, clip, prompt)
                    row = _measured(bundle, clips, clip, prompt, way, search)
                    done[clip, prompt, way] = row
                    with rows_path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(row)) + "\n")


def _ways(prompt: str) -> Iterator[str]:
    yield from (SIMILARITY, EVOLUTION, RANDOM, RANDOM_TIME)
    if prompt in DESCRIBED:
        yield from (DIRECTION, BOTH)


def _search(way: str, done: dict[tuple[str, str, str], Row], clip: str, prompt: str) -> EffectSearch:
    if way != RANDOM_TIME:
        return SEARCHES[way]
    climbed, drawn = done[clip, prompt, SIMILARITY], done[clip, prompt, RANDOM]
    more = max(1.0, climbed.seconds / drawn.seconds)
    return EffectSearch(
        method=Method.RANDOM, aim=Aim.SIMILARITY, evaluations=math.ceil(drawn.evaluations * more)
    )


def _measured(bundle: Bundle, clips: Clips, clip: str, prompt: str, way: str, search: EffectSearch) -> Row:
    audio_NS, rate_hz = clips[clip]
    started = time.perf_counter()
    found = find_effects(audio_NS, rate_hz, prompt, bundle, search=search)
    seconds = time.perf_counter() - started
    after_NS = render_here(found.chain, audio_NS, rate_hz)
    return Row(
        clip=clip,
        prompt=prompt,
        way=way,
        before=found.similarity_before,
        after=found.similarity_after,
        disturbed_before=_similarity(bundle, _disturbed(audio_NS, rate_hz), rate_hz, prompt),
        disturbed_after=_similarity(bundle, _disturbed(after_NS, rate_hz), rate_hz, prompt),
        likeness=float((heard(audio_NS, rate_hz, bundle.clap) * heard(after_NS, rate_hz, bundle.clap)).sum()),
        loudness_change_lu=found.loudness_change_lu,
        octaves=math.log2(centroid_hz(after_NS, rate_hz) / centroid_hz(audio_NS, rate_hz)),
        late_db=late_db(found.chain, rate_hz),
        effects=_effects(found),
        evaluations=found.evaluations,
        seconds=seconds,
    )


def _effects(found: FoundEffects) -> int:
    return sum(effect.effect != "gain" for effect in found.chain.effects)


def _similarity(bundle: Bundle, audio_NS: np.ndarray, rate_hz: int, prompt: str) -> float:
    return float((heard(audio_NS, rate_hz, bundle.clap) * bundle.clap.embed_text([prompt])[0]).sum())


def _disturbed(audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
    return np.roll(audio_NS, round(_SHIFT_S * rate_hz), axis=1) * np.float32(_OTHER_LEVEL)


def main() -> None:
    """Measure what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="file of measured rows, one JSON object a line")
    parser.add_argument("page", type=Path, help="Markdown file to write")
    parser.add_argument("--clip", action="append", default=[], help="measure this clip only")
    parser.add_argument("--example", type=Path, default=Path("presets/examples/groove.flac"))
    options = parser.parse_args()
    bundle = load_bundle(model_folder(STARTER))
    measure(bundle, clips_for_effects(bundle, options.example), options.rows, options.clip)
    options.page.write_text(page(rows_of(options.rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
