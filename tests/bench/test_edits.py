"""One clip and one mask, edited by this project and by plain AudioLDM (`tests.bench.plain_audioldm`).

The clip is 1.5 to 4 s of a song of 6 s, 48 kHz, stereo, 24 bit; the mask its second 1 to 2, once in all
bands and once from 300 to 3000 Hz; a transfer changes all of the clip. Both have the same networks, prompt
and guidance, and each its own sampler and steps. Ours is read back from the file a user gets; theirs is
brought to 48 kHz and copied to both channels, which is what a user has to do. Each figure but the first
compares as many samples as the original has. Theirs replaces all of the clip in the song, without a fade, and
has heard the clip alone; ours hears the song around it too.

length error: samples that the clip is too long or too short, at 48 kHz.
level error: difference of the integrated loudness (BS.1770, LU), of the whole clip and of the mask's time.
null outside the time: highest sample of the difference before or after the mask, dB of full scale.
null outside the band: the same within the mask's time, of what of the difference is more than 250 Hz away
    from the band (window of 43 ms, Kaiser 16).
highs: log-spectral distance from 8 kHz up: the root mean square over bins of the levels' difference, mean
    over frames of 43 ms and channels; levels end at -100 dB of a full-scale sine. Of the whole clip and of
    the mask's time, there ("kept") also with the highs kept instead of following the new sound.
correlation error: difference of the correlation between left and right in the mask's time.
seam energy: mean square of the second difference within 2 ms of a seam, over that up to 50 ms around it;
    the worst of all seams (mask and clip, in the song). The note has that of the untouched song.
onset lag: by how much later the level (200 to 7000 Hz, frames of 43 ms, each 0.25 ms) rises, where the rises'
    cross-correlation is highest. A shift it finds to 0.01 ms; what has been through VAE and vocoder at the
    right time it finds up to 2 ms off, so that less says nothing of a whole clip made anew.
time: from samples to samples in memory, once warm, ours and theirs in turn. The machine may do other things
    as well; the note has the ratio in processor time.
-200 dB stands for no difference at all.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import soundfile
import torch

from engine.audio.grid import samples_at
from engine.audio.io import AudioClip, encode, read_clip
from engine.audio.splice import fit_length
from engine.models.bundle import Bundle, load_bundle
from engine.models.store import STARTER, model_folder
from engine.render import render
from engine.types import Highs, Mask, RectShape, Region, RenderSpec, Task, TimeSpan
from tests.bench.conftest import ROOT, BenchConfig
from tests.bench.edit_figures import (
    band_null_depth_db,
    correlation_error,
    level_error_lu,
    null_depth_db,
    onset_lag_ms,
    seam_energy_db,
    spectral_distance_db,
)
from tests.bench.plain_audioldm import Box, Plain, brought_back
from tests.bench.report import Report, Row
from tests.bench.timing import Pair, in_turn

SONG = ROOT / "presets" / "examples" / "groove.flac"
CLIP_S = TimeSpan(start_s=1.5, end_s=4.0)
MASK_S = TimeSpan(start_s=1.0, end_s=2.0)
BAND_HZ = (300.0, 3000.0)
PROMPT = "vibraphone"
HIGHS_FROM_HZ = 8000.0
# What the contract promises, for 24 bit.
NULL_DB = -120.0
ROUNDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An edit; without a mask it changes all of the clip."""

    name: str
    task: Task
    band_hz: tuple[float, float] | None = None

    @property
    def changed_s(self) -> TimeSpan:
        whole = TimeSpan(start_s=0.0, end_s=CLIP_S.duration_s)
        return whole if self.task is Task.TRANSFER else MASK_S

    @property
    def spec(self) -> RenderSpec:
        return RenderSpec(
            task=self.task,
            prompt=PROMPT,
            region=Region(path=str(SONG), span=CLIP_S),
            mask=None if self.task is Task.TRANSFER else Mask(shapes=(self._shape(),)),
        )

    def _shape(self) -> RectShape:
        if self.band_hz is None:
            return RectShape(span=MASK_S)
        return RectShape(span=MASK_S, low_hz=self.band_hz[0], high_hz=self.band_hz[1])


CASES = (
    Case(name="inpaint", task=Task.INPAINT),
    Case(name="inpaint a band", task=Task.INPAINT, band_hz=BAND_HZ),
    Case(name="transfer", task=Task.TRANSFER),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edited:
    """A result beside its original."""

    clip: AudioClip
    song_NS: np.ndarray
    case: Case
    result_NS: np.ndarray

    @property
    def rate_hz(self) -> int:
        return self.clip.sample_rate_hz

    @property
    def before_NS(self) -> np.ndarray:
        return self.clip.audio_NS

    @property
    def after_NS(self) -> np.ndarray:
        return fit_length(self.result_NS, self.clip.length_samples)

    @property
    def inside_S(self) -> np.ndarray:
        inside_S = np.zeros(self.clip.length_samples, dtype=bool)
        span = self.case.changed_s
        inside_S[samples_at(span.start_s, self.rate_hz) : samples_at(span.end_s, self.rate_hz)] = True
        return inside_S

    @property
    def seams(self) -> tuple[int, ...]:
        """Return where old and new may meet, in samples of the song."""
        span = self.case.changed_s
        times_s = (0.0, span.start_s, span.end_s, CLIP_S.duration_s)
        return tuple(samples_at(CLIP_S.start_s + time_s, self.rate_hz) for time_s in sorted(set(times_s)))

    @property
    def in_song_NS(self) -> np.ndarray:
        song_NS = self.song_NS.copy()
        song_NS[:, self.clip.first_sample :][:, : self.clip.length_samples] = self.after_NS
        return song_NS


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """Work that keeps its last result."""

    work: Callable[[], np.ndarray]
    result_NS: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def __call__(self) -> None:
        self.result_NS = self.work()


Figure = Callable[[Edited], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure with its name; only those of amounts above zero have a ratio."""

    name: str
    unit: str
    figure: Figure
    has_ratio: bool = False
    goal: float | None = None

    def row(self, ours: Edited, theirs: Edited) -> Row:
        values = self.figure(ours), self.figure(theirs)
        return Row(
            what=f"{ours.case.name}: {self.name}",
            ours=values[0],
            theirs=values[1],
            unit=self.unit,
            ratio=values[0] / values[1] if self.has_ratio and values[1] else None,
            goal=self.goal,
        )


def within(figure: Callable[[np.ndarray, np.ndarray, int], float]) -> Figure:
    """Take a figure of the mask's time alone."""
    return lambda of: figure(of.before_NS[:, of.inside_S], of.after_NS[:, of.inside_S], of.rate_hz)


def highs_distance_db(before_NS: np.ndarray, after_NS: np.ndarray, rate_hz: int) -> float:
    return spectral_distance_db(before_NS, after_NS, rate_hz, HIGHS_FROM_HZ)


def length_error(of: Edited) -> float:
    return abs(of.result_NS.shape[1] - of.clip.length_samples)


def null_outside_time(of: Edited) -> float:
    return null_depth_db(of.before_NS, of.after_NS, ~of.inside_S)


def null_outside_band(of: Edited) -> float:
    assert of.case.band_hz is not None
    return band_null_depth_db(of.before_NS, of.after_NS, of.inside_S, of.case.band_hz, of.rate_hz)


ALWAYS = (
    Measure(name="length error", unit="samples", figure=length_error, goal=0.0),
    Measure(
        name="level error, clip",
        unit="LU",
        figure=lambda of: level_error_lu(of.before_NS, of.after_NS, of.rate_hz),
        has_ratio=True,
    ),
    Measure(
        name="highs, clip",
        unit="dB",
        figure=lambda of: highs_distance_db(of.before_NS, of.after_NS, of.rate_hz),
        has_ratio=True,
    ),
    Measure(
        name="correlation error",
        unit="",
        figure=within(lambda before_NS, after_NS, _: correlation_error(before_NS, after_NS)),
        has_ratio=True,
    ),
    Measure(
        name="onset lag",
        unit="ms",
        figure=lambda of: onset_lag_ms(of.before_NS, of.after_NS, of.rate_hz),
    ),
)
IN_MASK = (
    Measure(name="level error, mask", unit="LU", figure=within(level_error_lu), has_ratio=True),
    Measure(name="highs, mask", unit="dB", figure=within(highs_distance_db), has_ratio=True),
)
SEAMS = Measure(
    name="seam energy", unit="dB", figure=lambda of: seam_energy_db(of.in_song_NS, of.seams, of.rate_hz)
)
OUTSIDE_TIME = Measure(name="null outside the time", unit="dBFS", figure=null_outside_time)
OUTSIDE_BAND = Measure(name="null outside the band", unit="dBFS", figure=null_outside_band)


@pytest.fixture(scope="module")
def starter(config: BenchConfig) -> Iterator[Bundle]:
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    yield load_bundle(model_folder(STARTER))
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_edit(case: Case, starter: Bundle, report: Report) -> None:
    clip = read_clip(SONG, CLIP_S)
    our_run, their_run = Run(work=our_work(case.spec, starter)), Run(work=their_work(case, starter))
    pair = in_turn(our_run, their_run, ROUNDS)
    ours, theirs = edited(case, clip, our_run.result_NS), edited(case, clip, their_run.result_NS)
    for measure in (*ALWAYS, *measures_of_mask(case)):
        report.add(measure.row(ours, theirs))
    report.add(highs_kept(case, clip, starter))
    report.add(seams_row(ours, theirs))
    report.add(time_row(case, pair))
    assert all(measure.figure(ours) <= NULL_DB for measure in nulls_of(case))


def nulls_of(case: Case) -> tuple[Measure, ...]:
    if case.task is Task.TRANSFER:
        return ()
    return (OUTSIDE_TIME,) if case.band_hz is None else (OUTSIDE_TIME, OUTSIDE_BAND)


def measures_of_mask(case: Case) -> tuple[Measure, ...]:
    """Return what differs from the figures of the clip where there is a mask."""
    return () if case.task is Task.TRANSFER else (*IN_MASK, *nulls_of(case))


def seams_row(ours: Edited, theirs: Edited) -> Row:
    untouched_db = seam_energy_db(ours.song_NS, ours.seams, ours.rate_hz)
    return replace(SEAMS.row(ours, theirs), note=f"the song's own {untouched_db:.3g}")


def highs_kept(case: Case, clip: AudioClip, bundle: Bundle) -> Row:
    kept = edited(case, clip, our_work(replace(case.spec, highs=Highs.KEEP), bundle)())
    value = within(highs_distance_db)(kept)
    return Row(what=f"{case.name}: highs, kept", ours=value, unit="dB", note="with highs = keep")


def time_row(case: Case, pair: Pair) -> Row:
    return Row(
        what=f"{case.name}: time",
        ours=pair.ours_s,
        theirs=pair.theirs_s,
        unit="s",
        ratio=pair.ratio,
        note=f"in processor time {pair.cpu_ratio:.3g}",
    )


def edited(case: Case, clip: AudioClip, result_NS: np.ndarray) -> Edited:
    return Edited(clip=clip, song_NS=read_clip(SONG).audio_NS, case=case, result_NS=result_NS)


def our_work(spec: RenderSpec, bundle: Bundle) -> Callable[[], np.ndarray]:
    clip = read_clip(SONG, CLIP_S, context_s=bundle.card.canvas_s)

    def work() -> np.ndarray:
        (take,) = render(spec, bundle, clip, lambda _: None, lambda: False)
        return delivered(take.clip)

    return work


def their_work(case: Case, bundle: Bundle) -> Callable[[], np.ndarray]:
    clip = read_clip(SONG, CLIP_S)
    plain = Plain(bundle=bundle, prompt=PROMPT)

    def work() -> np.ndarray:
        made_S = plainly(plain, case, clip)
        return brought_back(made_S, plain.rate_hz, clip.sample_rate_hz, clip.channels)

    return work


def plainly(plain: Plain, case: Case, clip: AudioClip) -> np.ndarray:
    if case.task is Task.TRANSFER:
        return plain.transfer(clip.audio_NS, clip.sample_rate_hz, case.spec.sampler.strength)
    duration_s = plain.duration_s(clip.duration_s)
    box = Box.of(MASK_S, duration_s, case.band_hz, plain.bundle.mel.config.high_hz)
    return plain.inpaint(clip.audio_NS, clip.sample_rate_hz, box)


def delivered(clip: AudioClip) -> np.ndarray:
    """Return what is in the file that a user gets."""
    audio_SN, _ = soundfile.read(io.BytesIO(encode(clip)), dtype="float64", always_2d=True)
    return np.asarray(audio_SN.T)
