"""The sound of one canvas put into its region, block after block, so that memory does not grow with length.

Legend: N channels, V voices, S samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from engine.audio.grid import samples_at
from engine.audio.io import AudioClip
from engine.audio.level import is_audible
from engine.audio.splice import cut
from engine.edit.canvas import Canvas, in_session
from engine.edit.compose import Fade, Place, Split, fades_of, joined, split
from engine.edit.loudness import (
    CEILING_DBTP,
    LOOKAHEAD_S,
    is_heard,
    limiting_gain,
    lookahead_window,
    matching_gain,
    true_peak_db,
    usual_gain,
)
from engine.edit.voices import Voices, with_balance_of, with_image_of
from engine.types import RenderSpec, Task

_BLOCK_S = 8.0
# Enough of a stretch to know how loud it comes out.
_COMPARED_S = 20.0
_CORRECTIONS = 2
_MOST_CORRECTION = 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placing:
    """A canvas and the region it belongs to; the place is the region's."""

    clip: AudioClip
    voices: Voices
    canvas: Canvas
    model_hz: int
    place: Place

    def placed(self, spec: RenderSpec, made_VS: np.ndarray) -> np.ndarray:
        """Give what the model made the region's level and stereo image; all at the model's rate."""
        imaged_VS = self._imaged(self.canvas.at_session_level(made_VS))
        if spec.match_level and spec.task is not Task.SUPERRES:
            imaged_VS = imaged_VS * self._matching_gain_S(spec, imaged_VS)
            imaged_VS = self._matched_as_heard(imaged_VS)
        return imaged_VS + self.canvas.means_V1

    def parts(self, placed_VS: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the stretches of the region that change, whole blocks of the result each."""
        place = self._own_place
        fades = self._fades(placed_VS, place)
        ceiling_db = self._ceiling_db(place)
        for start, stop in self._blocks(place):
            yield slice(start, stop), self._block(placed_VS, place, fades, ceiling_db, (start, stop))

    @property
    def _own_place(self) -> Place:
        """Return the place without what belongs to other canvases."""
        return replace(self.place, within_s=self.canvas.patch.covered_s)

    def _imaged(self, made_VS: np.ndarray) -> np.ndarray:
        """Give the voices the original's stereo image where they are made anew."""
        where_S = np.zeros(made_VS.shape[1], dtype=bool)
        where_S[self._covered()] = True
        if self.voices.is_mid_side:
            return with_image_of(self.canvas.heard_VS, made_VS, where_S, self.model_hz)
        return with_balance_of(self.canvas.heard_VS, made_VS, where_S)

    def _matching_gain_S(self, spec: RenderSpec, made_VS: np.ndarray) -> np.ndarray:
        """Return what gives each stretch of the mask the loudness of what it replaces in the model's band.

        What fills a gap has the level of its surroundings already; where these are silent too, a usual one,
        as has what a transfer makes of silence.
        """
        replaced_NS, new_NS = self._exchanged(made_VS, self._own_place)
        gains: list[float] = []
        for inside in self._stretches:
            before_NS, after_NS = replaced_NS[:, inside], new_NS[:, inside]
            if spec.task is Task.SUPERRES or is_audible(before_NS):
                gains.append(matching_gain(before_NS, after_NS, self.model_hz))
            elif spec.task is Task.INPAINT and is_audible(self.canvas.heard_VS):
                gains.append(1.0)
            else:
                gains.append(usual_gain(after_NS, self.model_hz))
        return self._along(gains)

    def _matched_as_heard(self, made_VS: np.ndarray) -> np.ndarray:
        """Correct the level by what comes out with all that is above the model's band."""
        place = self._own_place
        if place.is_banded or not place.has_crossover:
            return made_VS
        for _ in range(_CORRECTIONS):
            gains = [self._correction(made_VS, place, span) for span in place.spans_samples]
            if all(gain == 1.0 for gain in gains):
                break
            made_VS = made_VS * self._along(gains)
        return made_VS

    def _correction(self, made_VS: np.ndarray, place: Place, span: tuple[int, int]) -> float:
        """Compare the beginning of a stretch with what was there, all bands together."""
        start, stop = span[0], min(span[1], span[0] + samples_at(_COMPARED_S, place.rate_hz))
        before_NS = self.clip.audio_NS[:, start:stop]
        if not is_audible(before_NS):
            return 1.0
        fades, ceiling_db = self._fades(made_VS, place), self._ceiling_db(place)
        after_NS = self._block(made_VS + self.canvas.means_V1, place, fades, ceiling_db, (start, stop))
        gain = matching_gain(before_NS, after_NS, place.rate_hz)
        return min(max(gain, 1 / _MOST_CORRECTION), _MOST_CORRECTION) if is_heard(gain) else 1.0

    @property
    def _stretches(self) -> list[slice]:
        """Return the samples of the canvas, one at least, of each stretch that is replaced."""
        first, size = self.canvas.first_sample, self.canvas.audio_VS.shape[1]
        found: list[slice] = []
        for ends in self._own_place.spans_samples:
            start, stop = (samples_at(end / self.place.rate_hz, self.model_hz) - first for end in ends)
            begin = min(max(0, start), size - 1)
            found.append(slice(begin, max(begin + 1, stop)))
        return found

    def _along(self, gains: Sequence[float]) -> np.ndarray:
        """Return gains (S,) for the canvas, which change between two stretches, where nothing else does."""
        stretches = self._stretches
        middles = [(one.stop + other.start) // 2 for one, other in pairwise(stretches)]
        sizes = np.diff([0, *middles, self.canvas.audio_VS.shape[1]])
        return np.repeat(gains, sizes)

    def _covered(self) -> slice:
        """Return the samples of the canvas, one at least, that are to be heard in the region."""
        covered_s, first = self.canvas.patch.covered_s, self.canvas.first_sample
        start = max(0, samples_at(covered_s.start_s, self.model_hz) - first)
        return slice(start, max(start + 1, samples_at(covered_s.end_s, self.model_hz) - first))

    def _exchanged(self, made_VS: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
        """Return what goes and what comes, at the model's rate, all along the canvas."""
        length = max(1, samples_at(place.duration_s, self.model_hz))
        coarse = replace(place, rate_hz=self.model_hz, length_samples=length)
        heard_NS, new_NS = self.voices.channels(self.canvas.heard_VS), self.voices.channels(made_VS)
        if coarse.is_banded:
            parts = split(heard_NS, heard_NS, new_NS, coarse, self.canvas.first_sample)
            heard_NS, new_NS = parts.replaced_NS, parts.new_NS
        return heard_NS, new_NS

    def _energy(self, made_VS: np.ndarray, start: int, stop: int) -> np.ndarray:
        heard_NS = self._heard(start, stop)
        return np.square(heard_NS).sum(axis=0) + np.square(self._new(made_VS, start, stop)).sum(axis=0)

    def _fades(self, made_VS: np.ndarray, place: Place) -> tuple[Fade, ...]:
        return fades_of(place, lambda start, stop: self._energy(made_VS, start, stop), self._level)

    def _level(self, start: int, stop: int) -> np.ndarray:
        """Return the highest magnitude of all channels in the file, as far as it goes."""
        parts = (self.clip.before_NS, self.clip.audio_NS, self.clip.after_NS)
        begins = -self.clip.before_NS.shape[1] if self.clip.before_NS.size else 0
        there_NS = cut([part_NS for part_NS in parts if part_NS.size], start - begins, stop - begins)
        return np.abs(there_NS).max(axis=0, initial=0.0)

    def _heard(self, start: int, stop: int) -> np.ndarray:
        """Return what of the region's samples start to stop the voices hold."""
        return self.voices.channels(self.voices.of(self.clip.audio_NS[:, start:stop]))

    def _new(self, made_VS: np.ndarray, start: int, stop: int) -> np.ndarray:
        rate_hz = self.clip.sample_rate_hz
        return self.voices.channels(in_session(self.canvas, made_VS, self.model_hz, rate_hz, start, stop))

    def _ceiling_db(self, place: Place) -> float:
        """Return -1 dBTP; where bands are kept, what the original has if that is more."""
        if not place.is_banded:
            return CEILING_DBTP
        ends = place.spans_samples
        return max(CEILING_DBTP, true_peak_db(self.clip.audio_NS[:, ends[0][0] : ends[-1][1]]))

    def _blocks(self, place: Place) -> Iterator[tuple[int, int]]:
        """Yield stretches that cover the spans and begin on the transform's own grid."""
        hop = place.transform.hop
        step = max(1, samples_at(_BLOCK_S, place.rate_hz) // hop) * hop
        ends = place.spans_samples
        for start in range(ends[0][0] // hop * hop, ends[-1][1], step):
            yield start, min(start + step, place.length_samples)

    def _block(
        self,
        made_VS: np.ndarray,
        place: Place,
        fades: tuple[Fade, ...],
        ceiling_db: float,
        block: tuple[int, int],
    ) -> np.ndarray:
        """Return samples of the result, computed with enough around them to be those of the whole."""
        around = 4 * place.transform.length + samples_at(LOOKAHEAD_S, place.rate_hz)
        around = -(-around // place.transform.hop) * place.transform.hop
        first, past = max(0, block[0] - around), min(place.length_samples, block[1] + around)
        original_NS = self.clip.audio_NS[:, first:past]
        parts = split(original_NS, self._heard(first, past), self._new(made_VS, first, past), place, first)
        parts = _limited(parts, place, ceiling_db)
        result_NS = joined(original_NS, parts, place, fades, first)
        return result_NS[:, block[0] - first : block[1] - first]


def _limited(parts: Split, place: Place, ceiling_db: float) -> Split:
    """Turn down what would be above the ceiling: the new part, or all of it where all may change."""
    kept_NS = parts.kept_NS + parts.highs_NS
    if place.is_banded:
        # Of the transform's own window: a gain that moves then spreads the new part no farther than that.
        window_S = place.transform.sounded_L
        gain_S = limiting_gain(kept_NS, parts.new_NS, window_S, ceiling_db)
        return replace(parts, new_NS=parts.new_NS * gain_S)
    window_S = lookahead_window(place.rate_hz)
    gain_S = limiting_gain(np.zeros_like(kept_NS), kept_NS + parts.new_NS, window_S, ceiling_db)
    # As a change of what is kept, so that kept and replaced still add up to the original.
    return replace(parts, highs_NS=kept_NS * gain_S - parts.kept_NS, new_NS=parts.new_NS * gain_S)
