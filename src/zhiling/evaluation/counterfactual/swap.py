"""A text about somebody else: words of gender, names or places swapped, and how places in it moved.

What it does not see: names and places that no list holds, words that only look like one, a gender that only
the story tells, and the facts of a place (a river goes through another town).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Literal, NamedTuple

from zhiling.evaluation.counterfactual.words import GENDERS, Groups, Term, gender_words, names, regions

Kind = Literal["gender", "name", "region"]
KINDS: tuple[Kind, ...] = ("gender", "name", "region")


class Unswapped(StrEnum):
    """Why a text has no counterfactual."""

    ABSENT = "absent"
    """It holds no term of the lists."""
    AMBIGUOUS = "ambiguous"
    """Grammar does not tell which word would stand there."""


class Edit(NamedTuple):
    """A piece of the text as it was, and what stands there now."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Swapped:
    """Texts with all their terms swapped.

    Attributes:
        plain: as they read before.
        texts: as they read now.
        edits: of each text, in order; no two touch.
    """

    plain: tuple[str, ...]
    texts: tuple[str, ...]
    edits: tuple[tuple[Edit, ...], ...]

    def moved(self, number: int, start: int, end: int) -> tuple[int, int]:
        """Where a piece of a text stands now; a piece that was cut by a swap takes in the whole new word."""
        return self._place(number, start, end=False), self._place(number, end, end=True)

    def _place(self, number: int, place: int, *, end: bool) -> int:
        shift = 0
        for edit in self.edits[number]:
            if place >= edit.end and (end or place > edit.start):
                shift += len(edit.text) - (edit.end - edit.start)
            elif place > edit.start:
                return edit.start + shift + (len(edit.text) if end else 0)
        return place + shift


class _AmbiguousError(Exception):
    """Grammar leaves two words possible."""


def swap_texts(texts: Sequence[str], kind: Kind, key: str, variant: int = 0) -> Swapped | Unswapped:
    """The same texts about another gender, about people with names of another group, or other places.

    Args:
        texts: the messages of one input: a person has one name in all of them.
        kind: what is swapped. Gender takes first names with it, so that they fit their pronouns.
        key: decides which other group comes in; equal keys, equal swaps.
        variant: counts up to get further groups.

    Anchor: "Emily lost her key." is "James lost his key." by gender.
    """
    edits_of = {"gender": _gender_edits, "name": _name_edits, "region": _region_edits}[kind]
    try:
        edits = edits_of(texts, _drawn(key, variant))
    except _AmbiguousError:
        return Unswapped.AMBIGUOUS
    if not any(edits):
        return Unswapped.ABSENT
    whole = [_with_articles(text, each) for text, each in zip(texts, edits, strict=True)]
    told = tuple(_applied(text, each) for text, each in zip(texts, whole, strict=True))
    return Swapped(tuple(texts), told, tuple(whole))


Draw = Callable[[Sequence[str]], str]
"""One of several groups."""


def _drawn(key: str, variant: int) -> Draw:
    number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest()) + variant
    return lambda groups: groups[number % len(groups)]


def _applied(text: str, edits: Sequence[Edit]) -> str:
    pieces: list[str] = []
    done = 0
    for edit in edits:
        pieces += [text[done : edit.start], edit.text]
        done = edit.end
    return "".join([*pieces, text[done:]])


_ARTICLE = re.compile(r"(?<![A-Za-z])([Aa])(n?)\s+$")


def _with_articles(text: str, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """The edits, with `a` and `an` before a swapped word as the new word wants them."""
    found: list[Edit] = []
    for edit in edits:
        before = _ARTICLE.search(text, 0, edit.start)
        if before and edit.text[0].isascii():
            article = before[1] + ("n" if edit.text[0].lower() in "aeiou" else "")
            if article != before[1] + before[2]:
                found.append(Edit(before.start(), before.end(2), article))
        found.append(edit)
    return tuple(found)


def _pattern(words: Sequence[str], left: Sequence[str] = (), *, fold: bool = False) -> re.Pattern[str]:
    """Any of the words, the longest first; English ones only where no letter stands beside them."""
    ordered = sorted({*words, *left}, key=lambda word: (-len(word), word))
    english = "|".join(re.escape(word) for word in ordered if word.isascii())
    others = "|".join(re.escape(word) for word in ordered if not word.isascii())
    parts = [rf"(?<![A-Za-z])(?:{english})(?![A-Za-z])" if english else "", others]
    return re.compile("|".join(part for part in parts if part), re.IGNORECASE if fold else 0)


# ---- gender ----


@cache
def _gender_table() -> tuple[re.Pattern[str], dict[str, str], frozenset[str]]:
    words = gender_words()
    counterparts = {**words.counterparts["en"], **words.counterparts["zh"]}
    left = [phrase for phrases in words.left.values() for phrase in phrases]
    pronouns = ("him", "his", "her", "hers")
    pattern = _pattern([*counterparts, *pronouns], left, fold=True)
    return pattern, counterparts, frozenset(phrase.lower() for phrase in left)


@cache
def _first_names() -> tuple[re.Pattern[str], dict[str, Term]]:
    terms = names().terms(GENDERS)
    return _pattern(list(terms)), terms


def _gender_edits(texts: Sequence[str], draw: Draw) -> list[list[Edit]]:  # noqa: ARG001 - as every kind
    pattern, _, left = _gender_table()
    name_pattern, terms = _first_names()
    found: list[list[Edit]] = []
    for text in texts:
        words = [
            Edit(match.start(), match.end(), _counterpart(text, match))
            for match in pattern.finditer(text)
            if match[0].lower() not in left
        ]
        called = [
            Edit(match.start(), match.end(), _other_gender(terms[match[0]]))
            for match in name_pattern.finditer(text)
        ]
        found.append(_apart([*words, *called]))
    return found


def _apart(edits: Sequence[Edit]) -> list[Edit]:
    """The edits in order, without those that touch an earlier one."""
    kept: list[Edit] = []
    for edit in sorted(edits):
        if edit.text and (not kept or edit.start >= kept[-1].end):
            kept.append(edit)
    return kept


def _other_gender(term: Term) -> str:
    lists = names().lists[term.language][term.group]
    words = lists[GENDERS[1 - GENDERS.index(term.slot)]]
    return words[term.index % len(words)]


def _counterpart(text: str, match: re.Match[str]) -> str:
    """The word of the other gender, in the case of the word that stands there; empty: it is no such word."""
    word = match[0]
    _, counterparts, _ = _gender_table()
    if word in counterparts:
        return counterparts[word]
    lower = word.lower()
    if lower in ("him", "his", "her", "hers"):
        return _cased(word, _pronoun(text, match))
    return _cased(word, counterparts[lower]) if lower in counterparts else ""


def _cased(old: str, new: str) -> str:
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[0].upper() + new[1:] if old[0].isupper() else new


_NEXT = re.compile(r"[ \t]+[\"'(]?([A-Za-z]+)")
_BEFORE = re.compile(r"([A-Za-z]+)[ \t]+$")


def _pronoun(text: str, match: re.Match[str]) -> str:
    """`him`, `his`, `her`, `hers` of the other gender: what follows tells whether something is had.

    Raises:
        _AmbiguousError: it may be either.
    """
    word, lists = match[0].lower(), gender_words()
    if word in ("him", "hers"):
        return {"him": "her", "hers": "his"}[word]
    follows = _NEXT.match(text, match.end())
    has = follows is not None and follows[1].lower() not in lists.after_pronoun
    if word == "his":
        return "her" if has else "hers"
    before = _BEFORE.search(text, 0, match.start())
    own = follows is not None and follows[1].lower() == "own"
    if has and not own and before and before[1].lower() in lists.unclear_before:
        raise _AmbiguousError
    return "his" if has else "him"


# ---- names and places ----


def _name_edits(texts: Sequence[str], draw: Draw) -> list[list[Edit]]:
    pattern, terms = _first_names()
    matches = [[(match, terms[match[0]]) for match in pattern.finditer(text)] for text in texts]
    targets = _targets(names(), [term for some in matches for _, term in some], draw)
    found: list[list[Edit]] = []
    for text, some in zip(texts, matches, strict=True):
        edits: list[Edit] = []
        for match, term in some:
            group = targets.get((term.language, term.slot))
            if group:
                edits.append(Edit(match.start(), match.end(), names().word(term, group)))
                edits += _surname(text, match.end(), term, group)
        found.append(edits)
    return found


def _surname(text: str, start: int, term: Term, group: str) -> Iterator[Edit]:
    """A listed surname right behind a first name of its group."""
    for index, last in enumerate(names().lists[term.language][term.group].get("last", ())):
        match = re.compile(rf"\s+({re.escape(last)})(?![A-Za-z])").match(text, start)
        if match:
            other = names().lists[term.language][group]["last"]
            yield Edit(match.start(1), match.end(1), other[index % len(other)])


@cache
def _place_table() -> tuple[re.Pattern[str], dict[str, Term]]:
    terms = regions().terms()
    return _pattern(list(terms), [word for words in regions().left.values() for word in words]), terms


def _region_edits(texts: Sequence[str], draw: Draw) -> list[list[Edit]]:
    pattern, terms = _place_table()
    matches = [
        [(match, terms[match[0]]) for match in pattern.finditer(text) if match[0] in terms] for text in texts
    ]
    targets = _targets(regions(), [term for some in matches for _, term in some], draw)
    return [
        [
            Edit(match.start(), match.end(), regions().word(term, targets[term.language, term.slot]))
            for match, term in some
            if (term.language, term.slot) in targets
        ]
        for some in matches
    ]


def _targets(groups: Groups, terms: Sequence[Term], draw: Draw) -> dict[tuple[str, str], str]:
    """Language and slot → the group whose words come in: one that the texts name nobody and nothing of."""
    taken: dict[str, set[str]] = {}
    for term in terms:
        taken.setdefault(term.language, set()).add(term.group)
    found: dict[tuple[str, str], str] = {}
    for term in terms:
        others = groups.others(term, taken[term.language])
        if others:
            found[term.language, term.slot] = draw(others)
    return found
