"""Past jobs and takes as the service tells them; values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTake:
    """A take; index counts from 0, best first, file tells whether it is there."""

    job_id: str
    index: int
    path: str
    seed: int
    score: float
    rating: int
    is_favourite: bool
    file: str
    total_bytes: int
    note: str = ""

    @property
    def is_present(self) -> bool:
        return self.file == "present"

    @classmethod
    def of(cls, job_id: str, told: Mapping[str, Any]) -> PastTake:
        """Read one of the takes of take/list."""
        score = told["score"]
        return cls(
            job_id=job_id,
            index=told["index"],
            path=told["path"],
            seed=told["seed"],
            score=told["clap_score"] if score is None else score,
            rating=told["rating"],
            is_favourite=told["favourite"],
            file=told["file"],
            total_bytes=told["total_bytes"],
            note=told["note"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PastJob:
    """A job with takes; of_job and of_take, from 1, name the take that it was made from, if any."""

    id: str
    seq: int
    task: str
    prompt: str
    model: str
    created_s: float
    takes: int
    favourites: int = 0
    of_job: str = ""
    of_take: int = 0

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> PastJob:
        """Read one of the jobs of history/search."""
        return cls(
            id=told["id"],
            seq=told["seq"],
            task=told["task"],
            prompt=told["prompt"],
            model=told["model"],
            created_s=told["created_s"],
            takes=told["takes"],
            favourites=told["favourites"],
            of_job=told.get("of_job", ""),
            of_take=told.get("of_take", 0),
        )


@dataclass(slots=True, eq=False)
class Node:
    """A job with its takes below it, or a take with the jobs below that were made from it; or the root.

    number counts takes from 1, and is 0 of jobs.
    """

    parent: Node | None = None
    job: PastJob | None = None
    number: int = 0
    take: PastTake | None = None
    children: list[Node] = field(default_factory=list)
    newest: int = 0

    @property
    def row(self) -> int:
        """Return its place among its siblings."""
        return 0 if self.parent is None else self.parent.children.index(self)

    @property
    def family(self) -> Node:
        """Return the job that a take is of, the node itself of others."""
        return self.parent if self.number and self.parent is not None else self

    def place_of(self, newest: int) -> int:
        """Return before which child a job belongs whose family was last added to by that job."""
        return sum(child.newest > newest for child in self.children)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs of the past are looked for."""

    text: str = ""
    favourites: bool = False
    task: str = ""
