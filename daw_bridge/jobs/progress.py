"""How far a job is, from what its worker tells."""

from __future__ import annotations

from collections.abc import Mapping

# What sampling, decoding and ranking are of a take, in hundredths: sums of whole numbers do not go back.
_SAMPLING, _DECODING, _RANKING = 85, 10, 5


def fraction(payload: Mapping[str, object]) -> float:
    """Return the share of the whole job that a progress event stands for, 0 to 1."""
    stage = str(payload.get("stage", ""))
    done = number(payload, "step") / max(1.0, number(payload, "total"))
    if stage == "download":
        return min(1.0, done)
    takes, batch, row = place(payload)
    first = max(1.0, number(payload, "take")) - 1.0 - row
    sampled = _SAMPLING * batch + (_DECODING + _RANKING) * row
    match stage:
        case "sample":
            hundredths = _SAMPLING * batch * done
        case "decode":
            hundredths = sampled + _DECODING * done
        case "rank":
            hundredths = sampled + _DECODING + _RANKING * done
        case _:
            hundredths = 0.0
    return min(1.0, (100 * first + hundredths) / (100 * takes))


def place(payload: Mapping[str, object]) -> tuple[float, float, float]:
    """Return how many takes the job has, how many of them are sampled together with this one, and its row."""
    takes = max(1.0, number(payload, "takes"))
    return takes, max(1.0, number(payload, "batch")), number(payload, "row")


def number(payload: Mapping[str, object], key: str) -> float:
    """Return a number of an event; 0 where it is missing or none."""
    value = payload.get(key, 0)
    return float(value) if isinstance(value, int | float) else 0.0
