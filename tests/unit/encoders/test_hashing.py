"""Hashed n-grams: unit rows, both languages, the same vector in any company."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from zhiling.encoders import ngrams
from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.ngrams import hash_ngrams

TEXTS = [
    "How do I reset my password?",
    "怎么重置密码？",
    "Ｐay now",
    "pay NOW",
    "",
    " \n",
    "🙂",
    "\ud800 lone",
]


def test_rows_have_length_one_and_empty_texts_zero() -> None:
    vectors = HashingEncoder().encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 2048)
    assert vectors.dtype == np.float32
    empty = [not text.strip() for text in TEXTS]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.where(empty, 0, 1), abs=1e-6)


def test_width_and_case_do_not_matter() -> None:
    vectors = HashingEncoder().encode(["Ｐay\tnow", "pay NOW"])
    assert np.array_equal(vectors[0], vectors[1])


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("how do I reset my password", "I want to reset the password", "where is my parcel"),
        ("怎么重置密码", "我想重置我的密码", "我的快递在哪里"),
    ],
)
def test_near_texts_are_nearer_in_both_languages(text: str, near: str, far: str) -> None:
    vectors = HashingEncoder().encode([text, near, far])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


def test_single_characters_count_in_chinese_only() -> None:
    assert len(hash_ngrams(["abc"], 1, 1, 1024).values) == 0
    assert len(hash_ngrams(["密码"], 1, 1, 1024).values) == 2


def test_an_ngram_that_occurs_again_adds_its_logarithm() -> None:
    rows = hash_ngrams(["密密密码"], 1, 1, 2**20)
    weights = np.sort(np.abs(rows.values))
    assert weights[1] / weights[0] == pytest.approx(1 + np.log(3))


def test_ngrams_never_cross_texts() -> None:
    together = hash_ngrams(["ab", "cd", "", "ef"], 2, 4, 2**16).dense()
    alone = np.concatenate([hash_ngrams([text], 2, 4, 2**16).dense() for text in ("ab", "cd", "", "ef")])
    assert np.array_equal(together, alone)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = HashingEncoder().encode(TEXTS)
    monkeypatch.setattr(ngrams, "CHARACTERS_PER_CHUNK", 5)
    assert np.array_equal(HashingEncoder().encode(TEXTS), whole)


def test_no_texts_give_no_rows() -> None:
    assert HashingEncoder().encode([]).shape == (0, 2048)


def test_vectors_and_identity_are_equal_in_another_process() -> None:
    program = (
        "from zhiling.encoders.hashing import HashingEncoder as H; import hashlib; e = H();"
        "print(e.identity, hashlib.sha256(e.encode(['密码 reset']).tobytes()).hexdigest())"
    )
    printed = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(printed) == 1


@pytest.mark.parametrize("change", [{"buckets": 4096}, {"shortest": 2}, {"longest": 5}])
def test_any_setting_changes_the_identity(change: dict[str, int]) -> None:
    assert HashingEncoder(**change).identity != HashingEncoder().identity


@pytest.mark.parametrize("wrong", [{"buckets": 1}, {"shortest": 5, "longest": 4}, {"bucket": 5}])
def test_wrong_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        HashingEncoder.model_validate(wrong)
