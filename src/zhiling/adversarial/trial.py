"""One round's trial: the discriminators learn, judge, and are judged themselves; the student learns."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.adversarial.acceptance import Acceptance
from zhiling.adversarial.discriminators.match import Match, wrong_labels
from zhiling.adversarial.discriminators.real import LEAST, Judged, Side, judge_real
from zhiling.adversarial.discriminators.transformer import TransformerMatch, fit_labels, spoken
from zhiling.adversarial.features import features
from zhiling.adversarial.guards.copies import copied
from zhiling.adversarial.guards.figures import LEAST_ROWS
from zhiling.adversarial.guards.judge import fresh_judge
from zhiling.adversarial.guards.probes import Probes, probed
from zhiling.adversarial.guards.rounds import Offers, Round
from zhiling.adversarial.guards.rules import alarms, last_forward
from zhiling.adversarial.guards.shift import label_shift, length_shift, topic_shift
from zhiling.adversarial.guards.spread import spread
from zhiling.adversarial.guards.usefulness import gain
from zhiling.adversarial.known import Known
from zhiling.adversarial.linear import Matrix
from zhiling.adversarial.marks import mark
from zhiling.adversarial.real import Real, labelled, real_rows, with_text
from zhiling.adversarial.writers import Writers, write_dropped
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import user_text

VERDICTS, ROUND, RIGHT = "verdicts.parquet", "round.json", "right.npy"

MOST_BELIEVED = 0.99
"""A generator's confidence counts for this much at most: one that says 1 of all its rows would overrule
`match`, and probes, which no generator wrote, would not show it."""

Flags = NDArray[np.bool_]
_TINY = 1e-9  # a probability that is lower says no more


class Reason(StrEnum):
    """Why a proposal was rejected."""

    MISMATCH = "mismatch"
    UNREAL = "unreal"
    UNKNOWN_LABEL = "unknown_label"
    BEYOND_QUOTA = "beyond_quota"


class Trial:
    """The rows of one round before real rows and those of the rounds before."""

    def __init__(
        self, rows: pl.DataFrame, reference: pl.DataFrame, context: Context, rules: Acceptance
    ) -> None:
        self._context, self._rules = context, rules
        self._real: Real = real_rows(reference, rules.held_back, context.seed, context.step_id)
        lines = reference.filter(reference["task"] == "utterance")
        self._lines = lines.with_columns(user_text(lines["messages"]).alias("text")).sort("id")
        marks = [mark("generator"), mark("round")]
        told = with_text(rows).with_columns(*marks, _confidence()).sort("id")
        self._rows = told.with_columns(self._written(told["text"]).alias("written"))
        before = with_text(reference.filter(labelled(reference))).with_columns(marks).sort("id")
        self._known = Known(self._real.anchors, before.filter(pl.col("generator").is_not_null()), context)
        self._earlier = [Round.from_json((each / ROUND).read_text("utf-8")) for each in context.earlier]

    def _written(self, texts: pl.Series) -> pl.Series:
        """Which texts no line of the log says word for word (bool)."""
        return ~texts.is_in(self._lines["text"].implode())

    def write(self, folder: Path) -> None:
        """Leaves verdicts, the round's figures and the student's answers in `folder`."""
        told = self._round.as_json()
        self._verdicts.with_columns(pl.lit(told).alias("round")).write_parquet(folder / VERDICTS)
        (folder / ROUND).write_text(told, encoding="utf-8")
        rung = alarms([*self._earlier, self._round], self._rules.guards)
        write_dropped([each.generator for each in rung if each.follows == "drop" and each.generator], folder)
        np.save(folder / RIGHT, self._right)

    # ---- the discriminators ----

    @cached_property
    def _match(self) -> Match:
        """Learnt from anchors and what was accepted before."""
        return self._known.match(self._known.before)

    @cached_property
    def _least(self) -> float:
        return (self._tuned or self._match).strictness(self._rules.wrong)

    @cached_property
    def _tuned(self) -> TransformerMatch | None:
        """The judge of labels that is asked for instead; of fewer real texts than it takes, the light one."""
        anchors = self._real.anchors
        if self._rules.transformer is None or anchors["text"].n_unique() < LEAST:
            return None
        own = self._known.numbers(anchors["label"])
        chances = self._match.probabilities(self._known.features(anchors["text"]))
        wrong = wrong_labels(chances, own, self._context.generator(3))
        return fit_labels(
            anchors["text"].to_list(), own, wrong, self._known.labels.to_list(), self._rules.transformer,
            self._context.generator(4),
        )  # fmt: skip

    def _fits(self, texts: pl.Series, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probability that each label fits its text."""
        if self._tuned is None:
            return self._match.fits(self._known.features(texts), labels)
        names = self._known.labels.gather(labels).to_list()
        return self._tuned.fits(texts.to_list(), [spoken(name) for name in names])

    @cached_property
    def _judged(self) -> Mapping[str, Judged]:
        """What tells the texts that each generator wrote from real ones; a real line is none of them."""
        held = self._known.features(self._real.held["text"])
        columns = ["id", "text", "group"]
        real = pl.concat([self._real.anchors.select(columns), self._lines.select(columns)])
        found: dict[str, Judged] = {}
        for number, name in enumerate(self._generators):
            made = _side(self._rows.filter("written", pl.col("generator") == name), self._context)
            others = real.filter(~pl.col("text").is_in(made.texts.implode()))
            found[name] = judge_real(
                _side(others, self._context), made, held, self._context.generator(10 + number)
            )
        return found

    @cached_property
    def _generators(self) -> list[str]:
        return self._rows["generator"].unique().sort().to_list()

    # ---- the verdicts ----

    @cached_property
    def _verdicts(self) -> pl.DataFrame:
        """`id`, `reason` (null: accepted), `match`, `right`, `real`, `apart`."""
        rows = self._rows.with_columns(pl.col("label").is_in(self._known.labels.implode()).alias("known"))
        known = rows["known"].to_numpy()
        texts = self._known.features(rows["text"])
        match, apart = np.zeros(rows.height), self._match.disagreement(texts)
        labelled_rows = rows.filter("known")
        match[known] = self._fits(labelled_rows["text"], self._known.numbers(labelled_rows["label"]))
        real = np.ones(rows.height)
        for name, judged in self._judged.items():
            real[(rows["written"] & (rows["generator"] == name)).to_numpy()] = judged.real
        alone = rows["confidence"].is_null().to_numpy()
        right = np.where(alone, match, both(match, rows["confidence"].fill_null(0.5).to_numpy()))
        fits = right > np.where(alone, self._least, self._rules.sure)
        told = rows.with_columns(
            pl.Series("match", match), pl.Series("right", right),
            pl.Series("real", real), pl.Series("apart", apart),
            pl.when(~pl.col("known")).then(pl.lit(str(Reason.UNKNOWN_LABEL)))
            .when(pl.Series(~fits)).then(pl.lit(str(Reason.MISMATCH)))
            .when(pl.Series(~self._passes(rows["id"], real))).then(pl.lit(str(Reason.UNREAL)))
            .otherwise(None).alias("reason"),
        )  # fmt: skip
        return self._within_quota(told).select("id", "reason", "match", "right", "real", "apart")

    def _passes(self, ids: pl.Series, real: NDArray[np.float64]) -> Flags:
        """The text is taken as often as its odds of being real say."""
        odds = real / np.maximum(1 - real, 1e-9)
        return (self._context.uniform(ids) < odds) | (not self._rules.rejection)

    def _within_quota(self, told: pl.DataFrame) -> pl.DataFrame:
        """Of each label the surest, so many that with those of earlier rounds the quota is not passed."""
        if self._rules.per_label is None:
            return told
        have = self._known.before.group_by("label").agg(have=pl.len())
        rank = pl.when(pl.col("reason").is_null()).then(pl.col("right")).otherwise(-1.0)
        told = told.join(have, on="label", how="left", maintain_order="left").with_columns(
            pl.col("have").fill_null(0), rank.rank("ordinal", descending=True).over("label").alias("rank")
        )
        beyond = pl.col("reason").is_null() & (pl.col("rank") + pl.col("have") > self._rules.per_label)
        reason = pl.when(beyond).then(pl.lit(str(Reason.BEYOND_QUOTA))).otherwise("reason").alias("reason")
        return told.with_columns(reason).drop("have", "rank")

    # ---- the student, the probes, the guards ----

    @cached_property
    def _now(self) -> pl.DataFrame:
        """The rows that the round adds."""
        accepted = self._verdicts.filter(pl.col("reason").is_null())["id"]
        return self._rows.filter(pl.col("id").is_in(accepted.implode()))

    @cached_property
    def _all(self) -> pl.DataFrame:
        """All accepted rows so far: `text`, `label`."""
        return pl.concat([self._known.before.select("text", "label"), self._now.select("text", "label")])

    @cached_property
    def _right(self) -> Flags:
        """Which of the rows held back the student of anchors and accepted rows has right."""
        return self._has_right(self._student)

    @cached_property
    def _right_alone(self) -> Flags:
        """The same of the anchors' student."""
        return self._has_right(self._student_alone)

    @cached_property
    def _student(self) -> Matrix:
        """What the student of anchors and accepted rows holds the rows held back for, (rows, labels)."""
        return self._answers(self._all)

    @cached_property
    def _student_alone(self) -> Matrix:
        """The same of the anchors' student."""
        return self._answers(self._all.clear())

    def _answers(self, more: pl.DataFrame) -> Matrix:
        student = self._match.learning(*self._known.beside(more))
        return student.probabilities(self._known.features(self._real.held["text"]))

    def _has_right(self, chances: Matrix) -> Flags:
        return chances.argmax(axis=1) == self._known.numbers(self._real.held["label"])

    def _likelihood(self, chances: Matrix) -> float | None:
        """Mean log probability of the labels of the rows held back."""
        own = self._known.numbers(self._real.held["label"])
        told = np.maximum(chances[np.arange(len(own)), own], _TINY)
        return float(np.log(told).mean()) if len(own) else None

    @cached_property
    def _probes(self) -> Probes:
        """Rows held back with their label, and with a wrong one: by turns the nearest and a random one."""
        held = self._real.held.filter(pl.col("label").is_in(self._known.labels.implode()))
        if not held.height:
            return probed(np.empty(0, np.bool_), np.empty(0, np.bool_))
        texts, own = self._known.features(held["text"]), self._known.numbers(held["label"])
        nearest, drawn = wrong_labels(self._match.probabilities(texts), own, self._context.generator(2))
        wrong = np.where(np.arange(len(own)) % 2, drawn, nearest)
        real = np.mean([each.beside for each in self._judged.values()] or [np.full(len(own), 0.5)], axis=0)
        passes = self._passes(held["id"], real)
        fits = (self._fits(held["text"], labels) > self._least for labels in (own, wrong))
        return probed(*(each & passes for each in fits))

    @cached_property
    def _round(self) -> Round:
        number = self._context.round or 1
        forward = last_forward(self._earlier)
        state = self._context.earlier[forward - 1] if forward else None
        before = np.load(state / RIGHT) if state else self._right_alone
        anchors = self._real.anchors
        real, made = anchors["text"], self._all["text"]
        ours, theirs = self._known.features(made), self._known.features(real)
        labels = self._all["label"].to_list(), anchors["label"].to_list()
        enough = min(made.len(), real.len()) >= LEAST_ROWS
        judged = enough and real.len() >= 2 * LEAST_ROWS
        seed = self._context.seed + number
        return Round(
            number=number,
            accepted=self._now.height,
            utility=float(self._right.mean()) if self._right.size else 0.0,
            anchors=float(self._right_alone.mean()) if self._right_alone.size else 0.0,
            likelihood=self._likelihood(self._student),
            anchors_likelihood=self._likelihood(self._student_alone),
            gain=gain(before, self._right, seed=seed) if self._right.size else None,
            generators=self._offers(),
            judged=fresh_judge(list(theirs.views), list(ours.views), seed) if judged else None,
            copied=copied(made, real) if enough else None,
            spread=spread(made, real, (ours.encoder, theirs.encoder), seed) if enough else None,
            labels=label_shift(*labels, seed) if enough else None,
            topics=topic_shift(ours.encoder, theirs.encoder, seed) if enough else None,
            lengths=length_shift(made, real) if enough else None,
            probes=self._probes, written=int(self._written(made).sum()),
            known=anchors.height, **self._writing(number),
        )  # fmt: skip

    def _writing(self, number: int) -> dict[str, Any]:
        """Who could not write, how many go on, and what is left of the budget; see `Round`."""
        left, told = self._context.budget_left, Writers.of_round(self._context.states, number)
        if told is None:
            return {"budget_left": left}
        spent = "budget" in told.gone.values()
        return {"gone": told.gone, "writing": told.left, "budget_left": 0.0 if spent else left}

    def _offers(self) -> dict[str, Offers]:
        proposed = dict(self._rows.group_by("generator").len().iter_rows())
        accepted = dict(self._now.group_by("generator").len().iter_rows())
        return {
            name: Offers(proposed[name], accepted.get(name, 0), judged.auc, judged.telling)
            for name, judged in self._judged.items()
        }


def both(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability when two judges that err independently say so: their odds are multiplied.

    Anchors: .5 changes nothing; .9 and .9 are .988; 0 stays 0, against 1 too.
    """
    yes, no = one * other, (1 - one) * (1 - other)
    return np.where(yes > 0, yes / np.maximum(yes + no, 1e-300), 0.0)


def _confidence() -> pl.Expr:
    """How probable a row's generator holds its label for; null where it does not tell."""
    told = pl.col("extra").cast(pl.String).str.json_path_match("$.confidence")
    return told.cast(pl.Float64, strict=False).clip(0, MOST_BELIEVED).alias("confidence")


def _side(rows: pl.DataFrame, context: Context) -> Side:
    """Rows as a side of the judge; those of one group, or of one parent, belong together."""
    owners = rows["group"].fill_null(rows["id"]).rank("dense").to_numpy().astype(np.int64)
    return Side(rows["text"], features(rows["text"].to_list(), context.encoder), owners)
