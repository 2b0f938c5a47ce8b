"""Which plan is followed: found on seeds that are held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zhiling.training.examples import Examples
from zhiling.training.few_labels.plan import WAYS, Learner, Plan
from zhiling.training.few_labels.settings import FewLabelSettings
from zhiling.training.inputs import text_input

FOLDS = 2
GOOD_NAMES = 0.5
"""With one seed a label: names are seeds where they alone find the label of this share of the seeds."""


class Fold(NamedTuple):
    """What is learnt from, and what is then asked."""

    seeds: Examples
    asked: Examples
    names: bool
    """Whether the labels' names may be learnt from as well."""


@dataclass
class Choice:
    """The plan that is followed, and what every candidate scored.

    Attributes:
        scores: plan → share of the held-out seeds that it answered rightly.
        held_out: how many answers each score is the mean of.
        why: the reason in words.
    """

    plan: Plan
    why: str
    held_out: int = 0
    scores: dict[Plan, float] = field(default_factory=dict[Plan, float])

    def as_json(self) -> dict[str, object]:
        """Plain values, to be kept beside the model."""
        scores = {plan.title: round(score, 4) for plan, score in self.scores.items()}
        return {"plan": self.plan.title, "why": self.why, "held_out": self.held_out, "scores": scores}


def choose(settings: FewLabelSettings, learner: Learner, seeds: Examples) -> Choice:
    """The plan with the best held-out score; one that is not clearly better than the plainest is not taken.

    Half of each label's seeds teach, the other half are asked, and the other way round; a label's only seed
    always teaches. Where every label has one seed, names teach and seeds are asked, and the other way round.
    Names and unlabelled rows are tried on the encoder as it is, tuning with the names that were best there.
    A gain is clear where it is above its standard error, from answer to answer.
    """
    contrasts, names, ways = _open(settings, learner)
    plainest = Plan(contrasts[0], names[0], ways[0])
    if len(contrasts) * len(names) * len(ways) == 1:
        return Choice(plainest, "the recipe says all of it")
    folds = _folds(learner, seeds, names=True in names)
    if not folds:
        return Choice(plainest, "no seed can be held out: every label has one, and names are not to be used")
    right: dict[Plan, NDArray[np.bool_]] = {}
    if not folds[0].names:
        names = [True in names and _names_are_good(learner, folds)]
        plainest = plainest._replace(names=names[0])
    for which in names:
        right |= _answers(learner, folds, Plan(contrasts[0], which), ways)
    if len(contrasts) > 1:
        best = _best(right)
        right |= _answers(learner, folds, best._replace(contrastive=True), ways)
    return _decided(right, plainest)


def _open(settings: FewLabelSettings, learner: Learner) -> tuple[list[bool], list[bool], list[str]]:
    """What is to be chosen among: contrastive, names, ways; the plainest first."""

    def options(asked: bool | str) -> list[bool]:
        return [False, True] if isinstance(asked, str) else [asked]

    ways = ["none", *WAYS] if settings.unlabelled == "auto" else [settings.unlabelled]
    if not learner.unlabelled:
        ways = ["none"]
    return options(settings.contrastive), options(settings.names), ways


def _folds(learner: Learner, seeds: Examples, *, names: bool) -> list[Fold]:
    """The halves of each label's seeds, or names and seeds; none where neither can be."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(seeds.targets):
        rows[label].append(row)
    several = [each for each in rows.values() if len(each) > 1]
    if not several:
        views = [Fold(learner.names, seeds, names=False), Fold(seeds, learner.names, names=False)]
        return views if names else []
    asked = [[row for each in several for row in each[half::FOLDS]] for half in range(FOLDS)]
    every = set(range(len(seeds)))
    return [
        Fold(seeds.take(sorted(every - set(half))), seeds.take(half), names=True) for half in asked
    ]  # fmt: skip


def _answers(
    learner: Learner, folds: Sequence[Fold], plan: Plan, ways: Sequence[str]
) -> dict[Plan, NDArray[np.bool_]]:
    """For the plan with each way: which held-out seeds were answered rightly, in one order for all."""
    found: dict[Plan, list[NDArray[np.bool_]]] = {plan._replace(unlabelled=way): [] for way in ways}
    for fold in folds:
        seeds = fold.seeds.followed_by(learner.names) if fold.names and plan.names else fold.seeds
        features = learner.features(seeds, contrastive=plan.contrastive)
        asked = learner.seeds(features, fold.asked)
        for answers, (head, _) in zip(found.values(), learner.heads(features, seeds, ways), strict=True):
            answers.append(head.answers(asked.vectors) == asked.numbers)
    return {plan: np.concatenate(answers) for plan, answers in found.items()}


def _names_are_good(learner: Learner, folds: Sequence[Fold]) -> bool:
    """Whether the names alone find the labels of the seeds."""
    (answers,) = _answers(learner, folds[:1], Plan(), ["none"]).values()
    return bool(answers.mean() >= GOOD_NAMES)


def _best(right: dict[Plan, NDArray[np.bool_]]) -> Plan:
    """The plan with the best score; of equal ones the first."""
    return max(right, key=lambda plan: right[plan].mean())


def _decided(right: dict[Plan, NDArray[np.bool_]], plainest: Plan) -> Choice:
    """The best plan, or a tuned one that is not clearly worse, if that is clearly better than the plainest.

    Tuning is tried with half of the seeds that it will have, and gains more from them than a head does: on
    BANKING77, in three draws of five and of ten seeds a label, it was 1.0 to 2.4 points above in the end.
    """
    best = _best(right)
    tuned = {plan: answers for plan, answers in right.items() if plan.contrastive}
    if tuned:
        lead, error = _gain(right[best], right[_best(tuned)])
        best = best if lead > error else _best(tuned)
    gain, error = _gain(right[best], right[plainest])
    held_out = len(right[best])
    scores = {plan: float(answers.mean()) for plan, answers in right.items()}
    if gain > error:
        why = f"{gain:+.3f} ± {error:.3f} on held-out seeds against {plainest.title}"
        return Choice(best, why, held_out, scores)
    why = "nothing is better on held-out seeds"
    if best != plainest:
        why = f"{best.title} is not clearly better on held-out seeds: {gain:+.3f} ± {error:.3f}"
    return Choice(plainest, why, held_out, scores)


def _gain(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[float, float]:
    """How much more of the answers are right, and the standard error of that."""
    gain = one.astype(float) - other
    return float(gain.mean()), float(gain.std(ddof=1) / len(gain) ** 0.5) if len(gain) > 1 else 0.0


def name_examples(names: Iterable[tuple[str, Sequence[str]]]) -> Examples:
    """Each name of each label as an example of it."""
    listed = [(label, word) for label, words in names for word in words]
    return Examples(
        tuple(f"{label}#name{number}" for number, (label, _) in enumerate(listed)),
        tuple(text_input(word) for _, word in listed), tuple(label for label, _ in listed),
        ("und",) * len(listed),
    )  # fmt: skip
