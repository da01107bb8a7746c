"""What the options before a command say: which project, and which folder it trains in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

import click

from engine.errors import SpecError
from engine.models.card import CARD_FILE
from engine.training.config import load_project
from engine.training.project import Project

STARTER_RUN = Path("runs/starter")
# Of one file of a model that is written: what git hosts take without a fuss.
MAX_FILE_BYTES = 24_000_000
_Options = ParamSpec("_Options")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """folder is None where none was named."""

    project_path: Path
    folder: Path | None

    def project(self) -> Project:
        """Read the project's file; SpecError where it is not usable."""
        return Project(load_project(self.project_path), self.folder or STARTER_RUN)


def with_project(command: Callable[Concatenate[Project, _Options], None]) -> Callable[_Options, None]:
    """Give a command the project of its call."""

    @wraps(command)
    def called(*args: _Options.args, **options: _Options.kwargs) -> None:
        call = click.get_current_context().find_object(Call)
        assert call is not None
        command(call.project(), *args, **options)

    return called


def require_replaceable(into: Path) -> None:
    """Raise SpecError where a model's folder would take the place of other things."""
    empty = into.is_dir() and not any(into.iterdir())
    if into.exists() and not empty and not (into / CARD_FILE).is_file():
        raise SpecError(
            f"{into} is there already, and is no model that could be replaced.",
            "Name a new folder by --into.",
        )
