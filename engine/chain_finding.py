"""Words to a chain for a sound file: the worker's door to `engine.fx.text_to_effect`."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from engine.audio.io import read_clip
from engine.chain_jobs import kept_alive, limits_of
from engine.chain_json import chain_from_dict, chain_to_dict
from engine.chains import Chain
from engine.effects import checked
from engine.fx.child import HostLimits, IsCancelled
from engine.fx.host import inspect_plugin
from engine.fx.text_to_effect.finding import EffectSearch, find_effects
from engine.fx.text_to_effect.given import is_active, template_from
from engine.fx.text_to_effect.hosted import HostedRenderer
from engine.fx.text_to_effect.rendering import RenderChain, render_here
from engine.fx.text_to_effect.space import Template
from engine.fx.values import PluginReport
from engine.models.bundle import Bundle
from engine.requests import Request, object_of, text_of
from engine.strict_json import Variants, decode

Payload = dict[str, object]
OnProgress = Callable[[Payload], None]
_NO_VARIANTS = Variants(key="", kinds={})
_TOLD = (
    "similarity_before",
    "similarity_as_set",
    "similarity_after",
    "loudness_change_lu",
    "true_peak_dbtp",
    "evaluations",
)


def find_chain(request: Request, bundle: Bundle, on_progress: OnProgress, cancelled: IsCancelled) -> Payload:
    """Return the chain that brings request's file nearer to its prompt, and what it was measured to do.

    Where request has a chain, its parameters are searched, else those of the effects that words usually set.

    Raises:
        AudioMissing, AudioIOError, TooLarge: a file that cannot be read.
        BadJson, SpecError: an option that there is not, or a value out of its range.
        PluginCrash, PluginTimeout: a plug-in that cannot be loaded, or fails again and again.
        SpecError, ModelMissing, Cancelled: as find_effects.
    """
    search = decode(EffectSearch, dict(object_of(request, "options")), "options", _NO_VARIANTS)
    clip = read_clip(Path(text_of(request, "path")))
    given = checked(chain_from_dict(object_of(request, "chain"))) if "chain" in request else None
    limits = limits_of(request, HostLimits())
    with kept_alive("find", on_progress):
        template = None if given is None else _template(given, limits, cancelled)

    def tell(spent: int, total: int, best: float) -> None:
        item = f"similarity {best:.3f}" if math.isfinite(best) else ""
        on_progress({"stage": "find", "step": spent, "total": total, "item": item})

    with _renderer(given, limits, cancelled) as render:
        found = find_effects(
            clip.audio_NS.astype(np.float32, copy=False),
            clip.sample_rate_hz,
            text_of(request, "prompt"),
            bundle,
            template=template,
            search=search,
            render=render,
            on_progress=tell,
            cancelled=cancelled,
        )
    chain = replace(checked(found.chain), description=text_of(request, "prompt")[:200])
    facts = asdict(found)
    return {"chain": chain_to_dict(chain)} | {name: facts[name] for name in _TOLD if facts[name] is not None}


def _template(given: Chain, limits: HostLimits, cancelled: IsCancelled) -> Template:
    reports: dict[int, PluginReport] = {}
    for index, effect in enumerate(given.effects):
        if effect.plugin and is_active(effect):
            reports[index] = inspect_plugin(effect, limits, cancelled)
    return template_from(given, reports)


def _renderer(
    given: Chain | None, limits: HostLimits, cancelled: IsCancelled
) -> AbstractContextManager[RenderChain]:
    if given is None or not any(effect.plugin for effect in given.effects):
        return nullcontext(render_here)
    return HostedRenderer(limits, cancelled)
