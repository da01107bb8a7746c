"""What listeners said of each system, without those who did not listen.

R raters, C clips.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.errors import SpecError
from engine.evaluation import markdown
from engine.evaluation.estimates import Estimate, mean_estimate
from engine.evaluation.listening.key import Answer, Answers, Item, ItemKind, Key

REAL_NAME = "real recordings"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpamRules:
    """When a listener is not believed.

    answered_share: least share of the items that is answered. real_at_least: least mean of both scores of
    real recordings. wrong_rel_below: least mean REL of recordings with another's caption that is too much.
    heard_share and unheard_share: what share of a sound makes it heard, and largest share of sounds that are
    not. deviation_at_least: least deviation of each score over the systems' sounds.
    """

    answered_share: float = 0.9
    real_at_least: float = 60.0
    wrong_rel_below: float = 50.0
    heard_share: float = 0.5
    unheard_share: float = 0.1
    deviation_at_least: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemScore:
    """Means over clips of the raters' mean, with 95 % intervals over clips."""

    system: str
    ovl: Estimate
    rel: Estimate
    clips: int
    ratings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All systems, then real recordings; the raters that count, and why others do not."""

    systems: tuple[SystemScore, ...]
    raters: tuple[str, ...]
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)


def scores(key: Key, given: Sequence[Answers], rules: SpamRules | None = None) -> Scores:
    """Average what believed raters said.

    Raises SpecError where two files are of one rater, or no rater is believed.
    """
    repeated = [rater for rater, files in Counter(one.rater for one in given).items() if files > 1]
    if repeated:
        raise SpecError(f"two files are of the rater {repeated[0]:.60}", "Give one of them.")
    refused = {one.rater: tuple(doubts(key, one, rules or SpamRules())) for one in given}
    believed = [one for one in given if not refused[one.rater]]
    if not believed:
        reasons = "; ".join(f"{rater:.60}: {', '.join(why)}" for rater, why in refused.items())
        raise SpecError(f"no rater can be believed ({reasons or 'there is none'})", "Ask more listeners.")
    names = sorted({item.system for item in key.items if item.what is ItemKind.SYSTEM})
    groups = {name: _items(key, ItemKind.SYSTEM, name) for name in names}
    groups[REAL_NAME] = _items(key, ItemKind.REAL, "")
    found = (_score(name, items, believed) for name, items in groups.items())
    return Scores(
        systems=tuple(one for one in found if one is not None),
        raters=tuple(one.rater for one in believed),
        refused={rater: why for rater, why in refused.items() if why},
    )


def doubts(key: Key, given: Answers, rules: SpamRules) -> Iterator[str]:
    """Yield each reason not to believe a rater."""
    by_file = {answer.file: answer for answer in given.answers}
    if len(by_file) < rules.answered_share * len(key.items):
        yield f"answered {len(by_file)} of {len(key.items)} sounds"
    real = [answer for _, answer in _answered(key, by_file, ItemKind.REAL)]
    wrong = [answer for _, answer in _answered(key, by_file, ItemKind.WRONG)]
    own = [answer for _, answer in _answered(key, by_file, ItemKind.SYSTEM)]
    if real and (mean := float(np.mean([(one.ovl + one.rel) / 2 for one in real]))) < rules.real_at_least:
        yield f"gave real recordings {mean:.0f} on average"
    if wrong and (mean := float(np.mean([one.rel for one in wrong]))) >= rules.wrong_rel_below:
        yield f"gave wrong captions {mean:.0f} on average"
    unheard = [item for item, one in _answered(key, by_file) if _unheard(item, one, rules)]
    if len(unheard) > rules.unheard_share * max(1, len(by_file)):
        yield f"heard less than half of {len(unheard)} sounds"
    yield from _constant(own, rules)


def scores_table(found: Scores) -> str:
    """Return the result as Markdown."""
    lines = [
        (one.system, str(one.ovl), str(one.rel), str(one.clips), str(one.ratings)) for one in found.systems
    ]
    table = markdown.table(("system", "OVL ↑", "REL ↑", "clips", "ratings"), lines)
    told = f"{len(found.raters)} raters; 95 % intervals over clips, by bootstrap."
    refused = [f"Not counted: {rater} ({', '.join(why)})." for rater, why in found.refused.items()]
    return "\n\n".join([table, told, *refused]) + "\n"


def _constant(own: Sequence[Answer], rules: SpamRules) -> Iterator[str]:
    if len(own) < 2:
        return
    for name, pick in _SCORES.items():
        if float(np.std([pick(one) for one in own])) < rules.deviation_at_least:
            yield f"gave all sounds about the same {name.upper()}"


def _unheard(item: Item, answer: Answer, rules: SpamRules) -> bool:
    least_s = rules.heard_share * item.duration_s
    return answer.listened_s < least_s or answer.answered_s < least_s


def _answered(
    key: Key, by_file: Mapping[str, Answer], what: ItemKind | None = None
) -> Iterator[tuple[Item, Answer]]:
    for item in key.items:
        if item.file in by_file and what in (None, item.what):
            yield item, by_file[item.file]


def _items(key: Key, what: ItemKind, system: str) -> list[Item]:
    return [item for item in key.items if item.what is what and item.system == system]


def _score(name: str, items: Sequence[Item], believed: Sequence[Answers]) -> SystemScore | None:
    by_file: dict[str, list[Answer]] = {}
    for given in believed:
        for answer in given.answers:
            by_file.setdefault(answer.file, []).append(answer)
    rated = [by_file[item.file] for item in items if item.file in by_file]
    if not rated:
        return None
    ovl, rel = (
        mean_estimate(np.array([np.mean([pick(one) for one in answers]) for answers in rated]))
        for pick in _SCORES.values()
    )
    return SystemScore(system=name, ovl=ovl, rel=rel, clips=len(rated), ratings=sum(map(len, rated)))


_SCORES: dict[str, Callable[[Answer], int]] = {"ovl": lambda one: one.ovl, "rel": lambda one: one.rel}
