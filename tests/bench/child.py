"""One render in a process of its own: `python -m tests.bench.child CASE CELLS` prints its peaks as JSON."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import ClassVar

import torch

from engine.models.packed import packed
from engine.models.unet import UNet, UNetConfig
from engine.models.weights import assign_weights, build_empty
from engine.types import SamplerName
from tests.unit.twins import Inputs, our_half, their_half

STEPS = 2
INTERVAL_S = 0.01


class Watch(threading.Thread):
    """Look at this process's resident memory again and again, and keep the most of each kind, in bytes.

    Linux itself keeps a peak of the sum alone (VmHWM); the one of getrusage would be the parent's,
    whose memory this process had until it started its own program.
    """

    KINDS: ClassVar[dict[str, str]] = {"VmHWM": "peak", "RssAnon": "anonymous", "RssFile": "file"}

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = dict.fromkeys(self.KINDS.values(), 0)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(INTERVAL_S):
            self.look()

    def look(self) -> None:
        for line in Path("/proc/self/status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key in self.KINDS:
                kind = self.KINDS[key]
                self.most[kind] = max(self.most[kind], 1024 * int(value.split()[0]))

    def end(self) -> dict[str, int]:
        """Stop, and return the peaks of all memory, of anonymous memory and of files in memory."""
        self._ended.set()
        self.join()
        self.look()
        return self.most


def render_ours(inputs: Inputs) -> None:
    ours = our_half()
    ours.render(inputs, packed(ours.unet), SamplerName.DPMPP_2M, STEPS)


def render_theirs(inputs: Inputs) -> None:
    their_half(our_half()).render(inputs, STEPS)


@torch.inference_mode()
def step_large(inputs: Inputs) -> None:
    """Fill an L-size U-Net from 16-bit weights, as a bundle's file has them, and take a guided step."""
    with torch.inference_mode(mode=False):
        unet = build_empty(lambda: UNet(UNetConfig.large()))
        half = {name: torch.zeros(tensor.shape).half() for name, tensor in unet.state_dict().items()}
        assign_weights(unet, half, "zeros")
    x_BCHW = torch.cat([inputs.latent_BCHW] * 2)
    packed(unet)(x_BCHW, torch.tensor([1.0, 1.0]), torch.cat([inputs.negative_BE, inputs.positive_BE]))


CASES = {"ours": render_ours, "theirs": render_theirs, "large": step_large}


def main(case: str, cells: str) -> None:
    watch = Watch()
    watch.start()
    CASES[case](Inputs.of_length(int(cells)))
    sys.stdout.write(json.dumps(watch.end()) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
