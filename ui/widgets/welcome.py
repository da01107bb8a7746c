"""What is there before anything is: three ways to begin, and whether all is well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from daw_bridge.resources import shipped
from engine.types import Task
from ui.look.scale import Size, Space, Type, font
from ui.look.theme import icon, look
from ui.model.checkup import CheckupState
from ui.model.job_words import counted_things
from ui.model.panel_models import PanelModels

EXAMPLE = Path("examples") / "groove.flac"


class Welcome(QFrame):
    """Gives way to the sound as soon as one is open."""

    open_wanted = pyqtSignal()
    checkup_wanted = pyqtSignal()

    def __init__(self, models: PanelModels, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self._models = models
        title = QLabel(self.tr("Drop a sound here, or begin with one of these"))
        title.setFont(font(Type.TITLE, is_bold=True))
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title.setWordWrap(True)
        self._buttons: list[tuple[QPushButton, str]] = []
        self._health = QPushButton()
        self._health.setObjectName("health")
        self._health.setFlat(True)
        self._health.clicked.connect(self.checkup_wanted)
        column = QVBoxLayout(self)
        column.setSpacing(Space.LARGE)
        column.addStretch(1)
        column.addWidget(title)
        column.addLayout(self._ways())
        column.addWidget(self._health, 0, Qt.AlignmentFlag.AlignCenter)
        column.addStretch(1)
        models.studio.region.opened.connect(self.hide)
        models.checkup.changed.connect(self._show_health)
        look().changed.connect(self._paint)
        self._paint()
        self._show_health()

    def _ways(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(Space.MEDIUM)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(3, 1)
        tr = self.tr
        for row, (name, text, about, icon_name, done) in enumerate(
            (
                ("open a sound", tr("&Open a sound ..."), tr("to change it"), "folder-open", self._open),
                ("open the example", tr("Open the &example"), tr("a drum loop"), "music", self._open_example),
                (
                    "make a sound",
                    tr("Make one from &words"),
                    tr("say what to hear"),
                    "creation",
                    self._generate,
                ),
            )
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setMinimumHeight(Size.MAIN_CONTROL)
            button.clicked.connect(partial(_do, done))
            self._buttons.append((button, icon_name))
            label = QLabel(about)
            label.setProperty("kind", "faint")
            grid.addWidget(button, row, 1)
            grid.addWidget(label, row, 2)
        return grid

    def _open(self) -> None:
        self.open_wanted.emit()

    def _open_example(self) -> None:
        example = shipped(EXAMPLE)
        assert example is not None, "the program comes without its example"
        self._models.incoming.receive([str(example)])

    def _generate(self) -> None:
        self._models.draft.set_task(Task.GENERATE)

    def _show_health(self) -> None:
        checkup = self._models.checkup.checkup
        count = len(checkup.to_look_at)
        match checkup.state:
            case CheckupState.LOOKING | CheckupState.FIXING:
                text = self.tr("Checking devices, models, plug-ins and DAW scripts ...")
            case CheckupState.BROKEN:
                text = self.tr("The check-up did not run")
            case CheckupState.IDLE if not checkup.findings:
                text = self.tr("Check devices, models, plug-ins and DAW scripts")
            case CheckupState.IDLE:
                text = counted_things(count) if count else self.tr("Ready")
        self._health.setText(text)
        self._health.setAccessibleName(text)
        self._paint_health()

    def _paint_health(self) -> None:
        checkup = self._models.checkup.checkup
        is_known = checkup.state is CheckupState.IDLE and bool(checkup.findings)
        known = "alert" if checkup.to_look_at else "check-circle"
        self._health.setIcon(icon(known if is_known else "stethoscope"))
        self._health.setToolTip(self.tr("Opens the check-up: what was found of each part"))

    def _paint(self) -> None:
        for button, icon_name in self._buttons:
            button.setIcon(icon(icon_name))
        self._paint_health()


def _do(done: Callable[[], None], _: object) -> None:
    done()
