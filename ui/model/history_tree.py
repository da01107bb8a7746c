"""The history as a tree for views: jobs, their takes, and below a take the jobs that were made from it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from PyQt6.QtCore import QAbstractItemModel, QMimeData, QModelIndex, QObject, Qt, QUrl, pyqtSignal

from ui.model.job_words import said, task_name
from ui.model.past import Node, PastJob, PastTake

JOB_ROLE = Qt.ItemDataRole.UserRole
TAKE_ROLE = Qt.ItemDataRole.UserRole + 1


class HistoryTree(QAbstractItemModel):
    """Holds what was told so far, newest first; the order in which it was told makes no difference.

    A family stands where its newest job belongs. A job whose take is not known (yet) stands at the top.
    """

    takes_wanted = pyqtSignal(str)
    # A job that stood at the top has come below its take: whoever saw it wants to see it further on.
    adopted = pyqtSignal(QModelIndex)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._root = Node()
        self._jobs: dict[str, Node] = {}
        self._concealed = ""

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: PastJob) -> None:
        """Take over a job, new or changed; one without takes is not shown."""
        known = self._jobs.get(job.id)
        if known is not None:
            self._change(known, job)
        elif job.takes:
            self._insert(job)

    def set_takes(self, job_id: str, takes: Iterable[PastTake]) -> None:
        """Take over what is known of a job's takes."""
        node = self._jobs.get(job_id)
        if node is None or node.job is None:
            return
        found = {take.index + 1: take for take in takes}
        self._grow(node, max(found, default=0))
        for child in node.children:
            child.take = found.get(child.number)
        favourites = sum(take.is_favourite for take in found.values())
        node.job = replace(node.job, favourites=favourites)
        self._tell(node)

    def conceal(self, job_id: str) -> None:
        """Tell nothing of the takes of a job; "" tells of all again."""
        former, self._concealed = self._concealed, job_id
        for node in (self._jobs.get(former), self._jobs.get(job_id)):
            if node is not None:
                self._tell(node)

    def remove(self, job_id: str) -> None:
        """Let go of a job; those made from its takes stay, at the top."""
        node = self._jobs.get(job_id)
        if node is None:
            return
        for take in node.children:
            while take.children:
                self._move(take.children[0], self._root)
        del self._jobs[job_id]
        self._take_out(node)

    def clear(self) -> None:
        self.beginResetModel()
        self._root, self._jobs = Node(), {}
        self.endResetModel()

    def trim(self, most: int) -> int:
        """Let the oldest families beyond a number of jobs go; return the newest seq among them, or 0."""
        newest = 0
        while len(self._jobs) > most and len(self._root.children) > 1:
            last = self._root.children[-1]
            newest = max(newest, last.newest)
            for node in list(_jobs_below(last)):
                assert node.job is not None, "only jobs are yielded"
                del self._jobs[node.job.id]
            self._take_out(last)
        return newest

    def job_index(self, job_id: str) -> QModelIndex:
        """Return where a job is, an invalid index if it is not known."""
        node = self._jobs.get(job_id)
        return QModelIndex() if node is None else self._index(node)

    def outline(self) -> list[Any]:
        """Return the tree as lists: a job's id, or a take's number, followed by what is below it."""
        return [_outline(child) for child in self._root.children]

    def index(self, row: int, column: int = 0, parent: QModelIndex | None = None) -> QModelIndex:
        above = self._node(parent)
        if column != 0 or not 0 <= row < len(above.children):
            return QModelIndex()
        return self.createIndex(row, 0, above.children[row])

    def parent(self, index: QModelIndex | None = None) -> Any:
        if index is None:
            return super().parent()
        above = self._node(index).parent
        return QModelIndex() if above is None else self._index(above)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return len(self._node(parent).children)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 1

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        node = self._node(index)
        if role == JOB_ROLE:
            return node.family.job
        if role == TAKE_ROLE:
            return self._take_of(node)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._told(node)
        return self._tip(node) if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else flags

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        return ["text/uri-list"]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:
        """Return the files of takes, of a job that of its best one."""
        takes = (self._take_of(self._node(index)) for index in indexes)
        data = QMimeData()
        data.setUrls(
            [QUrl.fromLocalFile(take.path) for take in takes if take is not None and take.is_present]
        )
        return data

    def _take_of(self, node: Node) -> PastTake | None:
        """Return a take, of a job its best one; what is not known yet is asked for."""
        if (job := node.family.job) is not None and job.id == self._concealed:
            return None
        found = node if node.number else node.children[0] if node.children else None
        if found is not None and found.take is None and job is not None:
            self.takes_wanted.emit(job.id)
        return None if found is None else found.take

    def _told(self, node: Node) -> str:
        if node.job is not None:
            job = node.job
            return said("%1, %2, %3 takes", job.prompt or task_name(job.task), when(job.created_s), job.takes)
        take = self._take_of(node)
        if take is None:
            return said("Take %1", node.number)
        star = said("favourite") if take.is_favourite else ""
        return ", ".join(filter(None, [said("Take %1", node.number), f"{take.score:.2f}", star]))

    def _tip(self, node: Node) -> str:
        if node.job is not None:
            return node.job.prompt
        take = self._take_of(node)
        return "" if take is None else "\n".join(filter(None, [take.path, take.note]))

    def _tell(self, node: Node) -> None:
        """Tell views that a job and its takes are others."""
        place = self._index(node)
        self.dataChanged.emit(place, place)
        if node.children:
            self.dataChanged.emit(self._index(node.children[0]), self._index(node.children[-1]))

    def _insert(self, job: PastJob) -> None:
        node = Node(job=job, newest=job.seq)
        node.children = [Node(parent=node, number=number) for number in range(1, job.takes + 1)]
        above = self._above(job)
        place = above.place_of(job.seq)
        self.beginInsertRows(self._index(above), place, place)
        node.parent = above
        above.children.insert(place, node)
        self._jobs[job.id] = node
        self.endInsertRows()
        self._settle(above)
        self._adopt(node)

    def _change(self, node: Node, job: PastJob) -> None:
        node.job = job
        self._grow(node, job.takes)
        place = self._index(node)
        self.dataChanged.emit(place, place)

    def _adopt(self, node: Node) -> None:
        """Let those at the top that were made from the job's takes come below these."""
        assert node.job is not None, "only jobs have takes"
        for child in list(self._root.children):
            if child.job is not None and child.job.of_job == node.job.id and child is not node:
                self._move(child, self._above(child.job))
                self.adopted.emit(self._index(child))

    def _above(self, job: PastJob) -> Node:
        """Return the take that a job was made from, or the root: only of older jobs can one be made."""
        node = self._jobs.get(job.of_job)
        if node is None or node.job is None or node.job.seq >= job.seq or job.of_take < 1:
            return self._root
        self._grow(node, job.of_take)
        return node.children[job.of_take - 1]

    def _grow(self, node: Node, takes: int) -> None:
        """Let a job have at least so many takes."""
        known = len(node.children)
        if takes > known:
            self.beginInsertRows(self._index(node), known, takes - 1)
            node.children += [Node(parent=node, number=number) for number in range(known + 1, takes + 1)]
            self.endInsertRows()

    def _move(self, node: Node, above: Node) -> None:
        before = node.parent
        assert before is not None, "the root is not moved"
        row, place = node.row, above.place_of(node.newest)
        self.beginMoveRows(self._index(before), row, row, self._index(above), place)
        before.children.remove(node)
        node.parent = above
        above.children.insert(place, node)
        self.endMoveRows()
        self._settle(before)
        self._settle(above)

    def _settle(self, node: Node) -> None:
        """Put the families above, up to the top, where their newest jobs belong."""
        at: Node | None = node
        while at is not None and at.parent is not None:
            newest = max([at.job.seq if at.job else 0, *(child.newest for child in at.children)])
            if newest == at.newest:
                return
            at.newest = newest
            if at.job is not None:
                self._sort_in(at)
            at = at.parent

    def _sort_in(self, node: Node) -> None:
        above = node.parent
        assert above is not None, "the root has no place"
        row = node.row
        place = sum(child.newest > node.newest for child in above.children)
        if place != row:
            target = self._index(above)
            self.beginMoveRows(target, row, row, target, place if place < row else place + 1)
            above.children.insert(place, above.children.pop(row))
            self.endMoveRows()

    def _take_out(self, node: Node) -> None:
        above = node.parent
        assert above is not None, "the root stays"
        row = node.row
        self.beginRemoveRows(self._index(above), row, row)
        del above.children[row]
        self.endRemoveRows()
        self._settle(above)

    def _node(self, index: QModelIndex | None) -> Node:
        if index is None or not index.isValid():
            return self._root
        found = index.internalPointer()
        assert isinstance(found, Node), "an index of another model"
        return found

    def _index(self, node: Node) -> QModelIndex:
        return QModelIndex() if node.parent is None else self.createIndex(node.row, 0, node)


def when(created_s: float) -> str:
    """Return a moment as one says it: the time today, the day else."""
    then, now = time.localtime(created_s), time.localtime()
    is_today = then[:3] == now[:3]
    return time.strftime("%H:%M" if is_today else "%d %b" if then[0] == now[0] else "%d %b %Y", then)


def _jobs_below(node: Node) -> Iterator[Node]:
    if node.job is not None:
        yield node
    for child in node.children:
        yield from _jobs_below(child)


def _outline(node: Node) -> list[Any]:
    name = node.number or (node.job.id if node.job else "")
    return [name, *map(_outline, node.children)]
