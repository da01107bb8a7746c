"""Export a model to a released layout, for programs that do not read bundles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import EngineError, SpecError
from engine.models.bundle import load_bundle
from engine.models.card import CARD_FILE, ModelCard
from engine.models.clap import ClapConfig
from engine.models.diffusers_folder import INDEX_FILE
from engine.models.export_diffusers import write_diffusers
from engine.models.export_limits import Layout
from engine.models.export_original import write_original
from engine.models.store import model_folder
from engine.models.weights import SUFFIX

WRITERS = {Layout.ORIGINAL: write_original, Layout.DIFFUSERS: write_diffusers}
RELEASED_CLAPS = (ClapConfig.laion_tiny(), ClapConfig.laion_base())


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """left_out says in sentences what readers of the layout go without."""

    path: Path
    size_bytes: int
    left_out: tuple[str, ...]


def export_model(folder: Path, layout: Layout, into: Path, force: bool = False) -> Exported:
    """Write the bundle of a folder as a file or folder of another layout, whole or not at all.

    With force an export of the same layout is replaced.

    Raises SpecError where something is in the way or the layout has no place for a part of the model,
    ModelMissing, ModelCorrupt, DiskFull, OutputError.
    """
    require_free(into, layout, force)
    bundle = load_bundle(folder)
    WRITERS[layout](bundle, into)
    files = [into] if into.is_file() else [file for file in into.rglob("*") if file.is_file()]
    return Exported(
        path=into,
        size_bytes=sum(file.stat().st_size for file in files),
        left_out=tuple(_left_out(bundle.card, layout)),
    )


def bundle_folder(name: str, folder: Path) -> Path:
    """Return the folder of an installed model, else the folder given where it holds a bundle."""
    try:
        return model_folder(name)
    except EngineError:
        if (folder / CARD_FILE).is_file():
            return folder
        raise


def require_free(into: Path, layout: Layout, force: bool) -> None:
    """Raise SpecError where an export may not be written."""
    if layout is Layout.ORIGINAL and into.suffix == SUFFIX:
        raise SpecError(f"The original layout is no {SUFFIX} file.", "End the name in .ckpt.")
    if not into.exists() and not into.is_symlink():
        return
    if not force:
        raise SpecError(f"{into} is there already.", "Choose another name, or give --force.")
    is_export = into.is_file() if layout is Layout.ORIGINAL else (into / INDEX_FILE).is_file()
    if into.is_symlink() or not is_export:
        raise SpecError(f"{into} is no {layout.value} export, and stays as it is.", "Choose another name.")


def _left_out(card: ModelCard, layout: Layout) -> Iterator[str]:
    clap = replace(card.configs.clap, text_dropout=0.1, audio_dropout=0.0)
    if layout is Layout.DIFFUSERS and card.clap_hears:
        yield "CLAP's audio tower is left out: the layout has no place for it, so it ranks no takes."
    elif layout is Layout.ORIGINAL and clap not in RELEASED_CLAPS:
        yield "AudioLDM's own code knows no CLAP of these sizes: it reads the file once it is given them."
