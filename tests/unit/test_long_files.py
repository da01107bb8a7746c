"""A short region of a very long file: what is not asked for is never in memory."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from wavinfo import WavInfoReader

from engine.audio.riff import chunk_bytes

RATE_HZ = 96_000
TWO_HOURS_S = 7_200
START_S, LENGTH_S = 5_000.0, 5.0
MOST_BYTES = 2**30

RENDER = r"""
import json, re, resource, sys
from pathlib import Path
from engine.jobs import Jobs
def peak_bytes():
    # Linux counts what a process was before it became this program as well: here all of pytest.
    if sys.platform == "linux":
        return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
done = Jobs().render(json.loads(sys.argv[1]), json.loads(sys.argv[2]), lambda *_: None, lambda: False)
print(json.dumps({"path": done["takes"][0]["path"], "peak_bytes": peak_bytes()}))
"""


def sparse_rf64(path: Path) -> np.ndarray:
    """Write two hours of 32-bit stereo, 5.5 GB of holes but for the region; return the region."""
    frames, frame_bytes = TWO_HOURS_S * RATE_HZ, 8
    audio_bytes = frames * frame_bytes
    region = np.random.default_rng(0).normal(0, 0.1, (round(LENGTH_S * RATE_HZ), 2)).astype("<f4")
    with path.open("wb") as file:
        sizes = struct.pack("<QQQI", audio_bytes + 72, audio_bytes, frames, 0)
        format_ = struct.pack("<HHIIHH", 3, 2, RATE_HZ, RATE_HZ * frame_bytes, frame_bytes, 32)
        file.write(b"RF64" + b"\xff" * 4 + b"WAVE" + chunk_bytes(b"ds64", sizes, "little"))
        file.write(chunk_bytes(b"fmt ", format_, "little") + b"data" + b"\xff" * 4)
        start = file.tell()
        file.seek(start + round(START_S * RATE_HZ) * frame_bytes)
        file.write(region.tobytes())
        file.truncate(start + audio_bytes)
    return region


def test_five_seconds_of_two_hours_take_less_than_a_gibibyte(tmp_path: Path) -> None:
    region = sparse_rf64(tmp_path / "concert.wav")
    assert (tmp_path / "concert.wav").stat().st_size > 2**32
    span = {"start_s": START_S, "end_s": START_S + LENGTH_S}
    shape = {"shape": "rect", "span": {"start_s": 2.0, "end_s": 3.0}}
    spec = {"task": "inpaint", "prompt": "rain", "model": "debug", "sampler": {"steps": 1}}
    spec |= {"region": {"path": str(tmp_path / "concert.wav"), "span": span}, "mask": {"shapes": [shape]}}
    out = {"folder": str(tmp_path / "out"), "stem": "take"}
    done = subprocess.run(
        [sys.executable, "-c", RENDER, json.dumps(spec), json.dumps(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["peak_bytes"] < MOST_BYTES
    samples, rate_hz = soundfile.read(told["path"], dtype="float32")
    assert (rate_hz, soundfile.info(told["path"]).subtype) == (RATE_HZ, "FLOAT")
    assert np.array_equal(samples[: 2 * RATE_HZ - 1000], region[: 2 * RATE_HZ - 1000])
    assert WavInfoReader(told["path"]).bext.time_reference == START_S * RATE_HZ
