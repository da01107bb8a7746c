"""daw-bridge doctor: a job goes all the way, and what does not work is named with what to do."""

from __future__ import annotations

import json
from pathlib import Path

from tests.end2end.homes import Home


def found(home: Home, cwd: Path, *options: str) -> tuple[int, dict[str, dict[str, str]]]:
    told = home.run("doctor", "--json", *options, cwd=cwd)
    findings = [json.loads(line) for line in told.stdout.splitlines()]
    return told.returncode, {finding["subject"]: finding for finding in findings}


def test_each_end_of_a_sound_chain_is_well(home: Home, tmp_path: Path) -> None:
    status, findings = found(home, tmp_path)
    ends = ["folders", "service", "OSC over UDP", "OSC over TCP", "OSCQuery", "model starter", "probe job"]
    wrong = {
        subject: findings[subject]["message"] for subject in ends if findings[subject]["verdict"] != "ok"
    }
    assert not wrong
    assert findings["sound device"]["verdict"] in ("ok", "warning")
    assert findings["plug-ins"]["verdict"] in ("ok", "warning")
    assert status == 0
    assert "24001 samples" in findings["probe job"]["message"]
    assert not home.jobs(), "the probe is none of the user's jobs"
    assert not list(home.folders.errands.iterdir())


def test_what_does_not_work_is_named_with_what_to_do(home: Home, tmp_path: Path) -> None:
    status, findings = found(home, tmp_path, "--model", "nobody")
    assert status == 1
    failed = {subject for subject, finding in findings.items() if finding["verdict"] == "failed"}
    assert failed == {"model nobody", "probe job"}
    assert "daw-bridge models" in findings["model nobody"]["message"]
    home.folders.takes.rmdir()
    home.folders.takes.write_text("in the way")
    status, findings = found(home, tmp_path, "--model", "debug")
    assert status == 1
    assert findings["folders"]["verdict"] == "failed"
    assert str(home.folders.takes) in findings["folders"]["message"]
