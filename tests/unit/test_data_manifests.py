"""Lists of sounds: every published layout read as it is, and what is wrong in one named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, NotFound, SpecError
from engine.training.data.manifest import Manifest, SoundFile, hold_out, path_number, read_manifest
from engine.training.data.sources import Kind, SourceConfig, kind_of, read_source
from tests.unit.recordings import write_sound, write_text

CLASSES = 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech, man speaking"\n'
AUDIOSET = (
    "# Segments csv created Sun Mar  5 10:54:31 2017\n"
    "# num_ytids=3, num_segs=3, num_unique_labels=2, num_positive_labels=4\n"
    "# YTID, start_seconds, end_seconds, positive_labels\n"
    '--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/m/05zppz"\n'
    '-gone, 0.000, 10.000, "/m/09x0r"\n'
    'abc_def-123, 5.500, 15.500, "/m/09x0r"\n'
)


def _read(source: Path, **config: object) -> Manifest:
    return read_source(source, SourceConfig(**config))


def _listed(folder: Path, name: str, text: str, sounds: tuple[str, ...]) -> Path:
    for sound in sounds:
        write_sound(folder / "sounds" / sound)
    return write_text(folder / name, text)


def test_audioset_has_its_labels_by_name_and_its_stretches(tmp_path: Path) -> None:
    write_text(tmp_path / "class_labels_indices.csv", CLASSES)
    source = _listed(
        tmp_path, "balanced.csv", AUDIOSET, ("deep/Y--PJHxphWEs.wav", "abc_def-123_5500_15500.flac")
    )
    assert kind_of(source) is Kind.AUDIOSET
    manifest = _read(source, audio=tmp_path / "sounds")
    assert manifest.missing == ("-gone",)
    assert manifest.files == (
        SoundFile(
            path="deep/Y--PJHxphWEs.wav",
            labels=("Speech", "Male speech, man speaking"),
            start_s=30.0,
            end_s=40.0,
        ),
        SoundFile(path="abc_def-123_5500_15500.flac", labels=("Speech",), start_s=5.5, end_s=15.5),
    )


def test_audiocaps_joins_the_captions_of_a_sound(tmp_path: Path) -> None:
    text = (
        "audiocap_id,youtube_id,start_time,caption\n"
        '1,r1nicOVtvkQ,130,"A woman talks, water pours"\n'
        "2,r1nicOVtvkQ,130,Someone talks by a sink\n"
        "3,r1nicOVtvkQ,20,Water\n"
    )
    source = _listed(tmp_path, "test.csv", text, ("r1nicOVtvkQ_130.wav", "r1nicOVtvkQ_20.wav"))
    assert kind_of(source) is Kind.AUDIOCAPS
    first, second = _read(source, audio=tmp_path / "sounds").files
    assert first.captions == ("A woman talks, water pours", "Someone talks by a sink")
    assert (first.path, first.start_s, first.end_s) == ("r1nicOVtvkQ_130.wav", 130.0, 140.0)
    assert (second.path, second.captions) == ("r1nicOVtvkQ_20.wav", ("Water",))


def test_freesounds_labelled_set_has_words_for_labels(tmp_path: Path) -> None:
    text = 'fname,labels,mids,split\n64760,"Electric_guitar,Guitar","/m/02sgy,/m/0342h",train\n'
    source = _listed(tmp_path, "dev.csv", text, ("64760.wav",))
    assert kind_of(source) is Kind.FREESOUND
    assert _read(source, audio=tmp_path / "sounds").files == (
        SoundFile(path="64760.wav", labels=("Electric guitar", "Guitar")),
    )


@pytest.mark.parametrize(
    "shape",
    [lambda one: {"count": 1, "results": [one]}, lambda one: [one], lambda one: {"1234": one}],
    ids=["an answer", "a list", "by id"],
)
def test_freesounds_answers_give_descriptions_and_tags(shape: object, tmp_path: Path) -> None:
    one = {"id": 1234, "name": "x.wav", "description": "Rain\r\non a roof", "tags": ["rain", "roof"]}
    text = json.dumps(shape(one))  # type: ignore[operator]
    source = _listed(tmp_path, "answer.json", text, ("1234__somebody__x.wav",))
    assert kind_of(source) is Kind.FREESOUND
    assert _read(source, audio=tmp_path / "sounds").files == (
        SoundFile(path="1234__somebody__x.wav", captions=("Rain on a roof",), labels=("rain", "roof")),
    )


def test_the_bbcs_sounds_have_descriptions_and_categories(tmp_path: Path) -> None:
    text = (
        '"location","description","secs","category","CDNumber","CDName","tracknum"\n'
        '"07076051.wav","Two-stroke engine, start, run.","194","Engines: Petrol","EC117D","Diesel","1"\n'
    )
    source = _listed(tmp_path, "BBCSoundEffects.csv", text, ("07076051.mp3",))
    assert kind_of(source) is Kind.BBC
    assert _read(source, audio=tmp_path / "sounds").files == (
        SoundFile(
            path="07076051.mp3", captions=("Two-stroke engine, start, run.",), labels=("Engines: Petrol",)
        ),
    )


def _training_repository(top: Path) -> Path:
    """Write its layout: paths from its top folder, listings below metadata."""
    items = [
        {"wav": "zip/a.wav", "caption": "one", "labels": "/m/09x0r,/m/unknown"},
        {"wav": "zip/b.wav", "caption_1": "two", "caption_2": "three"},
    ]
    data, metadata = top / "data" / "dataset", top / "data" / "dataset" / "metadata"
    for item in items:
        write_sound(data / "audioset" / str(item["wav"]))
    write_sound(data / "music" / "c.wav")
    write_text(metadata / "audiocaps" / "train.json", json.dumps({"data": items}))
    write_text(metadata / "music" / "train.json", json.dumps({"data": [{"wav": "c.wav"}]}))
    write_text(metadata / "audiocaps" / "classes.csv", CLASSES)
    paths = {
        "audiocaps": {
            "train": "data/dataset/metadata/audiocaps/train.json",
            "class_label_indices": "data/dataset/metadata/audiocaps/classes.csv",
        },
        "music": {"train": "data/dataset/metadata/music/train.json"},
    }
    folders = {"audiocaps": "data/dataset/audioset", "music": "data/dataset/music"}
    return write_text(metadata / "dataset_root.json", json.dumps(folders | {"metadata": {"path": paths}}))


def test_the_training_repositorys_layout_is_read_as_it_is(tmp_path: Path) -> None:
    source = _training_repository(tmp_path)
    assert kind_of(source) is Kind.AUDIOLDM
    manifest = _read(source)
    assert manifest.root == (tmp_path / "data" / "dataset").resolve()
    assert manifest.files == (
        SoundFile(path="audioset/zip/a.wav", captions=("one",), labels=("Speech", "/m/unknown")),
        SoundFile(path="audioset/zip/b.wav", captions=("two", "three")),
        SoundFile(path="music/c.wav"),
    )
    with pytest.raises(SpecError, match="no split 'val'; it has train"):
        _read(source, split="val")


def test_one_listing_of_the_training_repository_is_read_alone(tmp_path: Path) -> None:
    listing = _training_repository(tmp_path).parent / "audiocaps" / "train.json"
    manifest = _read(listing, audio=tmp_path / "data" / "dataset" / "audioset")
    assert [file.path for file in manifest.files] == ["zip/a.wav", "zip/b.wav"]


def test_a_folder_has_labels_by_its_folders_and_captions_beside_its_sounds(tmp_path: Path) -> None:
    for name in ("car_horn/1.wav", "car_horn/2.WAV", "car_horn/3.wav", "plain.flac", ".hidden/x.wav"):
        write_sound(tmp_path / name)
    write_text(tmp_path / "car_horn" / "1.txt", "a horn\n\n  two horns \n")
    write_text(tmp_path / "car_horn" / "3.json", '{"caption": "honk", "labels": "horn, city"}')
    assert _read(tmp_path).files == (
        SoundFile(path="plain.flac"),
        SoundFile(path="car_horn/1.wav", captions=("a horn", "two horns"), labels=("car horn",)),
        SoundFile(path="car_horn/2.WAV", labels=("car horn",)),
        SoundFile(path="car_horn/3.wav", captions=("honk",), labels=("horn", "city")),
    )


def test_captions_may_hold_any_character_and_freesounds_may_lack_one(tmp_path: Path) -> None:
    odd = "a\u2028b \u0085 \N{BELL} \u00e9"
    write_text(
        tmp_path / "data.json", json.dumps({"data": [{"wav": "a.wav", "caption": odd}]}, ensure_ascii=False)
    )
    assert _read(tmp_path / "data.json").files[0].captions == (odd,)
    listing = json.dumps([{"id": 7, "description": " ", "tags": []}])
    source = _listed(tmp_path, "answer.json", listing, ("7.wav",))
    assert _read(source, audio=tmp_path / "sounds").files == (SoundFile(path="7.wav"),)


BAD_SOURCES = {
    "empty.csv": ("", "is empty"),
    "odd.csv": ("a,b\n1,2\n", "no layout that is known"),
    "short.csv": ("# YTID, start_seconds\nabc, 1\n", "line 2: 4 columns are needed, got 2"),
    "time.csv": ("youtube_id,start_time,caption\nabc,soon,x\n", "line 2: 'soon' is not a number"),
    "broken.json": ("{", "not valid JSON"),
    "list.json": ('{"data": 3}', "no list under data"),
    "wav.json": ('{"data": [{"caption": "x"}]}', r"data\[0\] has no wav"),
    "absolute.json": ('{"data": [{"wav": "/tmp/x.wav"}]}', r"data\[0\]: '/tmp/x.wav' is not a path below"),
    "above.json": ('{"data": [{"wav": "../x.wav"}]}', "not a path below"),
    "number.json": ("[3]", "not a listing of Freesound"),
    "head.jsonl": ('{"path": "a.wav"}\n', "line 1: path is not a known key"),
    "line.jsonl": ('{"root": "."}\n{"path": "a.wav", "label": "x"}\n', "line 2: label is not a known key"),
    "version.jsonl": ('{"root": ".", "schema_version": 2}\n', "schema version 2"),
    "nothing.jsonl": ('{"root": "."}\n', "leads to no sound"),
}


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_what_is_wrong_in_a_list_is_said_in_a_sentence(name: str, tmp_path: Path) -> None:
    text, says = BAD_SOURCES[name]
    write_text(tmp_path / "class_labels_indices.csv", CLASSES)
    source = write_text(tmp_path / name, text)
    with pytest.raises(SpecError, match=says) as caught:
        _read(source)
    assert str(source) in caught.value.message


def test_sources_and_folders_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.csv"):
        _read(tmp_path / "absent.csv")
    source = write_text(tmp_path / "list.csv", "fname,labels\n1,a\n")
    with pytest.raises(NotFound, match="no-such-folder"):
        _read(source, audio=tmp_path / "no-such-folder")
    with pytest.raises(SpecError, match="1 are listed"):
        _read(source)


def test_audiosets_codes_need_their_names(tmp_path: Path) -> None:
    source = _listed(tmp_path, "eval.csv", AUDIOSET, ("Y--PJHxphWEs.wav",))
    with pytest.raises(SpecError, match="labels are codes") as caught:
        _read(source)
    assert "--classes" in caught.value.hint
    with pytest.raises(SpecError, match="no columns mid"):
        _read(source, classes=write_text(tmp_path / "names.csv", "a,b\n1,2\n"))


TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=3).map(tuple)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="./\\:"), min_size=1, max_size=8)
FILES = st.builds(SoundFile, path=NAMES, captions=TEXTS, labels=TEXTS, start_s=st.floats(0, 1e6))


@given(files=st.lists(FILES, max_size=4).map(tuple), missing=TEXTS, vocabulary=TEXTS)
def test_a_manifest_is_read_as_it_was_written(
    files: tuple[SoundFile, ...],
    missing: tuple[str, ...],
    vocabulary: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    manifest = Manifest(root=folder, files=files, missing=missing, vocabulary=vocabulary)
    assert read_manifest(write_text(folder / "manifest.jsonl", manifest.text())) == manifest


@given(
    names=st.lists(NAMES, min_size=1, max_size=40, unique=True),
    more=st.lists(NAMES, max_size=10, unique=True),
    share=st.floats(0.05, 0.95),
)
def test_a_file_stays_held_out_when_others_come(names: list[str], more: list[str], share: float) -> None:
    parts: list[tuple[set[str], set[str]]] = []
    for all_names in (names, [*names, *(name for name in more if name not in names)]):
        files = tuple(SoundFile(path=name) for name in all_names)
        try:
            kept, held = hold_out(Manifest(root=Path(), files=files), share)
        except EngineError:
            return
        assert sorted((*kept.files, *held.files), key=files.index) == list(files)
        parts.append(({file.path for file in kept.files}, {file.path for file in held.files}))
    assert parts[0][0] <= parts[1][0]
    assert parts[0][1] <= parts[1][1]


def test_about_the_share_that_was_asked_for_is_held_out() -> None:
    files = tuple(SoundFile(path=f"{number}.wav") for number in range(2000))
    kept, held = hold_out(Manifest(root=Path(), files=files, missing=("x",)), 0.1)
    assert 150 < len(held.files) < 250
    assert (kept.missing, held.missing) == (("x",), ())


def test_a_file_is_held_out_whatever_bytes_its_name_has() -> None:
    names = sorted((os.fsdecode(name) for name in (b"bad\xff\xfe.wav", b"bad\xff.wav")), key=path_number)
    manifest = Manifest(root=Path("sounds"), files=tuple(SoundFile(path=name) for name in names))
    between = (path_number(names[0]) + path_number(names[1])) / 2 / 2**64
    parts = hold_out(manifest, between)
    assert [[file.path for file in part.files] for part in parts] == [[names[1]], [names[0]]]
