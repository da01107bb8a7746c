"""What a musician reads when something cannot be done."""

from __future__ import annotations


class Refusal(Exception):
    """One sentence, what to do about it, and a stable code."""

    def __init__(self, message: str, hint: str = "", code: str = "refused") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        return (self.message + " " + self.hint).strip()
