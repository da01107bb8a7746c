from __future__ import annotations

from pathlib import Path

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from engine.errors import ModelCorrupt, ModelMissing
from engine.models.clap_tokenizer import load_tokenizer, train_tokenizer

CAPTIONS = [
    "A dog barks twice in a small room",
    "Rain falls on a tin roof",
    "A slow bell, far away; then silence",
    "Someone's footsteps on gravel",
] * 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(CAPTIONS, vocabulary=330)


def test_special_tokens_have_robertas_numbers(tokenizer: Tokenizer) -> None:
    tokens = ["<s>", "<pad>", "</s>", "<unk>"]
    assert [tokenizer.token_to_id(token) for token in tokens] == [0, 1, 2, 3]


def test_a_prompt_is_framed_by_begin_and_end(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("a dog").tokens
    assert tokens[0] == "<s>" and tokens[-1] == "</s>" and len(tokens) > 2
    assert tokenizer.encode("").tokens == ["<s>", "</s>"]


def test_case_does_not_matter(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("A DOG Barks").ids == tokenizer.encode("a dog barks").ids


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="<"), max_size=40))
def test_any_text_survives_without_unknown_tokens(tokenizer: Tokenizer, text: str) -> None:
    encoding = tokenizer.encode(text)
    assert 3 not in encoding.ids
    assert tokenizer.decode(encoding.ids) == tokenizer.normalizer.normalize_str(text)


def test_training_is_repeatable(tokenizer: Tokenizer) -> None:
    assert train_tokenizer(CAPTIONS, vocabulary=330).to_str() == tokenizer.to_str()


def test_the_vocabulary_is_bounded_and_learns_frequent_words(tokenizer: Tokenizer) -> None:
    assert 300 < tokenizer.get_vocab_size() <= 330
    assert len(tokenizer.encode("a dog barks on a roof").ids) < len(
        tokenizer.encode("z qxj vwkzz fj x zpp").ids
    )


@pytest.mark.parametrize("name", ["", "tokenizer.json"])
def test_a_saved_tokenizer_loads_from_its_folder_or_file(
    tokenizer: Tokenizer, tmp_path: Path, name: str
) -> None:
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path / name).to_str() == tokenizer.to_str()


@pytest.mark.parametrize("text", ["A dog barks", " Rain", "", "two  spaces", "naïve bell", "3 o'clock\n"])
def test_vocab_and_merges_read_like_the_transformers_roberta(
    tokenizer: Tokenizer, tmp_path: Path, text: str
) -> None:
    vocab, merges = tokenizer.model.save(str(tmp_path))
    reference = transformers.RobertaTokenizer(vocab, merges)
    assert load_tokenizer(tmp_path).encode(text).ids == reference(text)["input_ids"]


def test_an_empty_folder_is_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="tokenizer.json"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"\xff\x00", b"{}"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelCorrupt, match="tokenizer.json"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_with_other_special_numbers_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    shuffled = tokenizer.to_str().replace('"<pad>"', '"<gap>"')
    (tmp_path / "tokenizer.json").write_text(shuffled)
    with pytest.raises(ModelCorrupt, match="<pad>"):
        load_tokenizer(tmp_path)
