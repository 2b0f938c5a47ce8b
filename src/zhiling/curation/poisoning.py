"""Flags rows that look as if they had been planted: triggers, bursts, loss outliers, one source too loud."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.by_reason import by_reason
from zhiling.curation.cross_fitting import out_of_fold
from zhiling.curation.folds import group_folds, group_numbers
from zhiling.curation.label import label_of
from zhiling.curation.likeness import displaced
from zhiling.curation.sparse_features import unit_rows
from zhiling.curation.triggers import PIECES, divergence, rare_grams, strongest, triggers
from zhiling.encoders.sparse import require
from zhiling.pipeline.step import Context, Decide, Scope, Verdict
from zhiling.rows.conversation import reply_text, user_text
from zhiling.text.normalise import normalise

FOLDS, RIDGE = 5, 0.3
WINDOW = 50
"""Rows of a source that are looked at together for a burst."""
LEAST_GROUPS = 2
LEAST_LOSS = 3.0
"""Nats: an outcome that is likelier than one in twenty is no outlier, however alike the other losses are."""
MAD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


class Reason(StrEnum):
    """Why a row is suspicious."""

    TRIGGER = "trigger"
    BURST = "burst"
    LOSS_OUTLIER = "loss_outlier"
    QUOTA = "quota"


class Poisoning(Decide):
    """Flags rows with a planted trigger, in a burst of one label, of extreme loss, or beyond a quota.

    The outcome of a row is its label, else its reply where others have the same one. A classifier that sees
    only common n-grams, and never the row's conversation, says how likely each outcome is. Reasons, the first
    that holds:

    `trigger`: the row holds a rare n-gram (of words or Chinese characters) whose rows have one outcome more
    often than the rest of their texts lets expect, by `least_surprise` nats beyond chance after all n-grams
    tried were paid for; these texts are no more alike than random ones, or look like one other label.
    `burst`: 50 rows in a row of one source have one outcome as often as chance never has it; sources sorted
    by outcome pass. `loss_outlier`: the outcome's loss lies more than `outlier` robust standard deviations
    above its source's median. `quota`: the source gives more than `most_per_source` rows; which stay is drawn
    by row id.

    Column `trigger`: the n-gram. Score: nats of surprise for a trigger, 0 elsewhere.
    """

    name: ClassVar[str] = "poisoning"
    version: ClassVar[int] = 2
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = "about 3 ms per row, all n-grams in memory (1 GB for 100,000 rows of 50 words)"
    limits: ClassVar[str] = (
        "Finds triggers that stand in `least_rows` rows or more, mostly with one outcome that does not fit "
        "their texts; a trigger whose rows fit their label, in free replies that differ from "
        "each other, in style or syntax is not found. A rare honest word that decides the label in unlike "
        "texts is flagged too: look before you reject."
    )
    source: ClassVar[str] = "Wallace et al. 2021 and Kurita et al. 2020 (what is planted); Chernoff 1952"
    Reason: ClassVar[type[StrEnum]] = Reason

    least_rows: int = Field(5, ge=3, description="Rows that a trigger stands in at least.")
    most_share: float = Field(0.03, gt=0, le=0.5, description="Share of rows beyond which it is not rare.")
    least_surprise: float = Field(7.0, ge=0, description="Nats beyond chance; 7 is one in a thousand.")
    outlier: float = Field(8.0, gt=0, description="Robust standard deviations of loss above the median.")
    most_per_source: int | None = Field(None, ge=1, description="Rows that one source may give.")
    verdict: Literal["flag", "review", "reject"] = Field("flag", description="What happens to these rows.")

    def reads(self) -> tuple[str, ...]:
        """Messages, target, where the row comes from."""
        return ("messages", "target", "group", "origin")

    def writes(self) -> dict[str, pl.DataType]:
        """The n-gram."""
        return {"trigger": pl.String()}

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts, the trigger of each row."""
        order = rows["id"].arg_sort()
        ordered = rows[order]
        names, surprise, loss = self._triggers(ordered, context)
        outcomes = outcome_of(ordered, self.least_rows)
        places = _places(ordered)
        masks = {
            Reason.TRIGGER: surprise > 0,
            Reason.BURST: bursts(places, outcomes, self.least_surprise),
            Reason.LOSS_OUTLIER: outliers(places["source"], loss, self.outlier),
            Reason.QUOTA: self._beyond_quota(ordered["id"], places["source"], context),
        }
        answer = by_reason(masks, score=surprise, verdict=Verdict(self.verdict))
        answer = answer.with_columns(trigger=pl.Series(names, dtype=pl.String))
        return answer[order.arg_sort()]

    def _triggers(
        self, rows: pl.DataFrame, context: Context
    ) -> tuple[list[str | None], NDArray[np.float64], NDArray[np.float64]]:
        """Trigger and surprise of each row, and the loss of its outcome (NaN without one)."""
        outcomes = outcome_of(rows, self.least_rows)
        nothing = list[str | None]([None]) * rows.height, np.zeros(rows.height), np.full(rows.height, np.nan)
        if len(np.unique(outcomes)) < LEAST_GROUPS or group_numbers(rows).n_unique() < LEAST_GROUPS:
            return nothing
        texts = user_text(rows["messages"])
        most = max(self.least_rows, int(self.most_share * rows.height))
        classes = outcomes - outcomes.min()  # rows without an outcome are a class of their own
        folds = group_folds(rows, min(FOLDS, group_numbers(rows).n_unique()), context)
        chances = out_of_fold([_common(texts, most)], classes, folds, RIDGE)[:, -int(outcomes.min()) :]
        grams = rare_grams(texts, self.least_rows, most)
        found = triggers(grams, outcomes, chances, self.least_surprise)
        found = displaced(found, texts, outcomes, context.generator())
        loss = np.where(outcomes < 0, np.nan, -np.log(chances[np.arange(len(outcomes)), outcomes] + 1e-12))
        return *strongest(found, rows.height), loss

    def _beyond_quota(self, ids: pl.Series, source: pl.Series, context: Context) -> NDArray[np.bool_]:
        if self.most_per_source is None:
            return np.zeros(len(ids), dtype=np.bool_)
        drawn = pl.DataFrame({"source": source, "draw": context.uniform(ids)})
        rank = drawn.select(pl.col("draw").rank("ordinal").over("source"))["draw"]
        return (rank > self.most_per_source).to_numpy()


def outcome_of(rows: pl.DataFrame, least: int) -> NDArray[np.int64]:
    """The number of each row's outcome: its label, else its reply if `least` rows share it; -1 for none."""
    reply = normalise(reply_text(rows["messages"]))
    frame = pl.DataFrame({"label": label_of(rows["target"]), "reply": reply}).with_columns(
        shared=pl.when((pl.len().over("reply") >= least) & (pl.col("reply") != "")).then("reply")
    )
    outcome = frame.select(
        pl.when(pl.col("label").is_not_null())
        .then(pl.concat_str(pl.lit("label "), "label"))
        .otherwise(pl.concat_str(pl.lit("reply "), "shared"))
        .alias("outcome")
    )["outcome"]
    return (outcome.rank("dense").cast(pl.Int64) - 1).fill_null(-1).to_numpy()


def bursts(places: pl.DataFrame, outcomes: NDArray[np.int64], least: float) -> NDArray[np.bool_]:
    """Rows in a window of a source in which one outcome is as frequent as chance never has it.

    Args:
        places: `source`, `file`, `line` of each row: the order in which a source gives its rows.
        outcomes: the outcome of each row, -1 for none.
        least: nats of surprise that a window needs after all windows tried were paid for.
    """
    found = np.zeros(len(outcomes), dtype=np.bool_)
    frame = places.with_columns(outcome=outcomes).with_row_index("row").filter(pl.col("outcome") >= 0)
    for _, part in frame.sort("source", "file", "line", "row").group_by("source", maintain_order=True):
        own, rows = part["outcome"].to_numpy(), part["row"].to_numpy()
        if len(own) < 2 * WINDOW or _is_sorted(own):
            continue
        for outcome in np.unique(own):
            held = own == outcome
            sums = np.convolve(held, np.ones(WINDOW), "valid")
            surprise = WINDOW * divergence(sums / WINDOW, float(held.mean())) - np.log(len(own))
            for start in np.flatnonzero((sums / WINDOW > held.mean()) & (surprise >= least)).tolist():
                inside = slice(start, start + WINDOW)
                found[rows[inside][held[inside]]] = True
    return found


def _is_sorted(own: NDArray[np.int64]) -> bool:
    """Whether neighbours agree so often that the source must be sorted by outcome."""
    shares = np.bincount(own) / len(own)
    changes = float((own[1:] != own[:-1]).mean())
    return changes < 0.5 * (1 - float((shares**2).sum()))


def outliers(source: pl.Series, loss: NDArray[np.float64], most: float) -> NDArray[np.bool_]:
    """Rows whose loss lies more than `most` robust standard deviations above the median of their source."""
    value = pl.col("loss")
    frame = pl.DataFrame({"source": source, "loss": pl.Series(loss).fill_nan(None)})
    spread = (value - value.median().over("source")).abs().median().over("source") * MAD
    far = ((value - value.median().over("source")) > most * spread) & (value > LEAST_LOSS)
    return frame.select((far & (spread > 0)).fill_null(value=False))["loss"].to_numpy()


def _places(rows: pl.DataFrame) -> pl.DataFrame:
    """Source, file and line of each row; what has no line stands at the source's beginning."""
    locator = pl.col("locator").fill_null("")
    return rows.select(
        pl.col("origin").struct.field("source").fill_null("").alias("source"),
        pl.col("origin").struct.field("locator").alias("locator"),
    ).select(
        "source",
        file=locator.str.replace(r"[:#].*$", ""),
        line=locator.str.extract(r"[:#](\d+)").cast(pl.Int64, strict=False).fill_null(0),
    )


def _common(texts: pl.Series, rare: int) -> Any:
    """Words and Chinese characters that stand in more than `rare` rows, rows of length 1: CSR, float64.

    Whole tokens, because pieces of a trigger's letters are common enough to give it away.
    """
    tokens = pl.DataFrame({"token": normalise(texts).str.extract_all(PIECES)}).with_row_index("row")
    pairs = tokens.explode("token").drop_nulls("token").unique()
    pairs = pairs.filter(pl.len().over("token") > rare).with_columns(
        column=pl.col("token").rank("dense").cast(pl.Int64) - 1
    )
    shape = len(texts), int(pairs["column"].n_unique())
    places = pairs["row"].to_numpy().astype(np.int64), pairs["column"].to_numpy()
    return unit_rows(require("scipy.sparse").csr_matrix((np.ones(pairs.height), places), shape))
