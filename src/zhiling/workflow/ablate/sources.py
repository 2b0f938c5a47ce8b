"""`ablate --sources`: what each source does to the model and to given answers: with its rows, and without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import polars as pl

from zhiling.errors import Interrupted, StepFailed, UnknownName, UsageError
from zhiling.evaluation.scores import Difference, Interval
from zhiling.evaluation.statistics import paired_bootstrap
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.store import write_json
from zhiling.training import Examples, text_input
from zhiling.training.inputs import shown_text
from zhiling.workflow.ablate.steps import RESAMPLES, Answers, Work, seeds_of
from zhiling.workflow.ablate.variants import WHOLE, Variants, drawn
from zhiling.workflow.proof.answer_words import in_words
from zhiling.workflow.proof.examples import UNKNOWN
from zhiling.workflow.recipe import Recipe

SHORTEST_ID = 6
"""Letters of a row's id that are enough to name it."""

SourceVerdict = Literal["helps", "helps as any rows do", "no effect", "hurts", "not measured"]


@dataclass(frozen=True)
class AnswerInfluence:
    """One answer with and without a source.

    Attributes:
        answers: arm → answer in words → by how many seeds.
        changed: whether the answer of most seeds is another one without the source.
    """

    id: str
    text: str
    answers: Mapping[str, Mapping[str, int]]
    changed: bool


@dataclass(frozen=True)
class SourceAblation:
    """What one source does.

    Attributes:
        rows: labelled train rows that came through it, and of all.
        verdict: see `judge_source`.
        note: why it was not measured.
        scores: of the arms `with` (all rows), `without` (none of the source's) and `random` (as many left out
            at random).
        differences: `with-without` and `random-without`, with 95 % intervals over test rows and seeds.
        about: the answers that were asked about.
    """

    source: str
    rows: Mapping[str, int]
    verdict: SourceVerdict
    note: str
    scores: Mapping[str, Interval]
    differences: Mapping[str, Difference]
    about: tuple[AnswerInfluence, ...]


@dataclass(frozen=True)
class SourceAblations:
    """All sources of a recipe; see `Ablations`."""

    metric: str
    seeds: tuple[int, ...]
    tested: int
    tested_on: str
    sources: tuple[SourceAblation, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def judge_source(differences: Mapping[str, Difference]) -> SourceVerdict:
    """What the differences of a source say.

    *helps*: the model is better with it, and its rows are missed more than as many others. *helps as any rows
    do*: better with it, but the rest without as many other rows is no better: it is their number. *hurts*:
    better without it. *no effect*: anything else.
    """
    found = {name: difference.verdict for name, difference in differences.items()}
    if found["with-without"] == "worse":
        return "hurts"
    if found["with-without"] != "better":
        return "no effect"
    return "helps" if found["random-without"] == "better" else "helps as any rows do"


def ablate_sources(
    recipe: Recipe, *, only: Sequence[str] = (), about: Sequence[str] = (), seeds: int | None = None,
    ngrams: bool = False, tell: Listener = lambda event: None,
) -> SourceAblations:  # fmt: skip
    """Trains a cheap student with and without the rows of each source, and without as many rows at random.

    Rows count as of every source that they, or the rows that they were made from, came through. The student,
    the rows that it is tested on and where answers are stored are those of `ablate`.

    Args:
        recipe: whose sources.
        only: ids of sources; all by default.
        about: answers to be followed: a test row by its id (or its first letters), or any text.
        seeds: at least 3; by default as many as `evaluate` has, and at least 3.
        ngrams: the student reads n-grams alone, whatever `train` says.
        tell: is told every event.

    Raises:
        UsageError: no labelled rows, too few seeds, a single source.
        UnknownName: the recipe has no such source.
        Interrupted: Ctrl-C.
        RunBusy: another process works in this project.
    """
    chosen, count = _chosen(recipe, only), seeds_of(recipe, seeds)
    project = Variants(recipe.root)
    with project.lock():
        try:
            work = _SourceWork.of(Work.of(recipe, project, count, ngrams, tell), about)
            sources = tuple(work.take(source) for source in chosen)
        except KeyboardInterrupt as error:
            raise Interrupted(
                "interrupted; every student that was finished is stored",
                hint="`zhiling ablate --sources` goes on",
            ) from error
        project.forget(WHOLE)
        found = SourceAblations(
            work.work.student.metric.name, tuple(count), len(work.scored), work.work.tested_on, sources
        )
        file = project.folder / "sources.json"
        write_json(file, found.as_dict())
    return found


def _chosen(recipe: Recipe, only: Sequence[str]) -> list[str]:
    known = [entry.id for entry in recipe.sources]
    for name in only:
        if name not in known:
            raise UnknownName("source", name, known)
    if len(known) < 2:
        raise UsageError(
            f"the recipe has one source, {known[0]!r}: without it there is nothing to learn from",
            place=recipe.document.file.name, hint="`zhiling ablate` takes its steps apart",
        )  # fmt: skip
    return list(only) or known


@dataclass(frozen=True)
class _SourceWork:
    """What every source is measured with.

    Attributes:
        scored: the rows that the score is of; the student answers those asked about behind them.
        followed: places of the answers asked about.
    """

    work: Work
    scored: Examples
    followed: tuple[int, ...]

    @classmethod
    def of(cls, work: Work, about: Sequence[str]) -> _SourceWork:
        """The work of `ablate`, with the answers that are asked about."""
        tested = work.student.tested
        followed: list[int] = []
        further: list[str] = []
        for asked in about:
            rows = [
                place for place, row in enumerate(tested.ids)
                if len(asked) >= SHORTEST_ID and row.startswith(asked)
            ]  # fmt: skip
            followed.append(rows[0] if rows else len(tested) + len(further))
            further += [] if rows else [asked]
        if not further:
            return cls(work.started(), tested, tuple(followed))
        student = replace(work.student, tested=_with_texts(tested, further))
        return cls(replace(work, student=student).started(), tested, tuple(followed))

    def take(self, source: str) -> SourceAblation:
        """One source's arms, compared."""
        outside = ~pl.col("via").list.contains(source).fill_null(value=False)
        without = tuple(rows.filter(outside) for rows in self.work.whole)
        sizes = {"source": self.work.whole[0].height - without[0].height, "all": self.work.whole[0].height}
        try:
            return self._compared(source, without, sizes)
        except (UsageError, StepFailed) as error:
            return SourceAblation(source, sizes, "not measured", error.message, {}, {}, ())

    def _compared(
        self, source: str, without: tuple[pl.DataFrame, ...], sizes: Mapping[str, int]
    ) -> SourceAblation:
        work = self.work
        if not sizes["source"]:
            raise UsageError("no labelled row of the train part came through it")
        if not all(rows.height for rows in without):
            raise UsageError("no labelled rows are left to train on, or to choose the epoch by")
        random = [
            tuple(drawn(rows, left.height, seed) for rows, left in zip(work.whole, without, strict=True))
            for seed in work.seeds
        ]
        arms: dict[str, Answers] = {
            "with": work.kept,
            "without": list(work.answers(f"without {source}", [without] * len(work.seeds))),
            "random": list(work.answers(f"random instead of {source}", random)),
        }
        scored = {arm: [each[: len(self.scored)] for each in answers] for arm, answers in arms.items()}
        found = paired_bootstrap(
            work.student.metric, scored, self.scored.targets, seed=work.recipe.seed, resamples=RESAMPLES
        )
        differences = {
            f"{arm}-without": found.difference(arm, "without") for arm in ("with", "random")
        }  # fmt: skip
        return SourceAblation(
            source, sizes, judge_source(differences), "", {arm: found.interval(arm) for arm in arms},
            differences, tuple(self._influence(place, arms) for place in self.followed),
        )  # fmt: skip

    def _influence(self, place: int, arms: Mapping[str, Answers]) -> AnswerInfluence:
        tested = self.work.student.tested
        turns = tested.inputs[place]
        told = {
            arm: Counter(in_words(each[place], turns) for each in answers) for arm, answers in arms.items()
        }
        most = {arm: counts.most_common(1)[0][0] for arm, counts in told.items()}
        return AnswerInfluence(
            tested.ids[place], shown_text(turns),
            {arm: dict(counts.most_common()) for arm, counts in told.items()},
            most["with"] != most["without"],
        )  # fmt: skip


def _with_texts(tested: Examples, texts: Sequence[str]) -> Examples:
    """The tested rows, and texts without a truth behind them."""
    none = ("",) * len(texts)
    return Examples(
        (*tested.ids, *(f"text {number}" for number in range(1, len(texts) + 1))),
        (*tested.inputs, *map(text_input, texts)),
        (*tested.targets, *none),
        (*tested.languages, *(UNKNOWN for _ in texts)),
        (*tested.groups, *(None for _ in texts)),
    )
