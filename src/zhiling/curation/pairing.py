"""Pairing: does the reply fit the question."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.folds import group_folds, group_numbers
from zhiling.curation.pairing_judge import Candidates, Negatives, Verdicts, cross_fitted
from zhiling.curation.pairing_space import PairSpace, Texts, pair_texts
from zhiling.pipeline.step import Context, Measure, Scope
from zhiling.rows.conversation import has_reply

FOLDS = 5
BLOCK_ROWS = 2000
"""Rows that are compared with one another: time is linear in the rows."""
SMALL_LANGUAGE = 50
FEWEST_ROWS = 20


class Pairing(Measure):
    """Writes how probable it is that the reply belongs to its question and not to another one, 0 to 1.

    A discriminator per language learns, on other conversations, to tell given pairs from wrong ones that it
    finds hard itself, by cosines corrected for popularity in several views of the texts. The question is what
    the user said so far, and the conversation before the reply. `score` is the probability where given and
    random pairs are equally frequent: random pairs lie below 0.5, and one right pair in ten. `csls` is the
    plain alternative beside it, a neighbourhood-corrected cosine from -4 to 4 of the first view.
    """

    name: ClassVar[str] = "pairing"
    about = ("dialogue", "matching")
    version: ClassVar[int] = 3
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = "two encodings per row (none with `features: ngrams`), then 10 to 20 ms per row"
    limits: ClassVar[str] = (
        "A reply to another question about the same thing fits. Languages of fewer than 50 rows are judged "
        "together, and pass by where that leaves fewer than 20. Languages are those of the source."
    )
    source: ClassVar[str] = (
        "Lample et al. 2018 (CSLS); Deerwester et al. 1990 (topics); Shrivastava et al. 2016 (hard negatives)"
    )

    features: Literal["encoder", "ngrams", "both"] = Field("both", description="What texts are compared by.")
    negatives: Negatives = Field(
        "adversarial",
        description="Wrong pairs to learn from: random; the nearest too; or, mined after each fit, those "
        "that the discriminator takes for right.",
    )

    def reads(self) -> tuple[str, ...]:
        """Messages, language, and the group for the folds."""
        return ("messages", "language", "group")

    def writes(self) -> dict[str, pl.DataType]:
        """The probability, and the corrected cosine as a baseline."""
        return {"score": pl.Float64(), "csls": pl.Float64()}

    def uses_encoder(self) -> bool:
        """Unless n-grams alone are asked for."""
        return self.features != "ngrams"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply, where there are enough to compare with: of several groups, asked differently."""
        replied = has_reply(rows["messages"])
        asked = pl.Series(pair_texts(rows["messages"]).before, dtype=pl.String)
        frame = pl.DataFrame(
            {"pool": _pools(rows, replied), "owner": group_numbers(rows), "asked": asked, "r": replied}
        )
        enough = pl.col("r").sum() >= FEWEST_ROWS
        # a wrong pair is made of two groups and two questions, in what each fold learns from
        for column, least in (("owner", FEWEST_ROWS // 2), ("asked", FOLDS + 1)):
            enough &= pl.col(column).filter("r").n_unique() >= least
        return frame.select(pl.col("r") & enough.over("pool"))["r"]

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score` and `csls` of each row."""
        order = rows["id"].arg_sort()
        ordered = rows[order]
        pools = _pools(ordered, pl.repeat(value=True, n=rows.height, dtype=pl.Boolean, eager=True))
        judged = np.full((2, rows.height), np.nan)
        for pool in pools.unique().sort():
            chosen = (pools == pool).arg_true()
            verdicts, corrected = self.judged(ordered[chosen], context)
            judged[:, chosen.to_numpy()] = verdicts.probabilities(), corrected
        return pl.DataFrame({"score": judged[0], "csls": judged[1]})[order.arg_sort()]

    def judged(self, rows: pl.DataFrame, context: Context) -> tuple[Verdicts, NDArray[np.float64]]:
        """Out-of-fold verdicts on the rows of one language and on wrong pairs, and corrected cosines.

        Args:
            rows: `id`, `messages`, `group`; numbered in this order in the verdicts.
            context: gives the encoder and the random order.
        """
        folds = group_folds(rows, FOLDS, context)
        groups = group_numbers(rows).to_numpy()
        texts = pair_texts(rows["messages"])
        asked = pl.Series(texts.before, dtype=pl.String).rank("dense").to_numpy()
        space = self._space(texts, context)
        generator = context.generator()
        parts: list[Candidates] = []
        corrected = np.zeros(rows.height)
        for block in np.array_split(np.arange(rows.height), -(-rows.height // BLOCK_ROWS)):
            # Another reply to the same words is no wrong one: it must not be learnt as such.
            same = _equal(groups[block]) | _equal(asked[block])
            found, corrected[block] = space.candidates(block, folds[block], same, generator)
            parts += found
        return cross_fitted(parts, self.negatives, context.seed), corrected

    def _space(self, texts: Texts, context: Context) -> PairSpace:
        encoder = None if self.features == "ngrams" else context.encoder
        return PairSpace(texts, encoder, ngrams=self.features != "encoder")


def _equal(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return codes[:, None] == codes[None]


def _pools(rows: pl.DataFrame, replied: pl.Series) -> pl.Series:
    """The language of each row, empty where it has too few replies for a judge of its own."""
    frame = pl.DataFrame({"language": rows["language"].fill_null(""), "replied": replied})
    enough = pl.col("replied").sum().over("language") >= SMALL_LANGUAGE
    return frame.select(pl.when(enough).then("language").otherwise(pl.lit("")).alias("pool"))["pool"]
