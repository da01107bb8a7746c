"""The listening test: blinded, answered on its page, and averaged without those who did not listen."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, NotFound, SpecError
from engine.evaluation.listening.building import ListeningConfig, build_test
from engine.evaluation.listening.commands import answers as answers_command
from engine.evaluation.listening.commands import questionnaire as questionnaire_command
from engine.evaluation.listening.key import Answer, Answers, Item, ItemKind, Key, read_answers, read_key
from engine.evaluation.listening.scores import REAL_NAME, Scores, SpamRules, doubts, scores, scores_table
from tests.unit.eval_folders import captions_of, folder_of

LISTENER = Path(__file__).parents[1] / "hosts" / "questionnaire_listener.js"
has_node = pytest.mark.skipif(shutil.which("node") is None, reason="not installed: node")


@pytest.fixture
def config(tmp_path: Path) -> ListeningConfig:
    """Return two systems with six texts, of which one has no sound of the second, and four recordings."""
    return ListeningConfig(
        systems={
            "first net": folder_of(tmp_path / "one", range(6)),
            "other net": folder_of(tmp_path / "two", range(1, 7), noise=0.01, suffix=".flac"),
        },
        captions=captions_of(tmp_path / "captions.csv", range(20)),
        real=folder_of(tmp_path / "real", range(10, 14), rate_hz=22_050),
        texts=4,
        attention=3,
        seed=5,
    )


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def page_data(folder: Path) -> Any:
    page = (folder / "questionnaire" / "index.html").read_text()
    (data,) = re.findall(
        r'<script type="application/json" id="questionnaire">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(data)


def test_all_systems_are_asked_the_same_texts_beside_real_and_mislabelled_recordings(
    config: ListeningConfig, tmp_path: Path
) -> None:
    key = build_test(config, tmp_path / "test")
    assert read_key(tmp_path / "test") == key
    assert Counter(item.what for item in key.items) == {
        ItemKind.SYSTEM: 8, ItemKind.REAL: 2, ItemKind.WRONG: 1,
    }  # fmt: skip
    texts = {name: {item.clip for item in key.items if item.system == name} for name in config.systems}
    assert texts["first net"] == texts["other net"] and len(texts["first net"]) == 4
    assert texts["first net"] <= {f"c{number:02d}" for number in range(1, 6)}
    for item in key.items:
        own = f"a tone, number {int(item.clip[1:])}"
        assert (item.caption == own) is (item.what is not ItemKind.WRONG)


def test_each_file_holds_the_sound_that_the_key_says(config: ListeningConfig, tmp_path: Path) -> None:
    key = build_test(config, tmp_path / "test")
    folders = {**config.systems, "": config.real}
    for item in key.items:
        path = next(folders[item.system].glob(f"{item.clip}.*"))
        (expected_S, expected_hz), (found_S, rate_hz) = (
            soundfile.read(file) for file in (path, tmp_path / "test" / "questionnaire" / "audio" / item.file)
        )
        assert rate_hz == expected_hz and found_S == pytest.approx(expected_S, abs=2**-15)
        assert item.duration_s == pytest.approx(len(found_S) / rate_hz, abs=1e-3)


def test_what_is_handed_out_tells_nothing_of_the_key(config: ListeningConfig, tmp_path: Path) -> None:
    key = build_test(config, tmp_path / "test")
    handed_out = files_below(tmp_path / "test" / "questionnaire")
    assert set(handed_out) == {"index.html", *(f"audio/{item.file}" for item in key.items)}
    page = handed_out.pop("index.html").decode()
    for secret in ("first net", "other net", "c01", "wrong", str(tmp_path)):
        assert secret not in page
    assert page_data(tmp_path / "test") == {
        "questionnaire": key.questionnaire,
        "items": [
            {"file": item.file, "caption": item.caption, "duration_s": item.duration_s} for item in key.items
        ],
    }
    for sound in handed_out.values():
        # A plain WAV: its format and its samples.
        assert sound[:4] == b"RIFF" and sound[12:16] == b"fmt " and sound[36:40] == b"data"
        assert int.from_bytes(sound[40:44], "little") == len(sound) - 44


def test_the_seed_chooses_names_and_orders(config: ListeningConfig, tmp_path: Path) -> None:
    key = build_test(config, tmp_path / "first")
    build_test(config, tmp_path / "again")
    other = build_test(replace(config, seed=6), tmp_path / "other")
    assert files_below(tmp_path / "first") == files_below(tmp_path / "again")
    assert key.questionnaire != other.questionnaire
    assert not {item.file for item in key.items} & {item.file for item in other.items}
    orders = [[(item.clip, item.system) for item in one.items] for one in (key, other)]
    assert orders[0] != orders[1]


def test_a_caption_cannot_end_the_script_it_is_in(config: ListeningConfig, tmp_path: Path) -> None:
    text = config.captions.read_text().replace("a tone", "</script><b>a tone")
    config.captions.write_text(text)
    build_test(config, tmp_path / "test")
    captions = {item["caption"] for item in page_data(tmp_path / "test")["items"]}
    assert any(caption.startswith("</script><b>a tone, number") for caption in captions)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"systems": {}}, SpecError, "no system"),
        ({"systems": {"a|b": "one"}}, SpecError, "no name of a system"),
        ({"systems": {"a": "gone"}}, NotFound, "gone is not a folder"),
        ({"systems": {"a": "one", "b": "real"}}, SpecError, "no text"),
        ({"attention": 5}, SpecError, "has 4 recordings with captions, 5 are needed"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_written(
    config: ListeningConfig, tmp_path: Path, change: dict[str, Any], error: type[EngineError], words: str
) -> None:
    if "systems" in change:
        change = {"systems": {name: tmp_path / folder for name, folder in change["systems"].items()}}
    with pytest.raises(error, match=words):
        build_test(replace(config, **change), tmp_path / "test")
    assert not (tmp_path / "test").exists()


def test_a_damaged_sound_leaves_no_half_of_a_test(config: ListeningConfig, tmp_path: Path) -> None:
    for path in (tmp_path / "two").iterdir():
        path.write_bytes(b"no sound")
    with pytest.raises(EngineError, match="not audio"):
        build_test(config, tmp_path / "test")
    assert not (tmp_path / "test").exists()


def item(number: int, what: ItemKind = ItemKind.SYSTEM, system: str = "a", clip: str = "") -> Item:
    return Item(
        file=f"{number}.wav", caption="rain", duration_s=4.0, what=what,
        system=system if what is ItemKind.SYSTEM else "", clip=clip or f"c{number}",
    )  # fmt: skip


KEY = Key(
    questionnaire="id",
    seed=0,
    items=(
        *(item(number, system="a" if number < 10 else "b") for number in range(20)),
        *(item(number, ItemKind.REAL) for number in range(20, 24)),
        *(item(number, ItemKind.WRONG) for number in range(24, 26)),
    ),
)


def listened(rater: str = "ann", change: Callable[[Answer], Answer] = lambda one: one) -> Answers:
    """Return answers of one who listens: a is better than b, recordings are good, wrong captions wrong."""

    def answer(one: Item) -> Answer:
        number = int(one.file.removesuffix(".wav"))
        base = {"a": 70, "b": 40, "": 92}[one.system]
        score = base + number % 5
        rel = 8 if one.what is ItemKind.WRONG else score - 10 if one.system else score
        return Answer(file=one.file, ovl=score, rel=rel, listened_s=4.0, answered_s=7.0)

    return Answers(questionnaire="id", rater=rater, answers=tuple(change(answer(one)) for one in KEY.items))


def test_scores_are_means_over_clips_of_the_raters_means() -> None:
    harsher = listened("bob", lambda one: replace(one, ovl=max(1, one.ovl - 6)))
    found = scores(KEY, [listened(), harsher])
    by_name = {one.system: one for one in found.systems}
    assert list(by_name) == ["a", "b", REAL_NAME] and found.raters == ("ann", "bob") and not found.refused
    assert by_name["a"].ovl.value == pytest.approx(70 + 2 - 3)
    assert by_name["a"].rel.value == pytest.approx(70 + 2 - 10)
    assert (by_name["b"].clips, by_name["b"].ratings) == (10, 20)
    assert by_name[REAL_NAME].ovl.value == pytest.approx(92 + 1.5 - 3)


@given(st.lists(st.integers(1, 100), min_size=10, max_size=10))
def test_the_interval_holds_the_mean_and_lies_within_the_answers(given_scores: list[int]) -> None:
    def change(one: Answer) -> Answer:
        number = int(one.file.removesuffix(".wav"))
        return replace(one, ovl=given_scores[number]) if number < 10 else one

    found = scores(KEY, [listened(change=change)], SpamRules(deviation_at_least=0.0)).systems[0].ovl
    assert found.value == pytest.approx(np.mean(given_scores))
    assert min(given_scores) <= found.low <= found.value <= found.high <= max(given_scores)


def test_the_interval_is_that_of_the_mean_of_normal_answers() -> None:
    rng = np.random.default_rng(0)
    many = replace(KEY, items=tuple(item(number) for number in range(400)))
    drawn = np.clip(rng.normal(50, 10, 400).round(), 1, 100).astype(int)
    answers = tuple(
        Answer(
            file=f"{number}.wav", ovl=int(drawn[number]), rel=50 + number % 9, listened_s=4.0, answered_s=5.0
        )
        for number in range(400)
    )
    found = scores(many, [Answers(questionnaire="id", rater="ann", answers=answers)]).systems[0].ovl
    half = 1.96 * drawn.std() / np.sqrt(400)
    assert found.high - found.value == pytest.approx(half, rel=0.1)
    assert found.value - found.low == pytest.approx(half, rel=0.1)


def number_of(answer: Answer) -> int:
    return int(answer.file.removesuffix(".wav"))


SPAM = {
    "gave real recordings 20": lambda one: replace(one, ovl=20, rel=20) if 20 <= number_of(one) < 24 else one,
    "gave wrong captions 90": lambda one: replace(one, rel=90) if number_of(one) >= 24 else one,
    "heard less than half of 5 sounds": lambda one: (
        replace(one, listened_s=1.9) if number_of(one) < 5 else one
    ),
    "heard less than half of 3 sounds": lambda one: (
        replace(one, answered_s=0.3) if number_of(one) < 3 else one
    ),
    "about the same OVL": lambda one: replace(one, ovl=55) if number_of(one) < 20 else one,
    "about the same REL": lambda one: replace(one, rel=55) if number_of(one) < 20 else one,
}


@pytest.mark.parametrize(("words", "change"), SPAM.items())
def test_who_did_not_listen_is_not_counted_and_told_why(
    words: str, change: Callable[[Answer], Answer]
) -> None:
    spammer = listened("spam", change)
    assert len(list(doubts(KEY, spammer, SpamRules()))) == 1
    found = scores(KEY, [listened(), spammer])
    assert found.raters == ("ann",) and words in found.refused["spam"][0]
    assert found.systems == scores(KEY, [listened()]).systems
    assert "Not counted: spam (" in scores_table(found)
    with pytest.raises(SpecError, match="no rater can be believed"):
        scores(KEY, [spammer])


def test_few_slips_and_few_gaps_are_forgiven() -> None:
    slips = listened(change=lambda one: replace(one, listened_s=0.0) if number_of(one) < 2 else one)
    gaps = replace(listened("bob"), answers=listened().answers[1:])
    assert scores(KEY, [slips, gaps]).raters == ("ann", "bob")
    (doubt,) = doubts(KEY, replace(listened(), answers=listened().answers[4:]), SpamRules())
    assert doubt == "answered 22 of 26 sounds"


def test_two_files_of_one_rater_are_refused() -> None:
    with pytest.raises(SpecError, match="two files are of the rater ann"):
        scores(KEY, [listened(), listened()])


def answer_json(**change: object) -> str:
    one = {"file": "1.wav", "ovl": 5, "rel": 6, "listened_s": 1.0, "answered_s": 2} | change
    return json.dumps({"schema_version": 1, "questionnaire": "id", "rater": "ann", "answers": [one]})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "is no file of answers"),
        (answer_json().replace('"id"', '"another"'), "answers another questionnaire"),
        (answer_json(ovl=0), "ovl must be from 1 to 100, got 0"),
        (answer_json(rel=101), "rel must be from 1 to 100, got 101"),
        (answer_json(ovl=50.5), "ovl must be a whole number"),
        (answer_json(file="99.wav"), r"answers 99\.wav which was not asked"),
        (
            answer_json().replace("}]", "}, " + answer_json().split("[")[1][:-2] + "]"),
            "answers .* twice",
        ),
    ],
)
def test_answers_that_are_none_are_refused_by_name(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "answers.json"
    path.write_text(content)
    with pytest.raises(SpecError, match=words) as refused:
        read_answers(path, KEY)
    assert "answers.json" in str(refused.value)


def test_the_commands_build_and_average(
    config: ListeningConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    systems = [word for name, folder in config.systems.items() for word in ("--system", f"{name}={folder}")]
    words = [*systems, "--captions", str(config.captions), "--real", str(config.real), "--attention", "3"]
    out = tmp_path / "test"
    questionnaire_command.main([*words, "--out", str(out)], standalone_mode=False)
    key = read_key(out)
    (tmp_path / "ann.json").write_text(json.dumps(believable(key)))
    found = [str(out), str(tmp_path / "ann.json"), "--out", str(tmp_path / "scores")]
    answers_command.main(found, standalone_mode=False)
    assert "| first net |" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "scores" / "scores.csv").read_text().splitlines()))
    assert [(row["system"], row["score"]) for row in rows][:2] == [("first net", "ovl"), ("first net", "rel")]
    assert json.loads((tmp_path / "scores" / "scores.json").read_text())["raters"] == ["ann"]
    for command, again in ((answers_command, found), (questionnaire_command, [*words, "--out", str(out)])):
        with pytest.raises(SpecError, match="not empty"):
            command.main(again, standalone_mode=False)
    with pytest.raises(SpecError, match="second of its name"):
        questionnaire_command.main([*words, *systems, "--out", str(tmp_path / "b")], standalone_mode=False)


def believable(key: Key) -> dict[str, object]:
    rows = [
        {
            "file": one.file,
            "ovl": 95 if one.what is not ItemKind.SYSTEM else 30 + 5 * index,
            "rel": 3 if one.what is ItemKind.WRONG else 95 if not one.system else 30 + 5 * index,
            "listened_s": one.duration_s,
            "answered_s": 9.0,
        }
        for index, one in enumerate(key.items)
    ]
    return {"schema_version": 1, "questionnaire": key.questionnaire, "rater": "ann", "answers": rows}


def listen(folder: Path, rater: str, answers: list[dict[str, object]], **more: object) -> Any:
    """Let a listener answer on the page that a folder has."""
    page = (folder / "questionnaire" / "index.html").read_text()
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    given = {
        "data": json.dumps(page_data(folder)),
        "script": script,
        "rater": rater,
        "answers": answers,
        **more,
    }
    done = subprocess.run(
        ["node", str(LISTENER)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def said(count: int) -> Iterator[dict[str, object]]:
    for index in range(count):
        yield {
            "ovl": str(20 + index),
            "rel": str(90 - index),
            "heard": [[0, 0.5], [0.75, 1]],
            "took_ms": 3000,
        }


@has_node
def test_the_page_asks_for_every_sound_and_saves_what_can_be_read(
    config: ListeningConfig, tmp_path: Path
) -> None:
    key = build_test(config, tmp_path / "test")
    told = listen(tmp_path / "test", "Ann B.", list(said(11)))
    assert told["ended"] and told["count"] == "11" and told["saved"]["name"] == "answers Ann_B_.json"
    assert all(one["may_go_on"] for one in told["seen"])
    assert sorted(one["src"] for one in told["seen"]) == sorted(f"audio/{one.file}" for one in key.items)
    (tmp_path / "answers.json").write_text(told["saved"]["content"])
    found = read_answers(tmp_path / "answers.json", key)
    assert found.rater == "Ann B." and [one.ovl for one in found.answers] == list(range(20, 31))
    assert {(one.listened_s, one.answered_s) for one in found.answers} == {(0.75, 3.0)}
    captions = {one.file: one.caption for one in key.items}
    for shown, answer in zip(told["seen"], found.answers, strict=True):
        assert shown["src"] == f"audio/{answer.file}" and shown["caption"] == captions[answer.file]


@has_node
def test_each_rater_has_an_order_of_their_own_and_goes_on_where_they_stopped(
    config: ListeningConfig, tmp_path: Path
) -> None:
    build_test(config, tmp_path / "test")
    ann, bob = (listen(tmp_path / "test", rater, list(said(11))) for rater in ("ann", "bob"))
    orders = [[one["src"] for one in told["seen"]] for told in (ann, bob)]
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])
    begun = listen(tmp_path / "test", "ann", list(said(4)))
    rest = listen(tmp_path / "test", "ann", list(said(7)), kept=begun["kept"])
    assert not begun["ended"] and rest["ended"]
    assert [one["src"] for one in (*begun["seen"], *rest["seen"])] == orders[0]
    assert listen(tmp_path / "test", "ann", list(said(11)), without_storage=True)["ended"]


@has_node
@pytest.mark.parametrize("ovl", ["", "0", "101", "7.5", "loud"])
def test_the_page_takes_no_score_that_is_none(config: ListeningConfig, tmp_path: Path, ovl: str) -> None:
    build_test(config, tmp_path / "test")
    told = listen(tmp_path / "test", "ann", [{"ovl": ovl, "rel": "50", "heard": [], "took_ms": 1}] * 2)
    assert [one["place"] for one in told["seen"]] == ["Sound 1 of 11"] * 2
    assert not any(one["may_go_on"] for one in told["seen"])
    assert not told["kept"]


def test_a_result_without_answers_to_a_system_leaves_it_out() -> None:
    only_a = replace(
        listened(), answers=tuple(one for one in listened().answers if not 10 <= number_of(one) < 20)
    )
    found: Scores = scores(KEY, [only_a], SpamRules(answered_share=0.5, deviation_at_least=1.0))
    assert [one.system for one in found.systems] == ["a", REAL_NAME]
