"""Words to a chain of effects (Text2FX, Chu et al. 2024): no sound is generated, only effects are set.

Legend: N channels, S samples, P parameters, E embedding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from torch import Tensor

from engine.audio.level import rms
from engine.chains import LEAST_EVALUATIONS, MOST_EVALUATIONS, Chain
from engine.edit.loudness import loudness_lufs, true_peak_db
from engine.errors import ModelMissing, SpecError
from engine.fx.text_to_effect.judge import IsCancelled, Judge, OnProgress, Verdict, heard
from engine.fx.text_to_effect.rendering import RenderChain, Renderer, fits, render_here
from engine.fx.text_to_effect.searches import evolution, gradient, random_points
from engine.fx.text_to_effect.space import Limits, Template
from engine.fx.text_to_effect.templates import template_of
from engine.fx.text_to_effect.twin import Twin, has_twin
from engine.fx.text_to_effect.wish import Aim, Wish
from engine.models.bundle import Bundle
from engine.types import MAX_PROMPT_CHARACTERS, SEEDS

LEAST_RATE_HZ, LEAST_S, MOST_CHANNELS = 8000, 0.2, 2
# What a simpler or gentler chain may lose.
_TOLERANCE = 0.005
_GENTLER = (0.85, 0.7, 0.5, 0.3)
_EXCERPT_STEP_S = 0.25


class Method(Enum):
    """How to look for a chain.

    GRADIENT differentiates copies of pedalboard's effects, EVOLUTION needs only rendered sound and so takes
    plug-ins too, RANDOM is for comparison. AUTO is GRADIENT where all effects allow it, else EVOLUTION.
    """

    AUTO = "auto"
    GRADIENT = "gradient"
    EVOLUTION = "evolution"
    RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSearch:
    """How to search; the same values give the same chain on the same machine and number of threads.

    evaluations counts how often CLAP hears the sound. heard_s is how much of a long clip, its loudest part,
    is heard while searching. gentleness is what the strongest chain possible loses of its similarity.
    from_prompt describes the sound before, for Aim.DIRECTION.
    """

    method: Method = Method.AUTO
    aim: Aim = Aim.SIMILARITY
    from_prompt: str = ""
    evaluations: int = 120
    heard_s: float = 5.1
    gentleness: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not LEAST_EVALUATIONS <= self.evaluations <= MOST_EVALUATIONS:
            raise ValueError(
                f"evaluations must be from {LEAST_EVALUATIONS} to {MOST_EVALUATIONS}, got {self.evaluations}"
            )
        if not 1.0 <= self.heard_s <= 60.0:
            raise ValueError(f"heard_s must be from 1 to 60, got {self.heard_s}")
        if not 0.0 <= self.gentleness <= 1.0:
            raise ValueError(f"gentleness must be from 0 to 1, got {self.gentleness}")
        if not 0 <= self.seed < SEEDS:
            raise ValueError(f"seed must be from 0 to {SEEDS - 1}, got {self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEffects:
    """A chain, and what it does to the whole sound as pedalboard renders it.

    Similarities are cosines of CLAP embeddings to the prompt; similarity_as_set is that of the loudest part
    through a given chain as it was, None without one and where nothing was heard. history has the best
    similarity of a judged render after each evaluation. The chain is without effects where none brought the
    sound nearer.
    """

    chain: Chain
    similarity_before: float
    similarity_as_set: float | None
    similarity_after: float
    loudness_change_lu: float
    true_peak_dbtp: float
    evaluations: int
    history: tuple[float, ...] = field(repr=False)


def find_effects(
    audio_NS: np.ndarray,
    rate_hz: int,
    wanted: str | Tensor,
    bundle: Bundle,
    *,
    template: Template | None = None,
    limits: Limits | None = None,
    search: EffectSearch | None = None,
    render: RenderChain = render_here,
    on_progress: OnProgress = lambda _spent, _of, _best: None,
    cancelled: IsCancelled = lambda: False,
) -> FoundEffects:
    """Find the chain whose result CLAP hears as wanted: a prompt, or the embedding (E,) of a sound.

    The result keeps the sound's loudness within 1 LU, and its true peak below -1 dBTP or the sound's own.
    limits narrow a parameter of all effects of a kind, by names such as `reverb.wet_level`. render makes of a
    chain and a sound another sound; plug-ins need one. Where the template has a given chain, what is not
    searched in that stays, unless nothing brings the sound nearer.

    Raises:
        SpecError: a sound, prompt, template or limit that cannot be used.
        ModelMissing: the model cannot hear.
        Cancelled: cancelled() was true between two evaluations.
    """
    search = search or EffectSearch()
    _require_hearing(bundle)
    _require_prompt(wanted)
    _require_sound(audio_NS, rate_hz)
    audio_NS = np.ascontiguousarray(audio_NS, dtype=np.float32)
    template = (template or template_of()).within(limits or {}).for_rate(rate_hz)
    method = _method(search.method, template)
    excerpt_NS = _loudest(audio_NS, round(search.heard_s * rate_hz), round(_EXCERPT_STEP_S * rate_hz))
    source_E = heard(excerpt_NS, rate_hz, bundle.clap)
    judge = Judge(
        template=template,
        renderer=Renderer.of(render, excerpt_NS, rate_hz),
        clap=bundle.clap,
        wish=Wish.of(wanted, source_E, bundle.clap, search.aim, search.from_prompt),
        gentleness=search.gentleness,
        evaluations=search.evaluations,
        on_progress=on_progress,
        cancelled=cancelled,
    )
    as_set = _as_set(judge)
    best = _simplified(judge, _best_of([*as_set, *_searched(judge, method, search.seed)]))
    return _told(judge, best, Renderer.of(render, audio_NS, rate_hz), wanted, as_set)


def _require_hearing(bundle: Bundle) -> None:
    if not bundle.card.clap_hears:
        raise ModelMissing(
            f"the model {bundle.card.name} has no CLAP audio tower, so it cannot set effects by words",
            "Choose a model that hears, such as the starter.",
        )


def _require_prompt(wanted: str | Tensor) -> None:
    if isinstance(wanted, Tensor):
        return
    if not wanted.strip():
        raise SpecError("the prompt is empty", "Say how the sound should become, as in: warm, distant.")
    if len(wanted) > MAX_PROMPT_CHARACTERS:
        raise SpecError(f"a prompt may have at most {MAX_PROMPT_CHARACTERS} characters")


def _require_sound(audio_NS: np.ndarray, rate_hz: int) -> None:
    if rate_hz < LEAST_RATE_HZ:
        raise SpecError(f"the sound has {rate_hz} Hz; effects need at least {LEAST_RATE_HZ} Hz")
    if not 1 <= audio_NS.shape[0] <= MOST_CHANNELS:
        raise SpecError(
            f"the sound has {audio_NS.shape[0]} channels; words set effects on one or two",
            "Give a mono or stereo sound.",
        )
    if audio_NS.shape[1] < LEAST_S * rate_hz:
        raise SpecError(f"the sound is shorter than {LEAST_S:g} s", "Give a longer one.")
    if not np.isfinite(audio_NS).all():
        raise SpecError("the sound has samples that are not finite", "Render it again.")
    if loudness_lufs(audio_NS, rate_hz) == -math.inf:
        raise SpecError("the sound is silent", "Give one that can be heard.")


def _method(wanted: Method, template: Template) -> Method:
    if wanted is Method.AUTO:
        return Method.GRADIENT if has_twin(template) else Method.EVOLUTION
    if wanted is Method.GRADIENT and not has_twin(template):
        names = ", ".join(dict.fromkeys(effect.name for effect in template.effects))
        raise SpecError(f"not all of {names} have gradients", "Choose the method evolution.")
    return wanted


def _loudest(audio_NS: np.ndarray, samples: int, step: int) -> np.ndarray:
    """Return the loudest part of a longer sound."""
    if audio_NS.shape[1] <= samples:
        return audio_NS
    starts = range(0, audio_NS.shape[1] - samples + 1, step)
    start = max(starts, key=lambda start: rms(audio_NS[:, start : start + samples]))
    return audio_NS[:, start : start + samples]


def _as_set(judge: Judge) -> list[Verdict]:
    """Return a given chain as it is, judged."""
    return [] if judge.template.given is None else [judge.judged(judge.template.neutral_P)]


def _searched(judge: Judge, method: Method, seed: int) -> list[Verdict]:
    """Return all points that the search judged, the chain without effects among them."""
    rng = np.random.default_rng(seed)
    nothing = judge.judged(judge.template.neutral_P, [False] * len(judge.template.effects))
    count = judge.left - len(judge.template.effects) - len(_GENTLER)
    if method is Method.GRADIENT:
        twin = Twin(judge.template, judge.renderer.audio_NS, judge.renderer.rate_hz)
        return [nothing, *gradient(judge, twin, rng, count)]
    search = evolution if method is Method.EVOLUTION else random_points
    return [nothing, *search(judge, rng, count)]


def _best_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the best point that keeps loudness and ceiling; the sound itself always does."""
    return max((one for one in verdicts if fits(one.excess_db)), key=lambda one: one.total)


def _simplified(judge: Judge, best: Verdict) -> Verdict:
    """Leave out what changes nothing, then weaken what is left as far as nothing is lost."""
    least = best.total - _TOLERANCE
    for index in _weakest_first(judge, best):
        fewer = [kept and position != index for position, kept in enumerate(best.kept)]
        tried = judge.judged(best.shares_P, fewer)
        if tried.total >= least and fits(tried.excess_db):
            best = tried
    for share in _GENTLER if any(best.kept) else ():
        tried = judge.judged(_weakened(judge.template, best.shares_P, share), best.kept)
        if tried.total < least or not fits(tried.excess_db):
            break
        best = tried
    return best


def _weakest_first(judge: Judge, verdict: Verdict) -> list[int]:
    """Return the effects of a chain that were searched, that which does least first."""
    searched = [bool(effect.ranges) for effect in judge.template.effects]
    present = [index for index, kept in enumerate(verdict.kept) if kept and searched[index]]
    away_P = np.abs(verdict.shares_P - judge.template.neutral_P)
    return sorted(present, key=lambda index: float(away_P[judge.template.amounts_of(index)].max(initial=0.0)))


def _weakened(template: Template, shares_P: np.ndarray, share: float) -> np.ndarray:
    """Return a point with all amounts a share of the way from doing nothing."""
    weaker_P = template.neutral_P + share * (shares_P - template.neutral_P)
    return np.where(template.amounts_P, weaker_P, shares_P)


def _told(
    judge: Judge, best: Verdict, whole: Renderer, wanted: str | Tensor, as_set: Sequence[Verdict]
) -> FoundEffects:
    name = wanted.strip() if isinstance(wanted, str) else ""
    chain, audio_NS = _fitting(judge, best, whole)
    clap, rate_hz = judge.clap, whole.rate_hz
    return FoundEffects(
        chain=replace(chain, name=name),
        similarity_before=float(judge.wish.similarity(heard(whole.audio_NS, rate_hz, clap))),
        similarity_as_set=as_set[0].similarity if as_set and as_set[0].total > -math.inf else None,
        similarity_after=float(judge.wish.similarity(heard(audio_NS, rate_hz, clap))),
        loudness_change_lu=loudness_lufs(audio_NS, rate_hz) - whole.loudness_lufs,
        true_peak_dbtp=true_peak_db(audio_NS),
        evaluations=len(judge.history),
        history=tuple(judge.history),
    )


def _fitting(judge: Judge, best: Verdict, whole: Renderer) -> tuple[Chain, np.ndarray]:
    """Return the chain with its gain for the whole sound, weakened until it keeps loudness and ceiling.

    Also its sound.
    """
    for share in (1.0, *_GENTLER) if any(best.kept) else ():
        weaker_P = _weakened(judge.template, best.shares_P, share)
        finished = whole.finished(judge.template.chain_at(weaker_P, best.kept), exact=True)
        if finished is not None and fits(finished.excess_db):
            return finished.chain, finished.audio_NS
    return Chain(effects=()), whole.audio_NS
