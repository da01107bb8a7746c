"""The panel's effect chains and models as a person uses them: turned, moved, heard; downloaded, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import soundfile
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSlider,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from daw_bridge.messages.chains import ChainDelete, ChainList, ChainLoad, ChainSave, ChainSet
from engine.types import Region
from tests.contract.panels import WAIT_MS, Desk, linked
from tests.contract.services import Client, Served, served
from tests.contract.test_panel_say import name_it, part, press_action, seen, with_dialog
from tests.unit.odd_plugins import ZAM
from ui.connection.link import Link
from ui.model.chains import ChainsModel
from ui.model.draft import DraftModel
from ui.model.models import ModelsModel
from ui.widgets.say.chain_editor import ChainEditor
from ui.widgets.say.effect_finder import EffectFinder
from ui.widgets.say.model_row import ModelRow

W = TypeVar("W", bound=QWidget)
GROOVE = Path(__file__).parents[2] / "presets" / "examples" / "groove.flac"
# Until a process of the engine has loaded what it needs.
ENGINE_MS = 90_000
BROKEN = "broken-one"
NAME, LICENCE = "audioldm-0-full", "CC-BY-NC-SA-4.0"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "service") as running:
        yield running


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a service with processes of the engine, which has one damaged model beside its starter."""
    root = tmp_path_factory.mktemp("engine")
    (root / "models" / BROKEN).mkdir(parents=True)
    (root / "models" / BROKEN / "card.json").write_text("{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAW_BRIDGE_MODELS", str(root / "models"))
        with served(root, has_chores=True) as running:
            yield running


@pytest.fixture
def draft(parts: Desk) -> DraftModel:
    return DraftModel(parts.store, parts.owner)


@pytest.fixture
def chains(qtbot: QtBot, link: Link, draft: DraftModel, parts: Desk) -> ChainsModel:
    return known(qtbot, ChainsModel(link, draft, parts.owner))


@pytest.fixture
def editor(qtbot: QtBot, chains: ChainsModel) -> ChainEditor:
    return shown(qtbot, ChainEditor(chains))


def known(qtbot: QtBot, chains: ChainsModel) -> ChainsModel:
    qtbot.waitUntil(lambda: bool(chains.chains and chains.built_ins), timeout=WAIT_MS)
    return chains


def shown(qtbot: QtBot, widget: W) -> W:
    qtbot.addWidget(widget)
    with qtbot.waitActive(widget):
        widget.show()
        widget.activateWindow()
    return widget


def titles(chains: ChainsModel) -> list[str]:
    return [one.title for one in chains.effects]


def choose(qtbot: QtBot, editor: ChainEditor, chains: ChainsModel, name: str, count: int) -> None:
    box = part(editor, QComboBox, "chain")
    box.setCurrentIndex(box.findData(name))
    box.activated.emit(box.currentIndex())
    qtbot.waitUntil(lambda: len(chains.effects) == count, timeout=WAIT_MS)


def test_a_chain_is_chosen_opened_and_turned_and_the_service_has_the_last_value(
    qtbot: QtBot, editor: ChainEditor, chains: ChainsModel, draft: DraftModel, client: Client
) -> None:
    choose(qtbot, editor, chains, "dub echo", 3)
    assert draft.draft["chain"] == "dub echo"
    assert titles(chains) == ["Delay", "High shelf filter", "Brickwall limiter"]
    qtbot.mouseClick(part(editor, QToolButton, "effect 0 open"), Qt.MouseButton.LeftButton)
    slider = part(editor, QSlider, "effect 0 feedback")
    qtbot.waitUntil(lambda: seen(editor, "effect 0 feedback"))
    for place in range(100, 900, 7):
        slider.setValue(place)
    last = chains.effects[0].parameters["feedback"]
    number = part(editor, QDoubleSpinBox, "effect 0 feedback number")
    assert number.value() == pytest.approx(last, abs=0.01)

    def is_there() -> bool:
        loaded = client.done(ChainLoad(rid="-", name="dub echo")).chain["effects"][0]["parameters"]
        return bool(loaded["feedback"] == pytest.approx(last, rel=1e-6))

    qtbot.waitUntil(is_there, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: chains.info is not None and chains.info.is_changed, timeout=WAIT_MS)
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Delete)
    assert "feedback" not in chains.effects[0].parameters
    press_action(editor, "chain delete")
    qtbot.waitUntil(lambda: chains.info is not None and chains.info.is_built_in, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: chains.effects[0].parameters.get("feedback") == 0.55, timeout=WAIT_MS)


def test_what_somebody_else_turns_is_shown(
    qtbot: QtBot, editor: ChainEditor, chains: ChainsModel, client: Client
) -> None:
    choose(qtbot, editor, chains, "dub echo", 3)
    client.done(ChainSet(rid="-", name="dub echo", effect=1, parameter="mix", value=0.25))
    qtbot.waitUntil(lambda: chains.effects[1].mix == 0.25, timeout=WAIT_MS)


def test_effects_are_switched_blended_moved_taken_out_and_added(
    qtbot: QtBot, editor: ChainEditor, chains: ChainsModel, client: Client
) -> None:
    choose(qtbot, editor, chains, "dub echo", 3)
    qtbot.mouseClick(part(editor, QToolButton, "effect 1 on"), Qt.MouseButton.LeftButton)
    assert chains.effects[1].bypass
    qtbot.mouseClick(part(editor, QToolButton, "effect 0 open"), Qt.MouseButton.LeftButton)
    part(editor, QDoubleSpinBox, "effect 0 blend number").setValue(0.4)
    qtbot.mouseClick(part(editor, QToolButton, "effect 0 down"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: titles(chains)[:2] == ["High shelf filter", "Delay"], timeout=WAIT_MS)
    assert (chains.effects[0].bypass, chains.effects[1].mix) == (True, 0.4)
    qtbot.mouseClick(part(editor, QToolButton, "effect 2 remove"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(chains.effects) == 2, timeout=WAIT_MS)
    qtbot.mouseClick(part(editor, QPushButton, "chain add"), Qt.MouseButton.LeftButton)
    finder = part(editor, EffectFinder, "effect finder")
    search = part(finder, QLineEdit, "effect finder search")
    qtbot.waitUntil(finder.isActiveWindow, timeout=WAIT_MS)
    qtbot.keyClicks(search, "chorus")
    qtbot.keyClick(search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(chains.effects) == 3, timeout=WAIT_MS)
    assert titles(chains) == ["High shelf filter", "Delay", "Chorus"]
    assert part(editor, QToolButton, "effect 2 open").isChecked()
    loaded = client.done(ChainLoad(rid="-", name="dub echo")).chain["effects"]
    assert [one["effect"] for one in loaded] == ["high_shelf_filter", "delay", "chorus"]


def test_a_chain_is_begun_copied_and_deleted(
    qtbot: QtBot, editor: ChainEditor, chains: ChainsModel, draft: DraftModel, client: Client
) -> None:
    with_dialog(name_it("of my own"))
    press_action(editor, "chain new")
    qtbot.waitUntil(lambda: chains.name == "of my own", timeout=WAIT_MS)
    chains.add("reverb")
    qtbot.waitUntil(lambda: titles(chains) == ["Reverb"], timeout=WAIT_MS)
    with_dialog(name_it("a copy"))
    press_action(editor, "chain copy")
    qtbot.waitUntil(lambda: chains.name == "a copy" and titles(chains) == ["Reverb"], timeout=WAIT_MS)
    qtbot.waitUntil(lambda: chains.info is not None, timeout=WAIT_MS)
    press_action(editor, "chain delete")
    qtbot.waitUntil(lambda: draft.draft["chain"] == "", timeout=WAIT_MS)
    listed = client.done(ChainList(rid="-")).chains["chains"]
    assert "of my own" in listed and "a copy" not in listed
    with_dialog(name_it("a:b"))
    press_action(editor, "chain new")
    assert "without slashes" in part(editor, QLabel, "chain trouble").text()


def test_what_cannot_be_turned_says_so_and_shows_what_counts(
    qtbot: QtBot, editor: ChainEditor, chains: ChainsModel, client: Client
) -> None:
    client.done(ChainSave(rid="-", name="mine", chain='{"effects": [{"effect": "gain"}]}'))
    qtbot.waitUntil(lambda: any(one.name == "mine" for one in chains.chains), timeout=WAIT_MS)
    choose(qtbot, editor, chains, "mine", 1)
    client.done(ChainDelete(rid="-", name="mine"))
    qtbot.waitUntil(lambda: chains.info is None, timeout=WAIT_MS)
    chains.set_value(0, "gain_db", 3.0)
    trouble = part(editor, QLabel, "chain trouble")
    qtbot.waitUntil(lambda: "mine" in trouble.text() and trouble.isVisible(), timeout=WAIT_MS)


def test_a_sound_is_heard_through_the_chain(
    qtbot: QtBot, engine: Served, draft: DraftModel, parts: Desk
) -> None:
    with linked(engine, qtbot) as link:
        chains = known(qtbot, ChainsModel(link, draft, parts.owner))
        editor = shown(qtbot, ChainEditor(chains))
        hear = part(editor, QPushButton, "chain hear")
        draft.change(chain="telephone")
        assert not hear.isEnabled()
        draft.set_region(Region(path=str(GROOVE)))
        qtbot.waitUntil(lambda: bool(chains.effects), timeout=ENGINE_MS)
        with qtbot.waitSignal(chains.applied, timeout=ENGINE_MS) as told:
            qtbot.mouseClick(hear, Qt.MouseButton.LeftButton)
            assert hear.text() == "Stop"
        made = soundfile.info(told.args[0])
        assert (made.frames, made.samplerate) == (
            soundfile.info(GROOVE).frames,
            soundfile.info(GROOVE).samplerate,
        )
        assert hear.text() != "Stop"


@pytest.mark.skipif(not ZAM.exists(), reason="the plug-ins of this test are not installed")
def test_a_plug_in_is_found_added_and_has_its_own_ranges(
    qtbot: QtBot, engine: Served, draft: DraftModel, parts: Desk
) -> None:
    with linked(engine, qtbot) as link:
        chains = known(qtbot, ChainsModel(link, draft, parts.owner))
        editor = shown(qtbot, ChainEditor(chains))
        chains.begin("with a plug-in")
        qtbot.waitUntil(lambda: chains.name == "with a plug-in", timeout=ENGINE_MS)
        chains.add(str(ZAM / "ZamComp.vst3"))
        qtbot.waitUntil(lambda: titles(chains) == ["ZamComp"], timeout=ENGINE_MS)
        qtbot.waitUntil(
            lambda: bool(editor.findChildren(QDoubleSpinBox, "effect 0 ratio number")), timeout=ENGINE_MS
        )
        ratio = part(editor, QDoubleSpinBox, "effect 0 ratio number")
        assert ratio.minimum() < ratio.maximum()
        assert seen(editor, "effect 0 window")
        ratio.setValue(8.0)
        assert chains.effects[0].parameters["ratio"] == 8.0


def model_dialog(qtbot: QtBot, row: ModelRow) -> QWidget:
    qtbot.mouseClick(part(row, QToolButton, "models"), Qt.MouseButton.LeftButton)
    dialog = part(row, QWidget, "model dialog")
    qtbot.waitUntil(dialog.isActiveWindow, timeout=WAIT_MS)
    return dialog


def pick(dialog: QWidget, name: str) -> None:
    rows = part(dialog, QListWidget, "model list")
    for row in range(rows.count()):
        item = rows.item(row)
        if item is not None and item.data(Qt.ItemDataRole.UserRole) == name:
            rows.setCurrentRow(row)


@pytest.fixture
def models(qtbot: QtBot, link: Link, parts: Desk) -> ModelsModel:
    made = ModelsModel(link, parts.owner)
    qtbot.waitUntil(lambda: made.is_known, timeout=WAIT_MS)
    return made


def test_a_download_needs_the_licence_agreed_to_and_tells_how_far_it_is(
    qtbot: QtBot, service: Served, models: ModelsModel, draft: DraftModel
) -> None:
    row = shown(qtbot, ModelRow(models, draft))
    dialog = model_dialog(qtbot, row)
    pick(dialog, NAME)
    pull, stop = part(dialog, QPushButton, "model pull"), part(dialog, QPushButton, "model stop")
    assert LICENCE in part(dialog, QLabel, "model licence").text()
    assert (pull.isEnabled(), stop.isVisible()) == (False, False)
    part(dialog, QCheckBox, "model agree").click()
    assert pull.isEnabled()
    service.hold()
    qtbot.mouseClick(pull, Qt.MouseButton.LeftButton)
    bar = part(dialog, QProgressBar, "model progress")
    qtbot.waitUntil(lambda: stop.isVisible() and bar.isVisible(), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: models.download(NAME).done_bytes == 1_000, timeout=WAIT_MS)  # type: ignore[union-attr]
    qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: models.download(NAME) is None, timeout=WAIT_MS)
    assert not bar.isVisible()
    assert part(dialog, QLabel, "model error").text() == ""
    service.release()
    pick(dialog, "starter")
    pick(dialog, NAME)
    assert not part(dialog, QCheckBox, "model agree").isChecked()


def test_an_installed_model_is_used_and_the_starter_stays(
    qtbot: QtBot, models: ModelsModel, draft: DraftModel
) -> None:
    draft.change(model=NAME)
    row = shown(qtbot, ModelRow(models, draft))
    assert "not installed" in part(row, QLabel, "model trouble").text()
    dialog = model_dialog(qtbot, row)
    pick(dialog, "starter")
    assert not seen(dialog, "model remove")
    qtbot.mouseClick(part(dialog, QPushButton, "model use"), Qt.MouseButton.LeftButton)
    assert draft.draft["model"] == "starter"
    assert not seen(row, "model trouble")


def test_the_starter_is_compared_with_its_checksums(
    qtbot: QtBot, engine: Served, draft: DraftModel, parts: Desk
) -> None:
    with linked(engine, qtbot) as link:
        models = ModelsModel(link, parts.owner)
        qtbot.waitUntil(lambda: models.is_known, timeout=ENGINE_MS)
        starter = models.model("starter")
        assert starter is not None and starter.sample_rate_hz > 0
        dialog = model_dialog(qtbot, shown(qtbot, ModelRow(models, draft)))
        pick(dialog, "starter")
        qtbot.mouseClick(part(dialog, QPushButton, "model verify"), Qt.MouseButton.LeftButton)
        assert models.is_checking("starter")
        qtbot.waitUntil(lambda: models.check("starter") is not None, timeout=ENGINE_MS)
        check = models.check("starter")
        assert check is not None and check.error is None
        state = part(dialog, QLabel, "model state").text()
        assert all(f"{name}  {digest[:12]}" in state for name, digest in check.checksums.items())


def test_a_model_is_removed_only_when_the_user_means_it(
    qtbot: QtBot, engine: Served, draft: DraftModel, parts: Desk
) -> None:
    with linked(engine, qtbot) as link:
        models = ModelsModel(link, parts.owner)
        qtbot.waitUntil(lambda: models.is_known, timeout=ENGINE_MS)
        broken = models.model(BROKEN)
        assert broken is not None
        dialog = model_dialog(qtbot, shown(qtbot, ModelRow(models, draft)))
        pick(dialog, BROKEN)
        assert part(dialog, QLabel, "model state").text() == broken.problem != ""
        for answer, is_left in (
            (QMessageBox.StandardButton.No, True),
            (QMessageBox.StandardButton.Yes, False),
        ):
            with_dialog(pressing(answer))
            qtbot.mouseClick(part(dialog, QPushButton, "model remove"), Qt.MouseButton.LeftButton)
            qtbot.waitUntil(
                lambda wanted=is_left: (models.model(BROKEN) is not None) is wanted, timeout=ENGINE_MS
            )


def pressing(answer: QMessageBox.StandardButton) -> Callable[[QWidget], None]:
    def press(question: QWidget) -> None:
        assert isinstance(question, QMessageBox)
        button = question.button(answer)
        assert button is not None
        button.click()

    return press
