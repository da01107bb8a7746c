"""What the panel says that a model will see is what the render draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.grid import LatentGrid, latent_mask
from engine.audio.mel_scale import MelConfig
from engine.errors import SpecError
from engine.types import Mask, MaskOp, RectShape, Shape, TimeSpan
from tests.unit.mask_shapes import DURATION_S, many_shapes
from ui.model import mask_grid
from ui.model.mask_grid import Rasteriser
from ui.sound.model_grid import ModelGrid

MELS = (MelConfig(), MelConfig.released_48k())


def grid_like(engine_grid: LatentGrid) -> ModelGrid:
    """Return the panel's grid with the very edges of the engine's."""
    edges_hz = tuple(engine_grid.bin_edges_hz().tolist())
    return ModelGrid(
        cell_s=engine_grid.cell_samples / engine_grid.sample_rate_hz,
        band_edges_hz=edges_hz[:: engine_grid.ratio],
        top_hz=engine_grid.high_hz,
        bin_edges_hz=edges_hz,
    )


def drawn_by_the_engine(shapes: tuple[Shape, ...], grid: LatentGrid, cells: int) -> np.ndarray:
    if not any(shape.op is MaskOp.ADD for shape in shapes):
        return np.zeros((cells, grid.width))
    try:
        return latent_mask(Mask(shapes=shapes), grid, cells=cells)
    except SpecError:
        return np.zeros((cells, grid.width))


@settings(max_examples=60)
@given(many_shapes, st.sampled_from(MELS))
def test_cells_are_those_of_the_render(shapes: tuple[Shape, ...], mel: MelConfig) -> None:
    engine_grid = LatentGrid.of(mel, 4)
    rasteriser = Rasteriser(grid_like(engine_grid), DURATION_S)
    expected_HW = drawn_by_the_engine(shapes, engine_grid, rasteriser.cells)
    np.testing.assert_array_equal(rasteriser.cells_HW(shapes), expected_HW)
    np.testing.assert_array_equal(rasteriser.cells_HW(shapes), expected_HW)


@pytest.mark.parametrize("mel", MELS, ids=["16k", "48k"])
def test_a_grid_from_a_models_card_is_the_engines(mel: MelConfig) -> None:
    engine_grid = LatentGrid.of(mel, 4)
    grid = ModelGrid.of_mel(
        sample_rate_hz=mel.sample_rate_hz,
        hop_samples=mel.hop_samples,
        mel_bins=mel.mel_bins,
        low_hz=mel.low_hz,
        high_hz=mel.high_hz,
        ratio=4,
    )
    np.testing.assert_allclose(grid.bin_edges_hz, engine_grid.bin_edges_hz(), rtol=1e-12)
    assert grid.band_edges_hz == grid.bin_edges_hz[::4]
    assert (grid.width, grid.bins_per_cell) == (engine_grid.width, 4)
    for duration_s in (0.001, 0.04, 0.0401, 0.08, 10.24):
        samples = round(duration_s * mel.sample_rate_hz)
        assert grid.cells(samples / mel.sample_rate_hz) == engine_grid.cells(samples)


def test_a_long_region_is_drawn_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_grid = LatentGrid.of(MelConfig(), 4)
    shapes = (
        RectShape(span=TimeSpan(start_s=0.1, end_s=7.9)),
        RectShape(span=TimeSpan(start_s=3.0, end_s=4.0), low_hz=500.0, op=MaskOp.SUBTRACT),
    )
    monkeypatch.setattr(mask_grid, "CELLS_AT_ONCE", 7)
    cells_HW = Rasteriser(grid_like(engine_grid), 8.0).cells_HW(shapes)
    np.testing.assert_array_equal(cells_HW, drawn_by_the_engine(shapes, engine_grid, 200))


def test_drawn_shapes_are_forgotten_beyond_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    rasteriser = Rasteriser(grid_like(LatentGrid.of(MelConfig(), 4)), DURATION_S)
    shapes = [RectShape(span=TimeSpan(start_s=0.0, end_s=0.1 + part / 100)) for part in range(50)]
    monkeypatch.setattr(mask_grid, "MOST_BYTES", 100_000)
    for shape in shapes:
        rasteriser.cells_HW([shape])
    kept = sum(part_TF.nbytes for _, part_TF in rasteriser._drawn.values())
    assert 0 < kept <= 100_000
