"""Questions that a passage itself asks and answers: its headings, definitions, tables, procedures and gaps.

Every answer is a piece of the passage, word for word. What could be answered in two ways is not asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict

from zhiling.rows.templates.phrases import Language, read_yaml
from zhiling.synthesis.passage_blocks import (
    Block,
    ItemList,
    Paragraph,
    Place,
    Table,
    bare,
    blocks,
    plain,
    sentences,
)
from zhiling.synthesis.passage_rows import Passage, tokens

Kind = Literal["heading", "definition", "table", "procedure", "cloze"]
KINDS: tuple[Kind, ...] = ("heading", "definition", "table", "procedure", "cloze")

GAP = "____"
_MOST_TERM = 40  # characters of what is defined, or of a row's name
_SENTENCE_CHARACTERS = (12, 240)
_LEAST_TOKENS = 6  # of a sentence with a gap
_COLON = (":", "：")
_QUESTION_END = ("?", "？")
_ENTRY = re.compile(r"(?P<term>[^:：。！？!?]{1,60}?)(?:：|:(?=[\s*]))\*{0,2}\s*(?P<what>\S.*)", re.DOTALL)
_GAPS = tuple(
    re.compile(pattern)
    for pattern in (
        r"“(?P<gap>[^”]{2,30})”",
        r"(?<=[^\s*`] )(?:\*\*|`)(?P<gap>[^*`]{1,29}[^*`\s.:：。])(?:\*\*|`)",
        r"(?<![\w.,:-])(?P<gap>\d+(?:[.,:]\d+)*)(?![\w-]|[.,:]\d)",
        r"(?<![A-Za-z0-9.,:-])(?P<gap>\d+(?:[.,:]\d+)*)(?=[\u3400-\u9fff])",
    )
)
_NAME = re.compile(r"\b(?P<gap>[A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*)(?<=\w)")
_BEFORE_NAME = re.compile(r"[a-z,;] $")  # at the start of a sentence any word has a capital
_MARKUP = re.compile(r"[<>{}$|\\]|\]\(|https?:")


class Words(BaseModel):
    """One language's wordings; see `passage_questions.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    questions: dict[str, list[str]]
    definitions: list[str]
    no_term: frozenset[str]


@cache
def words(language: Language) -> Words:
    """The wordings of a language."""
    file = resources.files("zhiling.synthesis").joinpath("passage_questions.yaml")
    return Words(**read_yaml(file.read_text("utf-8"))[language])


@cache
def _definitions(language: Language) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in words(language).definitions)


@dataclass(frozen=True)
class Question:
    """A question with the place of its answer.

    Attributes:
        kind: which of `KINDS`.
        wording: name of the wordings in the data file; empty where the heading asks by itself.
        subjects: what the question is about; a passage that names all of it may answer it too.
        answer: where the answer stands.
        values: what the wordings show.
    """

    kind: Kind
    wording: str
    subjects: tuple[str, ...]
    answer: Place
    values: dict[str, str] = field(default_factory=dict[str, str])

    def asked(self, language: Language, draw: float) -> str:
        """The question in words; `draw` in [0, 1) chooses them."""
        if not self.wording:
            return self.values["heading"]
        wordings = words(language).questions[self.wording]
        return wordings[int(draw * len(wordings))].format(**self.values)


def questions(
    passage: Passage, language: Language, kinds: Sequence[Kind], most_characters: int
) -> list[Question]:
    """All questions of these kinds, in the order of the text; no two with the same subjects.

    Args:
        passage: what is asked about.
        language: of its text.
        kinds: which questions.
        most_characters: of an answer.
    """
    parts = blocks(passage.text, passage.headings[-1] if passage.headings else "")
    found = [
        each
        for kind in kinds
        for each in _FINDERS[kind](passage, parts, language)
        if each.answer.end - each.answer.start <= most_characters
        and tokens(passage.text[each.answer.start : each.answer.end])
    ]
    asked = Counter((each.wording, each.subjects) for each in found)
    return [each for each in found if asked[each.wording, each.subjects] == 1]


def _heading(passage: Passage, parts: Sequence[Block], _: Language) -> Iterator[Question]:
    """What stands below a heading that is a question, or is all that its section says."""
    heading = plain(passage.heading)
    whole = passage.parts == 1 and len(parts) == 1
    if not passage.headings or not parts or not isinstance(parts[0], Paragraph):
        return
    if not passage.text.startswith(passage.headings[-1]):  # a later part of its section
        return
    place = parts[0].place
    asks = heading.endswith(_QUESTION_END) and len(tokens(heading)) >= 3
    if (asks or whole) and not passage.text[place.start : place.end].endswith(_COLON):
        yield Question("heading", "" if asks else "heading", (heading,), place, {"heading": heading})


def _definition(passage: Passage, parts: Sequence[Block], language: Language) -> Iterator[Question]:
    """What a sentence says that a term is, or a list beside it."""
    text = passage.text
    for part in parts:
        if isinstance(part, Paragraph):
            for sentence in sentences(text, part.place):
                yield from _defined(text, sentence, language)
        elif isinstance(part, ItemList) and not part.ordered:
            for item in part.items:
                yield from _entry(passage, item.place, language)


def _defined(text: str, sentence: Place, language: Language) -> Iterator[Question]:
    for pattern in _definitions(language):
        match = pattern.fullmatch(text, sentence.start, sentence.end)
        term = _unquoted(plain(match["term"])) if match else ""
        if match and _is_term(term, language) and not _MARKUP.search(match[0]):
            term = re.sub(r"^(The|An?) ", lambda article: article[0].lower(), term)
            yield Question(
                "definition", "definition", (term,), bare(text, Place(*match.span("what"))), {"term": term}
            )
            return


def _unquoted(term: str) -> str:
    return term.strip("“”\"'‘’ ")


def _is_term(term: str, language: Language) -> bool:
    if not 1 < len(term) <= _MOST_TERM or any(mark in term for mark in '“”"'):
        return False
    barred = words(language).no_term
    if language == "zh":
        return not any(word in term for word in barred)
    return len(term.split()) <= 6 and barred.isdisjoint(term.lower().split())


def _entry(passage: Passage, item: Place, language: Language) -> Iterator[Question]:
    """An item of the form `term: what is said about it`."""
    match = _ENTRY.fullmatch(passage.text, item.start, item.end)
    term = plain(match["term"]) if match else ""
    most = 8 if language == "en" else 16
    fine = match and match["term"].count("`") % 2 == 0 and not _MARKUP.search(match["term"])
    if match and fine and 0 < len(tokens(term)) <= most and passage.heading and not match[0].endswith(_COLON):
        values = {"term": term, "heading": plain(passage.heading)}
        yield Question("definition", "entry", (term,), bare(passage.text, Place(*match.span("what"))), values)


def _table(passage: Passage, parts: Sequence[Block], _: Language) -> Iterator[Question]:
    """Cells, by the first cell of their row and the head of their column."""
    for table in parts:
        if not isinstance(table, Table) or not passage.heading:
            continue
        text = passage.text
        header = [plain(text[place.start : place.end]) for place in table.header]
        keys = [plain(text[row[0].start : row[0].end]) for row in table.rows]
        times = Counter([*keys, *header])
        for key, row in zip(keys, table.rows, strict=True):
            if not 0 < len(key) <= _MOST_TERM or times[key] > 1:
                continue
            for name, cell in list(zip(header, row, strict=True))[1:]:
                shown = text[cell.start : cell.end]
                if name and times[name] == 1 and tokens(shown) and "<br>" not in shown and "\\|" not in shown:
                    values = {"heading": plain(passage.heading), "row": key, "column": name, "key": header[0]}
                    yield Question("table", "table", (key, name), bare(text, cell), values)


def _procedure(passage: Passage, parts: Sequence[Block], _: Language) -> Iterator[Question]:
    """Steps of a numbered list by their number, and by the step before."""
    lists = [part for part in parts if isinstance(part, ItemList) and part.ordered and len(part.items) > 1]
    if len(lists) != 1 or not passage.heading or passage.parts > 1:
        return  # of two lists below one heading, "step 2" could be either's
    text, heading = passage.text, plain(passage.heading)
    places = [item.place for item in lists[0].items]
    shown = [plain(text[place.start : place.end]) for place in places]
    for number, place in enumerate(places, 1):
        yield Question(
            "procedure", "step", (heading, str(number)), place, {"heading": heading, "number": str(number)}
        )
        if number > 1 and shown.count(shown[number - 2]) == 1:
            values = {"heading": heading, "step": shown[number - 2]}
            yield Question("procedure", "next_step", (shown[number - 2],), place, values)


def _cloze(passage: Passage, parts: Sequence[Block], _: Language) -> Iterator[Question]:
    """Sentences with a number, a name or a quoted term left out."""
    low, high = _SENTENCE_CHARACTERS
    for place in (sentence for part in parts for sentence in _sentences_of(passage.text, part)):
        sentence = passage.text[place.start : place.end]
        if (
            not low <= len(sentence) <= high
            or len(tokens(sentence)) < _LEAST_TOKENS
            or _MARKUP.search(sentence)
        ):
            continue
        gap = _gap(sentence)
        if gap is not None and passage.text.count(sentence) == 1:
            shown = plain(f"{sentence[: gap.start]}\0{sentence[gap.end :]}").replace("\0", GAP)
            at = Place(place.start + gap.start, place.start + gap.end)
            yield Question("cloze", "cloze", (shown,), at, {"sentence": shown})


def _sentences_of(text: str, part: Block) -> Iterator[Place]:
    places = [part.place] if isinstance(part, Paragraph) else []
    if isinstance(part, ItemList):
        places = [item.place for item in part.items]
    for place in places:
        yield from sentences(text, place)


def _gap(sentence: str) -> Place | None:
    """The first piece worth asking for that the rest of the sentence does not give away."""
    for pattern in (*_GAPS, _NAME):
        for match in pattern.finditer(sentence):
            rest = sentence[: match.start("gap")] + sentence[match.end("gap") :]
            inside = pattern is not _NAME or _BEFORE_NAME.search(sentence, 0, match.start("gap"))
            if inside and match["gap"].lower() not in rest.lower():
                return Place(*match.span("gap"))
    return None


_FINDERS: dict[Kind, Callable[[Passage, Sequence[Block], Language], Iterator[Question]]] = {
    "heading": _heading,
    "definition": _definition,
    "table": _table,
    "procedure": _procedure,
    "cloze": _cloze,
}
