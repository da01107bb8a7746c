"""The check-up of the panel: it finds what the doctor finds, and its buttons mend it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from daw_bridge.daws.findings import Verdict
from tests.end2end.homes import PATIENCE_S, Home
from ui.model.checkup import CheckupModel, CheckupState
from ui.model.job_words import counted_things
from ui.widgets.checkup_page import CheckupDialog

WAIT_MS = int(PATIENCE_S * 1000)


def test_scripts_that_a_host_lacks_are_found_and_installed_by_a_click(
    qtbot: QtBot, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    folder = tmp_path / ".config" / "ardour7"
    folder.mkdir(parents=True)
    model = CheckupModel()
    dialog = CheckupDialog(model)
    qtbot.addWidget(dialog)
    dialog.show()
    model.look()
    qtbot.waitUntil(lambda: model.checkup.state is CheckupState.IDLE, timeout=WAIT_MS)
    verdicts = {one.subject: one.verdict for one in model.checkup.findings}
    assert verdicts["probe job"] is Verdict.OK
    assert verdicts["plug-ins"] in (Verdict.OK, Verdict.WARNING)
    assert verdicts["Ardour"] is Verdict.WARNING
    # Those of the looking itself go a turn of the event loop later, and cannot be clicked.
    mend = [one for one in dialog.findChildren(QPushButton, "mend Ardour") if one.isEnabled()]
    qtbot.mouseClick(mend[-1], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: model.checkup.state is CheckupState.FIXING, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: model.checkup.state is CheckupState.IDLE, timeout=WAIT_MS)
    assert {one.verdict for one in model.checkup.findings if one.subject == "Ardour"} == {Verdict.OK}
    assert (folder / "daw-bridge" / "bridge.lua").exists()
    result = dialog.findChild(QLabel, "check-up result")
    assert result is not None
    count = len(model.checkup.to_look_at)
    assert result.text() == ("All is well" if not count else counted_things(count))


def test_a_check_up_that_cannot_start_says_so(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.model.checkup.module_command", lambda *_: ("/no/such/python",))
    model = CheckupModel()
    model.look()
    qtbot.waitUntil(lambda: model.checkup.state is CheckupState.BROKEN, timeout=WAIT_MS)
    assert model.checkup.trouble
