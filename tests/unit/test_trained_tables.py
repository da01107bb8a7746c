"""Tables of models that are trained for them, on a project that trains in no time.

N clips, K names of sounds.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy import stats

from engine.audio.mel_scale import MelConfig
from engine.errors import EngineError
from engine.evaluation.__main__ import main
from engine.evaluation.estimates import Estimate, mean_estimate
from engine.evaluation.objective.distances import inception_score
from engine.evaluation.tables.ablations import ablations_table
from engine.evaluation.tables.compression import compression_table
from engine.evaluation.tables.conditions import conditions_table
from engine.evaluation.tables.judged import EVENLY, IS, NAMED, by_clip_of
from engine.evaluation.tables.result import Result, write_result
from engine.evaluation.tables.scores import Scores, change, over_trainings, spread
from engine.evaluation.tables.sounds import sounds_as_trained
from engine.evaluation.tables.trained import JUDGED, OTHERS, Comparison, TrainedRun
from engine.evaluation.tables.variants import LEVELS, Variant, seeded, varied
from engine.evaluation.tables.verdicts import direction_of
from engine.evaluation.tables.workshop import Workshop
from engine.models.bundle import DEBUG_CONFIGS, Bundle, debug_bundle
from engine.training.config import ProjectConfig, load_project
from engine.training.recipes.ldm import LdmRecipe, TextEncoder
from engine.training.store import ClipStore
from tests.unit import training_setups as setups

pytestmark = pytest.mark.usefixtures("one_thread")

CLIPS = 10
PRESET, COMPRESSION = (Path(f"presets/training/{name}.toml") for name in ("ablations", "compression"))
PROJECT = f"""
[store]
concepts = ["rain", "kick drum", "laser zap"]
skew = 1.0
singles = 12
mixtures = 0
duration_s = 0.64
[vae]
batch = 2
crop_frames = 32
network = {{ base_channels = 4, channel_mult = [1, 2], res_blocks = 1 }}
optimiser = {{ learning_rate = 1e-3, steps = 2 }}
[roberta]
batch = 4
network = {{ hidden = 16, layers = 1, heads = 2, ffn = 16 }}
optimiser = {{ learning_rate = 1e-3, steps = 2 }}
[ldm]
batch = 4
ema_decay = 0.5
optimiser = {{ learning_rate = 1e-3, steps = 2 }}
{setups.TINY_UNET_TOML}[classifier]
batch = 4
width = 2
optimiser = {{ learning_rate = 1e-3, steps = 2 }}
"""


@pytest.fixture(scope="module")
def starter() -> Bundle:
    """Return a tiny model of the mel that the recipes train on."""
    vocoder = replace(DEBUG_CONFIGS.vocoder, mel_bins=64)
    return debug_bundle(configs=replace(DEBUG_CONFIGS, mel=MelConfig(), vocoder=vocoder))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("project") / "tiny.toml"
    path.write_text(PROJECT)
    return path


@pytest.fixture(scope="module")
def comparison(project: Path, starter: Bundle) -> Comparison:
    return _comparison(project, starter)


def _comparison(project: Path, starter: Bundle) -> Comparison:
    folder = project.parent
    run = TrainedRun(
        project=project, folder=folder / "runs", trials=folder / "trials", clips=CLIPS, trainings=2, seed=0
    )
    return Comparison(run=run, starter=starter)


TABLES: dict[str, tuple[Callable[[Comparison], Result], tuple[Variant, ...]]] = {
    "conditions": (
        conditions_table,
        (Variant.BASE, Variant.TEXT, Variant.ROBERTA),
    ),
    "ablations": (
        ablations_table,
        (Variant.BASE, Variant.SIMPLE, Variant.BALANCED, Variant.AUGMENTED),
    ),
    "compression": (compression_table, (Variant.R4, Variant.R8, Variant.R16)),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_page_has_all_its_models_and_trains_none_twice(
    name: str, project: Path, starter: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, variants = TABLES[name]
    out = tmp_path / "docs" / "results"
    first = _comparison(project, starter)
    page = write_result(out, table(first), first.bench, "again")
    text, rows = page.read_text(), list(csv.DictReader(page.with_suffix(".csv").read_text().splitlines()))
    each = {f"{variant.value} {training}" for variant in variants for training in (1, 2)}
    assert {row["line"] for row in rows} == {OTHERS, *(variant.value for variant in variants), *each}
    assert {IS, NAMED, EVENLY, "FD", "KL"} <= {row["figure"] for row in rows}
    assert "nan" not in text and "Student's t" in text
    assert (page.parent / f"../images/results/{name}.png").is_file()
    if name != "conditions":
        return
    capsys.readouterr()
    second = _comparison(project, starter)
    assert write_result(out, table(second), second.bench, "again").read_text() == text
    told = capsys.readouterr().err
    assert "training" not in told and "trial" not in told and "latents" not in told


def test_what_was_killed_goes_on_to_the_same_weights(
    project: Path, starter: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_project(project)
    killed, whole = (
        Workshop(config=config, starter=starter, folder=tmp_path / name) for name in ("killed", "whole")
    )
    step = LdmRecipe.train_step

    def dying(recipe: LdmRecipe, number: int) -> dict[str, float]:
        if number == 1:
            raise KeyboardInterrupt
        return step(recipe, number)

    with monkeypatch.context() as patched:
        patched.setattr(LdmRecipe, "train_step", dying)
        patched.setattr("engine.evaluation.tables.workshop.SAVE_MINUTES", 0.0)
        with pytest.raises(KeyboardInterrupt):
            killed.trained(Variant.TEXT)
    ours, theirs = (shop.trained(Variant.TEXT).bundle.unet.state_dict() for shop in (killed, whole))
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_other_settings_are_trained_elsewhere(project: Path, starter: Bundle, tmp_path: Path) -> None:
    config = load_project(project)
    longer = replace(config, ldm=replace(config.ldm, batch=3))
    runs = {
        Workshop(config=one, starter=starter, folder=tmp_path).trained(Variant.BASE).run
        for one in (config, longer, config)
    }
    assert len(runs) == 2


def test_each_variant_differs_from_the_base_in_its_own_way() -> None:
    base = load_project(PRESET)
    assert varied(base, Variant.BASE) == base
    assert base.ldm.text_probability == 0.0 and varied(base, Variant.TEXT).ldm.text_probability == 1.0
    assert varied(base, Variant.SIMPLE).ldm.network.simple_attention
    draws = {one: varied(base, one).data.draws for one in (Variant.BALANCED, Variant.AUGMENTED)}
    assert draws[Variant.BALANCED] == replace(base.data.draws, balanced=True)
    assert draws[Variant.AUGMENTED] == replace(base.data.draws, mixed=0.5)
    read = varied(base, Variant.ROBERTA).ldm
    assert read.text_encoder is TextEncoder.ROBERTA
    assert read.network.condition_width == base.roberta.network.hidden
    changed = {one: _sections(base, varied(base, one)) for one in Variant}
    assert {one for one, names in changed.items() if names == {"data"}} == {
        Variant.BALANCED,
        Variant.AUGMENTED,
    }
    assert {one for one, names in changed.items() if "vae" in names} == set(LEVELS)
    assert all(changed[one] <= {"vae", "ldm"} for one in LEVELS)


def _sections(one: ProjectConfig, other: ProjectConfig) -> set[str]:
    names = ("store", "data", "vae", "clap", "roberta", "ldm", "classifier", "schedule")
    return {name for name in names if getattr(one, name) != getattr(other, name)}


def test_the_tables_that_train_learn_from_the_same_sounds() -> None:
    ablations, compression = load_project(PRESET), load_project(COMPRESSION)
    assert ablations.store == compression.store and ablations.classifier == compression.classifier


@pytest.mark.parametrize(("variant", "ratio"), [(Variant.R4, 4), (Variant.R8, 8), (Variant.R16, 16)])
def test_each_compression_has_networks_that_fit(variant: Variant, ratio: int) -> None:
    config = varied(load_project(COMPRESSION), variant)
    assert config.vae.network.ratio == ratio
    assert config.ldm.network.in_channels == config.ldm.network.out_channels
    assert config.ldm.network.in_channels == config.vae.network.latent_channels == ratio
    assert config.vae.crop_frames % ratio == 0


def test_the_judge_learns_from_other_clips_of_all_kinds_alike(comparison: Comparison) -> None:
    comparison.jury  # noqa: B018 - trains it
    (judged,) = (ClipStore(path) for path in comparison.run.folder.glob("judges_clips-*"))
    store = comparison.workshop.store
    assert judged.config.skew == 0.0 and judged.config.seed != store.config.seed
    assert not {clip.tobytes() for clip in judged.audio_NS} & {clip.tobytes() for clip in store.audio_NS}


def test_true_sounds_are_as_frequent_as_in_the_training_and_others_of_the_same_kinds(project: Path) -> None:
    sounds, others = sounds_as_trained(project, 22)
    names = load_project(project).store.concepts
    assert [sounds.concepts.count(name) for name in names] == [12, 6, 4]
    assert sounds.concepts == others.concepts
    everything = np.concatenate([sounds.audio_NS, others.audio_NS])
    assert len({clip_S.tobytes() for clip_S in everything}) == 44


def test_names_are_counted_by_clip_and_by_kind() -> None:
    logits_NK = np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    found = by_clip_of(logits_NK, ("rain", "owl"), ("rain", "rain", "rain", "owl"))
    assert found[NAMED].tolist() == [1.0, 1.0, 0.0, 0.0]
    # Two thirds of the rains, and no owl.
    assert found[EVENLY].mean() == pytest.approx(1 / 3)


def test_a_model_is_better_or_worse_only_beyond_chance(comparison: Comparison) -> None:
    def trained(*shares: float) -> Scores:
        """Return what has this share in each training, of each figure and clip."""
        spread = np.array([-0.1, 0.0, 0.1])
        return over_trainings([
            Scores(
                figures={name: Estimate(value=share, low=share, high=share) for name in JUDGED},
                by_clip=dict.fromkeys(JUDGED, share + spread),
            )
            for share in shares
        ])  # fmt: skip

    base = trained(0.50, 0.51)
    assert comparison.beside("one", trained(0.70, 0.71), base) == (
        "Beside the base, one is better in IS, CLAP score, named, named, all sounds alike; worse in FD, KL."
    )
    assert comparison.beside("one", trained(0.30, 0.90), base) == (
        f"Beside the base, one is not to be told from it in {', '.join(JUDGED)}."
    )


def test_each_training_begins_and_draws_otherwise(comparison: Comparison) -> None:
    one = comparison.measured([Variant.R8])[Variant.R8]
    unets, vaes = ([trained.bundle.unet for trained in one.trained], [t.bundle.vae for t in one.trained])
    for networks in (unets, vaes):
        first, second = (network.state_dict() for network in networks)
        assert not any(torch.equal(first[name], second[name]) for name in first if first[name].ndim > 1)
    assert len({trained.run for trained in one.trained}) == len(one.each) == 2
    changed = _sections(comparison.config, seeded(comparison.config, 1))
    assert changed == {"vae", "roberta", "ldm"}, "clips and judge are the same"


def test_figures_of_trainings_are_means_and_their_change_is_of_equal_seeds() -> None:
    rng = np.random.default_rng(3)

    def scores(shares_T: np.ndarray) -> Scores:
        each = [
            Scores(figures={NAMED: Estimate(value=s, low=s, high=s)}, by_clip={NAMED: np.full(5, s)})
            for s in shares_T
        ]
        return over_trainings(each)

    before_T, after_T = rng.normal(0.5, 0.1, 4), rng.normal(0.7, 0.02, 4)
    before, after = scores(before_T), scores(after_T)
    assert before.figures[NAMED].value == pytest.approx(before_T.mean())
    assert before.by_clip[NAMED] == pytest.approx(np.full(5, before_T.mean()))
    # Clips that are all alike leave the chance of trainings alone.
    alone = stats.ttest_1samp(before_T, 0.0).confidence_interval()
    assert (before.figures[NAMED].low, before.figures[NAMED].high) == pytest.approx(tuple(alone))
    wanted = stats.ttest_rel(after_T, before_T).confidence_interval()
    moved = change(before, after, NAMED)
    assert (moved.low, moved.high) == pytest.approx(tuple(wanted))
    pooled = np.sqrt((before_T.var(ddof=1) + after_T.var(ddof=1)) / 2)
    assert spread([before, after], NAMED) == pytest.approx(pooled)


def test_trainings_that_differ_by_chance_alone_are_seldom_told_apart() -> None:
    """As with the figures of clips alone they were: clips know nothing of another training."""
    rng = np.random.default_rng(0)
    clips_N, found, of_clips = rng.normal(0.5, 0.3, 40), [], []
    for _ in range(200):
        # What a seed does to both is no difference between them.
        shared_T = rng.normal(0.0, 0.2, 3)
        before, after = (
            [_by_clip(clips_N + bias + rng.normal(0.0, 0.1, 40)) for bias in shared_T + own_T]
            for own_T in rng.normal(0.0, 0.05, (2, 3))
        )
        found.append(direction_of(change(over_trainings(before), over_trainings(after), NAMED)))
        of_clips.append(direction_of(change(before[0], after[0], NAMED)))
    assert sum(one is not None for one in found) <= 10
    assert sum(one is not None for one in of_clips) >= 60


def _by_clip(values_N: np.ndarray) -> Scores:
    return Scores(figures={NAMED: mean_estimate(values_N)}, by_clip={NAMED: values_N})


def test_the_score_is_that_of_the_reports_and_changes_as_it_does(comparison: Comparison) -> None:
    jury = comparison.jury
    rng = np.random.default_rng(0)
    near, far = (
        jury._scored(
            {"features": comparison.bench.true_ND, "logits": scale * rng.standard_normal((CLIPS, 3))}
        )
        for scale in (0.5, 5.0)
    )
    moved = change(near, far, IS)
    assert moved.value == pytest.approx(far.figures[IS].value - near.figures[IS].value)
    assert moved.low <= moved.value <= moved.high
    logits_NK = rng.standard_normal((CLIPS, 3))
    one = jury._scored({"features": comparison.bench.true_ND, "logits": logits_NK})
    assert one.figures[IS].value == inception_score(logits_NK).mean


def test_a_project_that_is_none_is_told_and_nothing_written(tmp_path: Path) -> None:
    folders = [f"--{name}={tmp_path / name}" for name in ("folder", "trials", "out")]
    with pytest.raises(EngineError, match="nowhere"):
        CliRunner().invoke(
            main, ["tables", "ablations", "--project", "nowhere", *folders], catch_exceptions=False
        )
    assert not list(tmp_path.iterdir())
