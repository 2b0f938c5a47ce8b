"""Constraints that a reply already keeps to, measured from its words: the truth of a controlled row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict

from zhiling.rows.target import Constraint
from zhiling.rows.templates.phrases import Language, read_yaml
from zhiling.verification.constraints import check
from zhiling.verification.counting import COUNTS

Kind = Literal[
    "length", "include", "exclude", "frequency", "starts_with", "ends_with", "form", "language"
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "length", "include", "exclude", "frequency", "starts_with", "ends_with", "form", "language",
)  # fmt: skip

_UNITS: dict[Language, dict[str, str]] = {
    "en": {
        "words": "words",
        "sentences": "sentences",
        "paragraphs": "paragraphs",
        "bullets": "bullet points",
    },
    "zh": {"words": "字", "sentences": "句", "paragraphs": "段", "bullets": "个要点"},
}
_ROOM = 0.2  # between a count and its bound
_LEAST_WORDS = 8  # of a reply whose words are asked for, or whose commas are missed
_MOST_EDGE = 12  # characters of a Chinese beginning or end
_LATIN = re.compile(r"[A-Za-z][a-z]{3,}(?:-[a-z]+)?")
_HAN_RUN = re.compile(r"[\u4e00-\u9fff]+")
_HAN_TERM = (4, 3, 2)  # characters of a Chinese word that prompt and reply share, the longest first
_PUNCTUATION = "。！？，、；：.!?,;:…"


class Words(BaseModel):
    """One language's words; see `constraint_words.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    avoidable: tuple[str, ...]
    common: frozenset[str]


@cache
def words(language: Language) -> Words:
    """The words of a language."""
    file = resources.files("zhiling.synthesis").joinpath("constraint_words.yaml")
    return Words(**read_yaml(file.read_text("utf-8"))[language])


def measured(
    prompt: str, reply: str, language: Language, kinds: Sequence[Kind], draw: float, most: int
) -> list[Constraint]:
    """Constraints of the first of these kinds, one a kind, each of which the reply meets by `verification`.

    Args:
        prompt: what the reply answers; Chinese words are those that both share.
        reply: what is measured.
        language: of both.
        kinds: which constraints.
        draw: in [0, 1), chooses among several of a kind.
        most: constraints at most.
    """
    found: list[Constraint] = []
    for kind in kinds:
        if len(found) == most:
            break
        several = list(_MEASURES[kind](prompt, reply, language))
        start = int(draw * len(several))
        turned = (*several[start:], *several[:start])
        met = next((each for each in turned if check(reply, each) is None), None)
        if met is not None:
            found.append(met)
    return found


def _length(_: str, reply: str, language: Language) -> Iterator[Constraint]:
    """Bounds around a count, at round numbers."""
    for unit, name in _UNITS[language].items():
        count = COUNTS[unit](reply)
        if unit != "words" and count < 2:
            continue
        step = 1 if count < 10 else 5 if count < 50 else 10
        low = max(1, int(count * (1 - _ROOM)) // step * step)
        high = -(-int(count * (1 + _ROOM) + 1) // step) * step
        if unit == "words":
            yield Constraint(kind="length", values=[name], at_least=low, at_most=high)
            yield Constraint(kind="length", values=[name], at_most=high)
        else:
            yield Constraint(kind="length", values=[name], at_least=count, at_most=count)


def _include(prompt: str, reply: str, language: Language) -> Iterator[Constraint]:
    """One word or two that the reply holds."""
    terms = _terms(prompt, reply, language)
    yield from (Constraint(kind="include", values=[term]) for term in terms)
    yield from (Constraint(kind="include", values=[*pair]) for pair in pairwise(terms))


def _exclude(_: str, reply: str, language: Language) -> Iterator[Constraint]:
    """Words that many replies hold and this one does not."""
    avoidable = [word for word in words(language).avoidable if word not in reply.lower()]
    yield from (Constraint(kind="exclude", values=[word]) for word in avoidable)


def _frequency(prompt: str, reply: str, language: Language) -> Iterator[Constraint]:
    """How often a word stands there that stands there more than once."""
    low = reply.lower()
    for term in _terms(prompt, reply, language):
        count = low.count(term)
        if count > 1:
            yield Constraint(kind="frequency", values=[term], at_least=count, at_most=count)
            yield Constraint(kind="frequency", values=[term], at_least=2)


def _terms(prompt: str, reply: str, language: Language) -> list[str]:
    """Words worth asking for, in the order of the reply.

    English ones by their letters. Chinese is not parted into words: what prompt and reply share in two to
    four characters is nearly always a word, or several.
    """
    if len(reply) < _LEAST_WORDS:
        return []
    common = words(language).common
    if language == "en":
        found = Counter(word.lower() for word in _LATIN.findall(reply))
        return [word for word in found if word not in common]
    shared: dict[str, None] = {}
    for run in _HAN_RUN.findall(reply):
        at = 0
        while at < len(run):
            size = next(
                (size for size in _HAN_TERM if len(run) >= at + size and run[at : at + size] in prompt), 0
            )
            term = run[at : at + size]
            if size and not any(word in term for word in common):
                shared[term] = None
            at += size or 1
    return list(shared)


def _starts_with(_: str, reply: str, language: Language) -> Iterator[Constraint]:
    """The first words, up to a mark."""
    opening = _edge(reply.strip().splitlines()[0] if reply.strip() else "", language, first=True)
    if opening:
        yield Constraint(kind="starts_with", values=[opening])


def _ends_with(_: str, reply: str, language: Language) -> Iterator[Constraint]:
    """The last words with their mark."""
    closing = _edge(reply.strip().splitlines()[-1] if reply.strip() else "", language, first=False)
    if closing:
        yield Constraint(kind="ends_with", values=[closing])


def _edge(line: str, language: Language, *, first: bool) -> str:
    """Three English words, or a Chinese clause, at one end of a line that holds more."""
    if language == "en":
        parts = line.split()
        return "" if len(parts) < _LEAST_WORDS else " ".join(parts[:3] if first else parts[-3:])
    clauses = [each for each in re.split(f"(?<=[{_PUNCTUATION}])", line) if each]
    if len(clauses) < 2:
        return ""
    clause = clauses[0].rstrip(_PUNCTUATION) if first else clauses[-1]
    return clause if 2 <= len(clause) <= _MOST_EDGE else ""


def _form(_: str, reply: str, language: Language) -> Iterator[Constraint]:
    """JSON, a title, one case, no commas."""
    if reply.lstrip().startswith("# "):
        yield Constraint(kind="title")
    if reply.strip()[:1] in ("{", "[", "`"):
        yield Constraint(kind="json")
    letters = [each for each in reply if each.isalpha() and each.isascii()]
    if language == "en" and len(letters) > _LEAST_WORDS:
        yield Constraint(kind="uppercase" if letters[0].isupper() else "lowercase")
    if COUNTS["words"](reply) >= _LEAST_WORDS:
        yield Constraint(kind="no_commas")


def _language(_: str, reply: str, language: Language) -> Iterator[Constraint]:
    """The language of a reply that is long enough to show it."""
    if COUNTS["words"](reply) >= _LEAST_WORDS:
        yield Constraint(kind="language", values=[language])


_MEASURES: dict[Kind, Callable[[str, str, Language], Iterator[Constraint]]] = {
    "length": _length,
    "include": _include,
    "exclude": _exclude,
    "frequency": _frequency,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "form": _form,
    "language": _language,
}
