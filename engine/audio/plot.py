"""Spectrogram pictures of takes.

Legend: N channels, S samples, F STFT bins, K STFT frames, R picture rows.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from engine.audio.raster import rasterise
from engine.audio.splice import fit_length
from engine.types import Mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

LOWEST_HZ, HIGHEST_HZ = 40.0, 20_000.0
RANGE_DB = 80.0
ROWS = 320
# More than a picture has pixels.
COLUMNS = 3000
_COLUMNS_AT_ONCE = 64
_TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
_WINDOW_S = 0.0427
_WIDTH_IN, _PANEL_IN, _TOP_IN, _BOTTOM_IN = 10.0, 2.6, 0.55, 0.45
# A fifth larger than at 6, in a third of the time.
_COMPRESSION = 2
_PAPER, _INK, _MASK_COLOUR = "#14151a", "#d8dae0", "#5de0c8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One spectrogram of a picture."""

    label: str
    audio_NS: np.ndarray
    mask: Mask | None = None


def spectrogram_png(panels: tuple[Panel, ...], sample_rate_hz: int, title: str) -> bytes:
    """Draw panels above each other on one time axis, log frequency, one colour scale, as PNG."""
    height_in = _TOP_IN + _BOTTOM_IN + _PANEL_IN * len(panels)
    figure = _blank_figure(height_in)
    rows_hz = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, sample_rate_hz / 2), ROWS + 1)
    pictures = [_picture(panel.audio_NS, sample_rate_hz, rows_hz) for panel in panels]
    top_db = max(float(picture.max()) for picture in pictures)
    # Margins that are known need no layout engine, which draws all text twice to find them: half of the time.
    bottom, top = _BOTTOM_IN / height_in, 1 - _TOP_IN / height_in
    places = {"left": 0.075, "right": 0.905, "bottom": bottom, "top": top, "hspace": 0.17}
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, gridspec_kw=places)[:, 0]
    image: AxesImage | None = None
    for axis, panel, picture in zip(axes, panels, pictures, strict=True):
        image = _draw(axis, panel, picture, sample_rate_hz=sample_rate_hz, rows_hz=rows_hz, top_db=top_db)
    axes[-1].set_xlabel("time in s", color=_INK)
    figure.suptitle(_shortened(title), color=_INK, fontsize=11, parse_math=False)
    assert image is not None
    bar = figure.colorbar(image, cax=figure.add_axes((0.917, bottom, 0.012, top - bottom)))
    bar.set_label("dB relative to full scale", color=_INK)
    bar.ax.tick_params(colors=_INK)
    return _encoded(figure)


def _blank_figure(height_in: float) -> Figure:
    """Return a figure with a canvas to draw it on."""
    # It takes half a second to load, and only takes have pictures.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=110, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    return figure


def _picture(audio_NS: np.ndarray, sample_rate_hz: int, rows_hz: np.ndarray) -> np.ndarray:
    """Return dB (R, K) of the channels' mean power on the picture's rows; K is at most COLUMNS or so."""
    stft = _transform(sample_rate_hz)
    power_FK = _power(audio_NS, stft, _group(audio_NS, stft)) * (2.0 / stft.win.sum()) ** 2
    decibels_FK = 10.0 * np.log10(np.maximum(power_FK, 1e-14))
    centres_hz = np.sqrt(rows_hz[1:] * rows_hz[:-1])
    positions_R = np.clip(centres_hz / stft.delta_f, 0, len(decibels_FK) - 1.001)
    below_R = positions_R.astype(int)
    share_R1 = (positions_R - below_R)[:, None]
    return decibels_FK[below_R] * (1 - share_R1) + decibels_FK[below_R + 1] * share_R1


def _group(audio_NS: np.ndarray, stft: ShortTimeFFT) -> int:
    """Return how many frames share a column."""
    samples = max(audio_NS.shape[1], stft.m_num)
    return -(-(stft.p_max(samples) - stft.p_min) // COLUMNS)


def _power(audio_NS: np.ndarray, stft: ShortTimeFFT, group: int) -> np.ndarray:
    """Return the mean power (F, K) of groups of frames, with the memory of some of them."""
    padded_NS = fit_length(audio_NS, max(audio_NS.shape[1], stft.m_num))
    past = stft.p_max(padded_NS.shape[1])
    columns: list[np.ndarray] = []
    for start in range(stft.p_min, past, group * _COLUMNS_AT_ONCE):
        stop = min(past, start + group * _COLUMNS_AT_ONCE)
        spectrum_NFK = stft.stft(padded_NS, p0=start, p1=stop, axis=-1)
        power_FK = np.mean(np.abs(spectrum_NFK) ** 2, axis=0)
        columns += [power_FK[:, k : k + group].mean(axis=1) for k in range(0, stop - start, group)]
    return np.stack(columns, axis=1)


def _draw(
    axis: Axes,
    panel: Panel,
    picture_RK: np.ndarray,
    *,
    sample_rate_hz: int,
    rows_hz: np.ndarray,
    top_db: float,
) -> AxesImage:
    duration_s = panel.audio_NS.shape[1] / sample_rate_hz
    stft = _transform(sample_rate_hz)
    frames = np.arange(picture_RK.shape[1] + 1) * _group(panel.audio_NS, stft)
    times_s = (frames + stft.p_min - 0.5) * stft.hop / sample_rate_hz
    extent = (times_s[0], times_s[-1], 0.0, float(len(picture_RK)))
    image = axis.imshow(
        picture_RK,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma",
        vmin=top_db - RANGE_DB,
        vmax=top_db,
        interpolation="bilinear",
    )
    if panel.mask is not None:
        marked_RK = rasterise(panel.mask, times_s, rows_hz).T
        middles_s = (times_s[1:] + times_s[:-1]) / 2
        edges = np.pad(marked_RK.astype(float), 1)
        around_s = np.concatenate([times_s[:1], middles_s, times_s[-1:]])
        axis.contour(
            around_s, np.arange(len(edges)) - 0.5, edges, levels=[0.5], colors=_MASK_COLOUR, linewidths=1.2
        )
    axis.set_xlim(0.0, duration_s)
    axis.set_ylim(0.0, len(picture_RK))
    _label(axis, panel.label, rows_hz)
    return image


def _label(axis: Axes, label: str, rows_hz: np.ndarray) -> None:
    shown = [tick for tick in _TICKS_HZ if rows_hz[0] <= tick <= rows_hz[-1]]
    positions = np.interp(np.log(shown), np.log(rows_hz), np.arange(len(rows_hz)))
    axis.set_yticks(positions, [f"{tick // 1000}k" if tick >= 1000 else str(tick) for tick in shown])
    axis.set_ylabel("frequency in Hz", color=_INK)
    axis.set_title(label, color=_INK, fontsize=9, loc="left")
    axis.tick_params(colors=_INK)
    for spine in axis.spines.values():
        spine.set_color(_INK)


def _encoded(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A prompt may hold characters the font lacks: they show as boxes, which is no failure.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="png", facecolor=_PAPER, pil_kwargs={"compress_level": _COMPRESSION})
    return buffer.getvalue()


def _shortened(title: str) -> str:
    line = " ".join(title.split())
    return line if len(line) <= 90 else line[:89] + "…"


def _transform(sample_rate_hz: int) -> ShortTimeFFT:
    n_fft = max(64, 2 ** round(math.log2(sample_rate_hz * _WINDOW_S)))
    return ShortTimeFFT(hann(n_fft, sym=False), hop=n_fft // 4, fs=sample_rate_hz, fft_mode="onesided")
