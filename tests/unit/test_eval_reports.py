"""Reports as files, read again, and side by side; and the command that writes them."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from daw_bridge.cli import main
from engine.errors import OutputError, SpecError, UnsupportedVersion
from engine.evaluation.__main__ import compare, measure, parse_weights, run, summary
from engine.evaluation.objective.backbones import BackboneName
from engine.evaluation.objective.compare import comparison, comparison_page, differences
from engine.evaluation.objective.files import free_folder, write_report
from engine.evaluation.objective.measure import EvalConfig, Evaluation, evaluate
from engine.evaluation.objective.pictures import spread_over
from engine.evaluation.objective.report import (
    METRICS,
    ClipRow,
    Figure,
    Metric,
    Report,
    read_report,
    report_json,
)
from tests.unit.eval_folders import folder_of, tiny_weights

FILES = {"report.json", "report.html", "figures.csv", "clips.csv"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Return one of folders whose names and captions a page must not take for its own text."""
    root = tmp_path_factory.mktemp("sets")
    generated = folder_of(root / "made & <b>", range(11), noise=0.02)
    (generated / "broken.wav").write_bytes(b"no sound")
    reference = folder_of(root / "real", range(11))
    (reference / "broken.wav").write_bytes(b"no sound")
    captions = root / "captions.csv"
    captions.write_text(f"file,caption\nc01.wav,{HOSTILE}\n")
    config = EvalConfig(
        generated=generated,
        reference=reference,
        backbones=(BackboneName.PANNS,),
        weights=tiny_weights(root),
        captions=captions,
    )
    return evaluate(config)


def of_value(report: Report, value: float | None, metric: Metric = Metric.FD) -> Report:
    return replace(report, figures=(Figure(metric=metric, backbone="panns", value=value, count=5),))


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_report_is_a_page_tables_and_json_that_reads_as_it_was(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    write_report(evaluation, tmp_path / "report", pictures=2)
    assert {path.name for path in (tmp_path / "report").iterdir()} == FILES
    assert read_report(tmp_path / "report") == evaluation.report
    figures = rows_of(tmp_path / "report" / "figures.csv")
    assert [row["metric"] for row in figures] == [one.metric.value for one in evaluation.report.figures]
    assert {row["resampler"] for row in figures} == {"soxr VHQ"}
    assert figures[0]["weights"].startswith("Cnn14_16k.pth ")
    clips = {row["file"]: row for row in rows_of(tmp_path / "report" / "clips.csv")}
    assert len(clips) == 11 and clips["c01"]["caption"] == HOSTILE
    lsd = next(one for one in evaluation.report.figures if one.metric is Metric.LSD)
    assert sum(float(row["lsd"]) for row in clips.values()) / 11 == pytest.approx(lsd.value, rel=1e-6)


def test_the_page_stands_alone_and_takes_no_name_for_markup(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path / "report", pictures=2)
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<script" not in page and "made &amp; &lt;b&gt;" in page
    sources = re.findall(r"(?:src|href)=\"([^\"]{0,40})", page)
    # Features of both sets, histograms, two pairs.
    assert len(sources) == 4 and all(source.startswith("data:image/png;base64,iVBOR") for source in sources)
    definitions = [METRICS[one.metric].definition for one in evaluation.report.figures]
    for told in ("soxr VHQ", "PANNs Cnn14 at 16 kHz", "broken.wav", *definitions):
        assert told.replace("'", "&#x27;") in page


def test_the_pairs_shown_go_from_the_nearest_to_the_farthest() -> None:
    rows = [ClipRow(name=f"c{lsd}", caption="", values={"lsd": float(lsd)}) for lsd in (5, 1, 9, 3, 7)]
    rows.append(ClipRow(name="silent", caption="", values={"lsd": None}))
    names = [row.name for row in rows]
    assert spread_over(rows, names, 3) == ["c1", "c5", "silent"]
    assert spread_over(rows, names, 50) == ["c1", "c3", "c5", "c7", "c9", "silent"]
    assert spread_over(rows, [], 3) == spread_over(rows, names, 0) == []


def test_nothing_is_written_where_a_report_cannot_be(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_report(evaluation, tmp_path / "file" / "report", pictures=0)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_earlier_reports_are_never_overwritten(tmp_path: Path) -> None:
    first = free_folder(tmp_path / "eval-a")
    (tmp_path / "eval-a").mkdir()
    (tmp_path / "eval-a_2").touch()
    assert first == tmp_path / "eval-a" and free_folder(tmp_path / "eval-a") == tmp_path / "eval-a_3"
    folder = folder_of(tmp_path / "a", [1, 2])
    with pytest.raises(SpecError, match="not empty"):
        measure.main([str(folder), str(folder), "--out", str(folder)], standalone_mode=False)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda text: text[:-40], SpecError, "is no report of an evaluation"),
        (lambda text: text.replace('"pairs": 11', '"pairs": "x"'), SpecError, "pairs must be a whole number"),
        (lambda text: text.replace('_version": 1', '_version": 2'), UnsupportedVersion, "has version 2"),
    ],
)
def test_damaged_and_newer_reports_are_refused(
    evaluation: Evaluation, tmp_path: Path, change: object, error: type[Exception], words: str
) -> None:
    assert callable(change)
    (tmp_path / "report.json").write_text(change(report_json(evaluation.report)))
    with pytest.raises(error, match=words):
        read_report(tmp_path)


def test_a_comparison_marks_the_best_in_the_direction_of_the_metric(evaluation: Evaluation) -> None:
    def line(metric: Metric, *values: float | None) -> str:
        reports = [of_value(evaluation.report, value, metric) for value in values]
        return comparison(reports).splitlines()[2]

    assert line(Metric.FD, 3.0, 2.0).endswith("| 3 | **2** |")
    assert line(Metric.IS, 3.0, 2.0).endswith("| **3** | 2 |")
    assert line(Metric.FD, None, 2.0).endswith("| - | 2 |")
    with pytest.raises(SpecError, match="two reports"):
        comparison([evaluation.report])


def test_a_comparison_tells_what_else_differs(evaluation: Evaluation) -> None:
    one = evaluation.report
    assert list(differences([one, one])) == []
    (backbone,) = one.backbones
    others = {
        "references": replace(one, reference=replace(one.reference, sha256="other")),
        "resampler": replace(one, resampler="linear"),
        "backbone panns": replace(one, backbones=(replace(backbone, sha256="other"),)),
        "number of clips": replace(one, generated=replace(one.generated, clips=3)),
    }
    for words, other in others.items():
        (found,) = differences([one, other])
        assert words in found
        assert f"Not comparable: {found}" in comparison([one, other])
        assert words in comparison_page([one, other])


def test_the_comparison_is_a_command_that_overwrites_nothing(
    evaluation: Evaluation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        write_report(evaluation, tmp_path / name, pictures=0)
    words = [str(tmp_path / "a"), str(tmp_path / "b" / "report.json"), "--page", str(tmp_path / "both.html")]
    compare.main(words, standalone_mode=False)
    assert "| FD (panns) ↓ |" in capsys.readouterr().out
    assert "FD (panns)" in (tmp_path / "both.html").read_text()
    with pytest.raises(SpecError, match="there already"):
        compare.main(words, standalone_mode=False)


def test_the_summary_names_every_figure_and_what_was_left_out(evaluation: Evaluation) -> None:
    lines = summary(evaluation.report)
    assert all(any(line.startswith(one.title) for line in lines) for one in evaluation.report.figures)
    assert sum("broken.wav" in line for line in lines) == 2


@pytest.mark.parametrize("text", ["file.pth", "panns=", "clap=a.pth", "other=a.pth", "=a"])
def test_weights_of_nothing_are_refused(text: str) -> None:
    with pytest.raises(SpecError, match="does not say of which backbone"):
        parse_weights(text)


def test_paths_of_weights_may_hold_a_sign_of_equality() -> None:
    found = parse_weights("panns=Cnn14_16k_mAP=0.438.pth")
    assert found == (BackboneName.PANNS, Path("Cnn14_16k_mAP=0.438.pth"))


def test_the_command_fails_with_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "real", range(2))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["evaluation", "measure", str(folder), "gone"])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == "error[not_found]: gone is not a folder. Give a folder of sound files."
    assert [path.name for path in tmp_path.iterdir()] == ["real"]


@pytest.mark.takes_long
def test_the_command_writes_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "-made", range(2), noise=0.01)
    folder_of(tmp_path / "real", range(2))
    weights = f"vggish={tiny_weights(tmp_path)[BackboneName.VGGISH]}"
    options = ["--backbone", "vggish", "--weights", weights, "--pictures", "0"]
    assert main(["eval", *options, "--", "-made", "real"]) == 0
    assert {path.name for path in (tmp_path / "out" / "eval--made").iterdir()} == FILES
    told = capfd.readouterr().out.splitlines()
    assert told[0].startswith("FAD (vggish)") and told[-1] == "out/eval--made/report.html"
    assert json.loads((tmp_path / "out" / "eval--made" / "report.json").read_text())["pairs"] == 2


def test_a_file_whose_name_is_no_text_is_reported(tmp_path: Path) -> None:
    generated, reference = (folder_of(tmp_path / name, range(3)) for name in ("made", "real"))
    for folder in (generated, reference):
        (folder / "c00.wav").rename(folder / os.fsdecode(b"c\xff.wav"))
    config = EvalConfig(
        generated=generated,
        reference=reference,
        backbones=(BackboneName.PANNS,),
        weights=tiny_weights(tmp_path),
    )
    evaluation = evaluate(config)
    write_report(evaluation, tmp_path / "report", pictures=3)
    assert "c\\udcff" in (tmp_path / "report" / "report.html").read_text()
    assert read_report(tmp_path / "report") == evaluation.report
