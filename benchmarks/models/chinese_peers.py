"""What stands beside us in models.7: the majority's answer, and linear models of character n-grams."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from chinese_rows import Parts
from scipy.sparse import hstack
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier

from zhiling.evaluation.metrics.metric import Metric
from zhiling.rows.target import Answer, Answers, Entities, Place, Span, spelled
from zhiling.training import Examples
from zhiling.training.inputs import Input, passage_of
from zhiling.training.tasks.ner import spans_of

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
LONGEST = 4
PIECE_MARKS = "。！？；，、,;!?\n"
SENTENCE_MARKS = "。！？；!?\n"
Answered = list[str]


def majority(parts: Parts) -> Answered:
    """The most frequent target, for every row."""
    return [Counter(parts.train.targets).most_common(1)[0][0]] * len(parts.test)


def nothing(parts: Parts) -> Answered:
    """No entity in any text: the majority's tag for every character."""
    return [spelled(Entities(spans=[]))] * len(parts.test)


def linear(parts: Parts, metric: Metric) -> Answered:
    """Logistic regression on weighted character n-grams, of each message by itself; the penalty by dev."""
    columns = len(parts.train.inputs[0])
    made = [
        TfidfVectorizer(analyzer="char", ngram_range=(1, LONGEST), sublinear_tf=True) for _ in range(columns)
    ]
    learnt, dev, test = (_matrix(made, part, fit=part is parts.train) for part in parts)
    models = [LogisticRegression(C=each, max_iter=500).fit(learnt, parts.train.targets) for each in PENALTIES]
    best = max(models, key=lambda model: metric.score(parts.dev.targets, model.predict(dev).tolist()))
    return best.predict(test).tolist()


def _matrix(made: Sequence[TfidfVectorizer], part: Examples, *, fit: bool) -> Any:
    blocks = []
    for number, vectorizer in enumerate(made):
        texts = [turns[number].text for turns in part.inputs]
        blocks.append(vectorizer.fit_transform(texts) if fit else vectorizer.transform(texts))
    return hstack(blocks).tocsr()


def tagger(parts: Parts, metric: Metric) -> Answered:
    """A tag per character from the n-grams around it, by a linear classifier; the penalty by dev."""
    hasher = FeatureHasher(2**20, input_type="string", alternate_sign=False)
    rows = [
        hasher.transform(each for turns in part.inputs for each in _around(turns[0].text)) for part in parts
    ]
    tags = [
        tag
        for turns, target in zip(parts.train.inputs, parts.train.targets, strict=True)
        for tag in _tags(turns, target)
    ]
    found: list[tuple[float, Answered]] = []
    for alpha in (3e-6, 1e-6):
        model = SGDClassifier(
            loss="log_loss", alpha=alpha, average=True, max_iter=5, tol=None, random_state=0
        )
        model.fit(rows[0], tags)
        dev, test = (
            _told(part, model.predict(each).tolist()) for part, each in zip(parts[1:], rows[1:], strict=True)
        )
        found.append((metric.score(parts.dev.targets, dev), test))
        print("linear tagger, dev", alpha, found[-1][0], file=sys.stderr, flush=True)
    return max(found)[1]


def _told(part: Examples, tags: list[str]) -> Answered:
    """The entities of each text, from the tags of all characters."""
    ends = np.cumsum([len(turns[0].text) for turns in part.inputs]).tolist()
    return [_entities(tags[start:end]) for start, end in pairwise([0, *ends])]


def _around(text: str) -> Iterator[list[str]]:
    """The n-grams of one to three characters that stand at fixed places around each character."""
    line = f"\0\0\0{text}\0\0\0"
    for at in range(3, 3 + len(text)):
        one = [line[at + step] for step in range(-3, 4)]
        two = [line[at + step : at + step + 2] for step in range(-2, 2)]
        three = [line[at + step : at + step + 3] for step in range(-2, 1)]
        yield [f"{place} {gram}" for place, gram in enumerate((*one, *two, *three))]


def _tags(turns: Input, target: str) -> list[str]:
    tags = ["O"] * len(turns[0].text)
    for start, end, label in sorted(spans_of(turns, target)):
        tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return tags


def _entities(tags: Sequence[str]) -> str:
    spans: list[Span] = []
    for place, tag in enumerate(tags):
        if tag == "O":
            continue
        kind, _, label = tag.partition("-")
        last = spans[-1] if spans else None
        if kind == "I" and last and last.end == place and last.label == label:
            spans[-1] = last.model_copy(update={"end": place + 1})
        else:
            spans.append(Span(message=0, start=place, end=place + 1, label=label))
    return spelled(Entities(spans=spans))


def sentence(part: Examples) -> Answered:
    """The sentence that shares the most n-grams with the question."""
    return [_answer(turns, *_nearest_sentence(turns)) for turns in part.inputs]


def rest_of_sentence(part: Examples) -> Answered:
    """The longest piece of that sentence that shares no two characters in a row with the question."""
    found: Answered = []
    for turns in part.inputs:
        text, question = _texts(turns)
        start, end = _nearest_sentence(turns)
        shared = [
            text[at : at + 2] in question or text[at - 1 : at + 1] in question for at in range(start, end)
        ]
        pieces = list(_runs([known or text[start + at] in PIECE_MARKS for at, known in enumerate(shared)]))
        first, last = max(pieces, key=lambda piece: piece[1] - piece[0], default=(0, end - start))
        found.append(_answer(turns, start + first, start + last))
    return found


def _nearest_sentence(turns: Input) -> tuple[int, int]:
    text, question = _texts(turns)
    asked = _grams(question)
    spans = list(_runs([letter in SENTENCE_MARKS for letter in text])) or [(0, len(text))]
    shares = [len(_grams(text[start:end]) & asked) for start, end in spans]
    return spans[int(np.argmax(shares))]


def _grams(text: str) -> set[str]:
    return {text[at : at + size] for size in (1, 2, 3) for at in range(len(text) - size + 1)}


def _runs(marked: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where runs of what is not marked begin and end."""
    start = None
    for at, mark in enumerate([*marked, True]):
        if mark and start is not None:
            yield start, at
        start = None if mark else at if start is None else start


def _texts(turns: Input) -> tuple[str, str]:
    passage = passage_of(turns)
    assert passage is not None
    return turns[passage].text, next(turn.text for turn in turns if turn.name == "question")


def _answer(turns: Input, start: int, end: int) -> str:
    passage = passage_of(turns)
    assert passage is not None
    place = Place(message=passage, start=start, end=end)
    return spelled(Answers(answers=[Answer(text=turns[passage].text[start:end], place=place)]))
