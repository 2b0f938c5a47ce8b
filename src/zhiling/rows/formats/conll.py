"""Token lines with columns (CoNLL): a token and its tag a line, a blank line behind each sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal, cast

import orjson
import polars as pl
from pydantic import Field

from zhiling.rows.conversation import flatten
from zhiling.rows.formats.draft import Draft, drafts_of
from zhiling.rows.formats.exchange import Exchange
from zhiling.rows.formats.format import Encoder, Format
from zhiling.text.spacing import join

DOCUMENT_START = "-DOCSTART-"
UNKNOWN = "-"

_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|[^\w\s]|_"
)
_SPACE = re.compile(r"\s+")
Place = tuple[int, int]


class Conll(Format):
    """Sentences with entities, tagged B, I, O; the set's own tokens and tags where a row has them.

    A row is the message that its spans are in, and that message only. Without tokens of its own it is cut
    into words, single Chinese characters and marks, and at the ends of spans.
    """

    name: ClassVar[str] = "conll"
    suffix: ClassVar[str] = ".conll"

    form: Literal["two", "four"] = Field(
        default="two",
        description="columns: token and tag, or the four of CoNLL-2003; those between are `extra`'s column_2 "
        "and column_3, `-` where a row has none",
    )
    separator: Literal[" ", "\t"] = Field(default=" ", description="what stands between columns")

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """A whole file with these rows; see `Format.encode`."""
        return self.encoder().encode(rows, losses)

    def encoder(self) -> Encoder:
        """An encoder that knows the document of the row before."""
        return _Documents(self)

    def sentence(self, draft: Draft, lost: set[str]) -> str:
        """The lines of one row."""
        truth = cast(dict[str, Any], orjson.loads(draft.target)) if draft.target else {}
        spans = cast(list[dict[str, Any]] | None, truth.get("spans"))
        if spans is None:
            lost |= {"no_tags", "target"} if truth else {"no_tags"}
        spoken = next((n for n, each in enumerate(draft.messages) if each.role in ("user", "document")), 0)
        index = next((span.get("message", 0) for span in spans or ()), spoken)
        within = [span for span in spans or () if span.get("message", 0) == index]
        if len(draft.messages) > 1:
            lost.add("further_messages")
        if len(within) < len(spans or ()):
            lost.add("spans")
        text = (draft.messages[index].text or "") if index < len(draft.messages) else ""
        places, tags = _given(truth) or _tagged(text, within, lost)
        if not places:
            lost.add("empty_text")  # a sentence without tokens is no sentence of the file
            return ""
        return self._lines(text, places, tags, draft.extra, lost)

    def _lines(
        self,
        text: str,
        places: Sequence[Place],
        tags: Sequence[str],
        extra: Mapping[str, Any],
        lost: set[str],
    ) -> str:
        tokens = [self._token(text[start:end], lost) for start, end in places]
        if not _rejoins(text, places):
            lost.add("spacing")
        columns: list[Sequence[str]] = [tokens]
        if self.form == "four":
            columns += [_column(extra.get(name), len(tokens)) for name in ("column_2", "column_3")]
        elif extra.keys() & {"column_2", "column_3"}:
            lost.add("columns")
        lines = map(self.separator.join, zip(*columns, tags, strict=True))
        return "".join(f"{line}\n" for line in lines) + "\n"

    def _token(self, token: str, lost: set[str]) -> str:
        """A token that is one column: space in it would be a border."""
        if _SPACE.search(token) is None:
            return token
        lost.add("space_in_token")
        return _SPACE.sub("_", token)


class _Documents(Encoder):
    """Puts a line before each document, where rows belong to documents."""

    def __init__(self, form: Conll) -> None:
        super().__init__(form)
        self._conll = form
        self._document: str | None = None

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The sentences of these rows."""
        exchange = Exchange.of(rows)
        count_held(exchange, losses)
        groups = exchange.rows["origin"].struct.field("group").to_list()
        parts: list[str] = []
        for group, draft in zip(
            groups, drafts_of(exchange.rows, flatten(exchange.rows["messages"])), strict=True
        ):
            lost: set[str] = set()
            if group is not None and group != self._document:
                fill = ["-X-"] * 2 if self._conll.form == "four" else []
                parts.append(self._conll.separator.join([DOCUMENT_START, *fill, "O"]) + "\n\n")
            self._document = group
            parts.append(self._conll.sentence(draft, lost))
            losses.update(lost)
        return "".join(parts).encode()


def count_held(exchange: Exchange, losses: Counter[str]) -> None:
    """Counts what formats of one text and its truth do not hold."""
    exchange.count_losses(losses, holds={"target"})
    exchange.count_fields(losses, "reasoning", "tool_calls", "weight")
    losses.update({"tools": count} if (count := exchange.rows["tools"].count()) else {})


def _given(truth: Mapping[str, Any]) -> tuple[list[Place], list[str]] | None:
    """The set's own tokens and tags, while they say what the spans say."""
    tokens = cast(list[Place] | None, truth.get("tokens"))
    tags = cast(list[str] | None, truth.get("tags"))
    if tokens is None or tags is None or len(tokens) != len(tags):
        return None
    return [(start, end) for start, end in tokens], tags


def _tagged(text: str, spans: Sequence[Mapping[str, Any]], lost: set[str]) -> tuple[list[Place], list[str]]:
    """Tokens that no span cuts, and their tags; of spans that overlap the first by place is told."""
    ordered = sorted(spans, key=lambda span: (span["start"], -span["end"]))
    borders = sorted({place for span in spans for place in (span["start"], span["end"])})
    places = [piece for match in _TOKEN.finditer(text) for piece in _cut(match.span(), borders)]
    tags = ["O"] * len(places)
    for span in ordered:
        inside = [n for n, (start, end) in enumerate(places) if span["start"] <= start and end <= span["end"]]
        if not inside or any(tags[n] != "O" for n in inside):
            lost.add("overlapping_spans" if inside else "spans")
            continue
        for n in inside:
            tags[n] = f"{'B' if n == inside[0] else 'I'}-{span['label']}"
    return places, tags


def _cut(token: Place, borders: Sequence[int]) -> list[Place]:
    start, end = token
    cuts = [start, *(border for border in borders if start < border < end), end]
    return list(pairwise(cuts))


def _rejoins(text: str, places: Sequence[Place]) -> bool:
    """Whether tokens joined as they are read give the text."""
    return join([text[start:end] for start, end in places]) == (text, [*places])


def _column(value: Any, length: int) -> list[str]:
    listed = cast(list[Any], value) if isinstance(value, list) else []
    return [str(each) for each in listed] if len(listed) == length else [UNKNOWN] * length
