"""Replies with their variable parts cut out: typed slots by pattern, names by how words are written."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

NAME = "name"
FREE = "free"
SLOT = "{%s}"

_TOKEN = re.compile(
    r"(?:[A-Z]\.){2,}|[^\W\d_\u3400-\u9fff]+(?:['’\-][^\W\d_\u3400-\u9fff]+)*|\d+|[\u3400-\u9fff]|[^\w\s]|_"
)
_SENTENCE_ENDS = frozenset('.!?:。！？：;；“"「')
_RARE_ROWS = 2
_MOSTLY = 0.5
_NEARLY_ALWAYS = 0.8
_MOST_JOINERS = 2


class Token(NamedTuple):
    """A word, sign, Chinese character or typed slot: `{date}`."""

    text: str
    start: int
    end: int

    @property
    def typed(self) -> bool:
        """Whether a pattern found it."""
        return len(self.text) > 1 and self.text[0] == "{"


class Slot(NamedTuple):
    """A variable part of a reply: `text[start:end]`."""

    type: str
    start: int
    end: int


class Skeleton(NamedTuple):
    """A reply's fixed words in lower case with `{type}` for its slots, and where they stand.

    `places` gives of each word its place in the text.
    """

    words: tuple[str, ...]
    slots: tuple[Slot, ...]
    places: tuple[tuple[int, int], ...]


def tokens(text: str) -> list[Token]:
    """The words of a text, typed slots as one; a slot of one type is never part of another."""
    found: list[Token] = []
    place = 0
    for match in _types().finditer(text):
        found += _plain(text, place, match.start())
        found.append(Token(SLOT % match.lastgroup, match.start(), match.end()))
        place = match.end()
    return found + _plain(text, place, len(text))


def without_values(text: str) -> str:
    """The text with a space for each typed slot but names: no dates, numbers, order ids."""
    return _types().sub(lambda match: match[0] if match.lastgroup == NAME else " ", text)


def is_slot(word: str) -> bool:
    """Whether a word of a skeleton is a slot."""
    return len(word) > 1 and word[0] == "{"


@dataclass(frozen=True)
class Casing:
    """Which words are names, learnt from how a log writes them.

    Attributes:
        inside: words that stand capitalised within a sentence more often than not.
        always: words that do so nearly always.
        known: words that stand within a sentence, or in more than two replies.
    """

    inside: frozenset[str]
    always: frozenset[str]
    known: frozenset[str]

    @classmethod
    def learnt(cls, replies: Iterable[Sequence[Token]]) -> Casing:
        """The casing of these replies."""
        capital, within, rows = Counter[str](), Counter[str](), Counter[str]()
        for reply in replies:
            rows.update({token.text.lower() for token in reply})
            for token, first in zip(reply, _firsts(reply), strict=True):
                if not first and not token.typed:
                    within[token.text.lower()] += 1
                    capital[token.text.lower()] += token.text[0].isupper()
        share = {word: capital[word] / count for word, count in within.items()}
        return cls(
            frozenset(word for word, each in share.items() if each >= _MOSTLY),
            frozenset(word for word, each in share.items() if each >= _NEARLY_ALWAYS),
            frozenset(within) | {word for word, count in rows.items() if count > _RARE_ROWS},
        )

    def skeleton(self, text: str) -> Skeleton:
        """The skeleton of a reply."""
        found = tokens(text)
        named = self._named(found)
        words: list[str] = []
        slots: list[Slot] = []
        places: list[tuple[int, int]] = []
        place = 0
        while place < len(found):
            end = _end_of_name(found, named, place) if named[place] else place + 1
            token, last = found[place], found[end - 1]
            if named[place]:
                slots.append(Slot(NAME, token.start, last.end))
            elif token.typed:
                slots.append(Slot(token.text[1:-1], token.start, token.end))
            words.append(SLOT % slots[-1].type if named[place] or token.typed else token.text.lower())
            places.append((token.start, last.end))
            place = end
        return Skeleton(tuple(words), tuple(slots), tuple(places))

    def _named(self, found: Sequence[Token]) -> list[bool]:
        """Which tokens belong to a name: by the log's casing, and capitals beside them."""
        firsts = _firsts(found)
        named = [self._is_name(token, first) for token, first in zip(found, firsts, strict=True)]
        capital = [token.text[0].isupper() and not first for token, first in zip(found, firsts, strict=True)]
        for place in range(1, len(found)):
            named[place] |= capital[place] and named[place - 1]
        for place in range(len(found) - 2, -1, -1):
            opens = firsts[place] and found[place].text[0].isupper() and self._unknown(found[place])
            named[place] |= (capital[place] or opens) and named[place + 1]
        return named

    def _is_name(self, token: Token, first: bool) -> bool:
        word = token.text.lower()
        if token.typed or not token.text[0].isupper() or word in _words()["never"]:
            return False
        if first:
            return word in self.always
        return word in self.inside or self._unknown(token)

    def _unknown(self, token: Token) -> bool:
        return token.text.lower() not in self.known


def _firsts(found: Sequence[Token]) -> list[bool]:
    """Which tokens begin a sentence, where a capital says nothing."""
    firsts: list[bool] = []
    first = True
    for token in found:
        firsts.append(first)
        sign = not any(character.isalnum() for character in token.text)
        first = token.text in _SENTENCE_ENDS or (first and sign)
    return firsts


def _end_of_name(found: Sequence[Token], named: Sequence[bool], start: int) -> int:
    """Behind the last token of the name: named ones, joiners between them, a number at its end."""
    end = start + 1
    while end < len(found):
        after = end
        while (
            after < min(len(found), end + _MOST_JOINERS) and found[after].text.lower() in _words()["joiners"]
        ):
            after += 1
        if after < len(found) and named[after]:
            end = after + 1
        elif _numbered(found, named, end):
            end += 1
        else:
            break
    return end


def _numbered(found: Sequence[Token], named: Sequence[bool], place: int) -> bool:
    """Whether a number belongs to the name before it: `Cafe 21`, not `Cafe 21 guests`."""
    if found[place].text != SLOT % "number" or found[place].start - found[place - 1].end > 1:
        return False
    behind = place + 1
    return behind >= len(found) or named[behind] or not found[behind].text[0].isalpha()


def _plain(text: str, start: int, end: int) -> list[Token]:
    return [Token(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text, start, end)]


@cache
def _file() -> Mapping[str, Any]:
    return tomllib.loads((files("zhiling.synthesis") / "slot_types.toml").read_text(encoding="utf-8"))


@cache
def _words() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(words) for name, words in _file()["words"].items()}


def negations(words: Iterable[str]) -> frozenset[str]:
    """The words among these that deny."""
    return _words()["negations"].intersection(words)


@cache
def _types() -> re.Pattern[str]:
    types: Mapping[str, Sequence[str]] = _file()["types"]
    return re.compile(
        "|".join(f"(?P<{name}>{'|'.join(patterns)})" for name, patterns in types.items()), re.IGNORECASE
    )
