"""Which of the four things is done to the sound."""

from __future__ import annotations

from functools import partial

from PyQt6.QtWidgets import QVBoxLayout, QWidget

from engine.types import Task
from ui.look.scale import Space, Type
from ui.model.draft import DraftModel
from ui.model.keys import ActionInfo
from ui.widgets.actions import Actions
from ui.widgets.say.parts import Segments, text_of

_ICONS = {
    Task.TRANSFER: "swap-horizontal-bold",
    Task.INPAINT: "selection-drag",
    Task.GENERATE: "creation",
    Task.SUPERRES: "arrow-up-bold-box-outline",
}


class TaskBar(QWidget):
    def __init__(self, draft: DraftModel, actions: Actions) -> None:
        super().__init__()
        self._draft = draft
        words = self._words()
        self._segments = Segments(
            "task", self.tr("Task"), [(task.value, name, words[task][0]) for task, name in _ICONS.items()]
        )
        self._segments.chosen.connect(lambda key: draft.set_task(Task(key)))
        self._about = text_of("", "faint", wraps=True, step=Type.SMALL)
        self._about.setObjectName("task about")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addWidget(self._segments)
        column.addWidget(self._about)
        self._add_actions(actions)
        draft.changed.connect(self._show)
        self._show()

    def _add_actions(self, actions: Actions) -> None:
        words = self._words()
        for number, task in enumerate(_ICONS, 1):
            text = self.tr("Task: %1").replace("%1", words[task][0])
            info = ActionInfo(
                name=f"task {task.value}", text=text, group=self.tr("Task"), keys=(f"Ctrl+{number}",)
            )
            action = actions.add(info, partial(self._draft.set_task, task), self)
            self._tell_keys(task, action.toolTip())
            action.changed.connect(partial(self._retell, task, action))

    def _retell(self, task: Task, action: object) -> None:
        self._tell_keys(task, action.toolTip())  # type: ignore[attr-defined]

    def _tell_keys(self, task: Task, keys: str) -> None:
        self._segments.button(task.value).setToolTip(f"{keys}\n{self._words()[task][1]}")

    def _show(self) -> None:
        task = self._draft.draft.task
        self._segments.choose(task.value)
        self._about.setText(self._words()[task][1])

    def _words(self) -> dict[Task, tuple[str, str]]:
        """Return the name of each task and what it does."""
        return {
            Task.TRANSFER: (
                self.tr("Transfer"),
                self.tr("Turns the region into what the prompt says, as far as the strength goes."),
            ),
            Task.INPAINT: (
                self.tr("Inpaint"),
                self.tr("Makes anew what is marked on the spectrogram; the rest stays."),
            ),
            Task.GENERATE: (self.tr("Generate"), self.tr("Makes a new sound from the prompt alone.")),
            Task.SUPERRES: (
                self.tr("Add highs"),
                self.tr("Gives back the highs that a recording lacks; needs no prompt."),
            ),
        }
