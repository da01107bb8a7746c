"""REAPER's jobs on their way: shown, stopped, failed, lost, found again, told by OSC."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lupa import lua54

from tests.hosts.reaper.declarations import SCRIPTS
from tests.hosts.reaper.reaper import Script
from tests.hosts.reaper.studio import Studio, carry_out, noise_NS, write_state

PROMPT = ("a harp", "0.7", "2", "7", "")
ESCAPE = 27


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


def sent(studio: Studio, count: int = 1) -> tuple[Script, list[Path]]:
    """Send a job for each of some items."""
    for number in range(count):
        studio.add_item(noise_NS(0.1, seed=number), 10.0 + number, name=f"riff{number}")
    folders = studio.ask("transfer", *PROMPT)
    assert len(folders) == count
    order = [item.texts["GUID"] for item in studio.track.items]
    folders.sort(key=lambda folder: order.index(note_of(folder)["item"]))
    return studio.reaper.running[0], folders


def note_of(folder: Path) -> dict[str, str]:
    lines = (folder / "home.note").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines)


def test_the_window_tells_how_far_each_job_is(studio: Studio) -> None:
    script, (first, second) = sent(studio, 2)
    write_state(
        first, "state\trunning", "stage\tsample", "step\t5", "total\t20", "fraction\t0.25", "eta_s\t7.2"
    )
    write_state(second, "state\twaiting")
    studio.turns(12)
    assert script.window.title == "DAW Bridge"
    assert [text for text in script.window.texts if text != "Cancel"] == [
        "a harp: denoising 5 of 20, about 8 s left",
        "a harp: waiting",
    ]
    write_state(first, "state\trunning", "stage\tload", "eta_s\t150")
    studio.turns(12)
    assert script.window.texts[0] == "a harp: reading the model, about 3 min left"


def test_a_click_on_cancel_stops_that_job_alone(studio: Studio) -> None:
    script, (first, second) = sent(studio, 2)
    for folder in (first, second):
        write_state(folder, "state\trunning", "stage\tsample")
    studio.turns(12)
    script.window.press(400, 12 + 46 + 5)
    studio.turns(3)
    script.window.release()
    assert (second / "cancel").exists() and not (first / "cancel").exists()
    write_state(second, "state\tcancelled", "code\tcancelled", "message\tthe job was cancelled")
    carry_out(first)
    studio.turns(40)
    assert not studio.api.told and not studio.folders() and not studio.reaper.running
    assert [len(item.takes) for item in studio.track.items] in ([3, 1], [1, 3])


def test_a_job_that_is_still_read_is_stopped_at_once(studio: Studio) -> None:
    studio.add_item(noise_NS(30.0))
    studio.answer(*PROMPT)
    script = studio.reaper.run("transfer")
    script.window.press(400, 15)
    studio.turns(2)
    assert not studio.reaper.running and not studio.folders() and not studio.api.told
    assert not list(studio.project.folder.rglob("*.part"))
    assert not any(accessor.is_open for accessor in studio.api.accessors)
    assert not studio.project.undo


def test_a_closed_window_stops_nothing(studio: Studio) -> None:
    script, (folder,) = sent(studio)
    script.window.keys.append(ESCAPE)
    studio.turns(3)
    assert script.window.title == ""
    carry_out(folder)
    studio.turns(40)
    assert len(studio.track.items[0].takes) == 3


def test_cancel_all_reaches_jobs_of_any_window(studio: Studio) -> None:
    _, folders = sent(studio, 3)
    for folder in folders[:2]:
        write_state(folder, "state\trunning")
    write_state(folders[2], "state\tdone")
    studio.reaper.run("cancel")
    assert [(folder / "cancel").exists() for folder in folders] == [True, True, False]
    assert not studio.api.told


def test_with_nothing_to_cancel_or_collect_that_is_said(studio: Studio) -> None:
    studio.reaper.run("cancel")
    studio.reaper.run("collect")
    assert studio.api.told == ["There is nothing to cancel.", "There is nothing to collect."]


def test_a_failed_job_is_told_with_what_to_do_and_changes_nothing(studio: Studio) -> None:
    _, folders = sent(studio, 2)
    for folder in folders:
        write_state(
            folder, "state\tfailed", "code\toom", "message\tthe memory is full", "hint\tUse a smaller model."
        )
    studio.turns(40)
    assert studio.api.told == ["The memory is full.\nUse a smaller model."]
    assert not studio.project.undo and not studio.folders() and not studio.reaper.running


def test_a_command_that_does_not_start_is_told_in_the_window_and_then_aloud(studio: Studio) -> None:
    script, (folder,) = sent(studio)
    studio.turns(9 * 30)
    assert script.window.texts[0] == "a harp: waiting"
    studio.turns(3 * 30)
    assert script.window.texts[0] == "a harp: no answer yet from DAW Bridge"
    studio.turns(45 * 30)
    assert not studio.api.told
    studio.turns(5 * 30)
    (told,) = studio.api.told
    assert "within 60 s" in told and "\ntrue\n" in told and "daw-bridge doctor" in told
    assert folder.exists(), "it can be collected when it was done after all"


def test_a_result_that_cannot_be_read_is_told_and_the_others_are_taken(studio: Studio) -> None:
    _, (folder,) = sent(studio)
    paths = carry_out(folder)
    paths[1].unlink()
    studio.turns(40)
    assert studio.api.told == [f"REAPER cannot read {paths[1]}."]
    assert len(studio.track.items[0].takes) == 2


def test_an_errand_without_news_is_offered_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    studio = Studio(tmp_path, command=("/bin/sh", "-c", f'echo "$@" >> {shlex.quote(str(log))}', "runner"))
    _, (folder,) = sent(studio)
    write_state(folder, "state\trunning")
    studio.turns(65 * 30)
    studio.reaper.wait_until(lambda: log.exists() and log.read_text().count("\n") == 2, "two starts")
    assert log.read_text().splitlines() == [f"errand run --detach {folder}"] * 2


def close_and_open(studio: Studio, *, is_same_project: bool = True) -> Studio:
    """Quit REAPER, and start it again with the project as it was saved, or with another one."""
    again = Studio(studio.folder)
    if is_same_project:
        again.project.tracks, again.project.texts = studio.project.tracks, studio.project.texts
    again.api.ext_state = studio.api.ext_state
    return again


def test_what_was_done_while_reaper_was_closed_is_collected_into_its_project(studio: Studio) -> None:
    _, folders = sent(studio, 2)
    carry_out(folders[0])
    again = close_and_open(studio)
    again.reaper.run("collect")
    again.turns(20)
    assert sum(len(item.takes) for item in again.track.items) == 4
    carry_out(folders[1])
    again.turns(40)
    assert [len(item.takes) for item in again.track.items] == [3, 3]
    assert not again.folders() and not again.reaper.running


def test_takes_of_a_closed_project_wait_for_it(studio: Studio) -> None:
    _, (folder,) = sent(studio)
    carry_out(folder)
    other = close_and_open(studio, is_same_project=False)
    other.reaper.run("collect")
    other.turns(10)
    assert other.api.told == ["The project is closed: open it, and run DAW Bridge: collect finished takes."]
    assert folder.exists() and not other.project.items()
    again = close_and_open(studio)
    again.reaper.run("collect")
    again.turns(10)
    assert len(again.track.items[0].takes) == 3


def test_takes_go_to_their_project_though_another_one_is_in_front(studio: Studio) -> None:
    _, (folder,) = sent(studio)
    other = Studio(studio.folder / "other").project
    studio.api.projects.insert(0, other)
    carry_out(folder)
    studio.turns(40)
    assert len(studio.track.items[0].takes) == 3 and not other.items()


def test_osc_brings_takes_at_once_and_polling_does_not_bring_them_again(studio: Studio) -> None:
    _, (folder,) = sent(studio)
    carry_out(folder)
    studio.reaper.run("apply", f"osc:/daw_bridge/apply:s={folder}")
    assert len(studio.track.items[0].takes) == 3
    studio.turns(40)
    assert len(studio.track.items[0].takes) == 3 and len(studio.project.undo) == 1
    assert not studio.reaper.running and not studio.api.told


def test_a_command_that_starts_late_is_waited_for(studio: Studio) -> None:
    script, (folder,) = sent(studio)
    studio.turns(20 * 30)
    write_state(folder, "state\twaiting")
    studio.turns(12)
    assert script.window.texts[0] == "a harp: waiting"
    carry_out(folder)
    studio.turns(40)
    assert len(studio.track.items[0].takes) == 3 and not studio.api.told


def test_osc_about_what_is_gone_or_not_done_does_nothing(studio: Studio) -> None:
    _, (folder,) = sent(studio)
    write_state(folder, "state\trunning")
    studio.reaper.run("apply", f"osc:/daw_bridge/apply:s={folder}")
    studio.reaper.run("apply", f"osc:/daw_bridge/apply:s={folder}-gone")
    assert not studio.project.undo and not studio.api.told


def test_apply_without_osc_says_what_to_use_instead(studio: Studio) -> None:
    studio.reaper.run("apply")
    assert "collect finished takes" in studio.api.told[0]


def test_peaks_are_built_beside_everything_else(studio: Studio) -> None:
    _, (folder,) = sent(studio)
    carry_out(folder)
    studio.turns(40)
    assert [source.peaks_left for source in studio.api.sources] == [0, 0]


# Commands with any path in them

LUA = lua54.LuaRuntime()
ARGUMENTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=4)


def quoting(name: str) -> object:
    code = (SCRIPTS / "lib" / "files.lua").read_text()
    LUA.execute('reaper = { GetOS = function() return "Other" end }')
    return LUA.execute(f"return assert(load(...))(function() end)['{name}']".replace("...", repr_lua(code)))


def repr_lua(code: str) -> str:
    return f"[==[{code}]==]"


@given(ARGUMENTS)
def test_a_shell_reads_each_argument_as_it_was_meant(arguments: list[str]) -> None:
    quote = quoting("for_shell")
    assert shlex.split(" ".join(quote(one) for one in arguments)) == arguments  # type: ignore[operator]


@given(ARGUMENTS)
def test_windows_reads_each_argument_as_it_was_meant(arguments: list[str]) -> None:
    quote = quoting("for_windows")
    assert windows_arguments(" ".join(quote(one) for one in arguments)) == arguments  # type: ignore[operator]


def windows_arguments(line: str) -> list[str]:
    """Return what a program gets, by the rules of Microsoft's C runtime for arguments after the first."""
    found, argument, is_quoted, backslashes, is_open = [], "", False, 0, False
    for character in line:
        if character == "\\":
            backslashes += 1
            continue
        if character == '"':
            argument += "\\" * (backslashes // 2)
            if backslashes % 2:
                argument += '"'
            else:
                is_quoted, is_open = not is_quoted, True
        elif character in " \t" and not is_quoted:
            argument += "\\" * backslashes
            if is_open or argument:
                found.append(argument)
            argument, is_open = "", False
        else:
            argument += "\\" * backslashes + character
        backslashes = 0
    argument += "\\" * backslashes
    return [*found, argument] if is_open or argument else found


@given(ARGUMENTS)
def test_the_rules_for_windows_are_those_of_python(arguments: list[str]) -> None:
    # An independent writer of such lines.
    assert windows_arguments(subprocess.list2cmdline(arguments)) == arguments


def test_a_started_command_gets_its_arguments_and_reaper_does_not_wait(tmp_path: Path) -> None:
    log = tmp_path / 'it\'s a "log"'
    code = f"import sys, time; time.sleep(0.5); open({str(log)!r}, 'w').write(repr(sys.argv[1:]))"
    studio = Studio(tmp_path / "a $folder", command=(sys.executable, "-c", code))
    studio.add_item(noise_NS(0.1))
    (folder,) = studio.ask("transfer", *PROMPT)
    assert not log.exists()
    studio.reaper.wait_until(lambda: log.exists() and bool(log.read_text()), "the command")
    assert log.read_text() == repr(["errand", "run", "--detach", str(folder)])


def test_on_windows_the_command_goes_to_reaper_without_a_shell(tmp_path: Path) -> None:
    studio = Studio(tmp_path, command=(r"C:\Program Files\py\python.exe", "-m", "daw_bridge"))
    studio.api.system = "Win64"
    studio.add_item(noise_NS(0.1))
    studio.answer(*PROMPT)
    studio.reaper.run("transfer")
    studio.turns(3)
    ((line, timeout_ms),) = studio.api.commands
    program, *arguments = windows_arguments(line)
    assert (program, timeout_ms) == (r"C:\Program Files\py\python.exe", -2)
    assert arguments[:5] == ["-m", "daw_bridge", "errand", "run", "--detach"]
