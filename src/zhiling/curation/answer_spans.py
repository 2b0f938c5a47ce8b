"""Rows whose answer is a place in a passage, and the other spans of the passage that could answer as well.

Spans are counted in tokens (words, or single characters of scripts without spaces), which the passage holds
once for all of its questions.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import pairwise
from operator import itemgetter
from typing import Any

import polars as pl
from pydantic import ValidationError

from zhiling.curation.token_tags import TOKEN
from zhiling.rows.target import QUESTION, Answers

Span = tuple[int, int]
"""First token and end (exclusive)."""

LONGEST = 30
"""Tokens of the longest candidate."""
_SENTENCE_END = re.compile(r"[。！？!?；;\n]|\.(?=\s|$)")
_NUMBER = re.compile(r"\d[\d,.]*(?:\s?(?:%|年(?:\d+月(?:\d+日)?)?|[A-Za-z]+|[\u4e00-\u9fff]{1,2}))?")
_QUOTED = re.compile(r"[《「『“\"]([^》」』”\"\n]{2,60})[》」』”\"]")
_CAPITALS = re.compile(r"[A-Z][\w'’-]*(?:\s+(?:(?:of|the|and|for|de|von|van)\s+)*[A-Z][\w'’-]*)*")


@dataclass(frozen=True)
class Asked:
    """A question, the passage it is asked of, and the places of its answers there (code points)."""

    question: str
    passage: str
    places: tuple[Span, ...]


def asked(messages: Sequence[dict[str, Any]], target: str) -> Asked | None:
    """The row's question and places; None where no answer is a piece of another message than the question.

    A place that does not hold its answer's text is left out, and so are prompts written from a template.
    """
    try:
        truth = Answers.model_validate_json(target)
    except ValidationError:
        return None
    placed = [(answer.place, answer.text) for answer in truth.answers if answer.place is not None]
    number = placed[0][0].message if placed else len(messages)
    if truth.template or number >= len(messages):
        return None
    passage = messages[number]["text"] or ""
    inside = {
        (place.start, place.end)
        for place, text in placed
        if place.message == number and passage[place.start : place.end] == text and text.strip()
    }
    question = _question(messages, number)
    return Asked(question, passage, tuple(sorted(inside))) if inside and question else None


def _question(messages: Sequence[dict[str, Any]], passage: int) -> str:
    """The message named so, else the user's last one beside the passage; empty where there is none."""
    users = [turn for at, turn in enumerate(messages) if turn["role"] == "user" and at != passage]
    named = [turn for turn in users if turn["name"] == QUESTION] or users
    return (named[-1]["text"] or "").strip() if named else ""


def asked_rows(rows: pl.DataFrame) -> list[Asked | None]:
    """What each row asks, None where it has no answer with a place, or none that can be judged."""
    found: list[Asked | None] = [None] * rows.height
    placed = rows["target"].cast(pl.String).str.contains('"place"', literal=True).fill_null(value=False)
    told = rows.filter(placed).select("messages", "target").iter_rows()
    for row, (messages, target) in zip(placed.arg_true().to_list(), told, strict=True):
        found[row] = asked(messages, target)
    return found


@cache
def words() -> dict[str, dict[str, list[str]]]:
    """The tables of `answer_words.toml`."""
    return tomllib.loads((files("zhiling.curation") / "answer_words.toml").read_text(encoding="utf-8"))


@cache
def function_words() -> frozenset[str]:
    """Words that name nothing, English and Chinese."""
    return frozenset(word for listed in words()["function"].values() for word in listed)


class Passage:
    """A passage in tokens and sentences."""

    def __init__(self, text: str) -> None:
        """Cuts the text."""
        self.text = text
        self.places = [match.span() for match in TOKEN.finditer(text)]
        self.tokens = [text[start:end].casefold() for start, end in self.places]
        self.starts = {start: token for token, (start, _) in enumerate(self.places)}
        self.ends = {end: token + 1 for token, (_, end) in enumerate(self.places)}
        starts = [start for start, _ in self.places]
        bounds = [0, *(bisect_left(starts, match.end()) for match in _SENTENCE_END.finditer(text))]
        self.sentences = [(a, b) for a, b in pairwise([*bounds, len(self.tokens)]) if a < b]
        self.sentence_of = [number for number, (a, b) in enumerate(self.sentences) for _ in range(a, b)]

    def words_of(self, span: Span) -> str:
        """The text of a span of at least one token."""
        return self.text[self.places[span[0]][0] : self.places[span[1] - 1][1]]

    def span(self, start: int, end: int) -> Span:
        """The tokens that a piece of the text touches."""
        return bisect_right(self.places, start, key=itemgetter(1)), bisect_left(
            self.places, end, key=itemgetter(0)
        )

    @cached_property
    def candidates(self) -> list[Span]:
        """Names, numbers, quotations, clauses and runs of content words, in order, none twice."""
        found = {span for span in self._runs() if span[1] - span[0] <= LONGEST}
        for match in (each for kind in (_NUMBER, _QUOTED, _CAPITALS) for each in kind.finditer(self.text)):
            start, end = match.span(match.lastindex or 0)
            if start in self.starts and end in self.ends:
                found.add((self.starts[start], self.ends[end]))
        return sorted(span for span in found if 0 < span[1] - span[0] <= LONGEST)

    def _runs(self) -> Iterator[Span]:
        """Clauses, the runs of content words between function words, and pairs of such runs."""
        for low, high in self.sentences:
            clause = low
            for at in range(low, high + 1):
                if at == high or not self.tokens[at][0].isalnum():
                    if clause < at:
                        runs = list(self._content(clause, at))
                        yield from ((clause, at), *runs)
                        yield from ((a, d) for (a, b), (c, d) in pairwise(runs) if c - b == 1)
                    clause = at + 1

    def _content(self, low: int, high: int) -> Iterator[Span]:
        start = low
        for at in range(low, high + 1):
            if at == high or self.tokens[at] in function_words():
                if start < at:
                    yield start, at
                start = at + 1


def spread(spans: Sequence[Span], count: int) -> Sequence[Span]:
    """At most `count` of the spans, evenly taken."""
    return spans if len(spans) <= count else [spans[at * len(spans) // count] for at in range(count)]
