"""Plug-ins are found, each tried by itself, and those that harm are not tried again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.errors import Cancelled
from engine.fx.child import HostLimits
from engine.fx.scan import FoundPlugin, Scanner, plugin_files, standard_folders
from tests.unit.odd_plugins import ZAM, OddPlugins
from tests.unit.processes import children

LIMITS = HostLimits(load_s=5.0)


@pytest.fixture
def folder(tmp_path: Path, odd_plugins: OddPlugins) -> Path:
    """Return a folder with plug-ins of its own, of which some are bad."""
    own = tmp_path / "vst3"
    (own / "makers").mkdir(parents=True)
    for kind in ("Gain", "Instrument", "AbortFactory", "Truncated", "Garbage"):
        _copy(Path(odd_plugins.path(kind)), own / "makers")
    (own / "notes.txt").write_text("no plug-in")
    return own


def _copy(bundle: Path, folder: Path) -> None:
    for path in bundle.rglob("*.so"):
        copy = folder / path.relative_to(bundle.parent)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())


def scanned(scanner: Scanner, again: tuple[str, ...] = ()) -> tuple[dict[str, FoundPlugin], set[str]]:
    """Return what a scan found by name, and the names that it tried."""
    tried: list[FoundPlugin] = []
    others = children()
    found = scanner.scan(again, tried.append)
    assert children() <= others
    return {one.name: one for one in found}, {one.name for one in tried}


def test_good_and_bad_plugins_are_told_apart(tmp_path: Path, folder: Path) -> None:
    found, tried = scanned(Scanner(tmp_path / "cache.json", [folder], LIMITS))
    assert set(found) == tried == {"Gain", "Instrument", "AbortFactory", "Truncated", "Garbage"}
    (gain,) = found["Gain"].classes
    assert (gain.name, gain.manufacturer, gain.version, gain.is_instrument) == (
        "Gain",
        "Tests",
        "1.2.3",
        False,
    )
    assert found["Instrument"].classes[0].is_instrument
    assert found["AbortFactory"].error == "the plug-in AbortFactory gave up (abort) while loading"
    assert [one.is_blocked for one in (found["AbortFactory"], found["Truncated"])] == [True, True]
    assert "holds no plug-in" in found["Garbage"].error
    assert not found["Garbage"].is_blocked


def test_only_what_changed_or_is_asked_for_is_tried_again(tmp_path: Path, folder: Path) -> None:
    scanner = Scanner(tmp_path / "cache.json", [folder], LIMITS)
    first, _ = scanned(scanner)
    assert scanned(Scanner(tmp_path / "cache.json", [folder], LIMITS)) == (first, set())
    assert scanned(scanner, (first["AbortFactory"].path,)) == (first, {"AbortFactory"})
    (library,) = Path(first["Gain"].path).rglob("*.so")
    os.utime(library, ns=(1, first["Gain"].changed_ns + 1))
    found, tried = scanned(scanner)
    assert tried == {"Gain"}
    assert found["Gain"].classes == first["Gain"].classes
    (tmp_path / "other").mkdir()
    assert scanned(Scanner(tmp_path / "cache.json", [tmp_path / "other"], LIMITS)) == ({}, set())


def test_one_that_never_ends_is_blocked(tmp_path: Path, odd_plugins: OddPlugins) -> None:
    own = tmp_path / "vst3"
    _copy(Path(odd_plugins.path("LoopFactory")), own)
    found, _ = scanned(Scanner(tmp_path / "cache.json", [own], HostLimits(load_s=0.3)))
    assert found["LoopFactory"].error == "the plug-in LoopFactory did not finish loading in 0.3 s"
    assert found["LoopFactory"].is_blocked


def test_a_cancel_keeps_what_was_found(tmp_path: Path, folder: Path) -> None:
    scanner = Scanner(tmp_path / "cache.json", [folder], LIMITS, processes=1)
    found: list[FoundPlugin] = []
    others = children()
    with pytest.raises(Cancelled):
        scanner.scan((), found.append, lambda: len(found) >= 2)
    assert 2 <= len(scanner.known()) < 5
    assert children() <= others


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"version": 1, "plugins": [3]}', '{"version": 0}', "\x00"]
)
def test_a_damaged_memory_is_no_memory(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cache.json"
    path.write_text(content)
    assert Scanner(path, []).known() == ()
    assert Scanner(path, []).scan() == ()
    assert json.loads(path.read_text())["plugins"] == []


def test_a_memory_that_cannot_be_written_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Scanner(tmp_path / "file" / "cache.json", []).scan() == ()


def test_a_bundle_is_one_plugin_whatever_is_inside() -> None:
    files = plugin_files([ZAM, ZAM, ZAM / "none"])
    assert len(files) == 17
    assert all(path.parent == ZAM for path in files)


def test_the_usual_folders_of_three_systems(tmp_path: Path) -> None:
    own = {"VST3_PATH": os.pathsep.join(["/mine", "/usr/lib/vst3"])}
    linux = standard_folders("linux", own, tmp_path)
    assert linux == (Path("/mine"), Path("/usr/lib/vst3"), tmp_path / ".vst3", Path("/usr/local/lib/vst3"))
    assert standard_folders("darwin", {}, tmp_path) == (
        tmp_path / "Library/Audio/Plug-Ins/VST3",
        tmp_path / "Library/Audio/Plug-Ins/Components",
        Path("/Library/Audio/Plug-Ins/VST3"),
        Path("/Library/Audio/Plug-Ins/Components"),
    )
    windows = standard_folders("win32", {"COMMONPROGRAMFILES": r"D:\Common"}, tmp_path)
    assert windows == (tmp_path / "AppData/Local/Programs/Common/VST3", Path(r"D:\Common") / "VST3")
