"""What a network answers to the pieces of a batch, looked at by its judge first and by itself then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import torch

from engine.training.parallel import Rows

Answer = TypeVar("Answer")
Other = TypeVar("Other")


class Answers(Generic[Answer]):
    """Compute an answer to each piece; keep it where there is one piece, else make it anew for each look.

    Accumulation is for memory: no two pieces' graphs are held at once. `answer` must therefore be repeatable.
    """

    def __init__(self, pieces: Sequence[Rows], answer: Callable[[Rows], Answer]) -> None:
        self._pieces = pieces
        self._answer = answer
        self._kept: dict[int, Answer] = {}

    def __iter__(self) -> Iterator[Answer]:
        for rows in self._pieces:
            yield self._of(rows)

    def to_judge(self) -> Iterator[Answer]:
        """Yield answers that only their judge learns from."""
        with torch.set_grad_enabled(len(self._pieces) == 1):
            answers = [self._of(rows) for rows in self._pieces]
        yield from answers

    def then(self, follow: Callable[[Answer], Other]) -> Answers[Other]:
        """Return what follows from each answer, kept or made anew likewise."""
        return Answers(self._pieces, lambda rows: follow(self._of(rows)))

    def _of(self, rows: Rows) -> Answer:
        if len(self._pieces) > 1:
            return self._answer(rows)
        if rows.start not in self._kept:
            self._kept[rows.start] = self._answer(rows)
        return self._kept[rows.start]
