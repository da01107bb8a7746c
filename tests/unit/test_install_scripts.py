"""Scripts go into hosts and out again, and nothing of a user's is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.cli import main
from daw_bridge.daws import doctor_cli, install_cli, registry
from daw_bridge.daws.hosts import Edit, Host, Place, ScriptFile, System
from daw_bridge.daws.install import Change, differences, install, remove
from daw_bridge.daws.installed import Installations
from daw_bridge.service.config import Folders
from engine.errors import EngineError, OutputError, SpecError

LINE = b"bridge=1\n"


def folders(root: Path) -> Folders:
    return Folders(**{name: root / name for name in ("state", "config", "runtime", "log", "takes")})


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(
        platform="linux",
        home=tmp_path,
        environment={},
        folders=folders(tmp_path / "home"),
        command=("bridge",),
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = tmp_path / "host"
    made.mkdir()
    return Place(folder=made)


def host_of(files: dict[str, bytes], name: str = "tapedeck", *, has_config: bool = False) -> Host:
    def edits(_: System, place: Place) -> tuple[Edit, ...]:
        return (Edit(path=place.folder / "deck.cfg", put=_put, take=_take),) if has_config else ()

    return Host(
        name=name,
        title="Tape Deck",
        find=lambda system: tuple(Place(folder=path) for path in [system.home / "host"] if path.is_dir()),
        files=lambda _, place: tuple(
            ScriptFile(path=place.folder / path, content=content, is_program=path.endswith(".sh"))
            for path, content in files.items()
        ),
        next_steps=("Press play.",),
        edits=edits,
    )


def _put(content: bytes | None) -> bytes:
    return content if content is not None and LINE in content else (content or b"") + LINE


def _take(content: bytes) -> bytes:
    return content.replace(LINE, b"")


def there(place: Place) -> dict[str, bytes]:
    found = (path for path in place.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(place.folder)): path.read_bytes() for path in found}


def verbs(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return sorted((change.verb, change.path.name) for change in changes)


ONE = host_of({"scripts/play.lua": b"play", "scripts/deep/rec.sh": b"rec"})


def test_what_was_put_in_is_taken_out_with_its_folders(system: System, place: Place) -> None:
    (place.folder / "mine.lua").write_bytes(b"mine")
    assert verbs(install(system, ONE, place)) == [("written", "play.lua"), ("written", "rec.sh")]
    assert (place.folder / "scripts/deep/rec.sh").stat().st_mode & 0o111
    assert differences(system, ONE, place) == ()
    assert install(system, ONE, place) == ()
    remove(system, ONE, place)
    assert there(place) == {"mine.lua": b"mine"}
    assert not (place.folder / "scripts").exists()
    assert Installations(system.folders.state).all() == {}


def test_an_upgrade_replaces_ours_and_takes_away_what_is_no_longer(system: System, place: Place) -> None:
    install(system, ONE, place)
    newer = host_of({"scripts/play.lua": b"play faster"})
    assert verbs(install(system, newer, place)) == [("removed", "rec.sh"), ("written", "play.lua")]
    assert there(place) == {"scripts/play.lua": b"play faster"}


def test_what_somebody_changed_or_wrote_before_is_kept_beside(system: System, place: Place) -> None:
    path = place.folder / "scripts/play.lua"
    path.parent.mkdir()
    path.write_bytes(b"somebody's")
    install(system, ONE, place)
    path.write_bytes(b"changed")
    assert any("is not as it was written" in told for told in differences(system, ONE, place))
    install(system, ONE, place)
    kept = {name: content for name, content in there(place).items() if "before" in name}
    assert sorted(kept.values()) == [b"changed", b"somebody's"]


def test_removal_leaves_what_somebody_changed(system: System, place: Place) -> None:
    install(system, ONE, place)
    (place.folder / "scripts/play.lua").write_bytes(b"changed")
    assert ("left", "play.lua") in verbs(remove(system, ONE, place))
    assert there(place) == {"scripts/play.lua": b"changed"}


def test_removal_takes_what_the_scripts_wrote_by_themselves(system: System, place: Place) -> None:
    note = place.folder / "scripts" / "deep" / "settings.note"
    host = replace(ONE, leavings=lambda _system, _place: (note,))
    install(system, host, place)
    remove(system, host, place)
    assert there(place) == {}
    install(system, host, place)
    note.write_text("ask\ttransfer\n", encoding="utf-8")
    assert install(system, host, place) == () and note.exists()
    assert ("removed", "settings.note") in verbs(remove(system, host, place))
    assert there(place) == {} and not (place.folder / "scripts").exists()


def test_a_hosts_own_file_keeps_all_else(system: System, place: Place) -> None:
    config = place.folder / "deck.cfg"
    config.write_bytes(b"speed=2\n")
    host = host_of({}, has_config=True)
    assert verbs(install(system, host, place)) == [
        ("edited", "deck.cfg"),
        ("kept", "deck.cfg.before-daw-bridge"),
    ]
    assert config.read_bytes() == b"speed=2\n" + LINE
    config.write_bytes(b"speed=3\n" + LINE)
    assert install(system, host, place) == ()
    remove(system, host, place)
    assert config.read_bytes() == b"speed=3\n"


def test_an_interrupted_installation_is_remembered(system: System, place: Place) -> None:
    install(system, ONE, place)
    (place.folder / "blocked").write_bytes(b"a file where a folder must be")
    broken = host_of({"scripts/play.lua": b"play 2", "blocked/x.lua": b"x"})
    with pytest.raises(OutputError, match="cannot be used"):
        install(system, broken, place)
    remove(system, broken, place)
    assert there(place) == {"blocked": b"a file where a folder must be"}


def test_a_damaged_book_is_told(system: System, place: Place) -> None:
    system.folders.state.mkdir(parents=True)
    (system.folders.state / "scripts.json").write_text("[{}]")
    with pytest.raises(OutputError, match=r"scripts\.json cannot be read"):
        install(system, ONE, place)


CONTENTS = st.dictionaries(st.sampled_from(["a.lua", "b/c.lua", "b/d.lua"]), st.binary(max_size=3))


@given(CONTENTS, CONTENTS, CONTENTS)
def test_whatever_was_there_before_is_there_after(
    tmp_path_factory: pytest.TempPathFactory,
    mine: dict[str, bytes],
    first: dict[str, bytes],
    second: dict[str, bytes],
) -> None:
    root = tmp_path_factory.mktemp("machine")
    place = Place(folder=root / "host")
    system = System(platform="linux", home=root, environment={}, folders=folders(root), command=())
    for path, content in mine.items():
        (place.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (place.folder / path).write_bytes(content)
    for files in (first, second):
        install(system, host_of(files), place)
        assert files.items() <= there(place).items()
    remove(system, host_of(second), place)
    assert set(mine.values()) <= set(there(place).values()) | set(first.values()) | set(second.values())


@pytest.fixture
def command(system: System, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    hosts = (host_of({"play.lua": b"play"}), replace(ONE, name="nowhere", find=lambda _: ()))
    for module in (install_cli, registry):
        monkeypatch.setattr(module, "HOSTS", hosts)
    monkeypatch.setattr(System, "here", lambda: system)
    return lambda *arguments: main(["install-scripts", *arguments])


def test_the_command_tells_what_it_wrote_and_what_to_click(
    command: Callable[..., int], place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command() == 0
    said = capsys.readouterr().out
    assert f"wrote {place.folder / 'play.lua'}" in said
    assert "1. Press play." in said
    assert command("--list") == 0
    assert capsys.readouterr().out.split() == [
        "tapedeck",
        f"{place.folder}:",
        "installed",
        "nowhere",
        "not",
        "found",
    ]
    assert command("tapedeck", "--remove") == 0
    assert "removed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere",), "not found for this user: Tape Deck"),
        (("winamp",), "there are no scripts for 'winamp'"),
        (("--folder", "/x"), "--folder goes with exactly one HOST"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    command: Callable[..., int],
    place: Place,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    assert command(*arguments) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert there(place) == {}


def test_a_folder_may_be_given_for_a_host_that_is_not_found(
    command: Callable[..., int], tmp_path: Path
) -> None:
    assert command("nowhere", "--folder", str(tmp_path / "portable")) == 1
    assert not (tmp_path / "portable").exists()
    (tmp_path / "portable").mkdir()
    assert command("nowhere", "--folder", str(tmp_path / "portable")) == 0
    assert (tmp_path / "portable/scripts/play.lua").is_file()


def test_the_doctor_tells_findings_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = doctor_cli.Finding(verdict=doctor_cli.Verdict.FAILED, subject="model", message="gone")
    monkeypatch.setattr(doctor_cli, "examine", lambda _system, _model: iter([finding]))
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {"verdict": "failed", "subject": "model", "message": "gone", "hint": "", "fix": []}


def test_every_host_has_a_name_of_its_own() -> None:
    names = [host.name for host in registry.HOSTS]
    assert len(set(names)) == len(names)
    assert all(name.isalpha() and name.islower() for name in names)


def test_a_name_nobody_has_is_an_error_of_the_user() -> None:
    with pytest.raises(SpecError):
        registry.host_named("winamp")
    assert issubclass(SpecError, EngineError)
