"""A take's recipe found again, and whether it would still give the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from engine.audio.io import read_clip
from engine.audio.level import in_blocks
from engine.audio.own_part import LATENTS, read_bound, samples_sha256
from engine.audio.recipe import Recipe, find_recipe
from engine.errors import BadJson, EngineError, ModelMissing
from engine.models.card import read_card, settings_digest
from engine.models.store import model_folder
from engine.outputs import take_spec
from engine.spec_json import spec_from_dict, spec_to_dict
from engine.types import MAX_DURATION_S, RenderSpec


class Finding(Enum):
    """How what a take was made of is found now; NONE where it needs nothing of the kind."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A spec that gives a take again, alone; place says where it was found: "file" or "sidecar".

    source and model are values of Finding.
    """

    spec: dict[str, object]
    place: str
    source: str
    model: str
    details: dict[str, object]


def recall(path: Path, source: str = "") -> Recalled:
    """Find how a take was made, from a source that may lie elsewhere now.

    Raises as find_recipe does, and as spec_from_dict for its spec.
    """
    recipe, place = find_recipe(path)
    spec = take_spec(spec_from_dict(recipe["spec"]), _seed(recipe, path))
    if source and spec.region is not None:
        spec = replace(spec, region=replace(spec.region, path=source))
    return Recalled(
        spec=spec_to_dict(spec),
        place=place,
        source=_source(spec, recipe).value,
        model=_model(spec, recipe).value,
        details={key: recipe[key] for key in _TOLD if key in recipe},
    )


def _seed(recipe: Recipe, path: Path) -> int:
    take = recipe.get("take")
    seed = take.get("seed") if isinstance(take, Mapping) else None
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise BadJson(f"the recipe of {path} does not say which seed the take has")
    return seed


def _source(spec: RenderSpec, recipe: Recipe) -> Finding:
    """Compare the region as it is now with what the take replaced."""
    facts = recipe.get("source")
    if not spec.task.needs_region or spec.region is None or not isinstance(facts, Mapping):
        return Finding.NONE
    if not Path(spec.region.path).is_file():
        return Finding.MISSING
    try:
        clip = read_clip(spec.region.path, spec.region.span, context_s=_context_s(facts))
    except EngineError:
        return Finding.CHANGED
    latents = read_bound(Path(spec.region.path), LATENTS)
    now = {
        "sha256": samples_sha256(in_blocks(clip.audio_NS)),
        "latents": hashlib.sha256(latents).hexdigest() if latents else None,
    }
    return Finding.SAME if all(facts.get(name) == found for name, found in now.items()) else Finding.CHANGED


def _context_s(facts: Mapping[str, object]) -> float:
    samples, rate_hz = facts.get("context_samples"), facts.get("sample_rate_hz")
    if not isinstance(samples, int) or not isinstance(rate_hz, int) or rate_hz <= 0:
        return 0.0
    # As whole numbers first: a file may say one that no float holds.
    return min(max(samples, 0), round(MAX_DURATION_S) * rate_hz) / rate_hz


def _model(spec: RenderSpec, recipe: Recipe) -> Finding:
    """Compare the models' files and settings, by their sums, with those that made the take."""
    found = [
        _one_model(spec.model, recipe.get("model")),
        _one_model(spec.highs_model, recipe.get("highs_model")),
    ]
    return next((one for one in _WORST if one in found), Finding.NONE)


def _one_model(name: str, facts: object) -> Finding:
    if not isinstance(facts, Mapping) or not facts.get("files"):
        return Finding.NONE
    try:
        card = read_card(model_folder(name))
    except ModelMissing:
        return Finding.MISSING
    except EngineError:
        return Finding.CHANGED
    # Recipes of before tell of the files alone.
    settings = settings_digest(card)
    is_same = card.files == facts["files"] and facts.get("settings", settings) == settings
    return Finding.SAME if is_same else Finding.CHANGED


_WORST = (Finding.MISSING, Finding.CHANGED, Finding.SAME)
_TOLD = ("generator", "made_at", "digest", "take", "model", "highs_model", "source", "threads")
