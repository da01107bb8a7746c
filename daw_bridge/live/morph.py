"""Presets as values, and what lies between two of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from daw_bridge.messages.arguments import Number, ParameterValue, Whole
from daw_bridge.messages.parameters import PARAMETERS

PROMPT_PARAMETERS = frozenset({"prompt", "morph"})
# Whole numbers of which a nearby one means nothing.
_SEEDS = frozenset({"seed", "variation_seed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """What to hear: one text, or a position between two of them, 0 the first and 1 the second."""

    first: str
    second: str | None = None
    position: float = 0.0

    def weighted(self) -> tuple[tuple[str, float], ...]:
        """Return the texts that count, the nearer one first, with weights of which the first is 1.

        An empty text is no prompt: the other one counts alone.
        """
        if self.second is None or self.second == self.first or not self.second.strip():
            return ((self.first, 1.0),)
        near, far, way = self.first, self.second, self.position
        if way > 0.5 or not near.strip():
            near, far, way = far, near, 1.0 - way
        if way == 0.0 or not far.strip():
            return ((near, 1.0),)
        return (near, 1.0), (far, way / (1.0 - way))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Values of some parameters, or of all.

    prompt_b makes prompt and morph, which are then among the values, a prompt morph.
    """

    values: Mapping[str, ParameterValue]
    prompt_b: str | None = None

    def __post_init__(self) -> None:
        if self.prompt_b is not None and not self.values.keys() >= PROMPT_PARAMETERS:
            raise ValueError("a prompt_b needs a prompt and a morph beside it")

    @property
    def prompts(self) -> Prompts | None:
        if "prompt" not in self.values:
            return None
        position = float(self.values.get("morph", 0.0))
        return Prompts(first=str(self.values["prompt"]), second=self.prompt_b, position=position)

    def over(self, other: Preset) -> Preset:
        """Return the preset with what it leaves open as in the other."""
        prompt_b = self.prompt_b if "prompt" in self.values else other.prompt_b
        return Preset(values={**other.values, **self.values}, prompt_b=prompt_b)

    def only(self, names: Collection[str]) -> Preset:
        """Return the preset without the parameters of other names."""
        values = {name: value for name, value in self.values.items() if name in names}
        return Preset(values=values, prompt_b=self.prompt_b if values.keys() >= PROMPT_PARAMETERS else None)


def between(a: Preset, b: Preset, position: float) -> Preset:
    """Return what lies between two presets: at 0 and 1 they themselves, numbers linear between them.

    What is no amount, and seeds, switch at 0.5; prompts become the ends of a prompt morph. A parameter
    that only one of them holds is everywhere as that one has it.
    """
    a, b = a.over(b), b.over(a)
    if position <= 0.0 or position >= 1.0:
        return a if position <= 0.0 else b
    values = {name: _mixed(name, a.values[name], b.values[name], position) for name in a.values}
    if a.prompts is None or b.prompts is None:
        return Preset(values=values)
    prompts = _between_prompts(a.prompts, b.prompts, position)
    values["prompt"] = prompts.first
    if prompts.second is not None:
        values["morph"] = prompts.position
    return Preset(values=values, prompt_b=prompts.second)


def _mixed(name: str, a: ParameterValue, b: ParameterValue, position: float) -> ParameterValue:
    kind = PARAMETERS[name]
    if isinstance(kind, Number):
        return _linear(float(a), float(b), position)
    if isinstance(kind, Whole) and name not in _SEEDS:
        return round(_linear(float(a), float(b), position))
    return a if position < 0.5 else b


def _between_prompts(a: Prompts, b: Prompts, position: float) -> Prompts:
    """Return the prompts on the way; where it would need more than two of them, they switch at 0.5."""
    if a.second is None and b.second is None and a.first == b.first:
        return a
    first, second = _ends(a, b)
    from_, to = _place(a, first, second), _place(b, first, second)
    if from_ is None or to is None:
        return a if position < 0.5 else b
    return Prompts(first=first, second=second, position=_linear(from_, to, position))


def _ends(a: Prompts, b: Prompts) -> tuple[str, str]:
    """Return the texts to move between: those of the prompt morph that there is, else the one of each."""
    if b.second is not None:
        return b.first, b.second
    return a.first, b.first if a.second is None else a.second


def _place(prompts: Prompts, first: str, second: str) -> float | None:
    """Return the position of the prompts between two texts; None where they are not between them."""
    if prompts.second is not None:
        return prompts.position if (prompts.first, prompts.second) == (first, second) else None
    return {second: 1.0, first: 0.0}.get(prompts.first)


def _linear(a: float, b: float, position: float) -> float:
    return min(max(a + (b - a) * position, min(a, b)), max(a, b))
