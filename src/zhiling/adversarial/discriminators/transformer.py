"""The discriminators `match` and `real` by a transformer with a head of one number.

    judge = fit_transformer(prompts, right, wrong, TransformerSettings(path="models/encoder"), draws)
    judge.fits(["where is my parcel"], ["delivery"]) > judge.strictness(0.05)

Rows are dealt into folds, and a model is tuned without each: of a row that was given the model speaks that
has not seen it, of any other text all models do. Sources are told in `training.tasks.scalar`, `match` and
`real`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.adversarial.discriminators.calibration import Scale, platt, sigmoid, strictness
from zhiling.adversarial.discriminators.real import LEAST, Judged, Side, dealt, lengths, matched
from zhiling.adversarial.discriminators.scorer import Comparison, Scorer, TransformerSettings
from zhiling.encoders.sparse import require
from zhiling.errors import UsageError
from zhiling.evaluation.terms import telling_terms, terms_of

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

_TOLD = 5
_SEEDS = 2**31


@dataclass(frozen=True)
class TransformerMatch:
    """A calibrated judge of pairs; `fits`, `strictness`, `right` and `wrong` are as those of `Match`.

    Attributes:
        members: a model for each fold.
        scale: slope and bias that make a probability of a number.
        right: out-of-fold probability that the right text of each row fits, (n,).
        wrong: the same of the wrong texts, (n · wrong texts a row,).
    """

    members: tuple[Scorer, ...]
    scale: Scale
    right: Floats
    wrong: Floats

    def fits(self, prompts: Sequence[str], texts: Sequence[str]) -> Floats:
        """Probability that a text that is as often wrong as right fits its prompt, (n,)."""
        return sigmoid(_together(self.members, prompts, texts), self.scale)

    def strictness(self, wrong: float) -> float:
        """The probability above which at most this share of wrong texts passes, out of fold; at least .5."""
        return strictness(self.wrong, wrong)


def fit_transformer(
    prompts: Sequence[str],
    right: Sequence[str],
    wrong: Sequence[Sequence[str]],
    settings: TransformerSettings,
    draws: np.random.Generator,
) -> TransformerMatch:
    """Learns which text fits a prompt from real rows: a reply, or a label by its name.

    Args:
        prompts: of the rows; equal ones stand in one fold.
        right: what fits each.
        wrong: for each row as many texts that do not: hard ones, random ones.
        settings: encoder, loss and steps.
        draws: deals out the folds and seeds the models.

    Raises:
        UsageError: fewer than 20 rows.
        Others as `Scorer.fit`.
    """
    distinct = len(set(prompts))
    if distinct < LEAST:
        raise UsageError(
            f"a transformer learns what fits from {LEAST} different texts at least, and there are {distinct}",
            hint="use the light discriminator, or label more rows",
        )
    folds = dealt(pl.Series(prompts).rank("dense").to_numpy().astype(np.int64), settings.folds, draws)
    columns = [right, *zip(*wrong, strict=True)]

    def without(fold: int) -> list[Comparison]:
        rows: list[int] = np.flatnonzero(folds != fold).tolist()
        return [Comparison(prompts[row], right[row], text) for row in rows for text in wrong[row]]

    asked = [(prompt, text) for column in columns for prompt, text in zip(prompts, column, strict=True)]
    members, scores = _cross_fitted(asked, np.tile(folds, len(columns)), without, settings, draws)
    of_right, of_wrong = scores[: len(prompts)], scores[len(prompts) :]
    scale = platt(of_right, of_wrong)
    return TransformerMatch(members, scale, sigmoid(of_right, scale), sigmoid(of_wrong, scale))


def fit_labels(
    texts: Sequence[str],
    labels: Numbers,
    wrong: Sequence[Numbers],
    names: Sequence[str],
    settings: TransformerSettings,
    draws: np.random.Generator,
) -> TransformerMatch:
    """Learns which label fits a text; a label is what its name says (`spoken`).

    Args:
        texts: real rows.
        labels: of each, a number among `names`.
        wrong: columns of wrong labels, as `match.wrong_labels` gives them, each (n,).
        names: of the labels.
        settings: encoder, loss and steps.
        draws: see `fit_transformer`, which also tells what is raised.
    """
    words = [spoken(name) for name in names]
    right = [words[int(number)] for number in labels]
    others = [[words[int(number)] for number in row] for row in zip(*wrong, strict=True)]
    return fit_transformer(texts, right, others, settings, draws)


def spoken(label: str) -> str:
    """The name of a label as words."""
    return " ".join(re.sub(r"[_\W]+", " ", label).split()) or label


def judge_real(
    real: Side, made: Side, beside: Sequence[str], settings: TransformerSettings, draws: np.random.Generator
) -> Judged:
    """Scores every generation, as `real.judge_real` does; the features of both sides are not read.

    Args:
        real: real rows; those that a generation repeats are not among them.
        made: the generations.
        beside: texts that are scored and not learnt from.
        settings: encoder, loss and steps.
        draws: deals out the folds, matches the lengths and seeds the models.
    """
    chosen = real[matched(lengths(real.texts), lengths(made.texts), draws)]
    sides = [side.texts.to_list() for side in (chosen, made)]
    owners = min(len(np.unique(side.owners)) for side in (chosen, made))
    if min(map(len, sides)) < LEAST or owners < settings.folds:
        return Judged(np.full(len(sides[1]), 0.5), np.full(len(beside), 0.5))
    folds = [dealt(side.owners, settings.folds, draws) for side in (chosen, made)]

    def without(fold: int) -> list[Comparison]:
        first, second = (_outside(side, own, fold) for side, own in zip(sides, folds, strict=True))
        return _paired(first, second, draws)

    asked = [("", text) for side in sides for text in side]
    members, scores = _cross_fitted(asked, np.concatenate(folds), without, settings, draws)
    truth = np.arange(len(asked)) < len(sides[0])
    scale = platt(scores[truth], scores[~truth])
    others = _together(members, [""] * len(beside), beside)
    auc = float(require("sklearn.metrics").roc_auc_score(truth, scores))
    terms = [terms_of(text) for text in (*sides[1], *sides[0])]
    telling = tuple(telling_terms(terms, range(len(sides[1])), _TOLD))
    return Judged(sigmoid(scores[~truth], scale), sigmoid(others, scale), auc, telling)


def _cross_fitted(
    asked: Sequence[tuple[str, str]],
    folds: Numbers,
    without: Callable[[int], Sequence[Comparison]],
    settings: TransformerSettings,
    draws: np.random.Generator,
) -> tuple[tuple[Scorer, ...], Floats]:
    """A model for each fold, and what each says of the prompts and texts of its fold; shape (asked,)."""
    members: list[Scorer] = []
    scores = np.empty(len(asked))
    for fold in range(settings.folds):
        members.append(Scorer.fit(without(fold), settings, int(draws.integers(_SEEDS))))
        held: list[int] = np.flatnonzero(folds == fold).tolist()
        prompts, texts = zip(*(asked[row] for row in held), strict=True)
        scores[held] = _together(members[-1:], prompts, texts)
    return tuple(members), scores


def _together(members: Sequence[Scorer], prompts: Sequence[str], texts: Sequence[str]) -> Floats:
    """The mean of what the models say, shape (n,)."""
    return np.mean([member.scores(prompts, texts) for member in members], axis=0)


def _outside(texts: Sequence[str], folds: Numbers, fold: int) -> list[str]:
    """The texts that do not stand in a fold."""
    return [text for text, own in zip(texts, folds, strict=True) if own != fold]


def _paired(real: Sequence[str], made: Sequence[str], draws: np.random.Generator) -> list[Comparison]:
    """Random pairs in which every text of both sides stands at least once."""
    count = max(len(real), len(made))

    def drawn(texts: Sequence[str]) -> list[str]:
        places = np.concatenate([draws.permutation(len(texts)) for _ in range(-(-count // len(texts)))])
        return [texts[int(place)] for place in places[:count]]

    return [Comparison("", right, wrong) for right, wrong in zip(drawn(real), drawn(made), strict=True)]
