"""All that says what the next render will be, and the button that starts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QPushButton, QScrollArea, QVBoxLayout, QWidget

from daw_bridge.messages.parameters import PROMPT
from ui.look.scale import Space, Type
from ui.model.chains import ChainsModel
from ui.model.draft import DraftModel
from ui.model.keys import ActionInfo
from ui.model.models import ModelsModel
from ui.model.presets import PresetsModel
from ui.model.prompts import PromptHistory
from ui.model.store import Store
from ui.model.task_fields import fields_of
from ui.widgets.actions import Actions
from ui.widgets.say.chain_editor import ChainEditor
from ui.widgets.say.delivery_row import DeliveryRow
from ui.widgets.say.fields import TextField
from ui.widgets.say.model_row import ModelRow
from ui.widgets.say.more import MoreRows
from ui.widgets.say.parts import Fold, text_of
from ui.widgets.say.preset_bar import PresetBar
from ui.widgets.say.prompt_field import PromptField
from ui.widgets.say.quality import QualityBar, SeedRow
from ui.widgets.say.rest_chips import RestChips
from ui.widgets.say.task_bar import TaskBar
from ui.widgets.say.task_rows import CutoffRow, LengthRow, MaskRow, StrengthRows

LEAST_WIDTH = 316


@dataclass(frozen=True, slots=True, kw_only=True)
class SayModels:
    """What the panel shows."""

    draft: DraftModel
    prompts: PromptHistory
    presets: PresetsModel
    chains: ChainsModel
    models: ModelsModel


class SayPanel(QWidget):
    """render_wanted: the user wants the draft rendered now, and nothing is missing."""

    render_wanted = pyqtSignal()

    def __init__(self, models: SayModels, actions: Actions, store: Store) -> None:
        super().__init__()
        self.setObjectName("say")
        self.setMinimumWidth(LEAST_WIDTH)
        self.models, self._store = models, store
        self._draft = models.draft
        self.prompt = PromptField(models.draft, models.prompts, actions)
        self._negative = self._line("negative", self.tr("Not this"), self.tr("What not to hear"))
        self._source = self._line(
            "source_prompt", self.tr("What it is"), self.tr("What the region is, as: a drum loop")
        )
        self._effects = self._fold("effects", self.tr("Effects and delivery"), self._delivery)
        self._more = self._fold("more", self.tr("More"), lambda: MoreRows(models.draft))
        self._lack = text_of("", "faint", wraps=True, step=Type.SMALL)
        self._lack.setObjectName("lack")
        self._render = QPushButton(self.tr("Render"))
        self._lay_out(actions)
        self._prepare_render(actions)
        models.draft.changed.connect(self._show)
        self.setFocusProxy(self.prompt.edit)
        self._show()

    def _line(self, name: str, text: str, placeholder: str) -> TextField:
        return TextField(self._draft, name, text, f"{text}: {placeholder}", placeholder, PROMPT.most)

    def _delivery(self) -> QWidget:
        made = QWidget()
        column = QVBoxLayout(made)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.SMALL)
        column.addWidget(DeliveryRow(self.models.presets, self._draft))
        column.addWidget(ChainEditor(self.models.chains))
        return made

    def _fold(self, name: str, title: str, make: Callable[[], QWidget]) -> Fold:
        fold = Fold(name, title, make)
        key = f"fold {name}"
        fold.open(self._store.get(key, False))
        fold.toggled.connect(lambda is_open: self._store.put(key, is_open))
        return fold

    def _lay_out(self, actions: Actions) -> None:
        content = QWidget()
        # A scroll area paints the ground of its own.
        content.setObjectName("say content")
        column = QVBoxLayout(content)
        column.setContentsMargins(Space.SMALL, Space.SMALL, Space.SMALL, Space.SMALL)
        column.setSpacing(Space.MEDIUM)
        for part in self._parts(actions):
            column.addWidget(part)
        column.addStretch(1)
        area = QScrollArea()
        area.setObjectName("say scroll")
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(area, 1)
        whole.addWidget(self._foot())

    def _parts(self, actions: Actions) -> list[QWidget]:
        draft, models = self._draft, self.models
        return [
            TaskBar(draft, actions),
            self.prompt,
            self._source,
            self._negative,
            StrengthRows(draft),
            LengthRow(draft),
            MaskRow(draft),
            CutoffRow(draft),
            RestChips(draft),
            QualityBar(draft),
            SeedRow(draft),
            PresetBar(models.presets, draft),
            ModelRow(models.models, draft),
            self._effects,
            self._more,
        ]

    def _foot(self) -> QWidget:
        foot = QFrame()
        foot.setProperty("kind", "group")
        column = QVBoxLayout(foot)
        column.setContentsMargins(Space.SMALL, Space.SMALL, Space.SMALL, Space.SMALL)
        column.setSpacing(Space.TIGHT)
        column.addWidget(self._lack)
        column.addWidget(self._render)
        return foot

    def _prepare_render(self, actions: Actions) -> None:
        self._render.setObjectName("render")
        self._render.setProperty("kind", "main")
        info = ActionInfo(
            name="render",
            text=self.tr("Render"),
            group=self.tr("Render"),
            keys=("Ctrl+Return", "Ctrl+Enter"),
        )
        action = actions.add(info, self._want, self)
        self._render.clicked.connect(lambda _: self._want())
        self._render.setToolTip(action.toolTip())
        action.changed.connect(lambda: self._render.setToolTip(action.toolTip()))

    def _want(self) -> None:
        if not self._draft.draft.lack:
            self.render_wanted.emit()

    def _show(self) -> None:
        draft = self._draft.draft
        self._source.setVisible("source_prompt" in fields_of(draft.task))
        self._render.setEnabled(not draft.lack)
        self._render.setAccessibleDescription(draft.lack)
        self._lack.setText(draft.lack)
        self._lack.setVisible(bool(draft.lack))
