"""Does the reply fit the question, and the document? A judge of pairs.

Each fold of the rows is held against a reference made of the other folds, as new rows will be held against
all of them. Wrong pairs are other replies of the same fold: dealt out at random, so that their lengths are
those of the right ones; the nearest; and those that the judge itself takes for right, mined anew each time.

Source: Karpukhin et al. 2020 (hard negatives, mined by the model that is trained); Wolpert 1992 (stacking);
Platt 1999 (calibration).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.adversarial.discriminators import calibration
from zhiling.adversarial.discriminators.calibration import Scale
from zhiling.curation.folds import group_numbers
from zhiling.curation.pairing_features import csls
from zhiling.curation.pairing_judge import LARGEST_LOGIT, Candidates, Judge, cross_fitted, fitted_judge
from zhiling.curation.pairing_reference import Reference
from zhiling.curation.pairing_space import Texts, pair_texts, reply_pool
from zhiling.errors import UsageError
from zhiling.pipeline.step import Encoder
from zhiling.rows.conversation import has_reply

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

FOLDS = 5
LEAST = 20
"""Real rows without which no judge is fitted; and half as many groups, questions, replies."""
SMALL_LANGUAGE = 50
"""Languages with fewer real rows are judged together."""
MOST = 10_000
"""Rows that a judge of one language learns from, the real ones first."""
BLOCK = 1000
"""Rows that are compared with one another."""
_CONTEXT = ("user", "assistant", "document")


@dataclass(frozen=True)
class _Language:
    """The judge of a language.

    Attributes:
        reference: what pairs are told by.
        judge: makes a logit of what is told.
        lowest, highest: of each feature among the pairs that were learnt from. A new one counts as no further
            out: weights say nothing of what they never saw, as of a form that all known replies share.
        scale: slope and bias that make a probability of the logit.
    """

    reference: Reference
    judge: Judge
    lowest: Floats
    highest: Floats
    scale: Scale

    def fits(self, texts: Texts, paired: Numbers) -> Floats:
        """Probability that the replies of the rows `paired` (n, p) fit each question, (n, p)."""
        told = self.reference.features(texts, paired).clip(self.lowest, self.highest)
        return _sigmoid(self.judge.table(told), self.scale)


@dataclass(frozen=True)
class Pairs:
    """A calibrated judge of replies; see `fit_pairs`.

    Attributes:
        languages: the judge of each language, and, as "", that of all smaller ones.
        right: out-of-fold probability that the reply of each real row fits, (real,).
        wrong: the same of wrong replies to it: the one that the judge likes best of 25, and a random one,
            (2 · real,).
    """

    languages: Mapping[str, _Language]
    right: Floats
    wrong: Floats

    def fits(self, rows: pl.DataFrame) -> Floats:
        """Probability that a reply that is as often wrong as right fits, (n,).

        NaN where nothing can be said: rows without a reply, or in a language without a judge.

        Args:
            rows: `messages` and `language`; documents in the messages count as context.
        """
        found = np.full(rows.height, np.nan)
        for language, places in _by_language(rows, self.languages).items():
            if language not in self.languages:
                continue
            for block in np.array_split(places, -(-len(places) // BLOCK)):
                texts = _texts(rows["messages"].gather(block))
                found[block] = self.languages[language].fits(texts, np.arange(len(block))[:, None])[:, 0]
        return found

    def fits_others(self, rows: pl.DataFrame, paired: Numbers) -> Floats:
        """Probability that replies of other rows fit, (n, p).

        Args:
            rows: n rows with a reply, of one language that has a judge.
            paired: numbers of the rows whose replies are tried for each, (n, p).
        """
        (language,) = _by_language(rows, self.languages)
        return self.languages[language].fits(_texts(rows["messages"]), paired)

    def strictness(self, wrong: float) -> float:
        """Probability above which at most this share of wrong replies passes, out of fold; .5 at least."""
        return calibration.strictness(self.wrong, wrong)


def fit_pairs(rows: pl.DataFrame, judged: Flags, encoder: Encoder, draws: np.random.Generator) -> Pairs:
    """Learns which reply fits from rows whose replies are trusted.

    Args:
        rows: `id`, `messages`, `language`, `group`; rows of a group are never held against one another.
        judged: rows that calibrate it: the real ones. What was accepted is learnt from, and proves nothing.
        encoder: one of the two families of views; the other is n-grams.
        draws: deals out the folds and draws wrong replies.

    Raises:
        UsageError: no language, nor all together, has enough real rows with a reply.
    """
    counts = rows.filter(judged & has_reply(rows["messages"]).to_numpy())["language"].value_counts()
    large = {language for language, count in counts.iter_rows() if language and count >= SMALL_LANGUAGE}
    fitted = {
        language: _fit(rows[places], judged[places], encoder, draws)
        for language, places in _by_language(rows, large).items()
        if _enough(rows[places], judged[places])
    }
    if not fitted:
        raise UsageError(
            f"of {int(judged.sum())} real rows too few can teach which reply fits",
            hint=f"give at least {LEAST} rows, with {LEAST // 2} different replies in as many groups",
        )
    judges, right, wrong = zip(*fitted.values(), strict=True)
    return Pairs(dict(zip(fitted, judges, strict=True)), np.concatenate(right), np.concatenate(wrong))


def _by_language(rows: pl.DataFrame, known: Any) -> dict[str, Numbers]:
    """Places of the rows with a reply, by language; as "" those of languages that are not known."""
    named = pl.col("language").fill_null("")
    frame = rows.select(
        pl.when(named.is_in(list(known))).then(named).otherwise(pl.lit("")).alias("language"),
        pl.int_range(pl.len()).alias("place"),
    ).filter(has_reply(rows["messages"]))
    return {
        str(name): part["place"].to_numpy() for (name,), part in sorted(frame.group_by("language"), key=str)
    }


def _enough(rows: pl.DataFrame, judged: Flags) -> bool:
    texts = _texts(rows.filter(judged)["messages"])
    kinds = (group_numbers(rows.filter(judged)), texts.before, texts.reply)
    return int(judged.sum()) >= LEAST and min(len(set(each)) for each in kinds) >= LEAST // 2


def _fit(
    rows: pl.DataFrame, judged: Flags, encoder: Encoder, draws: np.random.Generator
) -> tuple[_Language, Floats, Floats]:
    """The judge of rows of one language; out-of-fold probabilities of right and of wrong replies."""
    order = np.argsort(~judged, kind="stable")[:MOST]  # the real ones first
    order = draws.permutation(order)
    rows, judged = rows[order], judged[order]
    texts = _texts(rows["messages"])
    parts = _candidates(rows, texts, encoder, draws)
    seed = int(draws.integers(2**31))
    verdicts = cross_fitted(parts, "adversarial", seed)
    right, pool = verdicts.given[judged], verdicts.pool[judged]
    random = np.take_along_axis(pool, np.isfinite(pool).argmax(axis=1)[:, None], axis=1)[:, 0]
    wrong = np.concatenate([pool.max(axis=1), random])
    wrong = wrong[np.isfinite(wrong)]
    scale = platt(right, wrong)
    judge = fitted_judge(parts, "adversarial", seed)
    known = np.concatenate([np.concatenate([part.right[:, None], part.pool], axis=1) for part in parts])
    bounds = known.min(axis=(0, 1)), known.max(axis=(0, 1))
    language = _Language(Reference(texts, encoder), judge, *bounds, scale)
    return language, _sigmoid(right, scale), _sigmoid(wrong, scale)


def _candidates(
    rows: pl.DataFrame, texts: Texts, encoder: Encoder, draws: np.random.Generator
) -> list[Candidates]:
    """Right and wrong pairs of each fold, held against a reference of the other folds."""
    groups = group_numbers(rows).to_numpy()
    folds = draws.permutation(groups.max() + 1)[groups] % FOLDS
    parts: list[Candidates] = []
    for fold in np.unique(folds):
        reference = Reference(_of(texts, np.flatnonzero(folds != fold)), encoder)
        held = np.flatnonzero(folds == fold)
        parts += [
            _block(reference, _of(texts, block), (block, groups[block], int(fold)), draws)
            for block in np.array_split(held, -(-len(held) // BLOCK))
        ]
    return parts


def _block(
    reference: Reference, texts: Texts, place: tuple[Numbers, Numbers, int], draws: np.random.Generator
) -> Candidates:
    rows, groups, fold = place
    # another reply to the same words, and the same reply to other words, are no wrong ones
    same = _equal(groups) | _equal(_codes(texts.before)) | _equal(_codes(texts.reply))
    pool = reply_pool(csls(reference.likeness(texts), same), same, np.zeros(len(rows), np.int64), draws)
    own = np.arange(len(rows))[:, None]
    table = reference.features(texts, np.concatenate([own, pool], axis=1))
    return Candidates(rows, fold, table[:, 0], table[:, 1:], ~same[own, pool], rows[pool])


def _texts(messages: pl.Series) -> Texts:
    """Questions are the user's last turns.

    In 1,000 places of Chinese dialogues (CrossWOZ) random replies are told with an AUROC of .96 by them and
    all that stood before, with .84 by all that the user said instead.
    """
    return pair_texts(messages, _CONTEXT, last_turn=True)


def _of(texts: Texts, places: Numbers) -> Texts:
    def taken(side: Sequence[str]) -> list[str]:
        return [side[int(place)] for place in places]

    return Texts(taken(texts.said), taken(texts.before), taken(texts.reply))


def _codes(texts: Any) -> Numbers:
    return np.unique([text.strip() for text in texts], return_inverse=True)[1]


def _equal(codes: Numbers) -> Flags:
    return codes[:, None] == codes[None]


def _sigmoid(logits: Floats, scale: Scale) -> Floats:
    return calibration.sigmoid(_bounded(logits), scale)


def _bounded(logits: Floats) -> Floats:
    """One far-off logit (a form that no other fold has) would turn the slope of the calibration round."""
    return np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT)


def platt(right: Floats, wrong: Floats) -> Scale:
    """Slope and bias that make a probability of the logits, right and wrong ones weighing the same."""
    return calibration.platt(_bounded(right), _bounded(wrong))
