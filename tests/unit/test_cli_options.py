from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click import BadParameter
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.cli import main
from daw_bridge.client.jobs import Client
from daw_bridge.demo import demo_jobs, example_clip
from daw_bridge.display import complain, fraction
from daw_bridge.models_cli import table
from daw_bridge.option_types import Numbers
from daw_bridge.recalling import varied
from daw_bridge.service.config import Folders
from daw_bridge.spec_options import (
    Weight,
    build_spec,
    parse_mask,
    parse_seconds,
    parse_weighted,
    rectangles,
    slug,
    whole_path,
)
from engine.errors import AudioMissing, EngineError, SpecError
from engine.types import ConditionKind, Editor, ErrorCode, ErrorInfo, RectShape, SamplerName, Task

OPTIONS: dict[str, Any] = {
    "file": "in.wav",
    "start": None,
    "end": None,
    "mask": None,
    "mask_time": (),
    "mask_band": (),
    "match_level": True,
    "prompt": "rain",
    "negative": "",
    "like": (),
    "seed": 1,
    "takes": 1,
    "steps": 20,
    "guidance": 2.5,
    "sampler": "dpmpp_2m",
    "eta": None,
    "model": "starter",
}


def never(path: str) -> float:
    raise AssertionError(f"{path} need not be opened")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("2.5", 2.5), ("1:02.5", 62.5), ("0:07", 7.0), ("61:00", 3660.0), ("1:01:01", 3661.0)],
)
def test_times_are_seconds_or_clocks(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1:60", "1:2:3:4", "1:-2", "1e400"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|59"):
        parse_seconds(text)


@given(st.floats(0, 9999, allow_nan=False))
def test_any_seconds_survive(seconds: float) -> None:
    assert parse_seconds(repr(seconds)) == pytest.approx(seconds)


def corners(times: list[tuple[float, float]], bands: list[tuple[float, float]]) -> list[tuple[float, ...]]:
    mask = rectangles(times, bands, 9.0)
    assert mask is not None
    shapes = [shape for shape in mask.shapes if isinstance(shape, RectShape)]
    return [(shape.span.start_s, shape.span.end_s, shape.low_hz, shape.high_hz or -1) for shape in shapes]


def test_times_and_bands_pair_up() -> None:
    assert rectangles((), (), 9.0) is None
    assert corners([(1, 2)], []) == [(1, 2, 0, -1)]
    assert corners([], [(50, 90)]) == [(0, 9, 50, 90)]
    assert corners([(1, 2), (3, 4)], [(50, 90), (60, 70)]) == [(1, 2, 50, 90), (3, 4, 60, 70)]
    assert corners([(1, 2), (3, 4)], [(50, 90)]) == [(1, 2, 50, 90), (3, 4, 50, 90)]
    assert corners([(1, 2)], [(50, 90), (60, 70)]) == [(1, 2, 50, 90), (1, 2, 60, 70)]


@pytest.mark.parametrize(
    ("times", "bands"),
    [([(0, 1)] * 2, [(1, 2)] * 3), ([(2, 1)], []), ([], [(200, 100)])],
)
def test_rectangles_that_make_no_sense_are_refused(
    times: list[tuple[float, float]], bands: list[tuple[float, float]]
) -> None:
    with pytest.raises(SpecError):
        rectangles(times, bands, 9.0)


def test_a_mask_comes_as_json_or_in_a_file(tmp_path: Path) -> None:
    text = '{"shapes": [{"shape": "rect", "span": {"start_s": 0, "end_s": 1}}]}'
    (tmp_path / "mask.json").write_text(text)
    assert parse_mask(text) == parse_mask(str(tmp_path / "mask.json"))
    for missing in ("nowhere.json", str(tmp_path), "\0"):
        with pytest.raises(EngineError):
            parse_mask(missing)


def test_options_become_a_spec() -> None:
    given_ = {"start": 1.0, "end": 3.0, "strength": 0.7, "like": ("b.wav",), "sampler": "ddim", "eta": 1.0}
    spec = build_spec(Task.TRANSFER, OPTIONS | given_, never)
    assert spec.region is not None
    assert spec.region.span is not None
    assert Path(spec.region.path) == Path("in.wav").absolute()
    assert (spec.region.span.start_s, spec.region.span.end_s) == (1.0, 3.0)
    assert (spec.sampler.name, spec.sampler.eta, spec.sampler.strength) == (SamplerName.DDIM, 1.0, 0.7)
    assert [condition.kind for condition in spec.conditions] == [ConditionKind.AUDIO]


def test_sweeps_and_variations_become_a_spec() -> None:
    swept = build_spec(Task.TRANSFER, OPTIONS | {"sweep": (0.2, 0.4), "strength": None}, never)
    assert (swept.sweep, swept.takes, swept.variation, swept.variation_seed) == ((0.2, 0.4), 2, 0.0, 0)
    with pytest.raises(SpecError, match="--sweep does not go together with --strength"):
        build_spec(Task.TRANSFER, OPTIONS | {"sweep": (0.2, 0.4), "strength": 0.5}, never)
    varied = build_spec(Task.TRANSFER, OPTIONS | {"vary": 0.3, "vary_seed": 8, "takes": 4}, never)
    assert (varied.variation, varied.variation_seed, varied.takes, varied.seed) == (0.3, 8, 4, 1)
    assert build_spec(Task.TRANSFER, OPTIONS | {"vary": 0.0, "vary_seed": 8}, never).variation_seed == 0


@pytest.mark.parametrize(
    ("text", "value", "weight"),
    [
        ("bells", "bells", Weight()),
        ("bells@0.5", "bells", Weight(weight=0.5)),
        ("bells @ 2", "bells", Weight(weight=2.0)),
        ("me@home", "me@home", Weight()),
        ("take@48.wav", "take@48.wav", Weight()),
        ("take@48.wav@.25", "take@48.wav", Weight(weight=0.25)),
        ("bells@0:0,2.5:1", "bells", Weight(curve=((0.0, 0.0), (2.5, 1.0)))),
        ("bells@noon", "bells@noon", Weight()),
        (" bells ", "bells", Weight()),
    ],
)
def test_weights_stand_behind_the_last_at(text: str, value: str, weight: Weight) -> None:
    assert parse_weighted(text) == (value, weight)


@pytest.mark.parametrize("much", ["-1", "1e-3", "0,5", "50%", "1:2:3", "nan", "0:0,", "0:0;1:1", "1.2.3"])
def test_numbers_that_are_no_weight_are_refused(much: str) -> None:
    with pytest.raises(SpecError, match="no weight behind its last @"):
        parse_weighted(f"bells@{much}")


@pytest.mark.parametrize("text", ["", " ", "@0.5", " @0:0,1:1"])
def test_a_weight_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="says nothing that is wanted"):
        parse_weighted(text)


def test_further_conditions_become_a_spec() -> None:
    given_ = {"also": ("bells@0:0,2:3",), "like": ("b.wav@0.5",), "seconds": 4.0}
    spec = build_spec(Task.GENERATE, OPTIONS | given_, never)
    text, audio = spec.conditions
    assert (text.kind, text.value, text.curve) == (ConditionKind.TEXT, "bells", ((0.0, 0.0), (2.0, 3.0)))
    assert (audio.kind, Path(audio.value), audio.weight) == (
        ConditionKind.AUDIO,
        Path("b.wav").absolute(),
        0.5,
    )
    with pytest.raises(SpecError, match="weight must be above zero"):
        build_spec(Task.GENERATE, OPTIONS | given_ | {"also": ("bells@0",)}, never)


@pytest.mark.parametrize(
    ("task", "times", "end_s"),
    [
        (Task.GENERATE, {"seconds": 4.0}, 4.0),
        (Task.TRANSFER, {"start": 1.0, "end": 3.0}, 2.0),
        (Task.TRANSFER, {}, 7.0),
    ],
)
def test_a_glide_takes_the_middle_half(task: Task, times: dict[str, float], end_s: float) -> None:
    spec = build_spec(task, OPTIONS | times | {"glide_to": "bells"}, lambda _: 7.0)
    leaves_s, arrives_s = end_s / 4, end_s * 3 / 4
    assert spec.prompt_curve == ((leaves_s, 1.0), (arrives_s, 0.0))
    assert [(one.value, one.curve) for one in spec.conditions] == [
        ("bells", ((leaves_s, 0.0), (arrives_s, 1.0)))
    ]
    with pytest.raises(SpecError, match="--glide-to starts from a prompt"):
        build_spec(task, OPTIONS | times | {"glide_to": "bells", "prompt": ""}, lambda _: 7.0)


def test_a_transfer_says_how_it_edits() -> None:
    given_ = {"editor": "invert", "source_prompt": "a drum loop"}
    spec = build_spec(Task.TRANSFER, OPTIONS | given_, never)
    assert (spec.editor, spec.source_prompt) == (Editor.INVERT, "a drum loop")
    with pytest.raises(SpecError, match="--source-prompt does not go together with --editor renoise"):
        build_spec(Task.TRANSFER, OPTIONS | given_ | {"editor": "renoise"}, never)


@pytest.mark.parametrize("keep", [(), ("pitch",), ("rhythm", "level"), ("level", "pitch", "rhythm")])
def test_a_transfer_keeps_what_is_named(keep: tuple[str, ...]) -> None:
    spec = build_spec(Task.TRANSFER, OPTIONS | {"keep": keep}, never)
    flags = {"pitch": spec.keep_pitch, "rhythm": spec.keep_rhythm, "level": spec.keep_level}
    assert {name for name, is_kept in flags.items() if is_kept} == set(keep)


@pytest.mark.parametrize("text", ["0.2,0.4, 0.6", "0.2 0.4 0.6", "0.2,0.4,0.6,"])
def test_numbers_have_commas_or_spaces_between_them(text: str) -> None:
    assert Numbers().convert(text, None, None) == (0.2, 0.4, 0.6)


@pytest.mark.parametrize("text", ["", ",", "a", "0.2;0.4", "nan", "0.2,inf"])
def test_what_is_no_list_of_numbers_is_a_wrong_option(text: str) -> None:
    with pytest.raises(BadParameter):
        Numbers().convert(text, None, None)


def test_variations_of_a_recalled_take_keep_all_but_their_noise() -> None:
    spec = build_spec(Task.TRANSFER, OPTIONS, never)
    wanted = varied(spec, 0.3, 4)
    assert (wanted.variation, wanted.takes, wanted.seed) == (0.3, 4, spec.seed)
    with pytest.raises(SpecError, match="variation itself") as caught:
        varied(wanted, 0.2, 1)
    assert "seed 1" in caught.value.hint


def test_only_a_half_open_region_asks_for_the_length() -> None:
    assert build_spec(Task.TRANSFER, OPTIONS, never).region.span is None  # type: ignore[union-attr]
    region = build_spec(Task.TRANSFER, OPTIONS | {"start": 2.0}, lambda _: 6.0).region
    assert region is not None
    assert region.span is not None
    assert region.span.end_s == 6.0
    mask = build_spec(Task.INPAINT, OPTIONS | {"mask_band": ((100.0, 200.0),)}, lambda _: 6.0).mask
    assert mask is not None
    assert mask.shapes[0].span.end_s == 6.0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("task", "changes", "hint"),
    [
        (Task.TRANSFER, {"prompt": " "}, "--prompt"),
        (Task.INPAINT, {}, "--mask-time"),
        (Task.TRANSFER, {"start": 3.0, "end": 2.0}, "--help"),
        (Task.TRANSFER, {"steps": 0}, "--help"),
        (Task.TRANSFER, {"sweep": (0.4, 0.2)}, "--sweep 0.2,0.4,0.6"),
        (Task.GENERATE, {"seconds": 999.0}, "--help"),
    ],
)
def test_wrong_options_say_what_to_do(task: Task, changes: dict[str, object], hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        build_spec(task, OPTIONS | changes, never)
    assert caught.value.code is ErrorCode.BAD_ARGS
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["prompt", "negative"])
def test_text_of_another_encoding_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match=f"the {name} is not UTF-8"):
        build_spec(Task.TRANSFER, OPTIONS | {name: "harp \udcff"}, never)


@pytest.mark.parametrize("changes", [{"file": "caf\udce9.wav"}, {"like": ("caf\udce9.wav",)}])
def test_a_name_of_another_encoding_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SpecError, match=r"the name of .*/caf\?\.wav is not UTF-8 text") as caught:
        build_spec(Task.TRANSFER, OPTIONS | changes, never)
    assert (caught.value.code, caught.value.hint) == (ErrorCode.BAD_ARGS, "Rename it.")


def test_a_folder_of_another_encoding_is_refused_before_anything_starts(tmp_path: Path) -> None:
    assert whole_path("caf\u00e9.wav").endswith("/caf\u00e9.wav")
    folders = Folders(**{name: tmp_path / name for name in ("state", "config", "runtime", "log", "takes")})
    spec = build_spec(Task.TRANSFER, OPTIONS, never)
    with Client(folders) as client, pytest.raises(SpecError, match="is not UTF-8 text"):
        client.render(spec, tmp_path / "o\udce9", "rain", lambda _: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [("Rain, on a *roof*!", "rain-on-a-roof"), ("雨", ""), ("a" * 99, "a" * 40), ("../..", "")],
)
def test_prompts_become_safe_names(text: str, name: str) -> None:
    assert slug(text) == name


def test_progress_rises_over_all_takes() -> None:
    stages = [
        ("load", 0, 1),
        ("encode", 1, 1),
        ("sample", 1, 4),
        ("sample", 4, 4),
        ("decode", 1, 1),
        ("rank", 1, 1),
    ]
    shares = [
        fraction({"stage": stage, "step": step, "total": total, "take": take, "takes": 2})
        for take in (1, 2)
        for stage, step, total in stages
    ]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares[5] == 0.5


def test_an_error_is_one_sentence_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    complain(ErrorInfo(code=ErrorCode.IO_MISSING, message="no such\nfile: [a]b.", hint="Look."))
    assert capsys.readouterr().err == "error[io_missing]: no such file: [a]b. Look.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["transfer"], "Missing argument 'FILE'"),
        (["transfer", "a.wav", "--start", "x"], "'x' is not a time"),
        (["generate", "--takes", "0"], "0 is not in the range"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_wrong_use_is_status_two(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error[bad_args]: ")
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--start", "7"), "the region starts at 7 s, past the end of"),
        (("--sweep", "0.1,0.2", "--takes", "3"), "--sweep does not go together with --takes"),
    ],
)
def test_options_that_do_not_fit_are_told(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DAW_BRIDGE_HOME", str(tmp_path))
    monkeypatch.setattr("daw_bridge.client.jobs.Client.duration_s", lambda *_: 6.0)
    assert main(["transfer", "a.wav", "--prompt", "rain", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error[bad_args]: ")
    assert says in error


@pytest.mark.parametrize("command", ["generate", "transfer", "inpaint", "superres", "recall"])
def test_no_help_speaks_of_bounds_that_are_none(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert "None" not in capsys.readouterr().out


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("inpaint", "a.wav", "--mask-band", "40", "VALUE"),
        ("inpaint", "a.wav", "--mask-band", "VALUE", "40"),
        ("inpaint", "a.wav", "--mask-time", "VALUE", "2"),
        ("transfer", "a.wav", "--start", "VALUE"),
        ("transfer", "a.wav", "--end", "VALUE"),
        ("transfer", "a.wav", "--strength", "VALUE"),
        ("superres", "a.wav", "--cutoff", "VALUE"),
        ("generate", "--seconds", "VALUE"),
        ("generate", "--guidance", "VALUE"),
        ("generate", "--eta", "VALUE"),
        ("history", "tidy", "--gb", "VALUE"),
        ("serve", "--idle", "VALUE"),
        ("serve", "--disk-budget-gb", "VALUE"),
    ],
    ids=" ".join,
)
def test_what_is_no_number_is_refused_by_the_name_of_its_option(
    arguments: tuple[str, ...], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([value if one == "VALUE" else one for one in arguments]) == 2
    error = capsys.readouterr().err
    option = [one for one in arguments if one.startswith("--")][-1]
    assert error.startswith(f"error[bad_args]: Invalid value for '{option}': ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("inpaint", "a.wav", "--mask-band", "-1", "40"),
        ("superres", "a.wav", "--cutoff", "-1"),
        ("history", "tidy", "--gb", "-1"),
        ("serve", "--idle", "-1"),
    ],
)
def test_less_than_nothing_is_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "-1.0 is not in the range x>=0" in capsys.readouterr().err.replace("0<=x", "x>=0")


def test_help_is_status_zero(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ([], ["transfer"], ["inpaint"], ["generate"], ["superres"], ["models"], ["demo"]):
        assert main([*command, "--help"]) == 0
    assert "--mask-band" in capsys.readouterr().out


def test_the_example_clip_is_there_and_the_demo_edits_it() -> None:
    jobs = demo_jobs(example_clip(), "starter")
    assert [spec.task for _, _, spec in jobs] == [Task.TRANSFER, Task.INPAINT, Task.GENERATE]


def test_a_missing_example_clip_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("daw_bridge.demo.EXAMPLE", tmp_path / "nowhere.flac")
    with pytest.raises(AudioMissing, match=r"nowhere\.flac"):
        example_clip()


def test_columns_are_aligned() -> None:
    assert table([("NAME", "X"), ("a", "b")]) == ["NAME  X", "a     b"]


def test_the_service_side_loads_no_numerics() -> None:
    modules = "daw_bridge.cli, daw_bridge.client.jobs, daw_bridge.service.main, daw_bridge.demo"
    code = f"import sys, {modules}; print({{'torch', 'numpy', 'soundfile', 'scipy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
