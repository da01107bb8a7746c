"""Captions in plain English that say only what holds for the sound."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.training.synthesis.concept import Attribute, Concept

ADJECTIVES: dict[Attribute, tuple[str, ...]] = {
    Attribute.LOW: ("low", "low-pitched", "deep"),
    Attribute.HIGH: ("high", "high-pitched"),
    Attribute.FAST: ("fast", "quick"),
    Attribute.SLOW: ("slow",),
    Attribute.BRIGHT: ("bright", "crisp"),
    Attribute.DARK: ("dark", "dull"),
    Attribute.SOFT: ("soft", "gentle"),
    Attribute.HARD: ("hard", "strong", "intense"),
    Attribute.SHORT: ("short",),
    Attribute.LONG: ("long",),
    Attribute.DRY: ("dry",),
    Attribute.DISTANT: ("distant",),
}
PLACES: dict[Attribute, tuple[str, ...]] = {
    Attribute.SMALL_ROOM: ("in a small room", "in a little room"),
    Attribute.HUGE_HALL: ("in a huge hall", "in a cathedral"),
    Attribute.DISTANT: ("in the distance", "far away"),
}
TEMPLATES = (
    "{article}{adjectives}{noun}{place}",
    "{adjectives}{noun}{place}",
    "the sound of {article}{adjectives}{noun}{place}",
    "{noun}{place}{after}",
    "{article}{noun}{place}{after}",
    "a recording of {article}{adjectives}{noun}{place}",
)
TEMPLATE_CHANCES = (0.35, 0.2, 0.14, 0.1, 0.1, 0.11)
PLAIN_CHANCE = 0.2
MENTION_CHANCE = 0.75
NAME_CHANCE = 0.7


def caption(concept: Concept, attributes: Iterable[Attribute], rng: np.random.Generator) -> str:
    """Return a description that names the concept (or a synonym) and some of the attributes."""
    noun = concept.name
    if concept.synonyms and rng.uniform() > NAME_CHANCE:
        noun = concept.synonyms[int(rng.integers(len(concept.synonyms)))]
    adjectives, places = _mentions(attributes, rng)
    template = TEMPLATES[int(rng.choice(len(TEMPLATES), p=TEMPLATE_CHANCES))]
    before = ", ".join(adjectives) + " " if adjectives and "{adjectives}" in template else ""
    return template.format(
        article=f"{_article(before + noun)} " if concept.countable else "",
        adjectives=before,
        noun=noun,
        place=" " + places[0] if places else "",
        after="".join(f", {word}" for word in adjectives),
    )


def _mentions(attributes: Iterable[Attribute], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    adjectives: list[str] = []
    places: list[str] = []
    plain = rng.uniform() < PLAIN_CHANCE
    for attribute in sorted(attributes, key=lambda each: each.name):
        if plain or rng.uniform() > MENTION_CHANCE:
            continue
        if attribute in PLACES and (attribute not in ADJECTIVES or rng.uniform() < 0.5):
            places.append(_one_of(PLACES[attribute], rng))
        else:
            adjectives.append(_one_of(ADJECTIVES[attribute], rng))
    rng.shuffle(adjectives)
    return adjectives, places


def _one_of(words: tuple[str, ...], rng: np.random.Generator) -> str:
    """Return one of the words, the first (plainest) most often."""
    return words[0] if rng.uniform() < 0.6 else words[int(rng.integers(len(words)))]


def _article(phrase: str) -> str:
    return "an" if phrase[0].lower() in "aeio8" else "a"
