"""What edits cost by their length: time, and peak memory above the loaded model (`tests.bench.edit_child`).

Each edit is a transfer of 4 steps with the starter, 48 kHz, stereo, in a process of its own that has
rendered a second before. Nothing here can fail for being slow or large.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tests.bench.conftest import ROOT, BenchConfig
from tests.bench.edit_child import Cost
from tests.bench.report import Report, Row
from tests.bench.test_edits import SONG

MIB = 2**20
MASKED_REGION_S = 10.0
MASK_S = (4.5, 5.5)
# What a region gets as context, and more.
AROUND_S = 12.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux gives it")


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory, config: BenchConfig) -> Path:
    """Write the song again and again until it is longer than all regions."""
    path = tmp_path_factory.mktemp("song") / "long.wav"
    song_SN, rate_hz = soundfile.read(SONG, dtype="int32")
    times = int((max(*config.regions_s, MASKED_REGION_S) + AROUND_S) * rate_hz / len(song_SN)) + 1
    with soundfile.SoundFile(path, "w", rate_hz, song_SN.shape[1], "PCM_24") as file:
        for _ in range(times):
            file.write(song_SN)
    return path


def measured(path: Path, config: BenchConfig, region_s: float, *masked_s: float) -> Cost:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.edit_child", str(path), *map(str, (region_s, *masked_s))],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(config.threads)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def test_regions(long_song: Path, config: BenchConfig, report: Report) -> None:
    for region_s in config.regions_s:
        found = measured(long_song, config, region_s)
        what = f"transfer of {region_s:g} s"
        times_s = found.time_s / region_s, found.processor_s / region_s
        note = f"for a second of audio {times_s[0]:.3g} s, {times_s[1]:.3g} s on a core"
        report.add(Row(what=f"{what}: time", ours=found.time_s, unit="s", note=note))
        report.add(Row(what=f"{what}: memory", ours=found.peak_bytes / MIB, unit="MiB"))
        sys.stdout.write(f"\n{what}: {note}, {found.peak_bytes / MIB:.0f} MiB above the model")


def test_a_mask_of_one_second(long_song: Path, config: BenchConfig, report: Report) -> None:
    full = measured(long_song, config, MASKED_REGION_S)
    masked = measured(long_song, config, MASKED_REGION_S, *MASK_S)
    what = f"1 s mask in {MASKED_REGION_S:g} s"
    processor = f"full edit {full.time_s:.3g} s; ratio on a core {masked.processor_s / full.processor_s:.3g}"
    report.add(beside_full(f"{what}: time", masked.time_s, full.time_s, "s", processor))
    memory = f"full edit {full.peak_bytes / MIB:.3g} MiB"
    report.add(beside_full(f"{what}: memory", masked.peak_bytes / MIB, full.peak_bytes / MIB, "MiB", memory))


def beside_full(what: str, masked: float, full: float, unit: str, note: str) -> Row:
    return Row(what=what, ours=masked, unit=unit, ratio=masked / full, note=note)
