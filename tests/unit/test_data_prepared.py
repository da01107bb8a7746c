"""Folders of prepared clips: whole or absent, resumed to the same bytes, read alike by anyone.

B batch, S samples.
"""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from filelock import FileLock
from webdataset.tariterators import group_by_keys, tar_file_expander

from engine.errors import AudioIOError, NotFound, SpecError
from engine.training.clips import ClipInfo
from engine.training.data import preparing
from engine.training.data.cutting import CutConfig, cut_file
from engine.training.data.manifest import Manifest, SoundFile
from engine.training.data.prepared import PreparedClips
from engine.training.data.preparing import PrepareConfig, prepare_clips
from engine.training.data.shards import ShardJob, tar_path, write_shard
from tests.unit.recordings import hum, write_sound, write_text

CUT = CutConfig(first_s=0.3, piece_s=0.1, padded_s=0.128, shortest_s=0.02)
TWO_A_SHARD = PrepareConfig(cut=CUT, files_per_shard=2)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Return five sounds of 2, 1, 3, 1 and no clips, one of them damaged."""
    root = tmp_path_factory.mktemp("sounds")
    for number, duration_s in enumerate((0.2, 0.1, 0.9, 0.05)):
        write_sound(root / f"{number}.wav", hum(duration_s, 300.0 + 100 * number))
    write_text(root / "4.wav", "no sound at all")
    write_sound(root / "5.wav", np.zeros(1600))
    labels = (("hum",), ("hum", "low"), ("high",), (), ("hum",), ("hum",))
    files = tuple(
        SoundFile(path=f"{number}.wav", labels=of_file, captions=("one", "two") if number == 2 else ())
        for number, of_file in enumerate(labels)
    )
    return Manifest(root=root, files=files, missing=("gone",))


@pytest.fixture(scope="module")
def clips(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> PreparedClips:
    return prepare_clips(manifest, tmp_path_factory.mktemp("prepared"), TWO_A_SHARD)


def test_clips_are_the_pieces_of_their_files(clips: PreparedClips, manifest: Manifest) -> None:
    by_place = {
        (file.path, piece.start_s): piece.audio_S
        for file in manifest.files[:4]
        for piece in cut_file(manifest.root, file, CUT)[0]
    }
    lines = [json.loads(line) for line in (clips.folder / "clips.jsonl").read_text().splitlines()]
    assert len(lines) == len(clips) == len(by_place) == 7
    for index, line in enumerate(lines):
        wanted_S = by_place.pop((line["path"], line["start_s"]))
        assert np.abs(clips.audio([index])[0] - wanted_S).max() <= 0.5001 / 32768
    assert clips.config.clip_samples == 2048
    assert clips.config.duration_s == 0.128


def test_clips_of_one_label_come_first(clips: PreparedClips) -> None:
    labels = [info.concepts for info in clips.infos]
    assert labels == [("hum",)] * 2 + [("high",)] * 3 + [("hum", "low"), ()]
    assert clips.config.singles == 5
    assert [label.name for label in clips.config.catalogue] == ["high", "hum", "low"]


def test_sounds_without_captions_are_called_by_their_labels(clips: PreparedClips) -> None:
    assert clips.captions([0, 2, 5, 6]) == ["hum", "one", "hum, low", ""]
    assert clips.infos[2] == ClipInfo(caption="one", concepts=("high",), others=("two",))
    assert clips.infos[-1] == clips.infos[6]
    assert clips.infos[1:3] == [clips.infos[1], clips.infos[2]]


def test_what_was_left_out_is_counted_and_named(clips: PreparedClips) -> None:
    report = json.loads((clips.folder / "report.json").read_text())
    assert (report["files"], report["clips"], report["silent_clips"], report["skipped_files"]) == (6, 7, 1, 2)
    assert [one["file"] for one in report["skipped"]] == ["gone", "4.wav"]
    assert report["skipped"][0]["reason"] == "listed, but not there"
    assert "is not audio" in report["skipped"][1]["reason"]
    assert report["labels"] == {"high": 3, "hum": 3, "low": 1}


def test_workers_and_order_do_not_change_what_is_read(clips: PreparedClips) -> None:
    indices = np.array([6, 0, 3, 3, 1])
    one_by_one_BS = np.concatenate([clips.audio([index]) for index in indices])
    assert np.array_equal(PreparedClips(clips.folder, workers=3).audio(indices), one_by_one_BS)


def test_webdataset_reads_the_same_clips(clips: PreparedClips) -> None:
    heard = {}
    for tar in sorted((clips.folder / "shards").glob("*.tar")):
        with tar.open("rb") as file:
            for sample in group_by_keys(tar_file_expander([{"url": tar.name, "stream": file}])):
                said = json.loads(sample["json"])
                audio_S, _ = soundfile.read(io.BytesIO(sample["flac"]), dtype="float32")
                heard[said["path"], said["start_s"]] = audio_S
    assert len(heard) == len(clips)
    for index, line in enumerate((clips.folder / "clips.jsonl").read_text().splitlines()):
        said = json.loads(line)
        assert np.array_equal(clips.audio([index])[0], heard[said["path"], said["start_s"]])


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("processes", [1, 2])
def test_an_interrupted_call_goes_on_to_the_same_bytes(
    processes: int, clips: PreparedClips, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "write_shard", _interrupted_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            prepare_clips(manifest, tmp_path, TWO_A_SHARD)
    with pytest.raises(NotFound, match="no finished clips"):
        PreparedClips(tmp_path)
    first = tar_path(tmp_path, 0).stat()
    prepare_clips(manifest, tmp_path, TWO_A_SHARD, processes)
    assert tar_path(tmp_path, 0).stat().st_mtime_ns == first.st_mtime_ns
    assert _bytes(tmp_path) == _bytes(clips.folder)


def _interrupted_at_the_second(job: ShardJob) -> None:
    if job.number:
        raise KeyboardInterrupt
    write_shard(job)


def test_a_finished_folder_is_kept(
    clips: PreparedClips, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "write_shard", None)
    assert len(prepare_clips(manifest, clips.folder, TWO_A_SHARD)) == len(clips)


@pytest.mark.parametrize(
    "config", [replace(TWO_A_SHARD, files_per_shard=3), PrepareConfig(cut=replace(CUT, seed=1))]
)
def test_a_folder_of_other_settings_is_left_alone(
    config: PrepareConfig, clips: PreparedClips, manifest: Manifest
) -> None:
    before = _bytes(clips.folder)
    with pytest.raises(SpecError, match="other sounds or with other settings"):
        prepare_clips(manifest, clips.folder, config)
    with pytest.raises(SpecError, match="other sounds or with other settings"):
        prepare_clips(replace(manifest, files=manifest.files[:-1]), clips.folder, TWO_A_SHARD)
    assert _bytes(clips.folder) == before


def test_two_calls_do_not_prepare_one_folder(manifest: Manifest, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(SpecError, match="Another call"):
        prepare_clips(manifest, tmp_path, TWO_A_SHARD)


def test_where_no_sound_gives_a_clip_the_next_call_may_be_another(manifest: Manifest, tmp_path: Path) -> None:
    bad = replace(manifest, files=manifest.files[4:5], missing=())
    with pytest.raises(SpecError, match=r"None of 1 sounds gave a clip; 4\.wav: .* is not audio"):
        prepare_clips(bad, tmp_path, TWO_A_SHARD)
    with pytest.raises(SpecError, match="all are silent"):
        prepare_clips(replace(bad, files=manifest.files[5:]), tmp_path, TWO_A_SHARD)
    with pytest.raises(SpecError, match="no sound to prepare"):
        prepare_clips(replace(bad, files=()), tmp_path, TWO_A_SHARD)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert len(prepare_clips(manifest, tmp_path, TWO_A_SHARD)) == 7


def test_a_damaged_shard_is_named(manifest: Manifest, tmp_path: Path) -> None:
    clips = prepare_clips(manifest, tmp_path, TWO_A_SHARD)
    tar = tar_path(tmp_path, 0)
    tar.write_bytes(bytes(len(tar.read_bytes())))
    with pytest.raises(AudioIOError, match=tar.name):
        clips.audio([0])


def test_a_folder_of_another_version_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    prepare_clips(manifest, tmp_path, TWO_A_SHARD)
    facts = json.loads((tmp_path / "data.json").read_text())
    write_text(tmp_path / "data.json", json.dumps(facts | {"schema_version": 2}))
    with pytest.raises(SpecError, match="another version"):
        PreparedClips(tmp_path)


def test_clips_are_not_put_among_other_things(manifest: Manifest, tmp_path: Path) -> None:
    write_sound(tmp_path / "mine.wav", hum(0.1, 300.0))
    with pytest.raises(SpecError, match="holds other things"):
        prepare_clips(manifest, tmp_path, TWO_A_SHARD)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.wav"]
