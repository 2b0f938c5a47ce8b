"""Label errors: how well each row's label agrees with what all other rows say."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.cross_fitting import out_of_fold
from zhiling.curation.folds import group_folds
from zhiling.curation.label import label_of
from zhiling.encoders.hashing import HashingEncoder
from zhiling.pipeline.step import Context, Measure, Scope
from zhiling.rows.conversation import all_text, reply_text, user_text
from zhiling.text.normalise import normalise

SHORT_REPLY = 3
"""A reply of at most this many times the label's length is taken for the label itself."""


class LabelErrors(Measure):
    """Writes how much more a classifier that never saw the row believes in its label than in any other.

    `score` is the probability of the given label minus the highest other one, from -1 (surely wrong) to 1;
    `suggested` is the most probable label and `probability` its probability. The classifiers are fitted on
    the other folds; a conversation or document is never on both sides.
    """

    name: ClassVar[str] = "label_errors"
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = "one encoding per row, then 1 s per 1,000 rows and 2,400 features"
    limits: ClassVar[str] = (
        "Labels in fewer than `groups_per_label` conversations, or in a table with one label only, pass by. "
        "Errors that follow a rule (all of one source) are learnt, not found. With `on: all` a reply that "
        "belongs to another question makes the label look wrong."
    )
    source: ClassVar[str] = "Northcutt et al. 2021 (self-confidence, out of fold); Rifkin et al. 2003"

    on: Literal["user", "all"] = Field(
        "all", description="What the label is judged by: the user's turns, or the replies as well."
    )
    features: Literal["encoder", "ngrams", "both"] = Field("both", description="What texts are compared by.")
    folds: int = Field(8, ge=2, le=50, description="Number of folds.")
    groups_per_label: int = Field(3, ge=2, description="Labels in fewer groups (conversations) pass by.")
    ridge: float = Field(0.3, gt=0, description="Penalty on the classifier's weights.")

    def reads(self) -> tuple[str, ...]:
        """Messages, target, and the group for the folds."""
        return ("messages", "target", "group")

    def writes(self) -> dict[str, pl.DataType]:
        """Margin of the given label, the best label, its probability."""
        return {"score": pl.Float64(), "suggested": pl.String(), "probability": pl.Float64()}

    def uses_encoder(self) -> bool:
        """Unless n-grams alone are asked for."""
        return self.features != "ngrams"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a label that stands in enough groups, if there are two such labels."""
        frame = pl.DataFrame({"label": label_of(rows["target"]), "owner": rows["group"].fill_null(rows["id"])})
        common = frame.drop_nulls("label").group_by("label").agg(groups=pl.col("owner").n_unique())
        common = common.filter(pl.col("groups") >= self.groups_per_label)["label"]
        if len(common) < 2:
            return pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)
        return frame["label"].is_in(common.implode()).fill_null(value=False)

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score`, `suggested`, `probability` of each row."""
        if not rows.height:
            return pl.DataFrame(schema=self.writes())
        order = rows["id"].arg_sort()
        ordered = rows[order]
        given = label_of(ordered["target"])
        names = given.unique().sort()
        classes = given.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
        count = min(self.folds, ordered["group"].fill_null(ordered["id"]).n_unique())
        folds = group_folds(ordered, count, context)
        probabilities = out_of_fold(self._features(ordered, given, context), classes, folds, self.ridge)
        answer = _judge(probabilities, classes, names)
        return answer[order.arg_sort()]

    def _features(self, rows: pl.DataFrame, given: pl.Series, context: Context) -> NDArray[np.float32]:
        texts = self._texts(rows, given).to_list()
        parts: list[NDArray[np.float32]] = []
        if self.features != "ngrams":
            parts.append(context.encoder.encode(texts))
        if self.features != "encoder":
            parts.append(HashingEncoder().encode(texts))
        return np.concatenate(parts, axis=1)

    def _texts(self, rows: pl.DataFrame, given: pl.Series) -> pl.Series:
        """What the label is judged by; a reply that is little more than the label itself would give it away."""
        user = user_text(rows["messages"])
        if self.on == "user":
            return user
        reply, label = normalise(reply_text(rows["messages"])), normalise(given.str.replace_all("_", " "))
        frame = pl.DataFrame({"reply": reply.str.replace_all("_", " "), "label": label, "user": user})
        tells = pl.col("reply").str.contains(pl.col("label"), literal=True) & (
            pl.col("reply").str.len_chars() <= SHORT_REPLY * pl.col("label").str.len_chars()
        )
        whole = all_text(rows["messages"])
        return frame.select(pl.when(tells).then("user").otherwise(pl.lit(whole)).alias("text"))["text"]


def _judge(probabilities: NDArray[np.float64], classes: NDArray[np.int64], names: pl.Series) -> pl.DataFrame:
    rows = np.arange(len(classes))
    given = probabilities[rows, classes]
    others = probabilities.copy()
    others[rows, classes] = -1
    best = probabilities.argmax(axis=1)
    return pl.DataFrame(
        {"score": given - others.max(axis=1), "suggested": names[best], "probability": probabilities[rows, best]}
    )
