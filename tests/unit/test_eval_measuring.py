"""Folders measured against each other: which figures there are, of which clips, and what is told of the rest.

N clips, D features.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.special import softmax
from scipy.stats import entropy

from engine.errors import AudioIOError, EngineError, ModelCorrupt, ModelMissing, NotFound, SpecError
from engine.evaluation.objective.backbones import BackboneName, load_backbones
from engine.evaluation.objective.distances import feature_distance
from engine.evaluation.objective.hearing import first_channel
from engine.evaluation.objective.measure import EvalConfig, Evaluation, evaluate
from engine.evaluation.objective.paired import pair_measures
from engine.evaluation.objective.report import Figure, Metric
from engine.evaluation.objective.sets import clip_set, paired_names, read_captions
from engine.models.bundle import save_bundle
from engine.models.store import ENVIRONMENT_VARIABLE
from tests.unit import bundles
from tests.unit.eval_folders import captions_of, folder_of, tiny_weights, tone

CLIPS = range(12)
PAIRED = {Metric.LSD, Metric.LSD_LATE, Metric.PSNR_DB, Metric.SSIM, Metric.KL_SOFTMAX, Metric.KL_SIGMOID}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[BackboneName, Path]:
    return tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of models with the small one in it."""
    folder = tmp_path_factory.mktemp("models")
    save_bundle(folder / "debug", bundles.debug(), dtype=torch.float32)
    return folder


@pytest.fixture(autouse=True)
def _small_model(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(models))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return noisy tones, and the clean ones of the same names as FLAC."""
    generated = folder_of(tmp_path / "generated", CLIPS, noise=0.02)
    return generated, folder_of(tmp_path / "reference", CLIPS, suffix=".flac")


def figure(found: Evaluation, metric: Metric, backbone: str = "") -> Figure:
    (one,) = (one for one in found.report.figures if (one.metric, one.backbone) == (metric, backbone))
    return one


def measured(
    folders: tuple[Path, Path], weights: dict[BackboneName, Path], *names: BackboneName
) -> Evaluation:
    generated, reference = folders
    return evaluate(EvalConfig(generated=generated, reference=reference, backbones=names, weights=weights))


def test_each_backbone_gives_what_it_can(
    folders: tuple[Path, Path], weights: dict[BackboneName, Path], tmp_path: Path
) -> None:
    config = EvalConfig(
        generated=folders[0],
        reference=folders[1],
        backbones=tuple(BackboneName),
        weights=weights,
        captions=captions_of(tmp_path / "captions.csv", range(5)),
        model="debug",
    )
    found = evaluate(config).report
    by_backbone: dict[str, set[Metric]] = {}
    for one in found.figures:
        assert one.value is not None and np.isfinite(one.value), one
        by_backbone.setdefault(one.backbone, set()).add(one.metric)
    of_classifiers = {Metric.FD, Metric.KID, Metric.IS, Metric.KL_SOFTMAX, Metric.KL_SIGMOID}
    assert by_backbone == {
        "": {Metric.LSD, Metric.LSD_LATE, Metric.PSNR_DB, Metric.SSIM},
        "clap": {Metric.FD, Metric.KID, Metric.CLAP_SCORE},
        "classifier": of_classifiers,
        "panns": of_classifiers,
        "vggish": {Metric.FAD, Metric.KID},
    }
    assert (found.pairs, found.captions, found.resampler) == (12, 5, "soxr VHQ")
    assert {one.name: one.weights for one in found.backbones} == {
        "clap": "debug", "classifier": "checkpoint.pt", "panns": "Cnn14_16k.pth", "vggish": "vggish.pth",
    }  # fmt: skip
    assert all(len(one.sha256) == 64 for one in found.backbones)


def test_a_folder_is_at_no_distance_from_itself_whatever_is_damaged(
    folders: tuple[Path, Path], weights: dict[BackboneName, Path], tmp_path: Path
) -> None:
    """With a clip missing on one side all later ones must still meet their own names."""
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    (copy / "c03.wav").write_bytes(b"RIFF no more")
    found = measured((copy, folders[0]), weights, BackboneName.PANNS)
    (skipped,) = found.report.generated.skipped
    assert skipped.file == "c03.wav" and "not audio" in skipped.reason and str(copy) not in skipped.reason
    assert found.report.pairs == 11 and found.report.generated.clips == 11
    assert figure(found, Metric.KL_SOFTMAX, "panns").value == pytest.approx(0.0, abs=1e-4)
    assert figure(found, Metric.LSD).value == pytest.approx(0.0, abs=1e-6)
    psnr = figure(found, Metric.PSNR_DB)
    assert psnr.value is None and psnr.note == "11 left out: silent, too short, or the same"
    assert any("Left out of the generated files: 1" in note for note in found.report.notes)


def test_set_figures_are_of_all_clips_in_any_order(
    folders: tuple[Path, Path], weights: dict[BackboneName, Path]
) -> None:
    found = measured(folders, weights, BackboneName.CLASSIFIER)
    judge = load_backbones([BackboneName.CLASSIFIER], weights, "")[BackboneName.CLASSIFIER]
    generated_ND, reference_ND = (
        np.concatenate([judge.hear(soundfile.read(path)[0][None]).features_RD for path in folder.iterdir()])
        for folder in folders
    )
    expected = feature_distance(generated_ND, reference_ND)
    assert figure(found, Metric.FD, "classifier").value == pytest.approx(expected, rel=1e-4)
    assert figure(found, Metric.IS, "classifier").count == 12


def test_pair_figures_are_of_the_generated_clip_against_its_reference(
    folders: tuple[Path, Path], weights: dict[BackboneName, Path]
) -> None:
    """Neither KL nor LSD with its cut is the same the other way round."""
    found = measured(folders, weights, BackboneName.PANNS)
    hear = load_backbones([BackboneName.PANNS], weights, "")[BackboneName.PANNS].hear
    row = next(row for row in found.report.rows if row.name == "c05")
    sounds = [soundfile.read(next(folder.glob("c05.*")), dtype="float32")[0] for folder in folders]
    generated_K, reference_K = (np.asarray(hear(audio_S[None]).logits_K) for audio_S in sounds)
    share_K, other_K = (softmax(logits_K.astype(float)) for logits_K in (reference_K, generated_K))
    kl, reversed_kl = entropy(share_K, other_K), entropy(other_K, share_K)
    assert row.values["kl_softmax panns"] == pytest.approx(kl, rel=1e-3)
    assert kl != pytest.approx(reversed_kl, rel=0.01)
    expected = pair_measures(*(audio_S - audio_S.mean() for audio_S in sounds))
    assert row.values["lsd_late"] == pytest.approx(expected.lsd_late, rel=1e-4)
    assert expected.lsd_late != pytest.approx(pair_measures(*reversed(sounds)).lsd_late, rel=1e-3)


def test_other_names_mean_no_pairs(tmp_path: Path, weights: dict[BackboneName, Path]) -> None:
    generated, reference = folder_of(tmp_path / "a", range(6)), folder_of(tmp_path / "b", range(1, 8))
    found = measured((generated, reference), weights, BackboneName.PANNS)
    assert not PAIRED & {one.metric for one in found.report.figures}
    assert found.report.pairs == 0 and found.report.rows[0].values == {}
    assert any(note.startswith("Only 5 of 7 names agree") for note in found.report.notes)
    score = figure(found, Metric.IS, "panns")
    assert score.value is None and score.note == "needs 10 clips or more"


@pytest.mark.parametrize(("generated", "reference", "paired"), [(201, 200, 200), (100, 99, 0)])
def test_one_name_in_a_hundred_may_be_alone(
    tmp_path: Path, generated: int, reference: int, paired: int
) -> None:
    sets = []
    for name, count in (("a", generated), ("b", reference)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}.wav").touch()
        sets.append(clip_set(tmp_path / name))
    assert len(paired_names(*sets)) == paired


def test_the_clap_score_is_the_mean_cosine_with_the_captions(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    captions = captions_of(tmp_path / "captions.csv", [4, 7])
    config = EvalConfig(generated=folders[0], reference=folders[1], captions=captions, model="debug")
    found = evaluate(config)
    clap = bundles.debug().clap
    cosines = []
    for number in (4, 7):
        audio_S, rate_hz = soundfile.read(folders[0] / f"c{number:02d}.wav", dtype="float32")
        text_1E = clap.embed_text([f"a tone, number {number}"])
        cosines.append(float((clap.embed_audio(torch.from_numpy(audio_S)[None], rate_hz) * text_1E).sum()))
    score = figure(found, Metric.CLAP_SCORE, "clap")
    assert score.value == pytest.approx(np.mean(cosines), abs=1e-5) and score.count == 2
    assert {row.name for row in found.report.rows if "clap_score" in row.values} == {"c04", "c07"}


def test_takes_bring_their_prompts_as_captions(folders: tuple[Path, Path]) -> None:
    recipe = {"generator": "DAW Bridge 1", "spec": {"prompt": "a low tone"}}
    (folders[0] / "c02.json").write_text(json.dumps(recipe))
    (folders[0] / "c03.json").write_text('{"generator": "another"}')
    found = evaluate(EvalConfig(generated=folders[0], reference=folders[1], model="debug"))
    assert {row.name: row.caption for row in found.report.rows if row.caption} == {"c02": "a low tone"}
    assert figure(found, Metric.CLAP_SCORE, "clap").count == 1


def test_pairs_are_compared_by_their_first_channels_without_offset(tmp_path: Path) -> None:
    stereo_SN = np.stack([0.3 + tone(1, samples=48_000), tone(5, samples=48_000)], axis=1)
    soundfile.write(tmp_path / "wide.wav", stereo_SN, 48_000, subtype="FLOAT")
    found_S = first_channel(tmp_path / "wide.wav", 16_000)
    assert len(found_S) == 16_000
    # At 48 kHz the tone is three times as high.
    expected_S = 0.4 * np.sin(2 * np.pi * 720 * np.arange(16_000) / 16_000)
    assert found_S[200:-200] == pytest.approx(expected_S[200:-200], abs=1e-3)


def test_a_mix_of_rates_is_told(tmp_path: Path, weights: dict[BackboneName, Path]) -> None:
    generated = folder_of(tmp_path / "a", range(4), rate_hz=22_050)
    found = measured((generated, folder_of(tmp_path / "b", range(4))), weights, BackboneName.VGGISH)
    assert found.report.generated.rates_hz == (22_050,)
    assert any("different rates" in note for note in found.report.notes)


def test_what_vggish_cannot_hear_has_no_figure(tmp_path: Path, weights: dict[BackboneName, Path]) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "short.wav", tone(1, samples=8000), 16_000)
    found = measured((tmp_path / "a", tmp_path / "b"), weights, BackboneName.VGGISH)
    distance = figure(found, Metric.FAD, "vggish")
    assert (distance.value, distance.count) == (None, 0) and "two frames" in distance.note


@pytest.mark.parametrize(
    ("break_it", "error", "words"),
    [
        (shutil.rmtree, NotFound, "is not a folder"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], NotFound, "holds no sound files"),
        (lambda folder: [path.write_bytes(b"x") for path in folder.iterdir()], AudioIOError, "none of the"),
        (lambda folder: (folder / "c01.flac").touch(), SpecError, "differ by their endings alone"),
    ],
)  # fmt: skip
def test_folders_that_cannot_be_compared_are_refused(
    folders: tuple[Path, Path], weights: dict[BackboneName, Path], break_it: object, error: type[EngineError],
    words: str,
) -> None:  # fmt: skip
    assert callable(break_it)
    break_it(folders[0])
    with pytest.raises(error, match=words):
        measured(folders, weights, BackboneName.VGGISH)


def test_backbones_without_their_weights_are_refused(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    with pytest.raises(SpecError, match="panns needs its weights"):
        measured(folders, {}, BackboneName.PANNS)
    with pytest.raises(ModelMissing, match="holds no trained classifier"):
        measured(folders, {BackboneName.CLASSIFIER: tmp_path}, BackboneName.CLASSIFIER)
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelCorrupt, match="no checkpoint of a classifier"):
        measured(folders, {BackboneName.CLASSIFIER: tmp_path}, BackboneName.CLASSIFIER)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,text\na.wav,rain\n", "lacks the columns"),
        ("file,caption\n", "holds no captions"),
        ("file,caption\na.wav\n", "line 2 of"),
        ("file,caption\na.wav,rain\na.flac,snow\n", "second caption of a"),
        ("file,caption\nelsewhere.wav,rain\n", "names a file of"),
    ],
)
def test_captions_that_fit_nothing_are_refused(
    folders: tuple[Path, Path], tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "captions.csv"
    path.write_text(content)
    with pytest.raises(SpecError, match=words):
        evaluate(EvalConfig(generated=folders[0], reference=folders[1], captions=path))


def test_captions_are_found_by_names_without_endings(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_text('caption,more,file\nrain,1,a.wav\n"one, two",2,b\n')
    assert read_captions(path) == {"a": "rain", "b": "one, two"}
