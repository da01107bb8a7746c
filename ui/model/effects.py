"""Effects as the panel shows them: what there is to turn, and how far it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daw_bridge.messages.arguments import ParameterValue


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectParameter:
    """One thing to turn: a number from low to high, on or off, one of choices, a file, or a text."""

    name: str
    title: str
    unit: str = ""
    default: ParameterValue | None = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    is_file: bool = False

    @property
    def is_flag(self) -> bool:
        return isinstance(self.default, bool)

    @property
    def is_number(self) -> bool:
        return self.low is not None and self.high is not None and self.low < self.high and not self.choices


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInEffect:
    name: str
    summary: str
    parameters: tuple[EffectParameter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEffect:
    """One step of a chain: effect, a built-in one, or plugin, a file in which name is one of several."""

    effect: str = ""
    plugin: str = ""
    name: str = ""
    parameters: Mapping[str, ParameterValue] = field(default_factory=lambda: MappingProxyType({}))
    mix: float = 1.0
    bypass: bool = False

    @property
    def title(self) -> str:
        return readable(self.effect) if self.effect else self.name or Path(self.plugin).stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plug-in that a scan found; error is why it cannot be used."""

    path: str
    title: str
    format: str = ""
    error: str = ""
    names: tuple[str, ...] = ()
    is_effect: bool = True


def readable(name: str) -> str:
    """Return the name of an effect or parameter as words: high_shelf is High shelf."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def built_ins_of(content: Mapping[str, Mapping[str, Any]]) -> tuple[BuiltInEffect, ...]:
    return tuple(
        BuiltInEffect(
            name=name,
            summary=str(one.get("summary", "")),
            parameters=tuple(_built_in_parameter(key, value) for key, value in one["parameters"].items()),
        )
        for name, one in content.items()
    )


def effects_of(chain: Mapping[str, Any]) -> tuple[ChainEffect, ...]:
    return tuple(
        ChainEffect(
            effect=str(one.get("effect", "")),
            plugin=str(one.get("plugin", "")),
            name=str(one.get("name", "")),
            parameters=MappingProxyType(dict(one.get("parameters", {}))),
            mix=float(one.get("mix", 1.0)),
            bypass=bool(one.get("bypass", False)),
        )
        for one in chain.get("effects", ())
    )


def plugins_of(content: Mapping[str, Mapping[str, Any]]) -> tuple[Plugin, ...]:
    return tuple(_plugin(path, one) for path, one in content.items())


def plugin_parameters_of(listed: list[Mapping[str, Any]]) -> tuple[EffectParameter, ...]:
    """Return what is meant to be turned; what may not be automated is a host's business, as a sample rate."""
    return tuple(
        EffectParameter(
            name=str(one["name"]),
            title=str(one.get("title") or readable(str(one["name"]))),
            unit=str(one.get("unit", "")),
            default=one.get("value"),
            low=float(one["low"]) if one.get("high", 0.0) > one.get("low", 0.0) else None,
            high=float(one["high"]) if one.get("high", 0.0) > one.get("low", 0.0) else None,
            choices=tuple(map(str, one.get("choices", ()))),
        )
        for one in listed
        if one.get("is_automatable", True)
    )


def _built_in_parameter(name: str, content: Mapping[str, Any]) -> EffectParameter:
    return EffectParameter(
        name=name,
        title=_title(name, str(content.get("unit", ""))),
        unit=str(content.get("unit", "")),
        default=content.get("default"),
        low=content.get("low"),
        high=content.get("high"),
        choices=tuple(map(str, content.get("choices", ()))),
        is_file=bool(content.get("file")),
    )


def _title(name: str, unit: str) -> str:
    """Return the words of a name, without the unit that it ends in."""
    first, _, last = name.rpartition("_")
    is_unit = bool(first) and last in ("db", "hz", "ms", "seconds", "semitones")
    return readable(first if is_unit and unit else name)


def _plugin(path: str, content: Mapping[str, Any]) -> Plugin:
    holds: list[Mapping[str, Any]] = content.get("holds", [])
    effects = [one for one in holds if not one.get("is_instrument")]
    return Plugin(
        path=path,
        title=str(content.get("name") or Path(path).stem),
        format=str(content.get("format", "")),
        error=str(content.get("error", "")),
        names=tuple(str(one.get("name", "")) for one in effects),
        is_effect=bool(effects) or not holds,
    )
