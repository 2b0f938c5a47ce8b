"""Answers without any tuning: what the encoder alone says of each task. It needs no torch.

classification, ordinal, multi_label   the label whose name is nearest to the text
choice                                 the option that is nearest to the question
regression                             the cosine of the pair, else the mean of the training targets
matching                               the candidates in the order of their cosines to the question
extractive_qa                          the sentence of the passage that is nearest to the question
ner                                    no entity
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.rows import target as targets
from zhiling.training.examples import Examples
from zhiling.training.inputs import Input, asked_text, passage_of, texts_named
from zhiling.training.label_names import nearest_label_name
from zhiling.training.ranking import candidates, question_text, ranked

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts → rows of length 1, float32, shape (n, dimension)."""

_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")


@dataclass(frozen=True)
class Known:
    """What is known before any tuning.

    Attributes:
        names: label → its names in words.
        mean: of the training targets, where they are numbers.
        pool: the answers of the training rows, where they are candidates.
    """

    names: Mapping[str, Sequence[str]]
    mean: float = 0.0
    pool: Sequence[str] = ()


def untuned(task: str, tested: Examples, known: Known, encode: Encode) -> list[str]:
    """An answer to each input, spelled as the task's targets.

    Raises:
        UsageError: the task answers with labels, and one of them has no name.
    """
    return _WAYS.get(task, _by_label)(tested, known, encode)


def _by_label(tested: Examples, known: Known, encode: Encode) -> list[str]:
    return list(nearest_label_name(tested.texts, known.names, encode).answers)


def _by_labels(tested: Examples, known: Known, encode: Encode) -> list[str]:
    return [targets.spelled(targets.Labels(labels=[label])) for label in _by_label(tested, known, encode)]


def _by_option(tested: Examples, known: Known, encode: Encode) -> list[str]:  # noqa: ARG001 - as every way
    asked = [asked_text(turns) for turns in tested.inputs]
    options = [texts_named(turns, targets.CHOICE) for turns in tested.inputs]
    best = _nearest(encode(asked), encode([each for some in options for each in some]), options)
    return [targets.spelled(targets.Choice(choice=number)) for number in best]


def _by_rank(tested: Examples, known: Known, encode: Encode) -> list[str]:
    asked = encode([question_text(turns) for turns in tested.inputs])
    pool = encode(known.pool)
    found: list[str] = []
    for turns, vector in zip(tested.inputs, asked, strict=True):
        own = candidates(turns)
        cosines = (encode(own) if own else pool) @ vector
        found.append(targets.spelled(ranked(own or known.pool, cosines)))
    return found


def _by_cosine(tested: Examples, known: Known, encode: Encode) -> list[str]:
    names = (targets.FIRST, targets.SECOND)
    pairs = [[text for name in names for text in texts_named(turns, name)] for turns in tested.inputs]
    if any(len(pair) != 2 for pair in pairs):
        return [repr(known.mean)] * len(tested)
    first, second = (encode([pair[side] for pair in pairs]) for side in (0, 1))
    return [repr(round(float(cosine), 6)) for cosine in (first * second).sum(axis=1)]


def _by_sentence(tested: Examples, known: Known, encode: Encode) -> list[str]:  # noqa: ARG001 - as every way
    asked = ["\n".join(turn.text for turn in turns if turn.role == "user") for turns in tested.inputs]
    passages = [_passage(turns) for turns in tested.inputs]
    sentences = [[found.span() for found in _SENTENCE.finditer(text)] or [(0, 0)] for _, text in passages]
    pieces = [text[a:b] for (_, text), spans in zip(passages, sentences, strict=True) for a, b in spans]
    best = _nearest(encode(asked), encode(pieces), sentences)
    found: list[str] = []
    for (message, text), spans, number in zip(passages, sentences, best, strict=True):
        start, end = spans[number]
        place = targets.Place(message=message, start=start, end=end)
        answer = targets.Answer(text=text[start:end], place=place)
        found.append(targets.spelled(targets.Answers(answers=[answer])))
    return found


def _nothing(tested: Examples, known: Known, encode: Encode) -> list[str]:  # noqa: ARG001 - as every way
    return [targets.spelled(targets.Entities(spans=[]))] * len(tested)


def _no_triple(tested: Examples, known: Known, encode: Encode) -> list[str]:  # noqa: ARG001 - as every way
    return [targets.spelled(targets.Relations(relations=[]))] * len(tested)


_WAYS: dict[str, Callable[[Examples, Known, Encode], list[str]]] = {
    "choice": _by_option,
    "extractive_qa": _by_sentence,
    "matching": _by_rank,
    "multi_label": _by_labels,
    "ner": _nothing,
    "regression": _by_cosine,
    "relation": _no_triple,
}


def _nearest(
    asked: NDArray[np.float32], pieces: NDArray[np.float32], groups: Sequence[Sequence[object]]
) -> list[int]:
    """For each question the number, within its own group, of the piece that is nearest to it."""
    starts = np.cumsum([0, *map(len, groups)])
    return [
        int(np.argmax(pieces[start:end] @ vector))
        for vector, start, end in zip(asked, starts[:-1], starts[1:], strict=True)
    ]


def _passage(turns: Input) -> tuple[int, str]:
    """Number and text of the passage; a question without one has been refused before."""
    number = passage_of(turns)
    assert number is not None
    return number, turns[number].text
