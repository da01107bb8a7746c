"""The parameters as they are now: set one by one, by presets, or gliding.

Times are seconds of one clock of the caller's that is never set back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from daw_bridge.live.morph import PROMPT_PARAMETERS, Preset, Prompts, between
from daw_bridge.live.parameters import DEFAULTS
from daw_bridge.messages.arguments import ParameterValue

GLIDE_STEP_S = 0.05

Watcher = Callable[[str, ParameterValue], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Glide:
    """The way from one state to another; both hold the same parameters."""

    start: Preset
    end: Preset
    start_s: float
    end_s: float

    def at(self, now_s: float) -> Preset:
        if now_s >= self.end_s:
            return self.end
        return between(self.start, self.end, (now_s - self.start_s) / (self.end_s - self.start_s))

    def without(self, names: Collection[str]) -> _Glide | None:
        """Return the glide of the other parameters; None where there are none."""
        rest = self.end.values.keys() - names
        return replace(self, start=self.start.only(rest), end=self.end.only(rest)) if rest else None


class ParameterBoard:
    """Holds the value of every parameter, and the second prompt while the sound is between two.

    Values are those that the messages' kinds let through.
    """

    def __init__(self) -> None:
        self._values = dict(DEFAULTS)
        self._prompt_b: str | None = None
        self._glide: _Glide | None = None
        self._watchers: dict[object, Watcher] = {}

    @property
    def prompts(self) -> Prompts:
        prompts = self.snapshot().prompts
        assert prompts is not None, "the board has a value for each parameter"
        return prompts

    def get(self, name: str) -> ParameterValue:
        return self._values[name]

    def values(self) -> dict[str, ParameterValue]:
        return dict(self._values)

    def snapshot(self) -> Preset:
        """Return everything as a preset."""
        return Preset(values=self.values(), prompt_b=self._prompt_b)

    def set(self, name: str, value: ParameterValue) -> None:
        """Set a parameter, and take it out of the glide; a prompt ends the prompt morph."""
        self.load(Preset(values={name: value}))

    def morph_prompts(self, prompt_a: str, prompt_b: str, position: float) -> None:
        """Put the sound between two prompts; the parameter morph then moves it."""
        self.load(Preset(values={"prompt": prompt_a, "morph": position}, prompt_b=prompt_b))

    def load(self, preset: Preset) -> None:
        """Set what a preset holds, and take it out of the glide."""
        if self._glide is not None:
            self._glide = self._glide.without(_together(preset.values))
        self._apply(preset)

    def morph(
        self, a: Preset, b: Preset, position: float, *, now_s: float, glide_s: float = 0.0
    ) -> float | None:
        """Go to a position between two presets, in place of an earlier glide; return as `advance` does."""
        end = between(a, b, position)
        start = self.snapshot().only(_together(end.values))
        self._glide = _Glide(start=start, end=end.over(start), start_s=now_s, end_s=now_s + glide_s)
        return self.advance(now_s)

    def advance(self, now_s: float) -> float | None:
        """Move the glide; return when to call again, None when nothing glides any more."""
        if self._glide is None:
            return None
        glide = self._glide
        if now_s >= glide.end_s:
            self._glide = None
        self._apply(glide.at(now_s))
        return min(now_s + GLIDE_STEP_S, glide.end_s) if now_s < glide.end_s else None

    def watch(self, callback: Watcher) -> Callable[[], None]:
        """Tell each change, once everything that changes together has; return what ends it.

        A callback must not set parameters.
        """
        key = object()
        self._watchers[key] = callback

        def unwatch() -> None:
            self._watchers.pop(key, None)

        return unwatch

    def _apply(self, preset: Preset) -> None:
        if "prompt" in preset.values:
            self._prompt_b = preset.prompt_b
        changed = {name: value for name, value in preset.values.items() if self._values[name] != value}
        self._values.update(changed)
        for name, value in changed.items():
            for callback in tuple(self._watchers.values()):
                callback(name, value)


def _together(names: Collection[str]) -> frozenset[str]:
    """Return the names, with both of prompt and morph where one is among them."""
    return frozenset(names) | (PROMPT_PARAMETERS if PROMPT_PARAMETERS & set(names) else frozenset())
