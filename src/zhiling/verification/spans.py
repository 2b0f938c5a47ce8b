"""Spans: places of a target hold what they say, types are known, facts do not contradict, quotes are true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, ClassVar

import orjson
import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context
from zhiling.rows.conversation import flatten
from zhiling.rows.target import Answers, Entities, Place, Relations
from zhiling.verification.check import Check, Problem, Row, holds, truth_in
from zhiling.verification.contradictions import Rules, Signature, contradictions, wrong_types
from zhiling.verification.places import crossing, fault, repeated, untrue_tags
from zhiling.verification.quotes import false_quotes, stands_in
from zhiling.verification.replies import Messages

Truth = Entities | Relations | Answers


class Spans(Check):
    """Rejects rows whose truth does not stand in their texts: wrong places, types, facts or quotations.

    Looked at are entities, facts and answers with their places (code points, end exclusive), and what a reply
    quotes from the row's documents.

    Reasons, the first that holds: `broken_target` (it cannot be read), `outside` (a place ends behind its
    text), `not_there` (other words stand at a place, character by character; or an answer without a place
    stands nowhere, by `verbatim`), `ragged` (white space at its ends), `cut_word` (it begins or ends amid a
    word of letters or digits), `crossing` (two entities overlap and neither holds the other),
    `tags_differ` (tokens and tags do not say what the entities do), `unknown_type`, `wrong_type` (a
    relation does not join such entities), `contradiction`, `repeated`, `false_quote` (NFKC without case and
    white space, dashes and quotation marks as one).
    """

    name: ClassVar[str] = "spans"
    about = ("ner", "relation", "qa")
    cost: ClassVar[str] = "cheap: about 50 microseconds a row"
    limits: ClassVar[str] = (
        "An entity of a script without spaces whose words the target does not tell can begin one character "
        "late unseen. What a text should have been labelled with is not known here: see `label_errors`. "
        "Facts are compared within a row, by their words. A quotation of a few words, or without marks, is "
        "not judged; one of the question's words is true."
    )

    types: tuple[str, ...] = Field((), description="types of entity that there are; none given: not checked")
    relations: dict[str, Signature] = Field(
        {}, description="relations that there are, with the types that they join; none given: not checked"
    )
    one_object: tuple[str, ...] = Field((), description="relations of which a subject has one (born in)")
    one_way: tuple[str, ...] = Field((), description="relations that never hold both ways (parent of)")
    exclusive: tuple[tuple[str, ...], ...] = Field(
        (), description="groups of relations of which one at most holds between the same two"
    )
    verbatim: bool = Field(
        default=False, description="whether answers without a place must stand in a document as well"
    )
    quote_least: int | None = Field(
        4, ge=1, description="fewest words (Chinese: characters) of a quotation to be judged; null: none is"
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        BROKEN_TARGET = "broken_target"
        OUTSIDE = "outside"
        NOT_THERE = "not_there"
        RAGGED = "ragged"
        CUT_WORD = "cut_word"
        CROSSING = "crossing"
        TAGS_DIFFER = "tags_differ"
        UNKNOWN_TYPE = "unknown_type"
        WRONG_TYPE = "wrong_type"
        CONTRADICTION = "contradiction"
        REPEATED = "repeated"
        FALSE_QUOTE = "false_quote"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with entities, facts or answers, and replies to a document."""
        placed = holds(rows["target"], *_MODELS)
        if self.quote_least is None:
            return placed
        roles = flatten(rows["messages"]).select("row", "role")
        both = [set(roles.filter(pl.col("role") == role)["row"]) for role in ("document", "assistant")]
        replied = both[0] & both[1]
        return placed | pl.Series([row in replied for row in range(rows.height)], dtype=pl.Boolean)

    def problems(self, row: Row, context: Context) -> Iterator[Problem]:
        """What is wrong with one row."""
        messages: Messages = row["messages"] or []
        key = _key(row["target"])
        if key is not None:
            truth = truth_in(row["target"], _MODELS[key])
            if isinstance(truth, str):
                yield Problem(self.Reason.BROKEN_TARGET, truth)
            else:
                yield from self._of_truth(truth, messages)
        if self.quote_least is not None:
            yield from self._of_quotes(messages, self.quote_least)

    def _of_truth(self, truth: Truth, messages: Messages) -> Iterator[Problem]:
        texts = [turn["text"] or "" for turn in messages]
        yield from self._of_places(truth, texts)
        spans = [] if isinstance(truth, Answers) else truth.spans or []
        yield from (Problem(self.Reason.CROSSING, told) for told in crossing(spans))
        yield from (Problem(self.Reason.REPEATED, told) for told in repeated(spans))
        yield from self._unknown(_types(truth), self.types)
        if isinstance(truth, Entities) and texts and not truth.template:
            yield from (Problem(self.Reason.TAGS_DIFFER, told) for told in untrue_tags(truth, texts[0]))
        if isinstance(truth, Relations):
            yield from self._of_facts(truth)
        if isinstance(truth, Answers) and self.verbatim:
            yield from self._of_answers(truth, messages)

    def _of_places(self, truth: Truth, texts: Sequence[str]) -> Iterator[Problem]:
        for place, words in _claims(truth):
            found = fault(texts, place, words)
            if found is not None:
                yield Problem(self.Reason(found[0]), found[1])

    def _unknown(self, names: Iterable[str], known: Sequence[str]) -> Iterator[Problem]:
        """Names outside of a list; an empty list knows all."""
        for name in names:
            if known and name not in known:
                yield Problem(self.Reason.UNKNOWN_TYPE, f"{name!r} is none of {', '.join(known)}")

    def _of_facts(self, truth: Relations) -> Iterator[Problem]:
        for told in contradictions(truth, Rules(self.one_object, self.one_way, self.exclusive)):
            yield Problem(self.Reason.CONTRADICTION, told)
        for told in wrong_types(truth.relations, self.relations):
            yield Problem(self.Reason.WRONG_TYPE, told)
        names = dict.fromkeys(fact.relation for fact in truth.relations)
        yield from self._unknown(names, tuple(self.relations))
        for fact, count in Counter(fact.model_dump_json() for fact in truth.relations).items():
            if count > 1:
                yield Problem(self.Reason.REPEATED, f"told {count} times: {fact:.80}")

    def _of_answers(self, truth: Answers, messages: Messages) -> Iterator[Problem]:
        document = _said(messages, "document")
        for answer in truth.answers:
            if answer.place is None and not stands_in(answer.text, document):
                yield Problem(self.Reason.NOT_THERE, f"{answer.text!r:.60} stands in no document")

    def _of_quotes(self, messages: Messages, least: int) -> Iterator[Problem]:
        reply = next((turn["text"] for turn in reversed(messages) if turn["role"] == "assistant"), None)
        if reply and _said(messages, "document"):
            for quote in false_quotes(reply, _said(messages, "document", "tool", "user"), least):
                yield Problem(self.Reason.FALSE_QUOTE, f"{quote!r:.80} is quoted and stands in no document")


_MODELS: dict[str, type[Entities] | type[Relations] | type[Answers]] = {
    "relations": Relations,
    "answers": Answers,
    "spans": Entities,
}
"""Key of a target → its shape; facts may have entities too, so their key comes first."""


def _key(target: str | None) -> str | None:
    """Which of the shapes a target is; a broken one is what it speaks of."""
    if target is None:
        return None
    try:
        fields: Any = orjson.loads(target)
    except orjson.JSONDecodeError:
        fields = [key for key in _MODELS if f'"{key}"' in target]
    return next((key for key in _MODELS if key in fields), None) if isinstance(fields, dict | list) else None


def _claims(truth: Truth) -> Iterator[tuple[Place, str | None]]:
    """Each place of a truth, and what should stand there."""
    if isinstance(truth, Answers):
        yield from ((answer.place, answer.text) for answer in truth.answers if answer.place is not None)
        return
    yield from ((span, span.text) for span in truth.spans or [])
    if isinstance(truth, Relations):
        for fact in truth.relations:
            ends = ((fact.subject_place, fact.subject), (fact.object_place, fact.object))
            yield from ((place, words) for place, words in ends if place is not None)


def _types(truth: Truth) -> Iterable[str]:
    """Types of entity that a truth names, in their order."""
    spans = [] if isinstance(truth, Answers) else truth.spans or []
    facts = truth.relations if isinstance(truth, Relations) else []
    ends = [name for fact in facts for name in (fact.subject_type, fact.object_type) if name is not None]
    return dict.fromkeys([*(span.label for span in spans), *ends])


def _said(messages: Messages, *roles: str) -> str:
    return "\n".join(turn["text"] or "" for turn in messages if turn["role"] in roles)
