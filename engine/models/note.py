"""What an exported model carries along, beside all that its layout has a place for: its card and tokenizer.

Other readers of the layout pass over it. Sizes are not taken from it: those of the weights hold.
"""

from __future__ import annotations

from dataclasses import replace

from engine.models.card import ModelCard, card_from_json, card_to_json

NOTE_FILE = "daw_bridge.json"
CARD_KEY = "daw_bridge_card"
TOKENIZER_KEY = "daw_bridge_tokenizer"


def note_of(card: ModelCard) -> str:
    return card_to_json(replace(card, files={}))


def with_note(card: ModelCard, note: str | None, source: str) -> ModelCard:
    """Return the card with licence, canvas, tasks and history of a note; ModelCorrupt for a bad one."""
    if note is None:
        return card
    noted = card_from_json(note, source)
    return replace(
        card,
        licence=noted.licence,
        canvas_s=noted.canvas_s,
        tasks=noted.tasks,
        training=noted.training,
        metrics=noted.metrics,
    )
