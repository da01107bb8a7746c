"""The built-in effects of pedalboard as values, and chains checked against them; stdlib only.

Left out are pedalboard's containers (Chain, Mix, Pedalboard: a chain is already their order, and mix their
blend), its abstract classes, and the classes that plug-ins are loaded with.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.chains import Chain, Effect, ParameterValue
from engine.errors import SpecError

# Any number of channels at once. Of more than two, Reverb and Convolution would leave some as they were.
ANY_LAYOUT = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter: a number in a range, true or false, one of some choices, or a file.

    default is None where a value must be given. unit is for display; "" says a plain number.
    """

    name: str
    default: ParameterValue | None
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    choices: tuple[str, ...] = ()
    is_file: bool = False

    def refusal(self, value: object) -> str:
        """Return what is wrong with a value, "" where nothing is."""
        if self.choices:
            return "" if value in self.choices else f"is {value!r:.60}, not one of {', '.join(self.choices)}"
        if self.is_file:
            return "" if isinstance(value, str) and value else "must be the path of a file"
        if isinstance(self.default, bool):
            return "" if isinstance(value, bool) else "must be true or false"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "must be a number"
        if not self.low <= value <= self.high:
            unit = f" {self.unit}" if self.unit else ""
            return f"is {value:g}, outside {self.low:g} to {self.high:g}{unit}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """One of pedalboard's effects.

    layouts are the channel counts it takes, (0,) any. rates_hz are the sample rates it takes, () any. streams
    says that a sound may be given to it in pieces. shifts says that its latency is not compensated exactly.
    """

    name: str
    class_name: str
    summary: str
    parameters: Mapping[str, Parameter]
    layouts: tuple[int, ...] = ANY_LAYOUT
    rates_hz: tuple[int, ...] = ()
    streams: bool = True
    shifts: bool = False


def _number(name: str, default: float, low: float, high: float) -> Parameter:
    return Parameter(name=name, default=default, low=low, high=high, unit=_unit(name))


def _unit(name: str) -> str:
    units = {"db": "dB", "hz": "Hz", "ms": "ms", "seconds": "s", "rate": "Hz", "semitones": "semitones"}
    return units.get(name.rsplit("_", 1)[-1], "")


def _choice(name: str, default: str, choices: Iterable[str]) -> Parameter:
    return Parameter(name=name, default=default, choices=tuple(choices))


def _effect(
    class_name: str,
    summary: str,
    *parameters: Parameter,
    layouts: tuple[int, ...] = ANY_LAYOUT,
    rates_hz: tuple[int, ...] = (),
    streams: bool = True,
    shifts: bool = False,
) -> BuiltIn:
    return BuiltIn(
        name=_NAMES.get(class_name) or _snake_case(class_name),
        class_name=class_name,
        summary=summary,
        parameters=MappingProxyType({one.name: one for one in parameters}),
        layouts=layouts,
        rates_hz=rates_hz,
        streams=streams,
        shifts=shifts,
    )


def _snake_case(class_name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in class_name).lstrip("_")


_NAMES = {"GSMFullRateCompressor": "gsm_full_rate_compressor", "MP3Compressor": "mp3_compressor"}
_QUALITIES = (
    "ZeroOrderHold",
    "Linear",
    "CatmullRom",
    "Lagrange",
    "WindowedSinc",
    "WindowedSinc256",
    "WindowedSinc128",
    "WindowedSinc64",
    "WindowedSinc32",
    "WindowedSinc16",
    "WindowedSinc8",
)
_LADDER_MODES = ("LPF12", "HPF12", "BPF12", "LPF24", "HPF24", "BPF24")
_Q = 1 / math.sqrt(2)


def _cutoff(default: float) -> Parameter:
    return _number("cutoff_frequency_hz", default, 1.0, 40_000.0)


def _shelf(class_name: str, summary: str) -> BuiltIn:
    return _effect(
        class_name,
        summary,
        _cutoff(440.0),
        _number("gain_db", 0.0, -60.0, 60.0),
        _number("q", _Q, 0.05, 50.0),
    )


def _modulation(class_name: str, summary: str, centre: Parameter, depth: float) -> BuiltIn:
    return _effect(
        class_name,
        summary,
        _number("rate_hz", 1.0, 0.0, 100.0),
        _number("depth", depth, 0.0, 1.0),
        centre,
        _number("feedback", 0.0, -1.0, 1.0),
        _number("mix", 0.5, 0.0, 1.0),
    )


def _dynamics(
    class_name: str, summary: str, threshold_db: float, ratio: float, attack_ms: float, release_ms: float
) -> BuiltIn:
    return _effect(
        class_name,
        summary,
        _number("threshold_db", threshold_db, -100.0, 24.0),
        _number("ratio", ratio, 1.0, 100.0),
        _number("attack_ms", attack_ms, 0.0, 2_000.0),
        _number("release_ms", release_ms, 0.0, 5_000.0),
    )


_ALL = (
    _effect("Bitcrush", "fewer bits a sample", _number("bit_depth", 8.0, 1.0, 32.0)),
    _effect(
        "BrickwallLimiter",
        "limit to a ceiling, looking ahead",
        _number("ceiling_db", -1.0, -60.0, 24.0),
        _number("release_ms", 100.0, 0.1, 5_000.0),
        _number("lookahead_ms", 5.0, 0.1, 100.0),
        Parameter(name="true_peak", default=False),
    ),
    _modulation("Chorus", "many voices", _number("centre_delay_ms", 7.0, 1.0, 100.0), 0.25),
    _effect("Clipping", "cut off peaks", _number("threshold_db", -6.0, -60.0, 24.0)),
    _dynamics("Compressor", "less above a threshold, each channel by itself", 0.0, 1.0, 1.0, 100.0),
    _effect(
        "Convolution",
        "the sound of a room or a speaker, from a recorded impulse",
        Parameter(name="impulse_response_filename", default=None, is_file=True),
        _number("mix", 1.0, 0.0, 1.0),
        layouts=(1, 2),
    ),
    _effect(
        "Delay",
        "echoes",
        _number("delay_seconds", 0.5, 0.0, 30.0),
        _number("feedback", 0.0, 0.0, 1.0),
        _number("mix", 0.5, 0.0, 1.0),
    ),
    _effect("Distortion", "a tanh curve after a gain", _number("drive_db", 25.0, -20.0, 100.0)),
    _effect(
        "GSMFullRateCompressor",
        "a mobile telephone: 8 kHz, mono",
        _choice("quality", "WindowedSinc8", _QUALITIES),
        layouts=(1,),
        streams=False,
    ),
    _effect("Gain", "louder or softer", _number("gain_db", 1.0, -96.0, 48.0)),
    _shelf("HighShelfFilter", "raise or lower the highs"),
    _effect("HighpassFilter", "take lows away, 6 dB an octave", _cutoff(50.0)),
    _effect("Invert", "turn the polarity over"),
    _effect(
        "LadderFilter",
        "a synthesiser's filter",
        _choice("mode", "LPF12", _LADDER_MODES),
        _number("cutoff_hz", 200.0, 1.0, 40_000.0),
        _number("resonance", 0.0, 0.0, 1.0),
        _number("drive", 1.0, 1.0, 100.0),
    ),
    _effect(
        "Limiter",
        "limit, then raise towards full scale (brickwall_limiter does not raise)",
        _number("threshold_db", -10.0, -100.0, 0.0),
        _number("release_ms", 100.0, 0.1, 5_000.0),
    ),
    _shelf("LowShelfFilter", "raise or lower the lows"),
    _effect("LowpassFilter", "take highs away, 6 dB an octave", _cutoff(50.0)),
    _effect(
        "MP3Compressor",
        "what an MP3 loses; 0 best, 9 worst",
        _number("vbr_quality", 2.0, 0.0, 9.9),
        layouts=(1, 2),
        rates_hz=(32_000, 44_100, 48_000),
    ),
    _dynamics("NoiseGate", "silence below a threshold", -100.0, 10.0, 1.0, 100.0),
    _shelf("PeakFilter", "raise or lower a band"),
    _modulation("Phaser", "moving notches", _number("centre_frequency_hz", 1_300.0, 20.0, 20_000.0), 0.5),
    # Each call of it forgets what the one before left in its delay line.
    _effect(
        "PitchShift",
        "higher or lower, as long as before",
        _number("semitones", 0.0, -72.0, 72.0),
        layouts=(1, 2),
        streams=False,
        shifts=True,
    ),
    _effect(
        "Resample",
        "the sound of a lower sample rate",
        _number("target_sample_rate", 8_000.0, 100.0, 192_000.0),
        _choice("quality", "WindowedSinc32", _QUALITIES),
    ),
    _effect(
        "Reverb",
        "a room",
        _number("room_size", 0.5, 0.0, 1.0),
        _number("damping", 0.5, 0.0, 1.0),
        _number("wet_level", 0.33, 0.0, 1.0),
        _number("dry_level", 0.4, 0.0, 1.0),
        _number("width", 1.0, 0.0, 1.0),
        _number("freeze_mode", 0.0, 0.0, 1.0),
        layouts=(1, 2),
    ),
)
EFFECTS: Mapping[str, BuiltIn] = MappingProxyType({one.name: one for one in _ALL})


def checked(chain: Chain) -> Chain:
    """Return the chain if every built-in effect in it exists and has such parameters.

    What a plug-in has is known only to itself; its parameters are checked when it is loaded.

    Raises:
        SpecError: an effect, a parameter or a value that there is not; says what there is.
    """
    for effect in chain.effects:
        if effect.effect:
            check_effect(effect)
    return chain


def check_effect(effect: Effect) -> BuiltIn:
    """Return the built-in that a step asks for; raises SpecError as `checked`."""
    built_in = EFFECTS.get(effect.effect)
    if built_in is None:
        raise SpecError(f"there is no effect {effect.effect!r:.60}", _offer(effect.effect, EFFECTS))
    for name, value in effect.parameters.items():
        parameter = built_in.parameters.get(name)
        if parameter is None:
            message = f"the effect {effect.effect} has no parameter {name!r:.60}"
            raise SpecError(message, _offer(name, built_in.parameters))
        if refusal := parameter.refusal(value):
            raise SpecError(f"the effect {effect.effect}: {name} {refusal}")
    for name, parameter in built_in.parameters.items():
        if parameter.default is None and name not in effect.parameters:
            raise SpecError(f"the effect {effect.effect} needs {name}", "It is the path of a sound file.")
    return built_in


def _offer(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    there_are = f"There are {', '.join(names)}." if names else "It has no parameters."
    return f"Did you mean {near[0]}? {there_are}" if near else there_are
