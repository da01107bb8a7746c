"""Pairs, rows and trials of the transfer's evaluation, on the debug bundle through the whole pipeline."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.audio.io import read_clip
from engine.errors import SpecError
from engine.evaluation.transfer import (
    COMPARED_STEPS,
    Plan,
    default_trial,
    keep_trials,
    main,
    missing,
    require_same_model,
    step_trials,
)
from engine.evaluation.transfer_page import Shown, write_page
from engine.evaluation.transfer_pairs import (
    OTHER_NUMBERS,
    PLANS,
    REFERENCE_NUMBERS,
    STORE_NUMBERS,
    HeldOut,
    transfer_pairs,
)
from engine.evaluation.transfer_rows import Row, RowFile, Setup, Trial
from engine.evaluation.transfer_sets import SetJudge
from engine.evaluation.transfer_summary import summary
from engine.evaluation.transfer_trials import Studio, StudioConfig, reference_trials, spec_of
from engine.models.bundle import debug_bundle
from engine.training.config import load_project
from engine.training.store import StoreConfig, render_store
from engine.types import DEFAULT_EDITOR, Editor, SamplerSpec

pytestmark = pytest.mark.usefixtures("one_thread")

PROJECT = Path("presets/training/starter.toml")
TRIAL = Trial(setup=Setup(way="renoise", steps=2, guidance=2.5), strength=0.5)


def row(**fields: object) -> Row:
    known = Row(
        pair="piano 3 to violin", kind="pitched", target="violin", way="renoise", strength=0.4, steps=20,
        guidance=2.5, keep="", described=False, clap_target=0.5, clap_source=0.25, layers=1.5, chroma=0.75,
        chroma_transposed=0.8, transposition=-2, onset_f=0.5, source_onsets=4, onsets=6, level=0.9,
        change_db=3.5, judged_target=None, judged_source=None, seconds=1.25, sampling_s=0.5,
    )  # fmt: skip
    return replace(known, **fields)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = tmp_path_factory.mktemp("transfer")
    return Studio(StudioConfig(folder=folder, project=PROJECT), debug_bundle(), None)


def test_there_are_48_pairs_of_sounds_that_the_starter_knows() -> None:
    pairs = transfer_pairs()
    known = {concept.name for concept in load_project(PROJECT).store.catalogue}
    assert len({pair.name for pair in pairs}) == len(pairs) == 48
    assert {name for pair in pairs for name in (pair.source, pair.target)} <= known
    assert all(pair.source != pair.target and 0 <= pair.number < STORE_NUMBERS for pair in pairs)


def test_each_six_pairs_have_every_target() -> None:
    targets = {target for plan in PLANS.values() for target in plan}
    pairs = transfer_pairs()
    assert all({pair.target for pair in pairs[start : start + 6]} == targets for start in range(0, 48, 6))


def test_the_pairs_depend_on_the_seed_alone() -> None:
    assert transfer_pairs() == transfer_pairs(0) != transfer_pairs(1)


def test_sources_and_the_clips_to_compare_with_share_no_seed() -> None:
    numbers = [set(range(STORE_NUMBERS)), set(REFERENCE_NUMBERS), set(OTHER_NUMBERS)]
    assert not numbers[0] & numbers[1] and not numbers[1] & numbers[2] and not numbers[0] & numbers[2]


def test_a_source_is_the_clip_of_the_held_out_store(tmp_path: Path) -> None:
    training = StoreConfig(concepts=("sub bass", "rain"), singles=8, duration_s=0.64)
    store = render_store(tmp_path, replace(training, singles=6, mixtures=0, held_out=True), processes=1)
    held_out = HeldOut.of(training)
    assert np.array_equal(held_out.clip("rain", 2), store.audio([5])[0])
    assert np.array_equal(held_out.clips("sub bass", range(2)), store.audio([0, 2]))


def test_rows_come_back_from_their_file(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "new" / "rows.csv")
    rows = [
        row(),
        row(strength=0.1, judged_target=0.25, judged_source=1e-7, keep="pitch+level", described=True),
    ]
    assert file.rows() == []
    for one in rows:
        file.append([one])
    assert file.rows() == rows
    assert file.rows()[1].trial == Trial(
        setup=Setup(way="renoise", steps=20, guidance=2.5, keep="pitch+level", described=True), strength=0.1
    )


def test_a_row_that_was_cut_short_is_measured_again(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "rows.csv")
    file.append([row(), row(strength=0.8)])
    file.path.write_text(file.path.read_text()[:-9])
    assert file.rows() == [row()]
    file.append([row(strength=0.8)])
    assert file.rows() == [row(), row(strength=0.8)]


def test_rows_of_another_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("pair,kind\npiano,pitched\n")
    with pytest.raises(SpecError, match="other columns"):
        RowFile(path).rows()


def test_edits_of_another_model_are_not_mixed_with_those_of_this_one(tmp_path: Path) -> None:
    card = debug_bundle().card
    require_same_model(tmp_path, card)
    (tmp_path / "rows.csv").write_text("rows")
    require_same_model(tmp_path, replace(card, metrics={"fd": 1.0}))
    for other in (replace(card, files={"unet": "0" * 64}), replace(card, scale_factor=0.5)):
        with pytest.raises(SpecError, match="are of another model"):
            require_same_model(tmp_path, other)
    (tmp_path / "model.json").unlink()
    with pytest.raises(SpecError, match="are of another model"):
        require_same_model(tmp_path, card)


def test_only_what_has_no_row_is_tried(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "rows.csv")
    pairs = transfer_pairs()[:2]
    trials = [TRIAL, replace(TRIAL, strength=0.75), TRIAL]
    assert missing(file, pairs, trials) == [(pair, trial) for pair in pairs for trial in trials[:2]]
    done = row(pair=pairs[0].name, strength=0.5, steps=2)
    file.append([done])
    assert (pairs[0], TRIAL) not in missing(file, pairs, trials)
    assert len(missing(file, pairs, trials)) == 3
    assert len(missing(file, pairs, trials, again=[TRIAL])) == 4


def test_a_plan_is_each_editor_at_each_strength_with_its_own_steps() -> None:
    trials = list(Plan(strengths=(0.2, 0.4), keep=("level", "pitch")).trials())
    assert [(trial.setup.way, trial.setup.steps, trial.strength) for trial in trials] == [
        ("renoise", 20, 0.2), ("renoise", 20, 0.4), ("invert", 100, 0.2), ("invert", 100, 0.4),
        ("direct", 20, 0.2), ("direct", 20, 0.4),
    ]  # fmt: skip
    assert {trial.setup.keep for trial in trials} == {"pitch+level"}
    steps = [(trial.setup.way, trial.setup.steps) for trial in step_trials()]
    assert ("direct", 20) in steps and ("invert", 100) in steps and len(steps) == 2 * len(COMPARED_STEPS)


def test_what_is_kept_on_purpose_is_told_of_the_default() -> None:
    trials = list(keep_trials())
    assert [trial.setup.keep for trial in trials] == ["", "pitch", "rhythm", "level", "pitch+rhythm+level"]
    assert trials[0] == default_trial()
    spec = spec_of(transfer_pairs()[0], trials[-1])
    assert spec.keep_pitch and spec.keep_rhythm and spec.keep_level


def test_options_that_no_transfer_can_have_are_refused_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["transfer", "--strengths", "0.5", "1.5", "--out", str(out)])
    with pytest.raises(SpecError, match=r"strength must be from 0 to 1|1\.5"):
        main()
    assert not out.exists()


def test_what_a_transfer_does_unasked_is_tried() -> None:
    spec = spec_of(transfer_pairs()[0], default_trial())
    assert (spec.sampler, spec.editor) == (SamplerSpec(), DEFAULT_EDITOR)
    assert not (spec.keep_pitch or spec.keep_rhythm or spec.keep_level or spec.source_prompt)
    assert default_trial() in set(Plan().trials())


def test_a_trial_is_one_spec() -> None:
    pair = transfer_pairs()[0]
    setup = Setup(way="direct", steps=7, guidance=4.0, keep="pitch+level", described=True)
    spec = spec_of(pair, Trial(setup=setup, strength=0.3))
    assert (spec.editor, spec.sampler.steps, spec.sampler.guidance) == (Editor.DIRECT, 7, 4.0)
    assert (spec.keep_pitch, spec.keep_rhythm, spec.keep_level) == (True, False, True)
    assert (spec.prompt, spec.source_prompt, spec.sampler.strength) == (pair.target, pair.source, 0.3)
    assert spec.match_level
    assert spec.seed == spec_of(pair, TRIAL).seed != spec_of(transfer_pairs()[1], TRIAL).seed
    assert spec_of(pair, TRIAL).source_prompt == ""


def test_an_edit_is_rendered_kept_and_measured(studio: Studio) -> None:
    pair = transfer_pairs()[0]
    found = studio.measure(pair, TRIAL)
    assert found.key == (pair.name, TRIAL)
    assert 0.0 < found.sampling_s < found.seconds
    assert found.change_db > 1.0 and found.layers > 0.0 and found.judged_target is None
    assert all(map(math.isfinite, (found.clap_target, found.chroma, found.onset_f, found.level)))
    kept = read_clip(studio.audio_path(pair, TRIAL))
    assert (kept.length_samples, kept.sample_rate_hz) == (40_960, 16_000)
    again = studio.measure(pair, TRIAL)
    assert replace(again, seconds=found.seconds, sampling_s=found.sampling_s) == found


def test_what_edits_are_compared_with(studio: Studio) -> None:
    pair = transfer_pairs()[1]
    untouched, rebuilt, unrelated = (studio.measure(pair, trial) for trial in reference_trials())
    assert (untouched.chroma, untouched.onset_f, untouched.level) == pytest.approx((1.0, 1.0, 1.0))
    assert (untouched.change_db, untouched.layers) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert untouched.clap_source == pytest.approx(1.0)
    kept_S = studio.audio(pair, reference_trials()[0])
    assert kept_S == pytest.approx(studio.held_out.clip(pair.source, pair.number), abs=2.0**-23)
    assert rebuilt.change_db > 0.0
    assert (rebuilt.seconds, rebuilt.sampling_s) == (0.0, 0.0)
    assert unrelated.chroma < 0.9 and unrelated.change_db > 3.0


def test_a_page_is_made_of_what_was_measured(studio: Studio, tmp_path: Path) -> None:
    pairs, default = transfer_pairs()[:2], replace(TRIAL, strength=0.25)
    trials = (*reference_trials(), default, replace(TRIAL, strength=1.0))
    rows = [studio.measure(pair, trial) for pair in pairs for trial in trials]
    shown = Shown(pairs=pairs, setups=(TRIAL.setup,), steps=(default,), keeps=(), default=default)
    path = tmp_path / "results" / "transfer.md"
    write_page(path, rows, shown, studio)
    pictures = {
        tmp_path / "images" / f"transfer_{name}.png" for name in ("curves", "strengths", "spectrograms")
    }
    assert {one for one in tmp_path.rglob("*") if one.is_file()} == {
        path,
        path.with_suffix(".csv"),
        *pictures,
    }
    assert RowFile(path.with_suffix(".csv")).rows() == RowFile(_written(tmp_path / "again.csv", rows)).rows()
    text = path.read_text()
    assert all(f"](../images/{picture.name})" in text for picture in pictures)
    # One pair of a target is no set.
    assert "2 held-out renders" in text and "Fréchet" not in text


def _written(path: Path, rows: list[Row]) -> Path:
    RowFile(path).append(rows)
    return path


def test_true_sounds_are_near_their_own_kind() -> None:
    concepts = ("sub bass", "rain")
    held_out = HeldOut.of(StoreConfig(concepts=concepts, duration_s=0.32))

    def loudness_of_bands(audio_BS: torch.Tensor) -> torch.Tensor:
        bands = torch.fft.rfft(audio_BS).abs()[:, 1:].unflatten(1, (20, -1)).mean(dim=2)
        return bands.clamp(min=1e-4).log()

    judge = SetJudge(
        loudness_of_bands, {concept: held_out.clips(concept, REFERENCE_NUMBERS) for concept in concepts}
    )
    true = {concept: held_out.clips(concept, range(8)) for concept in concepts}
    swapped = dict(zip(concepts, reversed(true.values()), strict=True))
    noisy = {
        concept: clips + 0.02 * np.random.default_rng(1).standard_normal(clips.shape).astype(np.float32)
        for concept, clips in true.items()
    }
    near, between, far = (judge.distance(clips) for clips in (true, noisy, swapped))
    assert near.value < 0.1 and near.half > 0.0
    assert near.value < 0.5 * between.value and between.value < 0.8 * far.value
    assert 0.5 < judge.share <= 1.0


def test_a_quick_look_by_the_starter_measures_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = RowFile(tmp_path / "rows.csv")
    look = ["transfer", "--pairs", "1", "--editors", "direct", "--strengths", "0.5", "--steps", "1"]
    monkeypatch.setattr("sys.argv", [*look, "--out", str(tmp_path)])
    main()
    first = rows.path.read_text()
    assert [one.way for one in rows.rows()] == ["untouched", "round trip", "unrelated", "direct"]
    assert capsys.readouterr().out.splitlines()[-1].startswith("direct, 1 step ")
    main()
    assert rows.path.read_text() == first
    monkeypatch.setattr("sys.argv", [*look, "--out", str(tmp_path), "--again"])
    main()
    assert rows.path.read_text().startswith(first) and len(rows.path.read_text().splitlines()) == 6
    assert len(rows.rows()) == 4


def test_a_quick_look_has_a_line_for_each_setup_and_strength() -> None:
    rows = [
        row(pair="a", chroma=0.2), row(pair="b", chroma=0.4), row(pair="c", kind="other", chroma=1.0),
        row(pair="a", strength=0.8), row(pair="a", way="untouched", steps=0, guidance=0.0, strength=0.0),
    ]  # fmt: skip
    lines = summary(rows).splitlines()
    assert len(lines) == 4
    assert lines[1].split()[:5] == ["renoise,", "20", "steps", "0.4", "3"]
    # Of three clips two have notes.
    assert lines[1].split()[8] == "0.300"
    assert lines[3].startswith("untouched ")
