"""A project at 48 kHz: its networks train on its own mel, and their model renders at that rate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from scipy.signal import periodogram

from engine.audio.io import AudioClip
from engine.audio.mel_scale import MelConfig
from engine.errors import SpecError
from engine.evaluation.objective.backbones import BackboneName, load_backbones
from engine.models.bundle import Bundle, load_bundle
from engine.render import render
from engine.training.__main__ import held_out_config, main
from engine.training.config import ProjectConfig, load_project
from engine.training.loop import CHECKPOINT
from engine.training.project import Project
from engine.training.store import StoreConfig, render_store
from engine.types import Mask, RectShape, Region, RenderSpec, SamplerSpec, Task, TimeSpan
from tests.unit import training_setups as setups
from tests.unit.recordings import write_text

RATE_HZ = 48_000
MEL = MelConfig(sample_rate_hz=RATE_HZ, n_fft=2048, hop_samples=480, mel_bins=32, low_hz=20, high_hz=24_000)
OPTIMISER = "optimiser.learning_rate = 1e-3\noptimiser.steps = 2\n"
PROJECT = f"""
[mel]
sample_rate_hz = 48_000
n_fft = 2048
hop_samples = 480
mel_bins = 32
low_hz = 20.0
high_hz = 24_000.0

[store]
sample_rate_hz = 48_000
duration_s = 0.64
singles = 8
mixtures = 0
concepts = ["white noise", "laser zap", "kick drum", "rain"]

[vae]
batch = 2
crop_frames = 32
network = {{base_channels = 8, channel_mult = [1, 2], res_blocks = 1, latent_channels = 4}}
{OPTIMISER}
[vocoder]
batch = 2
segment_frames = 16
extra_resolutions = [256]
network = {{mel_bins = 32, width = 16, blocks = 1, n_fft = 1920, hop_samples = 480}}
{OPTIMISER}
[clap]
batch = 4
{OPTIMISER}
[clap.network]
text_hidden = 8
text_layers = 1
text_heads = 2
text_ffn = 16
vocabulary = 300
max_positions = 66
patch_embeds_hidden = 4
patch_size = 16
depths = [1, 1]
heads = [1, 2]
projection = 16

[ldm]
batch = 4
{OPTIMISER}
{setups.TINY_UNET_TOML}
[classifier]
width = 4
batch = 4
{OPTIMISER}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, one_thread_throughout: None) -> Path:
    """Return a folder in which every recipe of the project has trained two steps, with the model of them."""
    folder = tmp_path_factory.mktemp("48k")
    config = load_project(write_text(folder / "project.toml", PROJECT))
    render_store(folder / "run" / "clips", config.store, processes=1)
    held_out = replace(held_out_config(config), singles=4)
    render_store(folder / "run" / "held_out", held_out, processes=1)
    common = ["--project", str(folder / "project.toml"), "--folder", str(folder / "run"), "--threads", "1"]
    fits = [("fit", name) for name in ("vae", "vocoder", "clap")]
    rest = [("latents",), ("fit", "ldm"), ("fit", "classifier")]
    export = ("export", "--name", "wide", "--per-concept", "1", "--into", str(folder / "wide"))
    card = ("card", str(folder / "wide"), "--page", str(folder / "docs" / "results" / "wide.md"))
    for command in (*fits, *rest, export, card):
        result = CliRunner().invoke(main, [*common, *command], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def wide(run: Path) -> Bundle:
    return load_bundle(run / "wide")


def test_the_card_tells_of_the_rate(wide: Bundle, run: Path) -> None:
    card = wide.card
    assert (card.sample_rate_hz, card.canvas_s, card.configs.mel) == (RATE_HZ, 0.64, MEL)
    assert card.metrics["reconstruction"]
    # 64 frames of 480 samples, and 32 bins, by a VAE that halves both.
    assert np.load(run / "run" / "latents" / "mean.npy").shape == (8, 4, 32, 16)
    state = torch.load(run / "run" / "vae" / CHECKPOINT, weights_only=True)
    assert state["step"] == 2


def test_clap_hears_at_its_own_rate(run: Path) -> None:
    """The features of a clip at 48 kHz are those of LAION's front end, whatever the project's mel."""
    clips = Project(load_project(run / "project.toml"), run / "run").clips
    (features,) = clips.folder.glob("clap_features_*.npy")
    assert np.load(features).shape[1:] == (1001, 64)


REGION = Region(path="unread")
SPECS = {
    "generate": RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=0.6, model="wide"),
    "transfer": RenderSpec(task=Task.TRANSFER, prompt="rain", region=REGION, model="wide"),
    "inpaint": RenderSpec(
        task=Task.INPAINT,
        prompt="rain",
        region=REGION,
        mask=Mask(shapes=(RectShape(span=TimeSpan(start_s=0.2, end_s=0.5)),)),
        model="wide",
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_the_model_renders_the_whole_band(name: str, wide: Bundle) -> None:
    noise_NS = np.random.default_rng(0).normal(0, 0.05, (2, int(0.8 * RATE_HZ))).astype(np.float32)
    song = AudioClip(audio_NS=noise_NS, sample_rate_hz=RATE_HZ, subtype="FLOAT")
    spec = replace(SPECS[name], sampler=SamplerSpec(steps=2), seed=1)
    (take,) = render(spec, wide, song if spec.region else None, lambda _: None, lambda: False)
    made = take.clip
    assert made.sample_rate_hz == RATE_HZ
    assert made.duration_s == pytest.approx(0.6 if name == "generate" else 0.8, abs=1e-3)
    inside_S = made.audio_NS[0, int(0.25 * RATE_HZ) : int(0.45 * RATE_HZ)]
    freqs_hz, power_F = periodogram(inside_S, RATE_HZ, window="blackmanharris")
    # A model at 16 kHz leaves what is above 8 kHz to the source, or makes nothing there.
    assert power_F[(freqs_hz > 10_000) & (freqs_hz < 20_000)].mean() > 1e-4 * power_F.mean()
    if name != "generate":
        assert not np.allclose(
            inside_S, song.audio_NS[0, int(0.25 * RATE_HZ) : int(0.45 * RATE_HZ)], atol=1e-3
        )
    if name == "inpaint":
        assert np.array_equal(made.audio_NS[:, : int(0.2 * RATE_HZ)], noise_NS[:, : int(0.2 * RATE_HZ)])


def test_its_classifier_is_not_taken_for_one_at_16_khz(run: Path) -> None:
    with pytest.raises(SpecError, match="sounds at 48000 Hz, and sets are measured at 16000 Hz"):
        load_backbones([BackboneName.CLASSIFIER], {BackboneName.CLASSIFIER: run / "run"}, "starter")


@pytest.mark.parametrize(
    ("text", "recipe", "said"),
    [
        ("[mel]\nmel_bins = 66\n", "vae_recipe", "mel.mel_bins 66 must be a multiple of the VAE's ratio 4"),
        ("[mel]\nhop_samples = 200\n", "vocoder_recipe", "bins and a hop of 200"),
        ("[mel]\nsample_rate_hz = 48_000\n", "vae_recipe", "clips of 16000 Hz, and the project's mel"),
    ],
)
def test_what_does_not_fit_the_mel_is_refused(text: str, recipe: str, said: str, tmp_path: Path) -> None:
    render_store(tmp_path / "clips", StoreConfig(singles=1, mixtures=0, duration_s=1.28), processes=1)
    project = Project(load_project(write_text(tmp_path / "project.toml", text)), tmp_path)
    with pytest.raises(SpecError, match=said):
        getattr(project, recipe)()


def test_a_mel_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path / "project.toml", "[mel]\nhigh_hz = 9000.0\n")
    with pytest.raises(SpecError, match=r"band 0.0..9000.0 Hz must lie below half the sample rate"):
        load_project(path)
    assert ProjectConfig().mel == MelConfig()


def test_a_page_tells_and_shows_what_came_out(run: Path) -> None:
    text = (run / "docs" / "results" / "wide.md").read_text()
    assert text.startswith("# The model wide\n")
    assert "one of 4 sounds; 4 clips were generated, with dpmpp_2m, 20 steps" in " ".join(text.split())
    for stem in ("best", "worst", "curves"):
        assert f"](../images/results/wide_{stem}.png)" in text
        with Image.open(run / "docs" / "images" / "results" / f"wide_{stem}.png") as image:
            assert image.width > 300 and len(image.convert("L").getcolors(256) or ()) > 8


def test_figures_are_written_down(run: Path) -> None:
    assert json.loads((run / "wide" / "card.json").read_text())["metrics"]["recognition"]["concepts"] == 4
