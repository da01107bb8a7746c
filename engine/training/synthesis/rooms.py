"""The places a sound is heard in: synthetic reverberation and distance.

S samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from engine.training.synthesis.concept import Attribute
from engine.training.synthesis.dsp import Signal, band, seconds, shaped_noise, tilted

CHANCES: tuple[tuple[Attribute | None, float], ...] = (
    (Attribute.DRY, 0.3),
    (None, 0.32),
    (Attribute.SMALL_ROOM, 0.14),
    (Attribute.HUGE_HALL, 0.14),
    (Attribute.DISTANT, 0.1),
)
FAINT_WET = 0.12
FLOOR_CHANCE = 0.6
FLOOR_DB = (-75.0, -45.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A reverberation: time to fall by 60 dB, first reflections within reach_s, darker than corner_hz."""

    decay_s: float
    reach_s: float
    corner_hz: float
    reflections: int

    def response(self, rng: np.random.Generator, rate_hz: int) -> Signal:
        """Return an impulse response without the direct sound, at unit energy."""
        length = round(min(self.decay_s, 4.0) * rate_hz)
        t = seconds(length, rate_hz)
        noise_S = rng.standard_normal(length) * 10 ** (-3 * t / self.decay_s)
        noise_S *= np.minimum(t / self.reach_s, 1.0)
        at = (self.reach_s * rng.uniform(0.08, 1.0, self.reflections) * rate_hz).astype(int)
        noise_S[at] += 4.0 * rng.choice((-1, 1), self.reflections) * rng.uniform(0.5, 1.0, self.reflections)
        response_S = band(noise_S, 100, self.corner_hz, rate_hz, 1)
        return response_S / np.sqrt(np.sum(response_S**2))


def draw_place(rng: np.random.Generator) -> Attribute | None:
    """Return where the next sound is heard; None is a trace of a room that no caption tells of."""
    places, chances = zip(*CHANCES, strict=True)
    return places[int(rng.choice(len(places), p=chances))]


def put_into(place: Attribute | None, audio_S: Signal, rng: np.random.Generator, rate_hz: int) -> Signal:
    """Return the sound as heard there, as long as it was."""
    if place is Attribute.DRY:
        return audio_S
    if place is Attribute.SMALL_ROOM:
        room = Room(
            decay_s=rng.uniform(0.25, 0.5), reach_s=0.012, corner_hz=rng.uniform(3e3, 7e3), reflections=12
        )
        return _mix(audio_S, room, rng.uniform(0.6, 0.9), rng, rate_hz)
    if place is Attribute.HUGE_HALL:
        room = Room(
            decay_s=rng.uniform(2.5, 5.0), reach_s=0.06, corner_hz=rng.uniform(2.5e3, 6e3), reflections=9
        )
        return _mix(audio_S, room, rng.uniform(0.7, 1.1), rng, rate_hz)
    if place is Attribute.DISTANT:
        room = Room(decay_s=rng.uniform(1.0, 1.8), reach_s=0.03, corner_hz=2000, reflections=6)
        far_S = band(audio_S, 150, rng.uniform(1600, 2600), rate_hz, 1)
        return _mix(far_S, room, rng.uniform(0.9, 1.3), rng, rate_hz)
    room = Room(decay_s=rng.uniform(0.2, 0.6), reach_s=0.01, corner_hz=5000, reflections=8)
    return _mix(audio_S, room, rng.uniform(0.0, FAINT_WET), rng, rate_hz)


def floor_noise(audio_S: Signal, rng: np.random.Generator, rate_hz: int) -> Signal:
    """Return the faint noise of a recording, far below the sound's own RMS, or silence."""
    if rng.uniform() > FLOOR_CHANCE:
        return np.zeros_like(audio_S)
    level = 10 ** (rng.uniform(*FLOOR_DB) / 20) * np.sqrt(np.mean(audio_S**2))
    return level * shaped_noise(rng, len(audio_S), rate_hz, tilted(rng.uniform(0.0, 0.5)))


def _mix(audio_S: Signal, room: Room, wet: float, rng: np.random.Generator, rate_hz: int) -> Signal:
    """Add reverberation at a level of `wet` times the RMS of the sound itself."""
    wet_S = signal.fftconvolve(audio_S, room.response(rng, rate_hz))[: len(audio_S)]
    level = np.sqrt(np.mean(audio_S**2) / max(float(np.mean(wet_S**2)), 1e-12))
    return audio_S + wet * level * wet_S
