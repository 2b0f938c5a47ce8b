"""Label errors: how well each row's label agrees with what all other rows say."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.answer_errors import judged_answers
from zhiling.curation.answer_spans import Asked, asked_rows
from zhiling.curation.cross_fitting import out_of_fold_scores
from zhiling.curation.entity_errors import DOUBTS, judged_entities, judged_rows
from zhiling.curation.folds import group_folds, group_numbers
from zhiling.curation.label import label_of
from zhiling.curation.label_noise import Beliefs, beliefs
from zhiling.curation.sparse_features import ngram_matrix
from zhiling.pipeline.step import Context, Measure, Scope
from zhiling.rows.conversation import all_text, reply_text, user_text
from zhiling.text.normalise import normalise

LONGEST_NGRAM = 4
NGRAM_SHARE = 0.3
"""Weight of the n-grams beside an encoder's vectors. Errors between near labels of CLINC150 are found with
average precision .844 with the encoder alone, .898 with this share, .883 with equal weights."""
SHORT_REPLY = 3
"""A reply of at most this many times the label's length is taken for the label itself."""


class LabelErrors(Measure):
    """Writes how probable it is that each row's label is right, judged by all rows of other conversations.

    `score` is the probability that the given label is right minus that it is wrong, from -1 (surely wrong)
    to 1; at 0 it is as likely wrong as right, so a `threshold` with `at_least: 0` removes as many rows as
    seem to be wrong, few or many. `suggested` is the most probable label by the text alone, and
    `probability` its probability.
    A classifier scores each label, fitted on the other folds; a conversation or document is never on both
    sides. How often labels are wrong in this table, and which becomes which, is learnt from the scores.

    A row whose answer is a place in a passage is judged by how much better that span answers the question
    than other spans of the passage, as a classifier has learnt from other passages; `suggested` is the best
    of these others (null where there is none), `probability` its share among all of them. Where several
    answers are given, one right one is enough.

    With `level: sentence` the entities of a row are judged token by token: `score` is the probability of the
    least likely tag, 0 to 1, `suggested` the likeliest tag there. `level: token` adds `tokens`: where each
    token stands whose tag is not the likeliest one.
    """

    name: ClassVar[str] = "label_errors"
    about = ("classification", "ner", "qa")
    version: ClassVar[int] = 4
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = (
        "two encodings per row (none with `features: ngrams`), then 2 ms per row; answers 5 ms, no encoder"
    )
    limits: ClassVar[str] = (
        "Templated rows of entities and answers pass by, and so do answers without a place, or whose place "
        "holds another text. A wrong answer of the right kind beside the right one is hardly seen, nor one "
        "that begins or ends a few words off. Spans take 8 KB of memory per question. "
        "Labels in fewer than `groups_per_label` conversations, or in a table with one label only, pass by. "
        "Errors that follow a rule (all of one source) are learnt, not found. Where a table has few errors "
        "(some 15) hardly a score is below 0: look at the lowest ones. With `on: all` a reply that "
        "belongs to another question makes the label look wrong."
    )
    source: ClassVar[str] = (
        "Rifkin et al. 2003 (classifier); Dawid and Skene 1979, Patrini et al. 2017, Northcutt et al. 2021 "
        "(which label becomes which, out of fold); Wang and Mueller 2022 (entities); "
        "Elkan and Noto 2008, Blanchard et al. 2010 (answers)"
    )

    level: Literal["row", "sentence", "token"] = Field(
        "row",
        description="What is judged: the label or the answer of a row; or its entities, by the worst token, "
        "and with `token` also each doubtful token.",
    )
    on: Literal["user", "all"] = Field(
        "all", description="What the label is judged by: the user's turns, or the replies as well."
    )
    features: Literal["encoder", "ngrams", "both"] = Field("both", description="What texts are compared by.")
    folds: int = Field(8, ge=2, le=50, description="Number of folds.")
    groups_per_label: int = Field(3, ge=2, description="Labels in fewer groups (conversations) pass by.")
    ridge: float = Field(0.5, gt=0, description="Penalty on the classifier's weights.")

    def reads(self) -> tuple[str, ...]:
        """Messages, target, and the group for the folds."""
        return ("messages", "target", "group")

    def writes(self) -> dict[str, pl.DataType]:
        """Belief in what is given, the likeliest, its probability; with `level: token` doubtful tokens."""
        written: dict[str, pl.DataType] = {
            "score": pl.Float64(),
            "suggested": pl.String(),
            "probability": pl.Float64(),
        }
        return written | ({"tokens": DOUBTS} if self.level == "token" else {})

    def uses_encoder(self) -> bool:
        """Unless n-grams alone are asked for, or tokens are judged."""
        return self.level == "row" and self.features != "ngrams"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a label (one of several) or an answer that stand in enough groups; or with entities."""
        if self.level != "row":
            return judged_rows(rows)
        return self._labelled(rows) | self._answered(rows)

    def _labelled(self, rows: pl.DataFrame) -> pl.Series:
        frame = pl.DataFrame({"label": label_of(rows["target"]), "owner": group_numbers(rows)})
        common = frame.drop_nulls("label").group_by("label").agg(groups=pl.col("owner").n_unique())
        common = common.filter(pl.col("groups") >= self.groups_per_label)["label"]
        if len(common) < 2:
            return pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)
        return frame["label"].is_in(common.implode()).fill_null(value=False)

    def _answered(self, rows: pl.DataFrame) -> pl.Series:
        asked = asked_rows(rows)
        mask = pl.Series([each is not None for each in asked], dtype=pl.Boolean)
        owners = _by_passage(rows.filter(mask), [each for each in asked if each])
        return mask & (owners["group"].n_unique() >= self.groups_per_label)

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score`, `suggested`, `probability` of each row, and `tokens` where they are asked for."""
        if not rows.height:
            return pl.DataFrame(schema=self.writes())
        order = rows["id"].arg_sort()
        ordered = rows[order]
        if self.level != "row":
            found = judged_entities(ordered, self._folds(ordered, context))
            return found.select(*self.writes())[order.arg_sort()]
        asked = asked_rows(ordered)
        answered = pl.Series([each is not None for each in asked], dtype=pl.Boolean)
        parts = [(~answered, self._labels), (answered, self._answers)]
        judged = [judge(ordered.filter(part), context) for part, judge in parts if part.any()]
        places = pl.concat([part.arg_true() for part, _ in parts])
        return pl.concat(judged)[places.arg_sort()][order.arg_sort()]

    def _folds(self, rows: pl.DataFrame, context: Context) -> NDArray[np.int64]:
        return group_folds(rows, min(self.folds, group_numbers(rows).n_unique()), context)

    def _labels(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        given = label_of(rows["target"])
        names = given.unique().sort()
        classes = given.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
        features = self._features(rows, given, context)
        scores = out_of_fold_scores(features, classes, self._folds(rows, context), self.ridge)
        return _judged(beliefs(scores, classes), names)

    def _answers(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        asked = [each for each in asked_rows(rows) if each]
        found = judged_answers(asked, self._folds(_by_passage(rows, asked), context))
        return found.select(*self.writes())

    def _features(self, rows: pl.DataFrame, given: pl.Series, context: Context) -> list[Any]:
        user = user_text(rows["messages"])
        counts = (
            pl.repeat(value=False, n=rows.height, eager=True) if self.on == "user" else ~_tells(rows, given)
        )
        parts: list[Any] = []
        if self.features != "ngrams":
            # Turn by turn costs less than the whole, and other steps use the same vectors.
            reply = _where(counts, reply_text(rows["messages"]), "")
            vectors = context.encoder.encode(user.to_list()) + context.encoder.encode(reply.to_list())
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            parts.append(vectors / np.where(lengths == 0, 1, lengths))
        if self.features != "encoder":
            whole = _where(counts, all_text(rows["messages"]), user)
            share = NGRAM_SHARE if self.features == "both" else 1
            parts.append(ngram_matrix(whole.to_list(), LONGEST_NGRAM) * np.float32(share**0.5))
        return parts


def _by_passage(rows: pl.DataFrame, asked: list[Asked]) -> pl.DataFrame:
    """`id` and `group` of rows with answers; where none is given, the passage is the group."""
    passages = pl.Series([each.passage for each in asked], dtype=pl.String)
    return rows.select("id", "group").with_columns(pl.col("group").fill_null(passages))


def _where(mask: pl.Series, texts: pl.Series, otherwise: pl.Series | str) -> pl.Series:
    return pl.select(pl.when(mask).then(texts).otherwise(pl.lit(otherwise)).alias("text"))["text"]


def _tells(rows: pl.DataFrame, given: pl.Series) -> pl.Series:
    """True where the reply is little more than the label: as evidence it would give the label away."""
    reply = normalise(reply_text(rows["messages"]).str.replace_all("_", " "))
    label = normalise(given.str.replace_all("_", " "))
    short = reply.str.len_chars() <= SHORT_REPLY * label.str.len_chars()
    return pl.DataFrame({"reply": reply, "label": label}).select(
        pl.col("reply").str.contains(pl.col("label"), literal=True) & short
    )["reply"]


def _judged(found: Beliefs, names: pl.Series) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "score": 2 * found.right - 1,
            "suggested": names[found.by_text.argmax(axis=1)],
            "probability": found.by_text.max(axis=1),
        }
    )
