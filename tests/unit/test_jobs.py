from __future__ import annotations

import errno
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from engine.audio import io
from engine.errors import BadJson, Cancelled, EngineError, OutputError, SpecError
from engine.jobs import Jobs
from engine.models.bundle import debug_bundle, save_bundle
from engine.recall import recall
from engine.spec_json import digest, spec_from_dict
from engine.stems import free_stem
from engine.types import ErrorCode, EventKind
from tests.unit.odd_plugins import ZAM

QUICK = {"steps": 1}


@pytest.fixture(scope="module")
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAW_BRIDGE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def source(path: Path, length: int = 8_000, rate_hz: int = 16_000) -> str:
    generator = np.random.default_rng(0)
    soundfile.write(path, generator.normal(0, 0.1, (length, 2)), rate_hz, subtype="PCM_24")
    return str(path)


def transfer(path: str, **changes: object) -> dict[str, object]:
    return {
        "task": "transfer",
        "prompt": "rain",
        "region": {"path": path},
        "sampler": QUICK,
        "model": "debug",
    } | changes


def do(jobs: Jobs, spec: dict[str, object], folder: Path, stem: str = "take") -> dict[str, Any]:
    return jobs.render(spec, {"folder": str(folder), "stem": stem}, lambda *_: None, lambda: False)


def test_each_take_has_audio_recipe_and_picture(jobs: Jobs, tmp_path: Path) -> None:
    path, out = source(tmp_path / "in.flac"), tmp_path / "out"
    spec = transfer(path, takes=2, seed=7)
    events: list[tuple[EventKind, dict[str, object]]] = []
    result = jobs.render(
        spec, {"folder": str(out), "stem": "x"}, lambda *event: events.append(event), lambda: False
    )
    names = {f"x_{take}{suffix}" for take in (1, 2) for suffix in (".flac", ".json", ".png")}
    assert {file.name for file in out.iterdir()} == names
    assert [payload["path"] for kind, payload in events if kind is EventKind.TAKE] == [
        take["path"] for take in result["takes"]
    ]
    for take in result["takes"]:
        info = soundfile.info(take["path"])
        assert (info.frames, info.channels, info.samplerate, info.subtype) == (8_000, 2, 16_000, "PCM_24")
        assert Path(take["path"]).with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_the_recipe_renders_the_same_audio_again(jobs: Jobs, tmp_path: Path) -> None:
    (take,) = do(jobs, transfer(source(tmp_path / "in.wav"), seed=3), tmp_path / "out")["takes"]
    recipe = json.loads(Path(take["path"]).with_suffix(".json").read_text())
    assert recipe["digest"] == digest(spec_from_dict(recipe["spec"])) == take["spec_digest"]
    assert recipe["model"]["name"] == "debug"
    (again,) = do(jobs, recipe["spec"], tmp_path / "again")["takes"]
    first, second = (soundfile.read(each["path"])[0] for each in (take, again))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_take_is_the_same_with_as_many_threads_again(threads: int, jobs: Jobs, tmp_path: Path) -> None:
    spec = transfer(source(tmp_path / "in.wav"), seed=3)
    used: list[object] = []

    def note(kind: EventKind, payload: dict[str, object]) -> None:
        if kind is EventKind.TAKE:
            used.append(payload["threads"])
            used.append(torch.get_num_threads())

    takes: list[Any] = []
    before = torch.get_num_threads()
    for name, count in (("first", threads), ("usual", 0), ("again", threads)):
        out = {"folder": str(tmp_path / name), "stem": "take"}
        takes += jobs.render(spec, out, note, lambda: False, threads=count)["takes"]  # type: ignore[arg-type]
    first, _, again = (soundfile.read(take["path"])[0] for take in takes)
    assert np.array_equal(first, again)
    assert used == [threads, before, before, before, threads, before]


def test_a_job_tells_the_sizes_that_its_length_depends_on(jobs: Jobs, tmp_path: Path) -> None:
    events: list[tuple[object, object]] = []
    out = {"folder": str(tmp_path / "out"), "stem": "take"}
    told = Jobs().render(
        transfer(source(tmp_path / "in.wav")),
        out,
        lambda _, payload: events.append((payload.get("stage"), payload.get("step"))),
        lambda: False,
    )
    assert (told["audio_s"], told["canvas_s"]) == (0.5, debug_bundle().card.canvas_s)
    assert events[:2] == [("load", 0), ("load", 1)]


def test_a_job_cancelled_while_its_model_was_loaded_renders_nothing(tmp_path: Path) -> None:
    events: list[object] = []
    out = {"folder": str(tmp_path / "out"), "stem": "take"}
    with pytest.raises(Cancelled):
        Jobs().render(
            transfer(source(tmp_path / "in.wav")),
            out,
            lambda _, payload: events.append(payload.get("stage")),
            lambda: bool(events),
        )
    assert events == ["load", "load"]


def test_previews_can_be_heard_and_change_no_take(jobs: Jobs, tmp_path: Path) -> None:
    spec = transfer(source(tmp_path / "in.wav"), takes=2, sampler={"steps": 4, "strength": 1.0})
    (quiet, _) = do(jobs, spec, tmp_path / "quiet")["takes"]
    events: list[tuple[EventKind, dict[str, object]]] = []
    result: Any = jobs.render(
        spec,
        {"folder": str(tmp_path / "out"), "stem": "x"},
        lambda *event: events.append(event),
        lambda: False,
        {"folder": str(tmp_path / "previews"), "every": 2},
    )
    told = [payload for kind, payload in events if kind is EventKind.PREVIEW]
    assert [(payload["take"], payload["step"]) for payload in told] == [(1, 2), (2, 2)]
    take, preview = (soundfile.read(path)[0] for path in (result["takes"][0]["path"], told[0]["path"]))
    assert take.shape == preview.shape and not np.array_equal(take, preview)
    assert np.array_equal(take, soundfile.read(quiet["path"])[0])
    marked = recall(Path(told[1]["path"]))
    assert marked.spec["seed"] == spec_from_dict(spec).alone(1).seed
    assert "AI model" in str(marked.details["generator"])


@pytest.mark.parametrize("every", [0, -1, "2", None])
def test_previews_want_a_whole_number(jobs: Jobs, tmp_path: Path, every: object) -> None:
    out = {"folder": str(tmp_path), "stem": "x"}
    with pytest.raises(BadJson, match=r"previews\.every"):
        jobs.render({}, out, lambda *_: None, lambda: False, {"folder": str(tmp_path), "every": every})


def test_earlier_files_are_never_overwritten(jobs: Jobs, tmp_path: Path) -> None:
    spec = {"task": "generate", "prompt": "rain", "duration_s": 0.2, "sampler": QUICK, "model": "debug"}
    (tmp_path / "x_1.json").write_text("mine")
    paths = [do(jobs, spec, tmp_path, "x")["takes"][0]["path"] for _ in range(2)]
    assert [Path(path).name for path in paths] == ["x-2_1.wav", "x-3_1.wav"]
    assert (tmp_path / "x_1.json").read_text() == "mine"


@pytest.mark.parametrize("stem", ["", "../x", "a/b", ".hidden", "."])
def test_a_stem_stays_in_its_folder(tmp_path: Path, stem: str) -> None:
    with pytest.raises(OutputError, match="plain file name"):
        free_stem(tmp_path, stem)


def missing(folder: Path) -> dict[str, object]:
    return transfer(str(folder / "nowhere.wav"))


def not_audio(folder: Path) -> dict[str, object]:
    (folder / "text.wav").write_text("hello " * 50)
    return transfer(str(folder / "text.wav"))


def nearly_empty(folder: Path) -> dict[str, object]:
    return transfer(source(folder / "short.wav", length=100))


def with_nan(folder: Path) -> dict[str, object]:
    samples = np.zeros(8_000)
    samples[99] = np.nan
    soundfile.write(folder / "nan.wav", samples, 16_000, subtype="FLOAT")
    return transfer(str(folder / "nan.wav"))


def region_outside(folder: Path) -> dict[str, object]:
    region = {"path": source(folder / "in.wav"), "span": {"start_s": 0.1, "end_s": 0.6}}
    return transfer(str(folder), region=region)


def mask_outside(folder: Path) -> dict[str, object]:
    shape = {"shape": "rect", "span": {"start_s": 0.4, "end_s": 0.9}}
    return transfer(source(folder / "in.wav"), task="inpaint", mask={"shapes": [shape]})


def empty_prompt(folder: Path) -> dict[str, object]:
    return transfer(source(folder / "in.wav"), prompt="")


def endless_prompt(folder: Path) -> dict[str, object]:
    return transfer(source(folder / "in.wav"), prompt="x" * 10_000)


def unknown_model(folder: Path) -> dict[str, object]:
    return transfer(source(folder / "in.wav"), model="nobody")


def truncated_checkpoint(folder: Path) -> dict[str, object]:
    save_bundle(folder / "models" / "broken", debug_bundle())
    weights = max((folder / "models" / "broken").iterdir(), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-100])
    return transfer(source(folder / "in.wav"), model="broken")


def endless_region(folder: Path) -> dict[str, object]:
    return transfer(source(folder / "in.wav", length=8_000 * 601, rate_hz=8_000))


def missing_condition(folder: Path) -> dict[str, object]:
    like = {"kind": "audio", "value": str(folder / "nowhere.wav")}
    return transfer(source(folder / "in.wav"), conditions=[like])


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (missing, ErrorCode.IO_MISSING),
        (not_audio, ErrorCode.IO_FORMAT),
        (nearly_empty, ErrorCode.IO_FORMAT),
        (with_nan, ErrorCode.IO_FORMAT),
        (region_outside, ErrorCode.BAD_ARGS),
        (mask_outside, ErrorCode.BAD_ARGS),
        (empty_prompt, ErrorCode.BAD_ARGS),
        (endless_prompt, ErrorCode.BAD_ARGS),
        (unknown_model, ErrorCode.MODEL_MISSING),
        (truncated_checkpoint, ErrorCode.MODEL_CORRUPT),
        (endless_region, ErrorCode.TOO_LARGE),
        (missing_condition, ErrorCode.IO_MISSING),
    ],
)
def test_bad_input_has_a_code_one_sentence_and_leaves_no_file(
    jobs: Jobs, tmp_path: Path, make: Callable[[Path], dict[str, object]], code: ErrorCode
) -> None:
    spec = make(tmp_path)
    with pytest.raises(EngineError) as caught:
        do(jobs, spec, tmp_path / "out")
    assert caught.value.code is code
    assert caught.value.message
    assert "\n" not in caught.value.message
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, ErrorCode.DISK_FULL), (errno.EROFS, ErrorCode.PATH_DENIED)]
)
def test_a_target_that_fails_while_writing_keeps_nothing(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: ErrorCode
) -> None:
    def fail(path: Path, content: bytes) -> None:
        path.write_bytes(content[:10])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(io, "_write_through", fail)
    with pytest.raises(OutputError) as caught:
        do(jobs, transfer(source(tmp_path / "in.wav")), tmp_path / "out")
    assert caught.value.code is code
    assert list((tmp_path / "out").iterdir()) == []


def test_a_target_that_cannot_be_a_folder_is_noticed_before_rendering(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        do(jobs, transfer(source(tmp_path / "in.wav")), tmp_path / "file" / "out")
    assert caught.value.code is ErrorCode.PATH_DENIED


class RunsCode:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_runs_code_is_refused_unrun(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "evil.ckpt").write_bytes(pickle.dumps({"state_dict": RunsCode(tmp_path / "ran")}))
    with pytest.raises(EngineError) as caught:
        jobs.models({"action": "import", "path": str(tmp_path / "evil.ckpt")}, lambda *_: None, lambda: False)
    assert caught.value.code is ErrorCode.MODEL_CORRUPT
    assert not (tmp_path / "ran").exists()


def test_models_are_imported_listed_verified_used_and_removed(jobs: Jobs, tmp_path: Path) -> None:
    save_bundle(tmp_path / "mine", debug_bundle())
    meanwhile = (lambda *_: None, lambda: False)
    (entry,) = jobs.models({"action": "import", "path": str(tmp_path / "mine"), "name": "own"}, *meanwhile)[
        "models"
    ]
    assert entry["name"] == "own"
    assert "own" in [each["name"] for each in jobs.models({"action": "list"}, *meanwhile)["models"]]
    jobs.models({"action": "verify", "name": "own"}, *meanwhile)
    spec = {"task": "generate", "prompt": "x", "duration_s": 0.2, "sampler": QUICK, "model": "own"}
    assert do(jobs, spec, tmp_path / "out")["takes"]
    jobs.models({"action": "remove", "name": "own"}, *meanwhile)
    with pytest.raises(EngineError) as caught:
        do(jobs, spec, tmp_path / "out")
    assert caught.value.code is ErrorCode.MODEL_MISSING


def test_probing_tells_length_rate_and_channels(jobs: Jobs, tmp_path: Path) -> None:
    told = jobs.probe(source(tmp_path / "in.wav"))
    assert told == {"length_samples": 8_000, "sample_rate_hz": 16_000, "channels": 2, "duration_s": 0.5}


def test_a_parameter_that_a_plugin_does_not_have_ends_a_job_before_it_renders(
    jobs: Jobs, tmp_path: Path
) -> None:
    effect = {"plugin": str(ZAM / "ZamComp.vst3"), "parameters": {"treshold": -20.0}}
    spec = transfer(source(tmp_path / "in.wav"), delivery={"chain": {"effects": [effect]}})
    stages: list[object] = []
    with pytest.raises(SpecError, match="the plug-in ZamComp has no parameter 'treshold'"):
        jobs.render(
            spec,
            {"folder": str(tmp_path / "out"), "stem": "take"},
            lambda _, payload: stages.append(payload.get("stage")),
            lambda: False,
        )
    assert set(stages) <= {"load"}
    assert list((tmp_path / "out").iterdir()) == []
