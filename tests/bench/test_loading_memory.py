"""Memory that loading takes, at full size: never more than 1.2 times the weights that are used."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.models.bundle import Bundle, assemble_bundle, build_networks, debug_tokenizer, save_bundle
from engine.models.card import ModelCard, ModelConfigs
from engine.models.unet import UNetConfig
from engine.models.weights import assign_weights, build_empty
from tests.unit.checkpoints import original_state, write_original

GIB = 2**30
# The whole program has 24 GiB to hold the large model and to render with it.
ROOM_TO_LOAD_BYTES = 8 * GIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux gives it")

# The weights are read once, so that pages which are only mapped count as well.
MEASURE = """
import json, sys
from pathlib import Path
import engine.models.store
from engine.models.bundle import debug_bundle
from engine.models.checkpoint import load_any

def kilobytes(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))

debug_bundle()
Path("/proc/self/clear_refs").write_text("5")
before = kilobytes("VmRSS")
bundle = load_any(Path(sys.argv[1]))
networks = (bundle.unet, bundle.vae, bundle.vocoder, bundle.clap.model)
tensors = [t for n in networks for t in n.parameters()]
total = sum(float(t.sum()) for t in tensors)
used = sum(t.nbytes for t in tensors)
print(json.dumps({"peak": 1024 * (kilobytes("VmHWM") - before), "used": used}))
"""


def empty_bundle(configs: ModelConfigs) -> Bundle:
    """Return a bundle of zeros: they take memory only where they are written."""
    card = ModelCard(name="zeros", licence="CC0-1.0", scale_factor=1.0, canvas_s=10.24, configs=configs)
    networks = build_empty(lambda: build_networks(card))
    for name, network in networks.components().items():
        zeros = {
            key: torch.zeros(t.shape) for key, t in network.state_dict().items() if t.is_floating_point()
        }
        assign_weights(network, zeros, name)
    return assemble_bundle(card, networks, debug_tokenizer())


def loading_memory(path: Path) -> tuple[int, int]:
    """Return the peak of loading in bytes, and the bytes of the weights, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    return found["peak"], found["used"]


def write_ckpt(folder: Path, bundle: Bundle) -> Path:
    return write_original(folder, original_state(bundle))


def write_half(folder: Path, bundle: Bundle) -> Path:
    save_bundle(folder / "half", bundle, max_file_bytes=400_000_000)
    return folder / "half"


def write_full(folder: Path, bundle: Bundle) -> Path:
    save_bundle(folder / "full", bundle, dtype=torch.float32)
    return folder / "full"


@pytest.mark.parametrize("write", [write_ckpt, write_half, write_full])
def test_the_small_model_takes_at_most_a_fifth_more_than_its_weights(
    tmp_path: Path, write: Callable[[Path, Bundle], Path]
) -> None:
    peak_bytes, used_bytes = loading_memory(write(tmp_path, empty_bundle(ModelConfigs())))
    sys.stdout.write(
        f"\n{write.__name__}: {peak_bytes / GIB:.2f} GiB for {used_bytes / GIB:.2f} GiB of weights"
    )
    assert used_bytes > 1.6 * GIB
    assert peak_bytes <= 1.2 * used_bytes


def test_the_large_model_leaves_room_to_render(tmp_path: Path) -> None:
    bundle = empty_bundle(replace(ModelConfigs(), unet=UNetConfig.large()))
    peak_bytes, used_bytes = loading_memory(write_ckpt(tmp_path, bundle))
    sys.stdout.write(f"\nlarge: {peak_bytes / GIB:.2f} GiB for {used_bytes / GIB:.2f} GiB of weights")
    assert peak_bytes <= min(1.2 * used_bytes, ROOM_TO_LOAD_BYTES)
