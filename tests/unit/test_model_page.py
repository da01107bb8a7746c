"""The page on a model says what its card says, weakest sounds first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import NotFound
from engine.evaluation.model_page import best, named, page, read_journals
from engine.models.bundle import debug_bundle
from engine.models.card import ModelCard
from engine.text_files import write_text

IMAGES = {"best": "best.png", "worst": "worst.png"}


def _card(shares: dict[str, float], **parts: object) -> ModelCard:
    recognition = {
        "generated": 0.625,
        "generated_top5": 0.9,
        "shuffled_prompts": 0.01,
        "real_held_out": 0.96,
        "reconstructed": 0.84,
        "concepts": len(shares),
        "clips": 8,
        "by_concept": shares,
        "named_instead": {"rain": "wind"},
    }
    sampling = {"sampler": "dpmpp_2m", "steps": 20, "guidance": 2.5, "seed": 0}
    metrics = {"recognition": recognition, "sampling": sampling, **parts}
    return replace(debug_bundle().card, metrics=metrics)


def test_the_least_known_come_first() -> None:
    names = named(_card({"flute": 1.0, "rain": 0.25, "wind": 0.5, "harp": 0.75}))
    assert [one.name for one in names] == ["rain", "wind", "harp", "flute"]
    assert [one.instead for one in names] == ["wind", "", "", ""]
    assert [one.name for one in best(names)] == ["flute"]


def test_the_best_known_are_from_all_over_the_list() -> None:
    names = named(_card({f"sound {number}": 1.0 for number in range(10)}))
    assert [one.name for one in best(names)] == ["sound 0", "sound 3", "sound 6", "sound 9"]


def test_failures_are_listed_with_what_they_were_taken_for() -> None:
    card = _card({"flute": 1.0, "rain": 0.25, "wind": 0.5})
    text = page(card, named(card), IMAGES)
    assert "| rain | 25% | wind |\n| wind | 50% | - |" in text
    assert "| flute |" not in text
    assert "| clips of bare names, named as prompted | 62.5% |" in text
    assert "CLAP:" not in text, "this card has no retrieval"


def test_a_model_without_failures_says_so() -> None:
    card = _card({"flute": 1.0})
    assert "first:\n\nNone.\n" in page(card, named(card), IMAGES)


def test_earlier_runs_are_told_as_far_back_as_the_card_knows() -> None:
    oldest = {"steps": 1500, "minutes": 28.5, "last": {}}
    older = {"steps": 3200, "minutes": 45.4, "started_from": {"model": "starter", "training": oldest}}
    run = {"steps": 3600, "minutes": 64.0, "last": {"l1": 0.29}, "started_from": {"training": older}}
    card = replace(
        _card({"flute": 1.0}), training={"clips": {}, "vae": run, "clap": {"steps": 9, "minutes": 1}}
    )
    text = page(card, named(card), IMAGES)
    assert "| vae | 3600 | 64.0 | 3200 (45.4 min), 1500 (28.5 min) | l1 0.29 |" in text
    assert "| clap | 9 | 1 | none |  |" in text


def test_a_card_without_figures_is_refused() -> None:
    with pytest.raises(NotFound, match="has no figures of its recognition"):
        named(debug_bundle().card)


def test_journals_are_those_of_the_networks_that_trained_for_more_than_one_line(tmp_path: Path) -> None:
    (tmp_path / "ldm").mkdir()
    write_text(tmp_path / "ldm" / "metrics.csv", "elapsed_s,step,weighted\n60,10,0.5\n60,20,\n60,30,0.25\n")
    (tmp_path / "clap").mkdir()
    write_text(tmp_path / "clap" / "metrics.csv", "elapsed_s,step,loss\n60,1,0.9\n")
    (journal,) = read_journals(tmp_path)
    assert journal.points == ((10, 0.5), (30, 0.25))
