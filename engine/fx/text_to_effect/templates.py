"""The built-in effects that words are turned into, and how far each of their parameters may go."""

from __future__ import annotations

from collections.abc import Sequence

from engine.chains import MAX_EFFECTS, Effect
from engine.errors import SpecError
from engine.fx.text_to_effect.space import ParameterRange, SearchedEffect, Template

_SHELF_Q = 0.7071


def _range(
    low: float, high: float, neutral: float, *, is_log: bool = False, is_amount: bool = False
) -> ParameterRange:
    return ParameterRange(low=low, high=high, neutral=neutral, is_log=is_log, is_amount=is_amount)


def _gain_db(most_db: float) -> ParameterRange:
    return _range(-most_db, most_db, 0.0, is_amount=True)


def _hz(low: float, high: float, usual: float) -> ParameterRange:
    return _range(low, high, usual, is_log=True)


SEARCHED: dict[str, SearchedEffect] = {
    "highpass_filter": SearchedEffect(
        base=Effect(effect="highpass_filter"),
        ranges={"cutoff_frequency_hz": _range(20.0, 1000.0, 20.0, is_log=True, is_amount=True)},
    ),
    "lowpass_filter": SearchedEffect(
        base=Effect(effect="lowpass_filter"),
        ranges={"cutoff_frequency_hz": _range(800.0, 20_000.0, 20_000.0, is_log=True, is_amount=True)},
    ),
    "low_shelf_filter": SearchedEffect(
        base=Effect(effect="low_shelf_filter", parameters={"q": _SHELF_Q}),
        ranges={"cutoff_frequency_hz": _hz(60.0, 500.0, 150.0), "gain_db": _gain_db(15.0)},
    ),
    "peak_filter": SearchedEffect(
        base=Effect(effect="peak_filter"),
        ranges={
            "cutoff_frequency_hz": _hz(150.0, 6000.0, 1000.0),
            "gain_db": _gain_db(12.0),
            "q": _range(0.4, 4.0, 1.0, is_log=True),
        },
    ),
    "high_shelf_filter": SearchedEffect(
        base=Effect(effect="high_shelf_filter", parameters={"q": _SHELF_Q}),
        ranges={"cutoff_frequency_hz": _hz(1500.0, 10_000.0, 4000.0), "gain_db": _gain_db(15.0)},
    ),
    "compressor": SearchedEffect(
        base=Effect(effect="compressor"),
        ranges={
            "threshold_db": _range(-50.0, 0.0, 0.0, is_amount=True),
            "ratio": _range(1.0, 12.0, 1.0, is_log=True, is_amount=True),
            "attack_ms": _range(0.5, 100.0, 10.0, is_log=True),
            "release_ms": _range(20.0, 800.0, 100.0, is_log=True),
        },
    ),
    "distortion": SearchedEffect(
        base=Effect(effect="distortion"),
        ranges={"drive_db": _range(0.0, 30.0, 0.0, is_amount=True)},
    ),
    # At a dry level of one half the direct sound has its own level: the effect doubles it.
    "reverb": SearchedEffect(
        base=Effect(effect="reverb", parameters={"width": 1.0}),
        ranges={
            "room_size": _range(0.0, 1.0, 0.5),
            "damping": _range(0.0, 1.0, 0.5),
            "wet_level": _range(0.0, 0.7, 0.0, is_amount=True),
            "dry_level": _range(0.05, 0.5, 0.5, is_amount=True),
        },
    ),
}
DEFAULT_ORDER = (
    "highpass_filter",
    "low_shelf_filter",
    "peak_filter",
    "peak_filter",
    "high_shelf_filter",
    "lowpass_filter",
    "compressor",
    "reverb",
)


def template_of(names: Sequence[str] = DEFAULT_ORDER) -> Template:
    """Return a template of built-in effects, in the order of their names.

    Raises:
        SpecError: a name that cannot be searched, or too few or many names.
    """
    known = f"Choose from: {', '.join(SEARCHED)}."
    for name in names:
        if name not in SEARCHED:
            raise SpecError(f"{name} is not an effect that words can set.", known)
    if not 1 <= len(names) < MAX_EFFECTS:
        raise SpecError(f"words set 1 to {MAX_EFFECTS - 1} effects, not {len(names)}", known)
    return Template(effects=tuple(SEARCHED[name] for name in names))
