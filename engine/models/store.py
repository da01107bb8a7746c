"""Installed models: one folder each, below a folder of the user, beside the embedded starter."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import platformdirs
import torch

from engine.errors import EngineError, ModelCorrupt, ModelMissing, SpecError
from engine.models.bundle import load_bundle, require_files, save_bundle
from engine.models.card import CARD_FILE, ModelCard, read_card, require_plain_name
from engine.models.checkpoint import load_any
from engine.models.companions import Companions, plain_name
from engine.models.files import require_room, restore, sha256_of, writing
from engine.models.hub import IsCancelled, download
from engine.models.known import KNOWN_MODELS, SAMPLE_RATE_HZ, KnownModel, known_by_size
from engine.models.original import WeightsKind
from engine.models.pickle_file import require_intact

ENVIRONMENT_VARIABLE = "DAW_BRIDGE_MODELS"
HOME_VARIABLE = "DAW_BRIDGE_HOME"
STARTER = "starter"
STARTER_FOLDER = Path(__file__).parents[1] / STARTER
DOWNLOADS = ".downloads"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One line of `models list`: an installed model, or a known one that could be pulled.

    grid is on which cells it sees sound: rate, hop and band of its mel spectrogram, and how many frames and
    bins a latent cell has. problem says why an installed model cannot be used. present_bytes is what a broken
    download has left, with which the next one goes on. can_pull tells whether there is anywhere to download
    it from.
    """

    name: str
    installed: bool
    licence: str
    folder: str = ""
    size_bytes: int = 0
    present_bytes: int = 0
    sample_rate_hz: int = 0
    can_pull: bool = False
    tasks: tuple[str, ...] = ()
    hears: bool = False
    grid: dict[str, float] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How to import; without a name the file's own is taken."""

    name: str | None = None
    weights: WeightsKind = "ema"
    diffusers_compatible: bool = False
    full_precision: bool = False
    companions: Companions = field(default_factory=Companions)


def models_folder() -> Path:
    """Return where models are: DAW_BRIDGE_MODELS, or `models` below DAW_BRIDGE_HOME or the user's data."""
    if chosen := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(chosen)
    # The variable is the service's, for all its folders; the engine shares nothing else with it.
    home = os.environ.get(HOME_VARIABLE)
    root = Path(home).absolute() if home else platformdirs.user_data_path("daw-bridge")
    return root / "models"


def model_folder(name: str) -> Path:
    """Return the folder of an installed model; ModelMissing says how to get it."""
    folder = _folder_of(name)
    if (folder / CARD_FILE).is_file():
        return folder
    if name in KNOWN_MODELS:
        raise ModelMissing(f"The model {name} is not installed.", f"Run: daw-bridge models pull {name}")
    installed = ", ".join(entry.name for entry in list_models() if entry.installed)
    raise ModelMissing(
        f"There is no model {name}; installed: {installed or 'none'}.", "See: daw-bridge models list"
    )


def list_models() -> list[ModelEntry]:
    """Return the starter, then the other installed models, then the known ones that are not."""
    root = models_folder()
    names = sorted(path.name for path in root.iterdir() if _is_model(path)) if root.is_dir() else []
    installed = [_entry(name) for name in (STARTER, *names)]
    rest = (model for model in KNOWN_MODELS.values() if model.name not in names)
    return installed + [_known_entry(model) for model in rest]


def verify_model(name: str) -> ModelEntry:
    """Compare every file with its checksum and build the networks; raises ModelCorrupt or ModelMissing."""
    load_bundle(model_folder(name), verify=True)
    return _entry(name)


def checksums_of(name: str) -> dict[str, str]:
    """Return the SHA-256 of each file of an installed model, as its card has it."""
    return dict(read_card(model_folder(name)).files)


def remove_model(name: str) -> ModelEntry:
    """Delete an installed model, and what a broken download of it left."""
    if name == STARTER:
        raise SpecError("The starter model is part of the program and stays.")
    folder = _folder_of(name)
    shutil.rmtree(models_folder() / DOWNLOADS / name, ignore_errors=True)
    if not folder.exists():
        raise ModelMissing(f"The model {name} is not installed.", "See: daw-bridge models list")
    entry = _entry(name)
    with writing(folder):
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
    return entry


def import_model(path: Path, options: ImportOptions | None = None) -> ModelEntry:
    """Install a checkpoint, diffusers folder or bundle as a bundle of its own; the source is only read.

    Raises ModelMissing, ModelCorrupt, DiskFull, or SpecError for a name that cannot be.
    """
    options = options or ImportOptions()
    if not path.exists():
        raise ModelMissing(f"There is no model at {path}.", "Give a .ckpt file, or a folder with a model.")
    known = _recognised(path) if path.is_file() else None
    name = options.name or (known.name if known else plain_name(path.stem if path.is_file() else path.name))
    return _install(path, name, options, known.licence if known else None)


def pull_model(
    name: str,
    options: ImportOptions | None = None,
    endpoint: str | None = None,
    cancelled: IsCancelled = lambda: False,
) -> ModelEntry:
    """Download a known model and install it; a broken download goes on where it stopped.

    endpoint is a mirror of the hub. Raises ModelMissing that says which files to put where when the
    hub cannot be reached, ModelCorrupt for a file with a wrong checksum, DiskFull before starting, Cancelled.
    """
    if name not in KNOWN_MODELS:
        raise ModelMissing(f"{name} is not a known model.", f"Known: {', '.join(KNOWN_MODELS)}.")
    downloads = models_folder() / DOWNLOADS / name
    download(KNOWN_MODELS[name], downloads, endpoint, cancelled)
    entry = _install(downloads, name, options or ImportOptions(), KNOWN_MODELS[name].licence)
    shutil.rmtree(downloads, ignore_errors=True)
    return entry


def _install(path: Path, name: str, options: ImportOptions, licence: str | None) -> ModelEntry:
    folder = _new_folder(name)
    require_room(folder.parent, _size_of(path))
    bundle = load_any(
        path,
        weights=options.weights,
        diffusers_compatible=options.diffusers_compatible,
        companions=_with_installed_tokenizer(options.companions),
    )
    card = replace(bundle.card, name=name, licence=licence or bundle.card.licence)
    dtype = torch.float32 if options.full_precision else torch.float16
    save_bundle(folder, bundle, card, dtype)
    return _entry(name)


def _recognised(path: Path) -> KnownModel | None:
    """Return the known model that the file is; raise ModelCorrupt for a damaged one."""
    known = known_by_size(path.stat().st_size)
    if known is None or known.original.sha256 is None:
        require_intact(path)
        return None
    if sha256_of(path) != known.original.sha256:
        raise ModelCorrupt(
            f"{path} has the size of {known.name} but another checksum: it is damaged.",
            f"Download it again from {known.original.url}",
        )
    return known


def _with_installed_tokenizer(companions: Companions) -> Companions:
    """Offer the tokenizer of an installed model of the same kind, for checkpoints come without."""
    if companions.tokenizer is not None:
        return companions
    for name in KNOWN_MODELS:
        folder = models_folder() / name
        if (folder / CARD_FILE).is_file():
            return replace(companions, installed_tokenizer=folder / read_card(folder).tokenizer)
    return companions


def _folder_of(name: str) -> Path:
    try:
        require_plain_name(name, "the model's name")
    except ValueError as error:
        raise SpecError(f"{error}.") from error
    if name == STARTER:
        return STARTER_FOLDER
    restore(models_folder() / name)
    return models_folder() / name


def _new_folder(name: str) -> Path:
    if name == STARTER:
        raise SpecError("The name starter belongs to the embedded model.", "Give another name.")
    folder = _folder_of(name)
    with writing(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def _known_entry(model: KnownModel) -> ModelEntry:
    downloads = models_folder() / DOWNLOADS / model.name
    return ModelEntry(
        name=model.name,
        installed=False,
        licence=model.licence,
        size_bytes=model.download_bytes,
        present_bytes=_size_of(downloads),
        sample_rate_hz=SAMPLE_RATE_HZ,
        can_pull=model.repo is not None,
    )


def _is_model(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _entry(name: str) -> ModelEntry:
    folder = STARTER_FOLDER if name == STARTER else models_folder() / name
    found = ModelEntry(name=name, installed=True, licence="", folder=str(folder), size_bytes=_size_of(folder))
    try:
        card = read_card(folder)
        require_files(folder, card, verify=False)
    except EngineError as error:
        return replace(found, problem=error.message)
    tasks = tuple(task.value for task in card.tasks)
    return replace(
        found,
        licence=card.licence,
        tasks=tasks,
        hears=card.clap_hears,
        sample_rate_hz=card.sample_rate_hz,
        grid=_grid_of(card),
    )


def _grid_of(card: ModelCard) -> dict[str, float]:
    mel = card.configs.mel
    return {
        "sample_rate_hz": mel.sample_rate_hz,
        "hop_samples": mel.hop_samples,
        "mel_bins": mel.mel_bins,
        "low_hz": mel.low_hz,
        "high_hz": mel.high_hz,
        "ratio": card.configs.vae.ratio,
    }


def _size_of(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
