"""One effect of a chain, ready to process: a built-in of pedalboard, or a plug-in.

Plug-ins run in whatever process loads them: outside of `engine.fx.host_process` a bad one ends it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pedalboard
from pedalboard._pedalboard import load_plugin

from engine.chains import Effect, ParameterValue
from engine.effects import ANY_LAYOUT, EFFECTS, BuiltIn, check_effect
from engine.errors import AudioMissing, PluginCrash, SpecError
from engine.fx.parameters import read_back, refresh, set_again, set_parameters
from engine.fx.values import NoteKind, PluginClass, PluginFacts, Timing, title_of

MAX_CHANNELS = 8
# pedalboard waits that long for an instrument's first sound; instruments are refused.
_INITIALIZATION_TIMEOUT_S = 0.0
_PROBE_SAMPLES, _PROBE_RATE_HZ = 1_024, 48_000
_BAD_FILE_HINT = "Its file may be damaged, of another system, or in need of a library that is missing."
# A filter at half the sample rate or above it is no filter, and may blow up.
_HIGHEST_OF_RATE = 0.49
_FREQUENCIES = ("cutoff_frequency_hz", "cutoff_hz", "centre_frequency_hz")


@dataclass(slots=True, eq=False)
class Device:
    """A loaded effect.

    layouts are the channel counts that it takes at once; rates_hz those rates, () all. streams says that it
    may get its input in pieces. notes are what was found wrong when it was set up, timings how it keeps time
    with so many channels at a rate.
    """

    title: str
    plugin: Any
    layouts: tuple[int, ...]
    rates_hz: tuple[int, ...] = ()
    streams: bool = True
    shifts: bool = False
    facts: PluginFacts | None = None
    asked: dict[str, float] = field(default_factory=dict)
    notes: list[tuple[NoteKind, str]] = field(default_factory=list)
    timings: dict[tuple[int, int], Timing] = field(default_factory=dict)
    _before: dict[str, float] = field(default_factory=dict)

    @property
    def is_external(self) -> bool:
        return self.facts is not None

    def takes(self, channels: int) -> bool:
        return self.layouts == ANY_LAYOUT or channels in self.layouts

    def fit_to_rate(self, effect: Effect, rate_hz: int) -> list[tuple[NoteKind, str]]:
        """Set what depends on the sample rate; returns what could not be as it was asked for."""
        if self.is_external:
            return []
        return _frequencies_below(self.plugin, effect, rate_hz)

    def pass_silence(self) -> None:
        channels = 2 if self.takes(2) else self.layouts[0]
        self.plugin.process(np.zeros((channels, _PROBE_SAMPLES), np.float32), _PROBE_RATE_HZ, reset=False)

    def changed_parameters(self) -> list[tuple[NoteKind, str]]:
        """Return which of the parameters that were asked for are no longer what they were set to."""
        if not self.asked:
            return []
        refresh(self.plugin)
        return [(NoteKind.PARAMETER, text) for text in read_back(self.plugin, self.asked)]

    def set_to(self, values: Mapping[str, ParameterValue]) -> None:
        """Set a plug-in's parameters; those that are not named go back to what they were when it was loaded.

        Raises:
            SpecError: a parameter or value that there is not.
        """
        known = self.plugin.parameters
        self._before = {name: known[name].raw_value for name in values if name in known} | self._before
        unnamed = {name: raw for name, raw in self._before.items() if name not in values}
        set_again(self.plugin, unnamed)
        self.asked = set_parameters(self.plugin, values, self.title)
        self.timings.clear()

    def settle(self) -> None:
        """Bring parameters to where the sound is made, so that what became of them can be seen."""
        self.pass_silence()
        kept = [note for note in self.notes if note[0] is not NoteKind.PARAMETER]
        self.notes = [*kept, *self.changed_parameters()]

    def set_parameters_again(self) -> None:
        if self.asked:
            set_again(self.plugin, self.asked)


def load(effect: Effect) -> Device:
    """Load an effect with its parameters; of a plug-in on the process's main thread only.

    Raises:
        SpecError: a parameter, a value or one of several plug-ins in a file that there is not.
        AudioMissing: an impulse response that is not there.
        PluginCrash: a plug-in that refuses.
    """
    return _built_in(effect, check_effect(effect)) if effect.effect else _external(effect)


def _built_in(effect: Effect, built_in: BuiltIn) -> Device:
    kind = getattr(pedalboard, built_in.class_name)
    for name, parameter in built_in.parameters.items():
        if parameter.is_file and not Path(str(effect.parameters[name])).is_file():
            raise AudioMissing(f"there is no file {effect.parameters[name]} for {title_of(effect)}")
    values = {name: _native(kind, built_in, name, value) for name, value in effect.parameters.items()}
    try:
        plugin = kind(**values)
    except (ValueError, RuntimeError) as error:
        raise SpecError(f"{title_of(effect)} refuses its parameters: {error}") from error
    return Device(
        title=title_of(effect),
        plugin=plugin,
        layouts=built_in.layouts,
        rates_hz=built_in.rates_hz,
        streams=built_in.streams,
        shifts=built_in.shifts,
    )


def _native(kind: Any, built_in: BuiltIn, name: str, value: ParameterValue) -> Any:
    """Return a choice as pedalboard's enumeration, everything else as it is."""
    if not built_in.parameters[name].choices:
        return value
    enumeration = kind.Mode if hasattr(kind, "Mode") else pedalboard.Resample.Quality
    return enumeration.__members__[str(value)]


def _frequencies_below(plugin: Any, effect: Effect, rate_hz: int) -> list[tuple[NoteKind, str]]:
    highest_hz, notes = _HIGHEST_OF_RATE * rate_hz, []
    for name in _FREQUENCIES:
        if name not in EFFECTS[effect.effect].parameters:
            continue
        asked_hz = float(effect.parameters.get(name, EFFECTS[effect.effect].parameters[name].default or 0.0))
        setattr(plugin, name, min(asked_hz, highest_hz))
        if asked_hz > highest_hz:
            text = f"{name} of {asked_hz:g} Hz is too high for {rate_hz} Hz; {highest_hz:g} Hz was taken"
            notes.append((NoteKind.PARAMETER, text))
    return notes


def _external(effect: Effect) -> Device:
    title = title_of(effect)
    plugin = _loaded(effect, title)
    device = Device(title=title, plugin=plugin, layouts=(), facts=facts_of(plugin, effect.plugin))
    if plugin.is_instrument:
        raise PluginCrash(f"{title} is an instrument: it takes no sound", "Take it out of the chain.")
    if effect.raw_state:
        device.notes += _set_state(plugin, effect.raw_state, title)
    device.set_to(effect.parameters)
    device.layouts = layouts_of(plugin)
    if not device.layouts:
        raise PluginCrash(f"{title} takes none of 1 to {MAX_CHANNELS} channels", "Take it out of the chain.")
    device.settle()
    return device


def _loaded(effect: Effect, title: str) -> Any:
    if not Path(effect.plugin).exists():
        message = f"there is no plug-in {effect.plugin}"
        raise PluginCrash(message, "Install it, or take it out of the chain.")
    if effect.name:
        _require_name(effect)
    try:
        return load_plugin(
            effect.plugin,
            plugin_name=effect.name or None,
            initialization_timeout=_INITIALIZATION_TIMEOUT_S,
        )
    except ImportError as error:
        raise PluginCrash(f"{title} cannot be loaded from {effect.plugin}", _BAD_FILE_HINT) from error
    except (ValueError, RuntimeError) as error:
        raise PluginCrash(f"{title} refuses to load: {_one_line(error)}") from error


def _require_name(effect: Effect) -> None:
    """Refuse a name that none of several plug-ins in a file has; of a single one it says nothing."""
    names = names_in(effect.plugin)
    if len(names) > 1 and effect.name not in names:
        message = f"there is no plug-in {effect.name!r:.60} in {effect.plugin}"
        raise SpecError(message, f"It holds {', '.join(names)}.")


def _one_line(error: Exception) -> str:
    return inspect.cleandoc(str(error)).replace("\n", " ").replace("\t", " ")[:400]


def facts_of(plugin: Any, path: str) -> PluginFacts:
    return PluginFacts(
        path=path,
        name=plugin.name,
        version=plugin.version,
        manufacturer=plugin.manufacturer_name,
        category=plugin.category,
        is_instrument=plugin.is_instrument,
        latency_samples=plugin.reported_latency_samples,
    )


def names_in(path: str) -> tuple[str, ...]:
    """Return the names of the plug-ins in a file; raises PluginCrash."""
    kinds = [getattr(pedalboard, name, None) for name in ("VST3Plugin", "AudioUnitPlugin")]
    for kind in kinds:
        with contextlib.suppress(ImportError):
            if kind is not None:
                return tuple(kind.get_plugin_names_for_file(path))
    raise PluginCrash(f"{path} holds no plug-in that can be loaded", _BAD_FILE_HINT)


def class_of(effect: Effect) -> PluginClass:
    """Return what one plug-in of a file says of itself; raises PluginCrash."""
    facts = facts_of(_loaded(effect, title_of(effect)), effect.plugin)
    return PluginClass(
        name=facts.name,
        manufacturer=facts.manufacturer,
        version=facts.version,
        category=facts.category,
        is_instrument=facts.is_instrument,
    )


def layouts_of(plugin: Any) -> tuple[int, ...]:
    """Return the channel counts from 1 to 8 that a plug-in takes and gives back."""
    return tuple(channels for channels in range(1, MAX_CHANNELS + 1) if _takes(plugin, channels))


def _takes(plugin: Any, channels: int) -> bool:
    try:
        silence_NS = np.zeros((channels, _PROBE_SAMPLES), np.float32)
        return bool(plugin.process(silence_NS, _PROBE_RATE_HZ, reset=False).shape[0] == channels)
    except ValueError:
        # It was put to sleep for the change, and would stay so: only this makes pedalboard wake it.
        plugin.reset()
        return False


def _set_state(plugin: Any, raw_state: str, title: str) -> list[tuple[NoteKind, str]]:
    try:
        state = base64.b64decode(raw_state, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SpecError(
            f"raw_state of {title} is not base64", "Save the state of the plug-in again."
        ) from error
    before = plugin.raw_state
    plugin.raw_state = state
    if plugin.raw_state == before and state != before:
        return [(NoteKind.STATE, "it did not take the saved state, perhaps another version's")]
    return []
