"""How much work goes into a render, how many takes it gives, and from which seed."""

from __future__ import annotations

from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from engine.types import Task
from ui.look.scale import Space, Type
from ui.model.draft import DraftModel, SeedAfter
from ui.model.quality import LADDER, Quality, quality_of
from ui.widgets.say.fields import SeedField, WholeField
from ui.widgets.say.parts import IconButton, Segments, row_of, text_of


class QualityBar(QWidget):
    def __init__(self, draft: DraftModel) -> None:
        super().__init__()
        self._draft = draft
        words = {
            Quality.DRAFT: (self.tr("Draft"), self.tr("Quick, to find the way.")),
            Quality.NORMAL: (self.tr("Normal"), self.tr("What most sounds need.")),
            Quality.FINAL: (self.tr("Final"), self.tr("Slow and fine, several takes to choose from.")),
        }
        self._segments = Segments(
            "quality", self.tr("Quality"), [(one.value, "", text) for one, (text, _) in words.items()]
        )
        for one, (text, tip) in words.items():
            values = LADDER[one]
            figures = self.tr("%1 steps, %2 takes").replace("%1", str(values["steps"]))
            figures = figures.replace("%2", str(values["takes"]))
            self._segments.button(one.value).setToolTip(f"{text}: {tip}\n{figures}")
        self._segments.chosen.connect(lambda key: draft.change(**LADDER[Quality(key)]))
        self._figures = text_of("", "faint", step=Type.SMALL)
        self._figures.setObjectName("quality figures")
        tip = self.tr("How many results to choose from; the best comes first.")
        self._takes = WholeField(draft, "takes", self.tr("Takes"), tip)
        self._takes_title = takes_title = text_of(self.tr("Takes"))
        takes_title.setBuddy(self._takes)
        self._takes.handling.watch(takes_title)
        title = text_of(self.tr("Quality"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addLayout(row_of(title, self._figures, QLabel(), takes_title, self._takes, stretch=2))
        column.addWidget(self._segments)
        draft.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        draft = self._draft.draft
        self._segments.choose(quality_of(draft).value)
        self._figures.setText(self.tr("%1 steps").replace("%1", str(draft["steps"])))
        # A sweep has as many takes as strengths.
        is_swept = draft.task is Task.TRANSFER and bool(draft.sweep)
        self._takes.setVisible(not is_swept)
        self._takes_title.setVisible(not is_swept)


class SeedRow(QWidget):
    """The seed, what becomes of it after each render, the one before, and another by chance."""

    def __init__(self, draft: DraftModel) -> None:
        super().__init__()
        self._draft = draft
        seed_tip = self.tr("The same seed with the same settings gives the same sound.")
        self._seed = SeedField(draft, "seed", self.tr("Seed"), seed_tip)
        seed_title = text_of(self.tr("Seed"))
        seed_title.setBuddy(self._seed)
        self._seed.handling.watch(seed_title)
        self._after = IconButton("seed after", "lock", "", draft.turn_seed_after)
        self._again = IconButton("seed last", "restore", "", draft.reuse_seed)
        dice = IconButton("seed random", "dice-multiple", self.tr("Another seed by chance"), draft.roll_seed)
        row = row_of(seed_title, self._seed, self._after, self._again, dice, stretch=1)
        self.setLayout(row)
        draft.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        draft = self._draft.draft
        icon_name, text = {
            SeedAfter.LOCK: ("lock", self.tr("The seed stays after each render")),
            SeedAfter.NEXT: (
                "numeric-positive-1",
                self.tr("After each render the seed goes on past its takes"),
            ),
            SeedAfter.RANDOM: ("shuffle", self.tr("After each render the seed is drawn anew")),
        }[draft.seed_after]
        self._after.show_icon(icon_name)
        self._after.setAccessibleName(text)
        self._after.setToolTip(f"{text}\n{self.tr('Press for the next way.')}")
        last = self._draft.last_seed
        self._again.setEnabled(last is not None and last != draft["seed"])
        again = self.tr("Take the seed of the last render again, and keep it")
        self._again.setToolTip(again if last is None else f"{again}: {last}")
        self._again.setAccessibleName(again)
