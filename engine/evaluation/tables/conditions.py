"""Tables 1 and 3 of the paper: what a U-Net is conditioned by while it learns."""

from __future__ import annotations

from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.plots import bars_png
from engine.evaluation.tables.result import Result
from engine.evaluation.tables.trained import OF_TRAININGS, OTHERS, Comparison
from engine.evaluation.tables.variants import Variant

VARIANTS = (Variant.BASE, Variant.TEXT, Variant.ROBERTA)


def conditions_table(comparison: Comparison) -> Result:
    """Train by sound, by caption through CLAP, and by caption through RoBERTa, and generate from captions."""
    measured = comparison.measured(VARIANTS)
    scores = {variant: one.scores for variant, one in measured.items()}
    base = scores[Variant.BASE]
    return Result(
        stem="conditions",
        title="What conditions the training (tables 1 and 3)",
        told=(
            comparison.told(measured)
            + f" `{Variant.BASE.value}` is conditioned by CLAP's embedding of the sound, as in the paper, "
            f"`{Variant.TEXT.value}` by CLAP's of its caption, `{Variant.ROBERTA.value}` by that of an "
            "encoder which learnt to read the same captions by guessing masked words, and heard no sound. "
            "The paper's models with text in table 3 learn from mixed pairs besides; here only the condition "
            f"differs. Its ground truth is here `{OTHERS}`: true clips of the same kinds."
        ),
        parts=comparison.parts("Conditions", measured),
        findings=(
            *comparison.against(("sound", base), ("text", scores[Variant.TEXT])),
            *comparison.against(("sound", base), ("RoBERTa", scores[Variant.ROBERTA])),
            *comparison.against(("text", scores[Variant.TEXT]), ("RoBERTa", scores[Variant.ROBERTA])),
            _why_text_is_near(comparison.bench),
            *(
                comparison.beside(variant.value, scores[variant], base)
                for variant in (Variant.TEXT, Variant.ROBERTA)
            ),
            comparison.by_chance(measured.values()),
        ),
        picture=bars_png(comparison.bars(measured)),
        interval=OF_TRAININGS,
    )


def _why_text_is_near(bench: Bench) -> str:
    near = float((bench.true_ND * bench.text_ND).sum(axis=1).mean())
    return (
        "Why text is as good a condition here as sound, or better: each of these captions names its sound, "
        "where the paper's tell a part of what is heard, and clips are generated from captions, which the "
        f"base never met in training. In CLAP true sounds and their captions have a cosine of {near:.2f}."
    )
