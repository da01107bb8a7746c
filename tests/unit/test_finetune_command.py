"""One command that makes a model of a folder of sounds, and what it says of folders that give none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.errors import EngineError, ModelMissing, NotFound, SpecError
from engine.models.bundle import debug_bundle, load_bundle, save_bundle
from engine.models.card import read_card
from engine.training.__main__ import main
from engine.training.data.own_sounds import cut_like, prepare_own
from engine.training.data.prepared import PreparedClips
from tests.unit.recordings import hum, write_sound, write_text

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "debug"
    bundle = debug_bundle()
    save_bundle(folder, bundle, bundle.card)
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder in which commands run: no project file, no runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _finetune(*arguments: str | Path) -> str:
    command = ["--threads", "1", "finetune", *map(str, arguments)]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def _sounds(folder: Path, count: int = 5) -> Path:
    for number in range(count):
        write_sound(folder / "low_hums" / f"{number}.wav", hum(0.3 + number, 100.0 + 20 * number), 16_000)
    return folder


def test_a_folder_of_sounds_becomes_a_model(model: Path, place: Path) -> None:
    sounds = _sounds(place / "sounds")
    write_text(sounds / "low_hums" / "0.txt", "a very low hum\nhumming\n")
    write_sound(sounds / "high.wav", hum(9.0, 2000.0, 44_100), 44_100)
    write_text(sounds / "damaged.wav", "no sound")
    said = _finetune(model, sounds, "--into", place / "models" / "hums", "--steps", "3", "--batch", "2")
    made = load_bundle(place / "models" / "hums")
    clips = PreparedClips(place / "runs" / "hums" / "finetuned" / "clips")
    held_out = PreparedClips(clips.folder / "held_out")
    assert clips.config.duration_s == made.card.canvas_s == 2.56
    assert len(held_out) >= 1
    captions = {(one.caption, *one.others) for part in (clips, held_out) for one in part.infos}
    assert captions == {("a very low hum", "humming"), ("low hums",), ("sounds",)}
    assert "1 files skipped" in said and "damaged.wav" in (clips.folder / "report.json").read_text()
    report = json.loads((place / "models" / "hums" / "finetuning.json").read_text())
    assert json.loads(said[said.index("{") :]) == report
    told = made.card.training["finetuning"]
    assert (told["steps"], told["clips"], told["began_with"]) == (3, len(clips), "debug")
    assert made.card.name == "hums"


def test_the_same_call_goes_on_and_other_sounds_do_not(model: Path, place: Path) -> None:
    sounds = _sounds(place / "sounds", 2)
    call = (model, sounds, "--into", place / "hums", "--minutes", "1e-9", "--lora-rank", "1")
    steps = []
    for _ in range(2):
        _finetune(*call)
        steps.append(read_card(place / "hums").training["finetuning"]["steps"])
    assert steps == [1, 2]
    before = (place / "hums" / "card.json").read_bytes()
    write_sound(sounds / "another.wav")
    with pytest.raises(SpecError, match="prepared from other sounds"):
        _finetune(*call)
    assert (place / "hums" / "card.json").read_bytes() == before


def _empty(folder: Path) -> None:
    folder.mkdir()


def _no_sounds(folder: Path) -> None:
    write_text(folder / "notes.txt", "buy milk")


def _one(folder: Path) -> None:
    write_sound(folder / "rain.wav")


def _one_and_a_damaged(folder: Path) -> None:
    write_sound(folder / "rain.wav")
    write_text(folder / "snow.wav", "RIFF")


def _damaged(folder: Path) -> None:
    write_text(folder / "snow.wav", "RIFF")
    write_text(folder / "hail.flac", "fLaC")


def _silent(folder: Path) -> None:
    for name in ("a", "b"):
        write_sound(folder / f"{name}.wav", 0.0 * hum())


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda folder: None, NotFound, "sounds is not there"),
        (_empty, SpecError, "sounds holds no sound"),
        (_no_sounds, SpecError, "sounds holds no sound"),
        (_one, SpecError, "sounds holds one sound that can be used, rain.wav"),
        (_one_and_a_damaged, SpecError, r"one sound that can be used, rain.wav \(snow.wav: "),
        (_damaged, SpecError, r"sounds holds no sound that can be used \((snow|hail)\.\w+: "),
        (_silent, SpecError, r"no sound that can be used \([ab].wav: it is silent\)"),
    ],
)
def test_what_gives_no_clips_is_refused_and_nothing_is_written(
    make: Callable[[Path], object], error: type[EngineError], said: str, model: Path, place: Path
) -> None:
    make(place / "sounds")
    before = sorted(place.rglob("*"))
    with pytest.raises(error, match=said) as caught:
        _finetune(model, place / "sounds", "--into", place / "mine")
    assert caught.value.hint
    assert sorted(place.rglob("*")) == before


def test_one_sound_is_no_folder_of_them(model: Path, place: Path) -> None:
    with pytest.raises(SpecError, match="a.wav is one sound, not a folder"):
        _finetune(model, write_sound(place / "a.wav"), "--into", place / "mine")
    assert not (place / "runs").exists()


def test_no_folder_but_a_models_is_replaced(model: Path, place: Path) -> None:
    sounds = _sounds(place / "sounds", 2)
    with pytest.raises(SpecError, match="sounds is there already, and is no model"):
        _finetune(model, sounds, "--into", sounds)
    with pytest.raises(SpecError, match="debug is the model that is trained on"):
        _finetune(model, sounds, "--into", model)
    with pytest.raises(ModelMissing, match="There is no model nowhere"):
        _finetune("nowhere", sounds, "--into", place / "mine")
    with pytest.raises(NotFound, match=r"sounds holds no card\.json"):
        _finetune(sounds, sounds, "--into", place / "mine")
    assert not (place / "runs").exists()


def test_without_sounds_it_takes_those_of_the_project(model: Path, place: Path) -> None:
    own = prepare_own(_sounds(place / "sounds", 3), place / "clips", cut_like(read_card(model)))
    project = write_text(place / "project.toml", f'[data]\nfolder = "{own.clips.folder.as_posix()}"\n')
    common = ["--threads", "1", "--project", str(project), "--folder", str(place / "run"), "finetune"]
    options = ["--into", str(place / "mine"), "--steps", "1", "--batch", "2"]
    CliRunner().invoke(main, [*common, str(model), *options], catch_exceptions=False)
    told = read_card(place / "mine").training["finetuning"]
    assert isinstance(told, dict) and told["clips"] == len(own.clips)
    assert (place / "run" / "finetuned" / "checkpoint.pt").exists()


def test_clips_are_as_long_as_the_models_and_files_held_out_stay_so(model: Path, tmp_path: Path) -> None:
    cut = cut_like(read_card(model))
    assert (cut.clip_samples, cut.piece_samples, cut.sample_rate_hz) == (40_960, 40_960, 16_000)
    sounds = _sounds(tmp_path / "sounds", 24)
    own = prepare_own(sounds, tmp_path / "clips", cut)
    held = {
        json.loads(line)["path"] for line in (own.held_out.folder / "clips.jsonl").read_text().splitlines()
    }
    kept = {json.loads(line)["path"] for line in (own.clips.folder / "clips.jsonl").read_text().splitlines()}
    assert len(held) == 2 and not held & kept and len(held | kept) == 24
