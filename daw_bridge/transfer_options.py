"""The options of a transfer: how far it goes, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from daw_bridge.option_types import Number, Numbers
from engine.types import DEFAULT_EDITOR, Editor, Region, RenderSpec, Task

Command = TypeVar("Command", bound=Callable[..., Any])
_TRANSFER = RenderSpec(task=Task.TRANSFER, prompt="any", region=Region(path=""))


def transfer_options(command: Command) -> Command:
    """Add the options that a transfer alone has."""
    for option in (
        click.option(
            "--keep",
            type=click.Choice(("pitch", "rhythm", "level")),
            multiple=True,
            help="Keep which notes sound, when sounds begin, or how loud it is from moment to moment; "
            "repeatable.",
        ),
        click.option(
            "--sweep",
            type=Numbers(),
            default=(),
            metavar="STRENGTHS",
            help="One take at each of these rising strengths, as 0.2,0.4,0.6, all of one seed; "
            "instead of --strength and --takes.",
        ),
        click.option(
            "--source-prompt",
            default="",
            metavar="TEXT",
            help="What FILE is, in words, where its sound alone is not enough; not for renoise.",
        ),
        click.option(
            "--editor",
            type=click.Choice([editor.value for editor in Editor]),
            default=DEFAULT_EDITOR.value,
            show_default=True,
            help="direct changes the sound and keeps the groove; invert too, by other steps; renoise lets go "
            "of the source and follows the prompt furthest.",
        ),
        click.option(
            "--strength",
            type=Number(),
            default=None,
            show_default=f"{_TRANSFER.sampler.strength:g}",
            help="How much changes: 0 nothing, 1 as much as the editor can.",
        ),
    ):
        command = option(command)
    return command
