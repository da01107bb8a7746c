"""All models of one window, made once and wired together."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from daw_bridge.service.config import Folders
from engine.types import Region
from ui.connection.link import Link
from ui.connection.status import Remote
from ui.model.chains import ChainsModel
from ui.model.checkup import CheckupModel
from ui.model.draft import DraftModel
from ui.model.editing import EditModel
from ui.model.foresight import Foresight
from ui.model.history import HistoryModel
from ui.model.incoming import Incoming
from ui.model.jobs import JobsModel
from ui.model.keys import KeyMap
from ui.model.listening import Choice, Kind
from ui.model.live import LiveValues
from ui.model.models import ModelsModel
from ui.model.past import PastTake
from ui.model.presets import PresetsModel
from ui.model.prompts import PromptHistory
from ui.model.rejoining import Rejoin
from ui.model.sending import SendBack
from ui.model.store import Store
from ui.model.studio import Studio
from ui.model.takes import TakeRow

VARY = 0.3
# The window is to be seen and the service to be started first.
FIRST_LOOK_MS = 1500


class PanelModels(QObject):
    """edited is a file that becomes the take which the user accepts, "" where the panel edits none."""

    failed = pyqtSignal(object)

    def __init__(self, folders: Folders, *, edited: str = "", remote: Remote | None = None) -> None:
        super().__init__()
        self.store = Store(folders.state / "panel.json", self)
        self.keys = KeyMap(self.store, self)
        self.link = Link(folders, remote, self)
        # A file of a DAW that is edited for a moment must not take the place of what the panel is at.
        self.draft = DraftModel(self.store, self, kept_as="draft of an edited file" if edited else "draft")
        self.live = LiveValues(self.link, self.draft, self, is_on=self.store.get("follow", False))
        self.studio = Studio(self.link, self.draft, self.store, self)
        self.prompts = PromptHistory(self.link, self.store, self)
        self.presets = PresetsModel(self.link, self.draft, self)
        self.chains = ChainsModel(self.link, self.draft, self)
        self.models = ModelsModel(self.link, self)
        self.jobs = JobsModel(self.link, self)
        self.foresight = Foresight(self.link, self.draft, self.jobs, self)
        self.rejoin = Rejoin(self.link, self.jobs, self.studio, self)
        self.history = HistoryModel(self.link, self.draft, self)
        self.incoming = Incoming(self.link, self.draft, self.store, self)
        self.sending = SendBack(self.link, self)
        self.checkup = CheckupModel(self)
        self.editing = EditModel(edited, self) if edited else None
        self._past: PastTake | None = None
        self._is_remote = remote is not None
        self._first_look = QTimer(self)
        self._first_look.setSingleShot(True)
        self._first_look.setInterval(FIRST_LOOK_MS)
        self._first_look.timeout.connect(self.checkup.look)
        self._connect()

    def start(self, path: str = "") -> None:
        """Look for the service, and open a sound, or else what was open the last time.

        At the very first start look a little later whether all is there, too.
        """
        self.link.start()
        if self.store.is_new and not self._is_remote:
            self.store.put("checked up", True)
            self._first_look.start()
        last = self.draft.draft
        # Nothing is rendered that is not to be seen.
        self.draft.set_region(None)
        self.draft.set_mask(None)
        if self.editing is not None:
            self.editing.begin()
        elif path:
            self.incoming.receive([path])
        elif last.region is not None and Path(last.region.path).is_file():
            self.studio.selection.restore(last)

    def close(self) -> None:
        """End what runs for the window; the service goes on."""
        self._first_look.stop()
        self.checkup.close()
        if self.editing is not None:
            self.editing.close()
        for part in (self.studio, self.history, self.incoming, self.sending):
            part.close()
        self.link.close()
        self.store.close()

    def accept(self, row: TakeRow) -> None:
        """Use a take: let the edited file become it, or tell the DAW that its job came from."""
        if self.editing is None:
            self.studio.apply(row)
            return
        self._choose_to_edit(row)
        self.editing.apply()

    def follow(self, on: bool) -> None:
        """Let OSC controllers turn what is set here, and tell them what is."""
        self.store.put("follow", on)
        self.live.turn(on)

    def vary(self, row: TakeRow) -> None:
        self.studio.vary(row, VARY)

    def hear_past(self, take: PastTake) -> None:
        """Show and play a take of the history."""
        self._past = take
        self.studio.find_job(take.job_id)
        self._play_past()

    def _connect(self) -> None:
        self.incoming.opened.connect(self.studio.open)
        self.incoming.refused.connect(self.failed)
        self.models.changed.connect(self._see_as_model)
        self.draft.changed.connect(self._see_as_model)
        self.incoming.imported.connect(self._was_imported)
        self.incoming.preset_found.connect(self.presets.import_file)
        self.presets.imported.connect(self._preset_was_imported)
        self.jobs.retried.connect(self.studio.was_retried)
        self.chains.applied.connect(self._hear_chain)
        self.studio.region.opened.connect(self._choose_for_chain)
        region = self.studio.region
        region.opening.connect(lambda: self.incoming.see(""))
        region.opened.connect(lambda: self.incoming.see(region.path))
        region.failed.connect(lambda _: self.incoming.see(region.path))
        self.studio.hearing.changed.connect(self._choose_for_chain)
        self.studio.takes.changed.connect(self._play_past)
        self.studio.hearing.changed.connect(self._choose_to_send)
        self.studio.hearing.blind.changed.connect(self._conceal)
        if self.editing is not None:
            self.editing.begun.connect(lambda source: self.studio.selection.open(Region(path=source)))

    def _see_as_model(self) -> None:
        name = self.draft.draft["model"]
        chosen = next((model for model in self.models.models if model.name == name), None)
        self.studio.see_as_model(None if chosen is None else chosen.grid)

    def _was_imported(self, name: str) -> None:
        self.studio.told.emit(self.tr("Imported: %1").replace("%1", name))

    def _preset_was_imported(self, name: str) -> None:
        self.studio.told.emit(self.tr("Among the presets now: %1").replace("%1", name))

    def _choose_for_chain(self) -> None:
        """Let effects be tried on the take that was chosen last, or else on the sound that is open."""
        choice = self.studio.hearing.current
        row = self.studio.takes.row(choice.index, choice.job_id)
        self.chains.set_sound(self.studio.region.path if row is None else row.path)

    def _hear_chain(self, path: str) -> None:
        self.studio.hearing.set_preview(path)
        self.studio.hearing.play(Choice(kind=Kind.PREVIEW))

    def _conceal(self) -> None:
        """Let the history tell nothing of takes that are heard without knowing."""
        hides = self.studio.hearing.blind.blind.hides
        self.history.conceal(self.studio.takes.job_id if hides else "")

    def _choose_to_send(self) -> None:
        """Let the take that was chosen last be the one that can be sent back, or applied."""
        choice = self.studio.hearing.current
        row = self.studio.takes.row(choice.index, choice.job_id) if choice.kind is Kind.TAKE else None
        if row is not None:
            self.sending.choose(row.job_id, row.index)
            self._choose_to_edit(row)

    def _choose_to_edit(self, row: TakeRow) -> None:
        region = self.studio.job_region
        if self.editing is not None and row.is_present:
            self.editing.choose(row.path, region.span.start_s if region and region.span else 0.0)

    def _play_past(self) -> None:
        """Play what was asked for as soon as the takes of its job are there."""
        past, takes = self._past, self.studio.takes
        if past is not None and past.job_id == takes.job_id and takes.row(past.index) is not None:
            self._past = None
            self.studio.hearing.play(Choice(kind=Kind.TAKE, index=past.index))
