"""One edit in a process of its own: `python -m tests.bench.edit_child FILE SECONDS [START END]`.

It transfers the file's first seconds, or of them what lies between start and end, and prints as JSON how
long that took and how much memory, at its peak, beyond that of the loaded model. Reading the region counts
for the memory, loading the model for nothing.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.audio.io import read_clip
from engine.models.bundle import Bundle, load_bundle
from engine.models.store import STARTER, model_folder
from engine.render import render
from engine.types import Mask, RectShape, Region, RenderSpec, SamplerSpec, Task, TimeSpan

STEPS = 4
WARMING_S = 1.0
# Short ones are repeated, since others may use the machine as well; the shortest time counts.
ROUNDS, ENOUGH_S = 5, 30.0
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds on the clock and of the processor, and bytes beyond the model's."""

    time_s: float
    processor_s: float
    peak_bytes: int


def transfer(path: str, region_s: float, masked_s: TimeSpan | None) -> RenderSpec:
    """Return a transfer that takes all of its steps: from pure noise."""
    return RenderSpec(
        task=Task.TRANSFER,
        prompt="vibraphone",
        region=Region(path=path, span=TimeSpan(start_s=0.0, end_s=region_s)),
        mask=None if masked_s is None else Mask(shapes=(RectShape(span=masked_s),)),
        sampler=SamplerSpec(steps=STEPS, strength=1.0),
    )


def rendered(spec: RenderSpec, bundle: Bundle) -> tuple[float, float]:
    """Render as a job does, and return the seconds on the clock and of the processor, reading included."""
    assert spec.region is not None
    begun_s, begun_processor_s = time.perf_counter(), time.process_time()
    clip = read_clip(spec.region.path, spec.region.span, context_s=bundle.card.canvas_s)
    render(spec, bundle, clip, lambda _: None, lambda: False)
    return time.perf_counter() - begun_s, time.process_time() - begun_processor_s


def cost(spec: RenderSpec) -> Cost:
    bundle = load_bundle(model_folder(STARTER))
    before_bytes = _memory_bytes("VmRSS")
    # The first render packs the weights, which are then there for all others, and loads code.
    assert spec.region is not None
    rendered(transfer(spec.region.path, WARMING_S, None), bundle)
    # What follows counts from now on; Linux sets VmHWM back to what is there.
    Path("/proc/self/clear_refs").write_text("5")
    times = [rendered(spec, bundle)]
    peak_bytes = _memory_bytes("VmHWM") - before_bytes
    while len(times) < ROUNDS and sum(time_s for time_s, _ in times) < ENOUGH_S:
        times.append(rendered(spec, bundle))
    time_s, processor_s = min(times)
    return Cost(time_s=time_s, processor_s=processor_s, peak_bytes=peak_bytes)


def _memory_bytes(key: str) -> int:
    lines = _STATUS.read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))


def main(path: str, region_s: str, *masked_s: str) -> None:
    masked = TimeSpan(start_s=float(masked_s[0]), end_s=float(masked_s[1])) if masked_s else None
    found = cost(transfer(path, float(region_s), masked))
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
