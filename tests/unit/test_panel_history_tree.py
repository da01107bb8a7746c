"""The tree of takes: whatever comes in whatever order, it is the same tree."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PyQt6.QtTest import QAbstractItemModelTester

from ui.model.history_tree import JOB_ROLE, TAKE_ROLE, HistoryTree
from ui.model.past import PastJob, PastTake


def a_job(seq: int, takes: int = 1, of: tuple[str, int] = ("", 0)) -> PastJob:
    return PastJob(
        id=f"j{seq}",
        seq=seq,
        task="transfer",
        prompt=f"prompt {seq}",
        model="starter",
        created_s=float(seq),
        takes=takes,
        of_job=of[0],
        of_take=of[1],
    )


@st.composite
def histories(draw: st.DrawFn) -> list[PastJob]:
    """Draw jobs of which each may be made of a take of an earlier one; some of them are deleted."""
    jobs: list[PastJob] = []
    for seq in range(1, draw(st.integers(1, 12)) + 1):
        takes = draw(st.integers(1, 3))
        of = ("", 0)
        if jobs and draw(st.booleans()):
            source = draw(st.sampled_from(jobs))
            of = (source.id, draw(st.integers(1, source.takes)))
        jobs.append(a_job(seq, takes, of))
    return [job for job in jobs if draw(st.integers(0, 5))]


def checked() -> HistoryTree:
    tree = HistoryTree()
    QAbstractItemModelTester(tree, QAbstractItemModelTester.FailureReportingMode.Fatal, tree)
    return tree


def tree_of(jobs: list[PastJob]) -> HistoryTree:
    return filled(checked(), jobs)


def filled(tree: HistoryTree, jobs: list[PastJob]) -> HistoryTree:
    for job in jobs:
        tree.add(job)
    return tree


def plain(jobs: list[PastJob]) -> list[Any]:
    """Return the outline by its definition alone."""
    known = {job.id: job for job in jobs}

    def newest(job: PastJob) -> int:
        return max([job.seq, *(newest(one) for one in jobs if one.of_job == job.id)])

    def under(job_id: str, take: int) -> list[Any]:
        found = [job for job in jobs if (job.of_job, job.of_take) == (job_id, take)]
        return [outline(job) for job in sorted(found, key=newest, reverse=True)]

    def outline(job: PastJob) -> list[Any]:
        return [job.id, *([number, *under(job.id, number)] for number in range(1, job.takes + 1))]

    top = [job for job in jobs if job.of_job not in known]
    return [outline(job) for job in sorted(top, key=newest, reverse=True)]


@given(histories(), st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_tree(jobs: list[PastJob], chance: random.Random) -> None:
    wanted = plain(jobs)
    shuffled = list(jobs)
    chance.shuffle(shuffled)
    # Some come twice, first as they were before all their takes were there.
    early = [replace(job, takes=1) for job in shuffled if chance.random() < 0.3]
    assert tree_of(early + shuffled).outline() == wanted


@given(histories(), st.data())
def test_what_is_removed_leaves_the_rest_as_if_it_had_never_been(
    jobs: list[PastJob], data: st.DataObject
) -> None:
    tree = filled(HistoryTree(), jobs)
    gone = data.draw(st.sets(st.sampled_from([job.id for job in jobs]))) if jobs else set()
    for job_id in gone:
        tree.remove(job_id)
    assert tree.outline() == plain([job for job in jobs if job.id not in gone])


@given(histories())
def test_what_is_selected_stays_selected_while_more_comes(jobs: list[PastJob]) -> None:
    tree = HistoryTree()
    kept: dict[str, QPersistentModelIndex] = {}
    for job in reversed(jobs):
        tree.add(job)
        kept[job.id] = QPersistentModelIndex(tree.job_index(job.id))
    for job_id, index in kept.items():
        assert QModelIndex(index).data(JOB_ROLE).id == job_id


def indexes(tree: HistoryTree, above: QModelIndex | None = None) -> Iterator[QModelIndex]:
    for row in range(tree.rowCount(above)):
        index = tree.index(row, 0, above)
        yield index
        yield from indexes(tree, index)


def test_takes_are_asked_for_when_they_are_seen_and_shown_when_they_come() -> None:
    tree, asked = checked(), []
    tree.takes_wanted.connect(asked.append)
    tree.add(a_job(1, takes=2))
    shown = [index.data() for index in indexes(tree)]
    assert shown[1:] == ["Take 1", "Take 2"]
    assert tree.mimeData([tree.job_index("j1")]).urls() == []
    assert set(asked) == {"j1"}
    tree.set_takes("j1", [a_take("j1", 0), a_take("j1", 1, is_favourite=True)])
    assert [index.data() for index in indexes(tree)][1:] == ["Take 1, 0.50", "Take 2, 0.50, favourite"]
    assert tree.job_index("j1").data(JOB_ROLE).favourites == 1
    urls = tree.mimeData([tree.job_index("j1")]).urls()
    assert [url.toLocalFile() for url in urls] == ["/takes/j1_0.wav"]


def test_the_oldest_families_go_where_there_are_too_many() -> None:
    tree = tree_of([a_job(seq) for seq in range(1, 11)] + [a_job(11, of=("j1", 1))])
    assert tree.trim(4) == 8
    assert tree.outline() == [["j1", [1, ["j11", [1]]]], ["j10", [1]], ["j9", [1]]]
    assert tree.trim(4) == 0


def a_take(job_id: str, index: int, **changes: Any) -> PastTake:
    values: dict[str, Any] = {
        "job_id": job_id,
        "index": index,
        "path": f"/takes/{job_id}_{index}.wav",
        "seed": 7,
        "score": 0.5,
        "rating": 0,
        "is_favourite": False,
        "file": "present",
        "total_bytes": 1000,
    }
    return PastTake(**{**values, **changes})


def test_takes_of_a_concealed_job_are_counted_and_nothing_is_told_of_them() -> None:
    tree = tree_of([a_job(1, 2), a_job(2)])
    for job_id, count in (("j1", 2), ("j2", 1)):
        tree.set_takes(job_id, [a_take(job_id, index) for index in range(count)])
    changed: list[Any] = []
    tree.dataChanged.connect(lambda first, last: changed.append(first))
    tree.conceal("j1")
    assert changed
    hidden = tree.job_index("j1")
    take = tree.index(1, 0, hidden)
    assert (hidden.data(TAKE_ROLE), take.data(TAKE_ROLE)) == (None, None)
    assert take.data() == "Take 2" and not take.data(Qt.ItemDataRole.ToolTipRole)
    assert not tree.mimeData([hidden, take]).urls()
    assert tree.job_index("j2").data(TAKE_ROLE) == a_take("j2", 0)
    tree.conceal("")
    assert take.data(TAKE_ROLE) == a_take("j1", 1)
