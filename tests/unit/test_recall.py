"""Takes of real renders that tell how they were made, and are made again."""

from __future__ import annotations

import json
import shutil
import struct
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from wavinfo import WavInfoReader

from engine.audio.broadcast import Broadcast, broadcast_chunk
from engine.audio.recipe import find_recipe
from engine.audio.riff import chunk_bytes, with_chunks
from engine.errors import BadJson, EngineError, NotFound, UnsupportedVersion
from engine.jobs import Jobs
from engine.models.bundle import debug_bundle, save_bundle
from engine.spec_json import digest, spec_from_dict
from engine.types import ErrorCode
from tests.unit.test_markers import cue

MADE_AT = datetime(2026, 11, 21, 19, 34, 23, tzinfo=UTC)
RATE_HZ = 48_000
GENERATION = {"task": "generate", "prompt": "rain", "duration_s": 1.0}


@pytest.fixture(scope="module")
def jobs() -> Jobs:
    return Jobs(clock=lambda: MADE_AT)


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAW_BRIDGE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def source(path: Path, seed: int = 0, **options: str) -> Path:
    samples = np.random.default_rng(seed).normal(0, 0.1, (RATE_HZ, 2))
    soundfile.write(path, samples, RATE_HZ, **options)
    return path


def spec(path: Path, **changes: object) -> dict[str, object]:
    region = {"path": str(path), "span": {"start_s": 0.25, "end_s": 0.5}}
    common = {"task": "transfer", "prompt": "rain", "sampler": {"steps": 1}, "model": "debug", "seed": 5}
    return common | {"region": region} | changes


def do(jobs: Jobs, spec: dict[str, object], folder: Path) -> list[Path]:
    done: Any = jobs.render(spec, {"folder": str(folder), "stem": "take"}, lambda *_: None, lambda: False)
    return [Path(take["path"]) for take in done["takes"]]


def audio(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int32")[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [("in.wav", {"subtype": "PCM_24"}), ("in.flac", {}), ("in.aiff", {}), ("in.ogg", {}), ("in.mp3", {})],
)
def test_a_take_by_itself_gives_the_same_audio_again(
    jobs: Jobs, tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    takes = 2 if name == "in.wav" else 1
    made = do(jobs, spec(source(tmp_path / name, **options), takes=takes), tmp_path / "out")
    for path in made:
        alone = Path(shutil.copy(path, tmp_path / f"renamed{path.suffix}"))
        told: Any = jobs.recall(str(alone))
        assert (told["place"], told["source"], told["model"]) == ("file", "same", "none")
        assert (told["spec"]["takes"], told["details"]["made_at"]) == (1, "2026-11-21T19:34:23+00:00")
        (again,) = do(jobs, told["spec"], tmp_path / f"again{told['spec']['seed']}")
        assert np.array_equal(audio(path), audio(again))
        assert path.read_bytes() == again.read_bytes(), "with the same clock the whole file is the same"


@pytest.mark.parametrize(
    ("changes", "told_apart_by"),
    [
        ({"sweep": [0.0, 0.5, 1.0], "sampler": {"steps": 4}}, ["sampler", "strength"]),
        ({"variation": 0.3, "variation_seed": 7, "takes": 2}, ["variation_seed"]),
    ],
)
def test_takes_of_a_sweep_and_variations_are_found_again_one_by_one(
    jobs: Jobs, tmp_path: Path, changes: dict[str, object], told_apart_by: list[str]
) -> None:
    made = do(jobs, spec(source(tmp_path / "in.wav"), **changes), tmp_path / "out")
    found = []
    for path in made:
        beside = json.loads(path.with_suffix(".json").read_text())
        told: Any = jobs.recall(str(path))
        assert told["spec"] == beside["spec"]
        assert (told["spec"]["takes"], told["spec"]["sweep"], told["spec"]["seed"]) == (1, [], 5)
        (again,) = do(jobs, told["spec"], tmp_path / f"again{len(found)}")
        assert path.read_bytes() == again.read_bytes()
        found.append(reduce(lambda content, key: content[key], told_apart_by, told["spec"]))
    assert sorted(found) == changes.get("sweep", [7, 8])
    assert "variation" in changes or found == sorted(found)


def test_a_take_carries_its_ranking_and_says_which_job_made_it(jobs: Jobs, tmp_path: Path) -> None:
    wanted = spec(source(tmp_path / "in.wav"), takes=3)
    done: Any = jobs.render(
        wanted, {"folder": str(tmp_path / "out"), "stem": "take"}, lambda *_: None, lambda: False
    )
    scores = [take["score"] for take in done["takes"]]
    assert scores == sorted(scores, reverse=True)
    for take in done["takes"]:
        beside = json.loads(Path(take["path"]).with_suffix(".json").read_text())
        ranking = beside["ranking"]
        measured = (ranking["total"], ranking["prompt_score"], ranking["source_score"])
        assert measured == (take["score"], take["clap_score"], take["source_score"])
        assert beside["take"] == take
        assert (beside["digest"], digest(spec_from_dict(beside["spec"]))) == (
            done["digest"],
            take["spec_digest"],
        )
        assert find_recipe(Path(take["path"]))[0]["ranking"] == ranking


def test_a_take_carries_what_was_measured(jobs: Jobs, tmp_path: Path) -> None:
    (path,) = do(jobs, spec(source(tmp_path / "in.wav")), tmp_path / "out")
    beside = json.loads(path.with_suffix(".json").read_text())
    inside, place = find_recipe(path)
    assert (place, inside["contract"]) == ("file", beside["contract"])
    assert beside["contract"]["changed_outside"] == 0
    told: Any = WavInfoReader(str(path))
    assert told.bext.max_true_peak == round(beside["contract"]["true_peak_dbtp"], 2)


def test_a_sidecar_stands_in_for_a_recipe_that_was_removed(jobs: Jobs, tmp_path: Path) -> None:
    (path,) = do(jobs, spec(source(tmp_path / "in.wav")), tmp_path / "out")
    inside: Any = jobs.recall(str(path))
    soundfile.write(path, *soundfile.read(path, dtype="int16"))
    beside: Any = jobs.recall(str(path))
    assert (beside["place"], beside["spec"]) == ("sidecar", inside["spec"])
    path.with_suffix(".json").unlink()
    with pytest.raises(NotFound):
        jobs.recall(str(path))


def test_a_take_lands_in_place_with_the_markers_of_its_region(jobs: Jobs, tmp_path: Path) -> None:
    path = source(tmp_path / "in.wav")
    stamp = broadcast_chunk(Broadcast(originator="Recorder", time_reference_samples=1_000_000))
    label = chunk_bytes(b"labl", struct.pack("<I", 1) + b"here\0", "little")
    chunks = ((b"bext", stamp), (b"cue ", cue((1, 12_100), (2, 40_000))), (b"LIST", b"adtl" + label))
    path.write_bytes(with_chunks(path.read_bytes(), chunks))
    (made,) = do(jobs, spec(path), tmp_path / "out")
    told: Any = WavInfoReader(str(made))
    assert told.bext.time_reference == 1_012_000
    assert "source: Recorder" in told.bext.coding_history
    assert [(point.name, point.sample_offset) for point in told.cues.cues] == [(1, 100)]


def test_a_generation_lands_where_the_session_wants_it(jobs: Jobs, tmp_path: Path) -> None:
    region = {"path": "", "anchor": {"track": "Pads", "position_s": 3.0}}
    wanted = spec(tmp_path, task="generate", duration_s=0.2, region=region)
    (made,) = do(jobs, wanted, tmp_path / "out")
    told: Any = WavInfoReader(str(made))
    assert told.bext.time_reference == 3 * soundfile.info(made).samplerate
    recalled: Any = jobs.recall(str(made))
    assert recalled["source"] == "none"
    assert recalled["details"]["source"] is None


def test_a_source_that_changed_or_went_is_told(jobs: Jobs, tmp_path: Path) -> None:
    path = source(tmp_path / "in.wav")
    (made,) = do(jobs, spec(path), tmp_path / "out")
    source(path, seed=1)
    assert jobs.recall(str(made))["source"] == "changed"
    path.write_text("no audio any more")
    assert jobs.recall(str(made))["source"] == "changed"
    path.unlink()
    assert jobs.recall(str(made))["source"] == "missing"


def test_a_source_that_was_moved_may_be_pointed_to(jobs: Jobs, tmp_path: Path) -> None:
    path = source(tmp_path / "in.wav")
    (made,) = do(jobs, spec(path), tmp_path / "out")
    moved = path.rename(tmp_path / "moved.wav")
    found = jobs.recall(str(made), str(moved))
    assert found["source"] == "same"
    (again,) = do(jobs, found["spec"], tmp_path / "again")
    assert np.array_equal(audio(again), audio(made))
    assert jobs.recall(str(made), str(source(tmp_path / "other.wav", seed=1)))["source"] == "changed"


def test_a_model_that_changed_or_went_is_told(jobs: Jobs, tmp_path: Path, own_models: Path) -> None:
    save_bundle(own_models / "mine", debug_bundle())
    (made,) = do(jobs, spec(source(tmp_path / "in.wav"), model="mine"), tmp_path / "out")
    assert jobs.recall(str(made))["model"] == "same"
    card = own_models / "mine" / "card.json"
    content = json.loads(card.read_text())
    content["metrics"] = {"named": 1.0}
    card.write_text(json.dumps(content))
    assert jobs.recall(str(made))["model"] == "same"
    content["configs"]["mel_matching"]["passes"] = 1
    card.write_text(json.dumps(content))
    assert jobs.recall(str(made))["model"] == "changed", "the same weights sound otherwise"
    content["configs"]["mel_matching"]["passes"] = 0
    content["files"] = dict.fromkeys(content["files"], "0" * 64)
    card.write_text(json.dumps(content))
    assert jobs.recall(str(made))["model"] == "changed"
    shutil.rmtree(own_models / "mine")
    assert jobs.recall(str(made))["model"] == "missing"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"take": {"seed": "5"}}, BadJson),
        ({"take": None}, BadJson),
        ({"spec": {"task": "dance"}}, BadJson),
        ({"spec": {"task": "generate", "schema_version": 99}}, UnsupportedVersion),
    ],
)
def test_a_recipe_that_is_none_is_refused(
    jobs: Jobs, tmp_path: Path, changes: dict[str, object], kind: type[EngineError]
) -> None:
    recipe = {"generator": "DAW Bridge", "take": {"seed": 1}, "spec": GENERATION} | changes
    path = source(tmp_path / "in.wav")
    path.write_bytes(with_chunks(path.read_bytes(), ((b"dawb", json.dumps(recipe).encode()),)))
    with pytest.raises(kind):
        jobs.recall(str(path))


def test_context_that_a_recipe_invents_is_not_read(jobs: Jobs, tmp_path: Path) -> None:
    path = source(tmp_path / "in.wav")
    (made,) = do(jobs, spec(path), tmp_path / "out")
    for context in (None, -5, 2**62, "1", True):
        recipe = json.loads(made.with_suffix(".json").read_text())
        recipe["source"]["context_samples"] = context
        copy = tmp_path / "copy.wav"
        copy.write_bytes(with_chunks(path.read_bytes(), ((b"dawb", json.dumps(recipe).encode()),)))
        assert jobs.recall(str(copy))["source"] == "same"


def test_a_file_that_is_not_there_is_missing(jobs: Jobs, tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        jobs.recall(str(tmp_path / "nowhere.wav"))
    assert caught.value.code is ErrorCode.IO_MISSING


def test_a_recipe_with_impossible_numbers_is_told_of_all_the_same(jobs: Jobs, tmp_path: Path) -> None:
    (made,) = do(jobs, spec(source(tmp_path / "in.wav")), tmp_path / "out")
    beside = made.with_suffix(".json")
    recipe = json.loads(beside.read_text())
    recipe["source"]["context_samples"] = 10**400
    beside.write_text(json.dumps(recipe))
    bare = tmp_path / "bare.wav"
    soundfile.write(bare, *soundfile.read(made, dtype="float32"))
    shutil.copy(beside, bare.with_suffix(".json"))
    assert jobs.recall(str(bare))["source"] in ("same", "changed")
