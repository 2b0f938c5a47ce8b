"""Answer templates: what near-equal replies have in common, and where they differ."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import NamedTuple

import polars as pl

from zhiling.rows.schema import digest
from zhiling.synthesis.skeletons import FREE, SLOT, Casing, Skeleton, Slot, is_slot, negations, tokens
from zhiling.text.near import NearIndex
from zhiling.text.normalise import normalise
from zhiling.text.shingles import bags
from zhiling.text.union_find import components

Signature = tuple[tuple[str, ...], frozenset[str]]
Words = tuple[str, ...]

_SHINGLE = 1
_LEAST_WORDS = 2
_LEAST_FILLERS = 3
_VARIES = 0.5
_LONGEST_FREE = 8
_DENSE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")


class Found(NamedTuple):
    """A slot of one reply with its value; `start` and `end` are code points."""

    type: str
    value: str
    start: int
    end: int


class Match(NamedTuple):
    """A reply's template, how like its words are (Jaccard, 0 to 1), and its slots in their order."""

    template: AnswerTemplate
    likeness: float
    slots: tuple[Found, ...]


@dataclass(frozen=True)
class AnswerTemplate:
    """A template of near-equal replies.

    Attributes:
        words: fixed words of its most frequent reply in lower case, with `{type}` for slots.
        rows: how many replies it was mined from.
        fixed: of its slots, by place, those that had one value throughout: they are text.
        free: spans of words in which the replies differ without a type, as (start, end) of `words`.
    """

    words: Words
    rows: int
    fixed: Mapping[int, str] = field(default_factory=dict[int, str])
    free: tuple[tuple[int, int], ...] = ()

    @property
    def id(self) -> str:
        """A hash of its words, 12 hexadecimal digits."""
        return digest(" ".join(self.words).encode())[:12]

    @property
    def pattern(self) -> str:
        """The template for people: `how about {name} by {name} ?`."""
        return "".join(_spaced(list(self._shown())))

    def _shown(self) -> Iterator[str]:
        slot = place = 0
        while place < len(self.words):
            span = next((span for span in self.free if span[0] == place), None)
            word = self.words[place]
            if is_slot(word):
                word = self.fixed.get(slot, word)
                slot += 1
            yield SLOT % FREE if span else word
            place = span[1] if span else place + 1

    def slots(self, text: str, skeleton: Skeleton) -> tuple[Found, ...]:
        """The slots of a reply of this template."""
        typed = [
            _found(slot, text)
            for number, slot in enumerate(skeleton.slots)
            if text[slot.start : slot.end] != self.fixed.get(number)
        ]
        free = [Found(FREE, text[start:end], start, end) for start, end in self._free_places(skeleton)]
        return tuple(sorted(typed + free, key=lambda found: found.start))

    def _free_places(self, skeleton: Skeleton) -> Iterator[tuple[int, int]]:
        if not self.free:
            return
        spans = aligned(self.words, skeleton.words)
        for low, high in self.free:
            start, end = spans.get((low, high), (low, high) if self.words == skeleton.words else (0, 0))
            if end > start:
                yield skeleton.places[start][0], skeleton.places[end - 1][1]


class Templates:
    """Finds the template of a reply.

    Args:
        mined: templates, the most frequent first.
        casing: of the log that they were mined from.
        least: Jaccard similarity of a reply's words to those of its template, 0 to 1.
    """

    def __init__(self, mined: Iterable[AnswerTemplate], casing: Casing, least: float) -> None:
        self.mined = list(mined)
        self.casing = casing
        self._least = least
        self._by_signature: defaultdict[Signature, list[tuple[frozenset[str], AnswerTemplate]]]
        self._by_signature = defaultdict(list)
        for template in self.mined:
            own = frozenset(template.words)
            self._by_signature[signature(template.words)].append((own, template))
        self._known: dict[Words, tuple[AnswerTemplate, float] | None] = {}

    def match(self, text: str) -> Match | None:
        """The template with the same slots whose words are most alike; None: there is none."""
        skeleton = self.casing.skeleton(text)
        found = self.nearest(skeleton.words)
        return Match(*found, found[0].slots(text, skeleton)) if found else None

    def nearest(self, words: Words) -> tuple[AnswerTemplate, float] | None:
        """The template of these words with its likeness; words that were asked about are remembered."""
        if words not in self._known:
            self._known[words] = self._nearest(words)
        return self._known[words]

    def _nearest(self, words: Words) -> tuple[AnswerTemplate, float] | None:
        own = frozenset(words)
        best: tuple[AnswerTemplate, float] | None = None
        for others, template in self._by_signature.get(signature(words), ()):
            likeness = _likeness(own, others)
            if likeness >= self._least and (best is None or likeness > best[1]):
                best = template, likeness
        return best


def mine(texts: Sequence[str], least: float, least_rows: int) -> Templates:
    """Templates of near-equal replies.

    Replies become skeletons (typed slots and names cut out). Skeletons with the same slots and the same
    denials whose words have a Jaccard similarity of at least `least` to a more frequent one belong to its
    template.
    Slots that never vary are text; Chinese words that nearly always do are a slot of type `free`.

    Args:
        texts: replies of one log.
        least: 0.3 to 1.
        least_rows: replies that a template needs.
    """
    casing = Casing.learnt(map(tokens, texts))
    skeletons = [casing.skeleton(text) for text in texts]
    counts = Counter(skeleton.words for skeleton in skeletons)
    leaders = _leaders(counts, least)
    drafts = Templates((AnswerTemplate(words, 0) for words in leaders), casing, least)
    members: defaultdict[Words, list[int]] = defaultdict(list)
    for number, skeleton in enumerate(skeletons):
        if found := drafts.nearest(skeleton.words):
            members[found[0].words].append(number)
    mined = [
        _template(words, [texts[row] for row in rows], [skeletons[row] for row in rows])
        for words, rows in members.items()
        if len(rows) >= least_rows and _says_something(words)
    ]
    return Templates(sorted(mined, key=lambda each: (-each.rows, each.words)), casing, least)


def signature(words: Words) -> Signature:
    """What replies of one template share exactly: their slots in order, and the words that deny."""
    return tuple(word for word in words if is_slot(word)), negations(words)


def aligned(words: Words, others: Words) -> dict[tuple[int, int], tuple[int, int]]:
    """Spans of `words` for which `others` says something else between the same neighbours."""
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    return {
        (low, high): (start, end)
        for kind, low, high, start, end in matcher.get_opcodes()
        if kind == "replace" and max(high - low, end - start) <= _LONGEST_FREE
    }


def _leaders(counts: Mapping[Words, int], least: float) -> list[Words]:
    """Skeletons that no more frequent one with the same signature is near to."""
    ordered = sorted(counts, key=lambda words: (-counts[words], words))
    shown = pl.Series([" ".join(map(_plain, words)) for words in ordered], dtype=pl.String)
    with NearIndex(least, "exact") as index:
        index.add(bags(normalise(shown), _SHINGLE))
        near = index.find()
    linked = components(len(ordered), near.rows[near.pairs.left], near.rows[near.pairs.right])
    leaders: list[Words] = []
    apart: defaultdict[tuple[int, Signature], list[frozenset[str]]] = defaultdict(list)
    for component, words in zip(linked.tolist(), ordered, strict=True):
        others, own = apart[component, signature(words)], frozenset(words)
        if not any(_likeness(own, other) >= least for other in others):
            others.append(own)
            leaders.append(words)
    return leaders


def _likeness(words: frozenset[str], others: frozenset[str]) -> float:
    common = len(words & others)
    return common / max(len(words) + len(others) - common, 1)


def _template(words: Words, texts: Sequence[str], skeletons: Sequence[Skeleton]) -> AnswerTemplate:
    values = [
        [text[slot.start : slot.end] for slot in skeleton.slots]
        for text, skeleton in zip(texts, skeletons, strict=True)
    ]
    fixed = {
        number: column[0]
        for number, column in enumerate(zip(*values, strict=True))
        if len(texts) > 1 and len(set(column)) == 1
    }
    return AnswerTemplate(words, len(texts), fixed, _free(words, skeletons))


def _free(words: Words, skeletons: Sequence[Skeleton]) -> tuple[tuple[int, int], ...]:
    """Spans of words in which at least half of the replies say something else, nearly each its own."""
    fillers: defaultdict[tuple[int, int], list[Words]] = defaultdict(list)
    for skeleton in skeletons:
        for span, (start, end) in aligned(words, skeleton.words).items():
            fillers[span].append(skeleton.words[start:end])
    return tuple(
        span
        for span, found in sorted(fillers.items())
        if len(found) >= _VARIES * len(skeletons)
        and len(set(found)) >= max(_LEAST_FILLERS, _VARIES * len(found))
        and all(map(_caseless, (words[slice(*span)], *found)))
    )


def _caseless(words: Words) -> bool:
    """Whether these are words of a script without capitals: in others, names show by them.

    In English what varies without capitals is how a question is put: of 16 such slots in the development half
    of SGD's replies none held a value.
    """
    return not any(map(is_slot, words)) and any("\u3400" <= word <= "\u9fff" for word in words)


def _says_something(words: Words) -> bool:
    return sum(word[0].isalnum() for word in words) >= _LEAST_WORDS


def _found(slot: Slot, text: str) -> Found:
    return Found(slot.type, text[slot.start : slot.end], slot.start, slot.end)


def _plain(word: str) -> str:
    """A slot as a word of its own that no text holds."""
    return f"{word[1:-1]}slot" if is_slot(word) else word


def _spaced(words: Sequence[str]) -> Iterator[str]:
    """Words with spaces as they are written: none between Chinese characters, none before signs."""
    before = ""
    for word in words:
        if before and _apart(before, word):
            yield " "
        yield word
        before = word


def _apart(before: str, word: str) -> bool:
    if _DENSE.match(before[-1]) or _DENSE.match(word[0]):
        return False
    return word[0].isalnum() or word[0] in "{(&"
