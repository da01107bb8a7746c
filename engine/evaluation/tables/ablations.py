"""Table 6 of the paper: attention, balanced sampling, and conditioning augmentation."""

from __future__ import annotations

from engine.evaluation.tables.judged import EVENLY
from engine.evaluation.tables.plots import bars_png
from engine.evaluation.tables.result import Result
from engine.evaluation.tables.scores import Scores
from engine.evaluation.tables.trained import OF_TRAININGS, Comparison
from engine.evaluation.tables.variants import MIXED_SHARE, Variant
from engine.evaluation.tables.verdicts import verdict

CHANGED = (Variant.SIMPLE, Variant.BALANCED, Variant.AUGMENTED)
VARIANTS = (Variant.BASE, *CHANGED)


def ablations_table(comparison: Comparison) -> Result:
    """Train with one self-attention for each transformer, with balanced clips, and with mixed pairs."""
    measured = comparison.measured(VARIANTS)
    scores = {variant: one.scores for variant, one in measured.items()}
    base, simple = (measured[variant].parameters / 1e6 for variant in (Variant.BASE, Variant.SIMPLE))
    return Result(
        stem="ablations",
        title="Ablations (table 6)",
        told=(
            comparison.told(measured)
            + f" `{Variant.SIMPLE.value}` has one self-attention in the place of each transformer block, "
            f"which takes it from {base:.2f} to {simple:.2f} million parameters. `{Variant.BALANCED.value}` "
            f"draws clips by the inverse count of their sound. `{Variant.AUGMENTED.value}` makes "
            f"{MIXED_SHARE:.0%} of the draws mixtures of two clips, whose mixed sound is the condition. All "
            "trainings of either have the same draws."
        ),
        parts=comparison.parts("Changes", measured),
        findings=(
            *(
                line
                for variant in CHANGED
                for line in comparison.against(
                    (Variant.BASE.value, scores[Variant.BASE]), (variant.value, scores[variant])
                )
            ),
            _on_rare_sounds(scores),
            *(comparison.beside(one.value, scores[one], scores[Variant.BASE]) for one in CHANGED),
            comparison.by_chance(measured.values()),
        ),
        picture=bars_png(comparison.bars(measured)),
        interval=OF_TRAININGS,
    )


def _on_rare_sounds(scores: dict[Variant, Scores]) -> str:
    ends = (scores[Variant.BASE], scores[Variant.BALANCED])
    between = f"from {Variant.BASE.value} to {Variant.BALANCED.value}"
    return f"What balance is for: {verdict(EVENLY, between, ends, None)}"
