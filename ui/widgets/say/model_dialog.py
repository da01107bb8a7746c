"""All models: what each is, under which licence, and how it gets here."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.types import ErrorInfo
from ui.look.scale import Space, Type, font
from ui.model.advice import advised
from ui.model.draft import DraftModel
from ui.model.job_words import sentence
from ui.model.models import Check, Download, ModelInfo, ModelsModel
from ui.widgets.say.line_list import LineList, put_lines
from ui.widgets.say.parts import row_of, set_kind, text_of
from ui.widgets.two_lines import Lines

_WIDTH, _HEIGHT = 680, 440
_LIST_WIDTH = 230
_MEGABYTE = 1e6
_SHOWN_DIGITS = 12


class ModelDialog(QDialog):
    def __init__(self, models: ModelsModel, draft: DraftModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("model dialog")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Models"))
        self._models, self._draft = models, draft
        self._list = LineList("model list", self.tr("Models"))
        self._list.setFixedWidth(_LIST_WIDTH)
        self._list.currentItemChanged.connect(self._show)
        self._details = ModelDetails(models, draft)
        row = QHBoxLayout()
        row.setSpacing(Space.MEDIUM)
        row.addWidget(self._list)
        row.addWidget(self._details, 1)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addLayout(row, 1)
        column.addWidget(close)
        self.resize(_WIDTH, _HEIGHT)
        models.changed.connect(self._fill)
        self._fill()
        models.refresh()

    def _chosen(self) -> str:
        item = self._list.currentItem()
        return str(self._draft.draft["model"] if item is None else item.data(Qt.ItemDataRole.UserRole))

    def _fill(self) -> None:
        chosen = self._chosen()
        wanted = [(one.name, self._lines(one)) for one in self._models.models]
        there = [self._list.item(row) for row in range(self._list.count())]
        if [item.data(Qt.ItemDataRole.UserRole) for item in there if item] != [name for name, _ in wanted]:
            self._list.clear()
            for name, _ in wanted:
                item = QListWidgetItem()
                item.setData(Qt.ItemDataRole.UserRole, name)
                self._list.addItem(item)
        for row, (name, lines) in enumerate(wanted):
            item_there = self._list.item(row)
            assert item_there is not None
            put_lines(item_there, lines)
            if name == chosen and self._list.currentRow() != row:
                self._list.setCurrentRow(row)
        self._show()

    def _lines(self, model: ModelInfo) -> Lines:
        download = self._models.download(model.name)
        is_usable = model.is_installed and not model.problem
        return Lines(
            icon="cube" if is_usable else "cube-outline",
            title=model.name,
            below=self._state(model),
            kind="bad" if model.problem else "faint",
            fraction=None if download is None else download.fraction,
        )

    def _state(self, model: ModelInfo) -> str:
        if self._models.download(model.name) is not None:
            return self.tr("downloading")
        if model.problem:
            return self.tr("damaged")
        if model.is_installed:
            return self.tr("installed")
        if model.present_bytes:
            return self.tr("download broken off")
        return self.tr("can be downloaded") if model.can_pull else self.tr("can be imported")

    def _show(self) -> None:
        self._details.show_model(self._models.model(self._chosen()))


class ModelDetails(QWidget):
    """One model: facts, licence, and what can be done with it."""

    def __init__(self, models: ModelsModel, draft: DraftModel) -> None:
        super().__init__()
        self._models, self._draft = models, draft
        self._model: ModelInfo | None = None
        self._title = text_of("")
        self._title.setFont(font(Type.TITLE, is_bold=True))
        self._facts = text_of("", wraps=True)
        self._facts.setObjectName("model facts")
        self._licence = QLabel()
        self._licence.setObjectName("model licence")
        self._licence.setWordWrap(True)
        self._licence.setOpenExternalLinks(True)
        self._licence.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self._agree = QCheckBox(self.tr("I have read the licence and agree to it"))
        self._agree.setObjectName("model agree")
        self._agree.toggled.connect(lambda _: self._show())
        self._progress = QProgressBar()
        self._progress.setObjectName("model progress")
        self._state = text_of("", "faint", wraps=True)
        self._state.setObjectName("model state")
        self._state.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._trouble = text_of("", "bad", wraps=True)
        self._trouble.setObjectName("model error")
        self._make_buttons()
        self._lay_out()
        models.failed.connect(self._tell)

    def show_model(self, model: ModelInfo | None) -> None:
        if model is not None and (self._model is None or model.name != self._model.name):
            self._agree.setChecked(False)
            self._trouble.setText("")
        self._model = model
        self._show()

    def _make_buttons(self) -> None:
        self._use = self._button("model use", self.tr("Use"), self._choose)
        self._pull = self._button("model pull", self.tr("Download"), self._begin)
        self._stop = self._button("model stop", self.tr("Stop"), self._cancel)
        self._verify = self._button("model verify", self.tr("Check files"), self._check)
        self._verify.setToolTip(self.tr("Compares each file with its checksum."))
        self._remove = self._button("model remove", self.tr("Remove ..."), self._ask_remove)

    def _button(self, name: str, text: str, done: object) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setAutoDefault(False)
        assert callable(done)
        button.clicked.connect(lambda _: done())
        return button

    def _lay_out(self) -> None:
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.SMALL)
        for widget in (self._title, self._facts, self._licence, line, self._agree, self._progress):
            column.addWidget(widget)
        column.addWidget(self._state)
        column.addWidget(self._trouble)
        column.addStretch(1)
        column.addLayout(row_of(self._use, self._pull, self._stop, self._verify, self._remove))

    def _choose(self) -> None:
        assert self._model is not None
        self._draft.change(model=self._model.name)

    def _begin(self) -> None:
        assert self._model is not None
        self._trouble.setText("")
        self._models.pull(self._model.name, agreed_licence=self._model.licence)

    def _cancel(self) -> None:
        assert self._model is not None
        self._models.cancel(self._model.name)

    def _check(self) -> None:
        assert self._model is not None
        self._models.verify(self._model.name)

    def _ask_remove(self) -> None:
        assert self._model is not None
        question = self.tr("Remove %1 from this machine? It takes %2.")
        size = _size(self._model.size_bytes)
        text = question.replace("%1", self._model.name).replace("%2", size)
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self, self.tr("Remove a model"), text, buttons.Yes | buttons.No, buttons.No
        )
        if answer == buttons.Yes:
            self._models.remove(self._model.name)

    def _show(self) -> None:
        model = self._model
        self.setEnabled(model is not None)
        if model is None:
            return
        download = self._models.download(model.name)
        can_begin = model.can_pull and not model.is_installed and download is None
        self._title.setText(model.name)
        self._facts.setText(self._fact_lines(model))
        self._licence.setText(self._licence_line(model))
        self._agree.setVisible(can_begin)
        self._progress.setVisible(download is not None)
        self._show_progress(download)
        self._use.setVisible(model.is_installed)
        self._use.setEnabled(not model.problem and self._draft.draft["model"] != model.name)
        self._pull.setVisible(can_begin)
        self._pull.setEnabled(self._agree.isChecked())
        self._pull.setText(self.tr("Go on with the download") if model.present_bytes else self.tr("Download"))
        self._stop.setVisible(download is not None)
        self._verify.setVisible(model.is_installed)
        self._verify.setEnabled(not self._models.is_checking(model.name))
        self._remove.setVisible(model.can_remove)
        self._show_state(model)

    def _show_progress(self, download: Download | None) -> None:
        if download is None:
            return
        total = int(download.total_bytes / _MEGABYTE)
        self._progress.setRange(0, total)
        self._progress.setValue(min(int(download.done_bytes / _MEGABYTE), total))
        self._progress.setFormat(f"{_size(download.done_bytes)} / {_size(download.total_bytes)}")

    def _fact_lines(self, model: ModelInfo) -> str:
        facts = [self.tr("Size: %1").replace("%1", _size(model.size_bytes))]
        if model.sample_rate_hz:
            facts.append(self.tr("Rate: %1 kHz").replace("%1", f"{model.sample_rate_hz / 1000:g}"))
        if model.tasks:
            facts.append(self.tr("Tasks: %1").replace("%1", ", ".join(model.tasks)))
        if model.is_installed:
            hears = (
                self.tr("Ranks takes by how they sound") if model.hears else self.tr("Does not rank takes")
            )
            facts.append(hears)
        return "\n".join(facts)

    def _licence_line(self, model: ModelInfo) -> str:
        page = model.licence_page
        name = f'<a href="{page}">{model.licence}</a>' if page else model.licence or self.tr("not known")
        return self.tr("Licence: %1").replace("%1", name)

    def _show_state(self, model: ModelInfo) -> None:
        kind, text = self._told(model)
        self._state.setText(text)
        set_kind(self._state, kind)

    def _told(self, model: ModelInfo) -> tuple[str, str]:
        if model.problem:
            return "bad", advised(model.problem)
        if model.is_installed:
            return self._installed_told(model)
        if self._models.download(model.name) is not None:
            return "faint", self.tr("Goes on when this window is closed.")
        if not model.can_pull:
            return "faint", self.tr("Cannot be downloaded; in a terminal: daw-bridge models import FILE.")
        if model.present_bytes:
            present = self.tr("%1 of it have arrived and are kept.")
            return "faint", present.replace("%1", _size(model.present_bytes))
        return "faint", self.tr("Not installed.")

    def _installed_told(self, model: ModelInfo) -> tuple[str, str]:
        if self._models.is_checking(model.name):
            return "faint", self.tr("Compares each file with its checksum ...")
        check = self._models.check(model.name)
        return ("good", self.tr("Installed.")) if check is None else self._check_told(check)

    def _check_told(self, check: Check) -> tuple[str, str]:
        if check.error is not None:
            return "bad", sentence(check.error)
        count = len(check.checksums)
        told = self.tr("All %1 files are as they should be (SHA-256):").replace("%1", str(count))
        lines = [f"{name}  {digest[:_SHOWN_DIGITS]}..." for name, digest in sorted(check.checksums.items())]
        return "good", "\n".join([told, *lines])

    def _tell(self, error: ErrorInfo) -> None:
        self._trouble.setText(sentence(error))


def _size(size_bytes: int) -> str:
    if size_bytes >= 1_000 * _MEGABYTE:
        return f"{size_bytes / _MEGABYTE / 1_000:.2f} GB"
    return f"{size_bytes / _MEGABYTE:.0f} MB"
