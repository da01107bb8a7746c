"""The parameters of live control: what /ldm/1/param/<name> takes, by name.

They set what the next queued take is made with. Bounds are those of engine.types.
"""

from __future__ import annotations

from typing import Any

from daw_bridge.messages.arguments import Argument, Flag, Number, Text, Whole, label
from engine.types import (
    MAX_DURATION_S,
    MAX_PROMPT_CHARACTERS,
    MAX_TAKES,
    MIN_DURATION_S,
    Editor,
    Highs,
    SamplerName,
    Stereo,
)

MAX_SEED = 2**63 - 1

PROMPT = Text("what to hear, in words", "rain on a tin roof", most=MAX_PROMPT_CHARACTERS)
SECONDS = Number("length of the sound", 4.0, MIN_DURATION_S, MAX_DURATION_S, "s")
STRENGTH = Number("how much of the region changes: 0 nothing, 1 as much as the editor can", 0.5, 0.0, 1.0)
MORPH = Number("place between the two: 0 the first, 1 the second", 0.25, 0.0, 1.0)

PARAMETERS: dict[str, Argument[Any]] = {
    "prompt": PROMPT,
    "negative": Text("what not to hear, in words", "hiss", most=MAX_PROMPT_CHARACTERS),
    "morph": MORPH,
    "seconds": SECONDS,
    "strength": STRENGTH,
    "editor": Text(
        "how a transfer changes its region", "direct", choices=tuple(member.value for member in Editor)
    ),
    "keep_pitch": Flag("of a transfer: keep which notes sound", True),
    "keep_rhythm": Flag("of a transfer: keep when sounds begin", True),
    "keep_level": Flag("of a transfer: keep how loud the region is from moment to moment", True),
    "source_prompt": Text("what a region is, in words", "a drum loop", most=MAX_PROMPT_CHARACTERS),
    "sampler": Text("sampler", "dpmpp_2m", choices=tuple(member.value for member in SamplerName)),
    "steps": Whole("sampling steps", 20, 1, 1000),
    "guidance": Number("guidance scale: how literally the prompt is taken", 2.5, 0.0, 30.0),
    "guidance_from": Number("noise level from which guidance acts, 1 being pure noise", 1.0, 0.0, 1.0),
    "guidance_to": Number("noise level down to which guidance acts, 0 being clean", 0.0, 0.0, 1.0),
    "guidance_rescale": Number("phi of Lin et al. 2024: tames strong guidance", 0.0, 0.0, 1.0),
    "eta": Number("noise added again in each step, of samplers that can", 0.0, 0.0, 1.0),
    "seed": Whole("seed of the first take; the others follow", 7, 0, MAX_SEED),
    "takes": Whole("takes of each job", 3, 1, MAX_TAKES),
    "model": label("model to render with", "starter"),
    "match_level": Flag("bring takes to the level of the region", True),
    "highs": Text(
        "what is above the model's band", "follow", choices=tuple(member.value for member in Highs)
    ),
    "highs_model": Text("model that makes the highs where they are those of a model", "studio-48k", most=255),
    "stereo": Text(
        "what of a stereo region is made anew", "mid_side", choices=tuple(member.value for member in Stereo)
    ),
    "chain": Text("effects that takes go through on their way back; empty is none", "old radio", most=128),
    "render_preset": Text("how takes come back; empty is as they are made", "master", most=128),
    "variation": Number("how far takes are from that of the seed, 0 being it itself", 0.2, 0.0, 1.0),
    "variation_seed": Whole("seed of what a variation goes towards", 3, 0, MAX_SEED),
}

# Where a knob that turns from 0 to 1 has its ends: what is of use in music, not all that a parameter takes.
# Parameters with a few words to choose from have these as equal parts of the way; free text has no knob.
KNOBS: dict[str, tuple[float, float]] = {
    "morph": (0.0, 1.0),
    "seconds": (0.5, 20.0),
    "strength": (0.0, 1.0),
    "editor": (0.0, len(Editor) - 1.0),
    "keep_pitch": (0.0, 1.0),
    "keep_rhythm": (0.0, 1.0),
    "keep_level": (0.0, 1.0),
    "sampler": (0.0, len(SamplerName) - 1.0),
    "steps": (1.0, 100.0),
    "guidance": (0.0, 10.0),
    "guidance_from": (0.0, 1.0),
    "guidance_to": (0.0, 1.0),
    "guidance_rescale": (0.0, 1.0),
    "eta": (0.0, 1.0),
    "seed": (0.0, 99.0),
    "takes": (1.0, 8.0),
    "match_level": (0.0, 1.0),
    "highs": (0.0, len(Highs) - 1.0),
    "stereo": (0.0, len(Stereo) - 1.0),
    "variation": (0.0, 1.0),
    "variation_seed": (0.0, 99.0),
}
