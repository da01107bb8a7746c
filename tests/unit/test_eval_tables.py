"""Tables at starter scale: rows of tiny runs, resumption, and what is refused.

N clips, S samples, D features.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.evaluation.__main__ import main
from engine.evaluation.estimates import Estimate, mean_estimate
from engine.evaluation.objective.distances import feature_distance
from engine.evaluation.tables import jobs, rebuilt
from engine.evaluation.tables.bench import Bench, Sounds
from engine.evaluation.tables.cache import TrialCache
from engine.evaluation.tables.editing import editing_table, hole, with_hole, without_highs
from engine.evaluation.tables.guidance import guidance_table
from engine.evaluation.tables.reconstruction import reconstruction_table
from engine.evaluation.tables.result import Result, write_result
from engine.evaluation.tables.scores import FD, KL, Scores, change, scored
from engine.evaluation.tables.sounds import held_out_sounds
from engine.evaluation.tables.steps import steps_table
from engine.evaluation.tables.strength import strength_table
from engine.evaluation.tables.verdicts import Direction, direction_of, verdict
from engine.models.mel_matching import MelMatchingConfig
from engine.types import Region, RenderSpec, SamplerName, Task
from tests.unit import bundles

pytestmark = pytest.mark.usefixtures("one_thread")

RATE_HZ = 16_000
CLIPS = 2
DDIM, UNIPC = SamplerName.DDIM, SamplerName.UNIPC
PROJECT = Path("presets/training/starter.toml")


def sounds(first: int) -> Sounds:
    """Return tones with some noise, 0.64 s each."""
    rng = np.random.default_rng(first)
    time_s = np.arange(10_240) / RATE_HZ
    tones_NS = np.stack([np.sin(2 * np.pi * (200 + 150 * (first + n)) * time_s) for n in range(CLIPS)])
    noise_NS = 0.05 * rng.standard_normal(tones_NS.shape)
    return Sounds(
        audio_NS=(0.4 * tones_NS + noise_NS).astype(np.float32),
        texts=tuple(f"a dog barks {n}" for n in range(CLIPS)),
        concepts=tuple(f"rain {n}" for n in range(CLIPS)),
        rate_hz=RATE_HZ,
    )


def bench(folder: Path, seed: int = 0) -> Bench:
    return Bench(bundle=bundles.debug(), sounds=sounds(0), others=sounds(5), folder=folder, seed=seed)


def tiny_steps(one: Bench) -> Result:
    return steps_table(one, ((DDIM, 2), (DDIM, 3), (DDIM, 4), (UNIPC, 2)))


TABLES: dict[str, tuple[Callable[[Bench], Result], set[str]]] = {
    "steps": (tiny_steps, {"ddim 2", "ddim 3", "ddim 4", "unipc 2", "other true sounds "}),
    "guidance": (lambda one: guidance_table(one, (1.0, 3.0)), {"1", "3", "other true sounds"}),
    "reconstruction": (
        reconstruction_table,
        {"true mel, vocoder", "VAE, vocoder", "the true clips themselves", "other true sounds"},
    ),
    "strength": (lambda one: strength_table(one, (0.0, 0.5)), {"untouched", "0: VAE, vocoder", "0", "0.5"}),
    "editing": (
        lambda one: editing_table(one, (0.5,)),
        {
            *(f"50% {line}" for line in ("unprocessed", "processed", "rebuilt from the true clip")),
            *("unprocessed", "processed", "rebuilt from the true clip"),
        },
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_page_has_all_its_rows_and_goes_on_where_it_was(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, lines = TABLES[name]
    out = tmp_path / "docs" / "results"
    first = write_result(out, table(bench(tmp_path / "trials")), bench(tmp_path / "trials"), "again")
    text, rows = first.read_text(), list(csv.DictReader(first.with_suffix(".csv").read_text().splitlines()))
    assert {row["line"] for row in rows} == lines
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in rows)
    assert (first.parent / f"../images/results/{name}.png").is_file()
    assert f"](../images/results/{name}.png)" in text and "nan" not in text
    assert "trial" in capsys.readouterr().err
    second = write_result(out, table(bench(tmp_path / "trials")), bench(tmp_path / "trials"), "again")
    assert second.read_text() == text
    assert "trial" not in capsys.readouterr().err, "nothing is to be made twice"


def test_a_trial_is_made_anew_for_another_seed_and_where_its_file_is_damaged(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"values": np.arange(3.0)}

    cache = TrialCache(tmp_path, {"seed": 0})
    assert all(np.array_equal(cache.get({"a": 1}, make)["values"], np.arange(3.0)) for _ in range(2))
    assert len(made) == 1
    TrialCache(tmp_path, {"seed": 1}).get({"a": 1}, make)
    cache.get({"a": 2}, make)
    assert len(made) == 3
    cache.path({"a": 1}).write_bytes(b"PK\x03\x04 torn")
    assert np.array_equal(cache.get({"a": 1}, make)["values"], np.arange(3.0))
    assert len(made) == 4
    assert not list(tmp_path.glob("*.part"))


def test_other_clips_have_other_trials(tmp_path: Path) -> None:
    same, again = bench(tmp_path), bench(tmp_path)
    other = Bench(bundle=bundles.debug(), sounds=sounds(1), others=sounds(5), folder=tmp_path)
    assert same.cache.path({}) == again.cache.path({}) != other.cache.path({})


def test_another_card_for_the_same_weights_has_other_trials(tmp_path: Path) -> None:
    plain = bench(tmp_path)
    configs = replace(plain.bundle.card.configs, mel_matching=MelMatchingConfig(passes=2))
    card = replace(plain.bundle.card, configs=configs)
    other = replace(plain, bundle=replace(plain.bundle, card=card))
    assert plain.cache.path({}) != other.cache.path({})


def test_a_set_is_no_distance_from_itself_and_fd_is_that_of_the_reports(tmp_path: Path) -> None:
    one = bench(tmp_path)
    same, other = scored(one, one.true_ND), scored(one, one.other_ND)
    assert same.figures[FD].value == pytest.approx(0.0, abs=1e-9)
    assert same.figures[KL].value == pytest.approx(0.0, abs=1e-4)
    assert other.figures[FD].value == feature_distance(one.other_ND, one.true_ND)
    moved = change(same, other, FD)
    assert moved.low <= moved.value <= moved.high
    assert moved.value == pytest.approx(other.figures[FD].value - same.figures[FD].value)


@given(low=st.floats(-1, 1), width=st.floats(0, 1))
def test_a_change_has_a_direction_only_where_its_interval_leaves_out_none(low: float, width: float) -> None:
    found = direction_of(Estimate(value=low + width / 2, low=low, high=low + width))
    wanted = Direction.RISES if low > 0 else Direction.FALLS if low + width < 0 else None
    assert found is wanted


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        ([0.1, 0.2], "rises: 0.500 to 0.650, +0.150 [0.100, 0.200]. That is the paper's direction."),
        (
            [-0.1, -0.2],
            "falls: 0.500 to 0.350, -0.150 [-0.200, -0.100]. Not the paper's direction: there it rises.",
        ),
        (
            [-0.1, 0.2],
            "does not change beyond chance: 0.500 to 0.550, +0.050 [-0.100, 0.200]. Within chance that is",
        ),
        (
            [0.1, -0.2],
            "does not change beyond chance: 0.500 to 0.450, -0.050 [-0.200, 0.100]. In the paper it rises.",
        ),
    ],
)
def test_a_sentence_says_where_a_figure_goes_and_where_that_of_the_paper(
    moves: list[float], told: str
) -> None:
    before_N = np.array([0.5, 0.5])
    ends = [
        Scores(figures={KL: mean_estimate(values_N)}, by_clip={KL: values_N})
        for values_N in (before_N, before_N + moves)
    ]
    found = verdict(KL, "from this to that", (ends[0], ends[1]), Direction.RISES)
    assert found.startswith(f"KL from this to that {told}")


@given(samples=st.integers(4, 5000), share=st.floats(0.01, 1.0))
def test_a_hole_is_in_the_middle_and_all_else_stays(samples: int, share: float) -> None:
    audio_NS = np.ones((1, samples), dtype=np.float32)
    holed_NS = with_hole(audio_NS, share)
    gap = hole(samples, share)
    assert holed_NS.sum() == samples - (gap.stop - gap.start)
    assert abs(gap.start - (samples - gap.stop)) <= 1
    assert gap.stop - gap.start == round(share * samples)


def test_the_upper_half_of_the_band_is_lost_and_the_lower_kept() -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    low_S, high_S = (0.3 * np.sin(2 * np.pi * hz * time_s) for hz in (1000, 6000))
    left_NS = without_highs((low_S + high_S)[None].astype(np.float32), RATE_HZ)
    middle = slice(2000, -2000)
    assert np.abs(left_NS[0, middle] - low_S[middle]).max() < 1e-3
    assert np.array_equal(left_NS, np.round(left_NS * 32767) / np.float32(32767)), "as in a file of 16 bits"


def test_edits_are_those_of_the_pipeline_with_a_seed_for_each_clip(tmp_path: Path) -> None:
    one = bench(tmp_path, seed=7)
    asked: list[tuple[str, int]] = []

    def untouched(text: str, seed: int) -> RenderSpec:
        asked.append((text, seed))
        region = Region(path="clip.wav")
        return RenderSpec(task=Task.TRANSFER, prompt=text, region=region, sweep=(0.0,), seed=seed)

    audio_NS = one.sounds.audio_NS
    made_NS = jobs.edited(one, audio_NS, untouched)
    assert asked == [(text, 7 + n) for n, text in enumerate(one.sounds.texts)]
    assert np.array_equal(made_NS, audio_NS), "at strength 0 nothing changes"


def test_pairs_are_measured_against_their_own_clip(tmp_path: Path) -> None:
    one = bench(tmp_path)
    near = rebuilt.pairs(one, one.sounds.audio_NS + np.float32(1e-3))
    far = rebuilt.pairs(one, np.roll(one.sounds.audio_NS, 1, axis=0))
    assert (near[rebuilt.PSNR] > far[rebuilt.PSNR]).all()
    assert (near[rebuilt.LSD] < far[rebuilt.LSD]).all()


def test_held_out_sounds_are_many_kinds_and_never_the_same_twice() -> None:
    first, further = held_out_sounds(PROJECT, 12)
    assert len(set(first.concepts)) == 12 and first.concepts == further.concepts
    everything = np.concatenate([first.audio_NS, further.audio_NS])
    assert len({clip_S.tobytes() for clip_S in everything}) == 24
    assert held_out_sounds(PROJECT, 12)[0].digest == first.digest


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["tower"], "tower"),
        (["steps", "--clips", "9"], "--clips"),
        (["steps", "--seed", "-1"], "--seed"),
    ],
)
def test_what_makes_no_sense_is_refused(options: list[str], said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["tables", *options, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2 and said in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--model", "--project"])
def test_a_model_or_project_that_is_none_is_told_and_nothing_written(option: str, tmp_path: Path) -> None:
    out, trials = tmp_path / "out", tmp_path / "trials"
    command = ["tables", "reconstruction", "--out", str(out), "--trials", str(trials), option, "nowhere"]
    with pytest.raises(EngineError) as raised:
        CliRunner().invoke(main, command, catch_exceptions=False)
    assert "nowhere" in json.dumps(raised.value.message)
    assert not list(tmp_path.iterdir())
