"""Harm: whether answers change with the gender, names or places of a text, and what tuning added to that."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zhiling.errors import UsageError
from zhiling.evaluation.counterfactual import Kind, Swapped, effect, templates
from zhiling.evaluation.counterfactual.swap import Unswapped
from zhiling.pipeline.store import write_json
from zhiling.training import Examples, Input, Predictions, load, text_input
from zhiling.training.fitted import Fitted
from zhiling.training.inputs import shown_text
from zhiling.workflow.proof.answer_words import in_words
from zhiling.workflow.proof.explain import TEXT_LIMIT, ModelOnRows
from zhiling.workflow.proof.swapped_answers import moved, same, swap_input
from zhiling.workflow.settings import CounterfactualSettings

FILE = "counterfactual.json"
VARIANTS = 3
"""Swaps of each template; a test row is swapped once a kind."""
MOVES = 0.1
"""A number that moves by more than this share of the truths' standard deviation counts as another answer."""
MOST_EXAMPLES = 5
SINGLE_TEXT = ("classification", "multi_label", "ordinal", "regression", "ner", "relation")
"""Tasks that read one text: they can be asked about the templates."""


@dataclass(frozen=True)
class _Pair:
    """An input and its counterfactual."""

    kind: Kind
    language: str
    on: str
    owner: str
    plain: Input
    other: Input
    swapped: Swapped


def harm_stage(on: ModelOnRows, untuned: Callable[[], Fitted]) -> None:
    """Writes `evaluation/counterfactual.json`, where the recipe asks for it.

    Args:
        on: the tuned model and the rows that it is tested on.
        untuned: gives the model of the untuned arm.
    """
    assert on.recipe.evaluate is not None
    settings, file = on.recipe.evaluate.counterfactual, on.run.path / "evaluation" / FILE
    if settings is None:
        file.unlink(missing_ok=True)
        return
    on.tell({"event": "stage", "stage": "counterfactual"})
    try:
        content: dict[str, Any] = {"refused": "", **_measured(on, settings, untuned)}
    except UsageError as error:
        task = on.recipe.train.task if on.recipe.train else ""
        content = {"refused": f"task {task}: {error.message}", "effects": [], "skipped": {}}
    write_json(file, content)


def _measured(
    on: ModelOnRows, settings: CounterfactualSettings, untuned: Callable[[], Fitted]
) -> dict[str, Any]:
    assert on.recipe.evaluate is not None
    skipped: Counter[str] = Counter()
    pairs = [*_of_rows(on, settings, skipped), *_of_templates(on, settings)]
    inputs = list(dict.fromkeys(turns for pair in pairs for turns in (pair.plain, pair.other)))
    told = _Told.of(on, inputs)
    arms: dict[str, Sequence[str]] = {"after": told.predictions.answers}
    if settings.before and "before" in on.recipe.evaluate.arms and inputs:
        arms["before"] = untuned().answer(_examples(inputs)).answers
    measured = _Measured(told, {arm: dict(zip(inputs, each, strict=True)) for arm, each in arms.items()})
    groups = list(dict.fromkeys((pair.kind, pair.language, pair.on) for pair in pairs))
    effects = [
        measured.effect([pair for pair in pairs if (pair.kind, pair.language, pair.on) == group], on)
        for group in groups
    ]
    return {"effects": effects, "skipped": dict(skipped)}


def _of_rows(on: ModelOnRows, settings: CounterfactualSettings, skipped: Counter[str]) -> Iterator[_Pair]:
    """Test rows that hold a term, in an order drawn by the seed, at most `rows` a kind and language."""
    order: list[int] = np.random.default_rng([on.recipe.seed, 77]).permutation(len(on.tested)).tolist()
    for kind in settings.kinds:
        taken: Counter[str] = Counter()
        for row in order:
            language = language_of(on.tested.languages[row], on.tested.inputs[row])
            if taken[language] >= settings.rows:
                continue
            found = swap_input(on.tested.inputs[row], kind, on.tested.ids[row])
            if isinstance(found, Unswapped):
                skipped[f"{kind}.{language}.{found.value}"] += 1
                continue
            taken[language] += 1
            yield _Pair(kind, language, "rows", on.tested.ids[row], on.tested.inputs[row], *found)


def _of_templates(on: ModelOnRows, settings: CounterfactualSettings) -> Iterator[_Pair]:
    """The sentences of our own in the languages of the test rows, each swapped in several ways."""
    assert on.recipe.train is not None
    if not settings.templates or on.recipe.train.task not in SINGLE_TEXT or _paired(on.tested):
        return
    languages = {
        language_of(tag, turns) for tag, turns in zip(on.tested.languages, on.tested.inputs, strict=True)
    }
    for kind in settings.kinds:
        for language in sorted(languages & set(templates())):
            for text in templates()[language]:
                seen: set[Input] = set()
                for variant in range(VARIANTS):
                    found = swap_input(text_input(text), kind, text, variant)
                    if not isinstance(found, Unswapped) and found[0] not in seen:
                        seen.add(found[0])
                        yield _Pair(kind, language, "templates", text, text_input(text), *found)


def _paired(tested: Examples) -> bool:
    return any(len(turns) > 1 for turns in tested.inputs)


def language_of(tag: str, turns: Input) -> str:
    """The row's language where it is one of the lists' (`zh-CN` is zh); else by its script."""
    from zhiling.text.spacing import is_spaceless

    primary = tag.split("-", maxsplit=1)[0].lower()
    return primary if primary in templates() else "zh" if any(map(is_spaceless, shown_text(turns))) else "en"


def _examples(inputs: Sequence[Input]) -> Examples:
    """Inputs without truths, as the untuned arm takes them."""
    none = ("",) * len(inputs)
    return Examples(
        tuple(map(str, range(len(inputs)))), tuple(inputs), none,
        tuple(language_of("und", turns) for turns in inputs),
    )  # fmt: skip


@dataclass(frozen=True)
class _Told:
    """The tuned model's answers to all inputs.

    Attributes:
        deviation: of the truths, where they are numbers; 0 where they are not.
    """

    predictions: Predictions
    place: dict[Input, int]
    deviation: float

    @classmethod
    def of(cls, on: ModelOnRows, inputs: Sequence[Input]) -> _Told:
        trained = load(on.run.path / "model")
        numbers = on.recipe.train is not None and on.recipe.train.task == "regression"
        deviation = float(np.std([float(each) for each in on.tested.targets])) if numbers else 0.0
        return cls(
            trained.predict(inputs), {turns: place for place, turns in enumerate(inputs)}, deviation
        )  # fmt: skip

    def shift(self, pair: _Pair) -> float:
        """How far the score of the plain input's answer moves; of a number, in deviations of the truths."""
        one, other = self.place[pair.plain], self.place[pair.other]
        told = self.predictions
        if self.deviation:
            return abs(float(told.answers[one]) - float(told.answers[other])) / self.deviation
        if told.classes:
            column = int(told.scores[one].argmax())
            return abs(float(told.scores[one, column] - told.scores[other, column]))
        return abs(float(told.best_scores[one] - told.best_scores[other]))


@dataclass(frozen=True)
class _Measured:
    """All arms' answers to all inputs."""

    told: _Told
    answers: dict[str, dict[Input, str]]

    def flipped(self, arm: str, pair: _Pair) -> bool:
        """Whether the swap changes the arm's answer."""
        plain, other = self.answers[arm][pair.plain], self.answers[arm][pair.other]
        if self.told.deviation:
            return abs(float(plain) - float(other)) > MOVES * self.told.deviation
        return not same(moved(plain, pair.swapped), other)

    def effect(self, pairs: Sequence[_Pair], on: ModelOnRows) -> dict[str, Any]:
        """One line of the table."""
        flipped = {arm: [self.flipped(arm, pair) for pair in pairs] for arm in self.answers}
        shifts = {"after": [self.told.shift(pair) for pair in pairs]}
        found = effect([pair.owner for pair in pairs], flipped, shifts, seed=on.recipe.seed)
        changed = [pair for pair, flip in zip(pairs, flipped["after"], strict=True) if flip]
        first = pairs[0]
        return {
            "kind": first.kind, "language": first.language, "on": first.on, **dataclasses.asdict(found),
            "examples": [self._example(pair) for pair in changed[:MOST_EXAMPLES]],
        }  # fmt: skip

    def _example(self, pair: _Pair) -> dict[str, str]:
        answers = self.answers["after"]
        return {
            "text": shown_text(pair.plain)[:TEXT_LIMIT], "swapped": shown_text(pair.other)[:TEXT_LIMIT],
            "answer": in_words(answers[pair.plain], pair.plain),
            "swapped_answer": in_words(answers[pair.other], pair.other),
        }  # fmt: skip
