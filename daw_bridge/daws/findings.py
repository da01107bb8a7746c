"""What a look at one end of the chain found; apart from the doctor, since windows show it that never look."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found at one end of the chain; fix are the arguments of daw-bridge that mend it, if any do."""

    verdict: Verdict
    subject: str
    message: str
    hint: str = ""
    fix: tuple[str, ...] = ()
