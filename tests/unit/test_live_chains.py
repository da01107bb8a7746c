"""Chains as files: names, the user's over the program's, comments, damage, and changes written later."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from daw_bridge.live.chain_edits import with_value
from daw_bridge.live.chains import ChainStore
from daw_bridge.resources import shipped
from engine.chains import Chain, Effect
from engine.errors import EngineError, NotFound, OutputError, SpecError

SOFT = Chain(name="soft", effects=(Effect(effect="gain", parameters={"gain_db": -3.0}),))
BY_HAND = """\
name = "My Tape"  # from a friend
[[effects]]
effect = "gain"
[effects.parameters]
gain_db = -6  # not too loud
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that does not exist yet."""
    return tmp_path / "config" / "chains"


@pytest.fixture
def store(folder: Path) -> ChainStore:
    return ChainStore(folder)


def by_hand(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_chain_comes_back_as_it_was_saved(store: ChainStore, folder: Path) -> None:
    store.save("Soft Ending", SOFT)
    expected = replace(SOFT, name="Soft Ending")
    assert store.load("Soft Ending") == ChainStore(folder).load("Soft Ending") == expected
    assert store.list().chains["Soft Ending"] == expected


def test_the_programs_chains_are_there_and_said_to_be_its_own(store: ChainStore) -> None:
    listing = store.list()
    files = list((shipped(Path("fx")) or Path()).glob("*.toml"))
    assert len(listing.chains) == len(files) > 5
    assert listing.shipped == listing.chains.keys() and not listing.damaged
    assert store.path("glue").parent == shipped(Path("fx"))


def test_a_file_may_be_called_as_its_user_likes(store: ChainStore, folder: Path) -> None:
    path = by_hand(folder, "from Anna (2).toml", BY_HAND)
    assert store.load("My Tape").effects[0].parameters == {"gain_db": -6.0}
    store.save("My Tape", replace(SOFT, name="anything"))
    assert [one.name for one in folder.iterdir()] == [path.name]
    assert "# from a friend" in path.read_text() and "gain_db = -3.0  # not too loud" in path.read_text()


def test_without_a_name_inside_the_files_name_counts(store: ChainStore, folder: Path) -> None:
    by_hand(folder, "Dark Room.toml", 'effects = [{effect = "invert"}]')
    assert store.load("Dark Room").effects == (Effect(effect="invert"),)


def test_a_change_of_one_of_the_programs_is_the_users_until_it_is_deleted(
    store: ChainStore, folder: Path
) -> None:
    before = store.load("old radio")
    store.change("old radio", lambda chain: with_value(chain, 0, "mix", 0.5))
    assert store.load("old radio") != before and not folder.exists()
    assert "old radio" not in store.list().shipped
    store.flush()
    written = store.path("old radio")
    assert written.parent == folder
    assert "6 dB an octave only" in written.read_text(), "the comments of the program's file are lost"
    store.delete("old radio")
    assert store.load("old radio") == before and "old radio" in store.list().shipped


def test_deleting_forgets_a_change_that_is_not_written(store: ChainStore) -> None:
    before = store.load("glue")
    store.change("glue", lambda chain: with_value(chain, 0, "bypass", 1))
    store.delete("glue")
    assert store.load("glue") == before
    with pytest.raises(OutputError, match="the chain 'glue' belongs to the program and stays"):
        store.delete("glue")


def test_a_change_counts_at_once_and_is_read_from_the_disk_after_the_flush(
    store: ChainStore, folder: Path
) -> None:
    store.save("soft", SOFT)
    for gain_db in range(5):
        store.change("soft", lambda chain, gain_db=gain_db: with_value(chain, 0, "gain_db", gain_db))
    assert store.load("soft").effects[0].parameters == {"gain_db": 4.0}
    assert ChainStore(folder).load("soft") == SOFT
    store.flush()
    assert ChainStore(folder).load("soft") == store.load("soft") != SOFT


def test_a_change_that_is_refused_leaves_the_chain_as_it_was(store: ChainStore) -> None:
    store.save("soft", SOFT)
    with pytest.raises(SpecError, match="gain_db is 1000"):
        store.change("soft", lambda chain: with_value(chain, 0, "gain_db", 1000))
    assert store.load("soft") == SOFT


def test_what_cannot_be_written_is_kept_and_tried_again(store: ChainStore, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file in its place")
    with pytest.raises(OutputError):
        store.save("soft", SOFT)
    folder.unlink()
    store.save("soft", SOFT)
    shutil.rmtree(folder)
    store.save("soft", SOFT)
    store.change("soft", lambda chain: with_value(chain, 0, "gain_db", 2))
    shutil.rmtree(folder)
    folder.write_text("a file in its place")
    with pytest.raises(OutputError):
        store.flush()
    folder.unlink()
    store.flush()
    assert ChainStore(folder).load("soft").effects[0].parameters == {"gain_db": 2.0}


def test_a_file_that_somebody_edits_meanwhile_is_read_anew(store: ChainStore, folder: Path) -> None:
    path = by_hand(folder, "tape.toml", BY_HAND)
    assert store.load("My Tape").effects[0].mix == 1.0
    path.write_text(BY_HAND + "\n[[effects]]\neffect = 'invert'\n")
    assert len(store.load("My Tape").effects) == 2
    path.unlink()
    with pytest.raises(NotFound, match="no chain 'My Tape'"):
        store.load("My Tape")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "is not valid TOML"),
        ('[[effects]]\neffect = "gian"', "Did you mean gain"),
        ('name = "a/b"\neffects = []', "name must be"),
        ('effects = []\ncolour = "red"', "colour"),
        ("[[effects]]\neffect = 'gain'\nmix = 2.0", "mix must be from 0 to 1"),
    ],
)
def test_a_damaged_file_is_listed_with_why(store: ChainStore, folder: Path, text: str, told: str) -> None:
    path = by_hand(folder, "glue.toml", text)
    listing = store.list()
    error = listing.damaged["glue.toml"]
    assert told in f"{error.message} {error.hint}" and str(path) in error.message
    assert "glue" not in listing.chains
    with pytest.raises(NotFound if "name must" in told else SpecError):
        store.load("glue")
    store.save("glue", SOFT)
    assert store.list().damaged == {} and store.load("glue").effects == SOFT.effects


def test_of_two_files_with_one_name_the_second_is_told(store: ChainStore, folder: Path) -> None:
    by_hand(folder, "a.toml", BY_HAND)
    by_hand(folder, "b.toml", BY_HAND)
    assert "a.toml has the name 'My Tape' too" in store.list().damaged["b.toml"].message


@pytest.mark.parametrize("name", ["", "../glue", "a/b", ".hidden", "c:", "x" * 65])
def test_what_is_no_name_is_refused(store: ChainStore, folder: Path, name: str) -> None:
    for act in (store.load, store.delete, lambda each: store.save(each, SOFT)):
        with pytest.raises(SpecError, match="name must"):
            act(name)
    assert not folder.exists()


def test_unknown_names_are_told(store: ChainStore) -> None:
    for act in (store.load, store.delete, store.path):
        with pytest.raises(EngineError) as caught:
            act("nothing")
        assert isinstance(caught.value, NotFound) and "no chain 'nothing'" in caught.value.message
