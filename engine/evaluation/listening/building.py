"""A blinded questionnaire as a page with sounds (Liu et al. 2023, appendix E and table 9).

N channels, S samples.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np

from engine.audio.io import AudioClip, encode, read_clip, write_files
from engine.errors import SpecError
from engine.evaluation.listening.key import Item, ItemKind, Key, key_json, require_system
from engine.evaluation.objective.sets import ClipSet, clip_set, names_in, read_captions

PAGE_FILE, KEY_FILE, AUDIO_FOLDER, HANDED_OUT = "index.html", "key.json", "audio", "questionnaire"
DATA_MARK, SCRIPT_MARK = "/*QUESTIONNAIRE*/", "/*SCRIPT*/"
WRONG_SHARE = 1 / 3
_NAMES = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningConfig:
    """What to ask; of 60 texts and 10 attention items, as in the paper, unless there are fewer texts.

    real holds recordings with captions: two thirds of the attention items are these, a third has the caption
    of another.
    """

    systems: Mapping[str, Path]
    captions: Path
    real: Path
    texts: int = 60
    attention: int = 10
    seed: int = 0


def build_test(config: ListeningConfig, folder: Path) -> Key:
    """Write the page with its sounds, to hand out, and the key beside it, all or nothing.

    Sounds lose their names, formats and metadata; the same seed chooses, names and orders alike.

    Raises:
        SpecError: texts, recordings or captions that are too few or do not fit.
        AudioIOError: a sound that cannot be used.
    """
    rng = np.random.default_rng(config.seed)
    captions = read_captions(config.captions)
    asked = [*_system_items(config, captions, rng), *_attention_items(config, captions, rng)]
    names = rng.choice(_NAMES, len(asked), replace=False) + 100_000
    order = rng.permutation(len(asked))
    blinded = [_blinded(*asked[place], number=int(names[place])) for place in order]
    items = tuple(item for item, _ in blinded)
    digest = hashlib.sha256(json.dumps([(item.file, item.caption) for item in items]).encode())
    for _, content in blinded:
        digest.update(content)
    key = Key(questionnaire=digest.hexdigest()[:16], seed=config.seed, items=items)
    handed_out = folder / HANDED_OUT
    sounds = {handed_out / AUDIO_FOLDER / item.file: content for item, content in blinded}
    page = page_of(key).encode()
    write_files({**sounds, handed_out / PAGE_FILE: page, folder / KEY_FILE: key_json(key).encode()})
    return key


def page_of(key: Key) -> str:
    """Return the page: it asks for nothing but the sounds beside it, and tells nothing of the key."""
    told = [{name: asdict(item)[name] for name in ("file", "caption", "duration_s")} for item in key.items]
    data = json.dumps({"questionnaire": key.questionnaire, "items": told})
    own = resources.files("engine.evaluation.listening")
    page = own.joinpath("page.html").read_text(encoding="utf-8")
    script = own.joinpath("page.js").read_text(encoding="utf-8")
    # A caption must not end the script that it stands in.
    return page.replace(DATA_MARK, data.replace("<", "\\u003c")).replace(SCRIPT_MARK, script)


def _system_items(
    config: ListeningConfig, captions: Mapping[str, str], rng: np.random.Generator
) -> list[tuple[Item, Path]]:
    """Choose texts that all systems have a sound for."""
    if not config.systems:
        raise SpecError("there is no system to test", "Add: --system NAME=FOLDER")
    sets = {name: clip_set(folder) for name, folder in config.systems.items()}
    for name in sets:
        require_system(name)
    first, *others = sets.values()
    common = [name for name in names_in(captions, first.files) if all(name in one.files for one in others)]
    if not common:
        raise SpecError(
            f"no text in {config.captions} has a sound of every system", "Files are found by their names."
        )
    return [
        (_item(captions[clip], ItemKind.SYSTEM, clip, system), clips.files[clip])
        for clip in _drawn(common, config.texts, rng)
        for system, clips in sets.items()
    ]


def _attention_items(
    config: ListeningConfig, captions: Mapping[str, str], rng: np.random.Generator
) -> list[tuple[Item, Path]]:
    real = clip_set(config.real)
    known = names_in(captions, real.files)
    chosen = _drawn(known, config.attention, rng)
    if len(chosen) < config.attention:
        raise SpecError(
            f"{config.real} has {len(known)} recordings with captions, {config.attention} are needed",
            "Ask for fewer with --attention, or add recordings.",
        )
    wrong = round(len(chosen) * WRONG_SHARE)
    right = [(_item(captions[clip], ItemKind.REAL, clip), real.files[clip]) for clip in chosen[wrong:]]
    return [*right, *(_mislabelled(clip, real, known, captions, rng) for clip in chosen[:wrong])]


def _mislabelled(
    clip: str, real: ClipSet, known: Sequence[str], captions: Mapping[str, str], rng: np.random.Generator
) -> tuple[Item, Path]:
    others = sorted({captions[other] for other in known} - {captions[clip]})
    if not others:
        raise SpecError("all recordings have one caption", "Attention items need recordings that differ.")
    return _item(str(rng.choice(others)), ItemKind.WRONG, clip), real.files[clip]


def _drawn(names: Sequence[str], most: int, rng: np.random.Generator) -> list[str]:
    places = rng.permutation(len(names))[:most]
    return [names[place] for place in sorted(places.tolist())] if most else []


def _item(caption: str, what: ItemKind, clip: str, system: str = "") -> Item:
    return Item(file="", caption=caption, duration_s=0.0, what=what, system=system, clip=clip)


def _blinded(item: Item, path: Path, *, number: int) -> tuple[Item, bytes]:
    """Return the item with its new name, and its sound as a plain 16-bit WAV."""
    clip = read_clip(path)
    content = encode(AudioClip(audio_NS=clip.audio_NS, sample_rate_hz=clip.sample_rate_hz, subtype="PCM_16"))
    named = replace(item, file=f"random_name_{number}.wav", duration_s=round(clip.duration_s, 3))
    return named, content
