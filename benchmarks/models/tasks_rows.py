"""Rows of models.9 in three parts by a fixed rule: slots, facts in dialogues, options, several labels."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.models.parts import Parts, bucket
from benchmarks.sources.sets import DATA, ROOT, sources
from zhiling.rows.target import Labels, Place, Relations, Span, Triple, spelled
from zhiling.rows.templates.example import Turn
from zhiling.training import Examples, Input, task_class, text_input

Row = tuple[Input, str]
"""What a model is shown, and the truth."""

LEARN = 3000
"""Requests to learn from, for all sides."""
TURNS = 4
"""Turns of a dialogue that make one text: what is offered in one is often told more of in the next."""
NAMES = {
    "Restaurants_1": "restaurant_name",
    "Events_1": "event_name",
    "Events_2": "event_name",
    "Music_1": "song_name",
    "Music_2": "song_name",
    "Media_1": "title",
}
"""Service → the slot with the name of what it offers: the subject of every fact."""
TOLD = ("OFFER", "INFORM", "CONFIRM")


def parts(rows: Iterator[tuple[str, Row]], test: Sequence[int] = (0, 1), dev: Sequence[int] = (2,)) -> Parts:
    """Rows by the bucket of their keys; rows of one key stay together."""
    found: dict[str, list[tuple[str, Row]]] = {"train": [], "dev": [], "test": []}
    for number, (key, row) in enumerate(rows):
        place = bucket(key)
        part = "test" if place in test else "dev" if place in dev else "train"
        found[part].append((f"{number:06}", row))
    return Parts(*(examples(found[part]) for part in ("train", "dev", "test")))


def examples(rows: Sequence[tuple[str, Row]]) -> Examples:
    """Numbered rows as examples."""
    return Examples(
        tuple(id for id, _ in rows), tuple(turns for _, (turns, _) in rows),
        tuple(target for _, (_, target) in rows), ("und",) * len(rows),
    )  # fmt: skip


def labelled(name: str, task: str) -> Iterator[tuple[str, Row]]:
    """The rows of a set that have a target of the task; equal texts have one key."""
    for source in sources(name):
        for batch in source.read([file for path in source.paths() for file in [DATA / path]], DATA):
            yield from _of_task(batch.rows["messages"], batch.rows["target"], task)


def _of_task(messages: Any, targets: Any, task: str) -> Iterator[tuple[str, Row]]:
    spell = task_class(task).target
    for row, document in zip(messages.to_list(), targets.to_list(), strict=True):
        target = None if document is None else spell(document)
        turns = tuple(Turn(each["role"], each["text"] or "", each["name"]) for each in row)
        if target is not None:
            yield " ".join(turn.text for turn in turns).casefold(), (turns, target)


def slots() -> Parts:
    """Requests to a restaurant with the slots that they name; `LEARN` of them are learnt from."""
    train, dev, test = parts(labelled("restaurant8k", "ner"))
    first = [(id, row) for id, *row in zip(train.ids, train.inputs, train.targets, strict=True)][:LEARN]
    return Parts(examples([(id, (turns, target)) for id, (turns, target) in first]), dev, test)


def options() -> Parts:
    """Exams in 57 subjects, four options each; four tenths are kept for the test."""
    return parts(labelled("mmlu", "choice"), test=(0, 1, 2, 3), dev=(4,))


def complaints() -> list[Row]:
    """Our own complaints with any number of labels, in both languages."""
    folder = ROOT / "examples" / "multi_label"
    lines = [
        json.loads(line)
        for name in ("en", "zh")
        for line in (folder / f"complaints-{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return [(text_input(line["text"]), spelled(Labels(labels=sorted(set(line["label"]))))) for line in lines]


def facts() -> Parts:
    """Windows of dialogues with what they say of what is offered: (name, slot, value), all with places."""
    with gzip.open(DATA / "sgd" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        dialogues = [json.loads(line) for line in lines]
    return parts(
        (dialogue["dialogue_id"], row) for dialogue in dialogues for row in _windows(dialogue["turns"])
    )


def _windows(turns: Sequence[dict[str, Any]]) -> Iterator[Row]:
    """Rows of a dialogue: runs of turns, each a message, in which a value stands."""
    for start in range(0, len(turns), TURNS):
        window = turns[start : start + TURNS]
        truth = _truth(window)
        if truth.spans:
            shown = tuple(Turn("user", turn["utterance"]) for turn in window)
            yield shown, spelled(truth)


def _truth(window: Sequence[dict[str, Any]]) -> Relations:
    """Values as entities of their slots; what a turn tells belongs to the name that was offered last."""
    spans: list[Span] = []
    triples: list[Triple] = []
    subject: tuple[str, Span] | None = None
    for message, turn in enumerate(window):
        for frame in turn["frames"]:
            values = list(_values(frame, turn["utterance"], message))
            spans += [span for _, span, _ in values if not _overlaps(span, spans)]
            named = [(text, span) for text, span, _ in values if span.label == NAMES[frame["service"]]]
            subject = named[0] if named else subject
            told = [(text, span) for text, span, told in values if told and span in spans]
            triples += [
                _triple(subject, text, span)
                for text, span in told
                if subject and subject[1] in spans and span != subject[1] and span.label != subject[1].label
            ]
    return Relations(relations=_distinct(triples), spans=sorted(spans, key=lambda s: (s.message, s.start)))


def _values(frame: dict[str, Any], text: str, message: int) -> Iterator[tuple[str, Span, bool]]:
    """Each value that stands in the turn, with its place and whether the turn tells it as a fact."""
    for action in frame["actions"]:
        for value in action["values"]:
            start = text.find(value)
            if action["slot"] and start >= 0 and len(value) > 1 and action["slot"] != "intent":
                span = Span(message=message, start=start, end=start + len(value), label=action["slot"])
                yield value, span, action["act"] in TOLD


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(
        span.message == other.message and span.start < other.end and other.start < span.end
        for other in others
    )


def _triple(subject: tuple[str, Span], text: str, span: Span) -> Triple:
    return Triple(
        subject=subject[0], relation=span.label, object=text,
        subject_type=subject[1].label, object_type=span.label,
        subject_place=_place(subject[1]), object_place=_place(span),
    )  # fmt: skip


def _place(span: Span) -> Place:
    return Place(message=span.message, start=span.start, end=span.end)


def _distinct(triples: Sequence[Triple]) -> list[Triple]:
    """Each pair of places once."""
    return list({str((each.subject_place, each.object_place)): each for each in triples}.values())


def with_given(rows: Examples) -> Examples:
    """The same inputs with their entities given."""
    spell = task_class("relation_classification").given
    given = [spell(target) for target in rows.targets]
    inputs = tuple(
        (*turns, *([turn] if turn else [])) for turns, turn in zip(rows.inputs, given, strict=True)
    )
    return Examples(rows.ids, inputs, rows.targets, rows.languages)


SETS: dict[str, Callable[[], Parts]] = {"slots": slots, "facts": facts, "options": options}
