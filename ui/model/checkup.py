"""What works and what does not, as daw-bridge doctor finds it, and the fixes that it knows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

from PyQt6.QtCore import QObject, QProcess, QProcessEnvironment, pyqtSignal

from daw_bridge.children import environment, module_command
from daw_bridge.daws.findings import Finding, Verdict

_MOST_SAID = 400


class CheckupState(Enum):
    IDLE = "idle"
    LOOKING = "looking"
    FIXING = "fixing"
    BROKEN = "broken"


FOLLOWERS: dict[CheckupState, frozenset[CheckupState]] = {
    CheckupState.IDLE: frozenset({CheckupState.LOOKING, CheckupState.FIXING}),
    CheckupState.LOOKING: frozenset({CheckupState.IDLE, CheckupState.BROKEN}),
    CheckupState.FIXING: frozenset({CheckupState.IDLE, CheckupState.BROKEN}),
    CheckupState.BROKEN: frozenset({CheckupState.LOOKING, CheckupState.FIXING}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What was found so far; trouble is what a process of it said that failed."""

    state: CheckupState = CheckupState.IDLE
    findings: tuple[Finding, ...] = ()
    trouble: str = ""

    @property
    def to_look_at(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.verdict is not Verdict.OK)


class CheckupModel(QObject):
    """Looks and mends in processes of their own, one at a time."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._checkup = Checkup()
        self._said = b""
        self._process = QProcess(self)
        self._process.setProcessEnvironment(_environment())
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._end)
        self._process.errorOccurred.connect(self._fail)

    @property
    def checkup(self) -> Checkup:
        return self._checkup

    @property
    def is_busy(self) -> bool:
        return self._checkup.state in (CheckupState.LOOKING, CheckupState.FIXING)

    def look(self) -> None:
        """Begin anew; findings come one by one. Does nothing while it is busy."""
        if not self.is_busy:
            self._said = b""
            self._set(CheckupState.LOOKING, ())
            self._start("doctor", "--json")

    def fix(self, finding: Finding) -> None:
        """Do what mends a finding, then look again."""
        assert finding.fix, "nothing is known that mends it"
        if not self.is_busy:
            self._set(CheckupState.FIXING, self._checkup.findings)
            self._start(*finding.fix)

    def close(self) -> None:
        self._process.blockSignals(True)
        self._process.kill()
        self._process.waitForFinished(1000)

    def _start(self, *arguments: str) -> None:
        program, *first = module_command("daw_bridge", *arguments)
        self._process.start(program, first)

    def _read(self) -> None:
        self._said += bytes(self._process.readAllStandardOutput().data())
        if self._checkup.state is not CheckupState.LOOKING:
            return
        *lines, self._said = self._said.split(b"\n")
        found = tuple(_finding(line) for line in lines if line.startswith(b"{"))
        self._set(CheckupState.LOOKING, (*self._checkup.findings, *found))

    def _end(self, status: int, _: QProcess.ExitStatus) -> None:
        was_fixing = self._checkup.state is CheckupState.FIXING
        said = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace").strip()
        # The doctor's own status tells what it found, not whether it worked.
        if (was_fixing and status) or not (was_fixing or self._checkup.findings):
            self._set(CheckupState.BROKEN, self._checkup.findings, said[-_MOST_SAID:] or f"status {status}")
            return
        self._set(CheckupState.IDLE, self._checkup.findings)
        if was_fixing:
            self.look()

    def _fail(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:
            self._set(CheckupState.BROKEN, self._checkup.findings, self._process.errorString())

    def _set(self, state: CheckupState, findings: tuple[Finding, ...], trouble: str = "") -> None:
        before = self._checkup.state
        assert state is before or state in FOLLOWERS[before], (
            f"{before.value} is not followed by {state.value}"
        )
        self._checkup = Checkup(state=state, findings=findings, trouble=trouble)
        self.changed.emit()


def _finding(line: bytes) -> Finding:
    content = json.loads(line)
    return Finding(
        verdict=Verdict(content["verdict"]),
        subject=content["subject"],
        message=content["message"],
        hint=content["hint"],
        fix=tuple(content["fix"]),
    )


def _environment() -> QProcessEnvironment:
    made = QProcessEnvironment()
    for name, value in environment().items():
        made.insert(name, value)
    return made
