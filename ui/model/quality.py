"""How much work goes into a render: three steps of a ladder, or what the user has set."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

from daw_bridge.live.parameters import DEFAULTS

if TYPE_CHECKING:
    from daw_bridge.messages.arguments import ParameterValue
    from ui.model.draft import Draft


class Quality(Enum):
    """OWN is none of the steps: what the user has set by hand."""

    DRAFT = "draft"
    NORMAL = "normal"
    FINAL = "final"
    OWN = "own"


# Draft and final are the live presets draft and fine, which controllers load by name.
LADDER: Mapping[Quality, Mapping[str, ParameterValue]] = {
    Quality.DRAFT: {"sampler": "dpmpp_2m", "steps": 8, "takes": 1},
    Quality.NORMAL: {name: DEFAULTS[name] for name in ("sampler", "steps", "takes")},
    Quality.FINAL: {"sampler": "dpmpp_2m", "steps": 60, "takes": 3},
}


def quality_of(draft: Draft) -> Quality:
    for quality, values in LADDER.items():
        if all(draft[name] == value for name, value in values.items()):
            return quality
    return Quality.OWN
