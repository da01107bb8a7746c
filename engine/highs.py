"""What lies above a model's band, made by a second model of a wider one.

Legend: V voices, S samples, B batch, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.audio.grid import LatentGrid
from engine.audio.io import AudioClip
from engine.audio.raster import shape_high_hz
from engine.conditioning import Conditioning, conditioning
from engine.diffusion.samplers import OnStep
from engine.edit.compose import crossover_hz
from engine.edit.edit import Edit, edit_of, finished, placed
from engine.edit.rules import effective_mask
from engine.errors import SpecError
from engine.latents import decoded, encoded_part, require_sound, sampled
from engine.models.bundle import Bundle
from engine.types import Highs, MaskOp, RenderSpec, Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HighsMaker:
    """Super-resolution of finished takes, from the end of the first model's band upwards."""

    bundle: Bundle
    conditioning: Conditioning
    from_hz: float

    def made(
        self, own: RenderSpec, edit: Edit, clip: AudioClip, on_step: OnStep, check: Callable[[], None]
    ) -> AudioClip:
        """Return a take of an edit with new highs where the edit's mask has some; what lies below stays.

        Raises:
            NanOutput, SilentOutput: the second model made no sound.
        """
        spec = _superres(own, self.from_hz)
        heard = replace(clip, before_NS=edit.clip.before_NS, after_NS=edit.clip.after_NS)
        grid = LatentGrid.of(self.bundle.mel.config, self.bundle.vae.config.ratio)
        above = edit_of(spec, heard, effective_mask(spec, heard, grid), grid, self.bundle.card.canvas_s)
        anchor = None if own.region is None else own.region.anchor
        sounds = []
        for canvas in above.canvases:
            part = encoded_part(self.bundle, canvas, above.mask, grid, anchor)
            latent_BCHW = sampled([spec], self.bundle, part, self.conditioning, on_step=on_step, check=check)
            sounds.append(decoded(self.bundle, latent_BCHW))
            require_sound(sounds[-1], own.seed)
        return finished(above, placed(above, sounds))


def highs_maker(
    spec: RenderSpec, bundle: Bundle | None, model_top_hz: float, clip: AudioClip
) -> HighsMaker | None:
    """Return what makes the highs of a spec's takes; None where there are none to be made.

    Raises:
        SpecError: a model that makes no more than the first one does, or no super-resolution.
    """
    if spec.highs is not Highs.MODEL or not _reaches(spec, model_top_hz):
        return None
    if model_top_hz >= clip.sample_rate_hz / 2:
        return None
    assert bundle is not None, "highs from a model need its bundle"
    _require_wider(bundle, spec.model, model_top_hz)
    from_hz = crossover_hz(model_top_hz)
    wanted = conditioning(_superres(spec, from_hz), bundle, clip)
    return HighsMaker(bundle=bundle, conditioning=wanted, from_hz=from_hz)


def _require_wider(bundle: Bundle, first: str, first_top_hz: float) -> None:
    name, top_hz, hint = (
        bundle.card.name,
        bundle.mel.config.high_hz,
        "Choose another one, or highs that follow.",
    )
    if Task.SUPERRES not in bundle.card.tasks:
        raise SpecError(f"the model {name} cannot make highs for others", hint)
    if top_hz <= first_top_hz:
        raise SpecError(
            f"the model {name} makes sound up to {top_hz:g} Hz, {first} itself up to {first_top_hz:g} Hz",
            hint,
        )


def _superres(own: RenderSpec, from_hz: float) -> RenderSpec:
    """Return the second edit's spec; what lies above its own band follows still what the first edit made."""
    return replace(
        own.unbatched(),
        task=Task.SUPERRES,
        model=own.highs_model,
        cutoff_hz=from_hz,
        highs=Highs.KEEP,
        sweep=(),
        takes=1,
    )


def _reaches(spec: RenderSpec, model_top_hz: float) -> bool:
    """Tell whether what is edited goes on above the model's band."""
    if spec.mask is None:
        return True
    return any(shape_high_hz(shape) > model_top_hz for shape in spec.mask.shapes if shape.op is MaskOp.ADD)
