"""What an effect should make a sound like, and how near CLAP hears it to that.

Legend: B batch, E embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from torch import Tensor

from engine.models.clap import ClapProvider

_TINY = 1e-6


class Aim(Enum):
    """What a search raises.

    SIMILARITY is the cosine between the sound and the prompt. DIRECTION is the cosine between the change
    of the sound and the change of the words, from those that describe it (Gal et al. 2022, eq. 3). BOTH is
    the mean of the two.
    """

    SIMILARITY = "similarity"
    DIRECTION = "direction"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wish:
    """A prompt as embedded, where the sound starts from, and the direction from its words to the prompt's."""

    wanted_E: Tensor
    source_E: Tensor
    direction_E: Tensor
    aim: Aim

    @classmethod
    def of(
        cls, wanted: str | Tensor, source_E: Tensor, clap: ClapProvider, aim: Aim, from_prompt: str = ""
    ) -> Wish:
        """Embed what is wanted and the words for what is there; of a wanted sound, that itself."""
        if isinstance(wanted, str):
            wanted_E, from_E = clap.embed_text([wanted])[0], clap.embed_text([from_prompt])[0]
        else:
            wanted_E, from_E = _unit(wanted), source_E
        return cls(wanted_E=wanted_E, source_E=source_E, direction_E=_unit(wanted_E - from_E), aim=aim)

    def similarity(self, heard_E: Tensor) -> Tensor:
        """Return the cosine between a sound and the prompt."""
        return (heard_E * self.wanted_E).sum(dim=-1)

    def score(self, heard_E: Tensor) -> Tensor:
        """Return what a search raises."""
        if self.aim is Aim.SIMILARITY:
            return self.similarity(heard_E)
        direction = (_unit(heard_E - self.source_E) * self.direction_E).sum(dim=-1)
        return direction if self.aim is Aim.DIRECTION else 0.5 * (self.similarity(heard_E) + direction)


def _unit(row_E: Tensor) -> Tensor:
    return row_E / row_E.norm(dim=-1, keepdim=True).clamp(min=_TINY)
