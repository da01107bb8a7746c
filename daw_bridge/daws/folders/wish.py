"""What is wished of files that come without a dialog: the options of a command, as an errand for each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from daw_bridge.daws.errands.errand import ERRAND
from daw_bridge.errors import storage_errors
from daw_bridge.option_types import Number
from engine.types import MAX_TAKES, SEEDS, SamplerSpec

Command = TypeVar("Command", bound=Callable[..., Any])
MAX_TOLD_CHARACTERS = 2_000
_STRENGTH = SamplerSpec().strength


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How each file shall come back; an empty prompt and no seed are left to the live parameters."""

    task: str = "transfer"
    prompt: str = ""
    strength: float = _STRENGTH
    takes: int = 1
    seed: int | None = None
    steps: int | None = None
    model: str = ""
    chain: str = ""
    render_preset: str = ""

    def errand(self, path: Path, folder: Path, *, host: str, stem: str = "") -> dict[str, Any]:
        """Return what is asked for a file; a text file of its name beside it has its own prompt."""
        asked: dict[str, Any] = {
            "ask": self.task,
            "host": host,
            "path": str(path),
            "options": self._options(),
            "folder": str(folder),
            "stem": stem or path.stem,
        }
        prompt = _prompt_beside(path) or self.prompt
        if self.task == "transfer":
            return {**asked, "prompt": prompt, "strength": self.strength}
        return {**asked, "options": {**asked["options"], "prompt": prompt}} if prompt else asked

    def _options(self) -> dict[str, Any]:
        chosen = {
            "takes": self.takes,
            "seed": self.seed,
            "sampler": {"steps": self.steps} if self.steps else None,
            "model": self.model or None,
            "chain": self.chain or None,
            "delivery": self.render_preset or None,
        }
        return {key: value for key, value in chosen.items() if value is not None}


def wish_options(command: Command) -> Command:
    """Add the options of a wish to a command; they come as its keyword arguments."""
    for option in (
        click.option("--render-preset", default="", metavar="NAME", help="How takes come back."),
        click.option("--chain", default="", metavar="NAME", help="Effects that takes go through."),
        click.option("--model", default="", help="See: daw-bridge models list [default: starter]."),
        click.option("--steps", type=click.IntRange(1), help="Sampling steps [default: as live]."),
        click.option("--seed", type=click.IntRange(0, SEEDS - 1), help="The same seed gives the same audio."),
        click.option("--takes", type=click.IntRange(1, MAX_TAKES), default=1, show_default=True),
        click.option(
            "--strength",
            type=Number(min=0, max=1),
            default=_STRENGTH,
            show_default=True,
            help="How much of the file changes.",
        ),
        click.option(
            "--prompt", "-p", default="", help="What it should sound like [default: the live parameter]."
        ),
        click.option("--task", type=click.Choice(["transfer", "superres"]), default="transfer"),
    ):
        command = option(command)
    return command


def leave_errand(folder: Path, content: dict[str, Any]) -> None:
    """Write an errand into a folder of its own; raises OutputError and DiskFull."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{ERRAND}.part"
        part.write_text(json.dumps(content, indent=2), encoding="utf-8")
        os.replace(part, folder / ERRAND)


def _prompt_beside(path: Path) -> str:
    try:
        text = path.with_suffix(".txt").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return " ".join(text[:MAX_TOLD_CHARACTERS].split())
