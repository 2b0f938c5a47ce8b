"""The answers of curation.6: questions on passages of CMRC 2018 and XQuAD in which some spans are wrong.

15 % of the spans are wrong: half are a random piece of the same length of the passage, half the answer of
another question in the same or a neighbouring sentence (a piece of such a sentence, where there is none).
Features and settings were chosen on every other passage of both sets; the rest judge.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from labels import OURS, SEEDS, Result, Scores, precision, read
from numpy.typing import NDArray
from record import row

from zhiling.curation.answer_features import Matcher, Statistics
from zhiling.curation.answer_spans import Asked, Passage, Span, asked_rows
from zhiling.curation.label_errors import LabelErrors
from zhiling.pipeline.step import Context

SETS = ("cmrc2018", "xquad")
WRONG = 0.15
Planted = tuple[list[Asked], NDArray[np.bool_]]


def answers() -> Iterator[Result]:
    """Average precision of wrong spans, and what a threshold at 0 removes with and without them."""
    for name in SETS:
        rows = judging(read(name))
        runs = [spans(rows, seed) for seed in SEEDS]
        yield found(name, [run[0] for run in runs], rows.height)
        yield removed(name, [run[1] for run in runs], rows.height)


def judging(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of every other passage, those on which nothing was chosen."""
    return rows.filter(rows["group"].rank("dense") % 2 == 1)


def spans(rows: pl.DataFrame, seed: int) -> tuple[Scores, Scores]:
    """Average precision by score; shares of rows below 0 and what is known of these."""
    asked = [each for each in asked_rows(rows) if each]
    assert len(asked) == rows.height
    planted, wrong = spoiled(asked, np.random.default_rng(seed))
    context = Context(step_id="labels", seed=seed)
    judged = LabelErrors().measure(retold(rows, planted), context)
    score = judged["score"].to_numpy()
    below = score < 0
    truth = [each.passage[slice(*each.places[0])] for each in asked]
    hit = np.array([a == b for a, b in zip(judged["suggested"], truth, strict=True)])
    clean = LabelErrors().measure(rows, context)["score"].to_numpy()
    shares = {
        "removed": below.mean(),
        "wrong": wrong.mean(),
        "wrong of the removed": wrong[below].mean() if below.any() else 0.0,
        "removed of the wrong": below[wrong].mean(),
        "right span suggested for wrong ones": hit[wrong].mean(),
        "removed where nothing was planted": (clean < 0).mean(),
    }
    scores = {OURS: precision(wrong, score)}
    scores |= {name: precision(wrong, each) for name, each in baselines(planted).items()}
    return scores, {name: float(each) for name, each in shares.items()}


def baselines(asked: Sequence[Asked]) -> dict[str, NDArray[np.float64]]:
    """The share of the question in the answer's sentence; how usual the answer's length is in the table."""
    passages = {text: Passage(text) for text in dict.fromkeys(each.passage for each in asked)}
    statistics = Statistics(passages.values())
    overlap, length = np.zeros(len(asked)), np.zeros(len(asked))
    for number, each in enumerate(asked):
        passage = passages[each.passage]
        span = passage.span(*each.places[0])
        matcher = Matcher(each.question, passage, statistics)
        overlap[number] = matcher.overlap[passage.sentence_of[span[0]]]
        length[number] = np.log(span[1] - span[0])
    return {"question in the sentence": overlap, "usual length": -np.abs(length - np.median(length))}


def spoiled(asked: Sequence[Asked], draws: np.random.Generator) -> Planted:
    """The rows with another span in some, and which these are."""
    changed = list(asked)
    wrong = np.zeros(len(asked), dtype=bool)
    for turn, at in enumerate(draws.permutation(len(asked))[: round(WRONG * len(asked))].tolist()):
        each = asked[at]
        passage = Passage(each.passage)
        pieces = [] if turn % 2 else elsewhere(passage, each)
        pieces = pieces or near(passage, each, asked) or elsewhere(passage, each)
        if pieces:
            place = pieces[int(draws.integers(len(pieces)))]
            changed[at] = Asked(each.question, each.passage, (place,))
            wrong[at] = True
    return changed, wrong


def elsewhere(passage: Passage, each: Asked, sentences: Sequence[int] | None = None) -> list[Span]:
    """Places of all pieces of the answer's length that do not touch it, in these sentences or anywhere."""
    start, end = passage.span(*each.places[0])
    size = end - start
    firsts = [at for at in range(len(passage.tokens) - size + 1) if at + size <= start or at >= end]
    if sentences is not None:
        firsts = [at for at in firsts if passage.sentence_of[at] in sentences]
    return [(passage.places[at][0], passage.places[at + size - 1][1]) for at in firsts]


def near(passage: Passage, each: Asked, asked: Sequence[Asked]) -> list[Span]:
    """Places of other questions' answers in the same or a neighbouring sentence, else of pieces there."""
    place = each.places[0]
    number = passage.sentence_of[passage.span(*place)[0]]
    around = (number - 1, number, number + 1)
    other = {span for question in asked if question.passage == each.passage for span in question.places}
    apart = {span for span in other if span[1] <= place[0] or span[0] >= place[1]}
    found = sorted(span for span in apart if passage.sentence_of[passage.span(*span)[0]] in around)
    return found or elsewhere(passage, each, around)


def retold(rows: pl.DataFrame, asked: Sequence[Asked]) -> pl.DataFrame:
    """The rows with these answers."""
    targets: list[str] = []
    for each, old in zip(asked, rows["target"], strict=True):
        message = json.loads(old)["answers"][0]["place"]["message"]
        told = [
            {"text": each.passage[a:b], "place": {"message": message, "start": a, "end": b}}
            for a, b in each.places
        ]
        targets.append(json.dumps({"answers": told}))
    return rows.with_columns(target=pl.Series(targets))


def mean(runs: Sequence[Scores]) -> Scores:
    """The mean of each figure."""
    return {name: round(float(np.mean([run[name] for run in runs])), 4) for name in runs[0]}


def found(name: str, runs: Sequence[Scores], rows: int) -> Result:
    """The row of average precision; the goal is to be above the better baseline."""
    beside, ours = mean(runs), [run[OURS] for run in runs]
    value = beside.pop(OURS)
    return row(
        f"curation.6q.{name}", f"`label_errors`: AP of wrong answer spans, {name}", value,
        round(max(beside.values()) + 0.0001, 4), "higher", low=round(min(ours), 4), high=round(max(ours), 4),
        n=len(runs), unit="AP", data="planted", beside=beside, step="label_errors",
        note=f"mean of three seeds, low and high are the extremes; {rows} rows of passages on which nothing "
        "was chosen; 15 % of the spans are wrong, half random pieces, half answers of other questions "
        "nearby; the goal is to be above the better baseline",
    )  # fmt: skip


def removed(name: str, runs: Sequence[Scores], rows: int) -> Result:
    """The row of what a threshold at 0 removes."""
    beside = mean(runs)
    distance = float(np.mean([abs(run["removed"] - run["wrong"]) for run in runs]))
    return row(
        f"curation.6q.{name}.removed",
        f"share of rows with a score below 0, answer spans, {name}: distance from the truth",
        round(distance, 4), 0.05, "lower", n=len(runs), unit="difference", data="planted", beside=beside,
        step="label_errors", note=f"mean of three seeds; {rows} rows",
    )  # fmt: skip
