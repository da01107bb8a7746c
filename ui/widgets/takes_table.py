"""Takes as rows of a table: what is told of each, in the order in which keys play them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

from PyQt6.QtCore import QAbstractTableModel, QMimeData, QModelIndex, QObject, QSize, Qt, QUrl
from PyQt6.QtGui import QColor, QPixmap

from ui.look.scale import Size, font, number_font
from ui.look.theme import colours, icon
from ui.model.hearing import Hearing
from ui.model.listening import Choice, Sound
from ui.model.takes import TakeRow

MimeOf = Callable[[TakeRow], QMimeData | None]
PromptOf = Callable[[str], str]
_ROLE = Qt.ItemDataRole


class Column(IntEnum):
    PLACE = 0
    FAVOURITE = 1
    SCORE = 2
    LOUDNESS = 3
    SEED = 4
    NOTE = 5


_NUMBERS = (Column.SCORE, Column.LOUDNESS, Column.SEED)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above the takes of an earlier job."""

    job_id: str


class TakesTable(QAbstractTableModel):
    """Has the takes that keys play, and below them those of earlier jobs, each job under its heading.

    Hides what tells takes apart while they are listened to blindly.
    """

    def __init__(self, hearing: Hearing, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hearing = hearing
        self._rows: tuple[TakeRow | Heading, ...] = ()
        self.mime_of: MimeOf = file_of
        self.prompt_of: PromptOf = lambda _: ""

    @property
    def headings(self) -> list[int]:
        """Return the rows that are no takes."""
        return [place for place, row in enumerate(self._rows) if isinstance(row, Heading)]

    @property
    def first(self) -> int | None:
        """Return the row of the first take, None without any."""
        return next((place for place in range(len(self._rows)) if self.take(place) is not None), None)

    def take(self, place: int) -> TakeRow | None:
        """Return the take of a row."""
        row = self._rows[place] if 0 <= place < len(self._rows) else None
        return row if isinstance(row, TakeRow) else None

    def show(self) -> None:
        """Take over what the model has; rows that stay keep their place for the view."""
        rows = self._all_rows()
        if [_name(row) for row in rows] != [_name(row) for row in self._rows]:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        elif rows:
            self._rows = rows
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(Column) - 1))

    def place_of(self, choice: Choice) -> int | None:
        """Return in which row a choice stands."""
        found = self._hearing.programme.take(choice) if choice.is_of_take else None
        return None if found is None else self.place_of_file(found.path)

    def place_of_file(self, path: str) -> int | None:
        """Return in which row a file stands."""
        return next((place for place, row in enumerate(self._rows) if _name(row) == path), None)

    def _all_rows(self) -> tuple[TakeRow | Heading, ...]:
        first, earlier = self._hearing.shown, self._hearing.programme.earlier
        rows: list[TakeRow | Heading] = list(first)
        if not self._hearing.blind.blind.shuffles:
            for job_id, takes in groupby(earlier, lambda row: row.job_id):
                if not first or job_id != first[0].job_id:
                    rows += [Heading(job_id), *takes]
        return tuple(rows)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == _ROLE.TextAlignmentRole:
            return _RIGHT if section in _NUMBERS else None
        if orientation is Qt.Orientation.Vertical or role != _ROLE.DisplayRole:
            return None
        return {
            Column.PLACE: self.tr("Take"),
            Column.FAVOURITE: "",
            Column.SCORE: self.tr("Score"),
            Column.LOUDNESS: self.tr("Loudness"),
            Column.SEED: self.tr("Seed"),
            Column.NOTE: self.tr("Note"),
        }[Column(section)]

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> object:
        row, place, column = self._rows[index.row()], index.row(), Column(index.column())
        if isinstance(row, Heading):
            return self._heading(row, column, role)
        answers: dict[int, Callable[[], object]] = {
            _ROLE.DisplayRole: lambda: self._text(row, place, column),
            _ROLE.DecorationRole: lambda: self._icon(row, column),
            _ROLE.ToolTipRole: lambda: self._tool_tip(row, column),
            _ROLE.AccessibleTextRole: lambda: self._told(row, place, column),
            _ROLE.FontRole: lambda: (
                number_font() if column in _NUMBERS else font(is_bold=self._is_heard(row))
            ),
            _ROLE.ForegroundRole: lambda: self._colour(row, column),
            _ROLE.TextAlignmentRole: lambda: _RIGHT if column in _NUMBERS else None,
        }
        answer = answers.get(role)
        return None if answer is None else answer()

    def _heading(self, heading: Heading, column: Column, role: int) -> object:
        prompt = self.prompt_of(heading.job_id)
        told = self.tr("Earlier: %1").replace("%1", prompt) if prompt else self.tr("Earlier")
        match role:
            case _ROLE.DisplayRole | _ROLE.ToolTipRole | _ROLE.AccessibleTextRole:
                return told if column is Column.PLACE else ""
            case _ROLE.ForegroundRole:
                return QColor(colours().faint)
            case _ROLE.SizeHintRole:
                # It lies across all columns, and makes none of them wider.
                return QSize(1, Size.CONTROL)
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags, row = super().flags(index), self.take(index.row())
        if row is None:
            return Qt.ItemFlag.NoItemFlags
        can_be_dragged = not self._hides and row.is_present
        return flags | Qt.ItemFlag.ItemIsDragEnabled if can_be_dragged else flags

    def mimeData(self, indexes: object) -> QMimeData | None:
        assert isinstance(indexes, list)
        row = self.take(indexes[0].row()) if indexes else None
        return None if row is None else self.mime_of(row)

    @property
    def _hides(self) -> bool:
        return self._hearing.blind.blind.hides

    def _text(self, row: TakeRow, place: int, column: Column) -> str:
        if column is Column.PLACE:
            return str(place + 1 if self._hides else row.index + 1)
        texts: dict[Column, Callable[[], str]] = {
            Column.SCORE: lambda: f"{row.score:.3f}",
            Column.LOUDNESS: lambda: self._loudness(row),
            Column.SEED: lambda: str(row.seed),
            Column.NOTE: lambda: self._note(row),
        }
        return "" if self._hides or column not in texts else texts[column]()

    def _loudness(self, row: TakeRow) -> str:
        known = self._hearing.loudness(Sound(path=row.path))
        if known is None:
            return self.tr("…") if row.is_present else ""
        if known.lufs is None:
            return "" if known.error is not None else self.tr("silent")
        return self.tr("%1 LUFS").replace("%1", f"{known.lufs:.1f}")

    def _note(self, row: TakeRow) -> str:
        known = self._hearing.loudness(Sound(path=row.path))
        if not row.is_present:
            return self.tr("The file is gone")
        if known is not None and known.error is not None:
            return known.error.message
        if row.dry:
            return self.tr("Without its effects: %1").replace("%1", row.note or row.dry)
        return row.note

    def _icon(self, row: TakeRow, column: Column) -> object:
        if column is Column.PLACE:
            # An empty one keeps the numbers in one line.
            return icon("volume-high") if self._is_heard(row) else _nothing()
        if column is Column.FAVOURITE and not self._hides:
            return icon(
                "star" if row.is_favourite else "thumb-down-outline" if row.rating < 0 else "star-outline"
            )
        return None

    def _tool_tip(self, row: TakeRow, column: Column) -> str | None:
        if self._hides:
            return None
        if column is Column.FAVOURITE:
            return self.tr("Favourite: kept for good") if row.is_favourite else self.tr("Make it a favourite")
        if column is Column.LOUDNESS:
            return self.tr("Highest sample %1 dB").replace("%1", f"{row.peak_db:.1f}")
        if column is Column.SCORE:
            return self.tr("Likeness to the prompt %1").replace("%1", f"{row.clap_score:.3f}")
        return self._note(row) or None

    def _told(self, row: TakeRow, place: int, column: Column) -> str | None:
        """Return what a screen reader says of a cell: of the first, all that counts of the row."""
        if column is Column.FAVOURITE:
            return self.tr("favourite") if row.is_favourite and not self._hides else self.tr("no favourite")
        if column is not Column.PLACE:
            return None
        name = self.tr("Take %1").replace("%1", self._text(row, place, column))
        if self._hides:
            return name
        known = self._hearing.loudness(Sound(path=row.path))
        loudness = "" if known is None else self._loudness(row)
        parts = [name, self.tr("score %1").replace("%1", f"{row.score:.2f}"), loudness]
        parts += [self.tr("favourite")] if row.is_favourite else []
        parts += [self.tr("playing")] if self._is_heard(row) else []
        return ", ".join(filter(None, [*parts, self._note(row)]))

    def _colour(self, row: TakeRow, column: Column) -> QColor | None:
        has_key = not self._hearing.programme.choice_of(row).job_id or row in self._hearing.shown
        if not row.is_present or (column is Column.PLACE and not has_key):
            return QColor(colours().faint)
        is_warning = column is Column.NOTE and self._note(row) != ""
        return QColor(colours().warn) if is_warning else None

    def _is_heard(self, row: TakeRow) -> bool:
        playing = self._hearing.playing
        found = None if playing is None or not playing.is_of_take else self._hearing.programme.take(playing)
        return found is not None and found.path == row.path


def _name(row: TakeRow | Heading) -> str:
    return f"job {row.job_id}" if isinstance(row, Heading) else row.path


def _nothing() -> QPixmap:
    empty = QPixmap(Size.ICON, Size.ICON)
    empty.fill(Qt.GlobalColor.transparent)
    return empty


def file_of(row: TakeRow) -> QMimeData | None:
    """Return a take as a file to be dropped elsewhere."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(row.path)])
    return data
