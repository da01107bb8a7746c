"""Byte-level BPE tokenizers in RoBERTa's manner, read from local files or trained on captions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from engine.errors import ModelCorrupt, ModelMissing

TOKENIZER_FILE = "tokenizer.json"
VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"
BEGIN, PAD, END, UNKNOWN, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
BEGIN_ID, PAD_ID, END_ID, UNKNOWN_ID = 0, 1, 2, 3


def train_tokenizer(captions: Iterable[str], vocabulary: int = 1500) -> Tokenizer:
    """Learn a lower-casing tokenizer of at most that many tokens; the same captions give the same one."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    _frame_like_roberta(tokenizer)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BEGIN, PAD, END, UNKNOWN, MASK],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer.json, or a folder with one or with RoBERTa's vocab.json and merges.txt.

    Never asks the network. Raises ModelMissing where nothing is there, ModelCorrupt where it cannot be used.
    """
    whole = path / TOKENIZER_FILE if path.is_dir() else path
    vocab, merges = path / VOCAB_FILE, path / MERGES_FILE
    if not whole.is_file() and not (vocab.is_file() and merges.is_file()):
        raise ModelMissing(
            f"{path} has no {TOKENIZER_FILE}, nor {VOCAB_FILE} with {MERGES_FILE}.",
            "Copy the text encoder's tokenizer files into that folder.",
        )
    tokenizer = _read(whole) if whole.is_file() else _read_roberta(vocab, merges)
    _check_special_tokens(tokenizer, str(path))
    return tokenizer


def tokenizer_from_json(text: str, source: str) -> Tokenizer:
    """Return the tokenizer of a tokenizer.json's text; ModelCorrupt names the source."""
    # The tokenizers library raises bare Exception for every kind of bad file.
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:
        raise _corrupt(source, error) from error
    _check_special_tokens(tokenizer, source)
    return tokenizer


def _read(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        raise _corrupt(str(path), error) from error


def _read_roberta(vocab: Path, merges: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer(models.BPE.from_file(str(vocab), str(merges), unk_token=UNKNOWN))
    except Exception as error:
        raise _corrupt(str(vocab), error) from error
    tokenizer.add_special_tokens([BEGIN, PAD, END, UNKNOWN, AddedToken(MASK, lstrip=True)])
    _frame_like_roberta(tokenizer)
    return tokenizer


def _frame_like_roberta(tokenizer: Tokenizer) -> None:
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(
        (END, END_ID), (BEGIN, BEGIN_ID), add_prefix_space=False
    )


def _check_special_tokens(tokenizer: Tokenizer, source: str) -> None:
    wanted = {BEGIN: BEGIN_ID, PAD: PAD_ID, END: END_ID, UNKNOWN: UNKNOWN_ID}
    for token, number in wanted.items():
        found = tokenizer.token_to_id(token)
        if found != number:
            raise ModelCorrupt(
                f"The tokenizer in {source} gives {token} the number {found} instead of {number}.",
                "Use the tokenizer files that belong to this text encoder.",
            )


def _corrupt(source: str, error: Exception) -> ModelCorrupt:
    return ModelCorrupt(f"{source} is not a usable tokenizer: {error}.", "Copy the file again.")
