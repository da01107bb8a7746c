"""Make training clips of recorded sounds: python -m engine.training prepare SOURCE --into FOLDER."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.training.data.cutting import RATES_HZ, Cut, CutConfig
from engine.training.data.manifest import Manifest, hold_out
from engine.training.data.prepared import HELD_OUT
from engine.training.data.preparing import PrepareConfig, prepare_clips, summary
from engine.training.data.sources import Kind, SourceConfig, read_source

_DEFAULT = CutConfig()


@click.command()
@click.argument("source", type=Path)
@click.option(
    "--into", type=Path, required=True, help="Folder of the clips; a call that was stopped goes on."
)
@click.option(
    "--kind", type=click.Choice([kind.value for kind in Kind]), help="Layout of SOURCE [default: found out]."
)
@click.option("--audio", type=Path, help="Folder of the sounds [default: where SOURCE lies].")
@click.option("--classes", type=Path, help="AudioSet's class_labels_indices.csv [default: beside SOURCE].")
@click.option("--split", default="train", show_default=True, help="Which split of a dataset_root.json.")
@click.option("--held-out", default=0.0, show_default=True, help="Share of the files kept from training.")
@click.option("--cut", type=click.Choice([cut.value for cut in Cut]), default="pieces", show_default=True)
@click.option(
    "--crops", default=1, show_default=True, help="How many windows a file gives, with --cut crops."
)
@click.option(
    "--first", "first_s", default=_DEFAULT.first_s, show_default=True, help="Seconds used of a file."
)
@click.option("--piece", "piece_s", default=_DEFAULT.piece_s, show_default=True, help="Seconds of a clip.")
@click.option(
    "--padded", "padded_s", default=_DEFAULT.padded_s, show_default=True, help="Its length, padded."
)
@click.option(
    "--shortest", "shortest_s", default=_DEFAULT.shortest_s, show_default=True, help="Of a last piece."
)
@click.option(
    "--rate", type=click.Choice([str(rate) for rate in RATES_HZ]), default="16000", show_default=True
)
@click.option(
    "--level/--as-is", default=True, help="Bring each clip to a peak of one half [default], or not."
)
@click.option("--seed", default=0, show_default=True, help="Of the windows that are cut at random.")
@click.option("--processes", default=2, show_default=True)
def prepare(
    *,
    source: Path,
    into: Path,
    kind: str | None,
    audio: Path | None,
    classes: Path | None,
    split: str,
    held_out: float,
    processes: int,
    cut: str,
    rate: str,
    **cutting: Any,
) -> None:
    """Cut recorded sounds into clips that every recipe can train on.

    SOURCE is a folder of sounds, a list of AudioSet, AudioCaps, Freesound or BBC Sound Effects, a JSON
    listing of AudioLDM's training repository, or a manifest. A project trains on them when its section
    [data] names the folder.
    """
    config = SourceConfig(kind=Kind(kind) if kind else None, audio=audio, classes=classes, split=split)
    settings = PrepareConfig(cut=CutConfig(cut=Cut(cut), sample_rate_hz=int(rate), **cutting))
    manifest = read_source(source, config)
    parts = {into: manifest}
    if held_out:
        parts[into], parts[into / HELD_OUT] = hold_out(manifest, held_out)
    for folder, part in parts.items():
        _prepare(part, folder, settings, processes)


def _prepare(manifest: Manifest, folder: Path, settings: PrepareConfig, processes: int) -> None:
    click.echo(summary(prepare_clips(manifest, folder, settings, processes)))
