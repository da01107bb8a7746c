"""What `make run` does: three small jobs that show what the tool is for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from daw_bridge.client.jobs import Client
from daw_bridge.display import JobDisplay, say, show_takes, shown_path
from daw_bridge.resources import shipped
from engine.errors import AudioMissing
from engine.types import DEFAULT_EDITOR, Mask, RectShape, Region, RenderSpec, SamplerSpec, Task, TimeSpan

EXAMPLE = Path("examples") / "groove.flac"
_BAR_S = 2.4


def run_demo(client: Client, folder: Path, model: str) -> None:
    """Render the three jobs and tell where the files are and what to try next.

    Raises:
        AudioMissing: the example clip is not installed.
    """
    clip = example_clip()
    for title, stem, spec in demo_jobs(clip, model):
        say(title)
        with JobDisplay(spec.task.value) as display:
            takes = client.render(spec, folder, stem, display.show)
        show_takes(takes)
    _say_what_next(clip, folder)


def demo_jobs(clip: Path, model: str) -> list[tuple[str, str, RenderSpec]]:
    """Return what is said, the files' stem and the spec of each job."""
    bar = Region(path=str(clip), span=TimeSpan(start_s=0.0, end_s=_BAR_S))
    transfer = RenderSpec(
        task=Task.TRANSFER,
        prompt="a harp",
        region=bar,
        sampler=SamplerSpec(strength=0.7),
        editor=DEFAULT_EDITOR,
        seed=1,
        model=model,
    )
    gap = TimeSpan(start_s=_BAR_S / 2, end_s=_BAR_S * 0.75)
    inpaint = replace(
        transfer,
        task=Task.INPAINT,
        prompt="a house drum loop",
        mask=Mask(shapes=(RectShape(span=gap, low_hz=150.0),), feather_s=0.02),
        sampler=SamplerSpec(),
    )
    generate = RenderSpec(
        task=Task.GENERATE,
        prompt="thunder and rain",
        duration_s=2.5,
        seed=1,
        model=model,
    )
    return [
        (f"1. The first bar of {clip.name}, as a harp:", "demo-transfer", transfer),
        ("2. The same bar, its third beat made anew above 150 Hz:", "demo-inpaint", inpaint),
        ("3. Thunder and rain, from nothing:", "demo-generate", generate),
    ]


def example_clip() -> Path:
    """Return the example clip, from the installed package or the repository.

    Raises:
        AudioMissing: there is none.
    """
    clip = shipped(EXAMPLE)
    if clip is None:
        raise AudioMissing(f"the example clip {EXAMPLE} is not installed", "Install the program again.")
    return clip


def _say_what_next(clip: Path, folder: Path) -> None:
    shown = shown_path(str(clip))
    say()
    say(f"Everything is in {shown_path(str(folder))}/: listen to the audio, look at the .png beside it.")
    say("Try next:")
    say(f"  daw-bridge panel {shown}")
    say(f'  daw-bridge transfer {shown} --end 2.4 --prompt "a church bell" --strength 0.8 --takes 3')
    say(f'  daw-bridge inpaint {shown} --end 4.8 --mask-time 2.4 3.6 --prompt "a flute"')
    say('  daw-bridge generate --prompt "birds chirping" --seconds 5')
    say("  daw-bridge models list")
