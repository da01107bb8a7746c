"""Instrument concepts: General MIDI presets that play random phrases.

N channels, S samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.training.synthesis.concept import Concept, RenderContext, Sound
from engine.training.synthesis.fluidsynth import Part, render_parts
from engine.training.synthesis.phrases import Compass, Pace, Style, draw_phrase

GROUP = "instrument"
_MAX_DETUNING_CENTS = 25.0
# Sounds that decay have no held notes, so that LONG never names them.
_STRUCK = (Style.MELODY, Style.CHORDS, Style.ARPEGGIO, Style.REPEATED)
_STRUCK_LINE = (Style.MELODY, Style.ARPEGGIO, Style.REPEATED)
_BLOWN = (Style.MELODY, Style.MELODY, Style.ARPEGGIO, Style.REPEATED, Style.HELD)
_ENSEMBLE = (Style.MELODY, Style.CHORDS, Style.CHORDS, Style.HELD)
_ALL = tuple(Style)
_UNHURRIED = (Pace.SLOW, Pace.MEDIUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A name, the (bank, program) presets that sound like it, and what it can play."""

    name: str
    presets: tuple[tuple[int, int], ...]
    compass: Compass
    synonyms: tuple[str, ...] = ()
    countable: bool = True


def render_instrument(instrument: Instrument, context: RenderContext) -> Sound:
    """Play a random phrase on one of the instrument's presets."""
    rng = context.rng
    bank, program = instrument.presets[int(rng.integers(len(instrument.presets)))]
    phrase = draw_phrase(rng, instrument.compass, context.duration_s)
    part = Part(
        bank=bank,
        program=program,
        notes=phrase.notes,
        tuning_cents=float(rng.uniform(-_MAX_DETUNING_CENTS, _MAX_DETUNING_CENTS)),
    )
    audio_NS = render_parts([part], sample_rate_hz=context.sample_rate_hz, duration_s=context.duration_s)
    return Sound(audio_S=audio_NS.mean(axis=0, dtype=np.float32), attributes=phrase.attributes)


def _instrument(
    name: str,
    programs: tuple[int, ...],
    keys: tuple[int, int],
    styles: tuple[Style, ...],
    *synonyms: str,
    paces: tuple[Pace, ...] = tuple(Pace),
    variations: tuple[int, ...] = (),
    countable: bool = True,
) -> Instrument:
    """Describe an instrument by its programs of bank 0 and of the variation bank 8."""
    return Instrument(
        name=name,
        presets=tuple((0, program) for program in programs) + tuple((8, one) for one in variations),
        compass=Compass(low_key=keys[0], high_key=keys[1], styles=styles, paces=paces),
        synonyms=synonyms,
        countable=countable,
    )


INSTRUMENTS = (
    _instrument("piano", (0, 1), (30, 96), _STRUCK, "grand piano", "acoustic piano"),
    _instrument("electric piano", (4, 5), (36, 88), _STRUCK, "rhodes piano", variations=(4,)),
    _instrument("harpsichord", (6,), (36, 84), _STRUCK, "cembalo", variations=(6,)),
    _instrument("church organ", (19,), (36, 84), _ENSEMBLE, "pipe organ", paces=_UNHURRIED, variations=(19,)),
    _instrument("accordion", (21, 23), (48, 84), _ALL, "squeezebox", variations=(21,)),
    _instrument("harmonica", (22,), (60, 88), _BLOWN, "mouth organ", "blues harp"),
    _instrument("acoustic guitar", (24, 25), (40, 79), _STRUCK, "nylon guitar", variations=(25,)),
    _instrument("distorted guitar", (29, 30), (40, 76), _ALL, "electric guitar", "rock guitar"),
    _instrument("bass guitar", (33, 34, 37), (28, 52), _STRUCK_LINE, "electric bass", "bass line"),
    _instrument("violin", (40, 110), (55, 94), _BLOWN, "fiddle", variations=(40,)),
    _instrument("cello", (42,), (36, 67), _BLOWN, "violoncello", paces=_UNHURRIED),
    _instrument("string ensemble", (48, 49), (40, 86), _ENSEMBLE, "string section", paces=_UNHURRIED),
    _instrument(
        "pizzicato strings", (45,), (38, 84), _STRUCK, "plucked strings", "pizzicato", countable=False
    ),
    _instrument("harp", (46,), (36, 91), _STRUCK, "concert harp"),
    _instrument("timpani", (47,), (36, 55), _STRUCK_LINE, "kettle drums", countable=False),
    _instrument("choir", (52, 53), (45, 79), _ENSEMBLE, "choir singing", paces=_UNHURRIED),
    _instrument("orchestra hit", (55,), (42, 76), (Style.REPEATED, Style.MELODY), paces=_UNHURRIED),
    _instrument("trumpet", (56,), (55, 84), _BLOWN),
    _instrument("trombone", (57,), (40, 70), _BLOWN, paces=_UNHURRIED),
    _instrument("tuba", (58,), (28, 55), _BLOWN, paces=_UNHURRIED),
    _instrument("brass section", (61,), (43, 77), _ALL, "brass ensemble", "horn section", variations=(61,)),
    _instrument("saxophone", (64, 65, 66), (50, 82), _BLOWN, "sax"),
    _instrument("oboe", (68,), (58, 88), _BLOWN),
    _instrument("clarinet", (71,), (50, 88), _BLOWN),
    _instrument("flute", (73,), (60, 94), _BLOWN),
    _instrument("pan flute", (75,), (60, 94), _BLOWN, "panpipe"),
    _instrument("recorder", (74,), (65, 96), _BLOWN, "recorder flute"),
    _instrument("sitar", (104,), (48, 79), _STRUCK_LINE),
    _instrument("banjo", (105,), (48, 81), _STRUCK),
    _instrument("koto", (107,), (48, 84), _STRUCK_LINE),
    _instrument("kalimba", (108,), (55, 86), _STRUCK, "thumb piano"),
    _instrument("bagpipes", (109,), (55, 79), _BLOWN, countable=False),
    _instrument("steel drums", (114,), (52, 84), _STRUCK, "steel pans", countable=False),
    _instrument("music box", (10,), (60, 96), _STRUCK),
    _instrument("glockenspiel", (9,), (72, 103), _STRUCK_LINE),
    _instrument("xylophone", (13,), (60, 101), _STRUCK_LINE),
    _instrument("marimba", (12,), (45, 91), _STRUCK),
    _instrument("vibraphone", (11,), (53, 89), _STRUCK),
    _instrument(
        "tubular bells", (14,), (55, 79), _STRUCK_LINE, "tubular chimes", paces=_UNHURRIED, countable=False
    ),
    _instrument("taiko drum", (116,), (36, 60), (Style.REPEATED, Style.MELODY), "taiko"),
    _instrument("synth lead", (80, 81), (48, 88), _BLOWN, "lead synthesizer"),
)

CONCEPTS: tuple[Concept, ...] = tuple(
    Concept(
        name=instrument.name,
        group=GROUP,
        synonyms=instrument.synonyms,
        countable=instrument.countable,
        render=partial(render_instrument, instrument),
    )
    for instrument in INSTRUMENTS
)
