"""daw-bridge doctor: what works, what does not, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from daw_bridge.daws.doctor import examine
from daw_bridge.daws.findings import Finding, Verdict
from daw_bridge.daws.hosts import System
from daw_bridge.display import say
from engine.errors import sentences

_SIGNS = {Verdict.OK: "ok", Verdict.WARNING: "!!", Verdict.FAILED: "NO"}


@click.command()
@click.option("--model", default="starter", show_default=True, help="The model for the probe job.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def doctor(model: str, as_json: bool) -> int:
    """Look at each end of the chain, from the folders to the scripts in each DAW; a job goes all the way.

    Returns 1 where something does not work; warnings are none.
    """
    verdicts = set()
    for finding in examine(System.here(), model):
        verdicts.add(finding.verdict)
        say(_as_json(finding) if as_json else _line(finding))
    return 1 if Verdict.FAILED in verdicts else 0


def _line(finding: Finding) -> str:
    return f"{_SIGNS[finding.verdict]}  {finding.subject}: {sentences(finding.message, finding.hint)}"


def _as_json(finding: Finding) -> str:
    return json.dumps({**asdict(finding), "verdict": finding.verdict.value})
