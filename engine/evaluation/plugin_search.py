"""Words to parameters of a plug-in, measured.

`python -m engine.evaluation.plugin_search PLUGIN.vst3` writes a table to stdout, in some minutes on one core.
Beside the search stand the plug-in as it is when it is loaded, and as many random settings.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from engine.chains import Chain, Effect
from engine.evaluation.effect_clips import Clips, clips_for_effects
from engine.fx.child import HostLimits
from engine.fx.host import inspect_plugin
from engine.fx.text_to_effect.finding import EffectSearch, FoundEffects, Method, find_effects
from engine.fx.text_to_effect.given import template_from
from engine.fx.text_to_effect.hosted import HostedRenderer
from engine.fx.text_to_effect.rendering import RenderChain
from engine.fx.text_to_effect.space import Template
from engine.models.bundle import Bundle, load_bundle
from engine.models.store import STARTER, model_folder

PROMPTS = ("dark", "bright", "distant", "in a huge hall", "like an old radio")
CLIPS = ("groove", "piano", "man speaking")
_METHODS = (Method.EVOLUTION, Method.RANDOM)
Row = tuple[str, str, FoundEffects, FoundEffects]


def rows(bundle: Bundle, clips: Clips, template: Template, render: RenderChain) -> Iterator[Row]:
    """Yield for each prompt and clip what the search found, and the best of random settings."""
    for prompt in PROMPTS:
        for name in CLIPS:
            audio_NS, rate_hz = clips[name]
            searched, drawn = (
                find_effects(
                    audio_NS,
                    rate_hz,
                    prompt,
                    bundle,
                    template=template,
                    search=EffectSearch(method=method),
                    render=render,
                )
                for method in _METHODS
            )
            yield prompt, name, searched, drawn


def lines(found: Iterator[Row]) -> Iterator[str]:
    """Yield a table in Markdown, its last line the means."""
    yield "| prompt | clip | before | plug-in as loaded | found | random |"
    yield "|---|---|---|---|---|---|"
    figures: list[tuple[float, ...]] = []
    for prompt, clip, searched, drawn in found:
        before, as_set = searched.similarity_before, searched.similarity_as_set or math.nan
        figures.append((before, as_set, searched.similarity_after, drawn.similarity_after))
        yield _line(prompt, clip, figures[-1])
    yield _line("mean", "", tuple(mean(column) for column in zip(*figures, strict=True)))


def _line(prompt: str, clip: str, figures: tuple[float, ...]) -> str:
    return f"| {prompt} | {clip} | {' | '.join(f'{figure:.3f}' for figure in figures)} |"


def main() -> None:
    """Measure, and write each line once it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plugin", help="path of a plug-in")
    parser.add_argument("--example", type=Path, default=Path("presets/examples/groove.flac"))
    options = parser.parse_args()
    effect = Effect(plugin=options.plugin)
    template = template_from(Chain(name="plug-in", effects=(effect,)), {0: inspect_plugin(effect)})
    bundle = load_bundle(model_folder(STARTER))
    clips = clips_for_effects(bundle, options.example)
    with HostedRenderer(HostLimits(), lambda: False) as render:
        for line in lines(rows(bundle, clips, template, render)):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
