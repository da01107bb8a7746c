"""The command line: options in, the service asked, files out."""

from __future__ import annotations

import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from daw_bridge.chain_cli import chain
from daw_bridge.client.jobs import Client
from daw_bridge.daws.audacity.audacity_cli import audacity
from daw_bridge.daws.doctor_cli import doctor
from daw_bridge.daws.errands.errand_cli import errand
from daw_bridge.daws.folders.folders_cli import edit, watch
from daw_bridge.daws.install_cli import install_scripts
from daw_bridge.daws.live.live_cli import live
from daw_bridge.demo import run_demo
from daw_bridge.display import JobDisplay, complain, say, show_takes
from daw_bridge.eval_cli import evaluate
from daw_bridge.history_cli import history
from daw_bridge.live.chains import ChainStore
from daw_bridge.live.deliveries import Deliveries
from daw_bridge.models_cli import models
from daw_bridge.option_types import Number, Seconds
from daw_bridge.panel_cli import panel
from daw_bridge.recall_cli import recall
from daw_bridge.render_presets_cli import render_presets
from daw_bridge.service.config import Folders
from daw_bridge.service_cli import serve, service
from daw_bridge.spec_options import build_spec, stem_of
from daw_bridge.transfer_options import transfer_options
from engine.delivery import Delivery
from engine.errors import EngineError
from engine.types import (
    MAX_DURATION_S,
    MAX_TAKES,
    MIN_DURATION_S,
    SEEDS,
    ErrorCode,
    ErrorInfo,
    Highs,
    Region,
    RenderSpec,
    SamplerName,
    SamplerSpec,
    Stereo,
    Task,
)

Command = TypeVar("Command", bound=Callable[..., Any])
FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
_DEFAULTS = SamplerSpec()
_EDIT = RenderSpec(task=Task.SUPERRES, region=Region(path=""))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 for a failed job, 2 for wrong use, 130 when interrupted."""
    try:
        with _all_ends_alike():
            result = commands.main(args=arguments, prog_name="daw-bridge", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except EngineError as error:
        complain(error.info)
        return INTERRUPTED if error.code is ErrorCode.CANCELLED else FAILED
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.ctx.get_help() if error.ctx else "")
        return WRONG_USE
    except click.ClickException as error:
        hint = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "daw-bridge"
        message = error.format_message()
        complain(ErrorInfo(code=ErrorCode.BAD_ARGS, message=message, hint=f"See: {hint} --help"))
        return WRONG_USE
    except (click.Abort, KeyboardInterrupt):
        complain(ErrorInfo(code=ErrorCode.CANCELLED, message="interrupted"))
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the user gets one sentence, whatever happened
        message = f"the program failed in a way nobody foresaw ({type(error).__name__})"
        complain(ErrorInfo(code=ErrorCode.INTERNAL, message=message, hint="Please report it."))
        return FAILED


@contextmanager
def _all_ends_alike() -> Iterator[None]:
    """Let SIGTERM interrupt a command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """Make and change sound by description, on this machine.

    Each command writes its takes, best first, as audio (.wav, .flac or .aiff like the source), the recipe
    (.json) and a spectrogram (.png). Earlier files are never overwritten.
    """


def _sound_options(command: Command) -> Command:
    for option in (
        click.option(
            "--no-level-match",
            "match_level",
            flag_value=False,
            default=True,
            type=bool,
            help="Leave the result at the model's level instead of the source's.",
        ),
        click.option(
            "--stereo",
            type=click.Choice([stereo.value for stereo in Stereo]),
            default=_EDIT.stereo.value,
            show_default=True,
            help="Of a stereo region make the middle anew, middle and sides, or each channel by itself.",
        ),
        click.option(
            "--highs",
            type=click.Choice([highs.value for highs in Highs]),
            default=_EDIT.highs.value,
            show_default=True,
            help="Above the model's band: keep the file's own, let it follow the new sound, drop it, or let "
            "--highs-model make it.",
        ),
        click.option(
            "--highs-model",
            default="",
            metavar="MODEL",
            help="The model of a wider band that makes what --highs model asks for.",
        ),
    ):
        command = option(command)
    return command


def _edit_options(command: Command) -> Command:
    for option in (
        _sound_options,
        click.option(
            "--mask-band",
            type=(Number(min=0), Number(min=0)),
            multiple=True,
            metavar="LOW HIGH",
            help="Change only this band in Hz; repeat it for more rectangles.",
        ),
        click.option(
            "--mask-time",
            type=(Seconds(), Seconds()),
            multiple=True,
            metavar="START END",
            help="Change only this time, counted from the region's start; repeatable.",
        ),
        click.option(
            "--mask",
            metavar="JSON|FILE",
            help="A mask of rectangles, polygons and brushes, as JSON text or a file of it.",
        ),
        click.option(
            "--end", type=Seconds(), metavar="TIME", help="Where the region ends [default: the end]."
        ),
        click.option(
            "--start",
            type=Seconds(),
            metavar="TIME",
            help="Where the region starts, in seconds or m:ss [default: 0].",
        ),
        click.argument("file", type=click.Path(path_type=str)),
    ):
        command = option(command)
    return command


def _take_options(command: Command) -> Command:
    for option in (
        click.option(
            "--takes",
            type=click.IntRange(1, MAX_TAKES),
            default=1,
            show_default=True,
            help="How many versions to make.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, SEEDS - 1),
            default=lambda: secrets.randbelow(2**31),
            show_default="drawn",
            help="The same seed gives the same audio.",
        ),
        click.option(
            "--vary-seed",
            type=click.IntRange(0, SEEDS - 1),
            default=lambda: secrets.randbelow(2**31),
            show_default="drawn",
            help="Which variation --vary makes; further takes count on from it.",
        ),
        click.option(
            "--vary",
            type=Number(min=0, max=1),
            default=0.0,
            metavar="AMOUNT",
            help="Make variations of the take of --seed: 0 is that take itself, 1 has nothing of it.",
        ),
    ):
        command = option(command)
    return command


def _condition_options(command: Command) -> Command:
    for option in (
        click.option(
            "--like",
            type=click.Path(path_type=str),
            multiple=True,
            metavar="FILE[@WEIGHT]",
            help="It should also sound like this file; repeatable.",
        ),
        click.option(
            "--also",
            multiple=True,
            metavar="TEXT[@WEIGHT]",
            help="It should also sound like this; repeatable. The prompt has weight 1; a weight may change "
            "with time, as @0:0,2.5:1 (seconds:weight).",
        ),
        click.option(
            "--glide-to",
            default="",
            metavar="TEXT",
            help="What the sound becomes: its first quarter is the prompt's, its last one this.",
        ),
        click.option("--negative", default="", help="What it should not sound like."),
        click.option("--prompt", "-p", default="", help="What it should sound like."),
    ):
        command = option(command)
    return command


def _common_options(command: Command) -> Command:
    samplers = click.Choice([name.value for name in SamplerName])
    for option in (
        click.option(
            "--out",
            type=click.Path(path_type=Path, file_okay=True),
            default=Path("out"),
            show_default=True,
            help="The folder for the takes.",
        ),
        click.option(
            "--render-preset",
            default="",
            metavar="NAME|FILE",
            help="How takes come back: effects, loudness, fades, format, names.",
        ),
        click.option(
            "--chain",
            default="",
            metavar="NAME|FILE",
            help="Effects that takes go through on their way back; see daw-bridge chain list.",
        ),
        click.option("--model", default="starter", show_default=True, help="See: daw-bridge models list."),
        click.option("--eta", type=Number(), help="Randomness of the ddim sampler, 0 to 1."),
        click.option(
            "--sampler",
            type=samplers,
            default=_DEFAULTS.name.value,
            show_default=True,
            help="The way from noise to sound.",
        ),
        click.option(
            "--guidance",
            type=Number(),
            default=_DEFAULTS.guidance,
            show_default=True,
            help="How strictly the prompt is followed; 1 is not at all beyond the model.",
        ),
        click.option(
            "--steps",
            type=int,
            default=_DEFAULTS.steps,
            show_default=True,
            help="Sampling steps: more are slower and finer.",
        ),
        _condition_options,
    ):
        command = option(command)
    return command


@commands.command()
@_edit_options
@_common_options
@_take_options
@transfer_options
def transfer(**options: Any) -> None:
    """Turn FILE, or a region of it, into what the prompt says.

    Example: daw-bridge transfer loop.wav --start 0:02 --end 0:04 --prompt "church bells" --strength 0.6
    """
    _render(Task.TRANSFER, options)


@commands.command()
@_edit_options
@_common_options
@_take_options
def inpaint(**options: Any) -> None:
    """Make a masked part of FILE anew; the rest stays as it is.

    Example: daw-bridge inpaint song.flac --end 5 --mask-time 1 2 --mask-band 300 4000 --prompt "a flute"
    """
    _render(Task.INPAINT, options)


@commands.command()
@_common_options
@_take_options
@click.option(
    "--seconds",
    type=Number(),
    default=2.5,
    show_default=True,
    help=f"How long, {MIN_DURATION_S} to {MAX_DURATION_S}.",
)
def generate(**options: Any) -> None:
    """Make a new sound from the prompt.

    Example: daw-bridge generate --prompt "rain on a roof" --seconds 5 --takes 3
    """
    _render(Task.GENERATE, options | {"match_level": True})


@commands.command()
@_edit_options
@_common_options
@_take_options
@click.option(
    "--cutoff",
    type=Number(min=0),
    metavar="HZ",
    help="Where the missing highs begin [default: where the file's own highs end].",
)
def superres(**options: Any) -> None:
    """Add the highs that FILE lacks, above a cutoff; what lies below stays."""
    _render(Task.SUPERRES, options)


@commands.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out"),
    show_default=True,
    help="The folder for the takes.",
)
@click.option("--model", default="starter", show_default=True, help="See: daw-bridge models list.")
def demo(out: Path, model: str) -> None:
    """Hear it: one transfer, one inpainting and one generation on an example clip."""
    with Client() as client:
        run_demo(client, out, model)


_SOUND = (chain, recall, watch, edit, audacity)
_KEPT = (history, models, render_presets, evaluate)
_MACHINE = (panel, serve, service, install_scripts, doctor, errand, live)
for command in (*_SOUND, *_KEPT, *_MACHINE):
    commands.add_command(command)


def _delivery(preset: str, chain: str) -> Delivery | None:
    """Return how takes come back, None where nothing is asked for."""
    if not preset and not chain:
        return None
    folders, here = Folders.of_user(), Path.cwd()
    deliveries = Deliveries(folders.render_presets, ChainStore(folders.chains))
    delivery = deliveries.named(preset, here) if preset else Delivery()
    return replace(delivery, chain=deliveries.chain_named(chain, here)) if chain else delivery


def _render(task: Task, options: dict[str, Any]) -> None:
    with Client() as client:
        delivery = _delivery(options["render_preset"], options["chain"])
        spec = build_spec(task, options, client.duration_s, delivery)
        with JobDisplay(task.value) as display:
            takes = client.render(spec, options["out"], stem_of(spec), display.show)
    show_takes(takes)
    if len(takes) < spec.takes:
        say(f"{spec.takes - len(takes)} takes were left out: they were silent or no sound.")


if __name__ == "__main__":
    sys.exit(main())
