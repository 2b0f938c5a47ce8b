"""SQuAD: questions about passages with the places of their answers, nested as published or one a line."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Literal, NamedTuple, cast

import orjson
import polars as pl
from pydantic import Field

from zhiling.rows.conversation import flatten
from zhiling.rows.formats.conll import count_held
from zhiling.rows.formats.draft import MARKERS, Draft, Message, drafts_of
from zhiling.rows.formats.exchange import Exchange
from zhiling.rows.formats.format import Encoder, Format
from zhiling.rows.target import CONTEXT, QUESTION

_FIELDS = frozenset({"id", "title", "context", "question", "answers", "is_impossible", "qas", "paragraphs"})


class Item(NamedTuple):
    """One question: `rest` is what else its record holds; `answers` are text and start."""

    id: str
    title: str
    context: str
    question: str
    answers: list[tuple[str, int]]
    impossible: bool
    rest: dict[str, Any]


class Squad(Format):
    """Questions of one passage that follow each other stand below it, passages of one title in an article."""

    name: ClassVar[str] = "squad"
    suffix: ClassVar[str] = ".json"

    form: Literal["nested", "flat"] = Field(
        default="nested", description="one JSON object for the file, or one object a question and line"
    )
    edition: Literal["1.1", "2.0"] = Field(
        default="2.0", description="2.0 says of each question whether it can be answered (nested only)"
    )

    def header(self) -> bytes:
        """What the file begins with."""
        return b"" if self.form == "flat" else f'{{"version":"{self.edition}","data":['.encode()

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """All behind the header of a file with these rows; see `Format.encode`."""
        encoder = self.encoder()
        return encoder.encode(rows, losses) + encoder.finish()

    def encoder(self) -> Encoder:
        """An encoder that knows which article and passage are open."""
        return _Lines(self) if self.form == "flat" else _Articles(self)

    def items(self, rows: pl.DataFrame, losses: Counter[str]) -> list[Item]:
        """The questions of these rows."""
        exchange = Exchange.of(rows)
        count_held(exchange, losses)
        found: list[Item] = []
        ids = exchange.rows["id"].to_list()
        for name, draft in zip(
            ids, drafts_of(exchange.rows, flatten(exchange.rows["messages"])), strict=True
        ):
            lost: set[str] = set()
            found.append(self._item(name or "", draft, lost))
            losses.update(lost)
        return found

    def _item(self, name: str, draft: Draft, lost: set[str]) -> Item:
        context = _named(draft, CONTEXT, "document")
        question = _named(draft, QUESTION, "user")
        for told, index in (("no_context", context), ("no_question", question)):
            if index is None:
                lost.add(told)
        if len(draft.messages) > (context is not None) + (question is not None):
            lost.add("further_messages")
        passage = _text(draft, context)
        truth = cast(dict[str, Any], orjson.loads(draft.target)) if draft.target else {}
        answers = _answers(truth, context, passage, lost)
        if "answers" not in truth:
            lost |= {"no_answers", "target"} if truth else {"no_answers"}
        impossible = not answers and "answers" in truth
        if impossible and (self.edition == "1.1" and self.form == "nested"):
            lost.add("impossible")
        extra = {name: value for name, value in draft.extra.items() if name not in MARKERS}
        lost |= {f"extra.{name}" for name in extra.keys() & _FIELDS - {"id", "title"}}
        rest = {name: value for name, value in extra.items() if name not in _FIELDS}
        title, own = str(extra.get("title") or ""), str(extra.get("id") or name)
        return Item(own, title, passage, _text(draft, question), answers, impossible, rest)


class _Lines(Encoder):
    """One object a question."""

    def __init__(self, form: Squad) -> None:
        super().__init__(form)
        self._squad = form

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The lines of these rows."""
        return b"".join(
            orjson.dumps(_flat(item), option=orjson.OPT_APPEND_NEWLINE)
            for item in self._squad.items(rows, losses)
        )


class _Articles(Encoder):
    """Opens and closes articles and passages as titles and contexts change."""

    def __init__(self, form: Squad) -> None:
        super().__init__(form)
        self._squad = form
        self._last: Item | None = None

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The questions of these rows, with what opens and closes around them."""
        parts: list[bytes] = []
        for item in self._squad.items(rows, losses):
            parts.append(self._opening(item))
            parts.append(orjson.dumps(_question(item, self._squad.edition)))
            self._last = item
        return b"".join(parts)

    def finish(self) -> bytes:
        """What closes the file."""
        return (b"]}]}" if self._last else b"") + b"]}\n"

    def _opening(self, item: Item) -> bytes:
        last = self._last
        passage = b'{"context":' + orjson.dumps(item.context) + b',"qas":['
        if last is not None and (last.title, last.context) == (item.title, item.context):
            return b","
        if last is not None and last.title == item.title:
            return b"]}," + passage
        closing = b"" if last is None else b"]}]},"
        return closing + b'\n{"title":' + orjson.dumps(item.title) + b',"paragraphs":[' + passage


def _question(item: Item, edition: str) -> dict[str, Any]:
    answers = [{"text": text, "answer_start": start} for text, start in item.answers]
    told = {"is_impossible": item.impossible} if edition == "2.0" else {}
    return {"id": item.id, "question": item.question, "answers": answers, **told, **item.rest}


def _flat(item: Item) -> dict[str, Any]:
    answers = {
        "text": [text for text, _ in item.answers],
        "answer_start": [start for _, start in item.answers],
    }
    head = {"id": item.id, "title": item.title, "context": item.context, "question": item.question}
    return {**head, "answers": answers, **item.rest}


def _named(draft: Draft, name: str, role: str) -> int | None:
    """The message of this name, else the last of this role without a name."""
    found = [index for index, each in enumerate(draft.messages) if each.name == name]
    found = found or [n for n, each in enumerate(draft.messages) if each.role == role and each.name is None]
    return found[-1] if found else None


def _text(draft: Draft, index: int | None) -> str:
    message: Message | None = None if index is None else draft.messages[index]
    return (message.text or "") if message is not None else ""


def _answers(
    truth: dict[str, Any], context: int | None, passage: str, lost: set[str]
) -> list[tuple[str, int]]:
    """Answers with their starts; where a row does not tell the place, the first of that text, else -1."""
    found: list[tuple[str, int]] = []
    for each in cast(list[dict[str, Any]], truth.get("answers") or ()):
        place = cast(dict[str, Any] | None, each.get("place"))
        told = place is not None and place.get("message", 0) == context
        if not told:
            lost.add("answer_place")
        found.append((each["text"], place["start"] if place and told else passage.find(each["text"])))
    return found
