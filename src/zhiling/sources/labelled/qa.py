"""Questions with answers: pieces of a passage (SQuAD, nested or flat), none at all, a worked solution."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from zhiling.rows.target import CONTEXT, QUESTION
from zhiling.sources.labelled.example import (
    Example,
    Text,
    Unreadable,
    Values,
    parsed,
    spelled,
    text_of,
    whole_number,
)
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.labelled.places import located
from zhiling.sources.records.json_values import as_list, as_object

RESULT = "####"
"""Stands before the result in a worked solution (GSM8K)."""

Answer = tuple[str, int | None]


def passage_question(values: Values, manner: Manner) -> Example:
    """A question about a passage with its answers, each with its place where the record tells it."""
    context = text_of(values, "context")
    texts = [Text("document", context, CONTEXT), Text("user", text_of(values, "question"), QUESTION)]
    answers = _answers(values)
    if parsed(values.get("impossible")) in (True, 1, "true", "True"):
        answers = []
    if answers is None:
        return Example(texts, {"answers": []} if manner.absent_is_none else None)
    told = [_placed(answer, start, context, manner) for answer, start in answers]
    return Example(texts, {"answers": [each for n, each in enumerate(told) if each not in told[:n]]})


def _placed(answer: str, start: int | None, context: str, manner: Manner) -> dict[str, Any]:
    if start is None:
        return {"text": answer}
    first, end = located(context, start, start + len(answer), answer, manner.mismatch)
    return {"text": answer, "place": {"message": 0, "start": first, "end": end}}


def _answers(values: Values) -> list[Answer] | None:
    """Answers with their starts; `[]` where the record says there is none, None where it does not say."""
    value = parsed(values.get("answers"))
    columns = as_object(value)
    starts = parsed(values.get("starts"))
    if columns is not None and isinstance(columns.get("text"), list):
        value, starts = columns["text"], columns.get("answer_start")
    if value is None:
        return None
    listed = as_list(value)
    listed = [value] if listed is None else listed
    places = as_list(starts)
    places = ([] if starts is None else [starts]) if places is None else places
    if places and len(places) != len(listed):
        raise Unreadable(
            "ragged_answers", f"{len(listed)} answers but {len(places)} starts; one each is needed"
        )
    return [_answer(each, start) for each, start in zip_longest(listed, places)]


def _answer(value: Any, start: Any) -> Answer:
    named = as_object(value)
    if named is not None:
        value, start = named.get("text"), named.get("answer_start", named.get("start"))
    text = None if isinstance(value, list) else spelled(value, "an answer")
    if not text:
        raise Unreadable("wrong_type", f"an answer is {value!r:.60}; a text that is not empty is needed")
    place = whole_number(start)
    if place is None and start is not None:
        raise Unreadable("wrong_type", f"an answer starts at {start!r:.40}; a whole number is needed")
    return text, place


def worked_solution(values: Values, _: Manner) -> Example:
    """A problem and its solution step by step, the result behind `####` as the answer.

    Raises:
        Unreadable: `no_result`.
    """
    question = Text("user", text_of(values, "question"), QUESTION)
    solution = text_of(values, "solution")
    result = solution.rpartition(RESULT)[2].strip() if RESULT in solution else ""
    if not result:
        message = f"the solution ends in {solution[-40:]!r}; a result behind {RESULT!r} is needed"
        raise Unreadable("no_result", message)
    return Example([question, Text("assistant", solution)], {"answers": [{"text": result}]})


def is_nested(item: dict[str, Any]) -> bool:
    """Whether a record holds questions below it: a file, an article or a paragraph of SQuAD."""
    articles = as_list(item.get("data"))
    first = as_object(articles[0]) if articles else item
    return first is not None and ("paragraphs" in first or "qas" in first)


def questions_of(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Flat records of a nested one (a file, an article or a paragraph of SQuAD), with their marks.

    Raises:
        Unreadable: `wrong_type`.
    """
    articles = item.get("data")
    if articles is None:
        yield from _of_article(item, "")
        return
    for number, article in enumerate(_objects(articles, "data"), 1):
        yield from _of_article(article, f"#article {number}")


def _of_article(article: dict[str, Any], mark: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if "qas" in article:
        yield from _of_paragraph(article, {}, mark)
        return
    rest = {name: value for name, value in article.items() if name != "paragraphs"}
    for number, paragraph in enumerate(_objects(article.get("paragraphs"), "paragraphs"), 1):
        yield from _of_paragraph(paragraph, rest, f"{mark}#paragraph {number}")


def _of_paragraph(
    paragraph: dict[str, Any], rest: dict[str, Any], mark: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    shared = {**rest, **{name: value for name, value in paragraph.items() if name != "qas"}}
    for number, question in enumerate(_objects(paragraph.get("qas"), "qas"), 1):
        yield f"{mark}#question {number}", {**shared, **question}


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    listed = as_list(value)
    objects = [each for each in map(as_object, listed or []) if each is not None]
    if listed is None or len(objects) != len(listed):
        raise Unreadable("wrong_type", f"{name} is {value!r:.60}; a list of objects is needed")
    return objects
