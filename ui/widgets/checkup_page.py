"""The check-up: each end of the chain with a sign, a sentence, and what mends it."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from daw_bridge.daws.findings import Finding, Verdict
from ui.look.scale import Size, Space, Type, font
from ui.look.theme import icon
from ui.model.checkup import CheckupModel, CheckupState
from ui.model.job_words import counted_things, sentences

_SIGNS = {Verdict.OK: "check-circle", Verdict.WARNING: "alert", Verdict.FAILED: "close-circle"}


class CheckupDialog(QDialog):
    def __init__(self, model: CheckupModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("check-up")
        self.setWindowTitle(self.tr("Check-up"))
        self.resize(640, 480)
        self._model = model
        self._title = QLabel()
        self._title.setFont(font(Type.TITLE, is_bold=True))
        self._title.setObjectName("check-up result")
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setAccessibleName(self.tr("Looking"))
        self._rows = QVBoxLayout()
        self._rows.setSpacing(Space.SMALL)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self._buttons.rejected.connect(self.reject)
        self._again = QPushButton(self.tr("&Look again"))
        self._again.setObjectName("look again")
        self._again.clicked.connect(model.look)
        self._buttons.addButton(self._again, QDialogButtonBox.ButtonRole.ActionRole)
        column = QVBoxLayout(self)
        column.setSpacing(Space.MEDIUM)
        for part in (self._title, self._busy, self._list(), self._buttons):
            column.addWidget(part)
        model.changed.connect(self._show)
        self._show()

    def _list(self) -> QScrollArea:
        inner = QWidget()
        whole = QVBoxLayout(inner)
        whole.addLayout(self._rows)
        whole.addStretch()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(inner)
        return area

    def _show(self) -> None:
        checkup = self._model.checkup
        self._title.setText(self._summary())
        self._busy.setVisible(self._model.is_busy)
        self._again.setEnabled(not self._model.is_busy)
        while (item := self._rows.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for finding in sorted(checkup.findings, key=lambda one: _ORDER[one.verdict]):
            self._rows.addWidget(self._row(finding))

    def _summary(self) -> str:
        checkup = self._model.checkup
        match checkup.state:
            case CheckupState.LOOKING:
                return self.tr("Looking at each part ...")
            case CheckupState.FIXING:
                return self.tr("Mending ...")
            case CheckupState.BROKEN:
                return checkup.trouble
        count = len(checkup.to_look_at)
        return counted_things(count) if count else self.tr("All is well")

    def _row(self, finding: Finding) -> QWidget:
        row = QFrame()
        row.setProperty("kind", "group")
        row.setObjectName(f"finding {finding.subject}")
        grid = QGridLayout(row)
        grid.setColumnStretch(1, 1)
        sign = QLabel()
        sign.setPixmap(icon(_SIGNS[finding.verdict]).pixmap(Size.ICON, Size.ICON))
        sign.setAccessibleName(finding.verdict.value)
        subject = QLabel(finding.subject)
        subject.setFont(font(Type.BODY, is_bold=True))
        message = QLabel(sentences(finding.message, finding.hint))
        message.setWordWrap(True)
        message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        grid.addWidget(sign, 0, 0)
        grid.addWidget(subject, 0, 1)
        grid.addWidget(message, 1, 1)
        if finding.fix:
            grid.addWidget(self._fix(finding), 0, 2, 2, 1)
        return row

    def _fix(self, finding: Finding) -> QPushButton:
        button = QPushButton(self.tr("Mend"))
        button.setObjectName(f"mend {finding.subject}")
        button.setAccessibleName(f"{button.text()} {finding.subject}")
        button.setEnabled(not self._model.is_busy)
        button.clicked.connect(lambda: self._model.fix(finding))
        return button


_ORDER = {Verdict.FAILED: 0, Verdict.WARNING: 1, Verdict.OK: 2}
