"""CLAP without its audio tower, as diffusers' folders hold it.

B batch, S samples, E embedding.
"""

from __future__ import annotations

import transformers
from torch import Tensor

from engine.errors import ModelMissing
from engine.models.clap import TransformersClap


class TextOnlyClap(TransformersClap):
    """Embed prompts; asking for the embedding of a sound says which file is missing."""

    def hear(self, audio_BS: Tensor) -> Tensor:
        """Raise ModelMissing: there is nothing to hear with."""
        raise ModelMissing(
            "This model has no CLAP audio tower, so takes cannot be ranked nor conditioned by sound.",
            "Import the original .ckpt, which has one, or: daw-bridge models import FOLDER --clap LAION.pt",
        )


def without_audio_tower(model: transformers.ClapModel) -> transformers.ClapModel:
    """Remove the parts that only sounds pass through; the text part stays as it is."""
    del model.audio_model
    del model.audio_projection
    return model
